"""Promises that every function of the package makes, and the numbers that its docstrings name."""

import functools
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
from course_utils import FittedModel, _arguments, models, solvers, trees

draw = np.random.default_rng(0)
N, D, L2 = 24, 3, 0.1
X, XT = draw.normal(size=(N, D)), draw.normal(size=(5, D))
Y, YT = X @ [1.0, -2.0, 0.5] + draw.normal(size=N), draw.normal(size=5)
THETA = np.linalg.solve(X.T @ X + N * L2 * np.eye(D), X.T @ Y)
LOSS = cu.compose(lambda p, x: x @ p["w"], models.squared_error)
PARAMS = {"w": jnp.asarray(THETA)}
TRAIN, TEST = (X, Y), (XT, YT)


@functools.cache
def fitted(**options):
    return FittedModel(LOSS, PARAMS, TRAIN, l2=L2, **options)


# Every question that a fitted model can be asked, of a model and test points.
CALLS = {
    "influence": lambda fit, test: cu.influence(fit, test).scores,
    "influence, Exact": lambda fit, test: cu.influence(fit, test, solver=cu.Exact()).scores,
    "influence, corrected": lambda fit, test: cu.influence(fit, test, corrected=True).scores,
    "influence, candidates": lambda fit, test: cu.influence(fit, test, candidates=TEST).scores,
    "s_test": lambda fit, test: cu.s_test(fit, test)[0],
    "grad_z": lambda fit, test: cu.grad_z(fit),
    "influence_on_params": lambda fit, test: cu.influence_on_params(fit, [2, 0]),
    "self_influence": lambda fit, test: cu.self_influence(fit),
    "group_influence": lambda fit, test: cu.group_influence(fit, test, [[0, 1], [5]], order=2),
    "perturbation_influence": lambda fit, test: cu.perturbation_influence(fit, test, [2, 0]),
    "damping_sweep": lambda fit, test: cu.damping_sweep(fit, test, [0.1, 0.2]),
    "retrain": lambda fit, test: cu.retrain(fit, np.ones((1, N)))[0],
    "proximal_refit": lambda fit, test: cu.proximal_refit(fit, [3])[0],
}
ASK_TEST = {  # those that look at the test points
    *("influence", "influence, Exact", "influence, corrected", "influence, candidates", "s_test"),
    *("group_influence", "perturbation_influence", "damping_sweep"),
}


def tracin(params, train, test):
    checkpoints = jax.tree.map(lambda a: jnp.asarray(a)[None], params)
    return cu.tracin(LOSS, checkpoints, train, test, [0.1])


pytestmark = pytest.mark.usefixtures("no_unexpected_warning")


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
    "FittedModel": "loss_fn, params, train, *, l2, damping, relative_damping, removal, curvature,"
    " select, batch_size, mesh",
    "influence": "fit, test, *, solver, candidates, corrected, test_loss_fn, measure, aggregate,"
    " progress",
    "s_test": "fit, test, *, solver, test_loss_fn, aggregate, progress",
    "grad_z": "fit, data",
    "influence_on_params": "fit, indices, *, solver, corrected, progress",
    "self_influence": "fit, *, solver, corrected, progress",
    "group_influence": "fit, test, groups, *, order, solver, test_loss_fn, progress",
    "perturbation_influence": "fit, test, indices, *, wrt, solver, test_loss_fn, progress",
    "damping_sweep": "fit, test, dampings, *, test_loss_fn",
    "tracin": "loss_fn, checkpoints, train, test, step_sizes, *, test_loss_fn, select, batch_size",
    "influence_on_disk": "folder, fit, test, *, solver, test_loss_fn, measure, progress",
    "retrain": "fit, weights, *, maxiter",
    "proximal_refit": "fit, indices, *, maxiter",
    "leave_one_out": "fit, measure, n, indices, *, removal",
    "select_most_influential": "scores, fraction",
    "check_influence": "predicted, real",
    "CG": "tol, maxiter",
    "LiSSA": "scale, recursion_depth, num_samples, batch_size, average, seed",
    "Arnoldi": "rank",
    "Kronecker": "factors, corrected",
    "Exact": "",
}


def test_a_question_knows_every_option_of_the_model():
    options = inspect.signature(FittedModel).parameters.values()
    keywords = {option.name for option in options if option.kind is option.KEYWORD_ONLY}
    assert _arguments._OF_THE_MODEL == keywords


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


