"""Wrong answers to the exercises of notebook 6."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "6.1": Exercise(
        "def saddle_free_step(H, g):",
        [
            Wrong(
                "small curvatures raised",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q @ ((Q.T @ g) / jnp.maximum(jnp.abs(h), 0.05))
                """,
                "in turned axes",
                hidden=True,
            ),
            Wrong("Newton", "return -jnp.linalg.solve(H, g)", "Newton's step"),
            Wrong(
                "negative directions left out",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q @ jnp.where(h > 0, (Q.T @ g) / h, 0.0)
                """,
                "not left out",
            ),
            Wrong(
                "sign",
                """
                h, Q = jnp.linalg.eigh(H)
                return Q @ ((Q.T @ g) / jnp.abs(h))
                """,
                "downhill",
            ),
            Wrong("Newton's with the other sign", "return jnp.linalg.solve(H, g)", "uphill"),
            Wrong("the gradient", "return -g", "divide by the curvatures"),
            Wrong(
                "multiplies",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q @ ((Q.T @ g) * jnp.abs(h))
                """,
                "that multiplies",
            ),
            Wrong(
                "sizes of the entries",
                "return -jnp.linalg.solve(jnp.abs(H), g)",
                "not of the entries",
            ),
            Wrong(
                "eigenvectors transposed",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q.T @ ((Q @ g) / jnp.abs(h))
                """,
                "columns of Q",
            ),
            Wrong(
                "not led back",
                """
                h, Q = jnp.linalg.eigh(H)
                return -(Q.T @ g) / jnp.abs(h)
                """,
                "lead the step back",
            ),
            Wrong(
                "not led into the axes",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q @ (g / jnp.abs(h))
                """,
            ),
            Wrong(
                "shape: a column",
                """
                h, Q = jnp.linalg.eigh(H)
                return -(Q @ ((Q.T @ g) / jnp.abs(h)))[:, None]
                """,
                "shape of g",
            ),
            Wrong(
                "in 32 bits",
                """
                h, Q = jnp.linalg.eigh(jnp.asarray(H, jnp.float32))
                return -Q @ ((Q.T @ jnp.asarray(g, jnp.float32)) / jnp.abs(h))
                """,
                "64 bits",
            ),
            Wrong(
                "small curvatures damped",
                """
                h, Q = jnp.linalg.eigh(H)
                return -Q @ ((Q.T @ g) / (jnp.abs(h) + 1e-3))
                """,
            ),
        ],
        [
            """
            h, Q = np.linalg.eigh(H)
            size = Q @ np.diag(np.abs(h)) @ Q.T
            return -np.linalg.solve(size, g)
            """,
            """
            h, Q = jnp.linalg.eigh(H)
            return -sum(q * (q @ g) / abs(c) for c, q in zip(h, Q.T))
            """,
            """
            U, sizes, V = jnp.linalg.svd(H)  # |H| = V diag(sizes) V^T
            return -V.T @ ((V @ g) / sizes)
            """,
            """
            h, Q = jnp.linalg.eigh(H)
            return -(Q / jnp.abs(h)) @ Q.T @ g
            """,
        ],
    ),
    "6.2": Exercise(
        "def reduction_ratio(J_old, J_new, g, G, d):",
        [
            Wrong(
                "rounded",
                """
                predicted = -(g @ d + d @ G @ d / 2)
                return jnp.round((J_old - J_new) / predicted, 6)
                """,
                "a decrease of",
                hidden=True,
            ),
            Wrong("no half", "return (J_old - J_new) / -(g @ d + d @ G @ d)", "has a half"),
            Wrong("slope alone", "return (J_old - J_new) / -(g @ d)", "second term"),
            Wrong(
                "upside down",
                "return -(g @ d + 0.5 * d @ G @ d) / (J_old - J_new)",
                "Upside down",
            ),
            Wrong("sign", "return (J_old - J_new) / (g @ d + 0.5 * d @ G @ d)", "sign"),
            Wrong("other sign", "return (J_new - J_old) / -(g @ d + 0.5 * d @ G @ d)", "sign"),
            Wrong(
                "half of all",
                "return (J_old - J_new) / -(0.5 * (g @ d + d @ G @ d))",
                "second term only",
            ),
            Wrong(
                "bracket",
                "return (J_old - J_new) / (-(g @ d) + 0.5 * d @ G @ d)",
                "whole bracket",
            ),
            Wrong("costs", "return J_new / J_old", "that of the decreases"),
            Wrong(
                "difference",
                "return (J_old - J_new) + (g @ d + 0.5 * d @ G @ d)",
                "take their ratio",
            ),
            Wrong(
                "absolute values",
                "return abs(J_old - J_new) / abs(g @ d + 0.5 * d @ G @ d)",
                "absolute",
            ),
            Wrong(
                "diagonal of G",
                "return (J_old - J_new) / -(g @ d + 0.5 * jnp.sum(jnp.diag(G) * d**2))",
                "diagonal alone",
            ),
            Wrong(
                "shape: a vector",
                "return (J_old - J_new) / -(g * d + 0.5 * d * (G @ d))",
                "one number",
            ),
        ],
        [
            "return (J_old - J_new) / (-g @ d - d @ (G @ d) / 2)",
            """
            model = lambda d: J_old + jnp.dot(g, d) + 0.5 * jnp.einsum("i,ij,j", d, G, d)
            return (J_old - J_new) / (model(0 * d) - model(d))
            """,
            """
            g, G, d = np.asarray(g), np.asarray(G), np.asarray(d)
            promised = -(np.dot(g, d) + 0.5 * np.dot(d, np.dot(G, d)))
            return float((J_old - J_new) / promised)
            """,
        ],
    ),
    "6.3": Exercise(
        "def kron_solve(A, S, V, delta):",
        [
            Wrong(
                "a least damping",
                """
                a, U = jnp.linalg.eigh(A)
                s, Q = jnp.linalg.eigh(S)
                floor = jnp.maximum(delta, 1e-2)
                return U @ ((U.T @ V @ Q) / (jnp.outer(a, s) + floor)) @ Q.T
                """,
                "delta = 0.001",
                hidden=True,
            ),
            Wrong(
                "delta to each factor",
                """
                A, S = A + delta * jnp.eye(len(A)), S + delta * jnp.eye(len(S))
                return jnp.linalg.solve(A, V) @ jnp.linalg.inv(S)
                """,
                "not to each of the two",
            ),
            Wrong(
                "root of delta to each factor",
                """
                root = jnp.sqrt(delta)
                A, S = A + root * jnp.eye(len(A)), S + root * jnp.eye(len(S))
                return jnp.linalg.solve(A, V) @ jnp.linalg.inv(S)
                """,
                "not to each of the two",
            ),
            Wrong(
                "no delta",
                """
                return jnp.linalg.solve(A, V) @ jnp.linalg.inv(S)
                """,
                "Where is delta?",
            ),
            Wrong(
                "multiplies",
                """
                return A @ V @ S + delta * V
                """,
                "That multiplies",
            ),
            Wrong(
                "A and S exchanged",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return Q @ ((Q.T @ V @ U) / (jnp.outer(sigma, alpha) + delta)) @ U.T
                """,
                "A belongs to the rows",
            ),
            Wrong(
                "sums of eigenvalues",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U @ ((U.T @ V @ Q) / (alpha[:, None] + sigma + delta)) @ Q.T
                """,
                "not sums",
            ),
            Wrong(
                "not led back",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return (U.T @ V @ Q) / (jnp.outer(alpha, sigma) + delta)
                """,
                "back from the axes",
            ),
            Wrong(
                "not led into the axes",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U @ (V / (jnp.outer(alpha, sigma) + delta)) @ Q.T
                """,
                "into the axes",
            ),
            Wrong(
                "eigenvectors transposed",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U.T @ ((U @ V @ Q.T) / (jnp.outer(alpha, sigma) + delta)) @ Q
                """,
                "in the columns",
            ),
            Wrong(
                "columns not led back",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U @ ((U.T @ V @ Q) / (jnp.outer(alpha, sigma) + delta)) @ Q
                """,
                "way back of the columns",
            ),
            Wrong(
                "columns led in by the transpose",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U @ ((U.T @ V @ Q.T) / (jnp.outer(alpha, sigma) + delta)) @ Q.T
                """,
                "way there of the columns",
            ),
            Wrong(
                "columns transposed",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U @ ((U.T @ V @ Q.T) / (jnp.outer(alpha, sigma) + delta)) @ Q
                """,
                "Look at the columns",
            ),
            Wrong(
                "rows not led back",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return U.T @ ((U.T @ V @ Q) / (jnp.outer(alpha, sigma) + delta)) @ Q.T
                """,
            ),
            Wrong(
                "minus",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                return -U @ ((U.T @ V @ Q) / (jnp.outer(alpha, sigma) + delta)) @ Q.T
                """,
                "The sign",
            ),
            Wrong(
                "the large matrix",
                """
                large = jnp.kron(A, S) + delta * jnp.eye(V.size)
                return jnp.linalg.solve(large, V.ravel()).reshape(V.shape)
                """,
                "(mk, mk)",
            ),
            Wrong(
                "vec by columns",
                """
                large = jnp.kron(S, A) + delta * jnp.eye(V.size)
                return jnp.linalg.solve(large, V.ravel()).reshape(V.shape)
                """,
            ),
            Wrong(
                "sum of two inverses",
                """
                return jnp.linalg.solve(A, V) @ jnp.linalg.inv(S) + V / delta
                """,
                "sum of the inverses",
            ),
            Wrong(
                "shape: a vector",
                """
                alpha, U = jnp.linalg.eigh(A)
                sigma, Q = jnp.linalg.eigh(S)
                D = U @ ((U.T @ V @ Q) / (jnp.outer(alpha, sigma) + delta)) @ Q.T
                return D.ravel()
                """,
                "shape it",
            ),
            Wrong(
                "S is missing",
                """
                return jnp.linalg.solve(A + delta * jnp.eye(len(A)), V)
                """,
                "S is missing",
            ),
            Wrong(
                "through an inverse of S",
                """
                sigma, Q = jnp.linalg.eigh(S)
                cols = [
                    jnp.linalg.solve(A + delta / c * jnp.eye(len(A)), (V @ Q)[:, j]) / c
                    for j, c in enumerate(sigma)
                ]
                return jnp.where(sigma > 1e-9, jnp.stack(cols, 1), 0) @ Q.T
                """,
                "alone must do",
            ),
        ],
        [
            """
            (alpha, U), (sigma, Q) = np.linalg.eigh(A), np.linalg.eigh(S)
            inside = U.T @ np.asarray(V) @ Q
            for i in range(len(A)):
                for j in range(len(S)):
                    inside[i, j] /= alpha[i] * sigma[j] + delta
            return U @ inside @ Q.T
            """,
            """
            sigma, Q = jnp.linalg.eigh(S)
            B = V @ Q  # column j: (sigma_j A + delta) x = B_j
            I = jnp.eye(len(A))
            cols = [jnp.linalg.solve(c * A + delta * I, b) for c, b in zip(sigma, B.T)]
            return jnp.stack(cols, axis=1) @ Q.T
            """,
            """
            alpha, U = jnp.linalg.eigh(A)
            rows = [
                jnp.linalg.solve(c * S + delta * jnp.eye(len(S)), v)
                for c, v in zip(alpha, U.T @ V)
            ]
            return U @ jnp.stack(rows)
            """,
        ],
    ),
    "6.4": Exercise(
        "def kfac_factors(a, s):",
        [
            Wrong(
                "the first ten examples",
                """
                b = jnp.column_stack([a, jnp.ones(len(a))])
                n = min(len(a), 10)
                return b[:n].T @ b[:n] / n, s[:n].T @ s[:n] / n
                """,
                "Every a is paired with every s",
                hidden=True,
            ),
            Wrong("no 1", "return a.T @ a / len(a), s.T @ s / len(s)", "No 1"),
            Wrong(
                "1 first",
                """
                a = jnp.append(jnp.ones((len(a), 1)), a, axis=1)
                return a.T @ a / len(a), s.T @ s / len(s)
                """,
                "1 comes last",
            ),
            Wrong(
                "sums",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a.T @ a, s.T @ s
                """,
                "not sums",
            ),
            Wrong(
                "S a sum",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a.T @ a / len(a), s.T @ s
                """,
                "S is a sum",
            ),
            Wrong(
                "covariances",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return jnp.cov(a.T, bias=True), jnp.cov(s.T, bias=True)
                """,
                "not covariances",
            ),
            Wrong(
                "n twice",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                s = s / len(s)
                return a.T @ a / len(a), s.T @ s / len(s)
                """,
                "divided by n twice",
            ),
            Wrong(
                "S first",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return s.T @ s / len(s), a.T @ a / len(a)
                """,
                "A comes first",
            ),
            Wrong(
                "means first",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return jnp.outer(a.mean(0), a.mean(0)), jnp.outer(s.mean(0), s.mean(0))
                """,
                "not the mean of the matrices",
            ),
            Wrong(
                "n - 1",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a.T @ a / (len(a) - 1), s.T @ s / (len(s) - 1)
                """,
            ),
            Wrong(
                "mean over the width",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a.T @ a / a.shape[1], s.T @ s / s.shape[1]
                """,
                "over the width",
            ),
            Wrong(
                "shape: rows by rows",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a @ a.T / len(a), s @ s.T / len(s)
                """,
                "examples by examples",
            ),
            Wrong(
                "a 1 to s, too",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                s = jnp.append(s, jnp.ones((len(s), 1)), axis=1)
                return a.T @ a / len(a), s.T @ s / len(s)
                """,
                "not to s",
            ),
            Wrong(
                "shape: A alone",
                """
                a = jnp.append(a, jnp.ones((len(a), 1)), axis=1)
                return a.T @ a / len(a)
                """,
                "Two matrices",
            ),
        ],
        [
            """
            a = np.c_[a, np.ones(len(a))]
            return [np.einsum("ni,nj->ij", r, r) / len(r) for r in (a, s)]
            """,
            """
            a = jnp.pad(a, ((0, 0), (0, 1)), constant_values=1)
            mean = lambda r: jnp.mean(r[:, :, None] * r[:, None, :], axis=0)
            return mean(a), mean(s)
            """,
            """
            n = a.shape[0]
            a = jnp.concatenate([jnp.asarray(a), jnp.ones((n, 1))], axis=1)
            A = sum(jnp.outer(row, row) for row in a) / n
            return A, jnp.asarray(s).T @ s / n
            """,
        ],
    ),
    "6.5": Exercise(
        "def ekfac_eigenvalues(a, s, U, Q):",
        [
            Wrong(
                "float32",
                """
                a, s = (a @ U).astype(jnp.float32), (s @ Q).astype(jnp.float32)
                return (a**2).T @ s**2 / len(a)
                """,
                "diagonal entries of F",
                hidden=True,
            ),
            Wrong(
                "product of means",
                "return jnp.outer(((a @ U) ** 2).mean(0), ((s @ Q) ** 2).mean(0))",
                "K-FAC's product",
            ),
            Wrong("not squared", "return (a @ U).T @ (s @ Q) / len(a)", "Square both"),
            Wrong("squared last", "return ((a @ U).T @ (s @ Q) / len(a)) ** 2", "Square first"),
            Wrong("sum", "return ((a @ U) ** 2).T @ (s @ Q) ** 2", "not a sum"),
            Wrong("exchanged", "return ((s @ Q) ** 2).T @ (a @ U) ** 2 / len(a)", "the rows"),
            Wrong("transposed", "return ((a @ U.T) ** 2).T @ (s @ Q.T) ** 2 / len(a)", "columns"),
            Wrong("not turned", "return (a**2).T @ s**2 / len(a)", "first"),
            Wrong("s not squared", "return ((a @ U) ** 2).T @ (s @ Q) / len(a)", "of s are"),
            Wrong("U alone wrong", "return ((a @ U.T) ** 2).T @ (s @ Q) ** 2 / len(a)", "columns"),
            Wrong(
                "shape: one for each input",
                "return ((a @ U) ** 2).T @ ((s @ Q) ** 2).sum(1) / len(a)",
                "each entry of W",
            ),
        ],
        [
            "return np.einsum('ni,nj->ij', (a @ U) ** 2, (s @ Q) ** 2) / len(a)",
            """
            turned = jax.vmap(lambda a, s: jnp.outer(U.T @ a, Q.T @ s) ** 2)
            return turned(jnp.asarray(a), jnp.asarray(s)).mean(axis=0)
            """,
            """
            rows = np.einsum("ni,nj->nij", a, s).reshape(len(a), -1)
            turn = np.kron(U, Q)
            return np.mean((rows @ turn) ** 2, axis=0).reshape(len(U), len(Q))
            """,
        ],
    ),
}
