"""The same numbers in float32 and in float64, on whatever device is the default one (T13).

One script goes through every numeric room, in a process of its own: float32 is what JAX gives where
nothing is switched on. Oracles are NumPy's, in float64.
"""

import os
import re
import subprocess
import sys

import pytest

SCRIPT = """
import warnings
import jax, jax.numpy as jnp, numpy as np
jax.config.update("jax_enable_x64", X64)
import course_utils as cu
from course_utils import trees
from course_utils.cli.compilation_cache import HALF_WRITTEN
warnings.simplefilter("error")
warnings.filterwarnings("ignore", HALF_WRITTEN)

draw = np.random.default_rng(0)
N, D, K, L2 = 30, 4, 3, 0.1
X, XT = draw.normal(size=(N, D)), draw.normal(size=(5, D))
Y, YT = X @ [1.0, -2.0, 0.5, 0.0] + draw.normal(size=N), draw.normal(size=5)
H = X.T @ X / N + L2 * np.eye(D)
ridge = lambda X, Y: np.linalg.solve(X.T @ X + N * L2 * np.eye(D), X.T @ Y)  # fixed-weight
theta = ridge(X, Y)
real = lambda *arrays: tuple(np.asarray(a, float if X64 else np.float32) for a in arrays)
w, A, train, test = *real(theta, H), real(X, Y), real(XT, YT)
loss = cu.compose(lambda p, x: x @ p, lambda z, y: 0.5 * (z - y) ** 2)
prediction = lambda p, z: z[0] @ p
G, GT = X * (X @ theta - Y)[:, None], XT * (XT @ theta - YT)[:, None]


def check(name, got, expected, eps=EPS):
    got = jax.tree.leaves(got)
    assert all(leaf.dtype == w.dtype for leaf in got), (name, [leaf.dtype for leaf in got])
    expected = jax.tree.leaves(expected)
    for leaf, other in zip(got, expected, strict=True):
        gap = np.abs(np.asarray(leaf, float) - other).max()
        assert gap <= eps * np.abs(other).max(), (name, gap / np.abs(other).max())


# Products and spectra
(v,) = real(draw.normal(size=D))
mean = lambda p: jnp.mean(jax.vmap(loss, (None, 0))(p, train))
check("hvp", cu.hvp(mean, w, v), (H - L2 * np.eye(D)) @ v)
for size in (None, 7):
    product = cu.hessian_mvp(loss, w, train, l2=L2, batch_size=size, curvature="ggn")
    check("hessian_mvp", product(v), H @ v)
W = draw.normal(size=(D, K))
z = X @ W
p = np.exp(z - z.max(1, keepdims=True))
p /= p.sum(1, keepdims=True)
U = draw.normal(size=(D, K))
u = X @ U
fisher = X.T @ (p * u - p * (p * u).sum(1, keepdims=True)) / N
logits = lambda W: train[0] @ W
check("fvp", cu.fvp(logits, *real(W, U)), fisher)
labels = draw.integers(K, size=N)
criterion = lambda z: jnp.mean(jax.nn.logsumexp(z, 1) - z[jnp.arange(N), labels])
check("ggnvp", cu.ggnvp(logits, criterion, *real(W, U)), fisher)
matvec = lambda v: A @ v
values = np.linalg.eigvalsh(H)
check("dense", cu.dense(product, w), H)
check("lanczos", cu.lanczos(matvec, w, D, key=jax.random.key(0)).eigenvalues, values)
check("power", cu.power_iteration(matvec, w, 300, key=jax.random.key(0)).value, values[-1])
trace = cu.hutchinson_trace(lambda v: real(np.diag(H))[0] * v, w, 2, key=jax.random.key(0)).value
check("hutchinson", trace, np.trace(np.diag(np.diag(H))))

# Solvers: the error is the residual, or rounding, times the condition number
condition = values[-1] / values[0]
solution = np.linalg.solve(H, v)
for name, (x, info) in {
    "cg": cu.cg(matvec, v, tol=TOL),
    "jacobi": cu.cg(A, v, tol=TOL, M=lambda r: r / np.diag(A)),
    "direct": cu.direct(A, v),
    "neumann": cu.neumann(A, v, scale=float(values[-1]), num_terms=2000, tol=TOL),
    "lissa": cu.lissa(A, v, scale=2.0, recursion_depth=2000, average=0.0, tol=TOL),
}.items():
    check(name, x, solution, condition * max(EPS, TOL))
    assert info.converged and info.residual_norm.dtype == w.dtype, name

# Influence functions
exact = GT @ np.linalg.solve(H, G.T) / N
for batch_size in (None, 7):
    fit = cu.FittedModel(loss, w, train, l2=L2, batch_size=batch_size)
    for solver in (cu.CG(), cu.CG(block=False), cu.Exact(), cu.Arnoldi(rank=D)):
        found = cu.influence(fit, test, solver=solver)
        check("influence", found.scores, exact, condition * max(EPS, TOL))
        assert found.scores.dtype == found.s_test.dtype == w.dtype
fit = cu.FittedModel(loss, w, train, l2=L2)
options = dict(solver=cu.Exact())
eps = condition * EPS
own = (G * np.linalg.solve(H, G.T).T).sum(1) / N
check("self", cu.self_influence(fit, **options), own, eps)
check("grad_z", cu.grad_z(fit), G)
without = np.stack([ridge(np.delete(X, i, 0), np.delete(Y, i)) for i in range(N)]) - theta
moves = cu.influence_on_params(fit, np.arange(N), corrected=True, **options)
check("corrected", moves, without, eps)
groups = [[3], list(range(10, 20))]
for order in (1, 2, "newton"):
    asked = dict(order=order, test_loss_fn=prediction)
    got = cu.group_influence(fit, test, groups, **asked, **options)
    expected = []
    for group in groups:
        g, H_U = G[group].sum(0) / N, X[group].T @ X[group] / N
        first = np.linalg.solve(H, g)
        second = first + np.linalg.solve(H, H_U @ first)
        expected.append({1: first, 2: second, "newton": np.linalg.solve(H - H_U, g)}[order])
    check("groups", got, XT @ np.transpose(expected), 10 * eps)
got = cu.perturbation_influence(fit, test, [2, 7], **options)
s = np.linalg.solve(H, GT.T).T
slopes = [[-(t * (X[i] @ theta - Y[i]) + (t @ X[i]) * theta) / N for i in (2, 7)] for t in s]
check("perturbation", got, np.array(slopes), eps)
path = draw.normal(size=(3, D))
each = [(X * (X @ q - Y)[:, None], XT * (XT @ q - YT)[:, None]) for q in path]
along = sum(rate / N * gt @ g.T for rate, (g, gt) in zip((0.3, 0.2, 0.1), each))
check("tracin", cu.tracin(loss, *real(path), train, test, [0.3, 0.2, 0.1]), along)
sweep = [GT @ np.linalg.solve(H + c * np.eye(D), G.T) / N for c in (0.0, 0.5)]
check("sweep", cu.damping_sweep(fit, test, [0.0, 0.5]), np.stack(sweep), eps)
damped = cu.FittedModel(loss, w, train, l2=L2, relative_damping=0.1)
assert abs(damped.damping / (0.1 * np.trace(H) / D) - 1) < EPS
weights = real(np.eye(N)[:2] == 0)[0]
refits, info = cu.retrain(fit, weights)
check("retrain", refits, theta + without[:2], 10 * condition * TOL)
assert info.converged.all()
"""

# Of a sum of thirty products; and the residual that converged means.
PRECISION = {True: (1e-12, 1e-10), False: (1e-5, 1e-5)}


def run(x64, **environment):
    eps, tol = PRECISION[x64]
    told = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"} | environment
    code = f"X64, EPS, TOL = {x64}, {eps}, {tol}\n" + SCRIPT
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=told)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize(
    "x64", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["float32", "float64"]
)
def test_every_room_works_in_both_precisions(x64, tmp_path):
    """And no product of matrices, of all that is compiled, is left to the default precision."""
    run(x64, JAX_DUMP_IR_TO=str(tmp_path))
    texts = {path.name: path.read_text() for path in tmp_path.glob("*.mlir")}
    products = [
        (name, line.strip())
        for name, text in texts.items()
        for line in text.splitlines()
        if "stablehlo.dot_general" in line
    ]
    assert len(products) > 100, len(products)
    careless = [p for p in products if not re.search(r"precision = \[HIGHEST, HIGHEST\]", p[1])]
    assert not careless, careless[:5]
