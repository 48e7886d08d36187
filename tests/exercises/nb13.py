"""Wrong answers to the exercises of notebook 13."""

from wrong_answers import Exercise, Wrong

FIT = """
n, l2 = len(t), np.exp(log_l2)
H = Phi.T @ Phi / n + np.diag(l2)
w = np.linalg.solve(H, Phi.T @ t / n)
g = Phi_val.T @ (Phi_val @ w - t_val) / len(t_val)
"""

WEIGHTED = """
n, d = X.shape
H = (X.T * u) @ X / n + l2 * np.eye(d)
W = np.linalg.solve(H, (X.T * u) @ Y / n)
G = X_val.T @ (X_val @ W - Y_val) / len(X_val)
S = np.linalg.solve(H, G)
"""

PICTURES = """
m, d = Z.shape
H = Z.T @ Z / m + l2 * np.eye(d)
W = np.linalg.solve(H, Z.T @ T / m)
G = X_val.T @ (X_val @ W - Y_val) / len(X_val)
S = np.linalg.solve(H, G)
"""

EXERCISES = {
    "13.1": Exercise(
        "def ridge_hypergradient(Phi, t, Phi_val, t_val, log_l2):",
        [
            Wrong(
                "difference quotients",
                """
                def F(log_l2):
                    n, l2 = len(t), np.exp(log_l2)
                    w = np.linalg.solve(Phi.T @ Phi / n + np.diag(l2), Phi.T @ t / n)
                    return 0.5 * np.mean((Phi_val @ w - t_val) ** 2)

                moves = 1e-4 * np.eye(len(log_l2))
                return np.array([(F(log_l2 + e) - F(log_l2)) / 1e-4 for e in moves])
                """,
                "difference quotient",
                hidden=True,
            ),
            Wrong("sign", FIT + "return np.linalg.solve(H, g) * l2 * w", "The sign"),
            Wrong("by lambda", FIT + "return -np.linalg.solve(H, g) * w", "not by lambda"),
            Wrong(
                "sum for the mean",
                FIT + "return -np.linalg.solve(H, g * len(t_val)) * l2 * w",
                "this is the sum",
            ),
            Wrong(
                "validation cost over the training rows",
                FIT + "return -np.linalg.solve(H, g * len(t_val) / n) * l2 * w",
                "mean over its own",
            ),
            Wrong("no solve", FIT + "return -g * l2 * w", "No solve"),
            Wrong("multiplied by H", FIT + "return -(H @ g) * l2 * w", "multiplies by H"),
            Wrong(
                "no penalty in H",
                FIT + "return -np.linalg.solve(Phi.T @ Phi / n, g) * l2 * w",
                "stand on its diagonal",
            ),
            Wrong(
                "the training gradient",
                FIT + "return -np.linalg.solve(H, Phi.T @ (Phi @ w - t) / n) * l2 * w",
                "not of the training cost",
            ),
            Wrong(
                "theta for the penalty",
                FIT + "return -np.linalg.solve(H, g) * log_l2 * w",
                "penalty is exp(theta)",
            ),
            Wrong(
                "how the weights move",
                FIT + "return -np.diag(np.linalg.inv(H)) * l2 * w",
                "what does it do to V",
            ),
            Wrong(
                "training sums",
                """
                l2 = np.exp(log_l2)
                H = Phi.T @ Phi + np.diag(l2)
                w = np.linalg.solve(H, Phi.T @ t)
                g = Phi_val.T @ (Phi_val @ w - t_val) / len(t_val)
                return -np.linalg.solve(H, g) * l2 * w
                """,
                "training rows are a mean",
            ),
            Wrong(
                "a training sum in the fit alone",
                FIT
                + """
w = np.linalg.solve(Phi.T @ Phi + np.diag(l2), Phi.T @ t)
g = Phi_val.T @ (Phi_val @ w - t_val) / len(t_val)
return -np.linalg.solve(H, g) * l2 * w
""",
                "training rows are a mean",
            ),
            Wrong(
                "a sum on the right of the fit",
                FIT
                + """
w = np.linalg.solve(H, Phi.T @ t)
g = Phi_val.T @ (Phi_val @ w - t_val) / len(t_val)
return -np.linalg.solve(H, g) * l2 * w
""",
                "training rows are a mean",
            ),
            Wrong(
                "no penalty at all",
                FIT.replace("+ np.diag(l2)", "+ 0") + "return -np.linalg.solve(H, g) * l2 * w",
                "penalties in them",
            ),
            Wrong(
                "shape: one penalty for all",
                FIT + "return -np.sum(np.linalg.solve(H, g) * l2 * w)",
                "each has its own",
            ),
            Wrong(
                "shape: the response of the weights",
                FIT + "return -np.linalg.inv(H) * l2 * w",
                "shape (2,)",
            ),
        ],
        [
            FIT + "return -(np.linalg.inv(H) @ g) * w * l2",
            """
            def F(log_l2):
                n = len(t)
                H = jnp.asarray(Phi.T @ Phi / n) + jnp.diag(jnp.exp(log_l2))
                w = jnp.linalg.solve(H, Phi.T @ t / n)
                return 0.5 * jnp.mean((Phi_val @ w - t_val) ** 2)

            return jax.grad(F)(jnp.asarray(log_l2))
            """,
            FIT
            + """
response = -np.linalg.solve(H, np.diag(l2 * w))
return list(g @ response)
""",
            """
            l2, n = jnp.exp(log_l2), Phi.shape[0]
            H = jnp.einsum("ni,nj->ij", Phi, Phi) / n + jnp.diag(l2)
            w, *_ = jnp.linalg.lstsq(H, Phi.T @ t / n)
            r = (Phi_val @ w - t_val) / Phi_val.shape[0]
            s = jnp.linalg.solve(H, r @ Phi_val)
            return jnp.negative(s * w * l2)
            """,
        ],
    ),
    "13.2": Exercise(
        "def weight_hypergradient(u, X, Y, X_val, Y_val, l2):",
        [
            Wrong(
                "nothing for examples of weight 0",
                WEIGHTED + "return -np.sum((X @ W - Y) * (X @ S), axis=1) * (u > 0) / n",
                "has a derivative, too",
                hidden=True,
            ),
            Wrong(
                "sign", WEIGHTED + "return np.sum((X @ W - Y) * (X @ S), axis=1) / n", "The sign"
            ),
            Wrong(
                "1/n forgotten",
                WEIGHTED + "return -np.sum((X @ W - Y) * (X @ S), axis=1)",
                "has 1/n",
            ),
            Wrong(
                "u left standing",
                WEIGHTED + "return -u * np.sum((X @ W - Y) * (X @ S), axis=1) / n",
                "no u_i is left",
            ),
            Wrong(
                "no solve",
                WEIGHTED + "return -np.sum((X @ W - Y) * (X @ G), axis=1) / n",
                "No solve",
            ),
            Wrong(
                "sum for the mean",
                WEIGHTED + "return -np.sum((X @ W - Y) * (X @ S), axis=1) * len(X_val) / n",
                "this is the sum",
            ),
            Wrong(
                "over the sum of the weights",
                WEIGHTED + "return -np.sum((X @ W - Y) * (X @ S), axis=1) / np.sum(u)",
                "not over the sum",
            ),
            Wrong(
                "everything over the sum of the weights",
                WEIGHTED.replace("/ n", "/ np.sum(u)")
                + "return -np.sum((X @ W - Y) * (X @ S), axis=1) / np.sum(u)",
                "All means are over n",
            ),
            Wrong(
                "the fit over the sum of the weights",
                WEIGHTED.replace("/ n", "/ np.sum(u)")
                + "return -np.sum((X @ W - Y) * (X @ S), axis=1) / n",
                "fit and H are means over n",
            ),
            Wrong(
                "targets for residuals",
                WEIGHTED + "return -np.sum(Y * (X @ S), axis=1) / n",
                "no output",
            ),
            Wrong(
                "penalty in the gradient",
                WEIGHTED
                + "return -(np.sum((X @ W - Y) * (X @ S), axis=1) + l2 * np.sum(W * S)) / n",
                "does not depend on u_i",
            ),
            Wrong(
                "weights of 1",
                "u = np.ones(len(u))\n" + WEIGHTED.strip() + "\nreturn "
                "-np.sum((X @ W - Y) * (X @ S), axis=1) / n",
                "not for weights of 1",
            ),
            Wrong(
                "no u in H",
                WEIGHTED
                + """
S = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), G)
return -np.sum((X @ W - Y) * (X @ S), axis=1) / n
""",
                "u stands in it",
            ),
            Wrong(
                "no penalty in H",
                WEIGHTED
                + """
S = np.linalg.solve((X.T * u) @ X / n, G)
return -np.sum((X @ W - Y) * (X @ S), axis=1) / n
""",
                "the penalty stands in it",
            ),
            Wrong(
                "its own loss",
                WEIGHTED + "return np.sum((X @ W - Y) ** 2, axis=1) / (2 * n)",
                "slope of J",
            ),
            Wrong(
                "shape: one for each target",
                WEIGHTED + "return -(X @ W - Y) * (X @ S) / n",
                "add the columns",
            ),
        ],
        [
            WEIGHTED + 'return -np.einsum("ij,ij->i", X @ W - Y, X @ S) / n',
            WEIGHTED
            + """
found = []
for x, y_i in zip(X, Y):
    found.append(-np.sum(S * np.outer(x, W.T @ x - y_i)) / n)
return found
""",
            """
            def F(u):
                n = X.shape[0]
                H = (X.T * u) @ X / n + l2 * jnp.eye(X.shape[1])
                W = jnp.linalg.solve(H, (X.T * u) @ Y / n)
                return 0.5 * jnp.mean(jnp.sum((X_val @ W - Y_val) ** 2, axis=1))

            return jax.grad(F)(jnp.asarray(u, dtype=float))
            """,
            """
            n, root = len(u), np.sqrt(np.maximum(u, 0))[:, None]
            A = (root * X).T @ (root * X) + n * l2 * np.eye(X.shape[1])
            W = np.linalg.inv(A) @ (X.T @ (u[:, None] * Y))
            R = (X_val @ W - Y_val) / len(Y_val)
            return np.sum((Y - X @ W) * (X @ np.linalg.inv(A) @ X_val.T @ R), axis=1)
            """,
        ],
    ),
    "13.3": Exercise(
        "def pixel_hypergradient(Z, T, X_val, Y_val, l2):",
        [
            Wrong(
                "the targets of the identity",
                PICTURES + "return -((Z @ W - np.eye(m)) @ S.T + (Z @ S) @ W.T) / m",
                hidden=True,
            ),
            Wrong("sign", PICTURES + "return ((Z @ W - T) @ S.T + (Z @ S) @ W.T) / m", "The sign"),
            Wrong(
                "the first Z alone", PICTURES + "return -((Z @ W - T) @ S.T) / m", "Z stands twice"
            ),
            Wrong("the second Z alone", PICTURES + "return -(Z @ S) @ W.T / m", "Z stands twice"),
            Wrong(
                "1/m forgotten",
                PICTURES + "return -((Z @ W - T) @ S.T + (Z @ S) @ W.T)",
                "1/m stands before the bracket",
            ),
            Wrong(
                "validation rows for pictures",
                PICTURES + "return -((Z @ W - T) @ S.T + (Z @ S) @ W.T) / len(X_val)",
                "not of validation rows",
            ),
            Wrong(
                "a training sum",
                PICTURES.replace(" / m", "") + "return -((Z @ W - T) @ S.T + (Z @ S) @ W.T) / m",
                "in the fit and in H",
            ),
            Wrong(
                "no solve", PICTURES + "return -((Z @ W - T) @ G.T + (Z @ G) @ W.T) / m", "No solve"
            ),
            Wrong(
                "sum for the mean",
                PICTURES + "return -((Z @ W - T) @ S.T + (Z @ S) @ W.T) * len(X_val) / m",
                "this is the sum",
            ),
            Wrong(
                "W and S swapped",
                PICTURES + "return -((Z @ W - T) @ W.T + (Z @ W) @ S.T) / m",
                "changed places",
            ),
            Wrong(
                "no penalty in H",
                PICTURES
                + """
S = np.linalg.pinv(Z.T @ Z / m) @ G
return -((Z @ W - T) @ S.T + (Z @ S) @ W.T) / m
""",
                "the penalty stands in it",
            ),
            Wrong(
                "the training gradient",
                PICTURES
                + """
S = np.linalg.solve(H, Z.T @ (Z @ W - T) / m)
return -((Z @ W - T) @ S.T + (Z @ S) @ W.T) / m
""",
                "not from that of the pictures",
            ),
            Wrong("the gradient of J", PICTURES + "return (Z @ W - T) @ W.T / m", "gradient of J"),
            Wrong(
                "shape: transposed",
                PICTURES + "return -((Z @ W - T) @ S.T + (Z @ S) @ W.T).T / m",
                "transposed",
            ),
        ],
        [
            PICTURES
            + """
R = T - Z @ W
return (np.einsum("ik,jk->ij", R, S) - np.einsum("ik,jk->ij", Z @ S, W)) / m
""",
            """
            def F(Z):
                m, d = Z.shape
                W = jnp.linalg.solve(Z.T @ Z / m + l2 * jnp.eye(d), Z.T @ T / m)
                return 0.5 * jnp.mean(jnp.sum((X_val @ W - Y_val) ** 2, axis=1))

            return jax.grad(F)(jnp.asarray(Z, dtype=float))
            """,
            """
            m, d = Z.shape
            A = np.linalg.inv(Z.T @ Z + m * l2 * np.eye(d))
            W = A @ Z.T @ T
            S = A @ X_val.T @ ((X_val @ W - Y_val) / len(Y_val))
            return [list(S @ (t - W.T @ z) - W @ (S.T @ z)) for z, t in zip(Z, T)]
            """,
        ],
    ),
    "13.4": Exercise(
        "def pictures_for(W, l2):",
        [
            Wrong(
                "divided by 0",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                sigma = np.where(sigma > 1e-12, sigma, 0)
                c = l2 * W.shape[1]
                with np.errstate(all="ignore"):
                    z = (1 - np.sqrt(1 - 4 * c * sigma**2)) / (2 * sigma)
                return (A.T * z) @ B.T
                """,
                "there z is 0",
            ),
            Wrong(
                "no guard at the limit",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                c = l2 * W.shape[1]
                with np.errstate(all="ignore"):
                    z = 2 * c * sigma / (1 + np.sqrt(1 - 4 * c * sigma**2))
                return (A.T * z) @ B.T
                """,
                "by rounding",
            ),
            Wrong(
                "small for 0",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                c = l2 * W.shape[1]
                root = np.sqrt(np.maximum(1 - 4 * c * sigma**2, 0))
                z = np.where(sigma > 1e-3, (1 - root) / np.maximum(2 * sigma, 1e-9), 0)
                return (A.T * z) @ B.T
                """,
                "small, but not 0",
                hidden=True,
            ),
            Wrong(
                "the strong root",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                c = l2 * W.shape[1]
                z = (1 + np.sqrt(1 - 4 * c * sigma**2)) / (2 * sigma)
                return (A.T * z) @ B.T
                """,
                "the other root",
            ),
            Wrong(
                "l2 without m",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                z = (1 - np.sqrt(1 - 4 * l2 * sigma**2)) / (2 * sigma)
                return (A.T * z) @ B.T
                """,
                "m l2, not l2",
            ),
            Wrong("first order", "return l2 * W.shape[1] * W.T", "small singular values only"),
            Wrong("no penalty", "return np.linalg.pinv(W)", "without a penalty"),
            Wrong(
                "entry by entry",
                """
                c = l2 * W.shape[1]
                return 2 * c * W.T / (1 + np.sqrt(1 - 4 * c * W.T**2))
                """,
                "should teach W",
            ),
            Wrong(
                "l2 for m l2 by the number of pixels",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                c = l2 * W.shape[0]
                z = 2 * c * sigma / (1 + np.sqrt(np.maximum(1 - 4 * c * sigma**2, 0)))
                return (A.T * z) @ B.T
                """,
            ),
            Wrong(
                "shape: transposed",
                """
                B, sigma, A = np.linalg.svd(W, full_matrices=False)
                c = l2 * W.shape[1]
                z = 2 * c * sigma / (1 + np.sqrt(1 - 4 * c * sigma**2))
                return (B * z) @ A
                """,
                "transposed",
            ),
        ],
        [
            """
            c = l2 * W.shape[1]
            h, Q = np.linalg.eigh(W.T @ W)
            root = np.sqrt(np.maximum(1 - 4 * c * np.maximum(h, 0), 0))
            return Q @ np.diag(2 * c / (1 + root)) @ Q.T @ W.T
            """,
            """
            B, sigma, A = jnp.linalg.svd(jnp.asarray(W), full_matrices=False)
            c = l2 * A.shape[0]
            x = jnp.sqrt(jnp.clip(1 - 4 * c * sigma**2, 0))
            return jnp.einsum("ki,k,jk->ij", A, 2 * c * sigma / (1 + x), B)
            """,
            """
            B, sigma, A = np.linalg.svd(W, full_matrices=False)
            c, Z = l2 * W.shape[1], np.zeros(W.T.shape)
            for b, s, a in zip(B.T, sigma, A):
                if s > 1e-12:
                    z = (1 - np.sqrt(max(1 - 4 * c * s**2, 0))) / (2 * s)
                    Z = Z + z * np.outer(a, b)
            return Z
            """,
        ],
    ),
}
