"""K-FAC and EK-FAC against dense Fisher matrices, in the cases where theory says what they are."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from logistic import assert_agree, only_warning

import course_utils as cu
from course_utils import Exact, FittedModel, Kronecker, curvature, kronecker, models, trees

SIZES = (3, 2, 2)
X = np.random.default_rng(0).normal(size=(7, 3))


def network(sizes=SIZES, bias=True):
    params = models.init_mlp(sizes, key=jax.random.key(0))
    keys = jax.random.split(jax.random.key(1), len(params))
    if not bias:
        return [{"w": layer["w"]} for layer in params]
    return [{"w": p["w"], "b": jax.random.normal(k, p["b"].shape)} for p, k in zip(params, keys)]


def last_bias(layer):
    """A layer's parameters as one matrix, the bias as its last row: (..., d+1, k)."""
    return np.concatenate([layer["w"], np.asarray(layer["b"])[..., None, :]], axis=-2)


def dense_fisher(params, X, labels=None):
    """A block per layer, from gradients that JAX takes of the loss for every label, row by row."""
    loss = lambda layers, x, label: models.cross_entropy(models.mlp(layers, x), label)
    z = np.asarray(models.mlp(params, X))
    p = scipy.special.softmax(z, axis=1) if labels is None else np.eye(z.shape[1])[labels]
    per_label = jax.vmap(jax.grad(loss), in_axes=(None, None, 0))
    gradients = jax.vmap(per_label, in_axes=(None, 0, None))(params, X, np.arange(z.shape[1]))
    rows = [last_bias(layer).reshape(*p.shape, -1) for layer in gradients]
    return [np.einsum("nc,nci,ncj->ij", p, g, g) / len(X) for g in rows]


def dense(factor, corrected=True):
    basis = np.kron(factor.in_vectors, factor.out_vectors)
    spectrum = factor.eigenvalues if corrected else factor.product_eigenvalues
    return basis * np.ravel(spectrum) @ basis.T


def test_the_two_moments_are_those_of_the_dense_fisher():
    """S is F's block of the biases, whose input is 1; A comes from the inputs alone."""
    params = network()
    hidden = np.tanh(models.linear(params[0], X))
    for inputs, F, factor in zip(
        [X, hidden], dense_fisher(params, X), kronecker.kronecker_factors(params, X)
    ):
        a = np.column_stack([inputs, np.ones(len(X))])
        k = len(factor.out_vectors)
        S = F[-k:, -k:]
        np.testing.assert_allclose(
            dense(factor, corrected=False), np.kron(a.T @ a / len(X), S), atol=1e-14
        )


def test_corrected_eigenvalues_are_the_diagonal_of_the_dense_fisher_in_the_basis():
    params = network()
    for F, factor in zip(dense_fisher(params, X), kronecker.kronecker_factors(params, X)):
        basis = np.kron(factor.in_vectors, factor.out_vectors)
        expected = np.diag(basis.T @ F @ basis).reshape(factor.eigenvalues.shape)
        np.testing.assert_allclose(factor.eigenvalues, expected, atol=1e-14)
        np.testing.assert_allclose(basis.T @ basis, np.eye(len(F)), atol=1e-13)
        error = [np.linalg.norm(F - dense(factor, corrected)) for corrected in (True, False)]
        assert 1e-3 < error[0] < error[1]  # the best diagonal, but not the matrix itself
        traces = np.trace(F), np.sum(factor.eigenvalues)
        np.testing.assert_allclose(*traces, rtol=1e-12)


def test_the_fisher_is_that_of_fvp():
    params = network()
    predict = lambda p: models.mlp(p, X)
    F = trees.dense(lambda v: curvature.fvp(predict, params, v), params)
    blocks = dense_fisher(params, X)
    index = trees.ravel(trees.unravel(jnp.arange(len(F)), params))  # the order of ravel
    assert np.array_equal(index, np.arange(len(F)))
    start = 0
    for layer, block in zip(params, blocks):
        k, size = layer["b"].size, layer["b"].size + layer["w"].size
        order = np.r_[start + k : start + size, start : start + k]  # ravel puts b before w
        np.testing.assert_allclose(F[np.ix_(order, order)], block, atol=1e-14)
        start += size


