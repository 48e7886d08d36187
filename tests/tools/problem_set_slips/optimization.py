"""Wrong answers to the set on lessons 5 to 12."""

import re

import numpy as np

from problem_set_slips import before, in_numpy, returned, swap

EXECUTED, MORE = (8, 196), (163, 85, 71, 5, 1)


def where(pattern, change):
    """``change`` for those solutions alone in which ``pattern`` is found."""
    return lambda source: change(source) if re.search(pattern, source) else None


def unless(pattern, change):
    """``change`` for those solutions alone in which ``pattern`` is not found."""
    return lambda source: None if re.search(pattern, source) else change(source)


# --- O.1 ------------------------------------------------------------------------------------------

A_MEAN = r"/ len\(t\)"
VARIANCES = {
    r"1 / r \*": "r",
    r"1 / \(r \* \(1 \+ r\)\) \*": "r * (1 + r)",
    r"[12] / r\*\*2 \*": "r**2",
}


def from_single_gradients(power):
    """The metric by what each example's own target gives: its squared slope, or its bend."""
    each = {
        "squared slope": "jax.grad(cost_1)(a, jnp.eye(len(t)), t) ** 2",
        "bend": "jnp.diag(jax.hessian(cost_1)(a, jnp.eye(len(t)), t))",
    }[power]

    def change(source):
        times = {"squared slope": "len(t) ** 2", "bend": "len(t)"}[power]
        times = times if re.search(A_MEAN, source) else "1"
        return before("F = ", f"info = {times} * {each}")(source)

    return change


def with_variance(source):
    for pattern, variance in VARIANCES.items():
        if re.search("info = " + pattern, source):
            return swap(r"info = .*? \* slope", f"info = {variance} * slope")(source)
    raise AssertionError("a model without a variance")


def averaged_otherwise(gradient_too):
    """A sum for a mean, or a mean for a sum; a damping by diag(F) is averaged along with F."""

    def change(source):
        if gradient_too and "jnp.diag" in source:
            return None
        if re.search(A_MEAN, source):
            source, over = re.sub(f" {A_MEAN}", "", source), " * len(t)"
        else:
            source, over = re.sub("(    F = .*)", r"\1 / len(t)", source), " / len(t)"
        return re.sub("(    g = .*)", rf"\1{over}", source) if gradient_too else source

    return change


def ruler_in_numpy(exercise):
    by_r = {
        "counts": "1 - t / r",
        "failures": "(t + 1) / (1 + r) - t / r",
        "waiting": "1 / r - t / r**2",
        "spread": "1 / r - t**2 / r**3",
    }[exercise.variant["model"]]
    over = " / len(t)" if exercise.variant["mean"] else ""
    source = in_numpy(exercise).replace("jax.nn.sigmoid(a)", "1 / (1 + np.exp(-a))")
    return source.replace("jax.grad(cost_1)(w, Phi, t)", f"Phi.T @ (({by_r}) * slope){over}")


# --- O.2 ------------------------------------------------------------------------------------------

TIES = {
    "neighbours": "jnp.eye(k)[1:] - jnp.eye(k)[:-1]",
    "ring": "jnp.roll(jnp.eye(k), -1, axis=0) - jnp.eye(k)",
    "first": "jnp.eye(k)[1:] - jnp.eye(k)[:1]",
    "all": "(k * jnp.eye(k) - 1.0) / k**0.5",
}


def with_the_large_matrix(source):
    large = (
        "H = jnp.kron(factor * Phi.T @ Phi, jnp.eye(k))\n"
        "    H = H + jnp.kron(jnp.eye(len(U)), tie * B.T @ B)\n    "
    )
    if "damping" in source:
        source = returned(
            large + "H = H + damping * jnp.eye(len(H))\n"
            "    return W - jnp.linalg.solve(H, slope.ravel()).reshape(W.shape)"
        )(source)
    else:
        source = returned(large + "return jnp.linalg.solve(H, right.ravel()).reshape(right.shape)")(
            source
        )
    return source


# --- O.4 ------------------------------------------------------------------------------------------

