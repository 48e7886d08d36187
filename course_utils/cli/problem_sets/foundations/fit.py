"""Exercise F.1: weighted least squares with a penalty."""

from course_utils.cli.problem_sets.drawing import (
    Draw,
    Exercise,
    drawn_until,
    filled,
    row_list,
    shown,
    slip_list,
)
from course_utils.cli.problem_sets.foundations.costs import MEANS_AND_HALVES

# How the data term is averaged: LaTeX with and without a half, code, code of what divides the sum
AVERAGES = {
    "mean": (r"\frac{1}{2N}", r"\frac1N", "jnp.mean(errors)", "N"),
    "sum": (r"\frac12", "", "jnp.sum(errors)", "1"),
    "weighted mean": (
        r"\frac{1}{2\sum_n\alpha_n}",
        r"\frac{1}{\sum_n\alpha_n}",
        "jnp.sum(errors) / jnp.sum(alpha)",
        "jnp.sum(alpha)",
    ),
}

# Penalties: words, LaTeX, code, third argument and its shape, matrix of the solution
PENALTIES = {
    "guess": dict(
        words="a penalty pulls the weights towards a guess $c$, made before any data were seen",
        latex=r"\lambda\,\lVert w - c\rVert^2",
        code="l2 * jnp.sum((w - guess) ** 2)",
        more=", guess",
        shapes="`l2` is a number, and `guess` is $c$, shape (D,)",
        matrix="l2 * jnp.eye(D)",
        right="Phi.T @ (alpha * t) + n * ratio * M @ guess",
        root="np.sqrt(l2) * np.eye(D)",
        target="np.sqrt(l2) * guess",
        hint=r"its gradient is a multiple of $\lambda\,(w - c)$: part of it goes to the right",
    ),
    "own": dict(
        words="each weight has a penalty $\\lambda_j$ of its own, since some features are trusted "
        "less than others",
        latex=r"\sum_j \lambda_j\, w_j^2",
        code="jnp.sum(l2 * w**2)",
        more="",
        shapes="`l2` has one penalty for each weight, shape (D,)",
        matrix="jnp.diag(l2)",
        right="Phi.T @ (alpha * t)",
        root="np.diag(np.sqrt(l2))",
        target="np.zeros(D)",
        hint=r"the derivative by $w_j$ is a multiple of $\lambda_j w_j$: a diagonal matrix",
    ),
    "alike": dict(
        words="a penalty asks neighbouring weights to be alike, because the features come in a "
        "row, such as the hours of a day",
        latex=r"\lambda \sum_{j=1}^{D-1} (w_{j+1} - w_j)^2",
        code="l2 * jnp.sum((w[1:] - w[:-1]) ** 2)",
        more="",
        shapes="`l2` is a number",
        matrix="l2 * jnp.diff(jnp.eye(D), axis=0).T @ jnp.diff(jnp.eye(D), axis=0)",
        right="Phi.T @ (alpha * t)",
        root="np.sqrt(l2) * np.diff(np.eye(D), axis=0)",
        target="np.zeros(D - 1)",
        hint="write the differences as $Bw$, with a $B$ of $D-1$ rows; the penalty is "
        r"$\lambda\,\lVert Bw\rVert^2$. `jnp.diff(jnp.eye(D), axis=0)` is such a $B$",
    ),
}

TASK = r"""
Some measurements deserve more trust than others, and what one knows beforehand should count, too.
Both go into the cost. Example $n$ counts $\alpha_n \ge 0$ times, and «words»:

$$J(w) = «latex»$$

**Write** `fit`: the $w$ that makes $J$ least, shape (D,), by one linear system. `Phi` has the shape
(N, D), `t` and `alpha` have the shape (N,); «shapes». In all cases that are tried the minimum is
unique. `cost_1` is $J$ as code.

<details><summary>Hint</summary>

As for ridge in notebook 1: set the gradient to zero, multiply by whatever makes the data term
plain, and collect $w$. The data give $\Phi^\top\mathrm{diag}(\alpha)\,\Phi\,w$, where `Phi.T @
(alpha[:, None] * Phi)` is the matrix. And the penalty: «hint».
</details>"""

