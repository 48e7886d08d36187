"""Wrong answers to the set on lessons 13 to 20."""

import re

import numpy as np
from scipy.stats import spearmanr

from problem_set_slips import in_numpy, returned, solved_by, swap

EXECUTED, MORE = (21, 246), (313, 277, 55, 8)


def unless(word, change):
    """``change``, but None where the solution has ``word``: there nothing would be wrong."""
    return lambda source: None if word in source else change(source)


def factor(new):
    return swap(r"(F, c = X\[:, free\]), .*", rf"\1, {new}")


def added(new):
    return swap(r"(z, y, c = z_U, y_U), .*?(?=  #)", rf"\1, {new}")


WRONG = {
    "I.1": {
        "no direct part": (returned("return -jax.grad(bracket)(theta)"), "through w* alone"),
        "the direct part alone": (returned("return by_theta"), "w held fixed"),
        "sign of one part": (
            returned("return by_theta + jax.grad(bracket)(theta)"),
            "One of the two parts",
        ),
        "sign": (returned(r"return -(\1)"), "sign of the whole"),
        "of the training cost": (
            swap("= jax.grad\\(valid_1(.*)valid", r"= jax.grad(train_1\1train"),
            "training cost",
        ),
        "no solve": (swap(r"jnp.linalg.solve\(H, by_w\)", "by_w"), None),
        "H as a factor": (swap(r"jnp.linalg.solve\(H, by_w\)", "H @ by_w"), None),
        "no penalty": (swap("(H = .*)", r"\1 - 0.09 * jnp.eye(len(w))"), None),
        "a column": (returned(r"return jnp.reshape(\1, (-1, 1))"), "shape of theta"),
    },
    "I.2": {
        "no memory": (swap(r"dm = beta \* dm", "dm = 0 * dm"), "derivative of m is forgotten"),
        "no term of the step size": (swap("(eta, deta = .*), part", r"\1, 0"), "product rule"),
        "no term of the memory": (
            swap(r"beta \* dm \+ m\b|dg \+ m - g", lambda found: found[0].split(" + m")[0]),
            "product rule",
        ),
        "the start stands still": (swap("dw = d\n", "dw = 0 * w0\n"), None),
        "no Hessian": (swap(r"hvp\(.*\)", "0 * w0"), "Where is H"),
        "sign of the Hessian": (swap("= (gradient.*), hvp", r"= \1, -hvp"), "wrong sign"),
        "half of the place": (swap(r"dw \+ beta \* dm( \+ m)?", "dw"), "All of that place"),
        "the whole schedule": (
            unless("part = 1.0", swap("(eta, deta = .*), part", r"\1, 1.0")),
            "part of a turn",
        ),
        "one step fewer": (swap(r"\(num_steps\)", "(num_steps - 1)"), "three times step_2"),
        "the derivative alone": (returned("return dw"), "A pair"),
        "exchanged": (returned("return dw, w"), None),
        "gradients twice": (
            swap("( *)g, dg = (.*)", r"\1gradient(w)\n\1g, dg = \2"),
            "gradient was called",
        ),
        "products twice": (
            swap("( *)g, dg = (.*)", r"\1hvp(w, dw)\n\1g, dg = \2"),
            "hvp was called",
        ),
    },
    "I.3": {
        "sign": (returned("return pull @ s"), "The sign"),
        "times n": (returned("return -n * (pull @ s)"), "n times too large"),
        "no other mean": (
            swap(r"pull = \(g.mean\(axis=0\) - g\) / \(n - 1\)", "pull = -g / n"),
            "n - 1 rows",
        ),
        "the old mean": (
            swap(r"pull = \(g - g.mean\(axis=0\)\) / \(n \+ 1\)", "pull = g / n"),
            "n + 1 rows",
        ),
        "its own share alone": (
            swap(r"pull = \(g.mean\(axis=0\) - g\)", "pull = -g"),
            "other shares change",
        ),
        "its own new share alone": (
            swap(r"pull = \(g - g.mean\(axis=0\)\)", "pull = g"),
            "other shares change",
        ),
        "n": (swap(r"\(n [+-] 1\)", "n"), "n, or n"),
        "the old one stays": (swap(r"(pull = .*?) - g\) / n", r"\1) / n"), "still there"),
        "the new one is missing": (
            swap(r"pull = \(gradients.*?\) - g\) / n", "pull = -g / n"),
            "is missing",
        ),
        "no solve": (swap(r"jnp.linalg.solve\(H, (.*)\)", r"\1"), None),
        "a sum": (swap(r"jnp.ones\(n\) / n", "jnp.ones(n)"), None),
        "no penalty": (swap("(H = .*)", r"\1 - 0.05 * jnp.eye(len(w))"), None),
        "a column": (returned(r"return (\1)[:, None]"), "shape (n,)"),
    },
    "I.4": {
        "no share": (swap("(tries = .*?) / n", r"\1"), "weight 1/n in the risk"),
        "signs left out": (swap(r"Z \*", "abs(Z) *"), "with its sign"),
        "divided by k": (swap("ddof=1", "ddof=0"), "divides by k - 1"),
        "no root": (swap(r" / k\*\*0.5", ""), "deviation of one try"),
        "over k": (swap(r"k\*\*0.5", "k"), "root of the number"),
        "another vector": (swap(r"Z \* (slope|bend\*\*0.5)", "Z"), "What gets the sign"),
        "no root of the factor": (swap(r"bend\*\*0.5", "bend"), "root of its factor"),
        "H of a sum": (swap("(product = .*?) / n", r"\1"), "H is that of a mean"),
        "no penalty": (swap(r" \+ l2 \* v", " + 1e-9 * v"), "penalty is missing"),
        "no solve": (swap(r"cg\(.*?\)\[0\]", "b"), "inverse of H"),
        "one number": (returned("return jnp.mean(tries)"), "Two numbers"),
    },
    "I.5": {
        "no corner": (swap("free = .*", "free = np.full(D, True)"), "without a corner"),
        "inverse, then cut": (
            swap(
                " A = .*",
                " A = np.linalg.solve(c * X.T @ X + l2 * np.eye(D), X.T).T[:, free]",
            ),
            "The order",
        ),
        "sign of the speed": (swap(r"-c \* r\[", "c * r["), "The sign"),
        "sign of the move": (swap(r"\(c \* r /", "(-c * r /"), "The sign"),
        "sign of the change": (swap(r"X @ w \+ h", "X @ w - h"), "The sign"),
        "half a mean": (factor("1 / N"), "half a mean of squares"),
        "a mean": (factor("2 / N"), "were a mean of squares"),
        "half a sum": (factor("1.0"), "half a sum of squares"),
        "no penalty": (swap("l2 \\* np.eye", "1e-9 * np.eye"), "penalty is missing"),
        "no leverage": (swap(r" / \(1 - h\)", ""), "its own curvature along"),
        "leverage": (
            swap(
                r"-c \* r\[:, None\] \* A",
                "-(c * r / (1 - c * np.sum(F * A, axis=1)))[:, None] * A",
            ),
            "at the beginning",
        ),
        "no residual": (swap("r = X @ w - y", "r = 1.0 + 0 * y"), "depends on its residual"),
    },
    "I.7": {
        "first order": (swap(" a = .*", " a = slope"), "sum of single scores"),
        "second order": (
            swap(" a = .*", " a = slope - c * bend * (K @ slope)"),
            "That is second order",
        ),
        "each by itself": (
            swap(r"\* K, slope", "* np.diag(np.diag(K)), slope"),
            "own curvature along",
        ),
        "wrong side": (
            unless("2.0 + 0 * z", swap(r"bend\[:, None\] \* K", "K * bend")),
            "other order",
        ),
        "sign": (swap("move = -c", "move = c"), "sign of the whole"),
        "sign of the curvature": (swap(r"\+ c \* bend", "- c * bend"), "taken away"),
        "no curvature of the loss": (swap(r"bend\[:, None\] \* K", "K"), "second derivative"),
        "no share in the system": (swap("K = X_U", "K = n * X_U"), "In the system, too"),
        "no share": (swap(" / n  #", "  #"), "factor 1/n"),
        "the group leaves": (added("-1.0"), "if the group leaves"),
        "the group twice": (added("1.0"), "second time"),
        "half of the group": (added("-0.5"), "half of its weight"),
        "all columns": (
            swap(r"solve\(X_U.T\)", "solve(np.eye(X_U.shape[1])) @ X_U.T"),
            "columns",
        ),
    },
}

