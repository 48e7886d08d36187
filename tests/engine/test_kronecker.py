"""K-FAC and EK-FAC against dense Fisher matrices, in the cases where theory says what they are."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from course_utils import curvature, kronecker, models, trees

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
