"""Exercise F.6: conjugate gradients from products with Phi."""

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

# Penalties: LaTeX, code, its factor in the gradient as code and number, its center in code
PENALTIES = {
    "half, to zero": (r"\frac\lambda2 \lVert w\rVert^2", "0.5 * l2 * w @ w", "l2", 1, "0"),
    "whole, to zero": (r"\lambda \lVert w\rVert^2", "l2 * w @ w", "2 * l2", 2, "0"),
    "half, to start": (
        r"\frac\lambda2 \lVert w - w_0\rVert^2",
        "0.5 * l2 * (w - w0) @ (w - w0)",
        "l2",
        1,
        "w0",
    ),
    "whole, to start": (
        r"\lambda \lVert w - w_0\rVert^2",
        "l2 * (w - w0) @ (w - w0)",
        "2 * l2",
        2,
        "w0",
    ),
}
SECONDS = {
    "slope": (
        r"the length of the gradient there, $\lVert\nabla J(w)\rVert$",
        "jnp.linalg.norm(gradient(w))",
    ),
    "cost": ("the cost $J(w)$ there", "cost_6(w, push, t, l2, w0)"),
    "moved": (r"the distance $\lVert w - w_0\rVert$ from the start", "jnp.linalg.norm(w - w0)"),
}

TASK = r"""
A feature matrix with a million columns is known only through two programs: `push(w)` is $\Phi w$,
shape (N,), and `pull(u)` is $\Phi^\top u$, shape (D,). The cost is

$$J(w) = «coefficient» \lVert\Phi w - t\rVert^2 + «penalty».$$

Its gradient is 0 where some system $Aw = b$ holds, and conjugate gradients solve that. But training
does not begin at 0: it begins at $w_0$.

**Write** `fit_by_products`: exactly `num_steps` steps of conjugate gradients from `w0`, shape (D,),
on the system that says $\nabla J(w) = 0$. `t` has the shape (N,), `l2` is $\lambda > 0$, and
`num_steps` may be 0. Return a pair: the weights $w$ then reached, shape (D,), and «second».
Should the residual be exactly 0, stop: $w$ is the solution. No matrix: at most `num_steps + 3`
calls of `push`, and as many of `pull`.

<details><summary>Hint 1: another start</summary>

In the loop (4.3) of notebook 4 only the first lines know about the start: the first residual is
$b - Aw_0$, and that is minus a gradient.
</details>
<details><summary>Hint 2: the matrix</summary>

$\nabla J(w) = Aw - b$. So $Ap$ is what of $\nabla J(p)$ is linear in $p$: one `push`, one `pull`,
and a multiple of $p$. Which factors do the two have?
</details>"""

GIVEN = """\
def cost_6(w, push, t, l2, w0):
    return «cost» + «penalty_code»"""

ANSWER = '''\
# Exercise F.6
def fit_by_products(push, pull, t, l2, w0, num_steps):
    """The weights after num_steps of CG from w0, (D,), and a number."""
    ### BEGIN SOLUTION
    N = len(t)
    data = «factor»
    penalty = «penalty_factor»
    center = «center»
    gradient = lambda w: data * pull(push(w) - t) + penalty * (w - center)
    w, r = w0, -gradient(w0)
    p, rr = r, r @ r
    for _ in range(num_steps):
        if rr == 0:
            break
        Ap = data * pull(push(p)) + penalty * p
        alpha = rr / (p @ Ap)
        w, r = w + alpha * p, r - alpha * Ap
        rr, old = r @ r, rr
        p = r + rr / old * p
    return w, «second_code»
    ### END SOLUTION'''

