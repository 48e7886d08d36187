"""Wrong answers to the exercises of notebook 1."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "1.1": Exercise(
        "def gd_closed_form(A, b, w0, step_size, k):",
        [
            Wrong(
                "turned in with Q, out with Q.T",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q.T @ ((1 - step_size * h) ** k * (Q @ (w0 - w_star)))
                """,
                "Does Q.T lead into the new axes and Q out?",
            ),
            Wrong(
                "not turned back",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (1 - step_size * h) ** k * (Q.T @ (w0 - w_star))
                """,
                "Q turns back",
            ),
            Wrong(
                "sign of the minimum",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, b)
                return w_star + Q @ ((1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "yours is where A w = b",
            ),
            Wrong(
                "the minimum not added",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return Q @ ((1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "add w* again",
            ),
            Wrong(
                "the start for the first error",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h) ** k * (Q.T @ w0))
                """,
                "first error is w0 - w*",
            ),
            Wrong(
                "one step too many",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h) ** (k + 1) * (Q.T @ (w0 - w_star)))
                """,
                "one step too many",
            ),
            Wrong(
                "uphill",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 + step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "uphill",
            ),
            Wrong(
                "an exponential for the power",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ (jnp.exp(-step_size * h * k) * (Q.T @ (w0 - w_star)))
                """,
                "1 - step_size * h, not exp",
            ),
            Wrong(
                "factors without their sign",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ (abs(1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "sign included",
            ),
            Wrong(
                "shape: a column",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)[:, None]
                return w_star + Q @ ((1 - step_size * h[:, None]) ** k * (Q.T @ (w0 - w_star.T).T))
                """,
                "one vector",
            ),
            Wrong(
                "three weights and no other number",
                """
                w_star = jnp.linalg.solve(A, -b)
                step = jnp.linalg.matrix_power(jnp.eye(3) - step_size * A, k)
                return w_star + step @ (w0 - w_star)
                """,
                "(3, 3)",
                hidden=True,
            ),
        ],
        [
            """
            w_star = -np.linalg.solve(A, b)
            step = np.linalg.matrix_power(np.eye(len(b)) - step_size * np.asarray(A), k)
            return w_star + step @ (w0 - w_star)
            """,
            """
            h, Q = np.linalg.eigh(A)
            start, slope = Q.T @ w0, Q.T @ b
            factor = (1 - step_size * h) ** k
            return Q @ (factor * start - (1 - factor) * slope / h)
            """,
            "return dynamics.gd_iterates(A, b, w0, step_size, jnp.array([k]))[0]",
        ],
    ),
    "1.2": Exercise(
        "def largest_stable_step(A):",
        [
            Wrong(
                "the shallow direction",
                "return 2 / jnp.linalg.eigvalsh(A)[0]",
                "the limit of the shallow direction",
            ),
            Wrong("1 / h", "return 1 / jnp.linalg.eigvalsh(A)[-1]", "down to -1"),
            Wrong("upside down", "return jnp.linalg.eigvalsh(A)[-1] / 2", "upside down"),
            Wrong(
                "the fastest step, not the largest",
                """
                h = jnp.linalg.eigvalsh(A)
                return 2 / (h[0] + h[-1])
                """,
                "2 / (h_max + h_min)",
            ),
            Wrong("the trace", "return 2 / jnp.trace(A)", "the sum of all curvatures"),
            Wrong("Frobenius' norm", "return 2 / jnp.linalg.norm(A)", "the root of the sum"),
            Wrong("entries of A", "return 2 / jnp.max(jnp.diag(A))", "the entries of A"),
            Wrong(
                "shape: one for each direction",
                "return 2 / jnp.linalg.eigvalsh(A)",
                "One number is wanted",
            ),
            Wrong(
                "a power iteration stopped early",
                """
                v = jnp.ones(len(A))
                for _ in range(12):
                    v = A @ v / jnp.linalg.norm(A @ v)
                return 2 / (v @ A @ v)
                """,
                "a few digits",
                hidden=True,
            ),
        ],
        [
            "return 2 / np.linalg.norm(np.asarray(A), 2)",
            "return float(2 / np.max(np.linalg.eigvals(A).real))",
        ],
    ),
    "1.3": Exercise(
        "def iterations_to_tol(h, e0, step_size, tol):",
        [
            Wrong(
                "the power k, not 2k",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * abs(1 - step_size * h) ** k * e0**2)
                k = 0
                while excess(k) > tol * excess(0):
                    k += 1
                return k
                """,
                "quadratic in the error",
            ),
            Wrong(
                "exactly reached does not count",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                k = 0
                while excess(k) >= tol * excess(0):
                    k += 1
                return k
                """,
                "exactly a quarter",
            ),
            Wrong(
                "no weight h_i",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum((1 - step_size * h) ** (2 * k) * e0**2)
                k = 0
                while excess(k) > tol * excess(0):
                    k += 1
                return k
                """,
                "weighted by its curvature",
            ),
            Wrong(
                "first errors not squared",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0)
                k = 0
                while excess(k) > tol * excess(0):
                    k += 1
                return k
                """,
                "e0_i squared",
            ),
            Wrong(
                "the slowest mode alone",
                """
                factor = np.max(abs(1 - step_size * np.asarray(h)))
                return int(np.ceil(np.log(tol) / (2 * np.log(factor))))
                """,
                "the slowest mode alone",
            ),
            Wrong(
                "an absolute tolerance",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                k = 0
                while excess(k) > tol:
                    k += 1
                return k
                """,
                "relative to the cost at k = 0",
            ),
            Wrong(
                "one too many",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                k, small = 0, False
                while not small:
                    small = excess(k) <= tol * excess(0)
                    k += 1
                return k
                """,
                "One too many",
            ),
            Wrong(
                "shape: each mode on its own",
                """
                factors = abs(1 - step_size * np.asarray(h))
                return np.ceil(np.log(tol) / (2 * np.log(factors))).astype(int)
                """,
                "One whole number",
            ),
            Wrong(
                "a hundred steps at most",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                k = np.arange(100)[:, None]
                excess = np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2, axis=1)
                return int(np.argmax(excess <= tol * excess[0]))
                """,
                "hundreds of steps",
                hidden=True,
            ),
        ],
        [
            """
            share = np.asarray(h) * np.asarray(e0) ** 2
            share, factor = share / share.sum(), (1 - step_size * np.asarray(h)) ** 2
            k = 0
            while share.sum() > tol:
                share, k = share * factor, k + 1
            return k
            """,
            """
            h, e0 = np.asarray(h), np.asarray(e0)
            k = np.arange(5000)[:, None]
            excess = np.sum(h * (1 - step_size * h) ** (2 * k) * e0**2, axis=1)
            return np.argmax(excess <= tol * excess[0])
            """,
            "return dynamics.steps_to_tolerance(h, e0, step_size, tol)",
        ],
    ),
    "1.4": Exercise(
        "def min_cost_projection(A, b, w0):",
        [
            Wrong(
                "an inverse",
                "return w0 - jnp.linalg.solve(A, A @ w0 + b)",
                "A has no inverse here",
            ),
            Wrong(
                "the start forgotten",
                "return -jnp.linalg.pinv(A, hermitian=True) @ b",
                "keep its first value",
            ),
            Wrong("sign", "return w0 + jnp.linalg.pinv(A) @ (A @ w0 + b)", "The sign"),
            Wrong("one gradient step", "return w0 - (A @ w0 + b)", "one gradient step"),
            Wrong("no b", "return w0 - jnp.linalg.pinv(A) @ (A @ w0)", "Where is b?"),
            Wrong("sign of b", "return w0 - jnp.linalg.pinv(A) @ (A @ w0 - b)", "A w0 - b"),
            Wrong(
                "only exact zeros are flat",
                """
                h, Q = jnp.linalg.eigh(A)
                inverse = jnp.where(h == 0, 0, 1 / jnp.where(h == 0, 1, h))
                return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))
                """,
                "come out as 1e-17",
            ),
            Wrong(
                "a small number added to A",
                "return w0 - jnp.linalg.solve(A + 1e-3 * jnp.eye(len(b)), A @ w0 + b)",
                "Nothing is added to A",
            ),
            Wrong(
                "shape: a column",
                "return w0[:, None] - jnp.linalg.pinv(A) @ (A @ w0 + b)[:, None]",
                "one vector",
            ),
            Wrong(
                "a hundred steps of descent",
                """
                step_size = 1 / jnp.linalg.eigvalsh(A)[-1]
                for _ in range(100):
                    w0 = w0 - step_size * (A @ w0 + b)
                return w0
                """,
                "a few digits",
                hidden=True,
            ),
        ],
        [
            """
            h, Q = np.linalg.eigh(A)
            keep = h > 1e-10 * h.max()
            pull = Q[:, keep].T @ (A @ w0 + b)
            return w0 - Q[:, keep] @ (pull / h[keep])
            """,
            "return w0 - np.linalg.lstsq(A, A @ w0 + b, rcond=1e-10)[0]",
        ],
    ),
    "1.5": Exercise(
        "def ridge(Phi, t, l2):",
        [
            Wrong(
                "no N before l2",
                "return jnp.linalg.solve(Phi.T @ Phi + l2 * jnp.eye(Phi.shape[1]), Phi.T @ t)",
                "what stands before l2",
            ),
            Wrong(
                "targets not averaged",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi / N + l2 * jnp.eye(D), Phi.T @ t)
                """,
                "N stands on both sides",
            ),
            Wrong(
                "half of the penalty",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 / 2 * jnp.eye(D), Phi.T @ t)
                """,
                "derivative of l2 / 2 * w**2",
            ),
            Wrong("no penalty", "return jnp.linalg.pinv(Phi) @ t", "Where is the penalty?"),
            Wrong(
                "sign of the penalty",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi - N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "The sign of the penalty",
            ),
            Wrong(
                "penalty in every entry",
                "return jnp.linalg.solve(Phi.T @ Phi + len(t) * l2, Phi.T @ t)",
                "on the diagonal, and only there",
            ),
            Wrong(
                "N and D exchanged",
                """
                D, N = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(N), Phi.T @ t)
                """,
                "what stands before l2",
            ),
            Wrong(
                "shape: a column",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), (Phi.T @ t)[:, None])
                """,
                "one vector",
            ),
            Wrong(
                "N is the longer side",
                """
                N, D = max(Phi.shape), Phi.shape[1]
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "N = 5, D = 12",
                hidden=True,
            ),
        ],
        [
            """
            N = len(t)
            return Phi.T @ jnp.linalg.solve(Phi @ Phi.T + N * l2 * jnp.eye(N), t)
            """,
            """
            N, D = np.shape(Phi)
            rows = np.vstack([Phi, np.sqrt(N * l2) * np.eye(D)])
            return np.linalg.lstsq(rows, np.append(t, np.zeros(D)), rcond=None)[0]
            """,
        ],
    ),
}
