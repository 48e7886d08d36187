"""Exercise F.3: weights of prepared data, in the units of the raw ones."""

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

# What is subtracted from a feature, and by what it is divided, as code of a column's statistics
PREPARATIONS = {
    "standardised": ("X.mean(axis=0)", "X.std(axis=0)", "minus its mean, over its deviation"),
    "from 0 to 1": (
        "X.min(axis=0)",
        "X.max(axis=0) - X.min(axis=0)",
        "shifted and scaled so that it runs from 0 to 1",
    ),
    "from -1 to 1": (
        "(X.max(axis=0) + X.min(axis=0)) / 2",
        "(X.max(axis=0) - X.min(axis=0)) / 2",
        "shifted and scaled so that it runs from −1 to 1",
    ),
    "largest deviation": (
        "X.mean(axis=0)",
        "abs(X - X.mean(axis=0)).max(axis=0)",
        "minus its mean, over the largest distance from it",
    ),
}
TARGETS = {
    "standardised": ("t.mean()", "t.std()", "minus their mean, over their deviation"),
    "in halves of the range": (
        "t.mean()",
        "0.5 * (t.max() - t.min())",
        "minus their mean, over half of their range",
    ),
    "from 0 to 1": ("t.min()", "(t.max() - t.min())", "shifted and scaled to run from 0 to 1"),
}

TASK = r"""
A model was fitted to prepared data: each feature «features» (a constant one is only shifted), and
the targets «targets», all measured on the training set `X`, `t`. In those units it predicts $z^\top
v + c$ for a prepared row $z$. Those who use it have raw rows $x$ and want raw predictions, without
preparing anything:

$$\hat t(x) = x^\top w + b .$$

**Write** `raw_model`, which returns the pair `(w, b)`, shapes (D,) and (): the same model in raw
units. `v` has the shape (D,), `c` is a number, `X` and `t` are NumPy arrays of shapes (N, D) and
(N,). `prepare_3` is the preparation of a row as code, and `unprepare_3` takes a prediction back to
the units of the targets.

<details><summary>Hint</summary>

Write the prediction for a raw row: $z_j = (x_j - \text{shift}_j)/\text{scale}_j$ into $z^\top v +
c$, and that into `unprepare_3`. Then sort: what multiplies $x_j$, and what multiplies nothing?
</details>"""

GIVEN = """\
def prepare_3(rows, X):
    shift = «shift»
    scale = «scale»
    constant = X.min(axis=0) == X.max(axis=0)
    return (rows - shift) / np.where(constant, 1.0, scale)


def unprepare_3(u, t):
    return «t_shift» + «t_scale» * u"""

ANSWER = '''\
# Exercise F.3
def raw_model(v, c, X, t):
    """(w, b) so that X @ w + b predicts in the units of t: (D,) and ()."""
    ### BEGIN SOLUTION
    shift = «shift»
    scale = «scale»
    scale = np.where(X.min(axis=0) == X.max(axis=0), 1.0, scale)
    t_shift, t_scale = «t_shift», «t_scale»
    w = t_scale * v / scale
    return w, t_shift + t_scale * (c - np.sum(shift * v / scale))
    ### END SOLUTION'''

CHECK = """\
def one_feature_by_hand(f):
    X = np.array(«x»)[:, None]
    t = np.array(«t»)
    got = f(np.array([«v»]), «c», X, t)
    assert isinstance(got, tuple | list) and len(got) == 2, (
        "A pair is wanted: the weights w, then the number b."
    )
    assert np.shape(got[0]) == (1,) and np.shape(got[1]) == (), (
        "w has the shape (D,), here (1,), and b is a number."
    )
    got = [float(got[0][0]), float(got[1])]
    slips = [
«slips»
    ]
    for slip, hint in slips:
        assert not np.allclose(got, slip, rtol=1e-4), hint
    assert np.isclose(got[0], «w», rtol=1e-4), (
        "With one feature w should be «w»: what multiplies x?"
    )
    assert np.isclose(got[1], «b», rtol=1e-4), (
        "w is right, and b should be «b»: "
        "collect what multiplies nothing."
    )


def predicts_as_before(f):
    draw = np.random.default_rng(«stream»)
    X = draw.normal(size=(12, 3)) * [1.0, 20.0, 0.1] + [5.0, -30.0, 0.0]
    X[:, 1:2] += «constant» * X[:, :1]
    t, v, c = draw.normal(size=12) * 7 + 40, draw.normal(size=3), «c»
    for words, constant in [("", False), (" One column is constant.", True)]:
        if constant:
            X[:, 2] = 0.5
        w, b = f(v, c, X.copy(), t.copy())
        assert np.isfinite(w).all() and np.isfinite(b), (
            "Not all are numbers." + words
        )
        rows = draw.normal(size=(4, 3)) * 10
        wanted = unprepare_3(prepare_3(rows, X) @ v + c, t)
        assert np.allclose(rows @ w + b, wanted), (
            "Raw rows should get the predictions that the prepared ones get, "
            "in raw units." + words
        )


check("F.3", raw_model, one_feature_by_hand, predicts_as_before)"""