def test_factors_are_exact_where_inputs_and_gradients_are_uncorrelated():
    """One layer at zero: p is the same for every input, so s does not depend on a."""
    params = [{"w": jnp.zeros((3, 4)), "b": jnp.array([0.3, -1.0, 0.5, 0.0])}]
    (F,), (factor,) = dense_fisher(params, X), kronecker.kronecker_factors(params, X)
    np.testing.assert_allclose(dense(factor, corrected=False), F, atol=1e-15)
    np.testing.assert_allclose(dense(factor), F, atol=1e-15)


def test_a_drawn_label_stands_for_the_sum_over_labels():
    params = network()
    draw = jax.jit(lambda key: kronecker.kronecker_factors(params, X, key=key))
    factors = draw(jax.random.key(3))
    # exactly one of the 128 labellings has the trace that was found
    candidates = [np.array(list(np.binary_repr(i, len(X))), int) for i in range(2 ** len(X))]
    blocks = [dense_fisher(params, X, labels)[1] for labels in candidates]
    traces = np.array([np.trace(block) for block in blocks])
    found = np.sum(factors[1].eigenvalues)
    near = np.flatnonzero(np.abs(traces - found) < 1e-12)
    assert len(near) == 1
    basis = np.kron(factors[1].in_vectors, factors[1].out_vectors)
    np.testing.assert_allclose(
        np.diag(basis.T @ blocks[near[0]] @ basis), np.ravel(factors[1].eigenvalues), atol=1e-13
    )


def test_drawn_labels_have_the_fisher_as_their_mean():
    params = network()
    exact = [np.trace(F) for F in dense_fisher(params, X)]
    keys = jax.random.split(jax.random.key(4), 4000)
    draw = lambda key: [
        jnp.sum(f.eigenvalues) for f in kronecker.kronecker_factors(params, X, key=key)
    ]
    for traces, expected in zip(jax.jit(jax.vmap(draw))(keys), exact):
        standard_error = np.std(traces) / len(keys) ** 0.5
        assert abs(np.mean(traces) - expected) < 4 * standard_error < 0.05 * expected


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_blocks_change_nothing(batch_size):
    params = network()
    for key in (None, jax.random.key(5)):
        whole = kronecker.kronecker_factors(params, X, key=key)
        parts = kronecker.kronecker_factors(params, X, key=key, batch_size=batch_size)
        for a, b in zip(whole, parts):
            np.testing.assert_allclose(a.product_eigenvalues, b.product_eigenvalues, atol=1e-14)
            np.testing.assert_allclose(dense(a), dense(b), atol=1e-13)


def test_other_activations_and_layers_without_bias():
    params = network((3, 4, 2), bias=False)
    factors = kronecker.kronecker_factors(params, X, activation=jnp.sin)
    hidden = np.sin(X @ params[0]["w"])
    A = hidden.T @ hidden / len(X)
    np.testing.assert_allclose(
        factors[1].in_vectors.T @ A @ factors[1].in_vectors,
        np.diag(np.linalg.eigvalsh(A)),
        atol=1e-13,
    )
    solved = kronecker.kronecker_solve(factors, params, damping=0.1)
    assert [sorted(layer) for layer in solved] == [["w"], ["w"]]


# Solving


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("damping", [1e-3, [0.5, 0.01], np.array([0.5, 0.01])])
def test_solves_are_dense_solves(damping, corrected):
    params = network()
    factors = kronecker.kronecker_factors(params, X)
    rng = np.random.default_rng(1)
    rows = jax.tree.map(lambda leaf: rng.normal(size=(2, 5, *leaf.shape)), params)
    solved = kronecker.kronecker_solve(factors, rows, damping=damping, corrected=corrected)
    for factor, row, x, delta in zip(factors, rows, solved, np.broadcast_to(damping, 2)):
        matrix = dense(factor, corrected)
        right = last_bias(row).reshape(10, -1)
        expected = np.linalg.solve(matrix + delta * np.eye(len(matrix)), right.T).T
        np.testing.assert_allclose(last_bias(x).reshape(10, -1), expected, rtol=1e-9, atol=1e-12)


