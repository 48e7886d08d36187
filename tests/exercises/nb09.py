"""Wrong answers to the exercises of notebook 9."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "9.1": Exercise(
        "def expected_cost(h, c, x0, step_size, batch, k):",
        [
            Wrong(
                "start and floor squared together",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * h @ (s + (1 - step_size * h) ** (2 * k) * (x0 - s) ** 2)
                """,
                "x0 alone",
            ),
            Wrong(
                "exponential forgetting",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * h @ (s + jnp.exp(-2 * step_size * h * k) * (x0**2 - s))
                """,
                "a limit for small steps",
            ),
            Wrong(
                "a power by logarithms, for steps below 1/h alone",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                fade = np.exp(2 * k * np.log(1 - step_size * h))
                return 0.5 * np.sum(h * (s + fade * (x0**2 - s)))
                """,
                "beyond 1/h",
                hidden=True,
            ),
            Wrong(
                "no noise",
                "return 0.5 * jnp.sum(h * (1 - step_size * h) ** (2 * k) * x0**2)",
                "The noise is missing",
            ),
            Wrong(
                "step size not squared in the noise",
                """
                s = c / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "step_size counts squared",
            ),
            Wrong(
                "the power k",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** k * (x0**2 - s)))
                """,
                "the power is 2k",
            ),
            Wrong(
                "no half",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "a factor 1/2",
            ),
            Wrong(
                "modes not weighted",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(s + (1 - step_size * h) ** (2 * k) * (x0**2 - s))
                """,
                "counts with its curvature",
            ),
            Wrong(
                "batch forgotten",
                """
                s = step_size * c / (h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "The batch is missing",
            ),
            Wrong(
                "batch squared",
                """
                s = step_size * c / (batch**2 * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "not by its square",
            ),
            Wrong(
                "the start not squared",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0 - s)))
                """,
                "x0**2",
            ),
            Wrong(
                "the floor added in full",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * x0**2))
                """,
                "not simply added",
            ),
            Wrong(
                "the floor for small steps",
                """
                s = step_size * c / (2 * batch * h)
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "keep 2 - step_size * h",
            ),
            Wrong(
                "c as a standard deviation",
                """
                s = step_size * c**2 / (batch * h * (2 - step_size * h))
                return 0.5 * jnp.sum(h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s)))
                """,
                "do not square it",
            ),
            Wrong(
                "one step too many",
                """
                square = x0**2
                for _ in range(k + 1):
                    square = (1 - step_size * h) ** 2 * square + step_size**2 * c / batch
                return 0.5 * h @ square
                """,
                "One step too many",
            ),
            Wrong(
                "the noise c = h built in",
                """
                square = x0**2
                for _ in range(k):
                    square = (1 - step_size * h) ** 2 * square + step_size**2 * h / batch
                return 0.5 * h @ square
                """,
            ),
            Wrong(
                "x0 changed in place",
                """
                x0 *= x0
                for _ in range(k):
                    x0 = (1 - step_size * h) ** 2 * x0 + step_size**2 * c / batch
                return 0.5 * h @ x0
                """,
                "changed an array",
            ),
            Wrong(
                "shape: a number for each mode",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return 0.5 * h * (s + (1 - step_size * h) ** (2 * k) * (x0**2 - s))
                """,
                "should be summed up",
            ),
        ],
        [
            """
            square = np.array(x0) ** 2
            for _ in range(k):
                square = (1 - step_size * h) ** 2 * square + step_size**2 * c / batch
            return h @ square / 2
            """,
            """
            h, c, x0 = jnp.asarray(h), jnp.asarray(c), jnp.asarray(x0)
            keep = (1 - step_size * h) ** 2
            push = step_size**2 * c / batch
            noise = push * sum(keep**j for j in range(k)) if k else 0 * h
            return jnp.vdot(h, keep**k * x0**2 + noise) / 2
            """,
            """
            r = np.abs(1 - step_size * h) ** (2 * k)
            floor = step_size**2 * (c / batch) / (1 - (1 - step_size * h) ** 2)
            return float(np.mean(h * (r * x0**2 + (1 - r) * floor)) * len(h) / 2)
            """,
        ],
    ),
    "9.2": Exercise(
        "def best_step(g, H, Sigma, batch):",
        [
            Wrong(
                "the noise along g",
                "return g @ g / (g @ H @ g + g @ Sigma @ g / batch)",
                "in the direction of g alone",
            ),
            Wrong(
                "a trace of two rows by hand",
                """
                trace = H[0] @ Sigma[:, 0] + H[1] @ Sigma[:, 1]
                return g @ g / (g @ H @ g + trace / batch)
                """,
                "With 3 weights",
                hidden=True,
            ),
            Wrong("no noise", "return g @ g / (g @ H @ g)", "The noise is missing"),
            Wrong(
                "trace of Sigma alone",
                "return g @ g / (g @ H @ g + jnp.trace(Sigma) / batch)",
                "not tr(Sigma)",
            ),
            Wrong(
                "the simple noise scale",
                "return g @ g / (g @ H @ g) / (1 + jnp.trace(Sigma) / (g @ g) / batch)",
                "without the Hessian",
            ),
            Wrong(
                "times the batch",
                "return g @ g / (g @ H @ g + jnp.trace(H @ Sigma) * batch)",
                "not multiplied",
            ),
            Wrong(
                "no batch",
                "return g @ g / (g @ H @ g + jnp.trace(H @ Sigma))",
                "The batch is missing",
            ),
            Wrong(
                "root of the batch",
                "return g @ g / (g @ H @ g + jnp.trace(H @ Sigma) / jnp.sqrt(batch))",
                "not by its root",
            ),
            Wrong(
                "length not squared",
                "return jnp.linalg.norm(g) / (g @ H @ g + jnp.trace(H @ Sigma) / batch)",
                "without a root",
            ),
            Wrong(
                "diagonals",
                "return g @ g / (g @ H @ g + jnp.diag(H) @ jnp.diag(Sigma) / batch)",
                "the two diagonals alone",
            ),
            Wrong(
                "the stability limit",
                "return 2 * g @ g / (g @ H @ g + jnp.trace(H @ Sigma) / batch)",
                "half as long",
            ),
            Wrong(
                "the factor a half kept",
                "return 0.5 * g @ g / (g @ H @ g + jnp.trace(H @ Sigma) / batch)",
                "which differentiating removes",
            ),
            Wrong(
                "product of traces",
                "return g @ g / (g @ H @ g + jnp.trace(H) * jnp.trace(Sigma) / batch)",
                "The traces do not multiply",
            ),
            Wrong(
                "all entries",
                "return g @ g / (g @ H @ g + jnp.sum(H @ Sigma) / batch)",
                "The sum of all entries",
            ),
            Wrong(
                "upside down",
                "return (g @ H @ g + jnp.trace(H @ Sigma) / batch) / (g @ g)",
                "Upside down",
            ),
            Wrong(
                "shape: the step",
                "return g @ g / (g @ H @ g + jnp.trace(H @ Sigma) / batch) * g",
                "not the step size",
            ),
            Wrong("shape: Newton", "return jnp.linalg.solve(H, g)", "One step size"),
        ],
        [
            "return g @ g / (g @ H @ g + jnp.sum(H * Sigma) / batch)",
            """
            bend = np.einsum("i,ij,j->", g, H, g) + np.einsum("ij,ji->", H, Sigma) / batch
            return float(np.sum(np.square(g)) / bend)
            """,
            """
            g, H, Sigma = jnp.asarray(g), jnp.asarray(H), jnp.asarray(Sigma)
            second = jnp.outer(g, g) + Sigma / batch
            return jnp.vdot(g, g) / jnp.trace(second @ H)
            """,
        ],
    ),
    "9.3": Exercise(
        "def noise_scale_at_rest(h, c, step_size, batch):",
        [
            Wrong(
                "two thousand steps are not rest for a flat mode",
                """
                square = np.zeros(len(h))
                for _ in range(2000):
                    square = (1 - step_size * h) ** 2 * square + step_size**2 * c / batch
                return np.sum(c) / np.sum(h**2 * square)
                """,
                "a run comes to rest",
                hidden=True,
            ),
            Wrong(
                "the gradient of a batch",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(h**2 * s + c / batch)
                """,
                "not g_B",
            ),
            Wrong(
                "the limit of small steps",
                "return 2 * batch / step_size * jnp.sum(c) / jnp.sum(h * c)",
                "keep 2 - step_size * h",
            ),
            Wrong(
                "x in place of the gradient",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(s)
                """,
                "that is the mean of x^2",
            ),
            Wrong(
                "h not squared",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(h * s)
                """,
                "that is h x^2",
            ),
            Wrong(
                "a sum of ratios",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c / (h**2 * s))
                """,
                "not a mode's own ratio",
            ),
            Wrong(
                "a mean of ratios",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.mean(c / (h**2 * s))
                """,
                "Not the mean",
            ),
            Wrong(
                "upside down",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(h**2 * s) / jnp.sum(c)
                """,
                "Upside down",
            ),
            Wrong(
                "noise of a batch",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c / batch) / jnp.sum(h**2 * s)
                """,
                "Off by a factor B",
            ),
            Wrong(
                "batch forgotten in the floor",
                """
                s = step_size * c / (h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(h**2 * s)
                """,
                "Off by a factor B",
            ),
            Wrong(
                "batch above in the floor",
                """
                s = batch * step_size * c / (h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(h**2 * s)
                """,
                "stands below in the floor",
            ),
            Wrong(
                "step size forgotten in the floor",
                """
                s = c / (batch * h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum(h**2 * s)
                """,
                "The step size is missing",
            ),
            Wrong(
                "with the Hessian",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(h * c) / jnp.sum(h**3 * s)
                """,
                "with the Hessian",
            ),
            Wrong(
                "the floor squared",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return jnp.sum(c) / jnp.sum((h * s) ** 2)
                """,
                "do not square it",
            ),
            Wrong(
                "shape: a number for each mode",
                """
                s = step_size * c / (batch * h * (2 - step_size * h))
                return c / (h**2 * s)
                """,
                "One number",
            ),
        ],
        [
            """
            s = step_size**2 * c / batch / (1 - (1 - step_size * h) ** 2)
            return c.sum() / (h**2 @ s)
            """,
            """
            h, c = jnp.asarray(h), jnp.asarray(c)
            return batch / step_size * jnp.sum(c) / jnp.sum(h * c / (2 - step_size * h))
            """,
            """
            share = c / np.sum(c)
            return float(1 / np.sum(share * step_size * h / (2 - step_size * h)) * batch)
            """,
        ],
    ),
    "9.4": Exercise(
        "def two_batch_estimate(q_small, q_big, b_small, b_big):",
        [
            Wrong(
                "cut off at zero",
                """
                trace = (q_small - q_big) / (1 / b_small - 1 / b_big)
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return max(square, 0.0), max(trace, 0.0)
                """,
                "do not cut it off",
                hidden=True,
            ),
            Wrong(
                "the larger batch as it is",
                "return q_big, (q_small - q_big) / (1 / b_small - 1 / b_big)",
                "still has noise",
            ),
            Wrong(
                "batches swapped",
                """
                square = (b_small * q_big - b_big * q_small) / (b_small - b_big)
                return square, (q_small - q_big) / (1 / b_big - 1 / b_small)
                """,
                "swapped",
            ),
            Wrong(
                "divided by the difference of the batches",
                """
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return square, (q_small - q_big) / (b_big - b_small)
                """,
                "not by the difference",
            ),
            Wrong(
                "not divided at all",
                """
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return square, q_small - q_big
                """,
                "that of one example",
            ),
            Wrong(
                "sign",
                """
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return square, (q_big - q_small) / (1 / b_small - 1 / b_big)
                """,
                "The sign",
            ),
            Wrong(
                "mean of both",
                "return (q_small + q_big) / 2, (q_small - q_big) / (1 / b_small - 1 / b_big)",
                "The mean of both",
            ),
            Wrong(
                "the larger batch without noise",
                "return q_big, b_small * (q_small - q_big)",
                "takes the larger batch for noiseless",
            ),
            Wrong(
                "in the other order",
                """
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return (q_small - q_big) / (1 / b_small - 1 / b_big), square
                """,
                "In the other order",
            ),
            Wrong(
                "shape: the ratio",
                """
                square = (b_big * q_big - b_small * q_small) / (b_big - b_small)
                return (q_small - q_big) / (1 / b_small - 1 / b_big) / square
                """,
                "not their ratio",
            ),
        ],
        [
            """
            trace = (q_small - q_big) / (1 / b_small - 1 / b_big)
            return q_small - trace / b_small, trace
            """,
            """
            A = np.array([[1.0, 1 / b_small], [1.0, 1 / b_big]])
            return np.linalg.solve(A, [q_small, q_big])
            """,
            """
            gap = b_big - b_small
            square = q_big * b_big / gap - q_small * b_small / gap
            return [square, jnp.asarray((q_small - q_big) * b_small * b_big / gap)]
            """,
        ],
    ),
    "9.5": Exercise(
        "def interpolation_step(d, batch):",
        [
            Wrong(
                "whole numbers divided",
                """
                bend = 1 + (d + 1) // batch
                return 1 / bend, 1 - 1 / bend
                """,
                "it is (",
                hidden=True,
            ),
            Wrong("no noise", "return 1.0, 0.0", "the noise is missing"),
            Wrong(
                "noise alone",
                "return batch / (d + 1), 1 - batch / (d + 1)",
                "grow without end",
            ),
            Wrong(
                "d in place of d + 1",
                "return 1 / (1 + d / batch), 1 - 1 / (1 + d / batch)",
                "not d",
            ),
            Wrong(
                "d + 2 in place of d + 1",
                "return 1 / (1 + (d + 2) / batch), 1 - 1 / (1 + (d + 2) / batch)",
                "d + 1 are noise",
            ),
            Wrong(
                "length, not its square",
                "return 1 / (1 + (d + 1) / batch), (1 - 1 / (1 + (d + 1) / batch)) ** 0.5",
                "for the length of e",
            ),
            Wrong(
                "the stability limit",
                "return 2 / (1 + (d + 1) / batch), 1.0",
                "nothing is gained",
            ),
            Wrong(
                "what is taken away",
                "return 1 / (1 + (d + 1) / batch), 1 / (1 + (d + 1) / batch)",
                "takes away",
            ),
            Wrong(
                "the mean's factor",
                "return 1 / (1 + (d + 1) / batch), (1 - 1 / (1 + (d + 1) / batch)) ** 2",
                "not that of the mean",
            ),
            Wrong("batch forgotten", "return 1 / (2 + d), 1 - 1 / (2 + d)", "The batch is missing"),
            Wrong("shape: the step size alone", "return 1 / (1 + (d + 1) / batch)", "Both are"),
        ],
        [
            """
            step = batch / (batch + d + 1)
            return step, 1 - step
            """,
            """
            bend = 1 + (d + 1) / batch
            step = 1 / bend
            return np.array([step, 1 - 2 * step + step**2 * bend])
            """,
            """
            noise = (d + 2 - 1) / batch
            return [jnp.asarray(1 / (1 + noise)), jnp.asarray(noise / (1 + noise))]
            """,
        ],
    ),
}
