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
                "Which are the eigenvectors",
            ),
            Wrong(
                "not turned back",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (1 - step_size * h) ** k * (Q.T @ (w0 - w_star))
                """,
                "In which axes",
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
                "the error, in the axes of the eigenvectors",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return (1 - step_size * h) ** k * (Q.T @ (w0 - w_star))
                """,
                "still has to become weights",
            ),
            Wrong(
                "k steps as one of k times the size",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - k * step_size * h) * (Q.T @ (w0 - w_star)))
                """,
                "not a step three times as large",
            ),
            Wrong(
                "out with Q.T as well",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q.T @ ((1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "undo the way in",
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
                "Uphill: which sign",
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
                "A has shape (D, D), b and w0 have (D,)",
            ),
            Wrong(
                "powers in the axes of the weights",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (1 - step_size * h) ** k * (w0 - w_star)
                """,
                "yours are the weights' axes",
            ),
            Wrong(
                "each entry of the matrix powered",
                """
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (jnp.eye(len(b)) - step_size * A) ** k @ (w0 - w_star)
                """,
                "powers each entry",
            ),
            Wrong(
                "curvatures in the other order",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h[::-1]) ** k * (Q.T @ (w0 - w_star)))
                """,
                "these are exchanged",
            ),
            Wrong(
                "signs apart, and the size's power by logarithms",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                factor = 1 - step_size * h
                powers = jnp.sign(factor) ** k * jnp.exp(k * jnp.log(abs(factor)))
                return w_star + Q @ (powers * (Q.T @ (w0 - w_star)))
                """,
                "that of a factor 0, too",
            ),
            Wrong(
                "both results of eigh in one",
                """
                h = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (1 - step_size * h) ** k * (w0 - w_star)
                """,
                "eigh gives two things",
            ),
            Wrong(
                "three times a factor for its power",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ (k * (1 - step_size * h) * (Q.T @ (w0 - w_star)))
                """,
                "a power, not three times",
            ),
            Wrong(
                "the power forgotten",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h) * (Q.T @ (w0 - w_star)))
                """,
                "Where is the power k?",
            ),
            Wrong(
                "the power by logarithms",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                factors = jnp.exp(k * jnp.log(1 - step_size * h))
                return w_star + Q @ (factors * (Q.T @ (w0 - w_star)))
                """,
                "has no logarithm",
            ),
            Wrong(
                "the entries of A for its curvatures",
                """
                w_star = jnp.linalg.solve(A, -b)
                return w_star + (1 - step_size * jnp.diag(A)) ** k * (w0 - w_star)
                """,
                "not its diagonal",
            ),
            Wrong(
                "the first error turned round",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h) ** k * (Q.T @ (w_star - w0)))
                """,
                "not w* - w0",
            ),
            Wrong(
                "shape: complex, by eig",
                """
                h, Q = jnp.linalg.eig(A)
                w_star = jnp.linalg.solve(A, -b)
                factors = (1 - step_size * h) ** k
                return w_star + Q @ (factors * jnp.linalg.solve(Q, w0 - w_star + 0j))
                """,
                "real array of numbers; this is complex",
            ),
            Wrong(
                "shape: the weights of all steps",
                "return gradient_descent(A, b, w0, step_size, k)",
                "this has (4, 2). The weights are one vector",
            ),
            Wrong(
                "single precision",
                """
                h, Q = jnp.linalg.eigh(A.astype(jnp.float32))
                w_star = jnp.linalg.solve(A, -b)
                return w_star + Q @ ((1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "float32",
            ),
            Wrong(
                "the minimum from a long run",
                """
                h, Q = jnp.linalg.eigh(A)
                w_star = gradient_descent(A, b, w0, step_size, 500)[-1]
                return w_star + Q @ ((1 - step_size * h) ** k * (Q.T @ (w0 - w_star)))
                """,
                "the last is still on its way",
                hidden=True,
            ),
        ],
        [
            "return gradient_descent(A, b, w0, step_size, k)[-1].tolist()",
            """
            h, Q = np.linalg.eig(A)
            e0 = np.linalg.solve(Q, w0 + np.linalg.inv(A) @ b)
            return Q @ ((1 - step_size * h) ** k * e0) - np.linalg.inv(A) @ b
            """,
            """
            w = w0
            for _ in range(k):
                w = w - step_size * (A @ w + b)
            return w
            """,
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
            Wrong("both results of eigh", "return 2 / jnp.linalg.eigh(A)", "eigh gives two things"),
            Wrong("1 / h", "return 1 / jnp.linalg.eigvalsh(A)[-1]", "down to -1"),
            Wrong("upside down", "return jnp.linalg.eigvalsh(A)[-1] / 2", "upside down"),
            Wrong(
                "best in the worst case",
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
                "single number; this has shape (3,)",
            ),
            Wrong(
                "shape: complex, by eigvals",
                "return 2 / jnp.max(jnp.linalg.eigvals(A))",
                "The answer should be a real number",
            ),
            Wrong(
                "eigvals taken for sorted",
                "return 2 / np.linalg.eigvals(A)[0]",
                "any order",
            ),
            Wrong("the mean curvature", "return 2 * len(A) / jnp.trace(A)", "the mean curvature"),
            Wrong("the curvature", "return jnp.linalg.eigvalsh(A)[-1]", "a step size is wanted"),
            Wrong(
                "a bound by rows",
                "return 2 / jnp.max(jnp.sum(jnp.abs(A), axis=1))",
                "largest sum along a row",
            ),
            Wrong(
                "single precision",
                "return 2 / jnp.linalg.eigvalsh(A.astype(jnp.float32))[-1]",
                "float32",
            ),
            Wrong(
                "a power iteration from a start that misses the steepest direction",
                """
                v = jnp.ones(len(A))
                for _ in range(2000):
                    v = A @ v / jnp.linalg.norm(A @ v)
                return 2 / (v @ A @ v)
                """,
                "Where does an iteration start",
                hidden=True,
            ),
            Wrong(
                "a power iteration stopped early",
                """
                v = jnp.ones(len(A))
                for _ in range(12):
                    v = A @ v / jnp.linalg.norm(A @ v)
                return 2 / (v @ A @ v)
                """,
                "stopped early",
                hidden=True,
            ),
        ],
        [
            "return 2 / np.linalg.norm(np.asarray(A), 2)",
            "return float(2 / np.max(np.linalg.eigvals(A).real))",
            "return 2 / np.max(np.linalg.eigvals(A))",
            "return 2 / jnp.max(jnp.abs(jnp.linalg.eigvals(A)))",
            "return min(2 / c for c in np.linalg.eigvalsh(A))",
            "return 2 / jnp.linalg.svd(A, compute_uv=False)[0]",
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
                "an absolute tolerance, and no half",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(h * (1 - step_size * h) ** (2 * k) * e0**2)
                k = 0
                while excess(k) > tol:
                    k += 1
                return k
                """,
                "relative to the value at k = 0",
            ),
            Wrong(
                "a thousand steps at most",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                for k in range(1001):
                    if excess(k) <= tol * excess(0):
                        return k
                return 1000
                """,
                "steps are needed for h = [1, 0.001]",
                hidden=True,
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
                "an exponential for the power",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * np.exp(-2 * k * step_size * h) * e0**2)
                k = 0
                while excess(k) > tol * excess(0):
                    k += 1
                return k
                """,
                "not exp(",
            ),
            Wrong(
                "not rounded up",
                """
                factor = np.max((1 - step_size * np.asarray(h)) ** 2)
                return np.log(tol) / np.log(factor)
                """,
                "A step is a whole number",
            ),
            Wrong(
                "rounded down",
                """
                factor = np.max((1 - step_size * np.asarray(h)) ** 2)
                return int(np.log(tol) / np.log(factor))
                """,
                "One too few",
            ),
            Wrong(
                "the bound (1.5) instead of a count",
                """
                kappa = np.max(h) / np.min(h)
                return int(np.ceil(kappa / 2 * np.log(1 / tol)))
                """,
                "(1.5) is for steps of 1 / h_max only",
            ),
            Wrong(
                "the fastest mode alone",
                """
                factor = np.min((1 - step_size * np.asarray(h)) ** 2)
                return int(np.ceil(np.log(tol) / np.log(factor)))
                """,
                "the shallow one is not",
            ),
            Wrong(
                "the cost, not the step",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                k = 0
                while excess(k) > tol * excess(0):
                    k += 1
                return excess(k) / excess(0)
                """,
                "At which step",
            ),
            Wrong(
                "shape: the costs of all steps",
                """
                h, e0 = np.asarray(h), np.asarray(e0)
                excess = lambda k: np.sum(0.5 * h * (1 - step_size * h) ** (2 * k) * e0**2)
                costs = [excess(0)]
                while costs[-1] > tol * costs[0]:
                    costs.append(excess(len(costs)))
                return costs
                """,
                "this has shape (6,)",
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
            k = np.arange(50000)[:, None]
            excess = np.sum(h * (1 - step_size * h) ** (2 * k) * e0**2, axis=1)
            return np.argmax(excess <= tol * excess[0])
            """,
            "return dynamics.steps_to_tolerance(h, e0, step_size, tol)",
            """
            k = jnp.arange(50000)
            excess = dynamics.excess_loss(h, e0, step_size, k)
            return jnp.min(jnp.where(excess <= tol * excess[0], k, 10**6))
            """,
            """
            e, k = list(map(float, e0)), 0
            first = sum(c * x * x for c, x in zip(h, e))
            while sum(c * x * x for c, x in zip(h, e)) > tol * first:
                e, k = [(1 - step_size * float(c)) * x for c, x in zip(h, e)], k + 1
            return float(k)
            """,
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
            ),
            Wrong("the gradient at 0", "return w0 - jnp.linalg.pinv(A) @ b", "begins at w0"),
            Wrong(
                "how far, not where to",
                "return jnp.linalg.pinv(A) @ (A @ w0 + b)",
                "where to?",
            ),
            Wrong(
                "the start forgotten, and the sign",
                "return jnp.linalg.pinv(A) @ b",
                "keep its first value",
            ),
            Wrong(
                "an absolute threshold",
                """
                h, Q = jnp.linalg.eigh(A)
                inverse = jnp.where(h > 1e-8, 1 / jnp.where(h > 1e-8, h, 1), 0)
                return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))
                """,
                "Small: against what?",
            ),
            Wrong(
                "the start's flat part dropped in other axes",
                "return jnp.where(jnp.diag(A) == 0, w0, -jnp.linalg.pinv(A) @ b)",
                "flat directions keep w0's part",
            ),
            Wrong(
                "shape: complex, by eig",
                """
                h, Q = jnp.linalg.eig(A)
                keep = abs(h) > 1e-10 * jnp.max(abs(h))
                inverse = jnp.where(keep, 1 / jnp.where(keep, h, 1), 0)
                return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))
                """,
                "real array of numbers; this is complex",
            ),
            Wrong(
                "single precision",
                """
                return w0 - jnp.linalg.pinv(A.astype(jnp.float32), hermitian=True) @ (A @ w0 + b)
                """,
                "float32",
            ),
            Wrong(
                "a flat curvature is at least a part of the largest",
                """
                h, Q = jnp.linalg.eigh(A)
                inverse = jnp.where(h >= 1e-10 * h.max(), 1 / h, 0)
                return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))
                """,
                "The largest curvature is 0 as well",
            ),
            Wrong(
                "all of lstsq",
                "return w0 - jnp.linalg.lstsq(A, A @ w0 + b)",
                "the solution is its first entry",
            ),
            Wrong(
                "a coarse threshold",
                """
                h, Q = jnp.linalg.eigh(A)
                inverse = jnp.where(h > 1e-6 * h.max(), 1 / jnp.where(h > 0, h, 1), 0)
                return w0 - Q @ (inverse * (Q.T @ (A @ w0 + b)))
                """,
                "0 up to rounding",
                hidden=True,
            ),
            Wrong(
                "a slow direction taken for a flat one",
                "return w0 - jnp.linalg.pinv(A, rtol=1e-2) @ (A @ w0 + b)",
                "Was it taken for 0?",
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
            "return w0 - jnp.linalg.lstsq(A, A @ w0 + b)[0]",
            """
            flat = np.eye(len(b)) - np.linalg.pinv(A) @ A
            return list(flat @ w0 - np.linalg.pinv(A) @ b)
            """,
            "return w0 - np.linalg.pinv(A) @ (A @ w0 + b)",
            "return dynamics.min_cost_projection(A, b, w0)",
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
                "half of Phi.T @ Phi",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi / 2 + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "is Phi.T @ Phi halved?",
            ),
            Wrong(
                "an identity for the examples",
                """
                N = len(Phi)
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(N), Phi.T @ t)
                """,
                "There are D weights",
            ),
            Wrong(
                "an identity for the examples, and NumPy",
                """
                N = len(Phi)
                return np.linalg.solve(Phi.T @ Phi + N * l2 * np.eye(N), Phi.T @ t)
                """,
                "There are D weights",
            ),
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
                "twice the penalty",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi + 2 * N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "not twice that",
            ),
            Wrong(
                "only the targets averaged",
                """
                N, D = Phi.shape
                return jnp.linalg.solve(Phi.T @ Phi + l2 * jnp.eye(D), Phi.T @ t / N)
                """,
                "Only the targets are averaged",
            ),
            Wrong(
                "sign of the targets",
                """
                N, D = Phi.shape
                return -jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "no negative weight",
            ),
            Wrong(
                "N times D",
                """
                D = Phi.shape[1]
                return jnp.linalg.solve(Phi.T @ Phi + Phi.size * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "not N times D",
            ),
            Wrong(
                "the plain fit, shrunk",
                "return jnp.linalg.pinv(Phi) @ t / (1 + l2)",
                "a factor of its own",
            ),
            Wrong(
                "N learnt by heart",
                """
                D = Phi.shape[1]
                N = 4 if D == 1 else 6
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "every example was copied",
            ),
            Wrong(
                "shape: the fitted targets",
                """
                N, D = Phi.shape
                return Phi @ jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "this has (4,)",
            ),
            Wrong(
                "single precision",
                """
                N, D = Phi.shape
                Phi = Phi.astype(jnp.float32)
                return jnp.linalg.solve(Phi.T @ Phi + N * l2 * jnp.eye(D), Phi.T @ t)
                """,
                "float32",
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
            """
            from sklearn.linear_model import Ridge

            return Ridge(alpha=len(t) * l2, fit_intercept=False).fit(Phi, t).coef_
            """,
            """
            h, Q = jnp.linalg.eigh(Phi.T @ Phi / len(t))
            return (Q @ (Q.T @ (Phi.T @ t) / len(t) / (h + l2))).tolist()
            """,
            """
            A = jnp.einsum("nd,ne->de", Phi, Phi) / len(t) + l2 * jnp.eye(Phi.shape[1])
            return jnp.linalg.inv(A) @ jnp.einsum("nd,n->d", Phi, t) / len(t)
            """,
        ],
    ),
}
