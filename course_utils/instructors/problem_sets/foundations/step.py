"""Exercise F.2: the largest stable step of a method with memory."""

import math

from course_utils.instructors.problem_sets.foundations._old import (
    Draw,
    Exercise,
    drawn_until,
    filled,
    row_list,
    shown,
    slip_list,
)
from course_utils.instructors.problem_sets.foundations.costs import MEANS_AND_HALVES, SQUARES

# m is what the method remembers; its first value is 0. Formulas, code, limit of step_size as a
# formula of the largest curvature h, and the same as a function for the checks
METHODS = {
    "heavy ball": dict(
        says="$m$ is the velocity of a heavy ball",
        latex=r"m' = \beta m - \eta\,\nabla J(w), \qquad w' = w + m'",
        code="m = beta * m - step_size * gradient(w)\n    return w + m, m",
        limit="2 * (1 + beta) / h",
        value=lambda h, b, l2: 2 * (1 + b) / h,
    ),
    "averaged gradient": dict(
        says="$m$ is a running average of gradients",
        latex=r"m' = \beta m + (1 - \beta)\,\nabla J(w), \qquad w' = w - \eta\, m'",
        code="m = beta * m + (1 - beta) * gradient(w)\n    return w - step_size * m, m",
        limit="2 * (1 + beta) / ((1 - beta) * h)",
        value=lambda h, b, l2: 2 * (1 + b) / ((1 - b) * h),
    ),
    "look ahead": dict(
        says="$m$ is the last move, and the gradient is taken at the point to which another such "
        "move would lead",
        latex=r"a = w + \beta m, \qquad w' = a - \eta\,\nabla J(a), \qquad m' = w' - w",
        code="a = w + beta * m\n    new = a - step_size * gradient(a)\n    return new, new - w",
        limit="2 * (1 + beta) / ((1 + 2 * beta) * h)",
        value=lambda h, b, l2: 2 * (1 + b) / ((1 + 2 * b) * h),
    ),
    "weight decay": dict(
        says="$m$ is a velocity, and the weights themselves, not the velocity, decay at a rate "
        "$\\lambda$",
        latex=r"m' = \beta m - \eta\,\nabla J(w), \qquad w' = (1 - \eta\lambda)\, w + m'",
        code="m = beta * m - step_size * gradient(w)\n    return (1 - step_size * l2) * w + m, m",
        limit="2 * (1 + beta) / (h + l2 * (1 + beta))",
        value=lambda h, b, l2: 2 * (1 + b) / (h + l2 * (1 + b)),
    ),
    "extrapolated gradient": dict(
        says="$m$ is the last gradient, and the step follows a guess of what is to come: the "
        "present gradient, plus $\\beta$ times its last change",
        latex=r"g = \nabla J(w), \qquad w' = w - \eta\,\big((1 + \beta)\, g - \beta m\big), "
        r"\qquad m' = g",
        code="g = gradient(w)\n    return w - step_size * ((1 + beta) * g - beta * m), g",
        limit="2 / ((1 + 2 * beta) * h)",
        value=lambda h, b, l2: 2 / ((1 + 2 * b) * h),
    ),
}

TASK = r"""
Gradient descent forgets how it came to where it is. Many methods remember something: here «says».
The cost and one step of the method are

$$J(w) = «coefficient» \lVert \Phi w - t\rVert^2, \qquad\qquad «latex»,$$

and at first $m = 0$. Memory moves the limit of notebook 1, $\eta = 2/h_{\max}$; up or down, and by
how much?

**Write** `largest_stable_step`: the step size $\eta$ beyond which some direction grows, one number,
from `Phi`, shape (N, D), with more rows than columns and full rank, `beta` $= \beta$ with $0 \le
\beta < 1$«decays». `step_2` is the step as code.

<details><summary>Hint</summary>

Turn to the eigenvectors: in a direction of curvature $h$ the error $e$ has the gradient $he$, and
step and memory are lines with numbers. Without memory the limit is where $e' = -e$. With it, too,
this mode is the first to go (you need not show it): at the limit $e' = -e$ *and* $m' = -m$ in that
direction. Put both into the step, eliminate $m$, and solve for $\eta$. Which $h$ gets there first,
and what is the Hessian of this $J$?
</details>"""

GIVEN = """\
def step_2(w, m, gradient, step_size, beta«more»):
    \"\"\"The next w and m.\"\"\"
    «code»"""

ANSWER = '''\
# Exercise F.2
def largest_stable_step(Phi, beta«more»):
    """The step size beyond which the method diverges, a number."""
    ### BEGIN SOLUTION
    N = len(Phi)
    factor = «factor»  # the Hessian is factor * Phi' Phi
    h = jnp.linalg.eigvalsh(factor * Phi.T @ Phi)[-1]
    return «limit»
    ### END SOLUTION'''

