"""One device, eight devices and two processes say the same (T10)."""

import re
import socket
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest
from processes import variables

from course_utils import sharding

PROBLEM = """
import jax, sys
import numpy as np
jax.config.update("jax_enable_x64", X64)
from course_utils import (
    Arnoldi, CG, Exact, FittedModel, Kronecker, LiSSA, compose, grad_z, group_influence, influence,
    influence_on_disk, influence_on_params, kronecker_factors, models, perturbation_influence,
    s_test, self_influence,
)
from course_utils.retraining import proximal_refit, retrain

draw = np.random.default_rng(0)
N, D, K = 37, 5, 3  # 37 is not divisible by 8
dtype = float if X64 else np.float32
X, XT = draw.normal(size=(N, D)).astype(dtype), draw.normal(size=(6, D)).astype(dtype)
Y, YT = draw.integers(K, size=N), draw.integers(K, size=6)
params = {"W": draw.normal(size=(K, D)).astype(dtype), "b": np.zeros(K, dtype)}
loss = compose(
    lambda p, x: p["W"] @ x + p["b"], lambda z, y: jax.nn.logsumexp(z) - z[y]
)
l2, l2_of_layer = {"W": 0.1, "b": 0.05}, {"w": 0.1, "b": 0.05}
import warnings
warnings.simplefilter("ignore")  # params are at no optimum


def posed(**options):
    return FittedModel(loss, params, (X, Y), l2=l2, **options)


def scores(solver=CG(), **options):
    done = influence(posed(**options), (XT, YT), solver=solver)
    assert done.info.converged.all() or isinstance(solver, LiSSA)
    return done.scores
"""


def devices(count):
    return variables(
        *("JAX_", "XLA_"),
        JAX_PLATFORMS="cpu",
        JAX_DISABLE_MOST_OPTIMIZATIONS="1",
        XLA_FLAGS=f"--xla_force_host_platform_device_count={count}",
    )