def test_between_the_gradient_and_the_pseudo_inverse():
    """Damping from above: v/δ. From below, for a v in the range of F: the solve without damping."""
    params = network()
    factors = kronecker.kronecker_factors(params, X)
    loss = lambda p: jnp.mean(jax.vmap(models.cross_entropy)(models.mlp(p, X), np.arange(7) % 2))
    gradient = jax.grad(loss)(params)
    large = kronecker.kronecker_solve(factors, gradient, damping=1e9)
    for x, v in zip(jax.tree.leaves(large), jax.tree.leaves(gradient)):
        np.testing.assert_allclose(1e9 * x, v, rtol=1e-8)
    small = kronecker.kronecker_solve(factors, gradient, damping=1e-8)
    for factor, v, x in zip(factors[1:], gradient[1:], small[1:]):
        expected = np.linalg.pinv(dense(factor), rcond=1e-10) @ last_bias(v).ravel()
        np.testing.assert_allclose(last_bias(x).ravel(), expected, rtol=1e-5, atol=1e-6)


def test_it_can_be_transformed():
    params = network()

    def solve(damping, X, params):
        factors = kronecker.kronecker_factors(params, X)
        return trees.ravel(kronecker.kronecker_solve(factors, params, damping=damping))

    expected = solve(0.1, X, params)
    np.testing.assert_allclose(jax.jit(solve)(0.1, X, params), expected, rtol=1e-9)
    both = jax.vmap(solve, in_axes=(0, None, None))(jnp.array([0.1, 0.2]), X, params)
    np.testing.assert_allclose(both[0], expected, rtol=1e-9)
    factors = kronecker.kronecker_factors(params, X)
    through = lambda damping: jnp.sum(
        trees.ravel(kronecker.kronecker_solve(factors, params, damping=damping))
    )
    change = (through(0.1 + 1e-6) - through(0.1 - 1e-6)) / 2e-6
    np.testing.assert_allclose(jax.grad(through)(0.1), change, rtol=1e-6)


def test_float32_stays_float32():
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), network())
    factors = kronecker.kronecker_factors(params, X.astype(np.float32))
    solved = kronecker.kronecker_solve(factors, params, damping=0.1)
    assert {leaf.dtype for leaf in jax.tree.leaves((factors, solved))} == {jnp.dtype("float32")}
    exact = kronecker.kronecker_factors(network(), X)
    for a, b in zip(factors, exact):
        np.testing.assert_allclose(dense(a), dense(b), atol=1e-5)


# Refusals

REFUSED = {
    "one layer, no list": (lambda p: kronecker.kronecker_factors(p[0], X), "expected a list"),
    "no layer": (lambda p: kronecker.kronecker_factors([], X), "expected a list"),
    "other names": (lambda p: kronecker.kronecker_factors([{"kernel": X}], X), "expected a list"),
    "whole numbers": (
        lambda p: kronecker.kronecker_factors([{"w": np.ones((3, 2), int)}], X),
        "floating-point",
    ),
    "many networks": (
        lambda p: kronecker.kronecker_factors(jax.tree.map(lambda a: a[None], p), X),
        r"w of layer 0 must be \(inputs, outputs\)",
    ),
    "one example": (lambda p: kronecker.kronecker_factors(p, X[0]), r"shape \(n, 3\)"),
    "no example": (lambda p: kronecker.kronecker_factors(p, X[:0]), r"shape \(n, 3\)"),
    "other inputs": (lambda p: kronecker.kronecker_factors(p, X[:, :2]), r"shape \(n, 3\)"),
    "NaN": (lambda p: kronecker.kronecker_factors(p, X * np.nan), "NaN or infinity"),
    "batches of 0": (lambda p: kronecker.kronecker_factors(p, X, batch_size=0), "batch_size"),
    "no damping": (lambda p: solve(p, damping=0), "damping must be positive"),
    "NaN damping": (lambda p: solve(p, damping=np.nan), "damping must be positive"),
    "three dampings": (lambda p: solve(p, damping=[1, 1, 1]), "3 numbers for 2 layers"),
    "a layer too few": (lambda p: solve(p, p[:1], damping=1), "rows have 1 layers, factors 2"),
    "layers swapped": (lambda p: solve(p, p[::-1], damping=1), r"rows\[0\] is \(3, 2\)"),
    "bias left out": (lambda p: solve(p, [{"w": q["w"]} for q in p], damping=1), r"rows\[0\]"),
    "bias of one row": (
        lambda p: solve(p, [{"w": q["w"][None], "b": q["b"]} for q in p], damping=1),
        r"rows\[0\]: w is \(1, 3, 2\) and b is \(2,\)",
    ),
    "a vector": (lambda p: solve(p, [{"w": q["w"][0]} for q in p], damping=1), r"rows\[0\]"),
}