CHECK_ALONE = set()


# --- answers in NumPy alone -----------------------------------------------------------------------

SLOPES = {  # of a loss by the output z, and its second derivative
    "half mean of squares": ("(z - t) / N", "1 / N"),
    "mean of squares": ("2 * (z - t) / N", "2 / N"),
    "half sum of squares": ("z - t", "1.0"),
    "log cosh": ("np.tanh(z - t) / N", "(1 - np.tanh(z - t) ** 2) / N"),
}
JUDGED = {
    "squares": "(z - t) / len(t)",
    "log cosh": "np.tanh(z - t) / len(t)",
    "bias": "np.mean(z - t) * np.ones(len(t)) / len(t)",
}
BY_THETA = {  # the derivative of each feature by its theta, or by the one of all
    "width": "-np.exp(theta) * (x[:, None] - C_1) ** 2 * P",
    "steepness": "np.exp(theta) * (x[:, None] - C_1) * (1 - P**2)",
    "centres": "2 * (x[:, None] - theta) * P",
    "frequencies": "x[:, None] * np.cos(x[:, None] * theta)",
}


def tuning_in_numpy(exercise):
    kind, fit, judge = (exercise.variant[name] for name in ("kind", "fit", "judge"))
    slope, bend = SLOPES[fit]
    l2 = re.search(r"\\frac\{([\d.]+)\}\{2\}", exercise.task)[1]
    total = "np.sum(by_each)" if kind in ("width", "steepness") else "by_each"
    body = f"""
        w, theta = np.asarray(w), np.asarray(theta)
        (x, t), N = train, len(train[0])
        P = np.asarray(features_1(theta, x))
        dP, z = {BY_THETA[kind]}, P @ w
        slope, bend = {slope}, {bend} + 0 * z
        H = (P.T * bend) @ P + {l2} * np.eye(len(w))
        x, t = valid
        Q, P = P, np.asarray(features_1(theta, x))
        dQ, dP, z = dP, {BY_THETA[kind]}, P @ w
        judged = {JUDGED[judge]}
        s = np.linalg.solve(H, P.T @ judged)
        by_each = w * (dP.T @ judged) - s * (dQ.T @ slope) - w * (dQ.T @ (bend * (Q @ s)))
        return {total}"""
    return solved_by(body, exercise)


