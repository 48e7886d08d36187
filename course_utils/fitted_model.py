r"""A fitted model: loss, params, training data and l2, posed once and asked often.

Everywhere in the package, with n training examples $z_i$ and the loss $\ell$ of ONE example,

$$R(\theta) = \frac1n \sum_i \ell(z_i, \theta) + \frac{\lambda}{2} \lVert\theta\rVert^2, \qquad
  H = \nabla^2 R(\hat\theta), \qquad H_d = H + \text{damping} \cdot I.$$

Inside, the params are one vector theta of p numbers, and right-hand sides and solutions are rows of
a matrix; pytrees stay at the door. The class is a pytree itself, whose arrays are the numbers that
a compiled function is called with; loss and words are what it is compiled for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from course_utils import _arguments, _fingerprint, _solver_warnings, sharding, trees
from course_utils._arguments import configured
from course_utils._compiled import compiled
from course_utils.curvature import (
    Composition,
    as_scalar,
    check_batch_size,
    check_curvature,
    hutchinson_trace,
    weighted_curvature,
)
from course_utils.kronecker import Kronecker
from course_utils.solvers import (
    CG,
    COLUMNS_AT_ONCE,
    INDEFINITE,
    STALLED,
    Arnoldi,
    Exact,
    LiSSA,
    Solution,
    SolveInfo,
    System,
    solve_rescaled,
)

PyTree = Any
Loss = Callable[[PyTree, PyTree], jax.Array]
Solver = CG | Exact | LiSSA | Arnoldi | Kronecker

_EXAMPLES_AT_ONCE = 256  # in products with many vectors on a CPU: what a core keeps in its cache
_GRADIENTS_FORMED_FROM = 128  # vectors: then a gradient costs less than a derivative along each
DIRECTIONS_AT_ONCE = 8  # forward-mode derivatives of the losses
_NUMBERS_KEPT = 2**22  # of gradients of all examples, 16 MB in float32: kept with the model
_NORMS_SAMPLED = 128  # examples whose gradient norms are averaged in the check of the optimum


@jax.tree_util.register_pytree_node_class
class FittedModel:
    r"""Loss, params, training data and l2 of a fit: what every question of influence is asked of.

    It checks everything once: that params, data, losses and gradients are finite, and, with a
    warning, that the params are at an optimum. ``influence(fit, test)`` and its like take it as
    their first argument. What a solver prepares, such as the factor of ``Exact``, is kept with it.

    Args:
        loss_fn: ``(params, example) -> scalar``, the loss of ONE example, without the l2 term.
            ``example`` has the structure of ``train`` without its leading axis. Where it reads a
            global, its value now counts: after a change questions are refused, until the model is
            made anew.
        params: the fitted parameters, a pytree of floating-point arrays with p numbers in all.
        train: pytree whose leaves share a leading axis of n examples, such as ``(X, y)``.
        l2: $\lambda$ of the fit, a number or a tree prefix of ``params`` with one number per part,
            so that biases can go free. (The biases of a softmax are determined only up to a
            constant: free ones make H singular, for ``CG`` without harm and for ``Exact`` not.)
        damping: added to every curvature in the solve, at least 0; in the units of H.
        relative_damping: in place of ``damping``, a multiple of the mean eigenvalue of H, tr H / p
            (from p products up to p = 1,000, from 100 random signs beyond).
        removal: which refit is meant by "without". ``"fixed-weight"`` drops a term of the sum while
            1/n and l2 stay: scikit-learn's fixed C, with l2 = 1 / (C n). ``"refit-mean"`` fits the
            mean of the other n − 1 losses with the same l2: a mean loss with weight decay.
        curvature: ``"hessian"``, or ``"ggn"`` for the Gauss-Newton matrix, which is never
            indefinite where the loss is convex in the outputs (``loss_fn`` from ``compose``).
        select: of a path such as ``"dense/kernel"``, whether that leaf counts; the others are held
            fixed, as constants of the model. ``None``: all count.
        batch_size: how many training examples enter at a time, which bounds the memory. ``None``:
            as many as the machine works on best.
        mesh: of devices, such as ``jax.make_mesh((8,), ("data",))``: the training data are spread
            over them and everything else is copied to each; ``batch_size`` then counts the examples
            of one device. Over several processes each makes the same calls and gets the same.

    Attributes:
        n: number of training examples.
        p: number of params that count.
        theta: those params as one vector, (p,).
        damping: as given, or what ``relative_damping`` has come to.

    Raises:
        TypeError: an unknown ``removal`` or ``curvature``, or ``"ggn"`` for a loss that was not
            composed.
        ValueError: NaN or infinity in params, data, losses or gradients; params that are not
            floating-point; a loss that is not a scalar; negative l2 or damping; no training
            example, or one with "refit-mean".

    Warns:
        RuntimeWarning: params not at an optimum: ‖∇R‖ above 1e-3 of the mean ‖∇ℓ_i‖ (a mean over
            at most 128 of the examples).
    """

    _prepared: dict[Any, Any]  # by solver, with H where somebody has asked for its eigenpairs

    @configured
    def __init__(
        self,
        loss_fn: Loss,
        params: PyTree,
        train: PyTree,
        *,
        l2: PyTree = 0.0,
        damping: float = 0.0,
        relative_damping: float | None = None,
        removal: str = "fixed-weight",
        curvature: str = "hessian",
        select: Callable[[str], bool] | None = None,
        batch_size: int | None = None,
        mesh: Mesh | None = None,
    ):
        self._pose(
            loss_fn, params, train, l2, damping, removal, curvature, select, batch_size, mesh
        )
        keeps = self.n * self.p <= _NUMBERS_KEPT and batch_size is None and mesh is None
        found = (_survey_keeping if keeps else _survey)(self)
        *found, self._example_gradients = found
        (params_finite, train_finite), value, slope, typical = jax.device_get(found)
        trees.check_flags("params", params_finite)
        trees.check_flags("train", train_finite)
        if not np.isfinite(value):
            raise ValueError("NaN or infinity in the losses of the training examples")
        if not np.isfinite(slope):
            raise ValueError("NaN or infinity in the gradient of loss_fn in params")
        if slope > 1e-3 * typical:
            _solver_warnings.warn(
                f"params are not at an optimum: the gradient of R has norm {slope:.3g}, above 1e-3 "
                f"of {typical:.3g}, the mean norm for one example; is l2 that of the fit, in the "
                "units of a mean loss? Else fit with more steps"
            )
        if relative_damping is not None:
            _arguments.number("relative_damping", relative_damping)
            if damping != 0:
                raise TypeError("give damping or relative_damping, not both")
            self.damping = relative_damping * float(_mean_eigenvalue(self))

    def _pose(
        self, loss_fn, params, train, l2, damping, removal, curvature, select, batch_size, mesh
    ):
        """Everything but the look at the numbers."""
        _arguments.one_of("removal", removal, ("fixed-weight", "refit-mean"))
        check_curvature(loss_fn, curvature)
        check_batch_size(batch_size)
        _arguments.no_loader("train", train)
        _arguments.known("params or data", (params, train, l2, damping))
        _arguments.number("damping", damping)
        if not isinstance(mesh, Mesh | None):
            raise TypeError(f"mesh must be a jax.sharding.Mesh or None, got {mesh!r}")
        if not (callable(loss_fn) and _is_hashable(loss_fn)):
            raise TypeError(f"loss_fn must be a hashable function, got {loss_fn!r}")
        if any(map(callable, jax.tree.leaves(l2))):
            raise TypeError(f"l2 must be a number or a tree of numbers, got {l2!r}")
        train = trees.as_arrays("train", train)
        n = trees.num_rows(train, "train")
        if n < 1 + (removal == "refit-mean"):
            least = "two training examples" if removal == "refit-mean" else "a training example"
            raise ValueError(f"removal={removal!r} needs at least {least}, got {n}")
        self.mesh = sharding.automatic(mesh)
        params = trees.as_arrays("params", params)
        is_free = _chosen(params, select)
        trees.check_floating("params", trees.partition(params, is_free)[0])
        self._structure = _Structure.of(params, is_free)
        theta, fixed = self._structure.flatten(trees.promote(params))
        penalties = trees.nonnegative_floats("l2", trees.broadcast_prefix(l2, params, "l2"))
        penalties = self._structure.spread(penalties, theta.dtype)
        # Over the N rows of a mesh: N/n, and 0 for filling, so that Σ w_i a_i / N is a mean over n.
        weights = np.ones(n, theta.dtype)
        if self.mesh is not None:
            train, weights = sharding.place(self.mesh, train)
            theta, fixed, penalties = sharding.replicate(self.mesh, (theta, fixed, penalties))
        self.loss_fn, self.removal, self.curvature = loss_fn, removal, curvature
        self.batch_size, self.n, self.p = batch_size, n, theta.size
        self.theta, self.fixed, self.l2 = theta, fixed, penalties  # vectors on the host
        self.train, self.weights = trees.promote(train), weights.astype(theta.dtype)
        self.damping = float(damping)
        self.shards = 1 if self.mesh is None else self.mesh.size  # devices with data of their own
        # Gradients of single examples to hold: 16 MB in float32, more where it pays.
        numbers = 2**22 if jax.default_backend() == "cpu" else 2**26
        self.gradients_at_once = batch_size or max(1, numbers // self.p)
        self.selected = select is not None
        self._prepared = {}
        self._example_gradients = None
        traced = _fingerprint.of_function(self.loss, self.theta, self.train)
        self._fingerprint, self.has_jvp = traced

    @classmethod
    @configured
    def at(cls, loss_fn: Loss, params: PyTree, train: PyTree, **options: Any) -> "FittedModel":
        """A model at params that need not be an optimum: the numbers are not looked at."""
        self = object.__new__(cls)
        names = ("l2", "damping", "removal", "curvature", "select", "batch_size", "mesh")
        defaults = (0.0, 0.0, "fixed-weight", "hessian", None, None, None)
        self._pose(loss_fn, params, train, **dict(zip(names, defaults)) | options)
        return self

    def _with(self, **changed: Any) -> "FittedModel":
        """A copy with other numbers; nothing that a solver has prepared."""
        other = object.__new__(type(self))
        other.__dict__.update({**self.__dict__, **changed, "_prepared": {}})
        return other

    @property
    def free_leaves(self) -> tuple[bool, ...]:
        """Of each leaf of the params, whether it counts."""
        return self._structure.is_free

    @property
    def is_small(self) -> bool:
        """Whether the gradients of all examples are kept with the model."""
        return self._example_gradients is not None

    @property
    def is_composed(self) -> bool:
        """Whether the loss came from ``compose``, so that outputs and criterion are known apart."""
        return isinstance(self.loss_fn, Composition)

    _STATIC = (
        *("loss_fn", "removal", "curvature", "batch_size", "n", "p", "mesh", "_structure"),
        *("_fingerprint", "has_jvp", "selected", "shards", "gradients_at_once"),
    )

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """The numbers, and what a compiled function is compiled for."""
        numbers = self.theta, self.fixed, self.train, self.weights, self.l2, self.damping
        return numbers, tuple(getattr(self, name) for name in self._STATIC)

    @classmethod
    def tree_unflatten(cls, static: tuple, numbers: tuple) -> "FittedModel":
        """The inverse of ``tree_flatten``, for JAX: nothing is checked."""
        self = object.__new__(cls)
        names = ("theta", "fixed", "train", "weights", "l2", "damping")
        self.__dict__.update(zip(names, numbers), **dict(zip(cls._STATIC, static)))
        return self

    def __repr__(self) -> str:
        damped = f", damping={self.damping:g}" if self.damping else ""
        return (
            f"FittedModel({getattr(self.loss_fn, '__name__', 'composed loss')}, p={self.p}, "
            f"n={self.n}, removal={self.removal!r}, curvature={self.curvature!r}{damped})"
        )

    # ----------------------------------------------------------------------------------
    # The model as a function of the vector theta
    # ----------------------------------------------------------------------------------

    def as_params(self, vectors: np.ndarray) -> PyTree:
        """Vectors, (m, p), as a pytree like the params with a leading axis of m.

        ``None`` for leaves held fixed.
        """
        return jax.device_put(self._structure.unflatten(np.asarray(vectors)))

    def params(self, theta: jax.Array) -> PyTree:
        """All params: those of theta, and those held fixed as they are."""
        return self._structure.unflatten(theta, self.fixed)

    def loss(self, theta: jax.Array, example: PyTree) -> jax.Array:
        """The loss of one example."""
        return as_scalar(self.of_theta(self.loss_fn))(theta, example)

    def of_theta(self, measure: Loss) -> Loss:
        """A measure of params and an example as one of theta and an example; composed if it was."""
        if isinstance(measure, Composition):
            predict = lambda theta, x: measure.predict(self.params(theta), x)
            return Composition(predict, measure.criterion)
        return lambda theta, example: measure(self.params(theta), example)

    @configured
    def check_unchanged(self) -> None:
        """Raise ``ValueError`` where the loss computes something else than when it was posed.

        And ``TypeError`` inside of ``jit``, ``vmap`` and ``grad``, where numbers are not known.
        """
        _arguments.known("params or data", self.theta)
        now = _fingerprint.of_trace(_fingerprint.trace(self.loss, self.theta, self.train))
        if not self._fingerprint.startswith(now):
            raise ValueError(
                "loss_fn computes something else than when the FittedModel was made: it reads a "
                "value that has changed; make the model anew"
            )

    def losses(self, theta: jax.Array, data: PyTree) -> jax.Array:
        """The loss of each row of the data, (m,)."""
        return jax.vmap(self.loss, in_axes=(None, 0))(theta, data)

    @property
    def l2_gradient(self) -> jax.Array:
        """What "refit-mean" adds to the gradient of an example: l2 · theta, or zero. (p,).

        ``inner_products`` adds it; so does whoever takes ``gradients`` or ``training_gradients``.
        """
        return self.l2 * self.theta * (self.removal == "refit-mean")

    # ----------------------------------------------------------------------------------
    # Products with H_d
    # ----------------------------------------------------------------------------------

    def hessian_product(self, num_vectors: int = 1) -> Callable[[jax.Array], jax.Array]:
        """v ↦ H_d v on vectors (p,), in blocks of examples that suit so many of them at a time."""
        size, num_rows = self.block_size(num_vectors), len(self.weights)
        # Σ w_i A_i v / num_rows is the mean over the n examples, also where a mesh has more rows.
        with_l2_and_damping = lambda total, v: total / num_rows + (self.l2 + self.damping) * v
        if size is None:
            summed = self.curvature_of(self.train, self.weights)
            return lambda v: with_l2_and_damping(summed(v), v)
        blocks = self.blocks(size)
        add = lambda v: lambda total, block: (total + self.curvature_of(*block)(v), None)
        sum_over_blocks = lambda v: jax.lax.scan(add(v), jnp.zeros_like(v), blocks)[0]
        return lambda v: with_l2_and_damping(sum_over_blocks(v), v)

    def minibatch_product(self, batch_size: int) -> Callable[..., jax.Array]:
        """(v, key) ↦ the product of v with H_d of examples drawn with replacement."""

        def product(v, key):
            drawn = jax.random.randint(key, (batch_size,), 0, len(self.weights))
            H = self.curvature_of(*trees.take_rows((self.train, self.weights), drawn))
            return H(v) / batch_size + (self.l2 + self.damping) * v

        return product

    def curvature_of(self, data: PyTree, weights: jax.Array) -> Callable[[jax.Array], jax.Array]:
        r"""v ↦ $\sum_i w_i A_i v$ over rows of data, linearised once.

        $A_i$ is $\nabla^2 \ell_i$, or $J_i^\top \nabla_z^2 \ell_i\, J_i$ for "ggn".
        """
        return weighted_curvature(
            self.of_theta(self.loss_fn), self.theta, data, weights, self.curvature
        )

    def sample(self, count: int) -> PyTree:
        """At most so many of the training examples, spread evenly."""
        spread = np.unique(np.linspace(0, self.n - 1, min(self.n, count)).astype(int))
        return trees.take_rows(self.train, spread)

    def block_size(self, num_vectors: int) -> int | None:
        """How many examples of a device enter a product with so many vectors; ``None``: all."""
        per_device = len(self.weights) // self.shards
        size = self.batch_size
        if size is None and num_vectors >= 8 and jax.default_backend() == "cpu":
            size = _EXAMPLES_AT_ONCE
        return None if size is None or size >= per_device else size

    def blocks(self, size: int) -> tuple[PyTree, jax.Array]:
        """Data and weights in blocks of ``size`` rows of each device: (blocks, rows, ...).

        What fills up the last block has the weight 0.
        """
        per_device = len(self.weights) // self.shards
        data, weights = trees.in_blocks((self.train, self.weights), size, self.shards)
        place = np.arange(len(weights) * size).reshape(len(weights), 1, size)
        real = np.broadcast_to(place < per_device, (len(weights), self.shards, size))
        return data, jnp.where(real.reshape(weights.shape), weights, 0)

    # ----------------------------------------------------------------------------------
    # Gradients, solves, inner products
    # ----------------------------------------------------------------------------------

    def gradients(
        self, data: PyTree, measure: Loss | None = None, name: str = "test"
    ) -> np.ndarray:
        """∇m(z) for each row of the data; of the loss where there is no other measure. (m, p).

        Raises:
            ValueError: if the data, a loss or a gradient is not finite.
        """
        function, computes = "loss_fn", None
        if measure is not None:
            function = "test_loss_fn"
            measured = as_scalar(self.of_theta(measure))
            computes = _fingerprint.of_function(measured, self.theta, data)
        measure = self.loss_fn if measure is None else measure
        slopes, (data, values, gradients) = _gradients(self, data, measure, computes)
        trees.check_flags(name, data)
        trees.check_flags(f"the value of {function} for {name}", values)
        trees.check_flags(f"the gradient of {function} in params", gradients)
        return np.asarray(slopes)

    def training_gradients(self, indices: np.ndarray) -> np.ndarray:
        """∇ℓ(z_i) for some of the training examples, (len(indices), p)."""
        if self._example_gradients is not None:
            return np.asarray(self._example_gradients)[indices]
        return self.gradients(take_rows(self.train, indices), name="train")

    def sums_of_gradients(self, members: np.ndarray) -> np.ndarray:
        """Σ_i a_i ∇ℓ(z_i) for each row a of a matrix, (k, n) to (k, p)."""
        if self._example_gradients is not None:
            return members @ np.asarray(self._example_gradients)
        return np.asarray(_sums_of_gradients(self, members))

    def solve(self, B: np.ndarray, solver: Solver, check: bool = True) -> Solution:
        """x with H_d x = b for every row b of B, (s, p), all of them together; nothing is said.

        What the solver finds before a right-hand side is known is kept for its next call.

        Raises:
            ValueError: with ``Exact`` and ``check``, if H_d is not positive definite; with
                ``Kronecker``, if the factors are not those of the params, or l2 + damping is zero.
        """
        if isinstance(solver, Kronecker):
            solver.check_shift(np.asarray(self.l2) + self.damping)
            solver = sharding.replicate(self.mesh, solver)
        elif not isinstance(solver, CG) and solver not in self._prepared:
            self._prepared[solver] = _prepare(self, solver)
        prepared: Any = self._prepared.get(solver)
        if isinstance(solver, Exact) and check:
            prepared.check()
        on_device = (
            _solve_on_device_in_many_steps if isinstance(solver, LiSSA) else _solve_on_device
        )
        # It scales B to rows of length one and calls _solved_on_device, below: solver.solve.
        found = solve_rescaled(partial(on_device, self, solver, prepared), B)
        status, low = found.info.status, found.info.min_curvature
        # Rounding may have stopped the block: STALLED, or INDEFINITE without negative curvature.
        unsure = (status == STALLED) | ((status == INDEFINITE) & ~(low < 0))
        if isinstance(solver, CG) and solver.block and len(B) > 1 and unsure.any():
            alone = CG(solver.tol, solver.maxiter, block=False)
            again = solve_rescaled(partial(_solve_on_device, self, alone, prepared), B)
            pick: Callable[..., Any] = lambda new, old: np.where(unsure, new, old)
            x = np.where(unsure[:, None], again.x, found.x)
            found = Solution(x, SolveInfo(*map(pick, again.info, found.info)))
        return found

    def inner_products(
        self, x: np.ndarray, data: PyTree = None, name: str = "candidates"
    ) -> np.ndarray:
        """x_t · (∇ℓ(z_i) + l2_gradient) for the rows x_t and all examples z_i of the data.

        The training data where there are no others. Shape (len(x), m).

        Raises:
            ValueError: if other data, their losses or gradients are not finite.
        """
        if data is None and self._example_gradients is not None:  # taken when the model was made
            return (
                np.asarray(_products(x, self._example_gradients))
                + (x @ np.asarray(self.l2_gradient))[:, None]
            )
        if len(x) == 0:
            return np.zeros((0, self.n if data is None else trees.num_rows(data)), self.theta.dtype)
        formed = len(x) >= _GRADIENTS_FORMED_FROM or not self.has_jvp
        products, (rows, losses) = _inner_products(self, x, data, formed)
        products = np.asarray(products)
        if data is None:
            products = products[:, : self.n]  # without what fills up the last device
        else:
            trees.check_flags(name, rows)
            trees.check_flags(f"the value of loss_fn for {name}", losses)
            if not np.isfinite(products[np.isfinite(x).all(axis=1)]).all():
                raise ValueError(f"NaN or infinity in the gradient of loss_fn for {name}")
        return products

    def eigenpairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues of H, ascending, (p,), and eigenvectors in columns; found once."""
        if "eigenpairs" not in self._prepared:
            H = np.asarray(_dense(self._with(damping=0.0)))
            self._prepared["eigenpairs"] = np.linalg.eigh((H + H.T) / 2)
        return self._prepared["eigenpairs"]

    # ----------------------------------------------------------------------------------
    # The same model, changed
    # ----------------------------------------------------------------------------------

    def with_damping(self, damping: float) -> "FittedModel":
        """The same model with another damping; nothing is checked or computed anew."""
        _arguments.number("damping", damping)
        return self._with(damping=float(damping))

    def with_l2_of_refit(self) -> "FittedModel":
        """With the l2 that is left when one example goes: l2 (1 - 1/n) for "refit-mean"."""
        return self._with(l2=self.l2 * (1 - 1 / self.n)) if self.removal == "refit-mean" else self

    def of_group(self, members: jax.Array) -> "FittedModel":
        """Of a group alone: its H_d is H_U, the part of H that leaves with it."""
        weights, share = self.weights_of_group(members)
        return self._with(weights=weights, l2=share * self.l2, damping=0.0)

    def without_group(self, members: jax.Array) -> "FittedModel":
        """Of the others: its H_d is H_d - H_U."""
        weights, share = self.weights_of_group(members)
        return self._with(weights=self.weights - weights, l2=(1 - share) * self.l2)

    def weights_of_group(self, members: jax.Array) -> tuple[jax.Array, jax.Array]:
        """The weights of a group of 1 and 0, (n,), and its share of the l2 term."""
        num_rows = len(self.weights)
        members = jnp.asarray(members, self.theta.dtype)
        weights = jnp.pad(members, (0, num_rows - self.n)) * (num_rows / self.n)
        return weights, jnp.mean(members) * (self.removal == "refit-mean")

    def weighted_loss_and_gradient(self, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Σ w_i ℓ_i and Σ w_i ∇ℓ_i over the rows of the training data: (), (p,)."""
        total = lambda theta, data, weights: self.losses(theta, data) @ weights
        slope = partial(jax.value_and_grad(total), self.theta)
        size = self.block_size(1)
        if size is None:
            return slope(self.train, weights)
        add = lambda state, block: (jax.tree.map(jnp.add, state, slope(*block)), None)
        zero = jnp.zeros((), self.theta.dtype), jnp.zeros_like(self.theta)
        return jax.lax.scan(add, zero, self._with(weights=weights).blocks(size))[0]


@dataclass(frozen=True)
class _Structure:
    """The leaves of the params: how they stand in the vector theta, or that they are held fixed."""

    treedef: Any
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype, ...]
    is_free: tuple[bool, ...]

    @classmethod
    def of(cls, params, is_free):
        leaves, treedef = jax.tree.flatten(trees.promote(params))
        shapes = tuple(np.shape(leaf) for leaf in leaves)
        return cls(treedef, shapes, tuple(jnp.result_type(leaf) for leaf in leaves), is_free)

    def flatten(self, params):
        """theta on the host, and the leaves held fixed."""
        leaves = list(zip(jax.tree.leaves(params), self.is_free))
        free = [np.ravel(leaf) for leaf, free in leaves if free]
        return np.concatenate(free), [leaf for leaf, free in leaves if not free]

    def spread(self, numbers, dtype):
        """One number per leaf, for every entry of theta."""
        kinds = zip(jax.tree.leaves(numbers), self.shapes, self.is_free)
        return np.concatenate(
            [np.full(np.prod(shape, dtype=int), a, dtype) for a, shape, free in kinds if free]
        )

    def unflatten(self, vector, fixed=None):
        """The params from theta, (..., p): its entries, and ``fixed`` or ``None`` for the rest."""
        xp = np if isinstance(vector, np.ndarray) else jnp
        kinds = list(zip(self.shapes, self.dtypes, self.is_free))
        sizes = [int(np.prod(shape)) for shape, _, free in kinds if free]
        parts = iter(xp.split(vector, np.cumsum(sizes)[:-1], axis=-1))
        others = iter(fixed or [None] * len(kinds))
        leaves = [
            next(parts).reshape(*vector.shape[:-1], *shape).astype(dtype) if free else next(others)
            for shape, dtype, free in kinds
        ]
        return jax.tree.unflatten(self.treedef, leaves)


def _is_hashable(x):
    try:
        hash(x)
    except TypeError:
        return False
    return True


def _chosen(params, select):
    paths = trees.paths(params)
    chosen = tuple(select is None or bool(select(path)) for path in paths)
    if paths and not any(chosen):
        raise ValueError(f"select must choose at least one of {', '.join(paths)}")
    return chosen


# --------------------------------------------------------------------------------------
# What is compiled, once for each loss and each shape
# --------------------------------------------------------------------------------------


@partial(compiled, once=True)
def _survey_keeping(fit):
    """As ``_survey``, with the gradients of all examples, (n, p)."""
    values, rows = jax.vmap(jax.value_and_grad(fit.loss), (None, 0))(fit.theta, fit.train)
    gradient = fit.weights @ rows / fit.n + fit.l2 * fit.theta
    typical = jnp.mean(jnp.linalg.norm(rows, axis=1))
    return _finite(fit), jnp.sum(values), jnp.linalg.norm(gradient), typical, rows


@partial(compiled, once=True)
def _survey(fit):
    """Finite leaves of params and data; R and ‖∇R‖, and the mean ‖∇ℓ_i‖ of a sample."""
    value, gradient = fit.weighted_loss_and_gradient(fit.weights)
    gradient = gradient / len(fit.weights) + fit.l2 * fit.theta
    norm = lambda z: jnp.linalg.norm(jax.grad(fit.loss)(fit.theta, z))
    norms = trees.map_rows(norm, fit.sample(_NORMS_SAMPLED), fit.gradients_at_once)
    typical = jnp.mean(norms)
    found = _finite(fit), value, jnp.linalg.norm(gradient), typical
    return *sharding.gathered(fit.mesh, found), None


def _finite(fit):
    return trees.finite_flags(fit.params(fit.theta)), trees.finite_flags(fit.train)


take_rows = compiled(trees.take_rows)


@compiled
def _sums_of_gradients(fit, members):
    more = len(fit.weights) - fit.n  # fills up the last device
    of_row = lambda a: fit.weighted_loss_and_gradient(jnp.pad(a, (0, more)))[1]
    return sharding.gathered(fit.mesh, jax.lax.map(of_row, jnp.asarray(members)))


@partial(compiled, static_argnames=("measure", "computes"))
def _gradients(fit, data, measure, computes):
    """∇m(z) for each row z, and which are finite: leaves of z, all values, all gradients.

    ``computes`` is a name for what the measure computes: after a change of a global that it reads
    it is another one, and another program.
    """
    measure = as_scalar(fit.of_theta(measure))
    of_example = lambda z: jax.value_and_grad(measure)(fit.theta, z)
    values, slopes = trees.map_rows(of_example, data, fit.gradients_at_once)
    finite = trees.finite_flags(data), trees.finite_flags(values), trees.finite_flags(slopes)
    return sharding.gathered(fit.mesh, (slopes, finite))


@compiled
def _prepare(fit, solver):
    system = System(fit.hessian_product(COLUMNS_AT_ONCE), fit.minibatch_product)
    return sharding.gathered(fit.mesh, solver.prepare(system, fit.theta))


@compiled
def _dense(fit):
    H = fit.hessian_product(COLUMNS_AT_ONCE)
    H = trees.dense(H, fit.theta, batch_size=COLUMNS_AT_ONCE)
    return sharding.gathered(fit.mesh, H)


def _solved_on_device(fit, solver, prepared, B):
    as_params, shift = fit._structure.unflatten, fit.l2 + fit.damping
    system = System(fit.hessian_product(len(B)), fit.minibatch_product, shift, as_params)
    return sharding.gathered(fit.mesh, solver.solve(system, prepared, B))


_solve_on_device = compiled(_solved_on_device)
_solve_on_device_in_many_steps = jax.jit(_solved_on_device)


@compiled
def _products(x, y):
    """x_t · y_i for all pairs of rows."""
    return x @ y.T


@partial(compiled, static_argnames="formed")
def _inner_products(fit, x, data, formed):
    """x_t · (∇ℓ(z_i) + l2_gradient), (len(x), m); which examples' leaves and losses are finite.

    The gradients are formed, or where x has few rows each product is a derivative along x_t.
    """
    shards, size = (fit.shards, fit.batch_size) if data is None else (1, None)
    given, data = data, fit.train if data is None else data

    def from_gradient(z):
        value, gradient = jax.value_and_grad(fit.loss)(fit.theta, z)
        return x @ gradient, value

    def from_derivatives(z):  # without a gradient: ∇ℓ_i is linear in the direction
        value, along = jax.linearize(lambda theta: fit.loss(theta, z), fit.theta)
        return trees.map_rows(along, x, DIRECTIONS_AT_ONCE), value

    if formed:
        products, values = trees.map_rows(from_gradient, data, fit.gradients_at_once, shards)
    else:
        products, values = trees.map_rows(from_derivatives, data, size, shards)
    finite = trees.finite_flags((given, values))
    return sharding.gathered(fit.mesh, ((products + x @ fit.l2_gradient).T, finite))


@compiled
def _mean_eigenvalue(fit):
    """tr H / p: exactly up to p = 1,000, from 100 random signs beyond."""
    H = fit.hessian_product(COLUMNS_AT_ONCE)
    if fit.p <= 1000:
        total = jnp.sum(trees.diagonal(H, fit.theta, batch_size=COLUMNS_AT_ONCE))
    else:
        total = hutchinson_trace(H, fit.theta, 100, key=jax.random.key(0)).value
    return total / fit.p
