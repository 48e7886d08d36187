"""Wrong answers to the set on lessons 1 to 4."""

import re
import textwrap

import numpy as np

from course_utils import dynamics
from problem_set_slips import before, in_numpy, returned, solved_by, swap

EXECUTED, MORE = (244, 339), (38, 93, 188, 10, 4)

WRONG = {
    "F.1": {
        "a mean": (swap("n = .*", "n = N"), "data term"),
        "a sum": (swap("n = .*", "n = 1"), "data term"),
        "a weighted mean": (swap("n = .*", "n = jnp.sum(alpha)"), "data term"),
        "the penalty twice": (swap("ratio = (.*?) ", r"ratio = 2 * \1 "), "twice as much"),
        "half of the penalty": (swap("ratio = (.*?) ", r"ratio = \1 / 2 "), "half as much"),
        "no penalty": (swap("ratio = .*", "ratio = 0.0"), "without a penalty"),
        "no weights": (before("M = ", "alpha = jnp.ones(N)"), "where is alpha"),
        "weights squared": (before("M = ", "alpha = alpha**2"), "squared itself"),
        "a column": (returned(r"return (\1)[:, None]"), "shape is (D,)"),
        "the other side of the guess": (swap("@ guess", "@ -guess"), "sign of the guess"),
    },
    "F.2": {
        "a mean": (swap("factor = .*?  #", "factor = 2 / N  #"), "another multiple"),
        "half a mean": (swap("factor = .*?  #", "factor = 1 / N  #"), "another multiple"),
        "a sum": (swap("factor = .*?  #", "factor = 2.0  #"), "another multiple"),
        "half a sum": (swap("factor = .*?  #", "factor = 1.0  #"), "another multiple"),
        "the shallow direction": (swap(r"\[-1\]", "[0]"), "shallow"),
        "no memory": (returned("return 2 / h"), "without memory"),
        "heavy ball": (returned("return 2 * (1 + beta) / h"), "another method"),
        "singular value": (swap(r"(h = .*)", r"\1 ** 0.5"), "root of a curvature"),
        "all directions": (swap(r"\[-1\]", ""), "One number"),
        "the trace": (swap(r"h = .*", "h = jnp.trace(factor * Phi.T @ Phi)"), None),
    },
    "F.3": {
        "multiplied": (swap("w = t_scale \\* v / scale", "w = t_scale * v * scale"), "Multiplied"),
        "no shift": (swap(r"shift \* v / scale", "0 * v"), "no notice of the shift"),
        "sign of the shift": (swap(r"c - np", "c + np"), "wrong sign"),
        "targets not scaled": (before("w = ", "t_scale = 1.0"), "scale of the targets"),
        "targets not shifted": (before("w = ", "t_shift = 0.0"), "shift of the targets"),
        "the pair exchanged": (returned(r"b = (\1)[1]\n    return b, w"), "shape (D,)"),
        "divided by nothing": (swap(r" *scale = np.where.*\n", ""), "constant"),
        "as they came": (returned("return v, c"), "as they came"),
    },
    "F.4": {
        "not squared noise": (swap(r"noise\*\*2", "noise"), "Variances add"),
        "no noise": (before("N, D", "noise = 0.0"), "missing signal alone"),
        "least squares": (swap("f = .*", "f = jnp.ones(D)"), "least squares"),
        "not turned": (swap(r"a = .*", "a = w_star"), None),
        "weights": (returned("return jnp.sum(signal + error)"), "another measure"),
        "predictions": (returned("return jnp.sum(h * (signal + error))"), "another measure"),
        "new targets": (
            returned("return jnp.sum(h * (signal + error)) + noise**2"),
            "another measure",
        ),
        "the other half": (swap("f = (.*?)  #", r"f = 1 - (\1)  #"), None),
        "a sum": (swap("Phi.T @ Phi / N", "Phi.T @ Phi"), None),
    },
    "F.5": {
        "exchanged": (returned(r"first, second = \1\n    return second, first"), "exchanged"),
        "times N": (swap("(slope|bend) = (.*\\))", r"\1 = len(t) * \2"), None),
        "over N": (swap("(slope|bend) = (.*\\))", r"\1 = \2 / len(t)"), None),
        "slope not twice": (swap(r"dz\*\*2", "dz * (Phi @ v)"), "stands twice"),
        "no slope of the loss": (swap(r"slope \* ddz", "bend / bend * ddz"), None),
        "sign": (swap(r"slope \* ddz", "-slope * ddz"), "wrong sign"),
        "v at length 1": (swap("(path = .*)", r"v = v / jnp.linalg.norm(v)\n    \1"), "length"),
        "sums": (
            returned(r"first, second = \1\n    return jnp.sum(first), jnp.sum(second)"),
            "shape (N,)",
        ),
        "the slope squared": (swap(r"bend \* dz", "slope**2 * dz"), None),
    },
    "F.6": {
        "from 0": (swap("w, r = .*", "w, r = 0 * w0, -gradient(0 * w0)", 1), "begin at w0"),
        "uphill": (swap("-gradient", "gradient"), "uphill"),
        "a mean": (swap("data = .*", "data = 2 / N"), "another factor"),
        "a half sum": (swap("data = .*", "data = 1.0"), "another factor"),
        "penalty": (swap("penalty = (.*)", r"penalty = 3 * l2 - (\1)"), "penalty's factor"),
        "center 0": (swap("center = w0", "center = 0"), "pull to"),
        "center w0": (swap("center = 0", "center = w0"), "pull to"),
        "no conjugacy": (swap("p = r \\+ .*", "p = r"), "Is beta"),
        "a step more": (swap(r"range\(num_steps\)", "range(num_steps + 1)"), None),
        "no end": (swap("if rr == 0", "if rr < 0"), "0 / 0"),
        "twice the number": (returned(r"w, second = \1\n    return w, 2 * second"), "is asked"),
        "w alone": (returned("return w"), "A pair is wanted"),
        "products twice": (swap("( *)Ap = (.*)", r"\1Ap = \2\n\1Ap = \2"), "called push"),
    },
    "F.7": {
        "sign": (returned(r"return -(\1)"), "The sign"),
        "twice": (returned(r"return 2 * (\1)"), "twice too large"),
        "half": (returned(r"return 0.5 * (\1)"), "half of it"),
        "a sum for a mean": (returned(r"return len(train[1]) * (\1)"), "N times too large"),
        "no solve": (swap(r"jnp.linalg.solve\(H, g\)", "g"), None),
        "H as a factor": (swap(r"jnp.linalg.solve\(H, g\)", "(H @ g)"), None),
        "another Hessian": (swap("H = .*", "H = jax.hessian(valid_7)(w, *valid)"), None),
        "no penalty in H": (swap("(H = .*)", r"\1 - 0.15 * jnp.eye(len(w))"), None),
        "training gradient": (swap("g = .*", "g = jax.grad(valid_7)(w, *train)"), None),
        "V itself": (
            returned("return -jnp.linalg.solve(H, g) @ pull"),
            "derivative of V itself",
        ),
    },
}


