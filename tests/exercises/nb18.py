"""Wrong answers to the exercises of notebook 18."""

from wrong_answers import Exercise, Wrong

START = """
n, d = X.shape
z = X @ theta
p = 0.5 * (1 + np.tanh(z / 2))
H = (X.T * (p * (1 - p))) @ X / n + l2 * np.eye(d)
q = np.sum(X.T * np.linalg.solve(H, X.T), axis=0) / n
h = p * (1 - p) * q
"""
PIXELS = """
n, k = F.shape
p = 0.5 * (1 + np.tanh(F @ theta / 2))
p_t = 0.5 * (1 + np.tanh(f_t @ theta / 2))
H = (F.T * (p * (1 - p))) @ F / n + l2 * np.eye(k)
s = np.linalg.solve(H, (p_t - y_t) * f_t)
first = (p - y)[:, None] * s
second = (p * (1 - p) * (F @ s))[:, None] * theta
"""


def flipped(
    pushes="np.sort(-np.sign(logit) * changes)[::-1]",
    *,
    enough="np.cumsum(np.maximum(pushes, 0)) > abs(logit)",
    found="int(done.argmax()) + 1",
    never="-1",
):
    """An answer to 18.3 with one part replaced."""
    return f"""
pushes = {pushes}
done = {enough}
return {found} if done.any() else {never}
"""


