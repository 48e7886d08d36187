"""Exercise F.5: two kinds of curvature, example by example."""

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
from course_utils.instructors.problem_sets.foundations.costs import MEANS_AND_HALVES

# Functions with their first and second derivative: LaTeX, JAX, NumPy (of a, or of z and t), and
# for numbers
OUTPUTS = {
    "tanh": dict(
        latex=r"\tanh(a_n)",
        code="jnp.tanh(Phi @ w)",
        dense=("np.tanh(a)", "1 - np.tanh(a) ** 2", "-2 * np.tanh(a) * (1 - np.tanh(a) ** 2)"),
        value=lambda a: (
            math.tanh(a),
            1 - math.tanh(a) ** 2,
            -2 * math.tanh(a) * (1 - math.tanh(a) ** 2),
        ),
    ),
    "softplus": dict(
        latex=r"\log(1 + e^{a_n})",
        code="jnp.logaddexp(0.0, Phi @ w)",
        dense=(
            "np.logaddexp(0, a)",
            "1 / (1 + np.exp(-a))",
            "1 / (1 + np.exp(-a)) / (1 + np.exp(a))",
        ),
        value=lambda a: (
            math.log(1 + math.exp(a)),
            1 / (1 + math.exp(-a)),
            1 / (1 + math.exp(-a)) / (1 + math.exp(a)),
        ),
    ),
    "sine": dict(
        latex=r"\sin(a_n)",
        code="jnp.sin(Phi @ w)",
        dense=("np.sin(a)", "np.cos(a)", "-np.sin(a)"),
        value=lambda a: (math.sin(a), math.cos(a), -math.sin(a)),
    ),
    "parabola": dict(
        latex=r"a_n + \tfrac12 a_n^2",
        code="Phi @ w + 0.5 * (Phi @ w) ** 2",
        dense=("a + a**2 / 2", "1 + a", "np.ones_like(a)"),
        value=lambda a: (a + a * a / 2, 1 + a, 1.0),
    ),
}
LOSSES = {
    "quartic": dict(
        latex=r"\tfrac14 (z_n - t_n)^4",
        code="(z - t) ** 4 / 4",
        dense=("(z - t) ** 3", "3 * (z - t) ** 2"),
        value=lambda z, t: ((z - t) ** 3, 3 * (z - t) ** 2),
        target=lambda draw: draw.signed(1, 2.5),
        random="draw.normal(size=N)",
    ),
    "log cosh": dict(
        latex=r"\log\cosh(z_n - t_n)",
        code="jnp.log(jnp.cosh(z - t))",
        dense=("np.tanh(z - t)", "1 - np.tanh(z - t) ** 2"),
        value=lambda z, t: (math.tanh(z - t), 1 - math.tanh(z - t) ** 2),
        target=lambda draw: draw.signed(0.5, 1.5),
        random="draw.normal(size=N)",
    ),
    "logistic": dict(
        latex=r"\log(1 + e^{-t_n z_n}), \quad t_n = \pm 1",
        code="jnp.logaddexp(0.0, -t * z)",
        dense=("-t / (1 + np.exp(t * z))", "1 / (1 + np.exp(z)) / (1 + np.exp(-z))"),
        value=lambda z, t: (
            -t / (1 + math.exp(t * z)),
            1 / (1 + math.exp(z)) / (1 + math.exp(-z)),
        ),
        target=lambda draw: draw.choice([-1.0, 1.0]),
        random="draw.choice([-1.0, 1.0], size=N)",
    ),
    "counts": dict(
        latex=r"e^{z_n} - t_n z_n",
        code="jnp.exp(z) - t * z",
        dense=("np.exp(z) - t", "np.exp(z)"),
        value=lambda z, t: (math.exp(z) - t, math.exp(z)),
        target=lambda draw: float(draw.integer(0, 4)),
        random="draw.integers(0, 5, size=N).astype(float)",
    ),
}

# What may be asked for of each example: words, name in messages, code
PARTS = {
    "loss": ("$v^\\top G v$, the Gauss-Newton part", "v.Gv", "bend * dz**2"),
    "model": ("$v^\\top (H - G)\\, v$, the residual part", "v.(H - G)v", "slope * ddz"),
    "whole": ("$v^\\top H v$, all of it", "v.Hv", "bend * dz**2 + slope * ddz"),
}
PAIRS = [("loss", "model"), ("whole", "loss"), ("model", "whole"), ("whole", "model")]