def run(code, count=1):
    """Run code in a process of ``count`` devices; what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=devices(count)
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    "x64, eps", [(True, 1e-6), pytest.param(False, 1e-5, marks=pytest.mark.slow)]
)
def test_eight_devices_say_what_one_says(x64, eps):
    code = f"X64 = {x64}\n" + PROBLEM + f"EPS = {eps}\n"
    code += textwrap.dedent("""
        assert len(jax.devices()) == 8
        mesh = jax.make_mesh((4, 2), ("hosts", "cores"))


        def compared(what, one, eight):
            for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(eight), strict=True):
                a, b = np.asarray(a), np.asarray(b)
                assert a.shape == b.shape and a.size, (what, a.shape, b.shape)
                error = np.abs(a - b).max() / np.abs(a).max()
                assert error < EPS, (what, error)

        cases = [{}, dict(batch_size=2), dict(batch_size=2, curvature="ggn", solver=Exact())]
        cases += [dict(solver=Arnoldi(rank=18), removal="refit-mean"), dict(relative_damping=0.1)]
        for options in cases:
            one, eight = scores(**options), scores(mesh=mesh, **options)
            assert one.shape == (6, N)
            compared(options, one, eight)
        one, eight = (posed(mesh=m, removal="refit-mean") for m in (None, mesh))
        asked = (XT, YT)
        for ask in [
            lambda fit: grad_z(fit),
            lambda fit: s_test(fit, asked)[0],
            lambda fit: self_influence(fit),
            lambda fit: influence(fit, asked, candidates=asked).scores,
            lambda fit: influence_on_params(fit, [36, 2], corrected=True),
            lambda fit: group_influence(fit, asked, [[0, 36], range(9)], order=2),
            lambda fit: group_influence(fit, asked, [[0, 36], range(9)], order="newton"),
            lambda fit: perturbation_influence(fit, asked, [36]),
            lambda fit: retrain(fit, np.r_[np.zeros(5), np.ones(N - 5)][None])[0],
            lambda fit: proximal_refit(fit, [36])[0],
        ]:
            compared(ask, ask(one), ask(eight))
        layers = [{"w": params["W"].T, "b": params["b"]}]
        factors = jax.device_put(kronecker_factors(layers, X), jax.devices()[0])  # on one alone
        one, eight = (
            influence(
                FittedModel.at(
                    compose(models.mlp, models.cross_entropy), layers, (X, Y), l2=[l2_of_layer],
                    damping=0.2, curvature="ggn", mesh=m,
                ),
                asked, solver=Kronecker(factors),
            )
            for m in (None, mesh)
        )
        compared("Kronecker", one.scores, eight.scores)
        compared("its residual", one.info.residual_norm, eight.info.residual_norm)
        exact = scores(solver=Exact(), damping=0.1)
        sampled = LiSSA(recursion_depth=2000, batch_size=64)
        noisy = scores(sampled, damping=0.1, mesh=mesh)
        assert np.abs(noisy - exact).max() < 0.1 * np.abs(exact).max()
    """)
    run(code, 8)


@pytest.mark.slow
def test_two_processes_say_what_one_says():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    code = "X64 = True\nimport jax\n"
    code += f"jax.distributed.initialize('127.0.0.1:{port}', 2, RANK)\n" + PROBLEM
    code += textwrap.dedent("""
        assert len(jax.devices()) == 8 and len(jax.local_devices()) == 4
        mesh = jax.make_mesh((8,), ("data",))
        found = [scores(mesh=mesh), scores(mesh=mesh, solver=Exact(), batch_size=2)]
        print("sum", *(repr(float(f.sum())) for f in found), repr(float(np.abs(found[0]).max())))
        try:
            influence_on_disk("somewhere", posed(mesh=mesh), (XT, YT))
        except ValueError as error:
            print(error)
    """)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code.replace("RANK", str(rank))],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=devices(4),
        )
        for rank in range(2)
    ]
    try:
        ended = [process.communicate(timeout=600) for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], ended[0][1][-3000:]
    alone = run("X64 = True\n" + PROBLEM + "print('sum', repr(float(scores().sum())))")
    want = float(alone.split()[1])
    for out, _ in ended:
        plain, exact, size = map(float, re.search("sum (.*)", out)[1].split())
        assert abs(plain - want) < 1e-8 * size and abs(exact - want) < 1e-8 * size
        assert "influence_on_disk works in one process" in out


def test_rows_are_padded_with_weights_that_keep_every_mean():
    mesh = jax.make_mesh((1,), ("data",))
    rows, weights = sharding.place(mesh, {"x": np.arange(5.0), "y": np.arange(10).reshape(5, 2)})
    np.testing.assert_array_equal(rows["x"], np.arange(5.0))
    np.testing.assert_array_equal(weights, np.ones(5))
    code = textwrap.dedent("""
        import jax, numpy as np
        from course_utils import sharding
        mesh = jax.make_mesh((8,), ("data",))
        (x, y), w = sharding.place(mesh, (np.arange(11.0), np.arange(22).reshape(11, 2)))
        assert x.shape == w.shape == (16,) and y.shape == (16, 2)
        assert len(x.sharding.device_set) == 8
        np.testing.assert_allclose(np.mean(np.asarray(w) * np.asarray(x)), 5.0)
        assert w[:11].min() == w[:11].max() and not w[11:].any() and np.isfinite(y).all()
        (one,), w = sharding.place(mesh, (np.ones((1, 3)),))
        assert one.shape == (8, 3) and float(w[0]) == 8
    """)
    run(code, 8)


def test_nothing_cannot_be_placed():
    with pytest.raises(ValueError, match="there are no rows to place"):
        sharding.place(jax.make_mesh((1,), ("data",)), np.zeros((0, 2)))


def test_prng_keys_are_placed_like_numbers():
    mesh, keys = jax.make_mesh((1,), ("data",)), jax.random.split(jax.random.key(0), 3)
    (placed,), _ = sharding.place(mesh, (keys,))
    copied = sharding.replicate(mesh, keys)
    for got in (placed, copied):
        assert (jax.random.key_data(got) == jax.random.key_data(keys)).all()
