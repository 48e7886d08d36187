"""Exercises of notebook 12: games of two players whose losses chase each other."""

import jax.numpy as jnp
import numpy as np

from course_utils.exercises import SHAPES, called, case, expect, expect_all_digits

# --- 12.1 · The picture after k steps -------------------------------------------------------------

NUMBER = "One number for each entry of steps, real, in the shape of steps."


def painted(step_size, num_steps):
    """The brightness after 0 .. num_steps steps of the game itself, one pixel with target 1."""
    x = y = 0.0
    values = [x]
    for _ in range(num_steps):
        x, y = x - step_size * y, y + step_size * (x - 1)
        values.append(x)
    return np.array(values)


def brightness_slips(step_size, k):
    length, angle = np.hypot(1, step_size) ** k, k * np.arctan(step_size)
    return {
        "That is u, the distance from the target: x = m + u.": -length * np.cos(angle),
        "The sign of the start: u is -m, since the picture is blank.": 1 + length * np.cos(angle),
        "That is Re (1 + i eta)^k alone: u starts at -m, and x = m + u.": length * np.cos(angle),
        "u is the real part of c, not the imaginary one.": 1 - length * np.sin(angle),
        "u is the real part of c, not the imaginary one: y.": 1 + length * np.sin(angle),
        "It only turns: a step stretches by sqrt(1 + eta^2), too.": 1 - np.cos(angle),
        "A step stretches by sqrt(1 + eta^2): the root is missing.": 1 - length**2 * np.cos(angle),
        "A step stretches by sqrt(1 + eta^2), not by 1 + eta.": (
            1 - (1 + step_size) ** k * np.cos(angle)
        ),
        "A step turns by arctan(eta); eta is that for small steps alone.": (
            1 - length * np.cos(k * step_size)
        ),
        "Growth and angle are those for small steps: exactly, sqrt(1 + eta^2) and arctan(eta).": (
            1 - np.exp(step_size**2 * k / 2) * np.cos(k * step_size)
        ),
        "A step stretches by sqrt(1 + eta^2), not by exp(eta^2 / 2).": (
            1 - np.exp(step_size**2 * k / 2) * np.cos(angle)
        ),
        "That is the limit of small steps: it neither stretches, nor turns by arctan(eta).": (
            1 - np.cos(k * step_size)
        ),
        "It shrinks: a step multiplies by 1 + i eta, which is longer than 1.": (
            1 - np.cos(angle) / length
        ),
        "That is the length of c: take its real part.": 1 - length,
        "That is the length of c; u is its real part, and x = m + u.": length,
        "A complex number: u is its real part.": 1 - (1 + 1j * step_size) ** k,
        "That is gradient descent on one loss: 1 - (1 - eta)^k.": 1 - (1 - step_size) ** k,
        "That is a game in turns: here both move at once.": in_turns(step_size, k),
    }


def in_turns(step_size, k):
    x = y = 0.0
    for _ in range(k):
        x = x - step_size * y
        y = y + step_size * (x - 1)
    return x


@case("12.1")
def brightness_by_hand(f):
    for k, right in [(3, 0.75), (2, 0.25)]:
        says = f"For step_size = 0.5 and {k} steps the brightness is {right}."
        expect(f(0.5, k), right, says, brightness_slips(0.5, k), form=NUMBER)


@case("12.1")
def brightness_at_the_start(f):
    says = "After 0 steps the picture is blank: 0."
    expect(f(0.3, 0), 0.0, says, form=NUMBER)


@case("12.1")
def brightness_of_several_steps(f):
    steps = np.arange(6)
    advice = {
        "integer|interpreted|ambiguous|truth|iter|scalar": "steps may be an array: no loop over it "
        "is needed.",
        SHAPES: "steps may be an array; the answer has its shape.",
    }
    got = called(f, 0.7, steps, advice=advice)
    says = "Wrong for steps = [0, 1, ..., 5] and step_size = 0.7, though single numbers are right."
    slips = {
        "Give the values at the steps asked for, not those up to the last one.": painted(0.7, 6)
    }
    expect(got, painted(0.7, 5), says, slips, form=NUMBER)


@case("12.1", hidden=True)
def brightness_is_that_of_the_game(f):
    draw = np.random.default_rng(121)
    for step_size, most in [(0.03, 300), (0.4, 60), (1.7, 12)]:
        path = painted(step_size, most)
        some = draw.integers(1, most + 1, (3, 4))
        for steps in (most, some, jnp.asarray(some[0]), some[1, :1]):
            says = (
                f"With step_size = {step_size} a run of the game has other values at the steps "
                f"{np.asarray(steps).ravel().tolist()}: they may stand in any order and shape."
            )
            scale = np.hypot(1, step_size) ** most
            expect_all_digits(
                f(step_size, steps), path[steps], says, form=NUMBER, rtol=1e-8, atol=1e-11 * scale
            )


