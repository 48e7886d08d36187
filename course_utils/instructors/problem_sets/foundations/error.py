"""Exercise F.4: the expected error of an estimator."""

from course_utils.instructors.problem_sets.foundations._old import (
    Draw,
    Exercise,
    drawn_until,
    filled,
    row_list,
    shown,
    slip_list,
)

# Estimators of w from Phi and targets T, one column per data set. Arguments, the lines of the
# estimator, the same for a matrix P in NumPy with T = I, the part f of each direction that it fits
# (code, and for numbers), arguments drawn for a check with curvatures of about 1 to 4
ESTIMATORS = {
    "ridge": dict(
        says="ridge regression, the minimum of "
        r"$\frac{1}{2N}\lVert\Phi w - t\rVert^2 + \frac\lambda2\lVert w\rVert^2$",
        arguments="l2",
        shapes="`l2` $= \\lambda > 0$",
        lines=["N, D = Phi.shape", "A = Phi.T @ Phi / N + l2 * np.eye(D)"],
        result="np.linalg.solve(A, Phi.T @ T / N)",
        part="h / (h + l2)",
        value=lambda h, l2: [x / (x + l2) for x in h],
        drawn=lambda draw: [draw.number(0.3, 1.5)],
        hint="Ridge keeps the part $h/(h+\\lambda)$ of each direction",
    ),
    "twice": dict(
        says="*twicing*: ridge regression (minimum of "
        r"$\frac{1}{2N}\lVert\Phi w - t\rVert^2 + \frac\lambda2\lVert w\rVert^2$), then ridge "
        "regression again on its residuals, and the sum of the two",
        arguments="l2",
        shapes="`l2` $= \\lambda > 0$",
        lines=[
            "N, D = Phi.shape",
            "A = Phi.T @ Phi / N + l2 * np.eye(D)",
            "first = np.linalg.solve(A, Phi.T @ T / N)",
        ],
        result="first + np.linalg.solve(A, Phi.T @ (T - Phi @ first) / N)",
        part="1 - (l2 / (h + l2)) ** 2",
        value=lambda h, l2: [1 - (l2 / (x + l2)) ** 2 for x in h],
        drawn=lambda draw: [draw.number(0.6, 2.5)],
        hint="The first fit leaves $1 - h/(h+\\lambda)$ of a direction in the residuals, and the "
        "second fits its part of that",
    ),
    "decayed descent": dict(
        says=r"$k$ steps of gradient descent from 0 on $\frac{1}{2N}\lVert\Phi w - t\rVert^2$ with "
        r"weight decay, $w' = w - \eta\,(\nabla J(w) + \lambda w)$",
        arguments="step_size, l2, k",
        shapes=r"`step_size` $= \eta$ (stable), `l2` $= \lambda > 0$, and `k`, the number of steps",
        lines=[
            "N, D = Phi.shape",
            "W = np.zeros((D, T.shape[1]))",
            "for _ in range(k):",
            "    W = W - step_size * (Phi.T @ (Phi @ W - T) / N + l2 * W)",
        ],
        result="W",
        part="h / (h + l2) * (1 - (1 - step_size * (h + l2)) ** k)",
        value=lambda h, eta, l2, k: [x / (x + l2) * (1 - (1 - eta * (x + l2)) ** k) for x in h],
        drawn=lambda draw: [
            draw.number(0.08, 0.2, 2),
            draw.number(0.2, 0.8),
            draw.integer(3, 6),
        ],
        hint="The penalised cost has the curvature $h+\\lambda$, and its minimum is ridge's; after "
        "$k$ steps $(1-\\eta(h+\\lambda))^k$ of the way is still to go",
    ),
    "steepest only": dict(
        says="least squares in the $r$ steepest directions alone: of (2.5) in notebook 2, the "
        "terms of the $r$ largest curvatures; along the others the weight is 0",
        arguments="r",
        shapes="`r`, a whole number from 1 to D",
        lines=["U, size, Qt = np.linalg.svd(Phi, full_matrices=False)"],
        result="Qt[:r].T @ ((U[:, :r].T @ T) / size[:r, None])",
        part="(jnp.arange(D) >= D - r).astype(float)",
        value=lambda h, r: [float(x >= sorted(h)[-r]) for x in h],
        drawn=lambda draw: [1],
        hint="The part that is fitted is 1 for $r$ directions and 0 for the others. `eigh` has its "
        "curvatures ascending",
    ),
}