MEANS = {  # of products of activations, and of their derivatives
    "sine": ("jnp.exp(-(p + q) / 2) * jnp.sinh(c)", "jnp.exp(-(p + q) / 2) * jnp.cosh(c)"),
    "cosine": ("jnp.exp(-(p + q) / 2) * jnp.cosh(c)", "jnp.exp(-(p + q) / 2) * jnp.sinh(c)"),
    "both": ("jnp.exp(c - (p + q) / 2)", "jnp.exp(c - (p + q) / 2)"),
    "square": ("p * q + 2 * c**2", "4 * c"),
    "exponential": ("jnp.exp((p + q + 2 * c) / 8)", "jnp.exp((p + q + 2 * c) / 8) / 4"),
}


def activation_of(source):
    return next(
        name
        for name, (outer, inner) in MEANS.items()
        if f"outer = {outer}\n" in source or f"inner = {inner}\n" in source
    )


def with_means(result=None, swapped=False, sign=""):
    """Another result, or the same one of the means exchanged or with another covariance."""

    def change(source):
        outer, inner = MEANS[activation_of(source)]
        given = re.search(r"return (?!.*return )(.*)(?=\n    ### END)", source)[1]
        if result == given or (swapped and outer == inner):
            return None
        if swapped:
            outer, inner = inner, outer
        outer, inner = (re.sub(r"\bc\b", f"({sign}c)", one) for one in (outer, inner))
        new = f"outer = {outer}\n    inner = {inner}\n    return {result or given}"
        return returned(new.replace("\\", r"\\"))(source)

    return change


def even_in_c(source):
    """Whether the sign of the covariance does not count."""
    name, inner, outer = activation_of(source), "inner = " in source, "outer = " in source
    even_outer = name in ("cosine", "square")
    return not ((outer and not even_outer) or (inner and name != "sine"))


def bias(source):
    """Biases forgotten or made up; the Gaussian kernel of ``both`` does not notice them."""
    if activation_of(source) == "both" and "inner" not in source:
        return None
    if "Y.T + 1" in source:
        return swap(r"(\[:, None\]|\[None, :\]|Y\.T) \+ 1", r"\1")(source)
    return swap(r"(\[:, None\]|\[None, :\]|Y\.T)(?=\s)", r"\1 + 1")(source)


def unit_lengths(source):
    if activation_of(source) == "square" and "outer" not in source:
        return None
    return before("c = ", "p, q = 1.0, 1.0")(source)


# --- O.5 ------------------------------------------------------------------------------------------


def covariance(of):
    """Another covariance, made of the differences e of what a single example brings."""
    centred = "e = d - d.mean(axis=0)\n    Cov = "
    return swap(r"\n    Cov = .*", lambda found: f"{found[0]}\n    {centred}{of}")


def loss_halved_otherwise(source):
    if "0.5 *" not in source and "2 * (Phi @ w" not in source:
        return re.sub(
            r"(?<=[-=] )\(Phi @ (w|anchor) - t\)\[", r"2 * (Phi @ \1 - t)[", source
        ).replace("H = Phi.T", "H = 2 * Phi.T")
    if "2 * (Phi @ w" in source:
        source = source.replace("2 * (Phi", "(Phi").replace("2 * Phi.T", "Phi.T")
        return source.replace("J = jnp.mean", "J = 0.5 * jnp.mean")
    source = re.sub(r"(?<=[-=] )\(Phi @ (w|anchor) - t\)\[", r"2 * (Phi @ \1 - t)[", source)
    return source.replace("H = Phi.T", "H = 2 * Phi.T").replace("J = 0.5 * ", "J = ")


# --- O.7 ------------------------------------------------------------------------------------------


def independent(source):
    if "keep" in source:
        return before("return", "part = (1 - keep) / (1 + keep) + 0 * r")(source)
    return before("return", "part = 1 / num + 0 * r")(source)


# --- O.8 ------------------------------------------------------------------------------------------

PLAIN = "I - step_size * M"

