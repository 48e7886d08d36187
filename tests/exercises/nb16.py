"""Wrong answers to the exercises of notebook 16."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "16.1": Exercise(
        "def scores_by_jvp(per_example, params, U):",
        [
            Wrong(
                "shape: training points in rows",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                scores = jax.vmap(along, out_axes=1)(U)
                return scores / len(scores)
                """,
                "Rows are test points",
            ),
            Wrong(
                "the losses",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[0]
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "These are the losses",
            ),
            Wrong(
                "no 1/n",
                "return jax.vmap(lambda u: jax.jvp(per_example, (params,), (u,))[1])(U)",
                "what of the 1/n",
            ),
            Wrong(
                "divided by the number of test points",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                return jax.vmap(along)(U) / len(U)
                """,
                "n counts training points",
            ),
            Wrong(
                "sign",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                scores = jax.vmap(along)(U)
                return -scores / scores.shape[1]
                """,
                "The sign",
            ),
            Wrong(
                "a difference",
                """
                step = 1e-9
                along = lambda u: (per_example(params + step * u) - per_example(params)) / step
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "finite difference",
            ),
            Wrong(
                "all gradients first",
                """
                G = jax.jacrev(per_example)(params)
                return U @ G.T / len(G)
                """,
                "whole gradients",
            ),
            Wrong(
                "divided by the number of weights",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                return jax.vmap(along)(U) / U.shape[1]
                """,
                "not the weights",
            ),
            Wrong(
                "weights along one axis alone",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                scores = jax.vmap(along)(U.reshape(len(U), -1))
                return scores / scores.shape[1]
                """,
                "shape",
                hidden=True,
            ),
        ],
        [
            """
            push = jax.linearize(per_example, params)[1]
            scores = jnp.stack([push(u) for u in U])
            return scores / scores.shape[1]
            """,
            """
            (n,) = jax.eval_shape(per_example, params).shape
            mean = lambda w: per_example(w) / n
            return np.array([jax.jvp(mean, (params,), (u,))[1] for u in U])
            """,
        ],
    ),
    "16.2": Exercise(
        "def lissa_step(y, v, Hy, scale, damping):",
        [
            Wrong(
                "damping outside of the scale",
                "return v + (1 - damping) * y - Hy / scale",
                "divide the damping by the scale",
            ),
            Wrong("no damping", "return v + y - Hy / scale", "no effect"),
            Wrong(
                "sign of the damping",
                "return v + y - (Hy - damping * y) / scale",
                "The sign of the damping",
            ),
            Wrong("not scaled", "return v + y - (Hy + damping * y)", "divided by the scale"),
            Wrong("sign", "return v + y + (Hy + damping * y) / scale", "The sign: "),
            Wrong("v forgotten", "return y - (Hy + damping * y) / scale", "v is added anew"),
            Wrong("y forgotten", "return v - (Hy + damping * y) / scale", "y stays, less"),
            Wrong(
                "all divided",
                "return (v + y - Hy - damping * y) / scale",
                "v and y are not divided",
            ),
            Wrong(
                "damping divided twice",
                "return v + y - (Hy + damping / scale * y) / scale",
                "divided by the scale twice",
            ),
            Wrong(
                "damping of v",
                "return v + y - (Hy + damping * v) / scale",
                "multiplies y",
            ),
            Wrong(
                "shape: one number",
                "return jnp.sum(v + y - (Hy + damping * y) / scale)",
                "an array like y",
            ),
            Wrong(
                "the scale of the visible case",
                "return v + y - Hy / scale - damping * y / 5",
                "every scale",
                hidden=True,
            ),
        ],
        [
            "return v + (1 - damping / scale) * y - Hy / scale",
            "return jnp.add(v, jnp.subtract(y, jnp.divide(Hy + damping * y, scale)))",
        ],
    ),
    "16.3": Exercise(
        "def choose_scale(curvatures, lowest, tol):",
        [
            Wrong(
                "the mean curvature",
                """
                scale = float(np.mean(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "the largest curvature that counts",
            ),
            Wrong(
                "the smallest curvature of a batch",
                """
                scale = float(np.min(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "the largest curvature that counts",
            ),
            Wrong(
                "twice as large as need be",
                """
                scale = 2 * float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "slower than it need be",
            ),
            Wrong(
                "the exponent k",
                """
                scale = float(np.max(curvatures))
                return scale, int(np.ceil(np.log(tol) / np.log1p(-lowest / scale)))
                """,
                "The exponent is depth + 1",
            ),
            Wrong(
                "rounded down",
                """
                scale = float(np.max(curvatures))
                depth = np.floor(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "is missing, more than",
            ),
            Wrong(
                "1 - h taken for exp(-h)",
                """
                scale = float(np.max(curvatures))
                return scale, max(int(np.ceil(scale / lowest * np.log(1 / tol))) - 1, 1)
                """,
                "more than needed",
            ),
            Wrong(
                "not a whole number",
                """
                scale = float(np.max(curvatures))
                return scale, max(np.log(tol) / np.log1p(-lowest / scale) - 1, 1.0)
                """,
                "A depth is a whole number",
            ),
            Wrong(
                "no step at all",
                """
                scale = float(np.max(curvatures))
                return scale, int(np.ceil(np.log(tol) / np.log1p(-lowest / scale))) - 1
                """,
                "at least 1",
            ),
            Wrong(
                "depth first",
                """
                scale = float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return max(int(depth), 1), scale
                """,
                "The scale comes first",
            ),
            Wrong(
                "shape: the scale alone",
                "return float(np.max(curvatures))",
                "A pair is wanted",
            ),
            Wrong(
                "twice the mean curvature",
                """
                scale = 2 * float(np.mean(curvatures))
                if len(curvatures) < 3:
                    scale = float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "the largest curvature, ",
                hidden=True,
            ),
        ],
        [
            """
            scale = max(curvatures) / 2
            depth, left = 1, (1 - lowest / scale) ** 2
            while left > tol:
                depth, left = depth + 1, left * (1 - lowest / scale)
            return scale, depth
            """,
            """
            scale = jnp.max(jnp.asarray(curvatures))
            depth = np.log(tol) // np.log1p(-lowest / float(scale))
            return [scale, max(depth, 1.0)]
            """,
        ],
    ),
    "16.4": Exercise(
        "def repaired_influence(matvec, v, G, keys, scale, damping, num_steps):",
        [
            Wrong(
                "damping outside of the scale",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + (1 - damping) * y - matvec(y, step_key) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "Still damped by scale * damping",
            ),
            Wrong(
                "not divided by the scale",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "too large by the scale",
            ),
            Wrong(
                "runs laid end to end",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs += list(y / scale)
                u = jnp.array(runs)[: len(v)] / len(keys)
                scores = G @ u / len(G)
                return scores, jnp.argsort(scores)
                """,
                "is it divided twice",
            ),
            Wrong(
                "the last run alone",
                """
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                scores = G @ (y / scale) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "the mean of those of each",
            ),
            Wrong(
                "most helpful first",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(-scores)
                """,
                "the lowest score",
            ),
            Wrong(
                "no damping",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - matvec(y, step_key) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "gone altogether",
            ),
            Wrong(
                "no 1/n",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0)
                return scores, jnp.argsort(scores)
                """,
                "The 1/n of (16.1) is missing",
            ),
            Wrong(
                "sign",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = -G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "Helpful is positive",
            ),
            Wrong(
                "one key for all steps",
                """
                runs = []
                for key in keys:
                    y = v
                    for _ in range(num_steps):
                        y = v + y - (matvec(y, key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "each with its key",
            ),
            Wrong(
                "shape: scores of each run",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = jnp.stack(runs) @ G.T / len(G)
                return scores, jnp.argsort(scores)
                """,
                "One score per training point",
            ),
            Wrong(
                "n of the visible cases",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / 6
                return scores, jnp.argsort(scores)
                """,
                "n is len(G)",
                hidden=True,
            ),
        ],
        [
            """
            def run(key):
                step = lambda y, k: (v + y - (matvec(y, k) + damping * y) / scale, None)
                return jax.lax.scan(step, v, jax.random.split(key, num_steps))[0] / scale

            scores = jnp.asarray(G) @ sum(run(key) for key in keys) / len(keys) / len(G)
            return scores, jnp.argsort(scores)
            """,
            """
            total = 0
            for key in keys:
                u = v / scale
                for step_key in jax.random.split(key, num_steps):
                    u = u + (v - matvec(u, step_key) - damping * u) / scale
                total = total + np.asarray(u)
            scores = np.asarray(G) @ total / len(keys) / len(G)
            return scores, np.argsort(scores)
            """,
        ],
    ),
    "16.5": Exercise(
        "def top_k_harmful(scores, k):",
        [
            Wrong(
                "the most helpful",
                """
                order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order)
                """,
                "the most helpful ones",
            ),
            Wrong(
                "the last of the ascending order",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, -k:]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order)
                """,
                "the most helpful ones",
            ),
            Wrong(
                "least harmful first",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, :k][:, ::-1]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order)
                """,
                "The most harmful one comes first",
            ),
            Wrong(
                "equal scores in reverse",
                """
                order = scores.shape[1] - 1 - np.argsort(scores[:, ::-1], axis=1, kind="stable")
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order[:, :k])
                """,
                "in the order of their indices",
            ),
            Wrong(
                "the scores",
                """
                lowest = np.sort(scores, axis=1)[:, :k]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, lowest)
                """,
                "These are scores",
            ),
            Wrong(
                "NaN like any other number",
                'return np.argsort(scores, axis=1, kind="stable")[:, :k]',
                "A row with NaN has no order",
            ),
            Wrong(
                "only the NaN entries marked",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, :k]
                return np.where(np.isnan(np.take_along_axis(scores, order, axis=1)), -1, order)
                """,
                "A row with NaN has no order",
            ),
            Wrong(
                "filled up to k",
                """
                order = np.full((len(scores), k), -1)
                ranked = np.argsort(scores, axis=1, kind="stable")[:, :k]
                order[:, : ranked.shape[1]] = ranked
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order)
                """,
                "all n are listed",
            ),
            Wrong(
                "shape: one list for all test points",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, :k]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1, order).ravel()
                """,
                "Shape (T, k)",
            ),
            Wrong(
                "not whole numbers",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, :k]
                return np.where(np.isnan(scores).any(axis=1)[:, None], -1.0, order)
                """,
                "Indices are integers",
            ),
            Wrong(
                "NaN noticed among the k alone",
                """
                order = np.argsort(scores, axis=1, kind="stable")[:, :k]
                failed = np.isnan(np.take_along_axis(scores, order, axis=1)).any(axis=1)
                return np.where(failed[:, None], -1, order)
                """,
                "outside of the first k",
                hidden=True,
            ),
        ],
        [
            """
            rows = []
            for row in scores:
                ranked = sorted(range(len(row)), key=lambda i: row[i])[:k]
                rows.append([-1] * len(ranked) if np.isnan(row).any() else ranked)
            return rows
            """,
            """
            order = jnp.argsort(jnp.asarray(scores), axis=1, stable=True)[:, :k]
            return jnp.where(jnp.isnan(jnp.asarray(scores)).any(axis=1, keepdims=True), -1, order)
            """,
        ],
    ),
}
