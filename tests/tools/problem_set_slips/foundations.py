"""Wrong answers to the set on lessons 1 to 4."""

import re
import textwrap

from problem_set_slips import before, in_numpy, returned, solved_by, swap

EXECUTED, MORE = (135, 309), (82, 0, 152, 208, 146, 156, 122)

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