@pytest.mark.parametrize("name", CALLS)
def test_questions_cannot_be_traced_and_say_so(name):
    """Under ``jit``, ``vmap`` and ``grad``: of what the model is posed with, or of the test points.

    Where a function does not look at what is traced, the derivative is zero, and that is right.
    """
    refused = pytest.raises(TypeError, match="are traced: influence looks at values, so it cannot")
    total = lambda tree: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree))
    of_params = lambda p: total(CALLS[name](FittedModel(LOSS, p, TRAIN, l2=L2), TEST))
    of_data = lambda x: total(CALLS[name](FittedModel(LOSS, PARAMS, (x, Y), l2=L2), TEST))
    of_l2 = lambda l2: total(CALLS[name](FittedModel(LOSS, PARAMS, TRAIN, l2=l2), TEST))
    of_fit = lambda fit: total(CALLS[name](fit, TEST))
    many = jax.tree.map(lambda a: jnp.stack([a, a]), PARAMS)
    for call in (
        lambda: jax.jit(of_params)(PARAMS),
        lambda: jax.grad(of_params)(PARAMS),
        lambda: jax.vmap(of_params)(many),
        lambda: jax.jit(of_data)(X),
        lambda: jax.grad(of_l2)(L2),
        lambda: jax.jit(of_fit)(fitted()),
    ):
        with refused:
            call()
    of_test = lambda x: total(CALLS[name](fitted(), (x, YT)))
    if name in ASK_TEST:
        for transform in (jax.jit, jax.grad):
            with pytest.raises(TypeError, match="arrays of test are traced"):
                transform(of_test)(jnp.asarray(XT))
    else:
        assert not jax.grad(of_test)(jnp.asarray(XT)).any()


def test_other_arguments_cannot_be_traced_either():
    with pytest.raises(TypeError, match="arrays of candidates are traced"):
        jax.jit(lambda x: cu.influence(fitted(), TEST, candidates=(x, YT)).scores)(XT)
    with pytest.raises(TypeError, match="arrays of data are traced"):
        jax.jit(lambda x: cu.grad_z(fitted(), (x, YT)))(XT)
    with pytest.raises(TypeError, match="traced"):
        jax.jit(lambda p: tracin(p, TRAIN, TEST))(PARAMS)
    with pytest.raises(TypeError, match="[Tt]race"):
        jax.jit(lambda i: cu.influence_on_params(fitted(), i))(jnp.arange(2))


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
# Settings of JAX that a caller has chosen
# --------------------------------------------------------------------------------------

MATRIX = jnp.diag(jnp.array([1.0, 2.0, 3.0]))
TIMES = lambda v: 2 * v
KEY = jax.random.key(0)


def of_layers():
    """Scores by factors of a softmax regression on the signs, which make their own way here."""
    params, labels = [{"w": jnp.asarray(X[:3, :2]), "b": jnp.zeros(2)}], (Y > 0).astype(int)
    loss = cu.compose(models.mlp, models.cross_entropy)
    fit = FittedModel.at(loss, params, (X, labels), l2=L2, damping=1.0, curvature="ggn")
    solver = cu.Kronecker(cu.kronecker_factors(params, X))
    return cu.influence(fit, (X[:5], labels[:5]), solver=solver).scores


PRODUCTS = {
    "hvp": lambda: cu.hvp(lambda p: jnp.sum(p**3), jnp.ones(3), jnp.ones(3)),
    "hvp_operator": lambda: cu.hvp_operator(lambda p: jnp.sum(p**3), jnp.ones(3))(jnp.ones(3)),
    "ggnvp": lambda: cu.ggnvp(lambda p: MATRIX @ p, lambda z: z @ z, jnp.ones(3), jnp.ones(3)),
    "fvp": lambda: cu.fvp(lambda p: jnp.outer(p, p), jnp.ones(3), jnp.ones(3)),
    "hessian_mvp": lambda: cu.hessian_mvp(LOSS, PARAMS, TRAIN, l2=L2, batch_size=5)(PARAMS),
    "hessian_sampler": lambda: cu.hessian_sampler(LOSS, PARAMS, TRAIN)(PARAMS, KEY),
    "lanczos": lambda: cu.lanczos(lambda v: MATRIX @ v, jnp.ones(3), 2, key=KEY).eigenvalues,
    "power_iteration": lambda: cu.power_iteration(TIMES, jnp.ones(3), key=KEY).value,
    "hutchinson_trace": lambda: cu.hutchinson_trace(TIMES, jnp.ones(3), 2, key=KEY).value,
    "dense": lambda: cu.dense(TIMES, jnp.ones(3)),
    "cg": lambda: cu.cg(MATRIX, jnp.ones(3))[0],
    "direct": lambda: cu.direct(MATRIX, jnp.ones(3))[0],
    "neumann": lambda: cu.neumann(MATRIX, jnp.ones(3), scale=4.0, num_terms=300)[0],
    "lissa": lambda: cu.lissa(MATRIX, jnp.ones(3), scale=4.0, recursion_depth=300)[0],
    "tracin": lambda: tracin(PARAMS, TRAIN, TEST),
    "LiSSA": lambda: (
        cu.influence(fitted(), TEST, solver=cu.LiSSA(recursion_depth=9, tol=0.999)).scores
    ),
    "Arnoldi": lambda: cu.influence(fitted(), TEST, solver=cu.Arnoldi(rank=3)).scores,
    "Kronecker": lambda: of_layers(),
    "blocks": lambda: cu.influence(fitted(batch_size=5), TEST).scores,
    "group, newton": lambda: cu.group_influence(fitted(), TEST, [[1, 2]], order="newton"),
    "relative damping": lambda: fitted(relative_damping=0.1).with_damping(0.2).theta,
}
PRODUCTS |= {name: functools.partial(call, None, TEST) for name, call in CALLS.items()}


