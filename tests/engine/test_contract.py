"""Promises that every function of the package makes, and the numbers that its docstrings name."""

import inspect
import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import course_utils as cu
from course_utils import _certificates, models, solvers, trees
from course_utils import influence_functions as inf

draw = np.random.default_rng(0)
N, D, L2 = 24, 3, 0.1
X, XT = draw.normal(size=(N, D)), draw.normal(size=(5, D))
Y, YT = X @ [1.0, -2.0, 0.5] + draw.normal(size=N), draw.normal(size=5)
THETA = np.linalg.solve(X.T @ X + N * L2 * np.eye(D), X.T @ Y)
LOSS = cu.compose(lambda p, x: x @ p["w"], models.squared_error)
PARAMS = {"w": jnp.asarray(THETA)}

# Every function that takes a fitted model, as a function of params, data and options.
CALLS = {
    "influence": lambda p, train, test, **o: cu.influence(LOSS, p, train, test, **o).scores,
    "s_test": lambda p, train, test, **o: cu.s_test(LOSS, p, train, test, **o)[0],
    "grad_z": lambda p, train, test, **o: cu.grad_z(LOSS, p, train, **o),
    "influence_on_params": lambda p, train, test, **o: cu.influence_on_params(
        LOSS, p, train, [2, 0], **o
    ),
    "self_influence": lambda p, train, test, **o: cu.self_influence(LOSS, p, train, **o),
    "group_influence": lambda p, train, test, **o: cu.group_influence(
        LOSS, p, train, test, [[0, 1], [5]], **o
    ),
    "perturbation_influence": lambda p, train, test, **o: cu.perturbation_influence(
        LOSS, p, train, test, [2, 0], **o
    ),
    "tracin": lambda p, train, test, l2=0.0: cu.tracin(
        LOSS, jax.tree.map(lambda a: jnp.asarray(a)[None], p), train, test, [0.1]
    ),
}


@pytest.fixture(autouse=True)
def no_unexpected_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# --------------------------------------------------------------------------------------
# Names and arguments
# --------------------------------------------------------------------------------------

SIGNATURES = {
    "hvp": "f, params, v",
    "hvp_operator": "f, params",
    "ggnvp": "predict, loss, params, v",
    "fvp": "predict, params, v",
    "hessian_mvp": "loss_fn, params, data, *, l2, batch_size, curvature",
    "hessian_sampler": "loss_fn, params, data, *, l2, batch_size, curvature",
    "lanczos": "matvec, like, num_steps, *, key",
    "compose": "predict, criterion",
    "kronecker_factors": "params, X, *, activation, key, batch_size",
    "kronecker_solve": "factors, rows, *, damping, corrected",
    "cg": "matvec, b, x0, *, tol, atol, maxiter, M",
    "neumann": "matvec, b, *, scale, num_terms",
    "direct": "matrix, b",
    "lissa": "matvec, b, *, key, scale, damping, recursion_depth, num_samples, average",
    "influence": "loss_fn, params, train, test, *, solver, l2, damping, removal, curvature,"
    " test_loss_fn, select, gradients, batch_size, mesh, cache_dir, progress",
    "s_test": "loss_fn, params, train, test, *, solver, l2, damping",
    "grad_z": "loss_fn, params, train, *, l2",
    "influence_on_params": "loss_fn, params, train, indices, *, corrected",
    "self_influence": "loss_fn, params, train, *, solver, l2, damping",
    "group_influence": "loss_fn, params, train, test, groups, *, order",
    "perturbation_influence": "loss_fn, params, train, test, indices, *, wrt",
    "tracin": "loss_fn, checkpoints, train, test, step_sizes, *",
    "leave_one_out": "fit, measure, n, indices, *, removal",
    "select_most_influential": "scores, fraction",
    "check_influence": "predicted, real",
    "CG": "tol, maxiter",
    "LiSSA": "scale, recursion_depth, num_samples, batch_size, average, seed",
    "Arnoldi": "rank",
    "Exact": "",
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_arguments_have_the_names_and_the_order_that_notebooks_rely_on(name):
    """What stands before ``*`` stands there in this order; options may be joined by others."""
    before, _, options = SIGNATURES[name].partition("*")
    words = lambda text: [word.strip() for word in text.split(",") if word.strip()]
    found = inspect.signature(getattr(cu, name)).parameters.values()
    places = [p.name for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert places[: len(words(before))] == words(before)
    assert len(places) == len(words(before)) or name in ("LiSSA", "Arnoldi", "CG")
    optional = [p.name for p in found if p.kind is p.KEYWORD_ONLY]
    assert set(words(options)) <= set(optional)
    assert [word for word in optional if word in words(options)] == words(options)


def total_of(name):
    def total(params):
        leaves = jax.tree.leaves(CALLS[name](params, (X, Y), (XT, YT), l2=L2))
        return sum(leaf.sum() for leaf in leaves)

    return total


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap], ids=["jit", "vmap"])
@pytest.mark.parametrize("name", CALLS)
def test_functions_that_check_values_cannot_be_traced(name, transform):
    """The docstring says so; JAX refuses, before any number is returned."""
    many = jax.tree.map(lambda a: jnp.stack([a, a]), PARAMS)
    with pytest.raises(TypeError, match="[Tt]race"):
        transform(total_of(name))(many if transform is jax.vmap else PARAMS)