LOSSES = {
    "logistic": ("-y / (1 + np.exp(y * z))", "1 / (2 + np.exp(z) + np.exp(-z))"),
    "counts": ("np.exp(z) - y", "np.exp(z)"),
    "log cosh": ("np.tanh(z - y)", "1 - np.tanh(z - y) ** 2"),
}
RATES = {  # the rate that the model gives, and its derivative
    "logistic": ("1 / (1 + np.exp(-z))", "1 / (2 + np.exp(z) + np.exp(-z))"),
    "counts": ("np.exp(z)", "np.exp(z)"),
    "log cosh": ("z", "1.0 + 0 * z"),
}


def what_if_in_numpy(exercise):
    loss, change, asked, bias = exercise.variant.values()
    (slope, bend), (rate, its_slope) = LOSSES[loss], RATES[loss]
    l2 = re.search(r"\\frac\{([\d.]+)\}\{2\}", exercise.task)[1]
    pull = {
        "left out": "(g.mean(axis=0) - g) / (n - 1)",
        "counted twice": "(g - g.mean(axis=0)) / (n + 1)",
        "relabelled": "(slope(X @ w, y_new)[:, None] * X - g) / n",
        "moved": "(slope(X_new @ w, y)[:, None] * X_new - g) / n",
    }[change]
    of_test = {
        "gap": """\
            A, B = test
            by_w = A.T @ change(A @ w) / len(A) - B.T @ change(B @ w) / len(B)""",
        "spread": """\
            (A,) = test
            off = rate(A @ w) - np.mean(rate(A @ w))
            by_w = 2 * A.T @ (off * change(A @ w)) / len(A)""",
        "loss": """\
            X_t, y_t = test
            by_w = X_t.T @ slope(X_t @ w, y_t) / len(y_t)""",
    }[asked]
    body = f"""\
            w, n = np.asarray(w), len(y)
            slope = lambda z, y: {slope}
            rate, change = lambda z: {rate}, lambda z: {its_slope}
{of_test}
            z = X @ w
            H = (X.T * ({bend})) @ X / n
            H = H + {l2} * np.diag(np.arange(len(w)) >= {int(bias)})
            g = slope(z, y)[:, None] * X
            return -({pull}) @ np.linalg.solve(H, by_w)"""
    return solved_by(body, exercise)