def solve(params, rows=None, **options):
    factors = kronecker.kronecker_factors(params, X)
    return kronecker.kronecker_solve(factors, params if rows is None else rows, **options)


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_with_what_was_expected(name):
    call, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        call(network())


# --------------------------------------------------------------------------------------
# Kronecker, the setting of ``influence``
# --------------------------------------------------------------------------------------

LOSS = cu.compose(models.mlp, models.cross_entropy)
Y = np.arange(7) % 2
TEST = np.random.default_rng(2).normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
FACTORS = kronecker.kronecker_factors(network(), X)
UNEQUAL = [{"w": 0.03, "b": 0.0}, {"w": 0.0, "b": 0.2}]  # biases free, and weights free


def fitted(loss=LOSS, params=None, **options):
    """A model that is at no optimum, which no formula here asks for."""
    options = dict(l2=0.02, damping=0.1, curvature="ggn") | options
    return FittedModel.at(loss, network() if params is None else params, (X, Y), **options)


def gradients(params, data):
    """Those of the loss of each example, (n, p), in the order of ``trees.ravel``."""
    of_example = jax.grad(lambda p, x, y: models.cross_entropy(models.mlp(p, x), y))
    return np.asarray(trees.ravel_rows(jax.vmap(of_example, (None, 0, 0))(params, *data)))


def shifts(l2, damping=0.1):
    """l2 + damping of every param, (p,)."""
    each = trees.broadcast_prefix(l2, network())
    return damping + np.concatenate(
        [np.full(p.size, a) for a, p in zip(jax.tree.leaves(each), jax.tree.leaves(network()))]
    )


def block_diagonal(blocks):
    """Blocks with the bias last, as one matrix in the order of ``trees.ravel``: bias first."""
    blocks = [np.roll(block, [2, 2], axis=[0, 1]) for block in blocks]  # each layer has 2 outputs
    return scipy.linalg.block_diag(*blocks)


def true_matrix(curvature_name, l2, damping):
    """H_d of the fit, dense, from the mean loss of all examples."""
    params = network()
    mean = lambda z: jnp.mean(jax.vmap(models.cross_entropy)(z, Y))
    predict = lambda p: models.mlp(p, X)
    product = {
        "ggn": lambda v: curvature.ggnvp(predict, mean, params, v),
        "hessian": lambda v: curvature.hvp(lambda p: mean(predict(p)), params, v),
    }[curvature_name]
    return np.asarray(trees.dense(product, params)) + np.diag(shifts(l2, damping))


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("l2", [0.02, UNEQUAL], ids=["one l2", "unequal"])
@pytest.mark.parametrize("removal", ["fixed-weight", "refit-mean"])
def test_scores_are_those_of_dense_kronecker_products(removal, l2, corrected):
    """Also where w and b of a layer are penalised unequally: no multiple of the identity then."""
    fit = fitted(l2=l2, removal=removal)
    result = cu.influence(fit, TEST, solver=Kronecker(FACTORS, corrected))
    matrix = block_diagonal([dense(f, corrected) for f in FACTORS]) + np.diag(shifts(l2))
    s = np.linalg.solve(matrix, gradients(network(), TEST).T).T
    g = gradients(network(), (X, Y))
    if removal == "refit-mean":
        g = g + shifts(l2, 0.0) * np.asarray(trees.ravel(network()))
    assert_agree(result.scores, s @ g.T / 7, 1e-12)
    assert_agree(trees.ravel_rows(result.s_test), s, 1e-12)


