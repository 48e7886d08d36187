"""Exercise O.4: the tangent kernel of infinitely many units with another activation."""

import math

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

# Of two Gaussians of mean 0 with variances p and q and covariance c: the mean of the product of
# their activations, of the product of the derivatives, and the product of the means. ``half`` is
# the ½ of E exp(g) = exp(var/2) or, for squares, the 2 of Isserlis' theorem over 4
ACTIVATIONS = {
    "sine": lambda p, q, c, half: (
        math.exp(-half * (p + q)) * math.sinh(c),
        math.exp(-half * (p + q)) * math.cosh(c),
        0.0,
    ),
    "cosine": lambda p, q, c, half: (
        math.exp(-half * (p + q)) * math.cosh(c),
        math.exp(-half * (p + q)) * math.sinh(c),
        math.exp(-half * (p + q)),
    ),
    "both": lambda p, q, c, half: (
        math.exp(c - half * (p + q)),
        math.exp(c - half * (p + q)),
        math.exp(-half * (p + q)),
    ),
    "square": lambda p, q, c, half: (p * q + 4 * half * c * c, 4 * c, p * q),
    "exponential": lambda p, q, c, half: (
        math.exp(half * (p + q + 2 * c) / 4),
        math.exp(half * (p + q + 2 * c) / 4) / 4,
        math.exp(half * (p + q) / 4),
    ),
}
TRAINED = ["all", "output", "hidden"]


def make(seed):
    draw, secret = Draw(seed, "O.4"), Draw(seed, "O.4", "hidden")
    activation, bias = draw.choice(ACTIVATIONS), draw.choice([True, False])
    trained = draw.choice(TRAINED)
    hand = drawn_until(lambda: _by_hand(draw, activation, bias, trained), least=5)
    cases = [
        (secret.stream(), secret.integer(2, 4), secret.integer(2, 4), secret.integer(2, 5))
        for _ in range(3)
    ]
    return exercise(
        "O.4",
        "optimization/kernel.j2",
        variant=dict(activation=activation, bias=bias, trained=trained),
        values=dict(hand, stream=draw.stream(), cases=cases),
    )


def _by_hand(draw, activation, bias, trained):
    """Two inputs and another one, of two numbers each: the kernel of each pair, and slips."""
    X = [[draw.signed(0.3, 0.9), draw.signed(0.3, 0.9)] for _ in range(2)]
    y = [draw.signed(0.3, 0.9), draw.signed(0.3, 0.9)]

    def kernels(
        bias=bias,
        trained=trained,
        half=0.5,
        unit=False,
        swapped=False,
        apart=False,
        sign=1,
        factor=lambda inner, bias: inner + bias,
    ):
        found = []
        for x in X:
            p, q, c = (a[0] * b[0] + a[1] * b[1] for a, b in [(x, x), (y, y), (x, y)])
            shift = 1 if bias else 0
            lengths = (1, 1) if unit else (p + shift, q + shift)
            outer, inner, means = ACTIVATIONS[activation](*lengths, sign * (c + shift), half)
            outer, inner = (inner, outer) if swapped else (outer, inner)
            outer, inner = means if apart else outer, inner * factor(c, shift)
            found.append({"all": outer + inner, "output": outer, "hidden": inner}[trained])
        return found

    slips = {name: kernels(trained=name) for name in TRAINED if name != trained}
    slips["no bias" if bias else "bias"] = kernels(bias=not bias)
    slips |= {
        "unit lengths": kernels(unit=True),
        "apart": kernels(apart=True),
        "half": kernels(half=0.25 if activation == "square" else 1.0),
        "swapped": kernels(swapped=True),
        "sign": kernels(sign=-1),
        "no inner product": kernels(factor=lambda inner, bias: 1),
        "bias untrained": kernels(factor=lambda inner, bias: inner),
    }
    if min(map(abs, kernels())) < 0.02:
        slips = {}
    return dict(X=X, y=y, right=kernels(), slips=slips)