def asked(name):
    call = PRODUCTS[name]
    if isinstance(call, functools.partial):
        return call.func(FittedModel(LOSS, PARAMS, TRAIN, l2=L2), TEST)
    return call()


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_callers_settings_of_jax_change_no_number_and_stop_nothing(name):
    expected = jax.tree.leaves(asked(name))
    for setting in (
        dict(jax_debug_nans=True, jax_debug_infs=True),
        dict(jax_numpy_dtype_promotion="strict", jax_numpy_rank_promotion="raise"),
        dict(jax_default_matmul_precision="bfloat16"),
    ):
        before = {option: getattr(jax.config, option) for option in setting}
        try:
            for option, value in setting.items():
                jax.config.update(option, value)
            got = jax.tree.leaves(asked(name))
            now = {option: getattr(jax.config, option) for option in setting}
        finally:
            for option, value in before.items():
                jax.config.update(option, value)
        assert now == setting  # what the caller has chosen still holds afterwards
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=str(setting))


@pytest.mark.parametrize("solver", [cu.CG(), cu.CG(block=False), cu.Exact()], ids=repr)
def test_a_failed_solve_is_told_and_is_no_error_of_debug_nans(solver):
    fit = FittedModel(saddle, SADDLE, PULLS)
    jax.config.update("jax_debug_nans", True)
    try:
        if isinstance(solver, cu.Exact):
            with pytest.raises(ValueError, match="matrix is indefinite"):
                cu.influence(fit, PULLS, solver=solver)
        else:
            with pytest.warns(RuntimeWarning, match="not positive definite"):
                assert np.isnan(cu.influence(fit, PULLS, solver=solver).scores).all()
    finally:
        jax.config.update("jax_debug_nans", False)


def test_every_computation_asks_for_the_highest_matmul_precision():
    """Whatever the caller has set: the loss looks at the setting wherever it is traced."""
    seen = set()

    def predict(p, x):
        seen.add(jax.config.jax_default_matmul_precision)
        return x @ p["w"]

    loss = cu.compose(predict, models.squared_error)
    with jax.default_matmul_precision("bfloat16"):
        for name, call in CALLS.items():
            jax.clear_caches()
            fit = FittedModel(loss, PARAMS, TRAIN, l2=L2)
            seen.clear()
            call(fit, TEST)
            assert seen == {"highest"}, name


# --------------------------------------------------------------------------------------
# Bad input, whichever function it is given to
# --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*sorted(ASK_TEST), "tracin"])
def test_every_function_names_what_is_not_finite_and_what_does_not_match(name):
    def ask(test):
        if name == "tracin":
            return tracin(PARAMS, TRAIN, test)
        return CALLS[name](fitted(), test)

    with pytest.raises(ValueError, match=r"NaN or infinity in test\[1\]$"):
        ask((XT, YT * np.nan))
    with pytest.raises(ValueError, match=r"test\[0\] is float64\[2\] per example, expected"):
        ask((XT[:, :2], YT))


@pytest.mark.parametrize("name", [name for name in CALLS if name != "influence, candidates"])
def test_every_function_computes_and_returns_half_precision_in_float32(name):
    to = lambda dtype, tree: jax.tree.map(lambda a: jnp.asarray(a, dtype), tree)
    narrow = to(jnp.bfloat16, (PARAMS, TRAIN, TEST))

    def ask(params, train, test):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # rounded params are no optimum
            return CALLS[name](FittedModel(LOSS, params, train, l2=L2), test)

    got, wide = ask(*narrow), ask(*to(jnp.float32, narrow))
    for leaf, other in zip(jax.tree.leaves(got), jax.tree.leaves(wide), strict=True):
        assert leaf.dtype == np.float32
        np.testing.assert_array_equal(leaf, other)