@pytest.mark.parametrize("name", ["ggn", "hessian"])
@pytest.mark.parametrize("l2", [0.02, UNEQUAL], ids=["one l2", "unequal"])
def test_the_certificate_speaks_of_the_matrix_of_the_model_itself(name, l2):
    damping = {"ggn": 0.1, "hessian": 0.5}[name]
    H_d = true_matrix(name, l2, damping)
    assert np.linalg.eigvalsh(H_d)[0] > 0.01
    fit = fitted(curvature=name, l2=l2, damping=damping)
    s, info = cu.s_test(fit, TEST, solver=Kronecker(FACTORS))
    s, b = np.asarray(trees.ravel_rows(s)), gradients(network(), TEST)
    residual = np.linalg.norm(b - s @ H_d, axis=1)
    assert (residual > 1e-3 * np.linalg.norm(b, axis=1)).all()  # it is no solution
    np.testing.assert_allclose(info.residual_norm, residual, rtol=1e-9)
    rayleigh = np.einsum("ij,jk,ik->i", s, H_d, s) / np.sum(s * s, axis=1)
    np.testing.assert_allclose(info.min_curvature, rayleigh, rtol=1e-9)
    assert info.describe() == ["approximation"] * 5 and not info.converged.any()
    assert not info.num_steps.any() and np.isnan(info.scale).all()


def factorial_fit(classes=3):
    """One layer at zero and a full factorial: every label once for each corner of a cube."""
    corners = np.array(list(itertools.product([-1.0, 1.0], repeat=3)))
    data = np.repeat(corners, classes, axis=0), np.tile(np.arange(classes), len(corners))
    params = [{"w": jnp.zeros((3, classes)), "b": jnp.zeros(classes)}]
    return params, data


@pytest.mark.parametrize("corrected", [True, False])
@pytest.mark.parametrize("name", ["ggn", "hessian"])
def test_where_the_factors_are_exact_it_converges_to_what_exact_finds(name, corrected):
    """At the optimum of one layer with the same probabilities everywhere: s is free of a."""
    params, data = factorial_fit()
    fit = FittedModel(LOSS, params, data, l2=0.01, curvature=name)  # at an optimum: no warning
    solver = Kronecker(kronecker.kronecker_factors(params, data[0]), corrected)
    test = data[0][::2] + 0.3, data[1][::2]
    found, exact = (cu.influence(fit, test, solver=s) for s in (solver, Exact()))
    assert found.info.describe() == ["converged"] * 12 and found.info.converged.all()
    assert_agree(found.scores, exact.scores, 1e-12)
    moved = cu.influence_on_params(fit, [0, 5], solver=solver, corrected=True)
    expected = cu.influence_on_params(fit, [0, 5], solver=Exact(), corrected=True)
    assert_agree(trees.ravel_rows(moved), trees.ravel_rows(expected), 1e-12)


def test_corrected_eigenvalues_solve_the_block_diagonal_system_better():
    """Summed over all right-hand sides. Where damping is large, the squared error of a solve is
    that of the matrix, over damping^4, and no diagonal has a smaller one than EK-FAC's.
    """
    blocks, p = block_diagonal(dense_fisher(network(), X)), 14
    for damping in (0.01, 0.1, 1.0, 100.0):
        fit = fitted(l2=0.0, damping=damping)
        exact = np.linalg.inv(blocks + damping * np.eye(p))
        errors = [
            np.linalg.norm(fit.solve(np.eye(p), Kronecker(FACTORS, corrected)).x - exact)
            for corrected in (True, False)
        ]
        assert 0 < errors[0] < errors[1]
    of_matrix = [
        np.linalg.norm(block_diagonal([dense(f, corrected) for f in FACTORS]) - blocks)
        for corrected in (True, False)
    ]
    np.testing.assert_allclose(1e4 * np.array(errors), of_matrix, rtol=0.02)  # ‖F‖/damping


ASKED = {
    "influence": lambda fit, solver: cu.influence(fit, TEST, candidates=TEST, solver=solver).scores,
    "self": lambda fit, solver: cu.self_influence(fit, solver=solver),
    "params": lambda fit, solver: trees.ravel_rows(
        cu.influence_on_params(fit, [3, 1], solver=solver)
    ),
    "groups": lambda fit, solver: cu.group_influence(fit, TEST, [[0, 4], [2]], solver=solver),
    "order 2": lambda fit, solver: cu.group_influence(fit, TEST, [[6]], order=2, solver=solver),
    "inputs": lambda fit, solver: cu.perturbation_influence(fit, TEST, [3], solver=solver),
}