EXERCISES = {
    "18.1": Exercise(
        "def leave_one_out_loss(X, y, l2, theta):",
        [
            Wrong(
                "log(1 + exp)",
                START + "return np.log(1 + np.exp((1 - 2 * y) * (z + (p - y) * q / (1 - h))))",
                "overflow",
            ),
            Wrong(
                "safe for positive logits alone",
                START
                + "z = z + (p - y) * q / (1 - h)\n"
                + "return (1 - y) * z + np.log(1 + np.exp(-z))",
                "overflow",
                hidden=True,
            ),
            Wrong(
                "with the penalty",
                START
                + "new = np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))\n"
                + "return new + l2 / 2 * theta @ theta",
                "penalty belongs to the risk",
            ),
            Wrong(
                "minus log of the probability",
                START
                + "p = 1 / (1 + np.exp(-(z + (p - y) * q / (1 - h))))\n"
                + "return -np.log(np.where(y == 1, p, 1 - p))",
                "overflow",
            ),
            Wrong(
                "sign",
                START + "return np.logaddexp(0, (1 - 2 * y) * (z - (p - y) * q / (1 - h)))",
                "The sign",
            ),
            Wrong(
                "no 1 - h",
                START + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q))",
                "division by 1 - h",
            ),
            Wrong(
                "leverage q",
                START + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - q)))",
                "not q",
            ),
            Wrong(
                "no 1/n",
                START.replace("axis=0) / n", "axis=0)")
                + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))",
                "is 1/n missing in q",
            ),
            Wrong(
                "no 1/n in the move",
                START + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * n * q / (1 - h)))",
                "missing in the move",
            ),
            Wrong(
                "1/n twice",
                START.replace("axis=0) / n", "axis=0) / n**2")
                + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))",
                "there twice",
            ),
            Wrong(
                "first order",
                START + "return np.logaddexp(0, (1 - 2 * y) * z) + (p - y) ** 2 * q",
                "to first order",
            ),
            Wrong("self-influence", START + "return (p - y) ** 2 * q", "rise to first order"),
            Wrong(
                "the loss with it",
                "return np.logaddexp(0, (1 - 2 * y) * (X @ theta))",
                "*with* the example",
            ),
            Wrong("the logit", START + "return z + (p - y) * q / (1 - h)", "its loss is asked"),
            Wrong(
                "the probability",
                START + "return 1 / (1 + np.exp(-z - (p - y) * q / (1 - h)))",
                "probability of label 1",
            ),
            Wrong(
                "the rise",
                START
                + "a = np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))\n"
                + "return a - np.logaddexp(0, (1 - 2 * y) * z)",
                "add the loss with",
            ),
            Wrong(
                "H of least squares",
                START.replace("(X.T * (p * (1 - p)))", "X.T")
                + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))",
                "no curvature",
            ),
            Wrong(
                "one label",
                START + "return np.logaddexp(0, -(z + (p - y) * q / (1 - h)))",
                "changes its sign",
            ),
            Wrong(
                "no penalty",
                START.replace(" + l2 * np.eye(d)", "")
                + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))",
                "lacks the penalty",
            ),
            Wrong(
                "shape: the mean",
                START
                + "return np.mean(np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h))))",
                "shape (3,)",
            ),
            Wrong(
                "shape: all pairs",
                START.replace(
                    "np.sum(X.T * np.linalg.solve(H, X.T), axis=0)", "X @ np.linalg.solve(H, X.T)"
                )
                + "return np.logaddexp(0, (1 - 2 * y) * (z + (p - y) * q / (1 - h)))",
                "shape (n,)",
            ),
        ],
        [
            START + "return np.logaddexp(0, np.where(y == 1, -1, 1) * (z + (p - y) * q / (1 - h)))",
            """
            found = []
            n, d = X.shape
            p = 1 / (1 + np.exp(-X @ theta))
            for i in range(n):
                w = p * (1 - p) * (np.arange(n) != i)
                H = (X.T * w) @ X / n + l2 * np.eye(d)
                move = np.linalg.solve(H, (p[i] - y[i]) * X[i]) / n
                found.append(np.logaddexp(0, (1 - 2 * y[i]) * (X[i] @ (theta + move))))
            return found
            """,
            """
            X, theta = jnp.asarray(X), jnp.asarray(theta)
            p = jax.nn.sigmoid(X @ theta)
            H = jnp.einsum("n,ni,nj->ij", p * (1 - p), X, X) / len(X) + l2 * jnp.eye(X.shape[1])
            q = jnp.einsum("ni,ij,nj->n", X, jnp.linalg.inv(H), X) / len(X)
            z = X @ theta + (p - y) * q / (1 - p * (1 - p) * q)
            return jax.nn.softplus((1 - 2 * y) * z)
            """,
        ],
    ),
    "18.2": Exercise(
        "def pixel_influence(F, y, l2, theta, W, f_t, y_t):",
        [
            Wrong(
                "p (1 - p) by exponentials",
                PIXELS.replace(
                    "s = np.linalg",
                    "z = F @ theta\nw = np.exp(-z) / (1 + np.exp(-z)) ** 2\ns = np.linalg",
                ).replace("(p * (1 - p) * (F @ s))", "(w * (F @ s))")
                + "return -(first + second) @ W.T / n",
                "not NaN",
                hidden=True,
            ),
            Wrong("sign", PIXELS + "return (first + second) @ W.T / n", "The sign"),
            Wrong("no 1/n", PIXELS + "return -(first + second) @ W.T", "1/n is missing"),
            Wrong("no -1/n", PIXELS + "return (first + second) @ W.T", "sign and all"),
            Wrong(
                "p for p (1 - p)",
                PIXELS.replace("(p * (1 - p) * (F @ s))", "(p * (F @ s))")
                + "return -(first + second) @ W.T / n",
                "counts it p",
            ),
            Wrong(
                "no s.f",
                PIXELS.replace("(p * (1 - p) * (F @ s))", "(p * (1 - p))")
                + "return -(first + second) @ W.T / n",
                "product s.f_i",
            ),
            Wrong("no second term", PIXELS + "return -first @ W.T / n", "second term is missing"),
            Wrong("no first term", PIXELS + "return -second @ W.T / n", "first term is missing"),
            Wrong(
                "exchanged",
                PIXELS
                + "second = (p * (1 - p) * (F @ theta))[:, None] * s\n"
                + "return -(first + second) @ W.T / n",
                "exchanged",
            ),
            Wrong(
                "derivative of p is 1",
                PIXELS.replace("(p * (1 - p) * (F @ s))", "(F @ s)")
                + "return -(first + second) @ W.T / n",
                "derivative of p",
            ),
            Wrong(
                "no inverse",
                PIXELS.replace("np.linalg.solve(H, (p_t - y_t) * f_t)", "(p_t - y_t) * f_t")
                + "return -(first + second) @ W.T / n",
                "H^-1 is missing",
            ),
            Wrong(
                "no penalty in H",
                PIXELS.replace(" + l2 * np.eye(k)", "") + "return -(first + second) @ W.T / n",
                "H lacks the penalty",
            ),
            Wrong(
                "penalty in m",
                PIXELS.replace("* f_t)\n", "* f_t + l2 * theta)\n")
                + "return -(first + second) @ W.T / n",
                "no penalty in it",
            ),
            Wrong("shape: by feature", PIXELS + "return -(first + second) / n", "by the features"),
            Wrong(
                "shape: transposed", PIXELS + "return -(W @ (first + second).T) / n", "transposed"
            ),
            Wrong(
                "shape: of all images together",
                PIXELS + "return -np.sum((first + second) @ W.T, axis=0) / n",
                "One row per training image",
            ),
            Wrong(
                "shape: W the other way",
                PIXELS + "return -(first + second) @ W / n",
                "Shapes do not fit",
            ),
        ],
        [
            PIXELS + "return -(W @ (first + second).T).T / n",
            """
            F, theta, W = jnp.asarray(F), jnp.asarray(theta), jnp.asarray(W)
            p = jax.nn.sigmoid(F @ theta)
            H = (F.T * (p * (1 - p))) @ F / len(F) + l2 * jnp.eye(F.shape[1])
            s = jnp.linalg.solve(H, (jax.nn.sigmoid(f_t @ theta) - y_t) * f_t)

            def pull(change, f, label):
                f = f + change @ W
                return (jax.nn.sigmoid(f @ theta) - label) * (s @ f)

            slopes = jax.vmap(jax.grad(pull), (None, 0, 0))
            return -slopes(jnp.zeros(len(W)), F, jnp.asarray(y)) / len(F)
            """,
            """
            n, k = F.shape
            p = 1 / (1 + np.exp(-F @ theta))
            H = sum(a * (1 - a) * np.outer(f, f) for a, f in zip(p, F)) / n + l2 * np.eye(k)
            s = np.linalg.inv(H) @ f_t * (1 / (1 + np.exp(-f_t @ theta)) - y_t)
            rows = []
            for a, label, f in zip(p, y, F):
                mixed = (a - label) * np.eye(k) + a * (1 - a) * np.outer(f, theta)
                rows.append(-W @ (s @ mixed) / n)
            return np.array(rows)
            """,
        ],
    ),
    "18.3": Exercise(
        "def fewest_to_flip(changes, logit):",
        [
            Wrong(
                "zero counts",
                flipped(enough="np.cumsum(np.maximum(pushes, 0)) >= abs(logit)"),
                "no other sign yet",
            ),
            Wrong(
                "equal changes once",
                flipped("np.unique(-np.sign(logit) * changes)[::-1]"),
                "random changes",
                hidden=True,
            ),
            Wrong(
                "largest of either sign",
                flipped("np.sort(abs(changes))[::-1]"),
                "either sign",
            ),
            Wrong(
                "in the order given",
                flipped("-np.sign(logit) * changes"),
                "strongest first",
            ),
            Wrong(
                "from 0",
                flipped(found="int(done.argmax())"),
                "counted from 0",
            ),
            Wrong(
                "negative changes alone",
                flipped("np.sort(-np.minimum(changes, 0))[::-1]"),
                "away from 0",
            ),
            Wrong(
                "below zero alone",
                flipped("np.sort(changes)", enough="logit + np.cumsum(pushes) < 0"),
                "away from 0",
            ),
            Wrong(
                "never is argmax",
                """
                pushes = np.sort(-np.sign(logit) * changes)[::-1]
                return int(np.argmax(np.cumsum(pushes) > abs(logit))) + 1
                """,
                "nothing but False",
            ),
            Wrong(
                "never is 0",
                flipped(never="0"),
                "not 0",
            ),
            Wrong(
                "the mean",
                flipped(enough="np.cumsum(pushes) / np.arange(1, len(pushes) + 1) > abs(logit)"),
                "their sum that",
            ),
            Wrong(
                "sorted in place",
                """
                changes *= -np.sign(logit)
                changes.sort()
                done = np.cumsum(np.maximum(changes[::-1], 0)) > abs(logit)
                return int(done.argmax()) + 1 if done.any() else -1
                """,
                "sort a copy",
            ),
            Wrong(
                "shape: which they are",
                """
                order = np.argsort(np.sign(logit) * changes)
                sums = logit + np.cumsum(changes[order])
                done = np.flatnonzero(sums * logit < 0)
                return order[: done[0] + 1] if len(done) else -1
                """,
                "a single number",
            ),
        ],
        [
            """
            now, m = logit, 0
            for change in sorted(changes, reverse=logit < 0):
                if change * logit >= 0:
                    return -1
                now, m = now + change, m + 1
                if now * logit < 0:
                    return m
            return -1
            """,
            """
            pushes = jnp.sort(-jnp.sign(logit) * jnp.asarray(changes))[::-1]
            done = jnp.cumsum(pushes) > abs(logit)
            return jnp.argmax(done) + 1 if done.any() else -1
            """,
            """
            order = np.argsort(changes * np.sign(logit))
            after = (logit + np.cumsum(changes[order])) * np.sign(logit)
            under = np.flatnonzero(after < 0)
            return float(under[0] + 1) if under.size else -1.0
            """,
        ],
    ),
}