# --- 12.2 · Look ahead ----------------------------------------------------------------------------

PLACE = "The new z, of the shape of z."


def look_ahead_slips(v, z, h):
    first = v(z)
    trial = z - h * first
    second = v(trial)
    return {
        "That is a plain step: read the field at the end of it, and step again from z.": trial,
        "Two plain steps: the second starts at z, not at the end of the trial.": trial - h * second,
        "Half of that step is missing: both steps are step_size long.": z
        - h / 2 * v(z - h / 2 * first),
        "A trial step of half the length, or the mean of two fields: take a whole trial step, and "
        "then the field at its end alone.": z - h * v(z - h / 2 * first),
        "The trial goes uphill: it is a step as any other, minus.": z - h * v(z + h * first),
        "Uphill: the step is subtracted.": z + h * second,
        "Uphill, both times: steps are subtracted.": z + h * v(z + h * first),
        "That averages the two fields; the one at the trial is taken alone.": z
        - h / 2 * (first + second),
        "That is the optimistic guess with the field ahead: take the field at the trial alone.": z
        - h * (2 * first - second),
        "That is the field at the trial; the step from z is missing.": second,
        "The step starts at z: z - step_size * v(trial).": -h * second,
    }


@case("12.2")
def look_ahead_by_hand(f):
    v = lambda z: jnp.array([z[1], -z[0]])
    z = jnp.array([1.0, 0.0])
    says = "For the cost xy, from [1, 0] with step_size = 0.5, the new z is [0.75, 0.5]."
    slips = look_ahead_slips(v, z, 0.5)
    expect(f(v, z, 0.5), [0.75, 0.5], says, slips, form=PLACE)


@case("12.2")
def look_ahead_with_a_pull(f):
    matrix = np.array([[1.0, 2.0], [-2.0, 0.5]])
    v, z = lambda z: matrix @ z, np.array([1.0, -1.0])
    says = "For the field M z, M = [[1, 2], [-2, 0.5]], from [1, -1] with 0.3: [0.76, -0.1825]."
    expect(f(v, z, 0.3), [0.76, -0.1825], says, look_ahead_slips(v, z, 0.3), form=PLACE)
    assert np.all(z == [1, -1]), "Your function has changed the z that it was given."


@case("12.2")
def look_ahead_in_a_bent_field(f):
    v, z = lambda z: jnp.stack([z[1] ** 2, -z[0] * z[1]]), jnp.array([1.0, 2.0])
    linear = "The field is not linear: call v at the trial, its Jacobian at z is not enough."
    first, matrix = np.array([4.0, -2.0]), np.array([[0.0, 4.0], [-2.0, -1.0]])
    slips = {linear: z - 0.5 * (first - 0.5 * matrix @ first)}
    twice = "Call v at the trial: v(v(z)) is the same for a linear field alone."
    slips[twice] = z - 0.5 * first + 0.25 * v(first)
    says = "For v = [y^2, -x y], from [1, 2] with step_size = 0.5: [-3.5, 0.5]."
    expect(f(v, z, 0.5), [-3.5, 0.5], says, {**look_ahead_slips(v, z, 0.5), **slips}, form=PLACE)


@case("12.2", hidden=True)
def look_ahead_of_any_shape_and_field(f):
    draw = np.random.default_rng(122)
    for shape in [(3,), (4, 3)]:
        z = draw.normal(size=shape)
        v = lambda z: np.sin(z)[::-1] + z**3
        right = z - 0.2 * v(z - 0.2 * v(z))
        advice = {".": "z may have any shape: use it as a whole."}
        got = called(f, v, z.copy(), 0.2, advice=advice)
        says = f"Wrong for a z of shape {shape}: use it as a whole."
        expect(got, right, says, look_ahead_slips(v, z, 0.2), form=PLACE, rtol=1e-9)
    for shape in [(2,), (2, 3), (2, 2, 2)]:
        z, turn = draw.normal(size=shape), draw.normal(size=shape)
        v = lambda z: np.stack([np.sin(z[1]) + z[0] ** 3, -z[0] * z[1]]) + turn
        trial = z - 0.2 * v(z)
        right = z - 0.2 * v(trial)
        says = f"Wrong for a field that is not linear, with a z of shape {shape}."
        expect(f(v, z.copy(), 0.2), right, says, look_ahead_slips(v, z, 0.2), form=PLACE, rtol=1e-9)


