"""Wrong answers to the exercises of notebook 15."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "15.1": Exercise(
        "def influence_on_loss(X, y, l2, theta, x_t, y_t):",
        [
            Wrong(
                "shape: residuals times X",
                """
                n, d = X.shape
                G = (X @ theta - y) * X
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return G @ s / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: one penalty per example",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(n), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: inner products of examples in H",
                """
                n, d = X.shape
                s = np.linalg.solve(X @ X.T / n + l2 * np.eye(n), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: inner products of examples in H, by JAX",
                """
                n, d = X.shape
                H = jnp.asarray(X @ X.T / n + l2 * np.eye(n))
                s = jnp.linalg.solve(H, (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "sign",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return -(X @ theta - y) * (X @ s) / n
                """,
                "The sign",
            ),
            Wrong(
                "the residuals of logistic regression",
                """
                n, d = X.shape
                s = np.linalg.solve(
                    X.T @ X / n + l2 * np.eye(d), (sigma(x_t @ theta) - y_t) * x_t
                )
                return (sigma(X @ theta) - y) * (X @ s) / n
                """,
                "This is ridge regression: residuals",
            ),
            Wrong(
                "logistic regression",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                s = np.linalg.solve(H, (sigma(x_t @ theta) - y_t) * x_t)
                return (p - y) * (X @ s) / n
                """,
                "This is ridge regression: no p",
            ),
            Wrong(
                "no 1/n",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s)
                """,
                "Where is the 1/n?",
            ),
            Wrong(
                "the derivative by epsilon",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return -(X @ theta - y) * (X @ s)
                """,
                "Koh and Liang's derivative",
            ),
            Wrong(
                "no penalty in H",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n, (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "the penalty add to H",
            ),
            Wrong(
                "a sum in H",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "a mean: X'X / n",
            ),
            Wrong(
                "the penalty in every entry",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2, (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "adds l2 to every entry",
            ),
            Wrong(
                "the penalty in the test loss",
                """
                n, d = X.shape
                g_t = (x_t @ theta - y_t) * x_t + l2 * theta
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), g_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "The test loss has no penalty",
            ),
            Wrong(
                "the penalty in each gradient",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return ((X @ theta - y)[:, None] * X + l2 * theta) @ s / n
                """,
                "without the penalty",
            ),
            Wrong(
                "no residual of the test example",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "Where is r_t?",
            ),
            Wrong(
                "no inverse",
                "return (X @ theta - y) * (X @ x_t) * (x_t @ theta - y_t) / len(y)",
                "Where is the inverse of H?",
            ),
            Wrong(
                "shape: a gradient for each example",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y)[:, None] * X * s / n
                """,
                "One number per training example",
            ),
            Wrong(
                "n is the longer side",
                """
                n, d = max(X.shape), X.shape[1]
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "n is their number",
                hidden=True,
            ),
            Wrong(
                "1/(n - 1)",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / (n - 1)
                """,
                "not 1/(n - 1)",
            ),
            Wrong(
                "1/n twice",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t) / n
                return (X @ theta - y) * (X @ s) / n
                """,
                "1/n stands once",
            ),
            Wrong(
                "n l2 beside the mean",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + n * l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "not n l2",
            ),
            Wrong(
                "no residual of the training example",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return X @ s / n
                """,
                "Where is r_i?",
            ),
            Wrong(
                "the derivative of a squared residual",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), 2 * (x_t @ theta - y_t) * x_t)
                return 2 * (X @ theta - y) * (X @ s) / n
                """,
                "Half the squared residual",
            ),
            Wrong(
                "H for its inverse",
                """
                n, d = X.shape
                s = (X.T @ X / n + l2 * np.eye(d)) @ ((x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "H itself",
            ),
            Wrong(
                "each entry inverted",
                """
                n, d = X.shape
                s = (1 / (X.T @ X / n + l2 * np.eye(d))) @ ((x_t @ theta - y_t) * x_t)
                return (X @ theta - y) * (X @ s) / n
                """,
                "inverts each entry",
            ),
            Wrong(
                "the diagonal alone inverted",
                """
                n, d = X.shape
                s = (x_t @ theta - y_t) * x_t / (np.mean(X**2, axis=0) + l2)
                return (X @ theta - y) * (X @ s) / n
                """,
                "the whole matrix H inverted",
            ),
            Wrong(
                "refits",
                """
                n, d = X.shape
                loss = lambda w: 0.5 * (x_t @ w - y_t) ** 2
                found = []
                for k in range(n):
                    A, z = np.delete(X, k, axis=0), np.delete(y, k)
                    gone = np.linalg.solve(A.T @ A + n * l2 * np.eye(d), A.T @ z)
                    found.append(loss(gone) - loss(theta))
                return np.array(found)
                """,
                "exact refits",
            ),
            Wrong(
                "shape: one number",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return (X @ theta - y) @ (X @ s) / n
                """,
                "One number per training example",
            ),
            Wrong(
                "shape: a column",
                """
                n, d = X.shape
                s = np.linalg.solve(X.T @ X / n + l2 * np.eye(d), (x_t @ theta - y_t) * x_t)
                return ((X @ theta - y) * (X @ s) / n)[:, None]
                """,
                "should have shape (3,); this has (3, 1)",
            ),
            Wrong(
                "shape: complex",
                """
                n, d = X.shape
                values, Q = np.linalg.eig(X.T @ X / n + l2 * np.eye(d) + 0j)
                s = Q @ ((Q.T @ x_t) * (x_t @ theta - y_t) / values)
                return (X @ theta - y) * (X @ s) / n
                """,
                "this is complex",
            ),
            Wrong(
                "the loss at the moved parameters",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                moved = theta + np.linalg.solve(H, ((X @ theta - y)[:, None] * X).T).T / n
                return 0.5 * (moved @ x_t - y_t) ** 2 - 0.5 * (theta @ x_t - y_t) ** 2
                """,
                "at the moved parameters",
            ),
        ],
        [
            """
            n, d = np.shape(X)
            G = (X @ theta - y)[:, None] * X
            moves = jnp.linalg.solve(jnp.asarray(X).T @ X / n + l2 * jnp.eye(d), G.T).T / n
            return moves @ ((x_t @ theta - y_t) * x_t)
            """,
            """
            n, d = X.shape
            inverse = np.linalg.inv(X.T @ X + n * l2 * np.eye(d))
            return [(x @ theta - z) * x @ inverse @ x_t * (x_t @ theta - y_t) for x, z in zip(X, y)]
            """,
            """
            n = len(y)
            tilted = lambda w, e: jnp.mean(e * 0.5 * (X @ w - y) ** 2) + l2 / 2 * w @ w

            @jax.jit
            def score(w, ones):
                mixed = jax.jacobian(jax.grad(tilted), argnums=1)(w, ones)
                slope = jax.grad(lambda w: 0.5 * (x_t @ w - y_t) ** 2)(w)
                return slope @ jnp.linalg.solve(jax.hessian(tilted)(w, ones), mixed)

            return score(jnp.asarray(theta), jnp.ones(n))
            """,
            """
            g = jax.vmap(jax.grad(lambda w, x, z: 0.5 * (x @ w - z) ** 2), (None, 0, 0))

            @jax.jit
            def score(X, y, theta, x_t):
                H = X.T @ X / len(y) + l2 * jnp.eye(len(theta), dtype="float32")
                return g(theta, X, y) @ jnp.linalg.solve(H, (x_t @ theta - y_t) * x_t) / len(y)

            return score(*(jnp.asarray(a, "float32") for a in (X, y, theta, x_t)))
            """,
        ],
    ),
    "15.2": Exercise(
        "def loo_leverage_correction(X, y, l2):",
        [
            Wrong(
                "shape: one penalty per example",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(n)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: inner products of examples in H",
                """
                n, d = X.shape
                H = X @ X.T / n + l2 * np.eye(n)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: X not transposed in the solve",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X * np.linalg.solve(H, X), axis=1) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "n l2 beside the mean",
                """
                n, d = X.shape
                H = X.T @ X / n + n * l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "not n l2",
            ),
            Wrong(
                "the fit itself",
                """
                n, d = X.shape
                return X @ np.linalg.solve(X.T @ X / n + l2 * np.eye(d), X.T @ y / n)
                """,
                "the fit with all examples",
            ),
            Wrong(
                "first order alone",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h * (fitted - y)
                """,
                "First order only",
            ),
            Wrong(
                "sign",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (y - fitted)
                """,
                "The other way",
            ),
            Wrong(
                "1 + h",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 + h) * (fitted - y)
                """,
                "1 - h, not 1 + h",
            ),
            Wrong(
                "no n before l2",
                """
                n, d = X.shape
                H = X.T @ X + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0)
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "the penalty is n l2",
            ),
            Wrong(
                "no 1/n in the leverage",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0)
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "Where is its 1/n?",
            ),
            Wrong(
                "no penalty",
                """
                H = X.T @ X
                fitted = X @ np.linalg.solve(H, X.T @ y)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0)
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "Where is the penalty in H?",
            ),
            Wrong(
                "the move",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return h / (1 - h) * (fitted - y)
                """,
                "how far the prediction moves",
            ),
            Wrong(
                "the residual",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return (fitted - y) / (1 - h)
                """,
                "These are residuals",
            ),
            Wrong(
                "the mean over the others",
                """
                n, d = X.shape
                gone = []
                for k in range(n):
                    A, z = np.delete(X, k, axis=0), np.delete(y, k)
                    H = A.T @ A + (n - 1) * l2 * np.eye(d)
                    gone.append(X[k] @ np.linalg.solve(H, A.T @ z))
                return np.array(gone)
                """,
                "the mean over the other n - 1",
            ),
            Wrong(
                "shape: each example's prediction at all",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = X @ np.linalg.solve(H, X.T) / n
                return fitted + h / (1 - np.diag(h)) * (fitted - y)
                """,
                "One prediction per example",
            ),
            Wrong(
                "n is the longer side",
                """
                n, d = max(X.shape), X.shape[1]
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "n is their number",
                hidden=True,
            ),
            Wrong(
                "sign of the residual",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return y - (fitted - y) / (1 - h)
                """,
                "the other sign",
            ),
            Wrong(
                "the penalty in every entry",
                """
                n, d = X.shape
                H = X.T @ X / n + l2
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return fitted + h / (1 - h) * (fitted - y)
                """,
                "to every entry",
            ),
            Wrong(
                "shape: a column",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                fitted = X @ np.linalg.solve(H, X.T @ y / n)
                h = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return (fitted + h / (1 - h) * (fitted - y)).reshape(-1, 1)
                """,
                "One prediction per example",
            ),
            Wrong(
                "a mean in H, a sum on the right",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                h = np.diag(X @ np.linalg.inv(H) @ X.T) / n
                return (X @ np.linalg.solve(H, X.T @ y) - h * y) / (1 - h)
                """,
                "X'y a sum",
            ),
        ],
        [
            """
            n, d = X.shape
            gone = []
            for k in range(n):
                w = np.arange(n) != k
                H = (X.T * w) @ X + n * l2 * np.eye(d)
                gone.append(X[k] @ np.linalg.solve(H, (X.T * w) @ y))
            return np.array(gone)
            """,
            """
            n = len(y)
            K = X @ X.T
            hat = K @ np.linalg.inv(K + n * l2 * np.eye(n))
            h = np.diag(hat)
            return (hat @ y - h * y) / (1 - h)
            """,
            """
            n, d = X.shape

            def without(keep):
                H = (X.T * keep) @ X / n + l2 * jnp.eye(d)
                return jnp.linalg.solve(H, (X.T * keep) @ y / n)

            gone = jax.vmap(without)(1 - jnp.eye(n))
            return jnp.einsum("nd,nd->n", X, gone)
            """,
            """
            n, d = X.shape
            tall = np.vstack([X, np.sqrt(n * l2) * np.eye(d)])
            Q = np.linalg.qr(tall)[0][:n]
            h = np.sum(Q**2, axis=1)
            return list(y + (Q @ (Q.T @ y) - y) / (1 - h))
            """,
        ],
    ),
    "15.3": Exercise(
        "def predicted_loo(X, y, l2, theta, x_t):",
        [
            Wrong(
                "shape: residuals times X",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                G = (p - y) * X
                return G @ np.linalg.solve(H, p_t * (1 - p_t) * x_t) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: one penalty per example",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(n)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "sign",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (y - p) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "The sign",
            ),
            Wrong(
                "no 1/n",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t))
                """,
                "Where is the 1/n?",
            ),
            Wrong(
                "no penalty in H",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "Where is the penalty in H?",
            ),
            Wrong(
                "a sum in H",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "not a sum",
            ),
            Wrong(
                "H of least squares",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = X.T @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "the weight p (1 - p)",
            ),
            Wrong(
                "the logit",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, x_t)) / n
                """,
                "the slope of sigma",
            ),
            Wrong(
                "the loss with label 1",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, (p_t - 1) * x_t)) / n
                """,
                "the loss with label 1",
            ),
            Wrong(
                "the new probability",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return p_t + (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "not the new probability",
            ),
            Wrong(
                "one step of Newton",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                h = p * (1 - p) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                change = (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                return change / (1 - h)
                """,
                "first order is asked",
            ),
            Wrong(
                "labels of 1 and -1",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - (2 * y - 1)) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
            ),
            Wrong(
                "shape: one number",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return np.linalg.solve(H, p_t * (1 - p_t) * x_t) @ (X.T @ (p - y)) / n
                """,
                "One number per training example",
            ),
            Wrong(
                "n is the longer side",
                """
                n, d = max(X.shape), X.shape[1]
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "n is their number",
                hidden=True,
            ),
            Wrong(
                "the derivative by epsilon",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (y - p) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t))
                """,
                "the derivative by epsilon",
            ),
            Wrong(
                "1/n twice",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n**2
                """,
                "1/n stands once",
            ),
            Wrong(
                "sigma for its slope",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * x_t)) / n
                """,
                "not sigma itself",
            ),
            Wrong(
                "no gradient of the loss",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t) / n
                """,
                "Where is p_i - y_i?",
            ),
            Wrong(
                "no inverse",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ x_t) * p_t * (1 - p_t) / n
                """,
                "Where is the inverse of H?",
            ),
            Wrong(
                "the penalty in each gradient",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                G = (p - y)[:, None] * X + l2 * theta
                return G @ np.linalg.solve(H, p_t * (1 - p_t) * x_t) / n
                """,
                "without the penalty",
            ),
            Wrong(
                "p for p (1 - p) in H",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * p) @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "not p.",
            ),
            Wrong(
                "n l2 beside the mean",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + n * l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "not n l2",
            ),
            Wrong(
                "the penalty in every entry",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "not to every entry",
            ),
            Wrong(
                "refits",
                """
                n = len(y)
                gone = [fit(X, y, l2, 1 - np.eye(n)[k], theta) for k in range(n)]
                return np.array([sigma(x_t @ np.asarray(w)) for w in gone]) - sigma(x_t @ theta)
                """,
                "real refits",
            ),
            Wrong(
                "shape: a column",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return ((p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n)[:, None]
                """,
                "One number per training example",
            ),
            Wrong(
                "the probability at the moved parameters",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                moved = theta + np.linalg.solve(H, ((p - y)[:, None] * X).T).T / n
                return sigma(moved @ x_t) - sigma(theta @ x_t)
                """,
                "at the moved parameters",
            ),
            Wrong(
                "one weight for all in H",
                """
                n, d = X.shape
                p, p_t = sigma(X @ theta), sigma(x_t @ theta)
                H = np.mean(p * (1 - p)) * X.T @ X / n + l2 * np.eye(d)
                return (p - y) * (X @ np.linalg.solve(H, p_t * (1 - p_t) * x_t)) / n
                """,
                "its own weight",
            ),
        ],
        [
            """
            n, d = X.shape
            p = sigma(X @ theta)
            H = jnp.asarray(X.T * (p * (1 - p))) @ X / n + l2 * jnp.eye(d)
            moves = jnp.linalg.solve(H, ((p - y)[:, None] * X).T) / n
            return jax.grad(lambda w: jax.nn.sigmoid(x_t @ w))(jnp.asarray(theta)) @ moves
            """,
            """
            n, d = X.shape
            p, p_t = sigma(X @ theta), sigma(x_t @ theta)
            H = np.einsum("n,ni,nj->ij", p * (1 - p), X, X) / n + l2 * np.eye(d)
            return [p_t * (1 - p_t) * x_t @ np.linalg.inv(H) @ g / n for g in (p - y)[:, None] * X]
            """,
            """
            n = len(y)

            def risk(w, weights):
                z = jnp.asarray(X) @ w
                return jnp.mean(weights * (jax.nn.softplus(z) - y * z)) + l2 / 2 * w @ w

            @jax.jit
            def changes(w, ones):
                mixed = jax.jacobian(jax.grad(risk), argnums=1)(w, ones)
                slope = jax.grad(lambda w: jax.nn.sigmoid(x_t @ w))(w)
                return slope @ jnp.linalg.solve(jax.hessian(risk)(w, ones), mixed)

            return changes(jnp.asarray(theta), jnp.ones(n))
            """,
            """
            e, n = 1e-4, len(y)
            found = []
            for k in range(n):
                tilt = e * (np.arange(n) == k)
                both = [fit(X, y, l2, w, theta) for w in (1 - tilt, 1 + tilt)]
                less, more = sigma(np.asarray(both) @ x_t)
                found.append((less - more) / (2 * e))
            return np.array(found)
            """,
            """
            X, theta, x_t = (jnp.asarray(a, "float32") for a in (X, theta, x_t))
            p, p_t = jax.nn.sigmoid(X @ theta), jax.nn.sigmoid(x_t @ theta)
            H = jnp.einsum("n,ni,nj->ij", p * (1 - p), X, X) / len(y) + l2 * jnp.eye(len(theta))
            return (p - y) * (X @ jnp.linalg.solve(H, p_t * (1 - p_t) * x_t)) / len(y)
            """,
        ],
    ),
    "15.4": Exercise(
        "def which_removal(scores, shift, real):",
        [
            Wrong(
                "all signs must agree",
                """
                same = np.all(np.sign(scores) == np.sign(real))
                return "fixed-weight" if same else "refit-mean"
                """,
                "Near 0 some signs differ in either sense",
            ),
            Wrong(
                "the sign of the intercept",
                """
                intercept = check_influence(scores, real).intercept
                return "fixed-weight" if intercept < 0 else "refit-mean"
                """,
                "its sign does not tell",
            ),
            Wrong(
                "the sign of shift",
                """
                return "fixed-weight" if shift > 0 else "refit-mean"
                """,
                "shift alone",
            ),
            Wrong(
                "the score beside the smallest change, and shift",
                """
                off = scores[np.argmin(abs(real))]
                return "fixed-weight" if abs(off) < abs(off + shift) else "refit-mean"
                """,
                "One example",
            ),
            Wrong(
                "sign of the shift",
                """
                intercept = check_influence(scores, real).intercept
                return "fixed-weight" if abs(intercept) < abs(intercept - shift) else "refit-mean"
                """,
                "shift or -shift",
            ),
            Wrong(
                "exchanged words",
                """
                intercept = check_influence(scores, real).intercept
                return "refit-mean" if abs(intercept) < abs(intercept + shift) else "fixed-weight"
                """,
                "one for the other",
            ),
            Wrong(
                "the better correlation",
                """
                plain = np.corrcoef(scores, real)[0, 1]
                shifted = np.corrcoef(scores + shift, real)[0, 1]
                return "fixed-weight" if plain >= shifted - 1e-12 else "refit-mean"
                """,
                "blind to a constant",
            ),
            Wrong(
                "the smaller error",
                """
                plain, shifted = np.sum((scores - real) ** 2), np.sum((scores + shift - real) ** 2)
                return "fixed-weight" if plain < shifted else "refit-mean"
                """,
                "in a mean or a sum",
            ),
            Wrong(
                "a fixed threshold",
                """
                small = abs(check_influence(scores, real).intercept) < 1e-3
                return "fixed-weight" if small else "refit-mean"
                """,
                "A fixed threshold does not know the scale",
            ),
            Wrong(
                "the slope",
                """
                close = abs(check_influence(scores, real).slope - 1) < 0.1
                return "fixed-weight" if close else "refit-mean"
                """,
                "blind to a constant",
            ),
            Wrong(
                "always the same",
                'return "fixed-weight"',
                "blind to a constant",
            ),
            Wrong(
                "shape: a truth value",
                """
                intercept = check_influence(scores, real).intercept
                return abs(intercept) < abs(intercept + shift)
                """,
                "one of the words",
            ),
            Wrong(
                "a threshold relative to the largest change",
                """
                small = abs(check_influence(scores, real).intercept) < 0.005 * max(abs(real))
                return "fixed-weight" if small else "refit-mean"
                """,
                "compare with shift",
                hidden=True,
            ),
            Wrong(
                "the mean of the differences",
                """
                off = np.mean(scores - real)
                return "fixed-weight" if abs(off) < abs(off + shift) else "refit-mean"
                """,
                "in a mean",
            ),
            Wrong(
                "the score nearest to 0",
                """
                off = scores[np.argmin(abs(real))]
                return "fixed-weight" if abs(off) < abs(shift) / 2 else "refit-mean"
                """,
                "One example",
            ),
            Wrong(
                "the size of shift without its sign",
                """
                intercept = check_influence(scores, real).intercept
                return "fixed-weight" if intercept < abs(shift) / 2 else "refit-mean"
                """,
                "shift has a sign",
            ),
            Wrong(
                "refit_mean",
                """
                intercept = check_influence(scores, real).intercept
                fixed = abs(intercept) < abs(intercept + shift)
                return "fixed_weight" if fixed else "refit_mean"
                """,
                "one of the words",
            ),
            Wrong(
                "shape: a word for each example",
                """
                fixed = abs(scores - real) < abs(scores + shift - real)
                return np.where(fixed, "fixed-weight", "refit-mean")
                """,
                "one of the words",
            ),
        ],
        [
            """
            intercept = np.polyfit(real, scores, 1)[1]
            return "refit-mean" if abs(intercept + shift) < abs(intercept) else "fixed-weight"
            """,
            """
            off = [abs(np.polyfit(real, scores + s, 1)[1]) for s in (0, shift)]
            return ["fixed-weight", "refit-mean"][int(np.argmin(off))]
            """,
            """
            count = lambda values: np.sum(values > 0)
            plain = abs(count(scores) - count(real))
            shifted = abs(count(scores + shift) - count(real))
            return "fixed-weight" if plain < shifted else "refit-mean"
            """,
            """
            A = jnp.column_stack([real, jnp.ones(len(real))])
            _, intercept = jnp.linalg.lstsq(A, jnp.asarray(scores))[0]
            return np.where(abs(intercept) < abs(intercept + shift), "fixed-weight", "refit-mean")
            """,
            """
            same = [np.mean(np.sign(s) == np.sign(real)) for s in (scores, scores + shift)]
            return "fixed-weight" if same[0] > same[1] else "refit-mean"
            """,
            # most changes are small and well predicted: their errors decide, if not squared
            """
            off = [np.mean(abs(scores + s - real)) for s in (0, shift)]
            return "fixed-weight" if off[0] < off[1] else "refit-mean"
            """,
            """
            off = [np.median(abs(scores + s - real)) for s in (0, shift)]
            return "fixed-weight" if off[0] < off[1] else "refit-mean"
            """,
        ],
    ),
    "15.5": Exercise(
        "def self_influence(X, y, l2, theta):",
        [
            Wrong(
                "shape: weights times X in H",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = X.T @ (p * (1 - p) * X) / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: X not transposed in the solve",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X * np.linalg.solve(H, X), axis=1) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "shape: inner products of examples in H",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = X @ X.T / n + l2 * np.eye(n)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "Shapes do not fit: X has (3, 2), H (2, 2)",
            ),
            Wrong(
                "the derivative of the loss once",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return abs(p - y) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "p - y is squared",
            ),
            Wrong(
                "no gradient of the loss",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "the gradient of the loss, p - y",
            ),
            Wrong(
                "no 1/n",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0)
                """,
                "Where is the 1/n?",
            ),
            Wrong(
                "sign",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return -((p - y) ** 2) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "Never negative",
            ),
            Wrong(
                "no penalty in H",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "Where is the penalty in H?",
            ),
            Wrong(
                "the leverage",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return p * (1 - p) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "This is the leverage",
            ),
            Wrong(
                "H of least squares",
                """
                n, d = X.shape
                H = X.T @ X / n + l2 * np.eye(d)
                r = sigma(X @ theta) - y
                return r**2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "the weight p (1 - p)",
            ),
            Wrong(
                "a sum in H",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "not a sum",
            ),
            Wrong(
                "shape: all on all",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                G = (p - y)[:, None] * X
                return G @ np.linalg.solve(H, G.T) / n
                """,
                "One number per training example",
            ),
            Wrong(
                "n is the longer side",
                """
                n, d = max(X.shape), X.shape[1]
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "n is their number",
                hidden=True,
            ),
            Wrong(
                "the derivative of the loss once, with its sign",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "self-influence has no sign",
            ),
            Wrong(
                "1/n twice",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n**2
                """,
                "1/n stands once",
            ),
            Wrong(
                "no inverse",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return (p - y) ** 2 * np.sum(X * X, axis=1) / n
                """,
                "Where is the inverse of H?",
            ),
            Wrong(
                "one step of Newton",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                form = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                return (p - y) ** 2 * form / (1 - p * (1 - p) * form)
                """,
                "first order is asked",
            ),
            Wrong(
                "refits",
                """
                n, found = len(y), []
                loss = lambda w, k: np.logaddexp(0, (1 - 2 * y[k]) * (X[k] @ np.asarray(w)))
                for k in range(n):
                    gone = fit(X, y, l2, 1 - np.eye(n)[k], theta)
                    found.append(loss(gone, k) - loss(theta, k))
                return np.array(found)
                """,
                "real refits",
            ),
            Wrong(
                "the penalty in each gradient",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                G = (p - y)[:, None] * X + l2 * theta
                return np.sum(G.T * np.linalg.solve(H, G.T), axis=0) / n
                """,
                "without the penalty",
            ),
            Wrong(
                "the penalty in every entry",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2
                return (p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "not to every entry",
            ),
            Wrong(
                "the change of the probability",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return p * (1 - p) * (p - y) * np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
                """,
                "own probability",
            ),
            Wrong(
                "shape: their sum",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                return np.sum((p - y) ** 2 * np.sum(X.T * np.linalg.solve(H, X.T), axis=0)) / n
                """,
                "One number per training example",
            ),
            Wrong(
                "the loss at the moved parameters",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                moved = theta + np.linalg.solve(H, ((p - y)[:, None] * X).T).T / n
                loss = lambda logit: np.logaddexp(0, (1 - 2 * y) * logit)
                return loss(np.sum(X * moved, axis=1)) - loss(X @ theta)
                """,
                "at the moved parameters",
            ),
            Wrong(
                "solutions by rows",
                """
                n, d = X.shape
                p = sigma(X @ theta)
                H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
                G = (p - y)[:, None] * X
                return np.sum(G * np.linalg.solve(H, G.T), axis=0) / n
                """,
            ),
        ],
        [
            """
            n, d = X.shape
            p = sigma(X @ theta)
            H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
            G = (p - y)[:, None] * X
            half = np.linalg.solve(np.linalg.cholesky(H), G.T)
            return np.sum(half**2, axis=0) / n
            """,
            """
            n, d = X.shape
            p = 1 / (1 + np.exp(-X @ theta))
            H = np.einsum("n,ni,nj->ij", p * (1 - p), X, X) / n + l2 * np.eye(d)
            return np.einsum("n,ni,ij,nj->n", (p - y) ** 2, X, np.linalg.inv(H), X) / n
            """,
            """
            n, d = X.shape

            def loss(w, x, label):
                return jnp.logaddexp(0, (1 - 2 * label) * (x @ w))

            @jax.jit
            def own(w):
                risk = lambda w: jnp.mean(jax.vmap(loss, (None, 0, 0))(w, X, y)) + l2 / 2 * w @ w
                G = jax.vmap(jax.grad(loss), (None, 0, 0))(w, X, y)
                return jnp.diag(G @ jnp.linalg.solve(jax.hessian(risk)(w), G.T)) / n

            return own(jnp.asarray(theta))
            """,
            """
            n, found = len(y), []
            p = sigma(X @ theta)
            H = sum(q * (1 - q) * np.outer(x, x) for q, x in zip(p, X)) / n
            H = H + l2 * np.eye(len(theta))
            for x, q, label in zip(X, p, y):
                g = (q - label) * x
                found.append(g @ np.linalg.solve(H, g) / n)
            return found
            """,
            """
            loss = lambda w, example: jnp.logaddexp(0, (1 - 2 * example[1]) * (example[0] @ w))
            fitted = FittedModel(loss, jnp.asarray(theta), (X, y), l2=l2)
            return np.diag(influence(fitted, (X, y), solver=Exact()).scores)
            """,
        ],
    ),
}