@pytest.mark.parametrize("name", CALLS)
def test_a_derivative_of_a_function_that_checks_values_is_refused_or_right(name):
    total = total_of(name)
    try:
        slope = jax.grad(total)(PARAMS)["w"][0]
    except (TypeError, ValueError) as refusal:
        assert re.search("[Tt]race|Reverse-mode", str(refusal))
        return
    step = jnp.array([1e-5, 0, 0])
    up, down = (total({"w": PARAMS["w"] + sign * step}) for sign in (1, -1))
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-5)


def test_a_hypergradient_passes_through_cg():
    """The slope of a validation loss in l2, against the fits of NumPy."""

    def validation(l2):
        matvec = lambda v: X.T @ (X @ v) / N + l2 * v
        theta, _ = cu.cg(matvec, jnp.asarray(X.T @ Y / N), tol=1e-13)
        return jnp.mean(0.5 * (XT @ theta - YT) ** 2)

    def by_numpy(l2):
        theta = np.linalg.solve(X.T @ X / N + l2 * np.eye(D), X.T @ Y / N)
        return np.mean(0.5 * (XT @ theta - YT) ** 2)

    for gradient in (jax.grad(validation), jax.jit(jax.grad(validation))):
        slope = (by_numpy(L2 + 1e-5) - by_numpy(L2 - 1e-5)) / 2e-5
        np.testing.assert_allclose(gradient(L2), slope, rtol=1e-7)
    many = jax.vmap(jax.grad(validation))(jnp.array([0.05, L2]))
    np.testing.assert_allclose(many[1], jax.grad(validation)(L2), rtol=1e-9)


# --------------------------------------------------------------------------------------
# Bad input, whichever function it is given to
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CALLS)
def test_every_function_names_what_is_not_finite_and_what_does_not_match(name):
    call = lambda p=PARAMS, train=(X, Y), test=(XT, YT): CALLS[name](p, train, test, l2=L2)
    hole = X.copy()
    hole[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"NaN or infinity in params\['w'\]$"):
        call(p={"w": THETA * np.inf})
    with pytest.raises(ValueError, match=r"NaN or infinity in train\[0\]$"):
        call(train=(hole, Y))
    with pytest.raises(ValueError, match=r"params\['w'\] is int64\[3\], expected a floating-point"):
        call(p={"w": np.arange(3)})
    with pytest.raises(ValueError, match=r"train\[0\] has 24 examples, but train\[1\] has 23"):
        call(train=(X, Y[1:]))
    if name not in ("grad_z", "influence_on_params", "self_influence"):
        with pytest.raises(ValueError, match=r"NaN or infinity in test\[1\]$"):
            call(test=(XT, YT * np.nan))
        with pytest.raises(ValueError, match=r"test\[0\] is float64\[2\] per example, expected"):
            call(test=(XT[:, :2], YT))