@pytest.mark.parametrize("name", ASKED)
def test_every_question_takes_it_in_place_of_the_matrix(name, no_unexpected_warning):
    """Answers of ``Exact`` for a model whose matrix is the factored one."""
    factored = block_diagonal([dense(f) for f in FACTORS]) + np.diag(shifts(0.02))

    class Replaced(FittedModel):
        def solve(self, B, solver, check=True):
            found = super().solve(B, solver)
            return found._replace(x=np.linalg.solve(factored, B.T).T)

    jax.tree_util.register_pytree_node_class(Replaced)
    other = Replaced.at(LOSS, network(), (X, Y), l2=0.02, damping=0.1, curvature="ggn")
    assert_agree(ASKED[name](fitted(), Kronecker(FACTORS)), ASKED[name](other, Exact()), 1e-12)


def test_scores_on_disk_are_those_of_their_factors(tmp_path, monkeypatch):
    fit, solver = fitted(), Kronecker(FACTORS)
    ask = functools.partial(cu.influence_on_disk, tmp_path, fit, TEST)
    expected = cu.influence(fit, TEST, solver=solver)
    kept = ask(solver=solver)
    np.testing.assert_array_equal(kept.scores, expected.scores)
    assert kept.info.describe() == ["approximation"] * 5
    nudged = jax.tree.map(lambda a: a * (1 + 1e-12), FACTORS)
    for other in (Kronecker(nudged), Kronecker(FACTORS, corrected=False)):
        assert np.abs(ask(solver=other).scores - expected.scores).max() > 0
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(FittedModel, "solve", None)  # an equal setting reads what is there
    again = ask(solver=Kronecker(jax.tree.map(np.array, FACTORS)))
    np.testing.assert_array_equal(again.scores, expected.scores)
    assert again.info.describe() == ["approximation"] * 5


def test_some_layers_are_selected_with_the_factors_of_those(no_unexpected_warning):
    """The last layer alone; then layers behind an embedding that is held fixed."""
    predict = lambda p, x: models.mlp(p["layers"], p["embedding"][x])
    loss = cu.compose(predict, models.cross_entropy)
    params = {"embedding": jnp.asarray(X), "layers": network()}
    words = np.arange(7)
    whole = cu.influence(fitted(), (X, Y), solver=Kronecker(FACTORS))
    fit = FittedModel.at(
        *(loss, params, (words, Y)),
        **dict(l2=0.02, damping=0.1, curvature="ggn", select=lambda path: "layers" in path),
    )
    found = cu.influence(fit, (words, Y), solver=Kronecker(FACTORS))
    assert_agree(found.scores, whole.scores, 1e-12)
    assert_agree(found.info.residual_norm, whole.info.residual_norm, 1e-12)
    for i in (0, 1):
        fit = fitted(select=lambda path, i=i: path.startswith(f"{i}/"))
        found = cu.influence(fit, TEST, solver=Kronecker(FACTORS[i : i + 1]))
        rows = [gradients(network(), data) for data in (TEST, (X, Y))]
        part = slice(0, 8) if i == 0 else slice(8, 14)
        b, g = (row[:, part] for row in rows)
        matrix = block_diagonal([dense(FACTORS[i])]) + 0.12 * np.eye(b.shape[1])
        assert_agree(found.scores, b @ np.linalg.solve(matrix, g.T) / 7, 1e-12)


def test_a_layer_by_itself_and_layers_without_bias(no_unexpected_warning):
    softmax = cu.compose(models.linear, models.cross_entropy)
    (params,), data = factorial_fit()
    solver = Kronecker(kronecker.kronecker_factors([params], data[0]))
    fit = FittedModel(softmax, params, data, l2=0.1)
    assert_agree(
        cu.influence(fit, data, solver=solver).scores,
        cu.influence(fit, data, solver=Exact()).scores,
        1e-12,
    )
    params = network(bias=False)
    factors = kronecker.kronecker_factors(params, X)
    found = cu.influence(fitted(params=params), TEST, solver=Kronecker(factors))
    matrix = scipy.linalg.block_diag(*map(dense, factors)) + 0.12 * np.eye(10)
    b, g = gradients(params, TEST), gradients(params, (X, Y))
    assert_agree(found.scores, b @ np.linalg.solve(matrix, g.T) / 7, 1e-12)


