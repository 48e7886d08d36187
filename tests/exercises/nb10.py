"""Wrong answers to the exercises of notebook 10."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "10.1": Exercise(
        "def stationary_variance(h, step_size, T, c, B):",
        [
            Wrong(
                "writes into c",
                """
                c *= step_size / B
                return (2 * T + c) / (h * (2 - step_size * h))
                """,
                "has changed h or c",
                hidden=True,
            ),
            Wrong(
                "no mini-batch",
                "return 2 * T / (h * (2 - step_size * h))",
                "mini-batch is missing",
            ),
            Wrong(
                "no shaking",
                "return step_size * c / B / (h * (2 - step_size * h))",
                "shaking is missing",
            ),
            Wrong(
                "T for 2T",
                "return (T + step_size * c / B) / (h * (2 - step_size * h))",
                "the 2 is missing",
            ),
            Wrong("small steps", "return (2 * T + step_size * c / B) / (2 * h)", "third term"),
            Wrong(
                "B squared",
                "return (2 * T + step_size * c / B**2) / (h * (2 - step_size * h))",
                "not squared",
            ),
            Wrong(
                "no B",
                "return (2 * T + step_size * c) / (h * (2 - step_size * h))",
                "B is missing",
            ),
            Wrong("T over h", "return T / h", "shaking alone and short steps"),
            Wrong(
                "square inside the bracket",
                """
                added = step_size**2 * c / B + 2 * step_size * T
                return added / (1 - (1 - step_size * h**2))
                """,
                "not 1 - step_size h**2",
            ),
            Wrong(
                "no step size at the batch",
                "return (2 * T + c / B) / (h * (2 - step_size * h))",
                "so its variance by step_size**2",
            ),
            Wrong(
                "step size squared",
                "return (2 * T + step_size**2 * c / B) / (h * (2 - step_size * h))",
                "cancels",
            ),
            Wrong(
                "the standard deviation",
                "return jnp.sqrt((2 * T + step_size * c / B) / (h * (2 - step_size * h)))",
                "not its root",
            ),
            Wrong(
                "the precision",
                "return h * (2 - step_size * h) / (2 * T + step_size * c / B)",
                "not its inverse",
            ),
            Wrong(
                "one step's noise",
                "return step_size**2 * c / B + 2 * step_size * T",
                "what one step adds",
            ),
            Wrong(
                "factor not squared",
                "return (step_size**2 * c / B + 2 * step_size * T) / (step_size * h)",
                "by the square",
            ),
            Wrong(
                "a step size too many",
                """
                added = step_size**2 * c / B + 2 * step_size * T
                return added / (h * (2 - step_size * h))
                """,
                "one factor step_size more",
            ),
            Wrong(
                "sign in the square",
                "return (2 * T + step_size * c / B) / (h * (2 + step_size * h))",
                "The sign",
            ),
            Wrong(
                "c squared",
                "return (2 * T + step_size * c**2 / B) / (h * (2 - step_size * h))",
                "not squared",
            ),
            Wrong(
                "three steps",
                """
                v = 0 * h
                for _ in range(3):
                    v = (1 - step_size * h) ** 2 * v + step_size**2 * c / B + 2 * step_size * T
                return v
                """,
            ),
            Wrong(
                "shape: sum over modes",
                "return jnp.sum((2 * T + step_size * c / B) / (h * (2 - step_size * h)))",
                "single number",
            ),
        ],
        [
            """
            added = step_size**2 * c / B + 2 * step_size * T
            return added / (1 - (1 - step_size * h) ** 2)
            """,
            """
            h, c = np.asarray(h, float), np.asarray(c, float)
            langevin = T / h / (1 - step_size * h / 2)
            return langevin + step_size * c / (2 * B * h) / (1 - step_size * h / 2)
            """,
            """
            v = jnp.zeros_like(h)
            keep, added = (1 - step_size * h) ** 2, step_size**2 * c / B + 2 * step_size * T
            for _ in range(60):
                v, keep, added = v * keep + added, keep**2, added + keep * added
            return v
            """,
            """
            return [
                float((2 * T + step_size * ci / B) / (hi * (2 - step_size * hi)))
                for hi, ci in zip(h, c)
            ]
            """,
        ],
    ),
    "10.2": Exercise(
        "def posterior_step(w, g, A, N, B):",
        [
            Wrong(
                "writes into w",
                """
                w -= 2 * B / (N + B) * np.linalg.solve(A, g)
                return w
                """,
                "has changed an array",
                hidden=True,
            ),
            Wrong("small steps", "return w - 2 * B / N * jnp.linalg.solve(A, g)", "small step"),
            Wrong("swapped", "return w - 2 * N / (N + B) * jnp.linalg.solve(A, g)", "swapped"),
            Wrong("uphill", "return w + 2 * B / (N + B) * jnp.linalg.solve(A, g)", "Uphill"),
            Wrong("times A", "return w - 2 * B / (N + B) * A @ g", "not by A"),
            Wrong("plain SGD", "return w - 2 * B / (N + B) * g", "is not multiplied"),
            Wrong("no 2", "return w - B / (N + B) * jnp.linalg.solve(A, g)", "The 2 is missing"),
            Wrong("B/N", "return w - B / N * jnp.linalg.solve(A, g)", "B/N is not it"),
            Wrong("diagonal", "return w - 2 * B / (N + B) * g / jnp.diag(A)", "only the diagonal"),
            Wrong("entries", "return w - 2 * B / (N + B) * (1 / A) @ g", "entry by entry"),
            Wrong("newton", "return w - jnp.linalg.solve(A, g)", "Newton"),
            Wrong("step alone", "return 2 * B / (N + B) * jnp.linalg.solve(A, g)", "is the step"),
            Wrong("change", "return -2 * B / (N + B) * jnp.linalg.solve(A, g)", "the change"),
            Wrong(
                "inverse squared",
                "return w - 2 * B / (N + B) * jnp.linalg.solve(A @ A, g)",
                "The square of the inverse",
            ),
            Wrong(
                "w shrunk, too",
                """
                eta = 2 * B / (N + B)
                return (1 - eta) * w - eta * jnp.linalg.solve(A, g)
                """,
                "says enough",
            ),
            Wrong(
                "minus in the denominator",
                "return w - 2 * B / (N - B) * jnp.linalg.solve(A, g)",
                "slip in a sign",
            ),
            Wrong(
                "swapped, no 2",
                "return w - N / (N + B) * jnp.linalg.solve(A, g)",
                "swapped, and",
            ),
            Wrong(
                "shape: the step size, too",
                """
                eta = 2 * B / (N + B)
                return w - eta * jnp.linalg.solve(A, g), eta
                """,
                "shape (D,)",
            ),
            Wrong(
                "shape: a column",
                "return (w - 2 * B / (N + B) * jnp.linalg.solve(A, g))[:, None]",
                "shape (2,)",
            ),
        ],
        [
            "return w - 2 / (N / B + 1) * (np.linalg.inv(A) @ g)",
            """
            ratio = B / N
            eta = 2 * ratio / (1 + ratio)
            h, Q = jnp.linalg.eigh(jnp.asarray(A))
            return jnp.asarray(w) - eta * Q @ ((Q.T @ g) / h)
            """,
            """
            x = np.linalg.lstsq(np.asarray(A), np.asarray(g), rcond=None)[0]
            return (w - (1 - (N - B) / (N + B)) * x).tolist()
            """,
        ],
    ),
    "10.3": Exercise(
        "def mean_field_sd(precision):",
        [
            Wrong(
                "conditional sd from one correlation",
                """
                S = jnp.linalg.inv(precision)
                rho = S[0, 1] / jnp.sqrt(S[0, 0] * S[1, 1])
                return jnp.sqrt(jnp.diag(S) * (1 - rho**2))
                """,
                "smaller divergence",
                hidden=True,
            ),
            Wrong(
                "the true marginal",
                "return jnp.sqrt(jnp.diag(jnp.linalg.inv(precision)))",
                "posterior's own standard deviation",
            ),
            Wrong("variances", "return 1 / jnp.diag(precision)", "take the root"),
            Wrong(
                "eigenvalues", "return 1 / jnp.sqrt(jnp.linalg.eigvalsh(precision))", "axes of q"
            ),
            Wrong(
                "marginal variances",
                "return jnp.diag(jnp.linalg.inv(precision))",
                "own variances",
            ),
            Wrong("upside down", "return jnp.sqrt(jnp.diag(precision))", "1 over it"),
            Wrong("a 2 too many", "return 1 / jnp.sqrt(2 * jnp.diag(precision))", "set Λ_ii s"),
            Wrong("the half lost", "return jnp.sqrt(2 / jnp.diag(precision))", "The ½"),
            Wrong("row sums", "return 1 / jnp.sqrt(precision.sum(axis=1))", "Row sums"),
            Wrong("shape: every entry", "return 1 / jnp.sqrt(precision)", "only the diagonal"),
            Wrong(
                "shape: a matrix",
                "return jnp.diag(1 / jnp.sqrt(jnp.diag(precision)))",
                "not a diagonal matrix",
            ),
            Wrong("row lengths", "return 1 / jnp.linalg.norm(precision, axis=1)"),
        ],
        [
            "return np.diag(precision) ** -0.5",
            "return jnp.exp(-0.5 * jnp.log(jnp.diagonal(jnp.asarray(precision))))",
            """
            S = np.linalg.inv(precision)
            sds = []
            for i in range(len(S)):
                rest = [j for j in range(len(S)) if j != i]
                cross = S[i, rest] @ np.linalg.solve(S[np.ix_(rest, rest)], S[rest, i])
                sds.append(float(np.sqrt(S[i, i] - cross)))
            return sds
            """,
        ],
    ),
    "10.4": Exercise(
        "def dropout_penalty(Phi, w, keep):",
        [
            Wrong(
                "variance of the features",
                """
                ratio = (1 - keep) / (2 * keep)
                return ratio * jnp.sum(jnp.var(Phi, axis=0) * w**2)
                """,
                "do not have mean 0",
                hidden=True,
            ),
            Wrong(
                "odds upside down",
                "return keep / (1 - keep + 1e-300) / 2 * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "not p/(1 - p)",
            ),
            Wrong(
                "1 - p",
                "return (1 - keep) / 2 * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "divided by p",
            ),
            Wrong(
                "no half",
                "return (1 - keep) / keep * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "has a ½",
            ),
            Wrong(
                "sum for mean",
                "return (1 - keep) / (2 * keep) * jnp.sum(jnp.sum(Phi**2, 0) * w**2)",
                "not the sum",
            ),
            Wrong(
                "no features",
                "return (1 - keep) / (2 * keep) * jnp.sum(w**2)",
                "features are missing",
            ),
            Wrong(
                "not inverted",
                "return keep * (1 - keep) / 2 * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "without 1/p",
            ),
            Wrong(
                "second moment of the mask",
                "return 1 / (2 * keep) * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "its variance is 1/p - 1",
            ),
            Wrong(
                "p squared",
                "return (1 - keep) / (2 * keep**2) * jnp.sum(jnp.mean(Phi**2, 0) * w**2)",
                "with probability p",
            ),
            Wrong(
                "cross terms",
                "return (1 - keep) / (2 * keep) * jnp.mean((Phi @ w) ** 2)",
                "no cross terms",
            ),
            Wrong(
                "mean over the weights",
                "return (1 - keep) / (2 * keep) * jnp.mean(jnp.mean(Phi**2, 0) * w**2)",
                "their variances add",
            ),
            Wrong(
                "w not squared",
                "return (1 - keep) / (2 * keep) * jnp.sum(jnp.mean(Phi**2, 0) * w)",
                "weights are squared",
            ),
            Wrong(
                "square of the mean",
                "return (1 - keep) / (2 * keep) * jnp.sum(jnp.mean(Phi, 0) ** 2 * w**2)",
                "not the square of the mean",
            ),
            Wrong(
                "shape: one per weight",
                "return (1 - keep) / (2 * keep) * jnp.mean(Phi**2, 0) * w**2",
                "sum over the weights",
            ),
        ],
        [
            """
            variance = (1 - keep) / keep * (Phi**2) @ (w**2)
            return 0.5 * jnp.mean(variance)
            """,
            """
            Phi, w = np.asarray(Phi), np.asarray(w)
            A = Phi.T @ Phi / len(Phi)
            return float(0.5 * (1 / keep - 1) * w @ np.diag(np.diag(A)) @ w)
            """,
            "return 0.5 * (1 / keep - 1) * np.linalg.norm(np.asarray(Phi) * w) ** 2 / len(Phi)",
        ],
    ),
    "10.5": Exercise(
        "def sgd_covariance(A, C, step_size, B):",
        [
            Wrong(
                "five thousand terms",
                """
                keep, S = np.eye(len(A)) - step_size * A, 0 * C
                for _ in range(5000):
                    S = keep @ S @ keep + step_size**2 / B * C
                return S
                """,
                "curvatures from 0.0001",
                hidden=True,
            ),
            Wrong(
                "small steps",
                """
                h, Q = jnp.linalg.eigh(A)
                return step_size / B * Q @ ((Q.T @ C @ Q) / (h[:, None] + h)) @ Q.T
                """,
                "small step sizes only",
            ),
            Wrong(
                "the other sign",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h + step_size * h[:, None] * h
                return step_size / B * Q @ ((Q.T @ C @ Q) / rates) @ Q.T
                """,
                "The sign",
            ),
            Wrong(
                "no B",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return step_size * Q @ ((Q.T @ C @ Q) / rates) @ Q.T
                """,
                "B is missing",
            ),
            Wrong(
                "commuting",
                "return step_size / (2 * B) * jnp.linalg.solve(A, C)",
                "if the two commute",
            ),
            Wrong(
                "step size squared",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return step_size**2 / B * Q @ ((Q.T @ C @ Q) / rates) @ Q.T
                """,
                "cancels",
            ),
            Wrong(
                "no step size",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return Q @ ((Q.T @ C @ Q) / rates) @ Q.T / B
                """,
                "by eta in the equation",
            ),
            Wrong("one side", "return step_size / B * jnp.linalg.solve(A, C)", "both sides"),
            Wrong("one step's noise", "return step_size**2 / B * C", "not yet what stays"),
            Wrong(
                "modes alone",
                """
                h, Q = jnp.linalg.eigh(A)
                v = step_size / B * jnp.diag(Q.T @ C @ Q) / (h * (2 - step_size * h))
                return Q @ jnp.diag(v) @ Q.T
                """,
                "between modes are lost",
            ),
            Wrong(
                "shape: variances",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return jnp.diag(step_size / B * Q @ ((Q.T @ C @ Q) / rates) @ Q.T)
                """,
                "variances alone",
            ),
            Wrong(
                "not turned back",
                """
                h, Q = np.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return step_size / B * (Q.T @ C @ Q) / rates
                """,
                "turn back",
            ),
            Wrong(
                "Q on the wrong sides",
                """
                h, Q = np.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return step_size / B * Q.T @ ((Q @ C @ Q.T) / rates) @ Q
                """,
                "wrong sides",
            ),
            Wrong(
                "B squared",
                """
                h, Q = jnp.linalg.eigh(A)
                rates = h[:, None] + h - step_size * h[:, None] * h
                return step_size / B**2 * Q @ ((Q.T @ C @ Q) / rates) @ Q.T
                """,
                "not squared",
            ),
        ],
        [
            """
            eye = jnp.eye(len(A))
            system = jnp.kron(A, eye) + jnp.kron(eye, A) - step_size * jnp.kron(A, A)
            return jnp.linalg.solve(system, step_size / B * C.ravel()).reshape(C.shape)
            """,
            """
            keep, S = jnp.eye(len(A)) - step_size * A, step_size**2 / B * C
            for _ in range(40):  # twice as many terms each time
                S, keep = S + keep @ S @ keep.T, keep @ keep
            return S
            """,
            """
            from scipy.linalg import solve_discrete_lyapunov
            keep = np.eye(len(A)) - step_size * np.asarray(A)
            return solve_discrete_lyapunov(keep, step_size**2 / B * np.asarray(C))
            """,
        ],
    ),
}