CHECK = """\
def products(Phi):  # push, pull, and how often each was called
    count = {"push": 0, "pull": 0}

    def push(w):
        count["push"] += 1
        return jnp.asarray(Phi) @ w

    def pull(u):
        count["pull"] += 1
        return jnp.asarray(Phi).T @ u

    return push, pull, count


def one_step_by_hand(f):
    push, pull, _ = products(np.array(«phi»))
    t, w0 = jnp.array(«t»), jnp.array(«w0»)
    got = f(push, pull, t, «l2», w0, 1)
    assert isinstance(got, tuple | list) and len(got) == 2, (
        "A pair is wanted: the weights, and a number."
    )
    assert jnp.shape(got[0]) == (2,) and jnp.shape(got[1]) == (), (
        "The weights have the shape (D,), here (2,), and then comes a number."
    )
    w = np.asarray(got[0])
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not np.allclose(w, slip, rtol=1e-4), hint
    assert np.allclose(w, «value», rtol=1e-4), (
        "After one step the weights should be «value»: "
        "the first step goes downhill from w0, to the lowest point on its line."
    )
    assert np.isclose(got[1], «second_value», rtol=1e-4), (
        "The weights are right, and the number should be «second_value»: see what "
        "is asked for."
    )


def no_step_and_no_residual(f):
    push, pull, _ = products(np.eye(2))
    w = f(push, pull, jnp.ones(2), 0.5, jnp.array([3.0, -1.0]), 0)[0]
    assert jnp.allclose(w, jnp.array([3.0, -1.0])), "No step: w is w0."
    w = f(push, pull, jnp.zeros(2), 0.5, jnp.zeros(2), 3)[0]
    assert np.isfinite(w).all(), "A residual of 0 at the start gives 0 / 0."


def ends_at_the_minimum(f):
    draw = np.random.default_rng(«stream»)
    Phi, t, w0 = (draw.normal(size=s) for s in [(9, 4), 9, 4])
    push, pull, count = products(Phi)
    w, second = f(push, pull, jnp.asarray(t), «l2_run», jnp.asarray(w0), 4)
    assert max(count.values()) <= 7, (
        f"Four steps called push {count['push']} times and pull "
        f"{count['pull']} times; 7 are allowed. One product A p in each step?"
    )
    J = lambda w: cost_6(w, push, t, «l2_run», w0)
    slope = jnp.linalg.norm(jax.grad(J)(jnp.asarray(w)))
    assert slope < 1e-7, (
        "Four weights, four steps: the gradient of J should be 0, and its "
        f"length is {slope:.2g}. Is beta new r.r over old r.r?"
    )


cases = one_step_by_hand, no_step_and_no_residual, ends_at_the_minimum
check("F.6", fit_by_products, *cases)"""

HIDDEN = """\
for stream, N, D, k, l2 in «cases»:
    draw = np.random.default_rng(stream)
    P, t, w0 = (draw.normal(size=s) for s in [(N, D), N, D])
    A = («factor») * P.T @ P + («penalty_factor») * np.eye(D)
    b = («factor») * P.T @ t + («penalty_factor») * («center») * np.ones(D)
    space = [b - A @ w0]  # the Krylov space of k products
    for _ in range(k - 1):
        space.append(A @ space[-1])
    V = np.linalg.qr(np.array(space).T)[0]
    w = w0 + V @ np.linalg.solve(V.T @ A @ V, V.T @ (b - A @ w0))
    push = lambda x: jnp.asarray(P) @ x
    pull = lambda u: jnp.asarray(P).T @ u
    got_hidden = fit_by_products(
        push, pull, jnp.asarray(t), l2, jnp.asarray(w0), k
    )
    assert np.allclose(got_hidden[0], w, rtol=1e-6, atol=1e-8), (
        f"Wrong weights after {k} steps in {D} dimensions."
    )
    second_hidden = «dense»
    assert np.isclose(got_hidden[1], second_hidden, 1e-5, 1e-8), (
        f"The weights are right after {k} steps; the number beside them is not."
    )"""