# What is measured: words, LaTeX, experiment for fits W with targets T and new targets, sum of the
# solution, and for numbers: signal and error per direction
MEASURES = {
    "weights": dict(
        says="the expected squared distance to the true weights",
        latex=r"\mathbb E\,\lVert \hat w - w^\star\rVert^2",
        run="np.sum((W - w_star[:, None]) ** 2, axis=0)",
        total="jnp.sum(signal + error)",
        dense="np.sum((B @ w) ** 2) + tau**2 * np.sum(M**2)",
        value=lambda h, signal, error, tau2, N: sum(signal) + sum(error),
        hint="Sum the squares of both over the directions, since $Q$ keeps lengths",
    ),
    "predictions": dict(
        says="the expected squared error of the predictions against the noiseless targets, in the "
        "mean over the training inputs",
        latex=r"\mathbb E\,\tfrac1N \lVert \Phi\hat w - \Phi w^\star\rVert^2",
        run="np.mean((Phi @ (W - w_star[:, None])) ** 2, axis=0)",
        total="jnp.sum(h * (signal + error))",
        dense="np.sum((P @ B @ w) ** 2) / N + tau**2 * np.sum((P @ M) ** 2) / N",
        value=lambda h, signal, error, tau2, N: sum(
            x * (s + e) for x, s, e in zip(h, signal, error)
        ),
        hint="An error of the weights along direction $i$ costs $h_i$ times its square, since "
        r"$\frac1N\lVert\Phi u\rVert^2 = u^\top A u$",
    ),
    "new targets": dict(
        says="the expected squared error on targets that are measured *anew* at the same inputs, "
        "$t' = \\Phi w^\\star + \\tau\\varepsilon'$, in the mean over those inputs",
        latex=r"\mathbb E\,\tfrac1N \lVert \Phi\hat w - t'\rVert^2",
        run="np.mean((Phi @ W - T_new) ** 2, axis=0)",
        total="jnp.sum(h * (signal + error)) + noise**2",
        dense="np.sum((P @ B @ w) ** 2) / N + tau**2 * np.sum((P @ M) ** 2) / N + tau**2",
        value=lambda h, signal, error, tau2, N: (
            tau2 + sum(x * (s + e) for x, s, e in zip(h, signal, error))
        ),
        hint="An error of the weights along direction $i$ costs $h_i$ times its square, since "
        r"$\frac1N\lVert\Phi u\rVert^2 = u^\top A u$; and the new targets are noisy themselves",
    ),
    "training error": dict(
        says="the expected *training* error, on the targets that were fitted",
        latex=r"\mathbb E\,\tfrac1N \lVert \Phi\hat w - t\rVert^2",
        run="np.mean((Phi @ W - T) ** 2, axis=0)",
        total="jnp.sum((1 - f) ** 2 * (h * a**2 + noise**2 / N)) + noise**2 * (N - D) / N",
        dense="np.sum((P @ B @ w) ** 2) / N + tau**2 * np.sum((P @ M - np.eye(N)) ** 2) / N",
        value=None,  # has no error per direction: see _by_hand
        hint="On the targets that were fitted, what is left is the part $1-f_i$ of a direction's "
        "signal *and* of its noise; the noise has $N-D$ further directions, of which no fit takes "
        "anything",
    ),
}