WRONG = {
    "O.1": {
        "uphill": (swap("return w - ", "return w + "), "uphill"),
        "empirical": (from_single_gradients("squared slope"), "empirical Fisher"),
        "Hessian": (from_single_gradients("bend"), "Hessian of the cost"),
        "no link": (swap(r" \* slope\*\*2", ""), "needs dr/da"),
        "link once": (swap(r"slope\*\*2", "slope"), "how often"),
        "variance": (with_variance, "variance of t"),
        "no damping": (swap(r" \+ damping \* .*", ""), "Where is the damping"),
        "damped as Levenberg": (
            swap(r"jnp.diag\(jnp.diag\(F\)\)", "jnp.eye(len(w))"),
            "multiplied",
        ),
        "damped as Marquardt": (
            swap(r"jnp.eye\(len\(w\)\)", "jnp.diag(jnp.diag(F))"),
            "multiplied",
        ),
        "averaged otherwise": (averaged_otherwise(gradient_too=True), "means or sums"),
        "metric averaged otherwise": (averaged_otherwise(gradient_too=False), "gradient is right"),
        "descent": (returned("return w - step_size * g"), "gradient descent"),
        "diagonal alone": (swap("F = (.*)", r"F = jnp.diag(jnp.diag(\1))"), "the whole matrix"),
        "a column": (returned(r"return (\1)[:, None]"), "shape is (D,)"),
    },
    "O.2": {
        "half a mean": (swap("factor = .*", "factor = 1 / N"), "a mean or a sum"),
        "a mean": (swap("factor = .*", "factor = 2 / N"), "a mean or a sum"),
        "half a sum": (swap("factor = .*", "factor = 1.0"), "a mean or a sum"),
        "a sum": (swap("factor = .*", "factor = 2.0"), "a mean or a sum"),
        "ties twice": (swap("tie \\*", "2 * tie *"), None),
        "ties half": (swap("tie \\*", "0.5 * tie *"), None),
        "no ties": (swap("tie \\*", "0 * tie *"), "do not know of each other"),
        **{
            f"tied as {name}": (swap("B = .*", f"B = {code}"), "Who is tied to whom")
            for name, code in TIES.items()
        },
        "axes exchanged": (swap(r"U @ \(U\.T", "U.T @ (U"), "Which axes"),
        "transposed": (returned(r"return (\1).T"), "(m, k)"),
        "the product": (swap(r"a\[:, None\] \+ c", "a[:, None] * c + 1"), None),
        "no damping": (swap(r" \+ damping", ""), "without damping"),
        "uphill": (swap("return W - ", "return W + "), "uphill"),
        "the large matrix": (with_the_large_matrix, "shape (mk, mk)"),
    },
    "O.4": {
        "all trained": (with_means("outer + inner * c"), "all weights trained"),
        "v alone": (with_means("outer"), "by v alone"),
        "hidden layer alone": (with_means("inner * c"), "hidden layer alone"),
        "no input": (swap(r"inner \* c", "inner"), None),  # may equal another result
        "biases": (bias, "biases"),
        "lengths of 1": (unit_lengths, "variance 1"),
        "not correlated": (swap(r"(?<=outer = )(.*)\bc\b", r"\g<1>0"), None),
        "no half": (swap(r" / 2\b", ""), "A constant"),
        "an eighth": (swap(r" / 8\b", " / 4"), "A constant"),
        "not twice": (swap(r"2 \* c\*\*2", "c**2"), "A constant"),
        "exchanged": (with_means(swapped=True), "exchanged"),
        "sign": (
            lambda source: None if even_in_c(source) else with_means(sign="-")(source),
            "sign",
        ),
        "transposed": (returned(r"return (\1).T"), "(n, k)"),
    },
    "O.5": {
        "with replacement": (covariance("e.T @ e / N / B"), "with replacement"),
        "different examples": (
            unless(r"\(N - 1\)", covariance("e.T @ e / N / B * (N - B) / (N - 1)")),
            "different examples",
        ),
        "N for N - 1": (swap(r"\(N - 1\)", "N"), "Nearly"),
        "centred": (
            where(r"1 - B / N", covariance("e.T @ e * (1 - B / N) / (N * B)")),
            "common mean",
        ),
        "not divided by the chances": (swap(r" / \(N \* chances.*?\)", ""), None),
        "p for p (1 - p)": (swap(r" \* \(1 - B / N\)", ""), "its variance is p (1 - p)"),
        "no noise": (covariance("0 * e.T @ e"), "every batch"),
        "one example": (swap("N, B = .*", "N, B = len(t), 1"), "noise of one example"),
        "the loss halved otherwise": (loss_halved_otherwise, "is the square halved"),
        "no anchor": (swap("d = G - .*", "d = G"), "differences to the gradients"),
        "at the anchor": (where("anchor", before("N, B", "w = anchor")), "not that at the anchor"),
        "uphill": (swap("J - step_size", "J + step_size"), "uphill"),
        "noise not halved": (
            where(r"step_size\*\*2", swap(r"(jnp.trace\(H @ Cov\))", r"2 * \1")),
            "factor of 1/2",
        ),
        "noise alone": (swap(r"return g @ g \+ jnp", "return jnp"), None),
        "twice": (returned(r"return 2 * (\1)"), None),
        "for each weight": (returned(r"return (\1) * jnp.ones(len(w))"), "One number"),
    },
    "O.7": {
        "the last iterate": (before("return", "part = 0 * r + 1"), "last iterate alone"),
        "independent": (independent, "independent iterates"),
        "pairs once": (swap(r"2 \* \(1 - j / num\)", "(1 - j / num)"), "counts twice"),
        "pairs alike": (swap(r" \* \(1 - j / num\)", ""), "How many pairs"),
        "squared": (swap(r"r \*\* \(", "r ** (2 * "), "not its square"),
        "squared, fading": (swap(r"keep \* r\b", "keep * r**2"), "not its square"),
        "every step": (swap(r"every \* j", "j"), "see every"),
        "other way round": (where("keep", before("part = ", "keep = 1 - keep")), "what is kept"),
        "upside down": (swap("return 1 / part", "return part"), "its inverse"),
        "small steps": (swap(r"\(1 - r\*\*2\)", "(2 * step_size * h)"), "small steps"),
        "one example": (swap(" / batch", ""), "noise of one example"),
        "eta once": (swap(r"step_size\*\*2", "step_size"), "by its square"),
        "batch alone": (swap(r" \+ 2 \* step_size \* T", ""), "Where is the shaking"),
        "shake alone": (swap(r"step_size\*\*2 \* c / batch \+ ", ""), "noise of the batch"),
        "half of the shaking": (swap(r"2 \* step_size \* T", "step_size * T"), None),
        "no half": (swap(r"return 0\.5 \* ", "return "), "factor of 1/2"),
        "no curvature": (swap(r"jnp\.sum\(h \* ", "jnp.sum("), "by its curvature"),
        "sign of a correlation": (swap("r = 1 - step_size", "r = -1 + step_size"), None),
        "summed": (unless("jnp.sum", returned(r"return jnp.sum(\1)")), "One number for each"),
    },
    "O.8": {
        "the other way": (swap(r"-B\.T|(?<=\[)C(?=, Q)", "(B.T)"), None),
        "smallest": (swap(r"np\.max", "np.min"), None),
        "real part": (swap(r"eigvals\(S\)\)", "eigvals(S).real)"), "its size"),
        "plain": (unless(r"rate \*\*", before("rate = ", f"S = {PLAIN}")), "plain steps"),
        "ahead": (
            unless(r"rate \*\*", before("rate = ", f"S = I - step_size * M @ ({PLAIN})")),
            "a whole step",
        ),
        "no pace": (swap(r"    M\[len\(P\) :\] \*= pace\n", ""), "Where is pace"),
        "pace of x": (swap(r"M\[len\(P\) :\] \*=", "M[: len(P)] *="), "not to x"),
        "sign of the momentum": (
            where("momentum", before("one = ", "momentum = -momentum")),
            "enters with the wrong sign",
        ),
        "a step": (where(r"rate \*\*", returned("return rate")), "the factor of a step"),
        "a power": (swap(r"rate \*\* \(1 / (\d)\)", r"rate ** \1"), "a root, not a power"),
        "the factor": (where("log", returned("return rate")), "How many of them"),
        "a hundredth": (swap("1000", "100"), None),
        "singular values": (swap(r"np\.max\(np\.abs.*", "np.linalg.norm(S, 2)"), None),
        "symmetric": (swap("eigvals", "eigvalsh"), None),
        "all of them": (returned(r"return (\1) * np.ones(len(M))"), "One number"),
    },
}