GIVEN = """\
def cost_1(w, Phi, t, alpha, l2«more»):
    errors = alpha * (Phi @ w - t) ** 2
    data = «half»«average»
    return data + «penalty_half»«penalty»"""

ANSWER = '''\
# Exercise F.1
def fit(Phi, t, alpha, l2«more»):
    """The minimiser of cost_1, shape (D,)."""
    ### BEGIN SOLUTION
    N, D = Phi.shape
    n = «divisor»
    ratio = «ratio»  # factor of the penalty over that of the data
    M = «matrix»
    A = Phi.T @ (alpha[:, None] * Phi) + n * ratio * M
    return jnp.linalg.solve(A, «right»)
    ### END SOLUTION'''

CHECK = """\
def three_examples_by_hand(f):
    Phi = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    t, alpha = jnp.array(«t»), jnp.array(«alpha»)
    got = f(Phi, t, alpha, «l2»«guess»)
    assert jnp.shape(got) == (2,), "Two weights: the shape is (D,), here (2,)."
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not jnp.allclose(got, jnp.array(slip), rtol=1e-4), hint
    assert jnp.allclose(got, jnp.array(«value»), rtol=1e-4), (
        "By hand the weights are «value» here: put them "
        "into the gradient of J."
    )


def the_gradient_is_zero(f):
    draw = np.random.default_rng(«stream»)
    Phi, t = draw.normal(size=(9, 4)), draw.normal(size=9)
    alpha = draw.uniform(0.2, 2, size=9)
    rest = alpha, «l2_random»«guess_random»
    got = f(Phi, t, *rest)
    assert jnp.shape(got) == (4,), "Four weights: the shape is (D,), here (4,)."
    slope = jax.grad(cost_1)(jnp.asarray(got), Phi, t, *rest)
    assert jnp.abs(slope).max() < 1e-8, (
        "With four weights the gradient of cost_1 is not zero at your answer, "
        f"but {np.round(slope, 3)}. Is every term of J in your system?"
    )


check("F.1", fit, three_examples_by_hand, the_gradient_is_zero)"""

HIDDEN = """\
def least_squares_hidden(seed, N, D, drop):
    draw = np.random.default_rng(seed)
    Phi, t = draw.normal(size=(N, D)), draw.normal(size=N)
    alpha = draw.uniform(0.2, 2, size=N)
    alpha[:drop] = 0
    l2 = «l2_hidden»
    guess = draw.normal(size=D)
    n = {"mean": N, "sum": 1, "weighted mean": alpha.sum()}["«kind»"]
    rows = np.sqrt(«data_factor» * alpha / n)
    pull = np.sqrt(«penalty_factor»)
    root = «root»
    system = np.vstack([rows[:, None] * Phi, pull * root])
    wanted = np.concatenate([rows * t, pull * («target»)])
    exact = np.linalg.lstsq(system, wanted, rcond=None)[0]
    got = fit(Phi, t, alpha, l2«more»)
    assert np.allclose(got, exact, rtol=1e-7, atol=1e-9), (
        f"Not the minimum for {N} examples and {D} weights, {drop} alpha being 0."
    )


for case_hidden in «cases»:
    least_squares_hidden(*case_hidden)"""