def curvatures_in_numpy(exercise):
    """By the chain rule, with the derivatives of the hidden tests."""
    lines, pair, over = re.search(
        r"(a, along = .*?)\n +exact_hidden = np.array\(\[(.*?)\]\)(.*?)\n", exercise.hidden, re.S
    ).groups()
    lines = textwrap.dedent("    " + lines).replace("P @", "Phi @")
    body = f"N = len(t)\n{lines}\nfirst, second = {pair}\nreturn first{over}, second{over}"
    return solved_by(body, exercise)


def slope_in_numpy(exercise):
    """With the gradients and the Hessian written out."""
    slope, bend = (re.search(f"{what} = (.*)", exercise.hidden)[1] for what in ("slope", "bend"))
    name = re.search(r"def validation_slope\(w, (\w+)", exercise.answer)[1]
    penalty = re.search(r"slope\) \+ \((.*)\) \* w", exercise.hidden)[1].replace("knob", name)
    errors = {
        "half mean of squares": "(yv - tv) / M",
        "mean of squares": "2 * (yv - tv) / M",
        "logistic": "-tv / (1 + np.exp(tv * yv)) / M",
    }
    pulls = {"penalty": "w", "log penalty": "np.exp(rho) * w", "example weights": "Phi.T * slope"}
    after = {
        "error": "",
        "logarithm": " / valid_7(w, *valid)",
        "root": " / (2 * np.sqrt(valid_7(w, *valid)))",
    }
    body = f"""
        (Phi, t), (Pv, tv), w = train, valid, np.asarray(w)
        N, M = len(t), len(tv)
        y, yv = Phi @ w, Pv @ w
        slope = {slope}
        bend = {bend}
        H = (Phi.T * bend) @ Phi + ({penalty}) * np.eye(len(w))
        g = Pv.T @ ({errors[exercise.variant["validation"]]})
        pull = {pulls[exercise.variant["knob"]]}
        return -np.linalg.solve(H, g) @ pull{after[exercise.variant["quantity"]]}
    """
    return solved_by(body, exercise)


RIGHT = {
    **dict.fromkeys(WRONG, in_numpy),
    "F.5": curvatures_in_numpy,
    "F.7": slope_in_numpy,
}

CHECK_ALONE = {"no end", "products twice"}  # about 0 / 0 and calls


def rows_of(task):
    """The rows of numbers of a task's table."""
    lines = re.findall(r"^\| [a-z][^|]*\|(.*)\|$", task, re.M)
    return [np.array([float(x) for x in line.split("|")]) for line in lines]


def errors_of(h, e, eta, steps):
    """The errors of a run with these curvatures, step by step."""
    path = [e]
    for _ in range(steps):
        path.append(path[-1] - eta * h * path[-1])
    return np.array(path)


