"""What ``influence`` returns: scores, with what is needed in order to trust and to keep them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils import _cache, trees
from course_utils.solvers import SolveInfo

PyTree = Any


@dataclass(frozen=True, eq=False)
class Influence:
    """Influence scores, and what is needed in order to trust them.

    Attributes:
        scores: (n_test, n_train); rows whose solve failed are NaN. Where a ``cache_dir`` was given
            they are mapped from its file, read-only.
        s_test: the solutions H_d⁻¹∇m(z_t), a pytree like the params with a leading axis of n_test;
            ``None`` where a ``cache_dir`` was given, for there scores alone are kept.
        info: the certificate of each solve, ``SolveInfo`` of arrays (n_test,).
        convention: one sentence saying what a score estimates.
        seconds: wall time of each test point, (n_test,): that of its block, divided equally, with
            compilation where there was one. NaN where the scores were read from a cache.
    """

    scores: np.ndarray
    s_test: PyTree
    info: SolveInfo
    convention: str
    seconds: np.ndarray

    def helpful(self, k: int) -> np.ndarray:
        """The k training points whose removal would raise the test loss most, most helpful first.

        Integers (n_test, min(k, n)); equal scores in the order of their indices; −1 in rows of NaN.
        """
        return self._ranked(k, -1)

    def harmful(self, k: int) -> np.ndarray:
        """The k training points whose removal would lower the test loss most, most harmful first.

        Integers (n_test, min(k, n)); equal scores in the order of their indices; −1 in rows of NaN.
        """
        return self._ranked(k, 1)

    def _ranked(self, k, sign):
        if k < 0:
            raise ValueError(f"k must not be negative, got {k}")
        n_test, n = self.scores.shape
        order = np.empty((n_test, min(k, n)), dtype=int)
        for t, scores in enumerate(self.scores):  # one by one: they may lie on disk
            order[t] = -1 if np.isnan(scores).any() else _smallest(sign * scores, k)
        return order

    def to_json(
        self,
        path: str | Path,
        labels: Sequence[int] | np.ndarray | None = None,
        time: bool = True,
        k: int = 500,
    ) -> None:
        """Write the scores to a file that every language reads.

        ``{"convention": …, "test_points": {"0": {…}, …}}``; each test point has its ``label``
        (null without ``labels``), ``num_in_dataset`` (its index), ``time_calc_influence_s``,
        ``influence`` (n scores), and ``harmful`` and ``helpful`` (training indices, at most k).
        Scores that are NaN or infinite become null; beside NaN the lists are empty.

        Args:
            path: of the file; it is replaced as a whole.
            labels: what to call the test points, (n_test,): numbers or words.
            time: whether to write times; without, the same scores give the same file.
            k: how many helpful and harmful points to list.

        Raises:
            ValueError: if there are not n_test labels, JSON cannot hold one, or k is negative.
        """
        labels = _json_labels(labels, len(self.scores))
        helpful, harmful = self.helpful(k), self.harmful(k)
        if not Path(path).parent.is_dir():
            raise FileNotFoundError(f"there is no folder {Path(path).parent}")

        def write(file):
            put = lambda text: file.write(text.encode())
            put(f'{{"convention": {json.dumps(self.convention)}, "test_points": {{')
            for t, scores in enumerate(self.scores):
                failed = bool(np.isnan(scores).any())
                point = {"label": labels[t], "num_in_dataset": t}
                if time:
                    point["time_calc_influence_s"] = _number_or_none(self.seconds[t])
                point["influence"] = [_number_or_none(score) for score in scores.tolist()]
                point["harmful"] = [] if failed else harmful[t].tolist()
                point["helpful"] = [] if failed else helpful[t].tolist()
                put(f'{"," if t else ""}\n"{t}": {json.dumps(point, allow_nan=False)}')
            put("\n}}\n")

        _cache.write_whole(Path(path), write)

    def save(self, path: str | Path) -> None:
        """Write everything to one ``.npz`` file, without pickle.

        Raises:
            TypeError: if the params have containers other than dicts, lists and tuples.
        """
        structure, leaves = trees.pack(self.s_test)
        arrays: dict[str, Any] = {f"leaf_{i}": leaf for i, leaf in enumerate(leaves)}
        arrays |= {f"info_{name}": value for name, value in self.info._asdict().items()}
        with open(path, "wb") as file:
            np.savez(
                file,
                scores=self.scores,
                convention=np.array(self.convention),
                seconds=self.seconds,
                structure=np.array(structure),
                **arrays,
            )

    @classmethod
    def load(cls, path: str | Path) -> "Influence":
        """Read what ``save`` has written; the arrays are NumPy's.

        Raises:
            ValueError: if ``save`` did not write it.
        """
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                count = sum(name.startswith("leaf_") for name in file)
                leaves = [file[f"leaf_{i}"] for i in range(count)]
                info = SolveInfo(*(file[f"info_{name}"] for name in SolveInfo._fields))
                s_test = trees.unpack(str(file["structure"]), leaves)
                convention = str(file["convention"])
                return cls(file["scores"], s_test, info, convention, file["seconds"])
        except OSError:
            raise
        except Exception as error:
            raise ValueError(f"{path} was not written by Influence.save") from error


def _smallest(x, k):
    """Indices of the k smallest entries, in order; equal ones in the order of their indices."""
    if 0 < k < len(x):
        limit = np.partition(x, k - 1)[k - 1]
        near = np.flatnonzero(x <= limit)  # more than k of them where some are equal to the limit
    else:
        near = np.arange(len(x))
    return near[np.argsort(x[near], kind="stable")][:k]


def _number_or_none(x):
    return float(x) if np.isfinite(x) else None


def _json_labels(labels, n):
    if labels is None:
        return [None] * n
    if isinstance(labels, str) or np.ndim(labels) != 1 or len(labels) != n:
        raise ValueError(f"labels must be {n} numbers or words, one per test point: got {labels!r}")
    labels = [label.item() if hasattr(label, "item") else label for label in labels]
    for t, label in enumerate(labels):
        fits = label is None or isinstance(label, str | bool | int)
        if not fits and not (isinstance(label, float) and np.isfinite(label)):
            raise ValueError(f"labels[{t}] must be a finite number or a word, got {label!r}")
    return labels