def test_unpenalised_biases_keep_their_digits_at_a_damping_that_is_next_to_nothing():
    """The rank-one change is larger than what it leaves by 1e10; no digit cancels."""
    fit = fitted(l2=[{"w": 1.0, "b": 0.0}] * 2, damping=1e-10)
    b = gradients(network(), TEST)
    matrix = block_diagonal([dense(f) for f in FACTORS])
    matrix = matrix + np.diag(shifts([{"w": 1.0, "b": 0.0}] * 2, 1e-10))
    found = fit.solve(b, Kronecker(FACTORS)).x
    # its condition number is 1e10: the solve of NumPy and the gradients have six digits
    assert_agree(found, np.linalg.solve(matrix, b.T).T, 1e-5)


def test_new_factors_of_the_same_shapes_compile_nothing():
    names = []

    def count(event, seconds, fun_name="?", **about):
        if event.endswith("backend_compile_duration"):
            names.append(fun_name)

    def ask(data, params, kind, **options):
        factors = kind(kronecker.kronecker_factors(params, data))
        fit = fitted(params=params, **options)
        return cu.influence(fit, TEST, solver=Kronecker(factors)).scores

    moved = jax.tree.map(lambda leaf: leaf + 0.1, network())
    first = ask(X, network(), list)
    jax.monitoring.register_event_duration_secs_listener(count)
    try:
        second = ask(X[::-1] + 0.1, moved, tuple, damping=0.3, l2=UNEQUAL)
    finally:
        jax.monitoring.unregister_event_duration_listener(count)
    assert not names and np.abs(first - second).max() > 1e-3


def test_float32_in_and_out():
    narrow = lambda tree: jax.tree.map(lambda a: jnp.asarray(a, jnp.float32), tree)
    params, x = narrow(network()), X.astype(np.float32)
    fit = FittedModel.at(LOSS, params, (x, Y), l2=0.02, damping=0.1, curvature="ggn")
    solver = Kronecker(kronecker.kronecker_factors(params, x))
    found = cu.influence(fit, (TEST[0].astype(np.float32), TEST[1]), solver=solver)
    assert found.scores.dtype == found.info.residual_norm.dtype == np.float32
    expected = cu.influence(fitted(), TEST, solver=Kronecker(FACTORS))
    assert_agree(found.scores, expected.scores, 1e-5)
    assert_agree(found.info.residual_norm, expected.info.residual_norm, 1e-4)


# What is told


def test_an_approximation_is_told_by_its_word_and_not_by_a_warning(no_unexpected_warning):
    """Nor by one where a few rows are far off, beside more that are near."""
    norms = np.linalg.norm(gradients(network(), TEST), axis=1)
    for damping, far in ((1.0, 0), (0.1, 1)):
        result = cu.influence(fitted(damping=damping), TEST, solver=Kronecker(FACTORS))
        assert (result.info.residual_norm >= norms).sum() == far
        assert "solves: approximation." in repr(result)


def test_one_warning_where_most_rows_are_further_off_than_zero_is():
    """Factors of other inputs, as after a mistake: only the size of the residual can show it."""
    strange = Kronecker(kronecker.kronecker_factors(network(), 0.01 * X))
    fit = fitted(params=network(), l2=0.0, damping=1e-4)
    result, words = only_warning(lambda: cu.influence(fit, TEST, solver=strange), __file__)
    relative = result.info.residual_norm / np.linalg.norm(gradients(network(), TEST), axis=1)
    far = np.flatnonzero(relative >= 1)
    assert 3 <= len(far) and np.isfinite(result.scores).all()
    assert words.startswith(f"test points {', '.join(map(str, far))}: the factored matrix is far")
    assert f"up to {relative.max():.2g}, and zero would leave 1; their rows are kept" in words
    assert "raise damping, or solve with CG()" in words


def test_negative_curvature_of_the_model_is_refused_like_everywhere():
    """The factored matrix is positive definite; the Hessian here is not, and x shows it."""
    H_d = true_matrix("hessian", 0.0, 0.01)
    lowest = np.linalg.eigvalsh(H_d)[0]
    assert lowest < -0.01
    fit = fitted(curvature="hessian", l2=0.0, damping=0.01)
    direction = np.linalg.eigh(H_d)[1][:, :1].T
    factored = block_diagonal([dense(f) for f in FACTORS]) + 0.01 * np.eye(14)
    assert fit.solve(direction @ factored, Kronecker(FACTORS)).info.describe() == ["indefinite"]
    pull = lambda p, z: z @ trees.ravel(p)
    ask = lambda: cu.influence(
        fit, direction @ factored, solver=Kronecker(FACTORS), test_loss_fn=pull
    )
    result, words = only_warning(ask, __file__)
    assert np.isnan(result.scores).all()
    assert f"curvature {lowest:.3g} met" in words and 'curvature="ggn"' in words