TASK = r"""
Targets are $t = \Phi w^\star + \tau\varepsilon$, with independent $\varepsilon_n$ of mean 0 and
variance 1. The estimator $\hat w$ is «estimator». How good is it, in the mean over the noise? We
want «measure»,

$$«latex».$$

**Write** `expected_error`, this number exactly, without drawing any noise. `Phi` has the shape (N,
D), with more rows than columns and full rank, `w_star` is $w^\star$, shape (D,), `noise` is $\tau$;
«shapes». `estimates_4` is the estimator as code, for many data sets at once, one in each column of
`T`.

<details><summary>Hint 1: what the estimator does</summary>

As in section 2.3 of notebook 2: along each eigenvector of $A = \frac1N\Phi^\top\Phi$ the estimator
is a part $f_i$ of the least-squares solution, which is the truth $q_i^\top w^\star$ plus noise of
variance $\tau^2/(Nh_i)$. «part_hint».
</details>
<details><summary>Hint 2: what is measured</summary>

Signal is missing by $(1-f_i)$, noise gets in by $f_i$; the cross term is 0 in the mean.
«measure_hint».
</details>"""

GIVEN = """\
def estimates_4(Phi, T, «arguments»):
    \"\"\"Estimates, (D, K), from the K columns of T, (N, K).\"\"\"
«lines»
    return «result»"""

ANSWER = '''\
# Exercise F.4
def expected_error(Phi, w_star, noise, «arguments»):
    """The expected error, exactly: a number."""
    ### BEGIN SOLUTION
    N, D = Phi.shape
    h, Q = jnp.linalg.eigh(Phi.T @ Phi / N)
    f = «part»  # of each direction
    a = Q.T @ w_star
    signal = (1 - f) ** 2 * a**2
    error = f**2 * noise**2 / (N * h)
    return «total»
    ### END SOLUTION'''

CHECK = """\
def two_directions_by_hand(f):
    Phi = np.array(«phi»)
    got = f(Phi, np.array(«w»), «noise», «drawn»)
    assert jnp.shape(got) == (), "One number is wanted."
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not jnp.isclose(got, slip, rtol=1e-4), hint
    assert jnp.isclose(got, «value», rtol=1e-4), (
        "N = 4 and Phi' Phi / N is diagonal, with «h»: "
        "by hand the error is «value»."
    )


def agrees_with_an_experiment(f):
    draw, K = np.random.default_rng(«stream»), 4000
    turn = np.linalg.qr(draw.normal(size=(3, 3)))[0]
    Phi = draw.normal(size=(12, 3)) * [1.5, 1.0, 0.5] @ turn
    w_star, noise = np.array(«w_run»), «noise_run»
    clean = (Phi @ w_star)[:, None]
    T = clean + noise * draw.normal(size=(12, K))
    T_new = clean + noise * draw.normal(size=(12, K))
    W = estimates_4(Phi, T, «drawn_run»)
    errors = «run»
    mean, s_e = errors.mean(), errors.std() / np.sqrt(K)
    got = f(Phi, w_star, noise, «drawn_run»)
    assert abs(got - mean) < 5 * s_e, (
        f"Four thousand data sets have an error of {mean:.4f} in the mean, "
        f"give or take {s_e:.4f}; yours is {got:.4f}. The axes are turned "
        "here: is w_star turned, too?"
    )


check("F.4", expected_error, two_directions_by_hand, agrees_with_an_experiment)"""

HIDDEN = """\
def matrix_hidden(Phi, «arguments»):  # the estimator is linear in t
    T = np.eye(len(Phi))
«lines»
    return «result»


for stream, N, D, tau, rest in «cases»:
    draw = np.random.default_rng(stream)
    P = draw.normal(size=(N, D)) * draw.uniform(0.5, 1.5, D)
    w = draw.normal(size=D)
    M = matrix_hidden(P, *rest)  # (D, N)
    B = M @ P - np.eye(D)
    exact_hidden = «dense»
    got_hidden = expected_error(P, w, tau, *rest)
    assert np.isclose(got_hidden, exact_hidden, rtol=1e-8), (
        f"Wrong for {N} examples and {D} weights in turned axes."
    )"""


