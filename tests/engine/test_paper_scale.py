"""The experiments of the papers, each run at a size that a laptop does in seconds."""

import json
import math
import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import logsumexp, softmax

import course_utils as cu
from course_utils import data, models, paper_scale, plotting, training
from course_utils.cli import main, paper, setup_venv
from course_utils.paper_scale import EXPERIMENTS, Images

DIGITS = data.digits()
SMALL = DIGITS.X.reshape(-1, 4, 2, 4, 2).mean(axis=(2, 4)).reshape(-1, 16)  # 4 x 4 pixels


def digits(num_train, X=DIGITS.X):
    return Images(*data.split(X, DIGITS.y, num_train), "digits")


@pytest.fixture
def nothing_asked(monkeypatch, tmp_path):
    """No variable is set, and results go into a file of the test."""
    for name in ("COURSE_SCALE", "COURSE_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(paper_scale, "STORED", tmp_path / "stored.json")


@pytest.fixture
def folder(tmp_path):
    """Forty images of 28 x 28 pixels as MNIST's files of test images."""
    X, y = data.mnist_small(per_class=4)
    images = np.round(X * 255).astype(np.uint8).reshape(-1, 28, 28)
    for kind, array in {"images-idx3": images, "labels-idx1": y.astype(np.uint8)}.items():
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (tmp_path / f"t10k-{kind}-ubyte").write_bytes(head + array.tobytes())
    return tmp_path


@pytest.fixture
def with_everything(monkeypatch, nothing_asked, folder):
    """All that a run needs, and an experiment of no length."""
    monkeypatch.setenv("COURSE_DATA", str(folder))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    quick = lambda: {"n": jnp.asarray(40), "r": np.float32(0.5), "lost": math.nan, "images": "few"}
    monkeypatch.setitem(EXPERIMENTS, "quick", paper_scale.Experiment(quick, 7, {"r": 0.86}))


# Leaving points out


def test_scores_of_a_linear_model_foretell_refits_and_are_those_of_a_dense_solve():
    images, n, l2 = digits(400, SMALL), 300, 0.01
    sizes = dict(n=n, l2=l2, top=20, scale=8.0, depth=2_000, num_samples=4)
    found = paper_scale.leave_one_out_linear(images, **sizes)
    assert found["r, CG"] > 0.99 and 0.8 < found["slope, CG"] < 1
    assert found["r, LiSSA"] > 0.99 and 0 < found["error of LiSSA's solution"] < 0.2
    assert found["gradient of the fit"] < 1e-9 and found["n"] == n and found["parameters"] == 160

    # once more, on the last rows: scores by a dense solve, refits by Newton's method in NumPy
    (X, y), t = (a[-n:] for a in images.train), found["test image"]
    W, everything = np.zeros((16, 10)), np.ones(n)
    for _ in range(9):
        H = curvature(W, X, l2)
        W = newton_step(W, X, y, everything, l2, H)
    read = np.argmax(images.test.X @ W, axis=1) == images.test.y
    assert not read[t] and read[:t].all(), "the first that is misread"
    loss = lambda W, z: models.cross_entropy(z[0] @ W, z[1])
    fit = cu.FittedModel(loss, W, (X, y), l2=l2, removal="refit-mean")
    asked = images.test.X[[t]], images.test.y[[t]]
    scores = cu.influence(fit, asked, solver=cu.Exact()).scores[0]
    chosen = np.argsort(-abs(scores))[:20]
    real = []
    for i in chosen:
        keep, refit = everything * n / (n - 1), W
        keep[i] = 0
        for _ in range(12):
            refit = newton_step(refit, X, y, keep, l2, H)
        values = [logsumexp(z := asked[0][0] @ V) - z[asked[1][0]] for V in (refit, W)]
        real.append(values[0] - values[1])
    agreed = cu.check_influence(scores[chosen], np.array(real))
    wanted = [agreed.pearson, agreed.slope]
    np.testing.assert_allclose([found["r, CG"], found["slope, CG"]], wanted, rtol=1e-6)


def curvature(W, X, l2):
    """The Hessian of softmax regression, (d k, d k)."""
    n, d, k = *X.shape, W.shape[1]
    P = softmax(X @ W, axis=1)
    M = P[:, :, None] * np.eye(k) - P[:, :, None] * P[:, None]
    H = np.einsum("ni,nab,nj->iajb", X, M, X, optimize=True) / n
    return H.reshape(d * k, d * k) + l2 * np.eye(d * k)


def newton_step(W, X, y, weights, l2, H):
    """A step with the matrix H towards the fit with these weights of the examples."""
    residual = weights[:, None] * (softmax(X @ W, axis=1) - np.eye(W.shape[1])[y])
    slope = X.T @ residual / len(y) + l2 * W
    return W - np.linalg.solve(H, slope.ravel()).reshape(W.shape)


def test_scores_of_an_unfinished_network_go_with_refits_from_where_it_stands():
    sizes = dict(n=60, channels=(1, 8), top=8, batch_size=60, step_size=1e-3)
    found = paper_scale.leave_one_out_cnn(
        digits(200, SMALL), num_steps=30_000, refit_steps=20_000, faster=30, **sizes
    )
    assert found["steps"] == 1_000 and found["steps of a refit"] == 666
    assert found["parameters"] == 80 + 90 and found["points left out"] == 8
    assert all(math.isfinite(value) for value in found.values() if not isinstance(value, str))
    assert found["r"] > 0.7 and found["slope"] > 0.05, "refits differ, and as foretold"
    assert found["gradient of the fit"] > 1e-4, "it has not converged"


def test_where_the_hessian_points_down_the_scores_are_by_gauss_newton():
    """One output z = a b, at a place where the Hessian of z^2/2 - z has a negative curvature."""
    loss = cu.compose(lambda w, x: x * w[0] * w[1], lambda z, y: z**2 / 2 - y * z)
    w, train, asked = jnp.array([0.1, 0.2]), (jnp.ones(3), jnp.ones(3)), (jnp.ones(1), jnp.ones(1))
    with pytest.warns(RuntimeWarning, match="not positive definite"):
        scores, least, definite = paper_scale.damped_scores(loss, w, train, asked, 0.01, 0.1)
    slope = (0.1 * 0.2 - 1) * np.array([0.2, 0.1])
    G = np.outer([0.2, 0.1], [0.2, 0.1]) + 0.11 * np.eye(2)
    np.testing.assert_allclose(scores, np.full(3, slope @ np.linalg.solve(G, slope) / 3), rtol=1e-6)
    assert not definite and least < -0.1
    scores, least, definite = paper_scale.damped_scores(loss, w, train, asked, 0.01, 2.0)
    H = G - 0.11 * np.eye(2) + (0.02 - 1) * np.array([[0, 1], [1, 0]]) + 2.01 * np.eye(2)
    np.testing.assert_allclose(scores, np.full(3, slope @ np.linalg.solve(H, slope) / 3), rtol=1e-6)
    assert definite and least < 0, "without the damping it would not be"


# The attack


@pytest.fixture(scope="module")
def top():
    """Softmax regression on pixels and a one, a test image, and the attack on it."""
    X, y = jnp.asarray(SMALL[:60].reshape(-1, 4, 4, 1)), jnp.asarray(DIGITS.y[:60])
    features = lambda x: jnp.pad(
        x.reshape(*x.shape[:-3], 16), [(0, 0)] * (x.ndim - 3) + [(0, 1)], constant_values=1
    )
    loss = lambda W, z: models.cross_entropy(features(z[0]) @ W, z[1])
    risk = training.empirical_risk(loss, (X, y), l2=0.01)
    W, _ = training.minimize(risk, jnp.zeros((17, 10)))
    t = np.flatnonzero(np.argmax(SMALL[60:] @ W[:16] + W[16], 1) == DIGITS.y[60:])[0] + 60
    asked = jnp.asarray(SMALL[t].reshape(4, 4, 1)), jnp.asarray(DIGITS.y[t])
    order = jax.jit(lambda l2: paper_scale.order_by_slope(features, W, (X, y), asked, l2))(0.01)
    attack = jax.jit(
        lambda count, size, rounds=5: paper_scale.attacked(
            features, W, (X, y), asked, order[:5], count, size, l2=0.01, rounds=rounds
        )
    )
    return features, loss, W, (X, y), asked, order, attack


def test_an_attack_stays_in_its_box_raises_the_loss_and_ends_in_a_refit(top):
    features, loss, W, train, asked, order, attack = top
    i = order[:5]
    none, clean = attack(0, 0.25), train[0][i]
    np.testing.assert_array_equal(none.images, clean)
    np.testing.assert_allclose(none.params, W, atol=1e-8)
    assert not none.misread and abs(none.loss_rise) < 1e-8
    rises = []
    slope_at = jax.jit(lambda W, data: jax.grad(training.empirical_risk(loss, data, l2=0.01))(W))
    for count, size in [(1, 0.25), (5, 0.25), (5, 0.5)]:
        end = attack(count, size)
        move = np.abs(end.images - clean)
        assert move.max() <= size + 1e-12 and not move[count:].any() and move[:count].any()
        assert end.images.min() >= 0 and end.images.max() <= 1
        changed = train[0].at[i].set(end.images), train[1]
        slope = slope_at(end.params, changed)
        assert jnp.linalg.norm(slope) < 1e-6 and end.gradient_left < 1e-6, "a refit on them"
        after = loss(end.params, asked) - loss(W, asked)
        np.testing.assert_allclose(end.loss_rise, after, rtol=1e-9)
        assert end.misread or jnp.argmax(features(asked[0]) @ end.params) == asked[1]
        rises.append(float(after))
    assert 0 < rises[0] < rises[1] < rises[2] and end.misread


def test_the_images_to_attack_are_those_of_the_largest_perturbation_influence(top):
    _, loss, W, train, asked, order, attack = top
    fit = cu.FittedModel(loss, W, train, l2=0.01)
    one = tuple(a[None] for a in asked)
    slopes = cu.perturbation_influence(fit, one, np.arange(60), solver=cu.Exact())[0]
    wanted = np.argsort(-np.abs(slopes).sum(axis=(1, 2, 3)))
    np.testing.assert_array_equal(order[:10], wanted[:10])
    clean = np.asarray(train[0])[wanted[:5]]
    ahead = np.clip(clean + 0.1 * np.sign(slopes[wanted[:5]]), 0, 1)
    np.testing.assert_allclose(attack(5, 0.4, rounds=1).images, ahead, atol=1e-12)


def test_the_whole_attack_counts_test_images_and_moves_features():
    sizes = dict(cnn_images=200, n=60, num_tests=5, channels=(1, 6), cnn_steps=300)
    found = paper_scale.training_set_attack(
        digits(400, SMALL), counts=(1, 6), levels=(0, 128), rounds=4, **sizes
    )
    assert found["n"] == 60 and found["test images attacked"] == 5
    assert found["share misread, 1 by 0 levels"] == found["mean move of features, 0 levels"] == 0
    assert found["share misread, 6 images by 128 levels"] >= 0.4
    assert found["mean move of features, 128 levels"] > 0.01
    assert found["largest gradient of a fit"] < 1e-4


# Wrong labels


def test_shares_of_wrong_labels_are_those_of_numpy():
    sizes = dict(n=150, num_seeds=3, l2s=(0.1, 0.001), checked=0.1)
    images = digits(1_000)
    found = paper_scale.run("wrong_labels", images=images, **sizes)
    assert found["seconds"] > 0 and found["jax"] == jax.__version__
    assert found["machine"] == "cpu (cpu)" and json.loads(json.dumps(found)) == found
    lasting = [i for i, label in enumerate(images.train.y) if label in (3, 8)][:150]
    X, clean = images.train.X[lasting], images.train.y[lasting] == 8
    for l2 in sizes["l2s"]:
        shares = np.array([numpy_shares(X, clean, l2, seed) for seed in range(3)])
        for name, values in zip(paper_scale.RANKINGS, shares.T):
            assert found[f"{name}, l2 {l2:g}"] == pytest.approx(values.mean())
            error = values.std(ddof=1) / 3**0.5
            assert found[f"{name}, l2 {l2:g}, standard error"] == pytest.approx(error)
            assert ((values >= 0) & (values <= 1)).all()
        lead = shares[:, 1].mean() - shares[:, 0].mean()
        assert found[f"lead of self-influence over loss, l2 {l2:g}"] == pytest.approx(lead)
        assert found[f"largest gradient, l2 {l2:g}"] < 1e-8
    assert found["loss, l2 0.1"] > 0.3, "a random order finds 0.1"


def numpy_shares(X, clean, l2, seed):
    """What each ranking finds among its first tenth, by Newton's method and n refits."""
    n = len(clean)
    flip = np.zeros(n, bool)
    flip[np.random.default_rng(seed).choice(n, n // 10, replace=False)] = True
    y = np.where(flip, ~clean, clean).astype(float)

    def step(w, keep):
        p = 1 / (1 + np.exp(-X @ w))
        H = X.T * (keep * p * (1 - p)) @ X / n + l2 * np.eye(X.shape[1])
        return w - np.linalg.solve(H, X.T @ (keep * (p - y)) / n + l2 * w), H

    w = np.zeros(X.shape[1])
    for _ in range(30):
        w, H = step(w, np.ones(n))
    loss = lambda w: np.logaddexp(0, np.where(y == 1, -1, 1) * (X @ w))
    p = 1 / (1 + np.exp(-X @ w))
    own = (p - y) ** 2 * np.einsum("id,di->i", X, np.linalg.solve(H, X.T)) / n
    keeps = 1 - np.eye(n)
    without = np.array([loss(step(w, keep)[0])[i] for i, keep in enumerate(keeps)])
    count = n // 10
    return [
        flip[np.argsort(-score, kind="stable")[:count]].mean() * count / flip.sum()
        for score in (loss(w), own, without)
    ]


# What a lesson shows, and the command


def test_images_come_from_the_folder_and_say_which_they_are(monkeypatch, folder):
    monkeypatch.setenv("COURSE_DATA", str(folder))
    train, test, source = paper_scale.mnist_images()
    assert len(train.y) == 36 and len(test.y) == 4 and "test images of MNIST alone" in source
    together = np.concatenate([train.X, test.X])
    wanted = data.mnist("test")
    assert np.lexsort(together.T).shape == (40,)
    np.testing.assert_array_equal(np.sort(together, axis=0), np.sort(wanted.X, axis=0))
    for name in ("images-idx3-ubyte", "labels-idx1-ubyte"):
        (folder / f"train-{name}").write_bytes((folder / f"t10k-{name}").read_bytes())
    train, test, source = paper_scale.mnist_images()
    assert len(train.y) == len(test.y) == 40 and source == "training and test images of MNIST"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_without_being_asked_a_report_is_one_sentence(name, nothing_asked, capsys):
    paper_scale.report(name)
    said = " ".join(capsys.readouterr().out.split())
    assert said == (
        "Not run at the paper's size, for want of COURSE_SCALE=paper: this cell, or python3 -m "
        f"course_utils paper {name}, takes an estimated {EXPERIMENTS[name].minutes} minutes on one "
        "large GPU (H200) with COURSE_SCALE=paper and COURSE_DATA, a folder with MNIST's IDX "
        "files, and no such run has been stored yet."
    )


def test_where_something_is_missing_the_sentence_names_it(nothing_asked, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SCALE", "paper")
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    paper_scale.report("wrong_labels")
    said = " ".join(capsys.readouterr().out.split())
    assert (
        "want of a GPU that JAX sees and of COURSE_DATA, a folder with MNIST's IDX files:" in said
    )
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    paper_scale.report("wrong_labels")
    assert "for want of COURSE_DATA, a folder" in " ".join(capsys.readouterr().out.split())


def test_a_run_and_a_stored_one_are_shown_beside_the_paper(with_everything, monkeypatch, capsys):
    tables = []
    keep = lambda rows, heads, **options: tables.append((rows, heads, options["caption"]))
    monkeypatch.setattr(plotting, "table", keep)
    monkeypatch.setenv("COURSE_SCALE", "paper")
    paper_scale.report("quick")
    (rows, heads, caption), *_ = tables
    assert heads == ["", "here", "paper"] and capsys.readouterr().out == ""
    assert rows[:3] == [["n", 40, None], ["r", 0.5, 0.86], ["lost", None, None]]
    assert rows[3][0] == "seconds" and len(rows) == 4
    assert caption.startswith(f"cpu (cpu), jax {jax.__version__}, 20") and caption.endswith("few")

    old = {"r": 0.9, "machine": "an old one", "jax": "0.7", "date": "2026-01-02", "images": "all"}
    paper_scale.store("quick", old)
    monkeypatch.delenv("COURSE_SCALE")
    paper_scale.report("quick")
    said = " ".join(capsys.readouterr().out.split())
    assert said.endswith("with MNIST's IDX files, and a stored run gave what follows.")
    assert tables[1][0] == [["r", 0.9, 0.86]]
    assert tables[1][2] == "an old one, jax 0.7, 2026-01-02; all"


def test_another_scale_is_refused(nothing_asked, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_SCALE", "big")
    with pytest.raises(ValueError, match="COURSE_SCALE must be 'paper' or not set.*'big'"):
        paper_scale.report("wrong_labels")
    assert paper.main([]) == 1 and "it is 'big'" in capsys.readouterr().err


def test_the_command_runs_and_stores(with_everything, capsys):
    assert paper.main(["quick"]) == 0 and paper_scale.stored() == {}
    assert json.loads(capsys.readouterr().out.removeprefix("quick "))["r"] == 0.5
    assert paper.main(["quick", "--store"]) == 0
    paper_scale.store("another", {"n": 1})
    assert paper_scale.stored()["quick"]["lost"] is None and len(paper_scale.stored()) == 2


def test_the_command_says_what_it_lacks(nothing_asked, capsys):
    assert paper.main(["dance"]) == 2
    assert capsys.readouterr().err.startswith("There is no experiment 'dance'; there are leave_one")
    assert paper.main(["wrong_labels"]) == 1
    assert "COURSE_DATA, a folder with MNIST's IDX files." in capsys.readouterr().err


def test_the_command_is_a_job_of_the_course(monkeypatch):
    monkeypatch.setattr(setup_venv, "ensure", lambda extras: sorted(extras))
    monkeypatch.setattr(main, "_become", lambda *how: how)
    extras, command, _ = main.main(["paper", "wrong_labels", "--store", "--gpu"])
    assert extras == ["cuda", "lab"]
    assert command == ["-m", "course_utils.cli.paper", "wrong_labels", "--store"]


def test_what_is_stored_is_what_the_experiments_return():
    for name, result in paper_scale.stored().items():
        assert name in EXPERIMENTS
        assert {"n", "images", "machine", "jax", "date", "seconds"} <= set(result)