def with_nan():
    return [FACTORS[0], FACTORS[1]._replace(eigenvalues=FACTORS[1].eigenvalues * np.nan)]


def ask(factors=FACTORS, *, params=None, **options):
    fit = fitted(params=params, **options)
    cu.influence(fit, (TEST[0][:, : fit.train[0].shape[1]], TEST[1]), solver=Kronecker(factors))


def as_tree(params):
    return {"first": {"kernel": params[0]["w"], "bias": params[0]["b"]}, "last": params[1]}


REFUSED_SETTINGS = {
    "no list": (lambda: Kronecker(FACTORS[0]), TypeError, "list from kronecker_factors"),
    "params": (lambda: Kronecker(network()), TypeError, "list from kronecker_factors"),
    "none": (lambda: Kronecker([]), TypeError, "list from kronecker_factors"),
    "a word": (lambda: Kronecker(FACTORS, "no"), TypeError, "corrected must be True or False"),
    "NaN": (lambda: Kronecker(with_nan()), ValueError, r"NaN or infinity in factors\[1\].eigenv"),
    "a layer too many": (
        lambda: ask(FACTORS[:1]),
        ValueError,
        "1 factors for 2 layers of params that count",
    ),
    "layers swapped": (
        lambda: ask(FACTORS[::-1]),
        ValueError,
        r"factors\[0\] is float64\[3, 2\], its layer with its bias float64\[4, 2\]: take",
    ),
    "another dtype": (
        lambda: ask(jax.tree.map(lambda a: a.astype(jnp.float32), FACTORS)),
        ValueError,
        r"factors\[0\] is float32\[4, 2\], its layer with its bias float64\[4, 2\]",
    ),
    "other names": (
        lambda: ask(
            loss=cu.compose(
                lambda p, x: models.linear(
                    p["last"], jnp.tanh(x @ p["first"]["kernel"] + p["first"]["bias"])
                ),
                models.cross_entropy,
            ),
            params=as_tree(network()),
        ),
        ValueError,
        r"must be dense layers \{\"w\", \"b\"\}, as from models.init_mlp: hold the others fixed",
    ),
    "biases held fixed": (
        lambda: ask(select=lambda path: path.endswith("w")),
        ValueError,
        "w and b of a layer have one factor: select both of them or none",
    ),
    "a layer held fixed": (
        lambda: ask(select=lambda path: path.startswith("1")),
        ValueError,
        "2 factors for 1 layers of params that count: give the factors of those layers alone",
    ),
    "no damping": (lambda: ask(l2=0.0, damping=0.0), ValueError, r"l2 \+ damping above zero"),
    "none in one leaf": (lambda: ask(l2=UNEQUAL, damping=0.0), ValueError, "l2 in each leaf"),
    "newton": (
        lambda: cu.group_influence(
            fitted(), TEST, [[0]], order="newton", solver=Kronecker(FACTORS)
        ),
        TypeError,
        "each group has its own matrix",
    ),
}


@pytest.mark.parametrize("name", REFUSED_SETTINGS)
def test_settings_that_cannot_be_are_refused_in_clear_words(name):
    call, kind, words = REFUSED_SETTINGS[name]
    with pytest.raises(kind, match=words):
        call()


def test_a_setting_says_of_which_layers_it_is_and_cannot_be_changed():
    solver = Kronecker(FACTORS)
    assert repr(solver) == "Kronecker([4×2, 3×2], corrected=True)"
    assert solver == solver != Kronecker(FACTORS) and hash(solver) == hash(solver)
    with pytest.raises(AttributeError):
        solver.corrected = False
    bad = with_nan()
    jax.config.update("jax_debug_nans", True)  # put back by a fixture of all tests
    with pytest.raises(ValueError, match="NaN or infinity in factors"):
        Kronecker(bad)