HIDDEN = """\
for stream, N, D in «cases»:
    draw = np.random.default_rng(stream)
    X = draw.normal(size=(N, D)) * draw.uniform(0.1, 30, size=D) + 9
    X[:, 0] = 4.0
    t, v, c = draw.normal(size=N) * 3 - 50, draw.normal(size=D), draw.normal()
    shift = «shift»
    scale = «scale»
    scale[0] = 1.0
    rows = np.vstack([np.zeros(D), np.eye(D)])  # b, then b + w_j
    u = [sum((x - shift) / scale * v) + c for x in rows]
    ends = [«t_shift» + «t_scale» * one for one in u]
    w_hidden, b_hidden = raw_model(v, c, X.copy(), t.copy())
    assert np.allclose(w_hidden, np.array(ends[1:]) - ends[0], rtol=1e-6), (
        f"Wrong w for {D} features, of which the first is constant."
    )
    assert np.isclose(b_hidden, ends[0], rtol=1e-8), (
        f"w is right; wrong b for {D} features, of which the first is constant."
    )"""


def make(seed):
    draw, secret = Draw(seed, "F.3"), Draw(seed, "F.3", "hidden")
    features, targets = draw.choice(PREPARATIONS), draw.choice(TARGETS)
    shift, scale, feature_words = PREPARATIONS[features]
    t_shift, t_scale, target_words = TARGETS[targets]
    hand = drawn_until(lambda: _by_hand(draw, features, targets), least=11)
    values = dict(
        hand,
        shift=shift,
        scale=scale,
        t_shift=t_shift,
        t_scale=t_scale,
        features=feature_words,
        targets=target_words,
        slips=slip_list(hand["slips"]),
        w=shown(hand["right"][0]),
        b=shown(hand["right"][1]),
        stream=draw.stream(),
        constant=draw.signed(1, 5),
        cases=row_list(
            [(secret.stream(), secret.integer(6, 15), secret.integer(2, 5)) for _ in range(3)]
        ),
    )
    return Exercise(
        name="F.3",
        title="Back to raw units",
        minutes=10,
        points=3,
        variant=dict(features=features, targets=targets),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )


def _statistics(column):
    """Shift and scale of each preparation, by its name."""
    mean, low, high = sum(column) / len(column), min(column), max(column)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in column) / len(column))
    return {
        "standardised": (mean, deviation),
        "from 0 to 1": (low, high - low),
        "from -1 to 1": ((high + low) / 2, (high - low) / 2),
        "largest deviation": (mean, max(abs(x - mean) for x in column)),
        "in halves of the range": (mean, (high - low) / 2),
    }


def _by_hand(draw, features, targets):
    """Four examples of one feature: numbers, (w, b), and what slips make of it."""
    x = draw.numbers(4, 1, 9)
    t = draw.numbers(4, 10, 30)
    v, c = draw.signed(1, 4), draw.signed(0.5, 2)
    if max(x) - min(x) < 2 or max(t) - min(t) < 5:
        return dict(right=[1.0, 1.0], slips=[])  # nearly constant: draw again
    of_x, of_t = _statistics(x), _statistics(t)
    shift, scale = of_x[features]
    t_shift, t_scale = of_t[targets]

    def raw(shift=shift, scale=scale, t_shift=t_shift, t_scale=t_scale):
        return [t_scale * v / scale, t_shift + t_scale * (c - shift * v / scale)]

    w, b = raw()
    slips = [
        (
            [t_scale * v * scale, b],
            "Multiplied by the scale of the feature, where z divides by it.",
        ),
        (raw(shift=0.0), "w is right; b takes no notice of the shift of the feature."),
        (raw(t_scale=1.0), "The scale of the targets is missing."),
        (raw(t_shift=0.0), "w is right; the shift of the targets is missing in b."),
        (raw(shift=-shift), "w is right; the shift of the feature has the wrong sign in b."),
        ([v / t_scale / scale, b], "Divided by the scale of the targets: it takes them back."),
        ([w, t_shift + c - shift * w], "c is in prepared units: t_scale multiplies it, too."),
        ([w, c], "w is right; b in raw units is not c."),
        ([v, c], "Those are v and c, as they came."),
    ]
    slips += [
        (raw(*of_x[key]), f"Features prepared in another way ({key})? See prepare_3.")
        for key in PREPARATIONS
        if key != features
    ]
    return dict(x=x, t=t, v=v, c=c, right=[w, b], slips=slips)