def make(seed):
    draw, secret = Draw(seed, "F.1"), Draw(seed, "F.1", "hidden")
    average, kind = draw.choice(AVERAGES), draw.choice(PENALTIES)
    half, penalty_half = draw.choice([0.5, 1.0]), draw.choice([0.5, 1.0])
    with_half, without, code, divisor = AVERAGES[average]
    penalty, ratio = PENALTIES[kind], penalty_half / half
    least = 9 if kind == "guess" else 7  # all of them
    hand = drawn_until(lambda: _by_hand(draw, average, kind, ratio), least=least)
    before = {0.5: "0.5 * ", 1.0: ""}
    own = kind == "own"
    latex = (
        (with_half if half == 0.5 else without)
        + r" \sum_n \alpha_n\,(\phi_n^\top w - t_n)^2 \;+\; "
        + (r"\tfrac12\, " if penalty_half == 0.5 else "")
        + penalty["latex"]
    )
    values = dict(
        penalty,
        latex=latex,
        half=before[half],
        average=code,
        penalty_half=before[penalty_half],
        penalty=penalty["code"],
        divisor=divisor,
        ratio=ratio,
        t=hand["t"],
        alpha=hand["alpha"],
        l2=f"jnp.array({hand['l2']})" if own else hand["l2"][0],
        guess=f", jnp.array({hand['guess']})" if kind == "guess" else "",
        slips=slip_list(hand["slips"]),
        value=shown(hand["right"]),
        stream=draw.stream(),
        l2_random="draw.uniform(0.1, 1, size=4)" if own else draw.number(0.2, 0.9),
        guess_random=", draw.normal(size=4)" if kind == "guess" else "",
        l2_hidden="draw.uniform(0.1, 1, size=D)" if own else "draw.uniform(0.1, 1)",
        kind=average,
        data_factor=half,
        penalty_factor=penalty_half,
        cases=row_list(
            [
                (secret.stream(), secret.integer(8, 14), secret.integer(3, 5), 0),
                (secret.stream(), secret.integer(8, 14), secret.integer(3, 5), 2),
                (secret.stream(), 4, 6 if kind != "alike" else 4, 0),
            ]
        ),
    )
    return Exercise(
        name="F.1",
        title="A fit with its own rules",
        minutes=15,
        points=4,
        variant=dict(average=average, kind=kind, half=half, penalty_half=penalty_half),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _by_hand(draw, average, kind, ratio):
    """Three examples, two weights: numbers, the minimum, and what slips make of it."""
    t = [draw.signed(1, 5), draw.signed(1, 5), draw.signed(1, 5)]
    alpha = draw.numbers(3, 0.5, 3)
    l2 = draw.numbers(2, 0.4, 1.5) if kind == "own" else [draw.number(0.4, 1.5)] * 2
    guess = [draw.signed(1, 4), draw.signed(1, 4)]
    divisors = {"mean": 3, "sum": 1, "weighted mean": sum(alpha)}

    def solved(n=divisors[average], ratio=ratio, alpha=alpha, center=1.0):
        k = [n * ratio * strength for strength in l2]
        data = [alpha[0], alpha[1] + alpha[2]]
        right = [alpha[0] * t[0], alpha[1] * t[1] + alpha[2] * t[2]]
        if kind == "alike":
            a, d, off = data[0] + k[0], data[1] + k[0], -k[0]
        else:
            a, d, off = data[0] + k[0], data[1] + k[1], 0.0
        if kind == "guess":
            right = [r + s * center * c for r, s, c in zip(right, k, guess)]
        det = a * d - off * off
        return [(d * right[0] - off * right[1]) / det, (a * right[1] - off * right[0]) / det]

    slips = [
        (solved(alpha=[1.0] * 3), "The examples count alike here: where is alpha?"),
        (
            solved(alpha=[a * a for a in alpha]),
            "alpha stands before the square of an error; here it is squared itself.",
        ),
    ]
    slips += [
        (solved(n=n), f"That is the minimum if the data term were a {name}. " + MEANS_AND_HALVES)
        for name, n in divisors.items()
        if name != average
    ]
    slips += [
        (solved(ratio=2 * ratio), "The penalty counts twice as much as in J: compare the halves."),
        (solved(ratio=ratio / 2), "The penalty counts half as much as in J: compare the halves."),
        (solved(ratio=0), "That is the fit without a penalty."),
    ]
    if kind == "guess":
        slips += [
            (solved(center=0), "The weights are pulled towards 0; J pulls towards the guess."),
            (solved(center=-1), "The sign of the guess: J has the square of w - c."),
        ]
    return dict(t=t, alpha=alpha, l2=l2, guess=guess, right=solved(), slips=slips)