def make(seed):
    draw, secret = Draw(seed, "F.4"), Draw(seed, "F.4", "hidden")
    name, measured = draw.choice(ESTIMATORS), draw.choice(MEASURES)
    estimator, measure = ESTIMATORS[name], MEASURES[measured]
    least = 7 if measured == "training error" else 9  # all slips, but those that change nothing:
    if name == "steepest only":  # where a part is 0 or 1 its square is no slip
        least -= 1 if measured == "training error" else 2
    hand = drawn_until(lambda: _by_hand(draw, name, measured), least=least)

    def listed(values):
        return ", ".join(map(str, values))

    values = dict(
        estimator=estimator["says"],
        measure=measure["says"],
        latex=measure["latex"],
        arguments=estimator["arguments"],
        shapes=estimator["shapes"],
        part_hint=estimator["hint"],
        measure_hint=measure["hint"],
        lines="\n".join("    " + line for line in estimator["lines"]),
        result=estimator["result"],
        part=estimator["part"],
        total=measure["total"],
        run=measure["run"],
        dense=measure["dense"],
        phi=hand["phi"],
        w=hand["w"],
        noise=hand["noise"],
        drawn=listed(hand["drawn"]),
        slips=slip_list(hand["slips"]),
        value=shown(hand["right"][0]),
        h=" and ".join(map(shown, hand["h"])),
        stream=draw.stream(),
        w_run=draw.numbers(3, -2, 2),
        noise_run=draw.number(0.5, 2),
        drawn_run=listed([2] if name == "steepest only" else estimator["drawn"](draw)),
        cases=row_list(
            [
                (
                    secret.stream(),
                    secret.integer(9, 16),
                    secret.integer(3, 5),
                    secret.number(0.3, 2, 2),
                    tuple([2] if name == "steepest only" else estimator["drawn"](secret)),
                )
                for _ in range(3)
            ]
        ),
    )
    return Exercise(
        name="F.4",
        title="The expected error, without an experiment",
        minutes=25,
        points=5,
        variant=dict(estimator=name, measure=measured),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _by_hand(draw, name, measured):
    """Four examples, two directions at right angles: numbers, the error, and slips."""
    a, b = draw.number(2, 2.8), draw.number(1, 1.7)
    phi = [[a, 0.0], [0.0, b], [a, 0.0], [0.0, b]]
    h, N = [a * a / 2, b * b / 2], 4
    w, noise = [draw.signed(0.5, 2), draw.signed(0.5, 2)], draw.number(1.3, 2.5)
    drawn = ESTIMATORS[name]["drawn"](draw)
    part = ESTIMATORS[name]["value"](h, *drawn)

    def total(part=part, tau2=noise**2, N=N, missing=2, passed=2, measured=measured, h=h):
        signal = [abs(1 - f) ** missing * x * x for f, x in zip(part, w)]
        if measured == "training error":
            rest = [abs(1 - f) ** missing * tau2 / N for f in part]
            return [sum(x * s + r for x, s, r in zip(h, signal, rest)) + tau2 * (N - 2) / N]
        error = [f**passed * tau2 / (N * x) for f, x in zip(part, h)]
        return [MEASURES[measured]["value"](h, signal, error, tau2, N)]

    slips = [
        (total(tau2=noise), "Variances add: noise enters by its square."),
        (total(tau2=0.0), "That is the missing signal alone; noise adds to the error."),
        (total(part=[1.0, 1.0]), "That is the error of least squares: where is the estimator?"),
        (total(missing=1), "What is missing enters by its square, (1 - f)^2."),
        (total(passed=1), "Noise that gets in is f times noise, and its variance f^2 times."),
    ]
    if measured != "training error":
        hint = "The noise of a direction has the variance tau^2 / (N h): where is N?"
        slips.append((total(N=1), hint))
    slips += [
        (total(measured=other), f"That is another measure ({other}). What is asked for?")
        for other in MEASURES
        if other != measured
    ]
    return dict(phi=phi, w=w, noise=noise, drawn=drawn, h=h, right=total(), slips=slips)