@pytest.mark.parametrize("name", CALLS)
def test_every_function_computes_and_returns_half_precision_in_float32(name):
    to = lambda dtype, tree: jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)
    narrow = to(jnp.bfloat16, (PARAMS, (X, Y), (XT, YT)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rounded params are no optimum
        got = CALLS[name](*narrow, l2=L2)
        wide = CALLS[name](*to(jnp.float32, narrow), l2=L2)
    for leaf, other in zip(jax.tree.leaves(got), jax.tree.leaves(wide), strict=True):
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, other)


def saddle(params, example):
    """Curvature +1 along a, -0.5 along b, and a gradient of zero in the mean."""
    pull = example["pull"] @ trees.ravel(params)
    return 0.5 * params["a"] ** 2 - 0.25 * params["b"] ** 2 + pull


SADDLE = {"a": jnp.zeros(()), "b": jnp.zeros(())}
PULLS = {"pull": np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])}


def test_every_function_blanks_what_an_indefinite_matrix_has_spoiled_and_advises_damping():
    calls = {
        "training points 2, 3": lambda **o: cu.self_influence(saddle, SADDLE, PULLS, **o),
        "test points 2, 3": lambda **o: cu.perturbation_influence(
            *(saddle, SADDLE, PULLS, PULLS, [0, 1]), wrt="pull", **o
        ),
        "groups 1, 3": lambda **o: (
            cu.group_influence(*(saddle, SADDLE, PULLS, PULLS, [[0], [2], [], [1, 3]]), **o).T
        ),
        "groups 1, 3:": lambda **o: (
            cu.group_influence(
                *(saddle, SADDLE, PULLS, PULLS, [[0], [2], [], [1, 3]]), order=2, **o
            ).T
        ),
    }
    for words, call in calls.items():
        with pytest.warns(RuntimeWarning, match=f"^{words}.*not positive definite") as caught:
            got = call()
        assert len(caught) == 1
        rows = got.reshape(4, -1)
        spoiled = [int(row) for row in re.findall(r"\d", words)]
        assert np.isnan(rows).all(axis=1).nonzero()[0].tolist() == spoiled
        assert np.isfinite(np.delete(rows, spoiled, 0)).all()
        damping = float(re.search(r"raising damping by (\S+)", str(caught[0].message))[1])
        assert np.isfinite(call(damping=damping)).all()


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-30, 1e30))
def test_advice_is_about_1_to_11_percent_above_what_is_missing(x):
    assert 1.009 < float(_certificates.round_up(x)) / x < 1.111


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_the_warning_of_the_optimum_begins_at_a_thousandth_of_the_mean_gradient(factor):
    H = X.T @ X / N + L2 * np.eye(D)
    at = lambda theta: X * (X @ theta - Y)[:, None]
    typical = np.linalg.norm(at(THETA), axis=1).mean()
    away = THETA + np.linalg.solve(H, [factor * 1e-3 * typical, 0, 0])  # where |∇R| is that
    call = lambda: cu.influence(LOSS, {"w": away}, (X, Y), (XT, YT), l2=L2)
    if factor < 1:
        call()
    else:
        with pytest.warns(RuntimeWarning, match="not at an optimum"):
            call()


# --------------------------------------------------------------------------------------
# Laws of scores
# --------------------------------------------------------------------------------------


def test_for_one_test_point_the_two_removals_differ_by_a_constant():
    scores = {
        removal: cu.influence(
            *(LOSS, PARAMS, (X, Y), (XT, YT)), l2=L2, removal=removal, solver=cu.Exact()
        ).scores
        for removal in ("fixed-weight", "refit-mean")
    }
    gap = scores["refit-mean"] - scores["fixed-weight"]
    H = X.T @ X / N + L2 * np.eye(D)
    slopes = XT * (XT @ THETA - YT)[:, None]
    constant = slopes @ np.linalg.solve(H, L2 * THETA) / N  # that of l2 * params, in every row
    np.testing.assert_allclose(gap, np.tile(constant[:, None], N), rtol=1e-9, atol=1e-15)