# --- 12.3 · The largest stable step ---------------------------------------------------------------

ONE = "One real number."


def step_slips(matrix):
    lam = np.linalg.eigvals(matrix)
    real, size = lam.real, np.abs(lam)
    limits = 2 * real / size**2
    with np.errstate(all="ignore"):
        from_below = 2 / np.linalg.eigvalsh((matrix + matrix.T) / 2).max()
    return {
        "2 over the largest |lambda| is right for real eigenvalues only.": 2 / size.max(),
        "2 over a real part leaves out the turning: |lambda|^2 has Im^2, too.": 2 / real.max(),
        "That is 2 over the largest pull, the eigenvalue of S: it leaves out the turning.": (
            from_below
        ),
        "The largest of the limits: all eigenvalues must agree, so the smallest counts.": (
            limits.max()
        ),
        "|lambda| is squared: the limit is where 2 eta Re = eta^2 |lambda|^2.": (
            2 * real / size
        ).min(),
        "Half of that: it is the best step for one pair, not the largest.": (real / size**2).min(),
        "2 over the smallest real part leaves out the turning.": 2 / real.min(),
        "Twice too long: |1 - eta lambda|^2 has the middle term 2 eta Re(lambda).": (
            4 * real / size**2
        ).min(),
        "The limits of all eigenvalues are not asked for: give the smallest.": limits,
        "The mean of the limits: the smallest counts.": limits.mean(),
        "Only the imaginary part is squared: |lambda|^2 = Re^2 + Im^2.": (
            2 * real / np.where(lam.imag == 0, 1, lam.imag**2)
        ).min(),
    }


@case("12.3")
def largest_step_by_hand(f):
    matrix = np.array([[1.0, 2.0], [-2.0, 0.5]])
    says = "For M = [[1, 2], [-2, 0.5]] the largest stable step is 1/3."
    few = "Right to some digits only: solve |1 - eta lambda| = 1, rather than search."
    got = f(jnp.asarray(matrix))
    slips = step_slips(matrix)
    expect_all_digits(got, 1 / 3, says, slips, form=ONE, few=few, near=5e-3, rtol=1e-6)


@case("12.3")
def largest_step_of_several_pairs(f):
    matrix = np.zeros((4, 4))
    matrix[:2, :2], matrix[2:, 2:] = [[0.5, 0.5], [-0.5, 0.5]], [[0.2, 1.5], [-1.5, 0.2]]
    says = "For the pairs 0.5 +- 0.5 i and 0.2 +- 1.5 i the second sets the limit, 0.1747."
    right = 2 * 0.2 / (0.2**2 + 1.5**2)
    expect(f(jnp.asarray(matrix)), right, says, step_slips(matrix), form=ONE)


@case("12.3")
def largest_step_of_one_loss(f):
    says = "For a symmetric M with eigenvalues 1 and 4 it is 0.5, as in notebook 1."
    slips = {"The largest of the limits: the smallest counts.": 2.0}
    expect(f(jnp.array([[1.0, 0.0], [0.0, 4.0]])), 0.5, says, slips, form=ONE)


@case("12.3")
def no_step_without_a_pull(f):
    says = "The cost xy, M = [[0, 1], [-1, 0]], allows no step: 0."
    expect(f(jnp.array([[0.0, 1.0], [-1.0, 0.0]])), 0.0, says, form=ONE, atol=1e-12)


@case("12.3")
def no_step_where_all_push(f):
    pushed = [[-0.1, 2.0], [-2.0, -0.1]]
    says = f"M = {pushed} pushes away: no step will do, so 0."
    slips = {"A limit below 0 means that no step will do: give 0.": step_limit(pushed)}
    expect(f(jnp.array(pushed)), 0.0, says, slips, form=ONE)


def growth_of_powers(matrix):
    """The long-run growth rate of a matrix's powers, by squaring it twenty times."""
    rate = 0.0
    for squared in range(20):
        size = np.linalg.norm(matrix)
        matrix, rate = matrix / size, rate + np.log(size) / 2**squared
        matrix = matrix @ matrix
    return rate


