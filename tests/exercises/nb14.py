"""Wrong answers to the exercises of notebook 14."""

from wrong_answers import Exercise, Wrong

REVERSE = """
w, path = path[-1], list(path[:-1])
"""

EXERCISES = {
    "14.1": Exercise(
        "def undo_step(w, v, gradient, step_size, momentum):",
        [
            Wrong(
                "a linear gradient taken for granted",
                """
                slope = gradient(w) - gradient(v)
                return w - v, (v + step_size * slope) / momentum
                """,
                "not linear",
                hidden=True,
            ),
            Wrong(
                "gradient at the new w",
                "return w - v, (v + step_size * gradient(w)) / momentum",
                "at the old w",
            ),
            Wrong(
                "multiplied by momentum",
                "w = w - v\nreturn w, (v + step_size * gradient(w)) * momentum",
                "divided by momentum, not",
            ),
            Wrong(
                "gradient subtracted",
                "w = w - v\nreturn w, (v - step_size * gradient(w)) / momentum",
                "added back",
            ),
            Wrong(
                "divided too early",
                "w = w - v\nreturn w, v / momentum + step_size * gradient(w)",
                "then divide all of it",
            ),
            Wrong(
                "w plus v",
                "w = w + v\nreturn w, (v + step_size * gradient(w)) / momentum",
                "had v added",
            ),
            Wrong(
                "v first",
                "v = (v + step_size * gradient(w)) / momentum\nreturn w - v, v",
                "that you were given",
            ),
            Wrong("v left as it is", "return w - v, v", "undone, too"),
            Wrong(
                "no step size",
                "w = w - v\nreturn w, (v + gradient(w)) / momentum",
                "step size is missing",
            ),
            Wrong(
                "not divided",
                "w = w - v\nreturn w, v + step_size * gradient(w)",
                "not divided by momentum",
            ),
            Wrong("no gradient", "return w - v, v / momentum", "must be added back"),
            Wrong(
                "a step on",
                "v = momentum * v - step_size * gradient(w)\nreturn w + v, v",
                "a step on",
            ),
            Wrong(
                "in place",
                "w -= v\nv += step_size * gradient(w)\nv /= momentum\nreturn w, v",
                "has changed an array",
            ),
            Wrong(
                "the usual momentum built in",
                "w = w - v\nreturn w, (v + step_size * gradient(w)) / 0.8",
                "use the ones given",
            ),
            Wrong("shape: w alone", "return w - v", "w, then v"),
        ],
        [
            """
            before = w - v
            return before, (step_size * gradient(before) + v) / momentum
            """,
            """
            w = jnp.asarray(w) - jnp.asarray(v)
            return [w, v / momentum + step_size / momentum * gradient(w)]
            """,
            """
            w = np.subtract(w, v)
            v = np.array(v)
            v += step_size * np.asarray(gradient(w))
            return w, v * (1 / momentum)
            """,
        ],
    ),
    "14.2": Exercise(
        "def undo_fraction(v, buffer, num, den):",
        [
            Wrong(
                "the buffer kept in 64 bits",
                """
                buffer, v = (buffer * num + v % num) % 2**64, v // num
                return v * den + buffer % den, buffer // den
                """,
                "a long buffer",
                hidden=True,
            ),
            Wrong(
                "the buffer divided as a float",
                """
                buffer, v = buffer * num + v % num, v // num
                return v * den + buffer % den, int(buffer / den)
                """,
                "a buffer of 57 bits",
            ),
            Wrong("the buffer unused", "return v * den // num, buffer", "what rounding lost"),
            Wrong(
                "reverse order missed",
                """
                v, buffer = v * den + buffer % den, buffer // den
                return v // num, buffer * num + v % num
                """,
                "is undone first",
            ),
            Wrong(
                "once more",
                """
                buffer, v = buffer * den + v % den, v // den
                return v * num + buffer % num, buffer // num
                """,
                "once more",
            ),
            Wrong(
                "remainder read too early",
                """
                r, buffer = buffer % den, buffer // den
                return v // num * den + r, buffer * num + v % num
                """,
                "before the remainder",
            ),
            Wrong(
                "no remainder",
                """
                buffer = buffer * num + v % num
                return v // num * den, buffer // den
                """,
                "remainder is missing",
            ),
            Wrong(
                "buffer not emptied",
                """
                buffer = buffer * num + v % num
                return v // num * den + buffer % den, buffer
                """,
                "out of the buffer",
            ),
            Wrong(
                "digit dropped",
                "return v // num * den + buffer % den, buffer // den",
                "Put the digit, v % num, back",
            ),
            Wrong(
                "towards zero",
                """
                whole = int(np.fix(v / num))
                buffer = buffer * num + v - num * whole
                return whole * den + buffer % den, buffer // den
                """,
                "cut towards 0",
            ),
            Wrong(
                "floats rounded down",
                """
                whole = int(np.floor(v / num))
                buffer = buffer * num + v - num * whole
                return whole * den + buffer % den, buffer // den
                """,
                "has 53",
            ),
            Wrong(
                "nine tenths built in",
                """
                buffer, v = buffer * 9 + v % 9, v // 9
                return v * 10 + buffer % 10, buffer // 10
                """,
                "use the ones given",
            ),
            Wrong(
                "floats",
                """
                buffer = buffer * num + v % num
                return (v - v % num) / num * den + buffer % den, buffer // den
                """,
                "makes a float",
            ),
            Wrong(
                "swapped results",
                """
                buffer, v = buffer * num + v % num, v // num
                return buffer // den, v * den + buffer % den
                """,
                "First v",
            ),
            Wrong(
                "shape: v alone",
                """
                buffer, v = buffer * num + v % num, v // num
                return v * den + buffer % den
                """,
                "Two integers",
            ),
        ],
        [
            "return times_fraction(v, buffer, den, num)",
            """
            v, digit = divmod(v, num)
            buffer, remainder = divmod(buffer * num + digit, den)
            return v * den + remainder, buffer
            """,
            """
            digit = v % num
            whole = (v - digit) // num
            stack = num * buffer + digit
            remainder = stack % den
            return [den * whole + remainder, (stack - remainder) // den]
            """,
        ],
    ),
    "14.3": Exercise(
        "def step_size_gradient(gradient, hvp, F_gradient, path, step_sizes, momentum):",
        [
            Wrong(
                "hvp at the last weights",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w, dv), momentum * dv
return jnp.array(found[::-1])
""",
                "asked at w_k",
                hidden=True,
            ),
            Wrong(
                "F before the last step",
                """
                w, path = path[-2], list(path[:-1])
                dw, dv, found = F_gradient(w), 0 * w, []
                for eta, w_k in zip(step_sizes[::-1], path[::-1]):
                    dv = dv + dw
                    found.append(-dv @ gradient(w_k))
                    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
                return jnp.array(found[::-1])
                """,
                "after the last step",
            ),
            Wrong(
                "no Hessian",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for w_k in path[::-1]:
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dv = momentum * dv
return jnp.array(found[::-1])
""",
                "the term with hvp is missing",
            ),
            Wrong(
                "Hessian of dw",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dw), momentum * dv
return jnp.array(found[::-1])
""",
                "of which bar",
            ),
            Wrong(
                "no direct road",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = -eta * hvp(w_k, dv), momentum * dv
return jnp.array(found[::-1])
""",
                "directly, too",
            ),
            Wrong(
                "velocity forgotten",
                REVERSE
                + """
dw, found = F_gradient(w), []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    found.append(-dw @ gradient(w_k))
    dw = dw - eta * hvp(w_k, dw)
return jnp.array(found[::-1])
""",
                "keep dv",
            ),
            Wrong(
                "dv not shrunk",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw = dw - eta * hvp(w_k, dv)
return jnp.array(found[::-1])
""",
                "multiplied by momentum from",
            ),
            Wrong(
                "dv shrunk before hvp",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dv = momentum * dv
    dw = dw - eta * hvp(w_k, dv)
return jnp.array(found[::-1])
""",
                "hvp comes before",
            ),
            Wrong(
                "gradient after the step",
                REVERSE
                + """
path.append(w)
dw, dv, found = F_gradient(w), 0 * w, []
for k in reversed(range(len(step_sizes))):
    dv = dv + dw
    found.append(-dv @ gradient(path[k + 1]))
    dw, dv = dw - step_sizes[k] * hvp(path[k], dv), momentum * dv
return jnp.array(found[::-1])
""",
                "before the step",
            ),
            Wrong(
                "the last step alone",
                REVERSE
                + """
last = -F_gradient(w) @ gradient(path[-1])
return jnp.zeros(len(step_sizes)).at[-1].set(last)
""",
                "Only the last step",
            ),
            Wrong(
                "by log eta",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-eta * dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
return jnp.array(found[::-1])
""",
                "not log eta",
            ),
            Wrong(
                "sign",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
return jnp.array(found[::-1])
""",
                "The sign",
            ),
            Wrong(
                "last step first",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
return jnp.array(found)
""",
                "first step first",
            ),
            Wrong(
                "shape: the sum",
                REVERSE
                + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
return jnp.sum(jnp.array(found))
""",
                "their sum",
            ),
        ],
        [
            REVERSE
            + """
dw, dv, found = F_gradient(w), 0 * w, []
for eta, w_k in zip(step_sizes[::-1], path[::-1]):
    dv = dv + dw
    found.append(-dv @ gradient(w_k))
    dw, dv = dw - eta * hvp(w_k, dv), momentum * dv
return found[::-1]
""",
            """
            K = len(step_sizes)
            found = np.zeros(K)
            a, b = np.asarray(F_gradient(path[K])), np.zeros(path.shape[1])
            for k in range(K - 1, -1, -1):
                b = b + a
                found[k] = -np.dot(b, gradient(path[k]))
                a = a - step_sizes[k] * np.asarray(hvp(path[k], b))
                b = b * momentum
            return found
            """,
            """
            D, K = path.shape[1], len(step_sizes)
            dw, dv = jnp.zeros((K, D)), jnp.zeros((K, D))  # forwards: by each eta
            for k, eta in enumerate(step_sizes):
                Hd = jnp.stack([hvp(path[k], d) for d in dw])
                dv = momentum * dv - eta * Hd
                dv = dv.at[k].add(-gradient(path[k]))
                dw = dw + dv
            return dw @ F_gradient(path[-1])
            """,
        ],
    ),
    "14.4": Exercise(
        "def fixed_points(h, a, step_size):",
        [
            Wrong(
                "what is left taken as positive",
                """
                left = abs(1 - step_size * h)
                weights = jnp.stack([h * left**2, h * left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "beyond a_i",
                hidden=True,
            ),
            Wrong(
                "MAML without the chain rule",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left, h * left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "that is first-order MAML",
            ),
            Wrong(
                "MAML without h",
                """
                left = 1 - step_size * h
                weights = jnp.stack([left**2, h * left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "has the curvature h, too",
            ),
            Wrong(
                "h nowhere",
                """
                left = 1 - step_size * h
                weights = jnp.stack([left**2, left, jnp.ones_like(h)])
                return weights @ a / weights.sum(axis=1)
                """,
                "in all three",
            ),
            Wrong(
                "h squared",
                """
                left = 1 - step_size * h
                weights = jnp.stack([(h * left) ** 2, h * left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "h counts once",
            ),
            Wrong(
                "two inner steps",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left**4, h * left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "one inner step",
            ),
            Wrong(
                "first order without h",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left**2, left, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "has the factor h",
            ),
            Wrong(
                "Reptile at the mean",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left**2, h * left, jnp.ones_like(h)])
                return weights @ a / weights.sum(axis=1)
                """,
                "h counts",
            ),
            Wrong("the mean of a", "return (jnp.mean(a),) * 3", "different weights"),
            Wrong(
                "reverse order",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h, h * left, h * left**2])
                return weights @ a / weights.sum(axis=1)
                """,
                "In the order MAML",
            ),
            Wrong(
                "MAML and first order swapped",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left, h * left**2, h])
                return weights @ a / weights.sum(axis=1)
                """,
                "are swapped",
            ),
            Wrong(
                "not divided",
                """
                left = 1 - step_size * h
                return jnp.stack([h * left**2, h * left, h]) @ a
                """,
                "Divide by the sum",
            ),
            Wrong(
                "means over tasks",
                """
                left = 1 - step_size * h
                return jnp.stack([h * left**2, h * left, h]) @ a / len(h)
                """,
                "not divided by the sum",
            ),
            Wrong(
                "two tasks alone",
                """
                left = 1 - step_size * h
                weights = jnp.stack([h * left**2, h * left, h])[:, :2]
                return weights @ a[:2] / weights.sum(axis=1)
                """,
                "any number of tasks",
            ),
            Wrong(
                "shape: MAML alone",
                """
                weights = h * (1 - step_size * h) ** 2
                return [weights @ a / weights.sum()]
                """,
                "Three numbers",
            ),
        ],
        [
            """
            left = 1 - step_size * h
            maml, first = h * left**2, h * left
            return maml @ a / maml.sum(), first @ a / first.sum(), h @ a / h.sum()
            """,
            """
            left = 1 - step_size * np.asarray(h)
            return [np.average(a, weights=h * left**power) for power in (2, 1, 0)]
            """,
            """
            adapt = lambda theta: theta - step_size * h * (theta - a)
            rules = [
                lambda theta: np.sum(h * (1 - step_size * h) * (adapt(theta) - a)),
                lambda theta: np.sum(h * (adapt(theta) - a)),
                lambda theta: np.sum(theta - adapt(theta)),
            ]
            return tuple(rule(0.0) / (rule(0.0) - rule(1.0)) for rule in rules)
            """,
        ],
    ),
    "14.5": Exercise(
        "def greedy_step(h, c, m):",
        [
            Wrong(
                "never above 1 / h_max",
                """
                best = jnp.sum(h**2 * m) / (jnp.sum(h**3 * m) + jnp.sum(h * c))
                return jnp.minimum(best, 1 / jnp.max(h))
                """,
                "above 1/h_max or not",
                hidden=True,
            ),
            Wrong("1 / h_max", "return 1 / jnp.max(h)", "That is 1 / h_max"),
            Wrong("no noise", "return jnp.sum(h**2 * m) / jnp.sum(h**3 * m)", "noise is missing"),
            Wrong(
                "one h too few",
                "return jnp.sum(h * m) / (jnp.sum(h**2 * m) + jnp.sum(c))",
                "one h is missing",
            ),
            Wrong(
                "root of m",
                "x = m**0.5\nreturn jnp.sum(h**2 * x) / (jnp.sum(h**3 * x) + jnp.sum(h * c))",
                "no root",
            ),
            Wrong(
                "m squared",
                "x = m**2\nreturn jnp.sum(h**2 * x) / (jnp.sum(h**3 * x) + jnp.sum(h * c))",
                "do not square it",
            ),
            Wrong(
                "a half",
                "return jnp.sum(h**2 * m) / (jnp.sum(h**3 * m) + jnp.sum(h * c)) / 2",
                "A factor of 2",
            ),
            Wrong(
                "twice",
                "return 2 * jnp.sum(h**2 * m) / (jnp.sum(h**3 * m) + jnp.sum(h * c))",
                "A factor 2 too much",
            ),
            Wrong(
                "noise without h",
                "return jnp.sum(h**2 * m) / (jnp.sum(h**3 * m) + jnp.sum(c))",
                "The noise, too",
            ),
            Wrong(
                "shape: one per mode",
                "return h**2 * m / (h**3 * m + h * c)",
                "for all modes",
            ),
        ],
        [
            "return (h**2 @ m) / (h**3 @ m + h @ c)",
            """
            up = sum(k * k * s for k, s in zip(h, m))
            down = sum(k * k * k * s + k * n for k, s, n in zip(h, m, c))
            return float(up / down)
            """,
            """
            cost = lambda eta: np.sum(h * ((1 - eta * h) ** 2 * m + eta**2 * c))
            left, middle, right = cost(-1.0), cost(0.0), cost(1.0)
            return (left - right) / (2 * (left - 2 * middle + right))
            """,
        ],
    ),
}