def make(seed):
    draw, secret = Draw(seed, "F.6"), Draw(seed, "F.6", "hidden")
    squares, pulls, second = (draw.choice(d) for d in (SQUARES, PENALTIES, SECONDS))
    coefficient, cost, factor, _ = SQUARES[squares]
    penalty, penalty_code, penalty_factor, _, center = PENALTIES[pulls]
    words, second_code = SECONDS[second]
    hand = drawn_until(lambda: _by_hand(draw, squares, pulls, second), least=9)
    dense = {
        "slope": "np.linalg.norm(A @ w - b)",
        "cost": _dense_cost(squares, penalty_code),
        "moved": "np.linalg.norm(w - w0)",
    }
    values = dict(
        coefficient=coefficient,
        penalty=penalty,
        second=words,
        cost=cost.format("(push(w) - t) ** 2"),
        penalty_code=penalty_code,
        factor=factor,
        penalty_factor=penalty_factor,
        center=center,
        second_code=second_code,
        phi=hand["phi"],
        t=hand["t"],
        w0=hand["w0"],
        l2=hand["l2"],
        slips=slip_list(hand["slips"]),
        value=shown(hand["right"]),
        second_value=shown(hand["second"]),
        stream=draw.stream(),
        l2_run=draw.number(0.2, 0.9),
        dense=dense[second],
        cases=row_list(
            [
                (
                    secret.stream(),
                    secret.integer(8, 12),
                    secret.integer(5, 7),
                    k,
                    secret.number(0.2, 1.5, 2),
                )
                for k in (2, 4)
            ]
        ),
    )
    return Exercise(
        name="F.6",
        title="Conjugate gradients, from where one is",
        minutes=25,
        points=5,
        variant=dict(squares=squares, penalty=pulls, second=second),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _dense_cost(squares, penalty_code):
    """The cost of F.6 in NumPy, written through sums alone."""
    before = {"half mean": "0.5 / N", "mean": "1 / N", "half sum": "0.5", "sum": "1.0"}[squares]
    return f"{before} * np.sum((P @ w - t) ** 2) + {penalty_code}"


def _by_hand(draw, squares, pulls, second):
    """Three examples at right angles: numbers, w after a step, the second number, and slips."""
    a, b = draw.number(0.6, 1.4), draw.number(1.6, 2.6)
    phi, N = [[a, 0.0], [0.0, b], [0.0, 0.0]], 3
    t = [draw.signed(1, 4), draw.signed(1, 4), draw.signed(0.5, 1.5)]
    w0, l2 = [draw.signed(0.5, 2.5), draw.signed(0.5, 2.5)], draw.number(0.4, 1.5)
    data, weight = SQUARES[squares][3](N), PENALTIES[pulls][3]
    to_start = PENALTIES[pulls][4] == "w0"
    size = [a, b]

    def slope(w, data, weight, to_start):
        return [
            data * s * (s * x - y) + weight * l2 * (x - (x0 if to_start else 0))
            for s, x, y, x0 in zip(size, w, t, w0)
        ]

    def step(data=data, weight=weight, to_start=to_start, start=w0, sign=1, full=False):
        r = [-sign * g for g in slope(start, data, weight, to_start)]
        bent = [(data * s * s + weight * l2) * x for s, x in zip(size, r)]
        alpha = 1 if full else sum(x * x for x in r) / sum(x * y for x, y in zip(r, bent))
        return [x + alpha * y for x, y in zip(start, r)]

    w = step()
    others = {key: SQUARES[key][3](N) for key in SQUARES if SQUARES[key][3](N) != data}
    moved = math.sqrt(sum((x - y) ** 2 for x, y in zip(w, w0)))
    errors = sum((s * x - y) ** 2 for s, x, y in zip([*size, 0], [*w, 0], t))
    away = sum((x - (x0 if to_start else 0)) ** 2 for x, x0 in zip(w, w0))
    numbers = {
        "slope": math.sqrt(sum(g * g for g in slope(w, data, weight, to_start))),
        "cost": data * errors / 2 + weight * l2 * away / 2,
        "moved": moved,
    }
    slips = [
        (step(start=[0.0, 0.0]), "That is a step from 0; it should begin at w0."),
        (step(sign=-1), "That step goes uphill: the first residual is minus the gradient."),
        (step(full=True), "The step has the length alpha = r.r / p.Ap."),
        (step(to_start=not to_start), "Where does the penalty pull to: 0, or w0?"),
        (step(weight=3 - weight), "The penalty's factor: is there a 1/2 before it in J?"),
        (step(weight=0), "The penalty has no effect."),
        (list(w0), "That is w0: one step is asked for."),
    ]
    slips += [
        (step(data=other), "The data term has another factor. " + MEANS_AND_HALVES)
        for other in others.values()
    ]
    return dict(phi=phi, t=t, w0=w0, l2=l2, right=w, second=numbers[second], slips=slips)
