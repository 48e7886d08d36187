r"""What one training point, or a change to it, does to a fitted model and to its predictions.

Everywhere in this module, with n training examples $z_i$ and the loss $\ell$ of ONE example,

$$R(\theta) = \frac1n \sum_i \ell(z_i, \theta) + \frac{\lambda}{2} \lVert\theta\rVert^2, \qquad
  H = \nabla^2 R(\hat\theta), \qquad H_d = H + \text{damping} \cdot I,$$

$$\text{scores}[t, i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla \ell(z_i)
  \;\approx\; m(z_t;\, \hat\theta \text{ fitted without } z_i) - m(z_t;\, \hat\theta).$$

Positive means helpful: without $z_i$ the test loss $m$ rises. The quantity of Koh and Liang,
"Understanding black-box predictions via influence functions", ICML 2017, is
$\mathcal{I}_\text{up,loss} = -n \cdot \text{scores}$. Damping belongs to the solve, not to $R$.

Two refits are meant by "without $z_i$", and the argument ``removal`` chooses: "fixed-weight" drops
one term of the sum while $1/n$ and $\lambda$ stay; "refit-mean" fits the mean of the other n − 1
losses with the same $\lambda$, and has $\nabla\ell(z_i) + \lambda\hat\theta$ in place of
$\nabla\ell(z_i)$.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from course_utils import _problem, trees
from course_utils.solvers import CG, Exact, SolveInfo

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]

_KEPT_FROM = 64  # from about this many test points on, whole gradients cost less than JVPs
_DIRECTIONS_AT_ONCE = 8  # forward-mode derivatives of one example


@dataclass(frozen=True, eq=False)
class Influence:
    """Influence scores, and what is needed in order to trust them.

    Attributes:
        scores: (n_test, n_train); rows whose solve failed are NaN.
        s_test: the solutions H_d⁻¹∇m(z_t), a pytree like the params with a leading axis of n_test.
        info: the certificate of each solve, ``SolveInfo`` of arrays (n_test,).
        convention: one sentence saying what a score estimates.
    """

    scores: np.ndarray
    s_test: PyTree
    info: SolveInfo
    convention: str

    def helpful(self, k: int) -> np.ndarray:
        """The k training points whose removal would raise the test loss most, most helpful first.

        Integers (n_test, min(k, n)); equal scores in the order of their indices; −1 in rows of NaN.
        """
        return self._ranked(-self.scores, k)

    def harmful(self, k: int) -> np.ndarray:
        """The k training points whose removal would lower the test loss most, most harmful first.

        Integers (n_test, min(k, n)); equal scores in the order of their indices; −1 in rows of NaN.
        """
        return self._ranked(self.scores, k)

    def _ranked(self, keys, k):
        if k < 0:
            raise ValueError(f"k must not be negative, got {k}")
        order = np.argsort(keys, axis=1, kind="stable")[:, :k]
        return np.where(np.isnan(keys).any(axis=1, keepdims=True), -1, order)

    def save(self, path: str | Path) -> None:
        """Write everything to one ``.npz`` file, without pickle.

        Raises:
            TypeError: if the params have containers other than dicts, lists and tuples.
        """
        structure, leaves = trees.pack(self.s_test)
        arrays = {f"leaf_{i}": leaf for i, leaf in enumerate(leaves)}
        arrays |= {f"info_{name}": value for name, value in self.info._asdict().items()}
        with open(path, "wb") as file:
            np.savez(
                file,
                scores=self.scores,
                convention=np.array(self.convention),
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
                return cls(file["scores"], s_test, info, str(file["convention"]))
        except OSError:
            raise
        except Exception as error:
            raise ValueError(f"{path} was not written by Influence.save") from error


def influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    *,
    solver: CG | Exact = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    gradients: str = "auto",
    batch_size: int | None = None,
    progress: bool = False,
) -> Influence:
    r"""How much each training point helps or harms the prediction at each test point.

    $\text{scores}[t,i] = \frac1n \nabla m(z_t)^\top H_d^{-1} \nabla\ell(z_i)$, an estimate of the
    change of $m(z_t)$ when the model is fitted without $z_i$: see the head of this module for
    every symbol. One solve per test point, all of them batched, and then one inner product per
    training point.

    It checks values and warns, so it cannot be called under ``jit``, ``vmap`` or ``grad``; take
    ``cg`` of ``hessian_mvp`` there. What it compiles is kept for each loss function and each shape
    of the data: losses must be pure. A changed global or attribute that a loss reads would go
    unnoticed; pass what changes in params or data, or define the function anew.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example, without the l2 term.
            ``example`` has the structure of ``train`` without its leading axis.
        params: the fitted parameters, a pytree of floating-point arrays with p numbers in all.
        train: pytree whose leaves share a leading axis of n examples, such as ``(X, y)``.
        test: the same with n_test examples.
        solver: ``CG(tol=…, maxiter=…)`` or ``Exact()``.
        l2: $\lambda$ of the fit, a number or a tree prefix of ``params`` with one number per part,
            so that biases can go free.
        damping: added to every curvature in the solve, at least 0; in the units of H.
        removal: ``"fixed-weight"`` or ``"refit-mean"``, which refit is estimated.
        curvature: ``"hessian"``, or ``"ggn"`` for the Gauss-Newton matrix (``loss_fn`` from
            ``compose``).
        test_loss_fn: $m$, ``(params, test example) -> scalar``; ``loss_fn`` if ``None``. With it,
            ``test`` may have a structure of its own.
        select: of a path such as ``"dense/kernel"``, whether that leaf counts; the others are held
            fixed, as constants of the model. ``None``: all count.
        gradients: ``"on-the-fly"`` takes $\nabla\ell_i^\top s$ by forward-mode derivatives,
            keeping no gradient; ``"kept"`` forms each $\nabla\ell_i$ once and uses it for all test
            points; ``"auto"`` is the faster: kept from 64 test points on.
        batch_size: how many training examples enter at a time, which bounds the memory. ``None``:
            all, in the products with H.
        progress: show a bar of test points solved.

    Returns:
        ``Influence`` with ``scores`` (n_test, n), ``s_test``, ``info`` and ``convention``, in
        float32 where params were half precision.

    Raises:
        TypeError: an unknown ``removal``, ``curvature``, ``gradients`` or ``solver``, or ``"ggn"``
            for a loss that was not composed.
        ValueError: NaN or infinity in params, data or gradients; params that are not
            floating-point; test that does not match train; a loss that is not a scalar; negative
            l2 or damping; no training example, or one with "refit-mean"; with ``Exact``, a matrix
            that is indefinite or singular.

    Warns:
        RuntimeWarning: once for each of: params not at an optimum (‖∇R‖ above 1e-3 of the mean
            ‖∇ℓ_i‖, a mean over at most 1024 of the examples); test points whose solve failed, with
            the damping that cures it; test points whose solve did not reach the tolerance.

    Source:
        Koh and Liang, ICML 2017; the inner products as forward-mode derivatives follow from
        linearity.
    """
    _problem.check_name("gradients", gradients, ("on-the-fly", "kept", "auto"))
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    s, info = _solve_for_tests(problem, test, test_loss_fn, progress)
    n_test = trees.num_rows(s)
    kept = gradients == "kept" or (gradients == "auto" and n_test >= _KEPT_FROM)
    scores = np.zeros((0, problem.n), trees.dtype(s))
    if n_test > 0:
        scores = np.asarray(_scores(problem.setting, kept, problem.point, s, problem.shift))
    convention = _convention(removal, curvature, float(damping), test_loss_fn, select)
    return Influence(scores, s, info, convention)


def s_test(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    test: PyTree,
    *,
    solver: CG | Exact = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    curvature: str = "hessian",
    test_loss_fn: Loss | None = None,
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> tuple[PyTree, SolveInfo]:
    r"""The half of a score that belongs to the test point: $s_t = H_d^{-1} \nabla m(z_t)$.

    ``scores[t, i]`` is the inner product of $s_t$ with row i of ``grad_z``, divided by n. The name
    is that of Koh and Liang's code. Arguments, errors and warnings are those of ``influence``.

    Returns:
        $s_t$ for every test point, a pytree like ``params`` with a leading axis of n_test
        (``None`` for leaves that ``select`` leaves out); and a ``SolveInfo`` of arrays (n_test,).
        Rows whose solve failed are NaN.
    """
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, "fixed-weight", curvature, select, batch_size
    )
    return _solve_for_tests(problem, test, test_loss_fn, progress)


def grad_z(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    *,
    l2: PyTree = 0.0,
    removal: str = "fixed-weight",
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
) -> PyTree:
    r"""The half of a score that belongs to the training point, for all of them: n × p numbers.

    $\nabla\ell(z_i)$ for ``removal="fixed-weight"``, $\nabla\ell(z_i) + \lambda\hat\theta$ for
    ``"refit-mean"``; of the loss of one example, without any 1/n. Arguments and errors are those of
    ``influence``.

    Returns:
        Pytree like ``params`` with a leading axis of n (``None`` for leaves that ``select`` leaves
        out).
    """
    problem = _problem.pose(
        loss_fn, params, train, CG(), l2, 0.0, removal, "hessian", select, batch_size, survey=False
    )
    return _problem.checked_gradients(
        problem, loss_fn, problem.point.train, "loss_fn", problem.shift
    )


def influence_on_params(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    indices: np.ndarray,
    *,
    solver: CG | Exact = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> PyTree:
    r"""How the parameters would move without a training point, for each of ``indices``.

    $$\frac1n H_d^{-1} \nabla\ell(z_i) \;\approx\; \hat\theta_{-i} - \hat\theta,$$

    with $\nabla\ell(z_i) + \lambda\hat\theta$ in place of $\nabla\ell(z_i)$ for "refit-mean". For
    least squares the exact change under "fixed-weight" is this, divided by $1 - h_{ii}$ with the
    leverage $h_{ii} = x_i^\top (X^\top X + n \lambda I)^{-1} x_i$. Other arguments, errors and
    warnings are those of ``influence``.

    Args:
        indices: whole numbers in 0 … n − 1, shape (k,).

    Returns:
        Pytree like ``params`` with a leading axis of k (``None`` for leaves that ``select`` leaves
        out). Rows whose solve failed are NaN.

    Raises:
        ValueError: if an index is out of range; and what ``influence`` raises.
    """
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    indices = trees.row_indices(indices, problem.n)
    chosen = trees.take_rows(problem.point.train, indices)
    rows = _problem.checked_gradients(problem, loss_fn, chosen, "loss_fn", problem.shift)
    moves, _ = _problem.solve_in_blocks(
        problem,
        lambda block: trees.take_rows(rows, block),
        lambda rows, x: trees.scale(1 / problem.n, x),
        len(indices),
        "training points",
        progress,
        indices,
    )
    return moves


def self_influence(
    loss_fn: Loss,
    params: PyTree,
    train: PyTree,
    *,
    solver: CG | Exact = CG(),  # noqa: B008
    l2: PyTree = 0.0,
    damping: float = 0.0,
    removal: str = "fixed-weight",
    curvature: str = "hessian",
    select: Callable[[str], bool] | None = None,
    batch_size: int | None = None,
    progress: bool = False,
) -> np.ndarray:
    r"""What each training point does to its own loss: the diagonal of ``influence(train, train)``.

    $\frac1n \nabla\ell(z_i)^\top H_d^{-1} \nabla\ell(z_i)$, never negative where $H_d$ is positive
    definite and ``removal`` is "fixed-weight". Large values mark outliers and wrong labels: points
    that the model fits by memory. n solves, in blocks; neither the n × n scores nor all solutions
    are kept. Arguments, errors and warnings are those of ``influence``.

    Returns:
        Shape (n,); NaN where a solve failed.
    """
    problem = _problem.pose(
        loss_fn, params, train, solver, l2, damping, removal, curvature, select, batch_size
    )
    values, _ = _problem.solve_in_blocks(
        problem,
        lambda block: _problem.gradients(
            problem.setting,
            loss_fn,
            problem.point.params,
            trees.take_rows(problem.point.train, block),
        ),
        lambda rows, x: _row_products(rows, x, problem.shift, problem.n),
        problem.n,
        "training points",
        progress,
    )
    return np.asarray(values)


def _convention(removal, curvature, damping, test_loss_fn, select):
    refit = {
        "fixed-weight": "its term is dropped from the sum while 1/n and l2 stay (fixed-weight)",
        "refit-mean": "the mean loss of the other n - 1 is fitted with the same l2 (refit-mean)",
    }[removal]
    measured = "loss" if test_loss_fn is None else "value of test_loss_fn"
    damped = f", as the damped (proximal) response with damping {damping:g}" if damping > 0 else ""
    matrix = "" if curvature == "hessian" else ", with the Gauss-Newton matrix for the Hessian"
    part = "" if select is None else ", refitting the selected params alone"
    return (
        f"scores[t, i] estimates how much the {measured} of test point t rises without training "
        f"point i when {refit}{damped}{matrix}{part}; positive means helpful."
    )


def _solve_for_tests(problem, test, test_loss_fn, progress):
    trees.num_rows(test, "test")
    test = trees.promote(test)
    if test_loss_fn is None:
        trees.check_like("test", test, "train", problem.point.train, skip_axes=1)
    _problem.check_finite("test", test)
    measure = problem.setting.loss_fn if test_loss_fn is None else test_loss_fn
    name = "loss_fn" if test_loss_fn is None else "test_loss_fn"
    rows = _problem.checked_gradients(problem, measure, test, name)
    return _problem.solve_in_blocks(
        problem,
        lambda block: trees.take_rows(rows, block),
        lambda rows, x: x,
        trees.num_rows(test),
        "test points",
        progress,
    )


@partial(jax.jit, static_argnums=(0, 1))
def _scores(setting, kept, point, s, shift):
    """(1/n) s_t . (∇ℓ_i + shift) for all t and i, shape (n_test, n)."""
    free, loss = _problem.free_part(setting, point.params, setting.loss_fn)
    flat = trees.ravel_rows(s)  # (n_test, p)

    def from_gradient(z):
        return flat @ trees.ravel(jax.grad(loss)(free, z))

    def from_derivatives(z):  # along s_t, without a gradient: ∇ℓ_i is linear in the direction
        _, along = jax.linearize(lambda free: loss(free, z), free)
        return trees.map_rows(along, s, _DIRECTIONS_AT_ONCE)

    with jax.default_matmul_precision("highest"):
        if kept:
            products = trees.map_rows(
                from_gradient, point.train, _problem.rows_at_once(setting, free)
            )
        else:
            products = trees.map_rows(from_derivatives, point.train, setting.batch_size)
        constant = flat @ trees.ravel(shift)  # (n_test,)
    return (products + constant).T / trees.num_rows(point.train)


@jax.jit
def _row_products(rows, x, shift, n):
    """(1/n) (row + shift) . x, row by row."""
    return jax.vmap(lambda row, x: trees.vdot(trees.add(row, shift), x) / n)(rows, x)