RIGHT = {
    "O.1": ruler_in_numpy,
    "O.2": in_numpy,
    "O.4": in_numpy,
    "O.5": in_numpy,
    "O.7": in_numpy,
    "O.8": in_numpy,
}

CHECK_ALONE = {"the large matrix"}  # about memory


# --- answers in words -----------------------------------------------------------------------------


def run_of(task, Phi, y, loss=1.0, rates=1.0, dampings=1.0, decays=1.0):
    """Predictions after each of six steps of the task's method; settings per weight, as factors."""
    w = before = m = v = np.zeros(Phi.shape[1])
    path = []
    for k in range(1, 7):
        p = 1 / (1 + np.exp(-Phi @ w))
        g = loss * Phi.T @ (p - y) / len(y)
        F = (Phi.T * p * (1 - p)) @ Phi / len(y)
        if "by momentum" in task:
            w, before = w - 0.003 * rates * g + 0.8 * (w - before), w
        elif "by the natural gradient" in task:
            w = w - 0.003 * rates * np.linalg.solve(F, g)
        elif "by damped Newton" in task:
            w = w - np.linalg.solve(loss * F + np.diag(0.05 * dampings * np.ones(len(w))), g)
        else:
            assert "by Adam" in task
            m, v = 0.9 * m + 0.1 * g, 0.99 * v + 0.01 * g**2
            push = m / (1 - 0.9**k) / np.sqrt(v / (1 - 0.99**k))
            decay = 2.0 * decays if "by AdamW" in task else 0.0
            w = w - 0.003 * rates * (push + decay * w)
        path.append(Phi @ w)
    return np.array(path)


