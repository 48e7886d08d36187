import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import curvature, trees

LABELS = np.array([0, 1, 0, 1, 1])
PRODUCTS = ["hvp", "ggnvp", "fvp"]


def predict_one(p, x):
    return jnp.tanh(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]


def cross_entropy(z, y):
    return -jax.nn.log_softmax(z)[y]


def mean_cross_entropy(z):
    return jnp.mean(jax.vmap(cross_entropy)(z, LABELS))


def make_net(dtype=jnp.float64):
    """A 3-4-2 network on 5 points: 26 parameters, so that every matrix fits on a page."""
    k1, k2, k3 = jax.random.split(jax.random.key(0), 3)
    params = {
        "w1": jax.random.normal(k1, (3, 4), dtype),
        "b1": jnp.zeros(4, dtype),
        "w2": jax.random.normal(k2, (4, 2), dtype),
        "b2": jnp.zeros(2, dtype),
    }
    x = jax.random.normal(k3, (5, 3), dtype)
    return (lambda p: predict_one(p, x)), params, x


@pytest.fixture
def net():
    return make_net()


def products(net):
    predict, params, _ = net
    return {
        "hvp": lambda v: curvature.hvp(lambda p: mean_cross_entropy(predict(p)), params, v),
        "ggnvp": lambda v: curvature.ggnvp(predict, mean_cross_entropy, params, v),
        "fvp": lambda v: curvature.fvp(predict, params, v),
    }


def dense(product, like):
    """The matrix of a product, compiled once as a whole."""
    return jax.jit(lambda like: trees.dense(product, like))(like)


def jacobian(predict, params):
    """Shape (n, k, p), through the flat parameters."""
    flat = trees.ravel(params)
    return np.asarray(jax.jit(jax.jacobian(lambda w: predict(trees.unravel(w, params))))(flat))