@pytest.mark.slow
@settings(deadline=None, max_examples=6)
@given(
    st.recursive(
        st.sampled_from([(), (2,), (2, 1)]).map(np.zeros),
        lambda child: st.one_of(
            st.tuples(child, child), st.dictionaries(st.sampled_from("ab"), child, min_size=1)
        ),
        max_leaves=3,
    ),
    st.sampled_from([cu.CG(), cu.Exact()]),
)
def test_scores_of_the_training_points_on_each_other_are_a_gram_matrix_on_any_tree(shapes, solver):
    params = trees.random_like(jax.random.key(0), shapes)
    p = trees.size(params)
    x = np.random.default_rng(1).normal(size=(7, p))
    y = np.asarray(x @ trees.ravel(params))
    loss = lambda params, z: jnp.sqrt(1 + (z[0] @ trees.ravel(params) - z[1]) ** 2)  # convex
    train = (x, y + np.array([1.0, -1, 2, -2, 1, 0, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not at an optimum
        scores = cu.influence(loss, params, train, train, l2=0.2, solver=solver).scores
    size = np.abs(scores).max()
    assert np.abs(scores - scores.T).max() < 1e-9 * size
    assert np.linalg.eigvalsh((scores + scores.T) / 2)[0] > -1e-9 * size
    assert np.linalg.matrix_rank(scores, tol=1e-8 * size) <= p


# --------------------------------------------------------------------------------------
# Options of the functions that are not tested with their formulas
# --------------------------------------------------------------------------------------

H_D = X.T @ X / N + (L2 + 0.3) * np.eye(D)
TWO = {"w": PARAMS["w"], "c": jnp.zeros(())}  # a scale of the inputs that select leaves out
SCALED = cu.compose(lambda p, x: jnp.exp(p["c"]) * (x @ p["w"]), models.squared_error)
SOME = dict(select=lambda path: path == "w", test_loss_fn=lambda p, z: z[0] @ p["w"])


def test_changed_inputs_take_damping_select_curvature_and_a_measure_of_their_own():
    got = cu.perturbation_influence(
        *(SCALED, TWO, (X, Y), (XT, YT), [4]), l2=L2, damping=0.3, curvature="ggn", **SOME
    )
    s = np.linalg.solve(H_D, XT.T).T
    slopes = -(s * (X[4] @ THETA - Y[4]) + (s @ X[4])[:, None] * THETA) / N
    np.testing.assert_allclose(got[:, 0], slopes, rtol=1e-8, atol=1e-12)


def test_tracin_takes_select_and_a_measure_of_its_own():
    path = jax.tree.map(lambda a: jnp.stack([0 * a, a]), TWO)
    got = cu.tracin(SCALED, path, (X, Y), (XT, YT), [0.2, 0.1], batch_size=5, **SOME)
    along = lambda theta: XT @ (X * (X @ theta - Y)[:, None]).T / N
    np.testing.assert_allclose(got, 0.2 * along(0 * THETA) + 0.1 * along(THETA), rtol=1e-10)


def test_groups_and_self_influence_take_damping_select_and_curvature():
    options = dict(l2=L2, damping=0.3, curvature="ggn", select=SOME["select"])
    g = X * (X @ THETA - Y)[:, None]
    got = cu.self_influence(SCALED, TWO, (X, Y), removal="refit-mean", **options)
    expected = np.einsum("ij,ij->i", g, np.linalg.solve(H_D, (g + L2 * THETA).T).T) / N
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    options |= dict(test_loss_fn=SOME["test_loss_fn"])
    got = cu.group_influence(SCALED, TWO, (X, Y), (XT, YT), [[1, 7]], order=2, **options)
    first = np.linalg.solve(H_D, g[[1, 7]].sum(axis=0) / N)
    move = first + np.linalg.solve(H_D, X[[1, 7]].T @ X[[1, 7]] @ first / N)
    np.testing.assert_allclose(got[:, 0], XT @ move, rtol=1e-8)


def filtered(params, example):
    """A loss that convolves: of the inputs with one filter of three."""
    x, y = example
    seen = jnp.convolve(x, params["filter"], mode="same")
    return (jnp.sum(jnp.tanh(seen)) - y) ** 2


@pytest.mark.parametrize(
    ("loss", "params", "first"),
    [(LOSS, PARAMS, 128), (filtered, {"filter": np.ones(3)}, 16)],
    ids=["dense", "convolving"],
)
def test_auto_keeps_gradients_from_so_many_test_points_on(loss, params, first, monkeypatch):
    asked, scores = [], inf._scores
    monkeypatch.setattr(inf, "_scores", lambda *args: (asked.append(args[1]), scores(*args))[1])
    checkpoint = jax.tree.map(lambda leaf: np.asarray(leaf)[None], params)
    for n_test in (first - 1, first):
        many = (np.resize(XT, (n_test, D)), np.resize(YT, n_test))
        cu.tracin(loss, checkpoint, (X, Y), many, [1.0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these params are at no optimum
            cu.influence(loss, params, (X, Y), many, l2=L2, damping=9.0)
    assert asked == [False, False, True, True]


# --------------------------------------------------------------------------------------
# Numbers in the docstrings of solvers
# --------------------------------------------------------------------------------------


def test_ten_times_p_steps_are_the_most_that_cg_takes_by_itself():
    hard = np.vander(np.linspace(0, 1, 12), 12)
    hard = hard.T @ hard + 1e-14 * np.eye(12)  # condition number 1e16: it never gets there
    _, info = solvers.cg(hard, np.ones(12), tol=1e-13)
    assert not info.converged and info.num_steps <= 120
    _, more = solvers.cg(hard, np.ones(12), tol=1e-13, maxiter=121)
    assert more.num_steps >= info.num_steps


@pytest.mark.parametrize("h", [0.0, 1e-6, 1.0, 2.0 - 1e-9])
def test_where_every_step_contracts_the_iterates_grow_no_faster_than_the_steps(h):
    """Of ‖h_k‖ ≤ (k + 1) ‖b‖, for curvatures from zero to twice the scale."""
    for depth in (1, 64, 5000):
        x, info = solvers.lissa(
            jnp.diag(jnp.array([h, 1.0])), jnp.ones(2), scale=1.0, recursion_depth=depth, average=0
        )
        assert np.linalg.norm(x) <= (depth + 1) * np.sqrt(2) * (1 + 1e-12)
        assert info.describe() in ("converged", "maxiter") and info.num_steps == depth
    grows, info = solvers.lissa(
        jnp.diag(jnp.array([2.05, 1.0])), jnp.ones(2), scale=1.0, recursion_depth=5000, average=0
    )
    # half of 1.05^k exceeds 100 (k + 1) sqrt(2) from k = 227 on; growth is looked at every 64
    assert info.describe() == "diverged" and info.num_steps == 256


def test_a_scale_above_half_of_every_batch_is_enough_for_lissa():
    rows = np.random.default_rng(3).normal(size=(20, 4))
    largest = (rows**2).sum(axis=1).max() + 0.5

    def product(v, key):
        row = jnp.asarray(rows)[jax.random.randint(key, (), 0, 20)]
        return row * (row @ v) + 0.5 * v

    solve = jax.jit(
        jax.vmap(
            lambda key: solvers.lissa(
                product, jnp.ones(4), key=key, scale=0.51 * largest, recursion_depth=4000
            )
        )
    )
    x, info = solve(jax.random.split(jax.random.key(0), 50))
    assert np.isfinite(x).all() and info.describe() == ["maxiter"] * 50
    exact = np.linalg.solve(rows.T @ rows / 20 + 0.5 * np.eye(4), np.ones(4))
    error = np.abs(x.mean(axis=0) - exact)
    assert (error < 4 * np.std(x, axis=0) / 50**0.5).all()  # standard errors


@pytest.mark.parametrize("half", ["float16", pytest.param("bfloat16", marks=pytest.mark.slow)])
def test_solvers_and_spectra_compute_half_precision_in_float32(half):
    A, b = jnp.eye(2, dtype=half) * 2, jnp.ones(2, half)
    matvec = lambda v: 2 * v
    for x in (
        cu.cg(A, b)[0],
        cu.cg(matvec, b, x0=b)[0],
        cu.direct(A, b)[0],
        cu.neumann(matvec, b, scale=2.0, num_terms=3)[0],
        cu.lissa(matvec, b, scale=2.0)[0],
        cu.lanczos(matvec, b, 2, key=jax.random.key(0)).eigenvalues,
        cu.power_iteration(matvec, b, key=jax.random.key(0)).value,
    ):
        assert x.dtype == jnp.float32
        np.testing.assert_allclose(np.abs(x), np.abs(x).max(), rtol=1e-5)


def test_no_example_and_a_penalty_that_is_no_number_are_refused():
    with pytest.raises(ValueError, match="data has no examples"):
        cu.hessian_mvp(LOSS, PARAMS, (X[:0], Y[:0]))
    with pytest.raises(ValueError, match=r"l2\['w'\] must be finite and at least 0, got 'a'"):
        cu.influence(LOSS, PARAMS, (X, Y), (XT, YT), l2="a")