def the_runs_say_so(exercise):
    """By the six first steps of each run, and by trying settings that may make up for a change."""
    task, draw = exercise.task, np.random.default_rng(3)
    Phi, y = draw.normal(size=(40, 3)), draw.integers(0, 2, 40).astype(float)
    old = run_of(task, Phi, y)
    parts = dict(re.findall(r"^\((a|b|c)\) \*\*(Yes|No)\.\*\*", exercise.answer, re.M))
    mends = re.findall(
        r"^\(d\) \*\*For change (\d)\.\*\* (.*?)(?=\n\(d\)|\Z)", exercise.answer, re.M | re.S
    )
    assert len(parts) == 3 and mends
    for letter, number in zip("abc", "123"):
        words = re.search(rf"\*\*Change {number}\.\*\* (.*?)\n\n", task, re.S)[1]
        drawn = re.search(r"(?:multiplied by|Phi\$ is) (\d+)", words)
        c = float(drawn[1]) if drawn else None
        C, loss = np.eye(3), 1.0
        if "loss is multiplied" in words:
            loss = c
        elif "another unit" in words:
            C[1, 1] = c
        elif "rotation" in words:
            C = np.linalg.qr(draw.normal(size=(3, 3)))[0]
        else:
            C[1, 1] = -1
        new = run_of(task, Phi @ C, y, loss)
        assert np.allclose(new, old, rtol=1e-6) == (parts[letter] == "Yes"), (words, task)
        told = [text for which, text in mends if which == number]
        assert bool(told) == (parts[letter] == "No")
        if not told or "rotation" in words:
            continue
        one = np.array([1.0, c, 1.0]) if "another unit" in words else np.full(3, c)
        works = set()
        for factor in (c, c**2):
            each = np.where(one == c, factor, 1.0)
            for settings in (
                dict(rates=1 / each),
                dict(dampings=each),
                dict(rates=1 / each, decays=each),
            ):
                if np.allclose(run_of(task, Phi @ C, y, loss, **settings), old, rtol=1e-6):
                    works.add(factor)
        assert works == {float(re.search(r"\$(?:\\eta/)?(\d+)", told[0])[1])}, (told, works)