def saddle(params, example):
    """Curvature +1 along a, -0.5 along b, and a gradient of zero in the mean."""
    pull = example["pull"] @ trees.ravel(params)
    return 0.5 * params["a"] ** 2 - 0.25 * params["b"] ** 2 + pull


SADDLE = {"a": jnp.zeros(()), "b": jnp.zeros(())}
PULLS = {"pull": np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])}
SADDLE_CALLS = {
    "training points 0, 1, 2, 3: .* their rows": cu.self_influence,
    "test points 0, 1, 2, 3: .* their rows": lambda fit: cu.perturbation_influence(
        fit, PULLS, [0, 1], wrt="pull"
    ),
    "training points 1, 0: .* their rows": lambda fit: cu.influence_on_params(fit, [1, 0])["a"],
    "groups 0, 1, 2: .* their columns": lambda fit: cu.group_influence(fit, PULLS, [[0], [2], []]),
    "groups 0, 1, 2:.* their columns": lambda fit: cu.group_influence(
        fit, PULLS, [[0], [2], []], order=2
    ),
}


@pytest.mark.parametrize("words", SADDLE_CALLS)
def test_every_function_blanks_all_that_an_indefinite_matrix_has_spoiled_and_advises_damping(words):
    ask = lambda **options: SADDLE_CALLS[words](FittedModel(saddle, SADDLE, PULLS, **options))
    with pytest.warns(RuntimeWarning, match=f"^{words} are NaN") as caught:
        got = ask()
    (message,) = [str(w.message) for w in caught if w.category is RuntimeWarning]
    assert "not positive definite (curvature -0.5 met)" in message
    assert np.isnan(got).all()
    damping = float(re.search(r"raising damping by (\S+) cures", message)[1])
    assert np.isfinite(ask(damping=damping)).all()


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-30, 1e30))
def test_advice_is_about_1_to_11_percent_above_what_is_missing(x):
    assert 1.009 < float(_arguments.round_up(x)) / x < 1.111


# --------------------------------------------------------------------------------------
# Laws of scores
# --------------------------------------------------------------------------------------


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
        fit = FittedModel(loss, params, train, l2=0.2)
    scores = cu.influence(fit, train, solver=solver).scores
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
ONLY_W = dict(select=lambda path: path == "w")
VALUE = dict(test_loss_fn=lambda p, z: z[0] @ p["w"])


def scaled(**options):
    options = dict(l2=L2, damping=0.3, curvature="ggn") | ONLY_W | options
    return FittedModel(SCALED, TWO, TRAIN, **options)


def test_changed_inputs_take_damping_select_curvature_and_a_measure_of_their_own():
    got = cu.perturbation_influence(scaled(), TEST, [4], **VALUE)
    s = np.linalg.solve(H_D, XT.T).T
    slopes = -(s * (X[4] @ THETA - Y[4]) + (s @ X[4])[:, None] * THETA) / N
    np.testing.assert_allclose(got[:, 0], slopes, rtol=1e-8, atol=1e-12)


def test_tracin_takes_select_and_a_measure_of_its_own():
    path = jax.tree.map(lambda a: jnp.stack([0 * a, a]), TWO)
    got = cu.tracin(SCALED, path, TRAIN, TEST, [0.2, 0.1], batch_size=5, **ONLY_W, **VALUE)
    along = lambda theta: XT @ (X * (X @ theta - Y)[:, None]).T / N
    np.testing.assert_allclose(got, 0.2 * along(0 * THETA) + 0.1 * along(THETA), rtol=1e-10)


def test_groups_and_self_influence_take_damping_select_and_curvature():
    g = X * (X @ THETA - Y)[:, None]
    got = cu.self_influence(scaled(removal="refit-mean"))
    expected = np.einsum("ij,ij->i", g, np.linalg.solve(H_D, (g + L2 * THETA).T).T) / N
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    got = cu.group_influence(scaled(), TEST, [[1, 7]], order=2, **VALUE)
    first = np.linalg.solve(H_D, g[[1, 7]].sum(axis=0) / N)
    move = first + np.linalg.solve(H_D, X[[1, 7]].T @ X[[1, 7]] @ first / N)
    np.testing.assert_allclose(got[:, 0], XT @ move, rtol=1e-8)


def test_from_many_test_points_on_gradients_are_formed_and_the_scores_are_the_same():
    fit = fitted(batch_size=5)
    many = (np.resize(XT, (128, D)), np.resize(YT, 128))
    few = cu.influence(fit, jax.tree.map(lambda a: a[:127], many)).scores
    scores = cu.influence(fit, many).scores
    assert np.abs(scores[:127] - few).max() < 1e-10 * np.abs(few).max()


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
        FittedModel(LOSS, PARAMS, TRAIN, l2="a")