@case("12.3", hidden=True)
def largest_step_is_where_powers_begin_to_grow(f):
    draw = np.random.default_rng(123)
    tried = 0
    while tried < 8:
        d = int(draw.integers(1, 7))
        matrix = draw.normal(size=(d, d)) + 1.5 * np.eye(d)
        if np.linalg.eigvals(matrix).real.min() < 0.05:
            continue
        tried += 1
        got = f(jnp.asarray(matrix))
        assert np.ndim(got) == 0 and np.isrealobj(got), f"The answer should be {ONE.lower()}"
        says = f"For a random M of shape {(d, d)} powers of I - eta M do not turn at {got:.4f}."
        assert np.isfinite(got) and got > 0, says
        below, above = [
            growth_of_powers(np.eye(d) - share * float(got) * matrix) for share in (0.97, 1.03)
        ]
        assert below < 0 < above, says


@case("12.3", hidden=True)
def no_step_where_something_pushes(f):
    for pushed in ([[1.0, 0.0], [0.0, -0.5]], [[-3.0]]):
        says = f"M = {pushed} has an eigenvalue that pushes away: no step will do, so 0."
        slips = {"A limit below 0 means that no step will do: give 0.": step_limit(pushed)}
        expect(f(jnp.array(pushed)), 0.0, says, slips, form=ONE)


def step_limit(matrix):
    lam = np.linalg.eigvals(np.array(matrix))
    return (2 * lam.real / np.abs(lam) ** 2).min()


# --- 12.4 · An adjusted field ---------------------------------------------------------------------

FIELD = "A vector of the shape of v."


def adjusted_slips(v, matrix, strength):
    S, R = (matrix + matrix.T) / 2, (matrix - matrix.T) / 2
    return {
        "R for its transpose: that turns the field further away.": v + strength * R @ v,
        "M in place of R: that is consensus optimisation.": v + strength * matrix.T @ v,
        "M in place of R, and not transposed.": v + strength * matrix @ v,
        "That is the symmetric part: R is half the difference of M and its transpose.": v
        + strength * S @ v,
        "v itself is missing: v + strength * ...": strength * R.T @ v,
        "R is half the difference of M and its transpose.": v + 2 * strength * R.T @ v,
        "R is half the difference, in this order: M - M^T.": v + 2 * strength * R @ v,
        "strength is missing.": v + R.T @ v,
        "strength multiplies the correction alone.": strength * (v + R.T @ v),
        "R^T v is a vector: a product of a matrix and a vector, not entry by entry.": v
        + strength * R.T * v,
        "The part of M above its diagonal is not R: half the difference of M and M^T.": v
        + strength * np.triu(matrix, 1).T @ v,
        "M without its diagonal is not R: half the difference of M and M^T.": v
        + strength * (matrix - np.diag(np.diag(matrix))).T @ v,
    }


@case("12.4")
def adjusted_by_hand(f):
    v, matrix = np.array([-1.0, -2.5]), np.array([[1.0, 2.0], [-2.0, 0.5]])
    says = "For the example, with strength = 0.4, it is [1, -3.3]."
    got = f(jnp.asarray(v), jnp.asarray(matrix), 0.4)
    slips = adjusted_slips(v, matrix, 0.4)
    triangle = "The part of M above its diagonal is not R: half the difference of M and M^T."
    off = "M without its diagonal is not R: half the difference of M and M^T."
    slips = {hint: value for hint, value in slips.items() if hint not in (triangle, off)}
    expect(got, [1.0, -3.3], says, slips, form=FIELD)


@case("12.4")
def adjusted_where_M_is_lopsided(f):
    v, matrix = np.array([1.0, 2.0]), np.array([[2.0, 3.0], [1.0, -1.0]])
    says = "For v = [1, 2], M = [[2, 3], [1, -1]] and strength = 0.2 it is [0.6, 2.2]."
    got = f(jnp.asarray(v), jnp.asarray(matrix), 0.2)
    expect(got, [0.6, 2.2], says, adjusted_slips(v, matrix, 0.2), form=FIELD)


@case("12.4", hidden=True)
def adjusted_has_its_laws(f):
    draw = np.random.default_rng(124)
    for d in (1, 3, 6):
        v, matrix = draw.normal(size=d), draw.normal(size=(d, d))
        got = np.asarray(called(f, v, matrix, 0.7, advice={SHAPES: "v has shape (d,), M (d, d)."}))
        right = [
            v[i] + 0.7 * sum((matrix[j, i] - matrix[i, j]) / 2 * v[j] for j in range(d))
            for i in range(d)
        ]
        says = f"Wrong for a random M of shape {(d, d)}."
        expect(got, right, says, adjusted_slips(v, matrix, 0.7), form=FIELD, rtol=1e-9)
    common = matrix + matrix.T
    says = "With a common loss, M symmetric, nothing should change."
    expect(f(v, common, 0.7), v, says, form=FIELD, rtol=1e-9)
