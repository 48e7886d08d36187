"""What ``influence`` returns: scores, with what is needed in order to trust and to keep them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from course_utils._files import write_whole
from course_utils.solvers import SolveInfo

PyTree = Any


@dataclass(frozen=True, eq=False)
class Influence:
    """Influence scores, and what is needed in order to trust them.

    Attributes:
        scores: (n_test, n); rows whose solve failed are NaN, with ``corrected=True`` columns. From
            ``influence_on_disk`` they are mapped from a file, read-only.
        s_test: the solutions H_d⁻¹∇m(z_t), a pytree like the params with a leading axis of n_test;
            ``None`` from ``influence_on_disk``, which keeps scores alone, and with
            ``corrected=True``, which solves for training points.
        info: the certificate of each solve, ``SolveInfo`` of arrays (n_test,); with
            ``corrected=True`` (n,).
        convention: one sentence saying what a score estimates.
        seconds: wall time of each test point, (n_test,): that of its block, divided equally, with
            compilation where there was one. NaN where the scores were read from disk.
        measure: what the scores speak of: ``"loss"``, the lower the better; ``"benefit"``, the
            higher; ``None`` where nobody has said.
        standard_error: of each score, over the runs of ``LiSSA(num_samples=…)``, (n_test, n):
            their noise and not their bias. ``None`` for other solvers, for one run, and with
            ``corrected=True``.
    """

    scores: np.ndarray
    s_test: PyTree
    info: SolveInfo
    convention: str
    seconds: np.ndarray
    measure: str | None = "loss"
    standard_error: np.ndarray | None = None

    def __repr__(self) -> str:
        states = ", ".join(sorted(set(np.atleast_1d(self.info.describe()))))
        return (
            f"Influence of {self.scores.shape[1]} examples on {self.scores.shape[0]}; solves: "
            f"{states}.\n{self.convention}"
        )

    def helpful(self, k: int) -> np.ndarray:
        """The k training points whose removal would do most harm, most helpful first.

        It would raise a loss most, or lower a benefit. Integers (n_test, min(k, n)); equal scores
        in the order of their indices. Points whose score is NaN are not ranked: where they leave
        fewer than k, −1 takes the places at the end.

        Raises:
            ValueError: if k is negative, or nobody has said what is measured.
        """
        return self._ranked(k, -1)

    def harmful(self, k: int) -> np.ndarray:
        """The k training points whose removal would do most good, most harmful first.

        It would lower a loss most, or raise a benefit. Otherwise as ``helpful``.
        """
        return self._ranked(k, 1)

    def _ranked(self, k, sign):
        if k < 0:
            raise ValueError(f"k must not be negative, got {k}")
        if self.measure is None:
            raise ValueError(
                "whether more of test_loss_fn is good or bad nobody has said: call influence with "
                "measure='loss' or measure='benefit'"
            )
        sign = -sign if self.measure == "benefit" else sign
        n_test, n = self.scores.shape
        order = np.full((n_test, min(k, n)), -1)
        for t, scores in enumerate(self.scores):  # one by one: they may lie on disk
            known = np.flatnonzero(~np.isnan(scores))
            ranked = known[_smallest(sign * scores[known], k)]
            order[t, : len(ranked)] = ranked
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
        Scores that are NaN or infinite become null; points whose score is NaN are in no list.

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
                point = {"label": labels[t], "num_in_dataset": t}
                if time:
                    point["time_calc_influence_s"] = _number_or_none(self.seconds[t])
                point["influence"] = [_number_or_none(score) for score in scores.tolist()]
                point["harmful"] = harmful[t][harmful[t] >= 0].tolist()
                point["helpful"] = helpful[t][helpful[t] >= 0].tolist()
                put(f'{"," if t else ""}\n"{t}": {json.dumps(point, allow_nan=False)}')
            put("\n}}\n")

        write_whole(Path(path), write)


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