def signs_in_numpy(exercise):
    """Conjugate gradients by hand, row by row."""
    of_examples = re.search(r"Z \* (\S+)\) @ X", exercise.answer)[1]
    over = " / len(X)" if exercise.variant["average"] == "mean" else ""
    each = re.search("tries = (.*)", exercise.answer)[1].replace("jnp", "np")
    body = f"""
        n, U, B = len(X), [], (Z * {of_examples}) @ X
        for b in B:
            u, r, p = 0 * b, b, b
            for _ in range(4 * n + 20):
                if r @ r <= 1e-26 * (b @ b):
                    break
                Hp = X.T @ (bend * (X @ p)){over} + l2 * p
                step = (r @ r) / (p @ Hp)
                u, new = u + step * p, r - step * Hp
                r, p = new, new + (new @ new) / (r @ r) * p
            U.append(u)
        U = np.array(U)
        tries = {each}
        return np.mean(tries), np.std(tries, ddof=1) / np.sqrt(len(Z))"""
    return solved_by(body, exercise)


RIGHT = {
    "I.1": tuning_in_numpy,
    "I.2": in_numpy,
    "I.3": what_if_in_numpy,
    "I.4": signs_in_numpy,
    "I.5": in_numpy,
    "I.7": in_numpy,
}


# --- answers in words -----------------------------------------------------------------------------


def a_training_says_so(exercise):
    """By running the optimiser on the difference of two trainings, flat and steep."""
    task, answer = exercise.task, exercise.answer
    number = lambda symbol: re.search(rf"{symbol} = ([\d.]+)\$", task)
    eta, K = float(number(r"\\eta")[1]), int(number("K")[1])
    beta = float(found[1]) if (found := number(r"\\beta")) else 0.0

    def difference(h, steps):
        """e after so many steps, for g / n = 1."""
        e = v = 0.0
        for k in range(steps):
            size = eta
            if "along a line" in task:
                size = eta * (1 - k / steps)
            elif "first half" in task:
                size = eta if 2 * k < steps else eta / 10
            if "(1 - \\beta)" in task:
                v = beta * v + (1 - beta) * (h * e - 1)
            elif "\\beta v_k)" in task:
                v = beta * v + h * (e - size * beta * v) - 1
            else:
                v = beta * v + h * e - 1
            e = e - size * v
        return e

    flat, steep = difference(1e-12, K), 0.1 / eta
    assert np.isclose(difference(steep, K), 1 / steep, rtol=0.01)
    delta = float(re.search(r"= ([\d.e-]+)\$\.", answer)[1])
    assert np.isclose(delta, 1 / flat, rtol=0.1)
    shares = [1 / (h + delta) / difference(h, K) for h in delta * np.array([0.5, 1.8, 4])]
    assert "too small, by less than a quarter" in answer and 0.75 < min(shares) < max(shares) < 1
    popular = float(re.search(r"\\delta = ([\d.]+)\$ for this training", task)[1])
    steps = int(re.search(r"K \\approx ([\d,]+)\$ steps", answer)[1].replace(",", ""))
    if steps < 20_000:
        assert np.isclose(difference(1e-12, max(steps, 1)), 1 / popular, rtol=0.15, atol=5 * eta)
    ratio = 1 / popular / flat  # of the score to the difference
    told, times = re.search(
        r"scores are too (\w+), by a factor of up to ([\d.]+);", answer
    ).groups()
    assert told == ("small" if ratio < 1 else "large")
    assert np.isclose(float(times), max(ratio, 1 / ratio), rtol=0.1)
    shares = [1 / (h + popular) / difference(h, K) for h in delta * np.array([0.5, 2, 3, 4, 5])]
    if told == "small":
        assert ratio < min(shares) < max(shares) < 1
    else:
        assert "too small, by a tenth at most" in answer and 0.89 < min(shares)


