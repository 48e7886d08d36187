"""Wrong answers to the exercises of notebook 8."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "8.1": Exercise(
        "def relu_kernel(x, y):",
        [
            Wrong(
                "the half of the product of cosines forgotten",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / jnp.pi
                """,
                "HALF",
            ),
            Wrong(
                "no mean of r squared",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (4 * jnp.pi)
                """,
                "E r^2 = 2",
            ),
            Wrong(
                "no lengths",
                """
                cosine = x @ y / jnp.linalg.norm(x) / jnp.linalg.norm(y)
                angle = jnp.arccos(jnp.clip(cosine, -1, 1))
                return (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "The lengths are missing",
            ),
            Wrong(
                "squared lengths",
                """
                lengths = (x @ x) * (y @ y)
                cosine = jnp.clip(x @ y / jnp.sqrt(lengths), -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "once each, not squared",
            ),
            Wrong(
                "the angle in place of the overlap",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + angle * cosine) / (2 * jnp.pi)
                """,
                "pi - angle, not the angle",
            ),
            Wrong(
                "no clip",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = x @ y / lengths
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "NaN for parallel vectors",
            ),
            Wrong(
                "the chance that both are on",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                angle = jnp.arccos(jnp.clip(x @ y / lengths, -1, 1))
                return lengths * (jnp.pi - angle) / (2 * jnp.pi)
                """,
                "without the cosines",
            ),
            Wrong(
                "the cosine alone",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                angle = jnp.arccos(jnp.clip(x @ y / lengths, -1, 1))
                return lengths * (jnp.pi - angle) * jnp.cos(angle) / (2 * jnp.pi)
                """,
                "The integral has two terms",
            ),
            Wrong(
                "the second term without its cosine",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                angle = jnp.arccos(jnp.clip(x @ y / lengths, -1, 1))
                return lengths * (jnp.sin(angle) + jnp.cos(angle) * jnp.pi / 2) / (2 * jnp.pi)
                """,
            ),
            Wrong(
                "the sine subtracted",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * ((jnp.pi - angle) * cosine - jnp.sin(angle)) / (2 * jnp.pi)
                """,
                "sign of the sine",
            ),
            Wrong(
                "the terms subtracted",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) - (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
            ),
            Wrong(
                "shape: entry by entry",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x * y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "single number",
            ),
            Wrong(
                "shape: the outer product",
                """
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(jnp.outer(x, y) / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "single number",
            ),
            Wrong(
                "only the first two coordinates",
                """
                x, y = x[:2], y[:2]
                lengths = jnp.linalg.norm(x) * jnp.linalg.norm(y)
                cosine = jnp.clip(x @ y / lengths, -1, 1)
                angle = jnp.arccos(cosine)
                return lengths * (jnp.sin(angle) + (jnp.pi - angle) * cosine) / (2 * jnp.pi)
                """,
                "in 3 dimensions",
                hidden=True,
            ),
            Wrong(
                "a thousand random draws",
                """
                w = jax.random.normal(jax.random.key(0), (1000, len(x)))
                return jnp.mean(jax.nn.relu(w @ x) * jax.nn.relu(w @ y))
                """,
                "no mean over draws",
            ),
        ],
        [
            """
            xy, xx, yy = jnp.dot(x, y), jnp.dot(x, x), jnp.dot(y, y)
            cosine = jnp.minimum(1.0, jnp.maximum(-1.0, xy / jnp.sqrt(xx * yy)))
            angle = jnp.arccos(cosine)
            first = jnp.sqrt(xx * yy) * jnp.sin(angle)
            return (first + (jnp.pi - angle) * xy) / 2 / jnp.pi
            """,
            """
            x, y = np.asarray(x), np.asarray(y)
            lengths = np.sqrt(np.sum(x**2)) * np.sqrt(np.sum(y**2))
            theta = np.arccos(np.clip(np.dot(x, y) / lengths, -1.0, 1.0))
            overlap = np.pi - theta
            return lengths / (2 * np.pi) * (np.sin(overlap) - overlap * np.cos(overlap))
            """,
            """
            u = x / jnp.linalg.norm(x)
            across = jnp.linalg.norm(y - (y @ u) * u)
            angle = jnp.arctan2(across, y @ u)
            size = jnp.linalg.norm(x) * jnp.linalg.norm(y)
            return float(size * (jnp.sin(angle) + (jnp.pi - angle) * jnp.cos(angle)) / jnp.pi / 2)
            """,
        ],
    ),
    "8.2": Exercise(
        "def empirical_ntk(f, params, X):",
        [
            Wrong(
                "one leaf only",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                J = jax.tree.leaves(gradients)[0].reshape(len(X), -1)
                return J @ J.T
                """,
                "One leaf of params only",
            ),
            Wrong(
                "the last leaf only",
                """
                for g in jax.tree.leaves(jax.vmap(jax.grad(f), (None, 0))(params, X)):
                    J = g.reshape(len(X), -1)
                    K = J @ J.T
                return K
                """,
                "The last leaf",
            ),
            Wrong(
                "shape: one row for each weight",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                J = jnp.concatenate(leaves, axis=1)
                return J.T @ J
                """,
                "a row for each weight",
            ),
            Wrong(
                "shape: the Jacobian",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return jnp.concatenate(leaves, axis=1)
                """,
                "J itself",
            ),
            Wrong(
                "products of outputs",
                """
                outputs = jax.vmap(f, (None, 0))(params, X)
                return jnp.outer(outputs, outputs)
                """,
                "product of the outputs",
            ),
            Wrong(
                "a mean over the weights",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                J = jnp.concatenate(leaves, axis=1)
                return J @ J.T / J.shape[1]
                """,
                "not their mean",
            ),
            Wrong(
                "divided by n",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return sum(J @ J.T for J in leaves) / len(X)
                """,
                "Not divided by the number",
            ),
            Wrong(
                "the gradient of the sum",
                """
                total = lambda p: jnp.sum(jax.vmap(f, (None, 0))(p, X))
                leaves = jax.tree.leaves(jax.grad(total)(params))
                flat = jnp.concatenate([g.ravel() for g in leaves])
                return jnp.full((len(X), len(X)), flat @ flat)
                """,
                "gradient of the sum",
            ),
            Wrong(
                "shape: the diagonal",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return sum(jnp.sum(J**2, axis=1) for J in leaves)
                """,
                "diagonal alone",
            ),
            Wrong(
                "leaves not flattened",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                return sum(g @ g.T for g in jax.tree.leaves(gradients))
                """,
            ),
            Wrong(
                "with respect to the inputs",
                """
                J = jax.vmap(jax.grad(f, argnums=1), (None, 0))(params, X)
                return J @ J.T
                """,
                "[[14, 26], [26, 52]]",
            ),
            Wrong(
                "mapped over the weights, too",
                """
                gradients = jax.vmap(jax.grad(f))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return sum(J @ J.T for J in leaves)
                """,
                "in_axes",
            ),
            Wrong(
                "the pytree taken for an array",
                """
                J = jax.vmap(jax.grad(f), (None, 0))(params, X)
                return J @ J.T
                """,
                "leaves",
            ),
            Wrong(
                "the gradient of all outputs at once",
                """
                gradients = jax.grad(f)(params, X.T)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return sum(J @ J.T for J in leaves)
                """,
                "one row of X at a time",
            ),
            Wrong(
                "cosines",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                J = jnp.concatenate(leaves, axis=1)
                J = J / jnp.linalg.norm(J, axis=1, keepdims=True)
                return J @ J.T
                """,
                "cosines",
            ),
            Wrong(
                "in 32 bits",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X)
                leaves = [g.reshape(len(X), -1) for g in jax.tree.leaves(gradients)]
                return sum(J @ J.T for J in (g.astype(jnp.float32) for g in leaves))
                """,
                "64 bits",
            ),
            Wrong(
                "five inputs at most",
                """
                gradients = jax.vmap(jax.grad(f), (None, 0))(params, X[:5])
                leaves = [g.reshape(len(X[:5]), -1) for g in jax.tree.leaves(gradients)]
                return sum(J @ J.T for J in leaves)
                """,
                "(9, 9)",
                hidden=True,
            ),
        ],
        [
            """
            def flat_gradient(x):
                leaves = jax.tree.leaves(jax.grad(f)(params, x))
                return jnp.concatenate([leaf.ravel() for leaf in leaves])

            J = jnp.stack([flat_gradient(x) for x in X])
            return J @ J.T
            """,
            """
            from jax.flatten_util import ravel_pytree

            theta, back = ravel_pytree(params)
            J = jax.jacobian(lambda w: jax.vmap(lambda x: f(back(w), x))(X))(theta)
            return np.asarray(J) @ np.asarray(J).T
            """,
            """
            outputs = lambda p: jax.vmap(f, (None, 0))(p, X)
            jacobian = jax.jacrev(outputs)(params)
            total = 0.0
            for leaf in jax.tree.leaves(jacobian):
                axes = tuple(range(1, leaf.ndim))
                total += jnp.tensordot(leaf, leaf, (axes, axes))
            return total
            """,
            """
            outputs = lambda p: jax.vmap(f, (None, 0))(p, X)
            _, pull = jax.vjp(outputs, params)
            column = lambda e: jax.jvp(outputs, (params,), pull(e))[1]
            return jax.vmap(column)(jnp.eye(len(X))).T
            """,
        ],
    ),
    "8.3": Exercise(
        "def predict_training(K, t, f0, step_size, k):",
        [
            Wrong(
                "f0 forgotten",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q @ ((1 - step_size * lam) ** k * (Q.T @ (-t)))
                """,
                "f0 is forgotten",
            ),
            Wrong(
                "the error alone",
                """
                lam, Q = jnp.linalg.eigh(K)
                return Q @ ((1 - step_size * lam) ** k * (Q.T @ (f0 - t)))
                """,
                "the error that is left",
            ),
            Wrong(
                "the sign of the error",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t - Q @ ((1 - step_size * lam) ** k * (Q.T @ (f0 - t)))
                """,
                "The sign",
            ),
            Wrong(
                "one step too few",
                """
                f = f0
                for _ in range(1, k):
                    f = f - step_size * K @ (f - t)
                return f
                """,
                "too few",
            ),
            Wrong(
                "one step too many",
                """
                f = f0
                for _ in range(k + 1):
                    f = f - step_size * K @ (f - t)
                return f
                """,
                "too many",
            ),
            Wrong(
                "gradient flow",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q @ (jnp.exp(-step_size * lam * k) * (Q.T @ (f0 - t)))
                """,
                "gradient flow",
            ),
            Wrong(
                "divided by n",
                """
                lam, Q = jnp.linalg.eigh(K / len(t))
                return t + Q @ ((1 - step_size * lam) ** k * (Q.T @ (f0 - t)))
                """,
                "divided by n",
            ),
            Wrong(
                "power entry by entry",
                """
                return t + (jnp.eye(len(t)) - step_size * K) ** k @ (f0 - t)
                """,
                "not of entries",
            ),
            Wrong(
                "never back from the axes",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + (1 - step_size * lam) ** k * (Q.T @ (f0 - t))
                """,
            ),
            Wrong(
                "never into the axes",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q @ ((1 - step_size * lam) ** k * (f0 - t))
                """,
            ),
            Wrong(
                "eigenvalues without eigenvectors",
                """
                lam = jnp.linalg.eigvalsh(K)
                return t + (1 - step_size * lam) ** k * (f0 - t)
                """,
                "not to entries",
            ),
            Wrong(
                "Q and its transpose exchanged",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q.T @ ((1 - step_size * lam) ** k * (Q @ (f0 - t)))
                """,
                "stand in its place",
            ),
            Wrong(
                "no transpose on the way in",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q @ ((1 - step_size * lam) ** k * (Q @ (f0 - t)))
                """,
                "stand in its place",
            ),
            Wrong(
                "transposed on both ways",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q.T @ ((1 - step_size * lam) ** k * (Q.T @ (f0 - t)))
                """,
            ),
            Wrong(
                "the power by a logarithm",
                """
                lam, Q = jnp.linalg.eigh(K)
                factors = jnp.exp(k * jnp.log(1 - step_size * lam))
                return t + Q @ (factors * (Q.T @ (f0 - t)))
                """,
                "negative",
            ),
            Wrong(
                "twice the gradient",
                """
                lam, Q = jnp.linalg.eigh(K)
                return t + Q @ ((1 - 2 * step_size * lam) ** k * (Q.T @ (f0 - t)))
                """,
                "Twice the gradient",
            ),
            Wrong(
                "power of the kernel alone",
                """
                power = jnp.linalg.matrix_power(K, k)
                return t + (f0 - t) - step_size * power @ (f0 - t)
                """,
                "whole bracket",
            ),
            Wrong(
                "no step size",
                """
                return t + jnp.linalg.matrix_power(jnp.eye(len(t)) - K, k) @ (f0 - t)
                """,
                "eta is missing",
            ),
            Wrong(
                "shape: all outputs so far",
                """
                f = [f0]
                for _ in range(k):
                    f.append(f[-1] - step_size * K @ (f[-1] - t))
                return jnp.stack(f)
                """,
                "shape (2,)",
            ),
            Wrong(
                "shape: the loss",
                """
                lam, Q = jnp.linalg.eigh(K)
                left = (1 - step_size * lam) ** k * (Q.T @ (f0 - t))
                return left @ left
                """,
                "shape (2,)",
            ),
            Wrong(
                "fifty steps at most",
                """
                f = f0
                for _ in range(min(k, 50)):
                    f = f - step_size * K @ (f - t)
                return f
                """,
                "60 steps",
                hidden=True,
            ),
            Wrong(
                "an inverse of K",
                """
                lam, Q = jnp.linalg.eigh(K)
                left = jnp.linalg.matrix_power(jnp.eye(len(t)) - step_size * K, k)
                weights = jnp.linalg.solve(K, (jnp.eye(len(t)) - left) @ (t - f0))
                return f0 + K @ weights
                """,
                "no inverse",
                hidden=True,
            ),
        ],
        [
            """
            left = jnp.linalg.matrix_power(jnp.eye(len(t)) - step_size * K, k)
            return t + left @ (f0 - t)
            """,
            """
            step = lambda f, _: (f - step_size * K @ (f - t), None)
            return jax.lax.scan(step, f0, length=k)[0]
            """,
            """
            K, t, f0 = map(np.asarray, (K, t, f0))
            error = f0 - t
            for _ in range(k):
                error = error - step_size * (K @ error)
            return error + t
            """,
            """
            Q, lam, _ = np.linalg.svd(np.asarray(K))
            return np.asarray(t) + (Q * (1 - step_size * lam) ** k) @ Q.T @ np.asarray(f0 - t)
            """,
        ],
    ),
    "8.4": Exercise(
        "def predict_test(K_test, K, t, f0, f0_test, step_size, k):",
        [
            Wrong(
                "f0_test forgotten",
                """
                f, f_test = f0, 0 * f0_test
                for _ in range(k):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "f0_test is missing",
            ),
            Wrong(
                "the sign",
                """
                f, f_test = f0, f0_test
                for _ in range(k):
                    f, f_test = f - step_size * K @ (f - t), f_test + step_size * K_test @ (f - t)
                return f_test
                """,
                "The sign",
            ),
            Wrong(
                "infinitely many steps",
                """
                return f0_test + K_test @ jnp.linalg.solve(K, t - f0)
                """,
                "infinitely many",
            ),
            Wrong(
                "one step too few",
                """
                f, f_test = f0, f0_test
                for _ in range(k - 1):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "too few",
            ),
            Wrong(
                "one step too many",
                """
                f, f_test = f0, f0_test
                for _ in range(k + 1):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "too many",
            ),
            Wrong(
                "the first error in every step",
                """
                return f0_test - k * step_size * K_test @ (f0 - t)
                """,
                "first error",
            ),
            Wrong(
                "the error after the step",
                """
                f, f_test = f0, f0_test
                for _ in range(k):
                    f = f - step_size * K @ (f - t)
                    f_test = f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "uses the error before",
            ),
            Wrong(
                "f0 forgotten",
                """
                f, f_test = 0 * f0, f0_test
                for _ in range(k):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "f0 is forgotten",
            ),
            Wrong(
                "an inverse",
                """
                left = jnp.linalg.matrix_power(jnp.eye(len(t)) - step_size * K, k)
                return f0_test + K_test @ jnp.linalg.solve(K, (jnp.eye(len(t)) - left) @ (t - f0))
                """,
                "eigenvalue 0",
            ),
            Wrong(
                "what is left in place of what is learnt",
                """
                left = jnp.linalg.matrix_power(jnp.eye(len(t)) - step_size * K, k)
                return f0_test + K_test @ jnp.linalg.solve(K, left @ (t - f0))
                """,
            ),
            Wrong(
                "shape: the kernel transposed",
                """
                f, f_test = f0, f0_test
                for _ in range(k):
                    error = f - t
                    f, f_test = f - step_size * K @ error, f_test - step_size * K_test.T @ error
                return f_test
                """,
            ),
            Wrong(
                "shape: both outputs",
                """
                f, f_test = f0, f0_test
                for _ in range(k):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f, f_test
                """,
                "test outputs alone",
            ),
            Wrong(
                "ten steps at most",
                """
                f, f_test = f0, f0_test
                for _ in range(min(k, 10)):
                    f, f_test = f - step_size * K @ (f - t), f_test - step_size * K_test @ (f - t)
                return f_test
                """,
                "7 training and 7 test",
                hidden=True,
            ),
        ],
        [
            """
            lam, Q = jnp.linalg.eigh(K)
            safe = jnp.where(lam > 1e-12, lam, 1.0)
            learnt = (1 - (1 - step_size * lam) ** k) / safe
            learnt = jnp.where(lam > 1e-12, learnt, step_size * k)
            return f0_test + K_test @ (Q @ (learnt * (Q.T @ (t - f0))))
            """,
            """
            error, total = f0 - t, jnp.zeros_like(t)
            for _ in range(k):
                total = total + error
                error = error - step_size * K @ error
            return f0_test - step_size * K_test @ total
            """,
            """
            left = jnp.linalg.matrix_power(jnp.eye(len(t)) - step_size * K, k)
            change = jnp.linalg.pinv(K, rcond=1e-12, hermitian=True) @ (t - f0 - left @ (t - f0))
            lam, Q = jnp.linalg.eigh(K)
            null = Q * (lam < 1e-12) @ Q.T @ (t - f0)
            return np.asarray(f0_test + K_test @ (change + k * step_size * null))
            """,
        ],
    ),
}