TASK = r"""
By (3.7) of notebook 3 the cost bends because the loss bends, or because the model does. Which
examples are behind either? The model and the cost, «average» over examples, are

$$z_n = «output», \quad a_n = \phi_n^\top w, \qquad\qquad
J(w) = «coefficient»\sum_n \ell(z_n, t_n), \quad \ell = «loss» .$$

Along a direction $v$, of any length, the curvature $v^\top H v$ is then a sum over examples, and
each of its terms has two parts.

**Write** `two_curvatures`, which returns a pair of arrays of shape (N,): what each example gives to
«first_words»; and what it gives to «second_words». In this order. `w` and `v` have the shape (D,).
`outputs_5` and `cost_5` are the formulas as code: $J$ is `cost_5(outputs_5(w, Phi), t)`. By hand or
by automatic differentiation, as you like.

<details><summary>Hint 1: one example</summary>

Follow one example along the line $w + \varepsilon v$: $z_n$ is a function of one number
$\varepsilon$, with derivatives $\dot z_n$ and $\ddot z_n$ at 0. Differentiate
$\ell(z_n(\varepsilon))$ twice by $\varepsilon$: two terms.
</details>
<details><summary>Hint 2: almost there</summary>

$\ell''\,\dot z_n^2$ and $\ell'\,\ddot z_n$, each with whatever stands before the sum. With JAX
$\dot z$ is a `jvp` of `outputs_5` along `v`, and $\ddot z$ a `jvp` of that; by hand $\dot z_n$ is
the derivative of the output by $a_n$, times $\phi_n^\top v$.
</details>"""

GIVEN = """\
def outputs_5(w, Phi):
    return «output_code»


def cost_5(z, t):
    return jnp.«average_code»(«loss_code»)"""

ANSWER = '''\
# Exercise F.5
def two_curvatures(w, v, Phi, t):
    """What each example gives to «first» and to «second»: (N,) and (N,)."""
    ### BEGIN SOLUTION
    path = lambda e: outputs_5(w + e * v, Phi)
    speed = lambda e: jax.jvp(path, (e,), (1.0,))[1]
    z, dz = jax.jvp(path, (0.0,), (1.0,))
    ddz = jax.jvp(speed, (0.0,), (1.0,))[1]
    cost = lambda z: cost_5(z, t)
    slope = jax.grad(cost)(z)
    bend = curvature.hvp(cost, z, jnp.ones_like(z))  # H_z is diagonal
    return «first_code», «second_code»
    ### END SOLUTION'''

CHECK = """\
def two_examples_by_hand(f):
    Phi, t = jnp.array(«phi»), jnp.array(«t»)
    got = f(jnp.array([«w»]), jnp.array([«v»]), Phi, t)
    assert isinstance(got, tuple | list) and len(got) == 2, (
        "A pair is wanted: the parts of «first», then those of «second»."
    )
    assert all(jnp.shape(part) == (2,) for part in got), (
        "Each of the two has one number for each example, shape (N,)."
    )
    got = [float(x) for part in got for x in part]
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not np.allclose(got, slip, rtol=1e-4), hint
    for i, value in enumerate(«value»):
        assert np.isclose(got[i], value, rtol=1e-4), (
            f"{['«first»', '«second»'][i // 2]}: example {i % 2} of two "
            f"should give {value}, and yours gives {got[i]:.6g}."
        )


def sums_are_the_products(f):
    draw, N = np.random.default_rng(«stream»), 7
    Phi = 0.6 * draw.normal(size=(N, 3))
    t = «random_target»
    w, v = jnp.asarray(draw.normal(size=3)), jnp.asarray(draw.normal(size=3))
    got = f(w, v, Phi, t)
    outputs, cost = lambda w: outputs_5(w, Phi), lambda z: cost_5(z, t)
    J = lambda w: cost(outputs(w))
    G = v @ jax.jit(lambda: curvature.ggnvp(outputs, cost, w, v))()
    H = v @ jax.jit(lambda: curvature.hvp(J, w, v))()
    wanted = {"v.Gv": G, "v.Hv": H, "v.(H - G)v": H - G}
    for name, part in zip(["«first»", "«second»"], got):
        assert jnp.shape(part) == (N,), "One number for each of 7 examples."
        assert jnp.isclose(jnp.sum(part), wanted[name]), (
            f"With three weights the parts do not add up to {name}."
        )


check("F.5", two_curvatures, two_examples_by_hand, sums_are_the_products)"""

HIDDEN = """\
for stream, N, D in «cases»:
    draw = np.random.default_rng(stream)
    P = draw.normal(size=(N, D)) / np.sqrt(D)
    t = «random_target»
    w, v = draw.normal(size=D), 2 * draw.normal(size=D)
    a, along = P @ w, P @ v
    z = «g0»
    slope, bend = «l1», «l2»
    dz = («g1») * along
    ddz = («g2») * along**2
    exact_hidden = np.array([«first_code», «second_code»])«over»
    got_hidden = two_curvatures(jnp.asarray(w), jnp.asarray(v), P, t)
    for i in range(2):
        assert np.allclose(got_hidden[i], exact_hidden[i], 1e-7, 1e-12), (
            f"Wrong {['first', 'second'][i]} array for {N} examples and {D} "
            "weights."
        )"""