def the_report_says_so(exercise):
    """By reading the tables, and by trying what other scores would do to an LDS."""
    task, answer = exercise.task, exercise.answer
    cells = [line.strip("| ").split(" | ") for line in task.split("\n") if line.startswith("| ")]
    (_, lds, other, slope), (_, plain, plain_other, _), (_, _, ceiling, _) = (
        [row[0], *map(float, row[1:])] for row in cells if len(row) == 4 and row[1][0].isdigit()
    )
    (predicted, top), (chance_predicted, chance), (near_predicted, near) = (
        map(float, row[1:]) for row in cells if len(row) == 3 and row[1][-1].isdigit()
    )
    verdicts = {
        "by how much": 0.8 < slope < 1.25,
        "another start": other > ceiling - 0.05,
        "because of the curvature": lds > plain,
        "merely most similar": top > near,
        "at random would": top > chance,
    }
    # None of them by a hair
    assert lds <= plain or lds > plain + 0.2
    assert other > ceiling - 0.05 or other < ceiling - 0.2
    assert all(top < control or top > 2 * control for control in (near, chance))
    # No table that cannot be: twenty that raise the loss as well as others do, and their scores
    assert near >= chance and near_predicted < predicted > chance_predicted
    assert plain <= 1 and max(other, plain_other) <= ceiling
    sizes = np.array([predicted / top, near_predicted / near, chance_predicted / chance])
    if verdicts["by how much"]:
        assert np.allclose(sizes, 1, atol=0.25)
    else:
        assert not 0.4 < sizes[0] < 2
    claims = re.findall(r"^\*\*([ABC])\.\*\* (.*)", task, re.M)
    for row in exercise.rubric.split("\n"):
        assert ("one of the two is enough" in row) == ("slope of predicted on measured" in row)
    told = dict(re.findall(r"([ABC]): ((?:not )?supported), since", answer))
    found = [next(v for words, v in verdicts.items() if words in claim) for _, claim in claims]
    assert [told[letter] == "supported" for letter, _ in claims] == found
    assert len(found) == 3 and any(found) and not all(found)
    times, plus = map(float, re.search(r"scores by (\S+) and then adds (\S+) to", task).groups())
    draw = np.random.default_rng(0)
    scores, gone = draw.normal(size=50), draw.random((60, 50)).argsort(axis=1) < 5
    measured = gone @ scores / slope + draw.normal(size=60)
    rank = lambda some: spearmanr(gone @ some, measured)[0]
    assert np.isclose(rank(scores), rank(times * scores + plus))
    line = lambda some: np.polyfit(measured, gone @ some, 1)[0]
    grown = line(times * scores + plus) / line(scores)
    new = re.search(r"slope becomes ([\d.]+),.* = ([\d.]+)\. The LDS stay", answer).groups()
    assert np.allclose([float(x) for x in new], [grown * slope, times * predicted + 20 * plus])


ANSWERS = {"I.6": a_training_says_so, "I.8": the_report_says_so}