def the_race_says_so(exercise):
    """By least squares on all rows, and by trying each batch size."""
    task, (a, b, c) = exercise.task, exercise.answer.split("\n\n", 2)
    B, S = np.array(re.findall(r"^\| (\d+) \| (\d+) \|$", task, re.M), float).T
    # (9.2) divided by S, as in section 9.1
    floor, product = np.linalg.lstsq(np.stack([1 / S, 1 / (B * S)], 1), np.ones(5), rcond=None)[0]
    told_floor = float(re.search(r"S_\\min.*?\\approx ([\d.]+)\$ and", a, re.S)[1])
    told_knee = float(re.search(r"P/S_\\min \\approx (\d+)\$", a)[1])
    assert np.allclose([told_floor, told_floor * told_knee], [floor, product], rtol=0.12)
    low, high = map(int, re.search(r"between (\d+) and (\d+)", exercise.rubric).groups())
    assert low < product / floor < high
    assert np.allclose([low, high], [0.8 * told_knee, 1.2 * told_knee], rtol=0, atol=1.1)
    assert "to twenty percent" in task and "(twenty percent)" in exercise.rubric
    many = np.arange(1, 20_000)
    steps = told_floor * (1 + told_knee / many)
    if "is bought" in task:
        assert "$B = 1$, is the cheapest" in b and np.argmin(many * steps) == 0
        twice = float(re.search(r"\\approx (\d+)\$, about twice", b)[1])
        assert np.isclose(twice, told_knee * steps[round(told_knee) - 1], rtol=0.05)
    elif "fewest steps" in task:
        ratio = float(re.search(r"at most ([\d.]+) times", task)[1])
        best = many[steps <= ratio * told_floor][0]
        told, examples, times = re.search(
            r"\\approx (\d+)\$\. It looks.*?\\approx (\d+)\$ examples, about\s([\d.]+) times",
            b,
            re.S,
        ).groups()
        seen = best * steps[best - 1]
        assert np.allclose([int(told), int(examples)], [best, seen], rtol=0.1)
        assert np.isclose(float(times), seen / S[0], rtol=0.1)
    else:
        fixed, each = map(
            int, re.search(r"takes (\d+) milli.*? and (\d+) more", task, re.S).groups()
        )
        time = steps * (fixed + each * many)
        told = re.search(
            r"\\approx (\d+)\$ \(or.*?There.*?about\s([\d.]+) seconds.*?, (\d+) times", b, re.S
        )
        assert time[int(told[1]) - 1] < 1.001 * time.min()
        powers, named = (
            2 ** np.arange(12),
            re.search(r"\(or (.*), the nearest power of two\)", b)[1],
        )
        near = [min(powers, key=lambda B: abs(B - int(told[1]))), powers[time[powers - 1].argmin()]]
        assert set(near) <= set(map(int, named.split(" or ")))
        assert max(time[int(power) - 1] for power in named.split(" or ")) < 1.1 * time.min()
        assert f"{told[1]} or {named}, and" in " ".join(exercise.rubric.split())
        assert np.isclose(float(told[2]), time.min() / 1000, rtol=0.05)
        assert np.isclose(float(told[3]), S[0] * (fixed + each) / time.min(), rtol=0.03, atol=0.6)
    if "Momentum of 0.9" in task:
        assert "by a factor of ten and more" in c
        h, heavy, plain = np.array([1.0, 1e-3]), [], []  # best of all step sizes
        for size in np.linspace(0.1, 3.9, 400):
            plain.append(max(abs(1 - size * h)))
            steps = [np.array([[1.9 - size * x, -0.9], [1, 0]]) for x in h]
            heavy.append(max(abs(np.linalg.eigvals(step)).max() for step in steps))
        assert np.log(min(heavy)) < 10 * np.log(min(plain)) < 0
    if "times fewer steps" in c:
        assert int(re.search(r"then (\d+) times", c)[1]) == round(S[0] / S[-1])


ANSWERS = {"O.3": the_runs_say_so, "O.6": the_race_says_so}