def make(seed):
    draw, secret = Draw(seed, "F.5"), Draw(seed, "F.5", "hidden")
    output, loss, mean = draw.choice(OUTPUTS), draw.choice(LOSSES), draw.choice([True, False])
    pair = draw.choice(PAIRS)
    hand = drawn_until(lambda: _by_hand(draw, output, loss, mean, pair), least=9)
    g, bend = OUTPUTS[output], LOSSES[loss]
    values = dict(
        first_words=PARTS[pair[0]][0],
        second_words=PARTS[pair[1]][0],
        first=PARTS[pair[0]][1],
        second=PARTS[pair[1]][1],
        first_code=PARTS[pair[0]][2],
        second_code=PARTS[pair[1]][2],
        average="a mean" if mean else "a sum",
        coefficient=r"\frac1N" if mean else "",
        output=g["latex"],
        loss=bend["latex"],
        output_code=g["code"],
        loss_code=bend["code"],
        average_code="mean" if mean else "sum",
        phi=[[x] for x in hand["phi"]],
        t=hand["t"],
        w=hand["w"],
        v=hand["v"],
        slips=slip_list(hand["slips"]),
        value=shown(hand["right"]),
        stream=draw.stream(),
        random_target=bend["random"],
        g0=g["dense"][0],
        g1=g["dense"][1],
        g2=g["dense"][2],
        l1=bend["dense"][0],
        l2=bend["dense"][1],
        over=" / N" if mean else "",
        cases=row_list(
            [(secret.stream(), secret.integer(3, 9), secret.integer(2, 5)) for _ in range(2)]
        ),
    )
    return Exercise(
        name="F.5",
        title="Which examples bend the cost?",
        minutes=25,
        points=5,
        variant=dict(output=output, loss=loss, mean=mean, pair=pair),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _by_hand(draw, output, loss, mean, pair):
    """Two examples, one weight: numbers, both parts of each example, and slips."""
    phi = [draw.signed(0.5, 1.5), draw.signed(0.5, 1.5)]
    w, v = draw.signed(0.4, 1), draw.signed(1.5, 3)
    t = [LOSSES[loss]["target"](draw) for _ in phi]
    rows = []  # of each example: g', g'', slope and bend of the loss, phi v
    for x, target in zip(phi, t):
        z, g1, g2 = OUTPUTS[output]["value"](x * w)
        rows.append((g1, g2, *LOSSES[loss]["value"](z, target), x * v))

    bent = lambda g1, g2, slope, bend, s: bend * (g1 * s) ** 2
    rest = lambda g1, g2, slope, bend, s: slope * g2 * s**2

    def parts(bent=bent, rest=rest, over=2 if mean else 1, pair=pair):
        both = {
            "loss": [bent(*row) / over for row in rows],
            "model": [rest(*row) / over for row in rows],
        }
        both["whole"] = [sum(two) for two in zip(both["loss"], both["model"])]
        return both[pair[0]] + both[pair[1]]

    slips = [
        (parts(pair=pair[::-1]), "The two are exchanged: which comes first?"),
        (parts(over=1 if mean else 2), MEANS_AND_HALVES),
        (
            parts(bent=lambda g1, g2, slope, bend, s: (g1 * s) ** 2),
            "In v.Gv the curvature of the loss is missing, l''.",
        ),
        (
            parts(bent=lambda g1, g2, slope, bend, s: bend * g1 * s * s),
            "The slope of the output stands twice in G, once on each side.",
        ),
        (
            parts(rest=lambda g1, g2, slope, bend, s: g2 * s * s),
            "The bend of the model counts by the slope of the loss.",
        ),
        (parts(rest=lambda *r: -rest(*r)), "The residual part has the wrong sign."),
        (
            parts(lambda *r: bent(*r) / r[4], lambda *r: rest(*r) / r[4]),
            "v stands on both sides of a curvature, so it enters by its square.",
        ),
        (
            parts(lambda *r: bent(*r) / v**2, lambda *r: rest(*r) / v**2),
            "v counts as it came, at full length.",
        ),
    ]
    slips += [
        (parts(pair=other), f"Those are {PARTS[other[0]][1]} and {PARTS[other[1]][1]}.")
        for other in PAIRS
        if set(other) != set(pair)
    ]
    if any(abs(x) < 0.02 for x in [*parts(pair=("loss", "model")), *parts()]):
        slips = []  # a part that is nearly 0 tells nothing: draw again
    return dict(phi=phi, w=w, v=v, t=t, right=parts(), slips=slips)