def steps_to(part, costs):
    return int(np.argmax(costs.sum(axis=1) <= part * costs[0].sum()))


def holds(claim, h, e, eta, mean):
    """Whether a claim about the run is true, by running it."""
    path = errors_of(h, e, eta, 400)
    costs = 0.5 * h * path**2
    direction = re.search(r"direction (\d)", claim)
    number = re.search(r"([\d.]+) (?:times as large|steps)", claim)
    if "step size" in claim:
        grown = np.abs(errors_of(h, e, float(number[1]) * eta, 200)[-1]).max() > 1
        return grown == ("diverge" in claim)
    if "After many" in claim:
        return costs[-1, int(direction[1]) - 1] > 0.9 * costs[-1].sum()
    if "At the start" in claim:
        return int(direction[1]) - 1 == np.argmax(costs[0])
    if "its sign" in claim:
        return (path[1, 0] * path[0, 0] < 0) == ("changes" in claim)
    if "Late in the run" in claim:
        wanted = steps_to(0.1, costs[100:])
        assert abs(float(number[1]) / wanted - 1) < 0.2 or float(number[1]) > 1.6 * wanted
        return abs(float(number[1]) / wanted - 1) < 0.2
    if "twice" in claim:
        Phi = np.random.default_rng(0).normal(size=(7, 3))
        steep = [
            np.linalg.eigvalsh(P.T @ P / (len(P) if mean else 1))[-1]
            for P in (Phi, np.vstack([Phi, Phi]))
        ]
        return np.isclose(steep[0] / steep[1], 1 if "the same" in claim else 0.5)
    assert "targets" in claim
    longer = 0.5 * h * errors_of(h, float(number[1]) * e, eta, 400) ** 2
    return (steps_to(1e-3, longer) == steps_to(1e-3, costs)) == ("as many" in claim)


def one_claim_is_false(exercise):
    _, h, e = rows_of(exercise.task)
    eta = float(re.search(r"\\eta = ([\d.]+)\$", exercise.task)[1])
    mean = r"\frac{1}{2N}" in exercise.task
    claims = dict(re.findall(r"^\*\*([A-D])\.\*\* (.*)", exercise.task, re.M))
    assert len(claims) == 4
    wrong = [letter for letter, claim in claims.items() if not holds(claim, h, e, eta, mean)]
    assert exercise.answer.startswith(f"(a) {wrong[0]}. ") and len(wrong) == 1


def the_table_says_so(exercise):
    """By a fit of both unknowns to all four columns, and by trying each number of examples."""
    counts, told = rows_of(exercise.task)
    D = int(re.search(r"A lab fits (\d+) weights", exercise.task)[1])
    has = int(re.search(r"Now the lab has (\d+) examples", exercise.task)[1])

    def parts(N):  # what multiplies the squared weights, and the noise
        return [dynamics.min_norm_risk(N, D, noise=t, norm_w=1 - t) for t in (0.0, 1.0)]

    system = np.array([parts(N) for N in counts])
    system[:, 1] += "new targets" in exercise.task
    signal, noise = np.linalg.lstsq(system / told[:, None], np.ones(4), rcond=None)[0]
    risk = lambda N: np.dot(parts(N), [signal, noise])
    a, b, c = exercise.answer.split("\n\n")
    found = re.search(r"\\tau\^2 = ([\d.]+)\$.*?\\rVert\^2 = ([\d.]+)\$.*?= ([\d.]+)\$,", b, re.S)
    assert np.allclose([float(x) for x in found.groups()], [noise, signal, risk(has)], rtol=0.03)
    assert ("no fit at all is better" in b) == (risk(has) > signal)
    said = re.findall(r"from ([\d.]+) to ([\d.]+)[;:]", a)  # missing signal, noise
    wanted = [np.multiply(parts(int(N)), [signal, noise]) for N in counts[:2]]
    assert np.allclose(np.array(said, float), np.transpose(wanted), rtol=0.05)
    if "left out" in exercise.task:
        best = min(range(1, D - 1), key=risk)
        told = re.search(r"approx (\d+)\$, with an error of ([\d.]+)\. ", c)
        assert abs(int(told[1]) - best) <= 1 and np.isclose(float(told[2]), risk(best), rtol=0.03)
        assert ("I would leave out none" in c) == (risk(has) < risk(best))
    elif "further examples" in exercise.task:
        enough = next(N for N in range(D + 2, 100 * D) if risk(N) <= risk(int(counts[0])) / 2)
        assert abs(int(re.search(r"so (\d+) examples", c)[1]) - enough) <= 1
    else:
        l2 = float(re.search(r"= ([\d.]+)\$, and half", c)[1])
        assert np.isclose(l2, noise * D / has / signal, rtol=0.05)


ANSWERS = {"F.8": one_claim_is_false, "F.9": the_table_says_so}