def symmetric(p=8, seed=0, lowest=-1.0):
    """A dense matrix with known eigenvalues."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(p, p)))
    h = np.linspace(lowest, 3.0, p)
    return q @ np.diag(h) @ q.T, h, q


# Hessian


def test_the_hessian_of_a_quadratic_form_is_the_symmetric_part_of_its_matrix():
    A = np.random.default_rng(0).normal(size=(4, 4))
    v = np.arange(4.0)
    assert not np.allclose(A, A.T)
    got = curvature.hvp(lambda x: 0.5 * x @ A @ x, jnp.ones(4), v)
    np.testing.assert_allclose(got, (A + A.T) @ v / 2, rtol=1e-12)


def test_hvp_and_its_operator_are_products_with_the_dense_hessian(net):
    predict, params, _ = net
    loss = lambda p: mean_cross_entropy(predict(p))
    flat_loss = lambda w: loss(trees.unravel(w, params))
    H = jax.jit(jax.hessian(flat_loss))(trees.ravel(params))
    operator = curvature.hvp_operator(loss, params)
    np.testing.assert_allclose(dense(products(net)["hvp"], params), H, atol=1e-14)
    np.testing.assert_allclose(dense(operator, params), H, atol=1e-14)


def test_hvp_is_the_difference_of_two_gradients(net):
    predict, params, _ = net
    v = trees.random_like(jax.random.key(3), params)
    gradient = jax.jit(jax.grad(lambda p: mean_cross_entropy(predict(p))))
    ahead, behind = (gradient(trees.add_scaled(params, e, v)) for e in (1e-5, -1e-5))
    difference = trees.ravel(trees.subtract(ahead, behind)) / 2e-5
    got = trees.ravel(products(net)["hvp"](v))
    np.testing.assert_allclose(got, difference, atol=1e-8)  # h^2 = 1e-10 and rounding / h = 1e-11


# Gauss-Newton and Fisher


def test_the_gauss_newton_matrix_is_the_hessian_when_the_model_is_linear():
    x = np.random.default_rng(0).normal(size=(5, 3))
    v = np.array([1.0, -2.0, 0.5])
    got = curvature.ggnvp(lambda w: x @ w, lambda z: 0.5 * jnp.mean(z**2), jnp.ones(3), v)
    np.testing.assert_allclose(got, x.T @ (x @ v) / 5, rtol=1e-12)


def test_ggnvp_is_the_written_out_product_of_three_matrices(net):
    predict, params, _ = net
    J = jacobian(predict, params)  # (5, 2, 26)
    z = np.asarray(predict(params))
    H_z = np.asarray(jax.hessian(mean_cross_entropy)(z))  # (5, 2, 5, 2)
    expected = np.einsum("iap,iajb,jbq->pq", J, H_z, J)
    np.testing.assert_allclose(dense(products(net)["ggnvp"], params), expected, atol=1e-14)


def test_the_gauss_newton_matrix_is_positive_where_the_hessian_is_not(net):
    _, params, _ = net
    H, G = (dense(products(net)[name], params) for name in ("hvp", "ggnvp"))
    assert jnp.linalg.eigvalsh(H)[0] < -0.01  # otherwise the next line would show nothing
    assert jnp.linalg.eigvalsh(G)[0] > -1e-14


def test_the_fisher_matrix_is_the_mean_square_score_under_the_models_own_labels(net):
    predict, params, _ = net
    J = jacobian(predict, params)
    p = np.asarray(jax.nn.softmax(predict(params)))  # (5, 2)
    F, empirical = np.zeros((26, 26)), np.zeros((26, 26))
    for i in range(5):
        for y in range(2):
            score = (np.eye(2)[y] - p[i]) @ J[i]
            F += p[i, y] * np.outer(score, score) / 5
            empirical += (y == LABELS[i]) * np.outer(score, score) / 5
    got = np.asarray(dense(products(net)["fvp"], params))
    np.testing.assert_allclose(got, F, atol=1e-14)
    assert np.abs(got - empirical).max() > 0.1 * np.abs(F).max()  # the labels play no part


def test_for_the_cross_entropy_of_logits_the_fisher_matrix_is_the_gauss_newton_matrix(net):
    v = trees.random_like(jax.random.key(1), net[1])
    F_v, G_v = (trees.ravel(products(net)[name](v)) for name in ("fvp", "ggnvp"))
    np.testing.assert_allclose(F_v, G_v, atol=1e-14)


# The whole data set


@pytest.mark.parametrize("batch_size", [None, 1, 2, 5, 7])
@pytest.mark.parametrize("kind", ["hessian", "ggn"])
def test_hessian_mvp_is_the_matrix_of_the_mean_loss_plus_l2_for_any_block_size(
    net, kind, batch_size
):
    predict, params, x = net
    loss_fn = curvature.compose(predict_one, cross_entropy)
    l2 = {"w1": 0.1, "b1": 0.0, "w2": 0.3, "b2": 0.0}
    data = (x, LABELS)
    matvec = curvature.hessian_mvp(
        loss_fn, params, data, l2=l2, batch_size=batch_size, curvature=kind
    )
    expected = dense(products(net)["hvp" if kind == "hessian" else "ggnvp"], params)
    per_entry = jax.tree.map(lambda leaf, a: jnp.full(leaf.shape, a), params, l2)
    expected += jnp.diag(trees.ravel(per_entry))
    np.testing.assert_allclose(dense(matvec, params), expected, atol=1e-14)


@pytest.mark.parametrize("kind", ["hessian", "ggn"])
def test_a_whole_weight_is_an_example_that_stands_there_so_often(net, kind):
    """Divided by n = 5 whatever the weights are."""
    _, params, x = net
    loss_fn = curvature.compose(predict_one, cross_entropy)
    counts = np.array([2, 0, 1, 3, 0])
    often = np.repeat(np.arange(5), counts)
    options = dict(curvature=kind, batch_size=2)
    weighted = curvature.hessian_mvp(loss_fn, params, (x, LABELS), weights=counts, **options)
    repeated = curvature.hessian_mvp(loss_fn, params, (x[often], LABELS[often]), **options)
    expected = dense(repeated, params) * len(often) / 5
    np.testing.assert_allclose(dense(weighted, params), expected, atol=1e-14)


def test_two_compositions_of_the_same_parts_are_equal():
    one, two = (curvature.compose(predict_one, cross_entropy) for _ in range(2))
    assert one == two and hash(one) == hash(two)
    assert one != curvature.compose(predict_one, lambda z, y: 0.0)


# Laws


@st.composite
def trees_of_params(draw):
    """Nested dicts, tuples and scalars, with a smooth function of them that has a full Hessian."""
    leaf = st.sampled_from([(), (1,), (2,), (2, 2)])
    shapes = draw(
        st.recursive(
            leaf.map(np.zeros),
            lambda child: st.one_of(
                st.tuples(child, child), st.dictionaries(st.sampled_from("ab"), child, min_size=1)
            ),
            max_leaves=4,
        )
    )
    keys = jax.random.split(jax.random.key(draw(st.integers(0, 99))), 3)
    return [trees.random_like(key, shapes) for key in keys]


def laws(x, params, u, v, a):
    """For each product: u.Av, v.Au, v.Av, and A(u + a v) - (Au + a Av)."""
    predict = lambda p: jnp.tanh(x @ trees.ravel(p))
    loss = lambda z: jnp.mean(jax.nn.logsumexp(z, axis=1) - z[:, 0])
    maps = {
        "hvp": lambda v: curvature.hvp(lambda p: loss(predict(p)), params, v),
        "ggnvp": lambda v: curvature.ggnvp(predict, loss, params, v),
        "fvp": lambda v: curvature.fvp(predict, params, v),
    }
    results = {}
    for name, A in maps.items():
        Au, Av = A(u), A(v)
        gap = trees.subtract(A(trees.add_scaled(u, a, v)), trees.add_scaled(Au, a, Av))
        results[name] = trees.vdot(u, Av), trees.vdot(v, Au), trees.vdot(v, Av), trees.norm(gap)
    return results


@settings(deadline=None, max_examples=10)
@given(trees_of_params(), st.floats(-2, 2))
def test_products_are_symmetric_linear_and_two_of_them_positive(drawn, a):
    params, u, v = drawn
    x = np.random.default_rng(0).normal(size=(3, 2, trees.size(params)))  # 3 examples, 2 outputs
    for name, (u_A_v, v_A_u, v_A_v, gap) in jax.jit(laws)(x, params, u, v, a).items():
        np.testing.assert_allclose(u_A_v, v_A_u, rtol=1e-10, atol=1e-12)
        assert gap < 1e-12
        assert name == "hvp" or v_A_v >= -1e-14


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_survive_jit_vmap_and_grad(net, name):
    product, params = products(net)[name], net[1]
    matrix = dense(product, params)
    vs = jax.tree.map(lambda leaf: jnp.stack([leaf + 1, leaf - 2]), params)
    flat = trees.ravel_rows(vs)
    got = trees.ravel_rows(jax.jit(jax.vmap(product))(vs))
    np.testing.assert_allclose(got, flat @ matrix.T, atol=1e-13)
    slope = jax.jit(jax.grad(lambda v: trees.vdot(v, product(v))))(trees.take_rows(vs, 0))
    np.testing.assert_allclose(trees.ravel(slope), 2 * matrix @ flat[0], atol=1e-13)


def test_every_product_asks_for_the_highest_matmul_precision():
    predict, params, x = net = make_net(jnp.float32)
    loss_fn = curvature.compose(predict_one, cross_entropy)
    everything = {
        **products(net),
        "operator": curvature.hvp_operator(lambda p: mean_cross_entropy(predict(p)), params),
        "mean": curvature.hessian_mvp(loss_fn, params, (x, LABELS)),
        "blocks": curvature.hessian_mvp(loss_fn, params, (x, LABELS), batch_size=2),
        "ggn": curvature.hessian_mvp(loss_fn, params, (x, LABELS), curvature="ggn"),
    }
    for name, product in everything.items():
        text = str(jax.make_jaxpr(product)(params))
        assert text.count("dot_general") > 0, name
        assert text.count("dot_general") == text.count("HIGHEST, Precision.HIGHEST"), name
    assert jax.config.jax_default_matmul_precision is None  # nothing global was changed


# Spectra


def test_power_iteration_finds_the_largest_eigenvalue_and_its_error_bound_holds():
    A, h, q = symmetric()
    found = curvature.power_iteration(lambda v: A @ v, jnp.zeros(8), 100, key=jax.random.key(0))
    np.testing.assert_allclose(found.value, 3.0, rtol=1e-12)
    np.testing.assert_allclose(abs(found.vector @ q[:, -1]), 1.0, rtol=1e-12)
    for steps in (1, 2, 5, 20):
        rough = curvature.power_iteration(
            lambda v: A @ v, jnp.zeros(8), steps, key=jax.random.key(0)
        )
        assert np.abs(h - rough.value).min() <= rough.residual_norm * (1 + 1e-9)
        np.testing.assert_allclose(trees.norm(rough.vector), 1.0, rtol=1e-12)
    assert rough.residual_norm < 1e-1  # it falls like (h_2 / h_1)^steps = 0.81^20 = 0.015


def test_power_iteration_of_the_zero_matrix_is_zero():
    found = curvature.power_iteration(lambda v: 0 * v, jnp.zeros(3), 5, key=jax.random.key(0))
    assert found.value == 0 and found.residual_norm == 0


def test_lanczos_with_all_steps_is_the_eigendecomposition(net):
    _, params, _ = net
    hessian = products(net)["hvp"]
    H = np.asarray(dense(hessian, params))
    got = curvature.lanczos(hessian, params, 26, key=jax.random.key(1))
    np.testing.assert_allclose(got.eigenvalues, np.linalg.eigvalsh(H), atol=1e-12)
    V = np.asarray(trees.ravel_rows(got.eigenvectors))
    np.testing.assert_allclose(V @ V.T, np.eye(26), atol=1e-12)
    np.testing.assert_allclose(V @ H @ V.T, np.diag(got.eigenvalues), atol=1e-12)


def test_lanczos_goes_on_where_the_krylov_space_is_exhausted():
    h = np.array([0.0, 0, 0, 2, 2, 2, 2, 5])  # three distinct values: three steps exhaust it
    _, _, q = symmetric()
    A = q @ np.diag(h) @ q.T
    got = curvature.lanczos(lambda v: A @ v, jnp.zeros(8), 8, key=jax.random.key(2))
    np.testing.assert_allclose(got.eigenvalues, h, atol=1e-12)


def test_a_few_lanczos_steps_find_the_ends_of_the_spectrum_within_their_error_bounds():
    A, h, _ = symmetric(p=200)
    got = curvature.lanczos(lambda v: A @ v, jnp.zeros(200), 40, key=jax.random.key(3))
    np.testing.assert_allclose(got.eigenvalues[jnp.array([0, -1])], h[[0, -1]], atol=1e-2)
    distance = np.abs(np.asarray(got.eigenvalues)[:, None] - h).min(axis=1)
    assert np.all(distance <= got.residual_norms + 1e-12)
    assert np.all(np.diff(got.eigenvalues) > 1e-3)  # no ghosts


def test_lanczos_weights_integrate_polynomials_exactly():
    A, _, _ = symmetric()
    got = curvature.lanczos(lambda v: A @ v, jnp.zeros(8), 4, key=jax.random.key(4))
    full = curvature.lanczos(lambda v: A @ v, jnp.zeros(8), 8, key=jax.random.key(4))
    for power in range(8):  # 4 nodes are exact up to degree 7
        moment = jnp.sum(full.weights * full.eigenvalues**power)
        np.testing.assert_allclose(jnp.sum(got.weights * got.eigenvalues**power), moment, rtol=1e-9)
    np.testing.assert_allclose(got.weights.sum(), 1.0, rtol=1e-12)


def test_hutchinson_is_exact_for_a_diagonal_matrix():
    h = jnp.arange(5.0)
    got = curvature.hutchinson_trace(lambda v: h * v, h, 3, key=jax.random.key(0))
    assert got.value == 10 and got.standard_error == 0


def test_hutchinson_is_unbiased_and_its_error_is_the_known_one():
    A, h, _ = symmetric(p=30)
    got = curvature.hutchinson_trace(lambda v: A @ v, jnp.zeros(30), 4000, key=jax.random.key(0))
    known = np.sqrt(2 * (np.sum(A**2) - np.sum(np.diag(A) ** 2)) / 4000)
    np.testing.assert_allclose(got.standard_error, known, rtol=0.1)  # 1 / sqrt(2 * 4000) = 1 %
    assert abs(got.value - h.sum()) < 5 * known
    one = curvature.hutchinson_trace(lambda v: A @ v, jnp.zeros(30), 1, key=jax.random.key(0))
    assert jnp.isnan(one.standard_error)


def test_the_spectral_estimates_survive_jit_and_vmap():
    A, h, _ = symmetric(lowest=0.1)
    keys = jax.random.split(jax.random.key(0), 3)
    like = jnp.zeros(8)

    @jax.jit
    @jax.vmap
    def estimates(key):
        top = curvature.power_iteration(lambda v: A @ v, like, 200, key=key)
        ritz = curvature.lanczos(lambda v: A @ v, like, 8, key=key)
        trace = curvature.hutchinson_trace(lambda v: h * v, like, 1, key=key)
        return top.value, ritz.eigenvalues, trace.value

    values, spectra, traces = estimates(keys)
    np.testing.assert_allclose(values, [3.0] * 3, rtol=1e-10)
    np.testing.assert_allclose(spectra, [h] * 3, atol=1e-12)
    np.testing.assert_allclose(traces, [h.sum()] * 3, rtol=1e-12)


# Refusals


def test_a_vector_that_does_not_match_is_refused_with_both(net):
    _, params, _ = net
    for product in products(net).values():
        with pytest.raises(ValueError, match="v must match params: got PyTreeDef"):
            product({"w1": params["w1"]})
        with pytest.raises(ValueError, match=r"v\['b1'\] is float64\[5\], expected float64\[4\]"):
            product({**params, "b1": jnp.zeros(5)})
        with pytest.raises(ValueError, match=r"v\['b1'\] is float32\[4\], expected float64\[4\]"):
            product({**params, "b1": jnp.zeros(4, jnp.float32)})


def test_integer_params_are_refused_by_name():
    with pytest.raises(ValueError, match=r"params\['w'\] is int64\[2\], expected a floating-point"):
        curvature.hvp(lambda p: jnp.sum(p["w"]), {"w": jnp.arange(2)}, {"w": jnp.ones(2)})


def test_hessian_mvp_refuses_what_it_cannot_use(net):
    _, params, x = net
    plain = lambda p, example: cross_entropy(predict_one(p, example[0]), example[1])
    data = (x, LABELS)
    with pytest.raises(TypeError, match="curvature='ggn' needs a loss_fn made by compose"):
        curvature.hessian_mvp(plain, params, data, curvature="ggn")
    with pytest.raises(TypeError, match="curvature must be 'hessian' or 'ggn', got 'fisher'"):
        curvature.hessian_mvp(plain, params, data, curvature="fisher")
    for batch_size in (0, -1, 2.5):
        with pytest.raises(ValueError, match=f"positive whole number, got {batch_size}"):
            curvature.hessian_mvp(plain, params, data, batch_size=batch_size)
    with pytest.raises(ValueError, match="l2 must be a number or a tree prefix"):
        curvature.hessian_mvp(plain, params, data, l2={"v": 1.0})
    with pytest.raises(ValueError, match=r"loss of one example must be a scalar, got shape \(2,\)"):
        curvature.hessian_mvp(lambda p, example: predict_one(p, example[0]), params, data)
    with pytest.raises(ValueError, match=r"data\[0\] has 5 examples, but data\[1\] has 4"):
        curvature.hessian_mvp(plain, params, (x, LABELS[:4]))


def test_counts_out_of_range_are_refused():
    key, like, matvec = jax.random.key(0), jnp.zeros(3), lambda v: v
    with pytest.raises(ValueError, match="num_steps must be between 1 and the 3 entries, got 4"):
        curvature.lanczos(matvec, like, 4, key=key)
    with pytest.raises(ValueError, match="num_steps must be at least 1, got 0"):
        curvature.power_iteration(matvec, like, 0, key=key)
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        curvature.hutchinson_trace(matvec, like, 0, key=key)
    with pytest.raises(ValueError, match=r"logits of shape \(n, k\), got \(3,\)"):
        curvature.fvp(lambda p: p, like, like)


@pytest.mark.parametrize("size", [1e-25, 1.0, 1e25])
def test_lanczos_finds_eigenvalues_whose_squares_leave_float32(size):
    A = jnp.array([[1, 0.3, 0], [0.3, 2, 0], [0, 0, 3]], jnp.float32)
    scaled = np.float32(size) * A
    ritz = curvature.lanczos(
        lambda v: scaled @ v, jnp.zeros(3, jnp.float32), 3, key=jax.random.key(0)
    )
    want = np.linalg.eigvalsh(np.asarray(A, float))
    np.testing.assert_allclose(ritz.eigenvalues / np.float32(size), want, rtol=1e-5)  # float32


# --------------------------------------------------------------------------------------
# hessian_sampler
# --------------------------------------------------------------------------------------


def test_sampled_products_are_those_of_one_drawn_batch_and_right_in_the_mean():
    rows = np.random.default_rng(0).normal(size=(5, 3))
    loss = lambda p, row: 0.5 * (row @ p) ** 2  # its Hessian is the outer product of the row
    sample = curvature.hessian_sampler(loss, jnp.zeros(3), rows, l2=0.1, batch_size=2)
    each = [np.outer(row, row) for row in rows]
    pairs = np.array([(a + b) / 2 + 0.1 * np.eye(3) for a in each for b in each])
    keys = jax.random.split(jax.random.key(0), 4000)
    drawn = jax.vmap(lambda key: trees.dense(lambda v: sample(v, key), jnp.zeros(3)))(keys)
    gaps = np.abs(np.asarray(drawn)[:, None] - pairs).max(axis=(2, 3))
    assert (gaps.min(axis=1) < 1e-12).all()  # every draw is a batch of two, with replacement
    assert len(set(gaps.argmin(axis=1))) == 15  # all 10 unordered pairs, and 5 twice the same
    mean = rows.T @ rows / 5 + 0.1 * np.eye(3)
    error = np.abs(drawn.mean(axis=0) - mean) / (np.std(drawn, axis=0) / 4000**0.5)
    assert error.max() < 4  # standard errors


def test_the_same_key_draws_the_same_batch_and_the_ggn_is_sampled_too():
    X, y = np.random.default_rng(1).normal(size=(8, 3)), np.arange(8) % 2
    parts = lambda w, x: x @ w, lambda z, y: jax.nn.softplus(z) - y * z
    loss = curvature.compose(*parts)
    w, v = jnp.ones(3), jnp.arange(3.0)
    hessian, ggn = (
        curvature.hessian_sampler(loss, w, (X, y), batch_size=3, curvature=kind)
        for kind in ("hessian", "ggn")
    )
    for seed in range(3):
        key = jax.random.key(seed)
        np.testing.assert_array_equal(hessian(v, key), hessian(v, key))
        np.testing.assert_allclose(hessian(v, key), ggn(v, key), rtol=1e-12)  # a linear model
    assert not np.allclose(hessian(v, jax.random.key(0)), hessian(v, jax.random.key(1)))


def test_a_sampler_refuses_what_the_product_refuses():
    loss = lambda p, row: jnp.sum(row * p)
    with pytest.raises(ValueError, match="batch_size must be None or a positive whole number"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((3, 2)), batch_size=0)
    with pytest.raises(ValueError, match="a mini-batch needs a batch_size and data: got None"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((3, 2)), batch_size=None)
    with pytest.raises(ValueError, match="got 1 and 0 rows"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((0, 2)))
    with pytest.raises(TypeError, match="curvature='ggn' needs a loss_fn made by compose"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((3, 2)), curvature="ggn")
    with pytest.raises(ValueError, match="batch_size must be None or a positive whole number"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((3, 2)), batch_size=True)
    with pytest.raises(ValueError, match="expected a floating-point"):
        curvature.hessian_sampler(loss, np.arange(2), np.ones((3, 2)))
    with pytest.raises(ValueError, match="l2 must be a number or a tree prefix"):
        curvature.hessian_sampler(loss, jnp.ones(2), np.ones((3, 2)), l2=[1.0, 2.0])


# --------------------------------------------------------------------------------------
# Laws of what is made from products
# --------------------------------------------------------------------------------------


def laws_of_a_data_set(data, params, u, v, a, l2, weights):
    """As ``laws``, for the matrix of a mean loss, whole and in blocks that do not divide n."""
    loss = curvature.compose(lambda p, x: jnp.tanh(x @ trees.ravel(p)), cross_entropy)
    results = {}
    for kind in ("hessian", "ggn"):
        for size in (None, 2):
            options = dict(l2=l2, weights=weights, curvature=kind, batch_size=size)
            A = curvature.hessian_mvp(loss, params, data, **options)
            Au, Av = A(u), A(v)
            gap = trees.subtract(A(trees.add_scaled(u, a, v)), trees.add_scaled(Au, a, Av))
            laws = trees.vdot(u, Av), trees.vdot(v, Au), trees.vdot(v, Av), trees.norm(gap)
            results[kind, str(size)] = (*laws, trees.ravel(Av))
    return results


@pytest.mark.slow
@settings(deadline=None, max_examples=5)
@given(trees_of_params(), st.floats(-2, 2), st.data())
def test_the_matrix_of_a_data_set_is_symmetric_linear_and_as_positive_as_its_l2(drawn, a, data):
    params, u, v = drawn
    l2 = jax.tree.map(lambda _: data.draw(st.sampled_from([0.0, 0.3, 2.0])), params)
    weights = np.array(
        data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=5, max_size=5))
    )
    x = np.random.default_rng(0).normal(size=(5, 2, trees.size(params)))
    found = jax.jit(laws_of_a_data_set)((x, LABELS), params, u, v, a, l2, weights)
    for (kind, _), (u_A_v, v_A_u, v_A_v, gap, Av) in found.items():
        np.testing.assert_allclose(u_A_v, v_A_u, rtol=1e-10, atol=1e-12)
        assert gap < 1e-12
        np.testing.assert_allclose(Av, found[kind, "None"][-1], atol=1e-13)
        if kind == "ggn":
            assert v_A_v >= trees.vdot(v, trees.multiply(l2, v)) - 1e-13


@pytest.mark.slow
def test_the_operators_survive_jit_vmap_and_grad(net):
    """The derivative by params of u.H(params) v is the third derivative of the mean loss."""
    _, params, x = net
    loss = curvature.compose(predict_one, cross_entropy)
    data, key = (x, LABELS), jax.random.key(0)
    mean = lambda p: jnp.mean(jax.vmap(loss, (None, 0))(p, data))
    u, v = (trees.random_like(jax.random.key(i), params) for i in (1, 2))
    ways = {
        "operator": lambda p: curvature.hvp_operator(mean, p)(v),
        "whole": lambda p: curvature.hessian_mvp(loss, p, data)(v),
        "blocks": lambda p: curvature.hessian_mvp(loss, p, data, batch_size=2)(v),
        "sampler": lambda p: curvature.hessian_sampler(loss, p, data, batch_size=3)(v, key),
    }
    step = 1e-5
    for name, product in ways.items():
        along = jax.jit(lambda p: trees.vdot(u, product(p)))
        slope = jax.jit(jax.grad(along))(params)
        up, down = (along(trees.add_scaled(params, sign * step, v)) for sign in (1, -1))
        # central differences: an error of step^2 times a fifth derivative, and rounding over step
        np.testing.assert_allclose(trees.vdot(slope, v), (up - down) / (2 * step), rtol=1e-7)
        many = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf + 0.1]), params)
        both = jax.vmap(along)(many)
        np.testing.assert_allclose(both[0], along(params), rtol=1e-12, err_msg=name)
        np.testing.assert_allclose(both[1], along(trees.take_rows(many, 1)), rtol=1e-12)


def test_spectral_estimates_and_the_dense_matrix_have_derivatives():
    """All are of degree one in the matrix: A = s B has the derivative of its value at s = 1."""
    B, h, _ = symmetric(lowest=0.1)
    like, key = jnp.zeros(8), jax.random.key(3)
    scaled = lambda s: lambda v: s * (B @ v)
    of_scale = {
        "power": lambda s: curvature.power_iteration(scaled(s), like, 200, key=key).value,
        "lanczos": lambda s: curvature.lanczos(scaled(s), like, 8, key=key).eigenvalues[0],
        "hutchinson": lambda s: curvature.hutchinson_trace(scaled(s), like, 3, key=key).value,
        "dense": lambda s: trees.dense(scaled(s), like)[1, 2],
        "blocks": lambda s: trees.dense(scaled(s), like, batch_size=3)[1, 2],
    }
    for name, f in of_scale.items():
        value, slope = jax.jit(jax.value_and_grad(f))(1.0)
        np.testing.assert_allclose(slope, value, rtol=1e-8, err_msg=name)
    matrices = jax.vmap(lambda s: trees.dense(scaled(s), like))(jnp.array([1.0, 2.0]))
    np.testing.assert_allclose(matrices, [B, 2 * B], atol=1e-14)


def test_power_iteration_gains_the_ratio_of_two_eigenvalues_at_each_step():
    h = jnp.array([3.0, 1.5, 0.5])
    run = jax.jit(
        lambda k: curvature.power_iteration(lambda v: h * v, h, k, key=jax.random.key(0)),
        static_argnums=0,
    )
    sine = lambda k: jnp.linalg.norm(run(k).vector[1:])  # of the angle to the first axis
    for k in (10, 15):
        np.testing.assert_allclose(sine(k + 1) / sine(k), 1.5 / 3, rtol=1e-4)  # up to sine^2
    value = lambda k: 3 - run(k).value  # a Rayleigh quotient errs with the square
    np.testing.assert_allclose(value(11) / value(10), (1.5 / 3) ** 2, rtol=1e-3)


def test_a_dominant_negative_eigenvalue_keeps_its_sign():
    A, h, q = symmetric(lowest=-4.0)
    assert h[0] == -4 and h[-1] == 3
    found = curvature.power_iteration(lambda v: A @ v, jnp.zeros(8), 200, key=jax.random.key(0))
    np.testing.assert_allclose(found.value, -4.0, rtol=1e-12)
    assert found.residual_norm < 1e-6


def test_the_error_of_each_ritz_value_is_the_residual_of_its_pair():
    A, _, _ = symmetric(p=12)
    got = curvature.lanczos(lambda v: A @ v, jnp.zeros(12), 5, key=jax.random.key(2))
    gaps = got.eigenvectors @ A - got.eigenvalues[:, None] * got.eigenvectors
    np.testing.assert_allclose(got.residual_norms, np.linalg.norm(gaps, axis=1), rtol=1e-10)
