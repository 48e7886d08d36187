"""Wrong answers to the exercises of notebook 11."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "11.1": Exercise(
        "def heavy_ball_rate(h, step_size, momentum):",
        [
            Wrong(
                "sqrt(momentum) up to the limit of stability",
                """
                pull = step_size * h
                if (1 - momentum**0.5) ** 2 < pull < 2 * (1 + momentum):
                    return momentum**0.5
                half = abs(1 + momentum - pull) / 2
                return half + (half**2 - momentum) ** 0.5
                """,
                "the rate is 0.9249",
                hidden=True,
            ),
            Wrong("sqrt(momentum) always", "return momentum**0.5", "complex roots alone"),
            Wrong("descent", "return abs(1 - step_size * h)", "momentum is missing"),
            Wrong(
                "largest root, not modulus",
                """
                half = (1 + momentum - step_size * h) / 2
                if half**2 < momentum:
                    return momentum**0.5
                return half + (half**2 - momentum) ** 0.5
                """,
                "that is largest in size",
            ),
            Wrong(
                "modulus of the root with the plus sign",
                """
                half = (1 + momentum - step_size * h) / 2
                return abs(half + (half**2 - momentum + 0j) ** 0.5)
                """,
                "the smaller modulus",
            ),
            Wrong(
                "real part",
                """
                half = (1 + momentum - step_size * h) / 2
                return (half + (half**2 - momentum + 0j) ** 0.5).real
                """,
                "an imaginary part, too",
            ),
            Wrong(
                "a real square root",
                """
                half = abs(1 + momentum - step_size * h) / 2
                return half + jnp.sqrt(half**2 - momentum)
                """,
                "the roots are complex here",
            ),
            Wrong("product of the roots", "return momentum", "The product of the roots"),
            Wrong(
                "smaller root",
                """
                roots = np.roots([1, -(1 + momentum - step_size * h), momentum])
                return np.abs(roots).min()
                """,
                "the smaller root",
            ),
            Wrong(
                "an average's step",
                """
                step_size = (1 - momentum) * step_size
                return np.abs(np.roots([1, -(1 + momentum - step_size * h), momentum])).max()
                """,
                "an average's",
            ),
            Wrong(
                "h forgotten",
                "return np.abs(np.roots([1, -(1 + momentum - step_size), momentum])).max()",
                "The curvature h is missing",
            ),
            Wrong(
                "not halved",
                """
                middle = 1 + momentum - step_size * h
                root = (middle**2 - 4 * momentum + 0j) ** 0.5
                return max(abs(middle + root), abs(middle - root))
                """,
            ),
            Wrong(
                "shape: both roots",
                "return np.abs(np.roots([1, -(1 + momentum - step_size * h), momentum]))",
                "the larger modulus alone",
            ),
        ],
        [
            "return np.abs(np.roots([1, -(1 + momentum - step_size * h), momentum])).max()",
            """
            M = np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
            return max(abs(root) for root in np.linalg.eigvals(M))
            """,
            """
            half = abs(1 + momentum - step_size * h) / 2
            if half**2 <= momentum:
                return momentum**0.5
            return half + (half**2 - momentum) ** 0.5
            """,
            """
            half = jnp.abs(1 + momentum - step_size * h) / 2
            return jnp.abs(half + jnp.sqrt(jnp.complex128(half**2 - momentum)))
            """,
        ],
    ),
    "11.2": Exercise(
        "def best_heavy_ball(h_min, h_max):",
        [
            Wrong(
                "bisection for a momentum below 0.99",
                """
                low, high = 0.0, 0.99
                for _ in range(60):
                    momentum = (low + high) / 2
                    step_size = (1 + momentum**0.5) ** 2 / h_max
                    if step_size * h_min < (1 - momentum**0.5) ** 2:
                        low = momentum
                    else:
                        high = momentum
                return step_size, momentum
                """,
                "1e-6",
                hidden=True,
            ),
            Wrong(
                "momentum not squared",
                """
                a, b = h_max**0.5, h_min**0.5
                return (2 / (a + b)) ** 2, (a - b) / (a + b)
                """,
                "square root of the momentum",
            ),
            Wrong(
                "no square roots in the momentum",
                """
                step_size = (2 / (h_max**0.5 + h_min**0.5)) ** 2
                return step_size, ((h_max - h_min) / (h_max + h_min)) ** 2
                """,
                "take the square roots of the curvatures",
            ),
            Wrong(
                "step not squared",
                """
                a, b = h_max**0.5, h_min**0.5
                return 2 / (a + b), ((a - b) / (a + b)) ** 2
                """,
                "square root of the step size",
            ),
            Wrong(
                "descent's step",
                """
                a, b = h_max**0.5, h_min**0.5
                return 2 / (h_max + h_min), ((a - b) / (a + b)) ** 2
                """,
                "descent's best step",
            ),
            Wrong("descent", "return 2 / (h_max + h_min), 0.0", "its momentum is 0"),
            Wrong(
                "curvatures for their roots",
                "return 2 / (h_max + h_min), ((h_max - h_min) / (h_max + h_min)) ** 2",
                "in both, and square the step size",
            ),
            Wrong(
                "no squares",
                """
                a, b = h_max**0.5, h_min**0.5
                return 2 / (a + b), (a - b) / (a + b)
                """,
                "Both squares are missing",
            ),
            Wrong(
                "minus small minus large",
                """
                a, b = h_max**0.5, h_min**0.5
                return (2 / (a + b)) ** 2, (b - a) / (a + b)
                """,
                "is positive",
            ),
            Wrong(
                "no square roots in the step",
                """
                a, b = h_max**0.5, h_min**0.5
                return (2 / (h_max + h_min)) ** 2, ((a - b) / (a + b)) ** 2
                """,
                "Square roots of the curvatures in the step",
            ),
            Wrong(
                "Nesterov's step",
                """
                a, b = h_max**0.5, h_min**0.5
                return 1 / h_max, ((a - b) / (a + b)) ** 2
                """,
                "1 / h_max is too short",
            ),
            Wrong(
                "at the limit of stability",
                """
                a, b = h_max**0.5, h_min**0.5
                momentum = ((a - b) / (a + b)) ** 2
                return 2 * (1 + momentum) / h_max, momentum
                """,
                "the limit of stability",
            ),
            Wrong(
                "the near edge for both",
                """
                a, b = h_max**0.5, h_min**0.5
                momentum = ((a - b) / (a + b)) ** 2
                return (1 - momentum**0.5) ** 2 / h_max, momentum
                """,
                "h_max belongs at",
            ),
            Wrong(
                "h_min taken as 1",
                """
                a, b = h_max**0.5, h_min**0.5
                return (2 / (a + b)) ** 2, ((a - 1) / (a + 1)) ** 2
                """,
                "Right for h_min = 1 alone",
            ),
            Wrong(
                "shape: the momentum alone",
                "return ((h_max**0.5 - h_min**0.5) / (h_max**0.5 + h_min**0.5)) ** 2",
                "Two numbers",
            ),
        ],
        [
            """
            root = (jnp.sqrt(h_max / h_min) - 1) / (jnp.sqrt(h_max / h_min) + 1)
            return (1 + root) ** 2 / h_max, root**2
            """,
            """
            a, b = np.sqrt(h_max), np.sqrt(h_min)
            momentum = ((a - b) / (a + b)) ** 2
            return [2 * (1 + momentum) / (h_min + h_max), momentum]
            """,
            """
            root = np.tanh(np.log(h_max / h_min) / 4)
            return np.array([(1 - root) ** 2 / h_min, root**2])
            """,
            """
            a, b = h_max**0.5, h_min**0.5
            momentum = (a - b) ** 2 / (a + b) ** 2
            return (1 - momentum) / (a * b), momentum
            """,
        ],
    ),
    "11.3": Exercise(
        "def alternating_rate(h_1, h_2, step_size, momentum):",
        [
            Wrong(
                "real eigenvalues assumed",
                """
                trace = (1 + momentum - step_size * h_1) * (1 + momentum - step_size * h_2)
                trace = trace - 2 * momentum
                return (abs(trace) + jnp.sqrt(trace**2 - 4 * momentum**2)) / 2
                """,
                "complex eigenvalues",
                hidden=True,
            ),
            Wrong(
                "rates multiplied",
                """
                def rate(h):
                    M = np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                    return np.abs(np.linalg.eigvals(M)).max()

                return rate(h_1) * rate(h_2)
                """,
                "do not multiply",
            ),
            Wrong(
                "per step",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M(h_2) @ M(h_1))).max() ** 0.5
                """,
                "Per two steps",
            ),
            Wrong(
                "mean curvature",
                """
                h = (h_1 + h_2) / 2
                M = np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M @ M)).max()
                """,
                "The mean curvature",
            ),
            Wrong(
                "the first curvature twice",
                """
                M = np.array([[1 + momentum - step_size * h_1, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M @ M)).max()
                """,
                "the first curvature twice",
            ),
            Wrong(
                "the larger of the two",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return max(np.abs(np.linalg.eigvals(M(h))).max() for h in (h_1, h_2))
                """,
                "The larger of the two",
            ),
            Wrong(
                "largest, not modulus",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.linalg.eigvals(M(h_2) @ M(h_1)).real.min()
                """,
                "is negative",
            ),
            Wrong(
                "abs forgotten",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.linalg.eigvals(M(h_2) @ M(h_1)).real.max()
                """,
                "take abs before",
            ),
            Wrong(
                "sum of the matrices",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M(h_2) + M(h_1))).max()
                """,
                "a product",
            ),
            Wrong(
                "entry by entry",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M(h_2) * M(h_1))).max()
                """,
                "use @",
            ),
            Wrong(
                "how far one round stretches",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.linalg.norm(M(h_2) @ M(h_1), 2)
                """,
                "in the long run",
            ),
            Wrong(
                "shape: both eigenvalues",
                """
                M = lambda h: np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                return np.abs(np.linalg.eigvals(M(h_2) @ M(h_1)))
                """,
                "single number",
            ),
        ],
        [
            """
            a, b = (1 + momentum - step_size * h for h in (h_1, h_2))
            return np.abs(np.roots([1, 2 * momentum - a * b, momentum**2])).max()
            """,
            """
            M = lambda h: jnp.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
            both = np.asarray(M(h_1) @ M(h_2))
            return np.max(np.abs(np.linalg.eigvals(both)))
            """,
            """
            a, b = (1 + momentum - step_size * h for h in (h_1, h_2))
            half = abs(a * b / 2 - momentum)
            return half + (half**2 - momentum**2) ** 0.5 if half > momentum else momentum
            """,
        ],
    ),
    "11.4": Exercise(
        "def nesterov_step(w, w_before, gradient, step_size, momentum):",
        [
            Wrong(
                "gradients extrapolated",
                """
                y = w + momentum * (w - w_before)
                g = gradient(w) + momentum * (gradient(w) - gradient(w_before))
                return y - step_size * g
                """,
                "where curvature changes",
                hidden=True,
            ),
            Wrong(
                "heavy ball",
                "return w + momentum * (w - w_before) - step_size * gradient(w)",
                "That is the heavy ball",
            ),
            Wrong(
                "step from w",
                "return w - step_size * gradient(w + momentum * (w - w_before))",
                "starts at y",
            ),
            Wrong(
                "backwards",
                """
                y = w + momentum * (w_before - w)
                return y - step_size * gradient(y)
                """,
                "looks backwards",
            ),
            Wrong(
                "gradient of the past",
                "return w + momentum * (w - w_before) - step_size * gradient(w_before)",
                "not at w_before",
            ),
            Wrong(
                "uphill",
                """
                y = w + momentum * (w - w_before)
                return y + step_size * gradient(y)
                """,
                "Uphill",
            ),
            Wrong(
                "shortened step",
                """
                y = w + momentum * (w - w_before)
                return y - (1 - momentum) * step_size * gradient(y)
                """,
                "not shortened",
            ),
            Wrong("no step", "return w + momentum * (w - w_before)", "the step is missing"),
            Wrong("descent", "return w - step_size * gradient(w)", "momentum is missing"),
            Wrong(
                "the given array changed",
                """
                w += momentum * (w - w_before)
                w -= step_size * gradient(w)
                return w
                """,
                "has changed an array",
            ),
            Wrong(
                "shape: new weights and y",
                """
                y = w + momentum * (w - w_before)
                return y - step_size * gradient(y), y
                """,
                "of the shape of w",
            ),
        ],
        [
            """
            y = (1 + momentum) * w - momentum * w_before
            return y - step_size * gradient(y)
            """,
            """
            w, w_before = jnp.asarray(w), jnp.asarray(w_before)
            ahead = w + momentum * (w - w_before)
            return ahead - step_size * jnp.asarray(gradient(ahead))
            """,
            """
            velocity = np.subtract(w, w_before)
            velocity = momentum * velocity - step_size * gradient(w + momentum * velocity)
            return w + velocity
            """,
        ],
    ),
    "11.5": Exercise(
        "def noise_floor(h, step_size, momentum, c, batch):",
        [
            Wrong(
                "the far edge of the plateau as the limit",
                """
                if step_size * h > (1 + momentum**0.5) ** 2:
                    return jnp.inf
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
                """,
                "the run is stable, and the variance finite",
                hidden=True,
            ),
            Wrong(
                "no limit of stability",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
                """,
                "the variance grows",
            ),
            Wrong(
                "descent's limit",
                """
                if step_size * h >= 2:
                    return jnp.inf
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
                """,
                "up to step_size * h = 3.2 are stable",
            ),
            Wrong(
                "descent",
                "return step_size * c / batch / (h * (2 - step_size * h))",
                "momentum is missing",
            ),
            Wrong(
                "small steps",
                "return step_size / (1 - momentum) * c / batch / (2 * h)",
                "the limit of small steps",
            ),
            Wrong(
                "batch forgotten",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / ((1 - momentum) * h * room)
                """,
                "The batch size is missing",
            ),
            Wrong(
                "1 + momentum forgotten",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size * c / (batch * (1 - momentum) * h * room)
                """,
                "below 2",
            ),
            Wrong(
                "1 - momentum forgotten",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / (batch * h * room)
                """,
                "beyond all bounds",
            ),
            Wrong(
                "standard deviation",
                """
                room = 2 * (1 + momentum) - step_size * h
                square = step_size * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
                return square**0.5
                """,
                "not a standard deviation",
            ),
            Wrong(
                "step size squared",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size**2 * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
                """,
                "A factor step_size too much",
            ),
            Wrong(
                "h once",
                """
                room = 2 * (1 + momentum) - step_size * h
                return step_size * (1 + momentum) * c / (batch * (1 - momentum) * room)
                """,
                "A factor h is off",
            ),
            Wrong("one step", "return step_size**2 * c / batch", "in one step"),
            Wrong(
                "shape: the whole covariance",
                """
                M = np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
                fresh = np.array([[step_size**2 * c / batch, 0], [0, 0]])
                return np.linalg.solve(np.eye(4) - np.kron(M, M), fresh.ravel()).reshape(2, 2)
                """,
                "single number",
            ),
        ],
        [
            """
            M = np.array([[1 + momentum - step_size * h, -momentum], [1, 0]])
            if np.abs(np.linalg.eigvals(M)).max() >= 1:
                return np.inf
            fresh = np.array([step_size**2 * c / batch, 0, 0, 0])
            return np.linalg.solve(np.eye(4) - np.kron(M, M), fresh)[0]
            """,
            """
            room = 2 * (1 + momentum) - step_size * h
            floor = step_size * (1 + momentum) * c / (batch * (1 - momentum) * h * room)
            return jnp.where(room > 0, floor, jnp.inf)
            """,
            """
            room = 2 * (1 + momentum) / h - step_size
            if room <= 0:
                return float("inf")
            return step_size * c / batch / h**2 * (1 + momentum) / (1 - momentum) / room
            """,
        ],
    ),
}