CHECK = """\
def two_directions_by_hand(f):
    Phi = jnp.array(«phi»)
    got = f(Phi, «beta»«l2»)
    assert jnp.shape(got) == (), (
        "One number is wanted: the first of all directions to break decides."
    )
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not jnp.isclose(got, slip, rtol=1e-4), hint
    assert jnp.isclose(got, «value», rtol=1e-4), (
        "Phi' Phi is diagonal here, with «steep» and «shallow»: which curvatures "
        "does J have? Put e' = -e and m' = -m into the step of the steeper one."
    )


def holds_in_a_run(f):
    draw = np.random.default_rng(«stream»)
    Phi, w_star = draw.normal(size=(8, 3)), draw.normal(size=3)
    J = lambda w: «cost»
    gradient = jax.jit(jax.grad(J))
    step = f(Phi, «beta_run»«l2»)
    for part, grows in [(0.97, False), (1.03, True)]:
        w, m = w_star + 1.0, jnp.zeros(3)
        for _ in range(600):
            w, m = step_2(w, m, gradient, part * step, «beta_run»«l2»)
        assert bool(jnp.abs(w).max() > 1e3) == grows, (
            "Six hundred steps of 1.03 times your limit do not diverge."
            if grows
            else "Six hundred steps of 0.97 times your limit diverge."
        )


check("F.2", largest_stable_step, two_directions_by_hand, holds_in_a_run)"""

HIDDEN = """\
def step_hidden(w, m, gradient, step_size, beta, l2):
    «code»


def grows_hidden(A, step_size, beta, l2):
    unit, D = np.eye(2 * len(A)), len(A)
    columns = [
        np.concatenate(
            step_hidden(u[:D], u[D:], lambda w: A @ w, step_size, beta, l2)
        )
        for u in unit
    ]
    return np.abs(np.linalg.eigvals(np.array(columns))).max() > 1


for stream, N, D, beta, l2 in «cases»:
    P_hidden = np.random.default_rng(stream).normal(size=(N, D))
    A_hidden = «factor» * P_hidden.T @ P_hidden
    low, high = 0.0, 1e4
    for _ in range(80):
        middle = (low + high) / 2
        if grows_hidden(A_hidden, middle, beta, l2):
            high = middle
        else:
            low = middle
    got_hidden = largest_stable_step(P_hidden, beta«more»)
    assert np.isclose(got_hidden, high, rtol=1e-6), (
        f"Too {'large' if got_hidden > high else 'small'} a limit for {N} "
        f"examples, {D} weights and beta = {beta}."
    )"""


def make(seed):
    draw, secret = Draw(seed, "F.2"), Draw(seed, "F.2", "hidden")
    name, squares = draw.choice(METHODS), draw.choice(SQUARES)
    method, (coefficient, cost, factor, _) = METHODS[name], SQUARES[squares]
    hand = drawn_until(lambda: _by_hand(draw, name, squares), least=9)
    decays = name == "weight decay"
    values = dict(
        method,
        coefficient=coefficient,
        decays=r", and `l2` $= \lambda \ge 0$" if decays else "",
        more=", l2" if decays else "",
        l2=f", {hand['l2']}" if decays else "",
        factor=factor,
        phi=hand["phi"],
        beta=hand["beta"],
        slips=slip_list(hand["slips"]),
        value=shown(hand["right"][0]),
        steep=shown(hand["squares"][0]),
        shallow=shown(hand["squares"][1]),
        stream=draw.stream(),
        cost=cost.format("(Phi @ (w - w_star)) ** 2"),
        beta_run=draw.number(0.2, 0.8),
        cases=row_list(
            [
                (
                    secret.stream(),
                    secret.integer(7, 12),
                    secret.integer(3, 5),
                    beta,
                    secret.number(0.1, 2) if decays else 0.0,
                )
                for beta in (0.0, secret.number(0.1, 0.5, 2), secret.number(0.5, 0.9, 2))
            ]
        ),
    )
    return Exercise(
        name="F.2",
        title="How large a step, with memory?",
        minutes=20,
        points=4,
        variant=dict(method=name, squares=squares),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _by_hand(draw, name, squares):
    """Three examples at right angles: numbers, the limit, and what slips make of it."""
    a, b = draw.number(1.5, 3), draw.number(0.5, 1.3)
    beta, l2 = draw.number(0.2, 0.7), draw.number(0.3, 1.5)
    steep, shallow = 2 * a * a, b * b
    factors = {key: factor(3) for key, (_, _, _, factor) in SQUARES.items()}
    limit = METHODS[name]["value"]
    h = factors[squares] * steep
    slips = [
        ([2 / h], "That is the limit without memory: beta should matter."),
        (
            [limit(factors[squares] * shallow, beta, l2)],
            "That is the limit of the shallow direction. Which one gets there first?",
        ),
        ([limit(math.sqrt(h), beta, l2)], "A singular value is the root of a curvature."),
    ]
    slips += [
        ([limit(factor * steep, beta, l2)], "The Hessian is another multiple. " + MEANS_AND_HALVES)
        for key, factor in factors.items()
        if key != squares
    ]
    slips += [
        ([other["value"](h, beta, l2)], f"That is the limit of another method ({key}).")
        for key, other in METHODS.items()
        if key != name and (key != "weight decay" or name == "weight decay")
    ]
    if name == "weight decay":
        slips.append(([2 * (1 + beta) / (h + l2)], "The decay is not part of the velocity here."))
    phi = [[a, 0.0], [0.0, b], [a, 0.0]]
    right = [limit(h, beta, l2)]
    return dict(phi=phi, beta=beta, l2=l2, squares=(steep, shallow), right=right, slips=slips)
