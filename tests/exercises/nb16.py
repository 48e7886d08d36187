"""Wrong answers to the exercises of notebook 16."""

import itertools

from wrong_answers import Exercise, Wrong

COUNTS = {2: "Two things are", 3: "Three things are", 4: "Four things are"}
SHOWS = {
    "scale": "without damping the scale should set only the speed",
    "mean": "where no batch is random, three keys should give what one gives",
    "damping": "with H = 2 I and damping 1",
}


def published(scale, mean, damping, order):
    """The body that exercise 16.2 shows, with those of its four mistakes that are true."""
    step = "v + y - (matvec(y, step_key) + damping * y) / scale"
    if damping:
        step = "v + (1 - damping) * y - matvec(y, step_key) / scale"
    run = "y" if scale else "y / scale"
    keep, u = f"append({run})", "jnp.mean(jnp.array(estimates), axis=0)"
    if mean:
        keep, u = f"extend({run})", "jnp.array(estimates[: len(v)]) / len(keys)"
    return f"""
n, estimates = len(G), []
for key in keys:
    y = v
    for step_key in jax.random.split(key, num_steps):
        y = {step}
    estimates.{keep}
u = {u}
scores = G @ u / n
return scores, jnp.argsort({"-" if order else ""}scores)
"""


def partly_repaired():
    """The original of exercise 16.2, and what is left of it after one repair or two."""
    for left in itertools.product([True, False], repeat=4):
        names = [name for name, wrong in zip(["scale", "mean", "damping", "order"], left) if wrong]
        if len(names) > 1:  # those with one left stand among the others
            says = f"{COUNTS[len(names)]} still wrong. One of them: {SHOWS[names[0]]}"
            yield Wrong(f"left: {', '.join(names)}", published(*left), says)


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
                "These are the losses over n",
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
                "n counts training points, here 3",
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
                "n counts training points, here 3",
            ),
            Wrong(
                "weights along one axis alone",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))[1]
                scores = jax.vmap(along)(U.reshape(len(U), -1))
                return scores / scores.shape[1]
                """,
                "shape",
            ),
            Wrong(
                "the losses, not divided",
                """
                return jax.vmap(lambda u: jax.jvp(per_example, (params,), (u,))[0])(U)
                """,
                "These are the losses. jvp",
            ),
            Wrong(
                "all gradients first, by forward mode",
                """
                J = jax.jacfwd(per_example)(params)
                return U.reshape(len(U), -1) @ J.reshape(len(J), -1).T / len(J)
                """,
                "along each weight",
            ),
            Wrong(
                "all gradients first, one after another",
                """
                n = len(per_example(params))
                G = [jax.grad(lambda w: per_example(w)[i])(params) for i in range(n)]
                return jnp.array([[jnp.vdot(u, g) for g in G] for u in U]) / n
                """,
                "whole gradients",
            ),
            Wrong(
                "both parts of the pair",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))
                return jnp.array(jax.vmap(along)(U)) / len(per_example(params))
                """,
                "should have shape",
            ),
            Wrong(
                "shape: the sum of all directions",
                """
                scores = jax.jvp(per_example, (params,), (U.sum(axis=0),))[1]
                return scores / len(scores)
                """,
                "Rows are test points",
            ),
            Wrong(
                "jvp without tuples",
                """
                along = lambda u: jax.jvp(per_example, params, u)[1]
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "jvp takes the weights in a tuple",
            ),
            Wrong(
                "the direction without its tuple",
                """
                along = lambda u: jax.jvp(per_example, (params,), u)[1]
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "and the direction, too",
            ),
            Wrong(
                "all directions at once",
                """
                scores = jax.jvp(per_example, (params,), (U,))[1]
                return scores / len(scores)
                """,
                "one row of U",
            ),
            Wrong(
                "grad of n losses",
                """
                scores = U @ jax.grad(per_example)(params)
                return scores / len(scores)
                """,
                "grad takes a function with one number",
            ),
            Wrong(
                "the losses in place of their function",
                """
                along = lambda u: jax.jvp(per_example(params), (params,), (u,))[1]
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "jvp takes a function of the weights",
            ),
            Wrong(
                "the pair divided",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))
                return jax.vmap(along)(U) / len(per_example(params))
                """,
                "jvp gives a pair",
            ),
            Wrong(
                "the pair asked for its shape",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))
                scores = jax.vmap(along)(U)
                return scores / scores.shape[1]
                """,
                "jvp gives a pair",
            ),
            Wrong(
                "the pair called like a function",
                """
                along = lambda u: jax.jvp(per_example, (params,), (u,))(u)
                return jax.vmap(along)(U) / len(per_example(params))
                """,
                "jvp gives a pair",
            ),
            Wrong(
                "vjp in place of jvp",
                """
                scores = jax.vjp(per_example, params)[1](U)[0]
                return scores / len(scores)
                """,
                "A direction takes jvp",
            ),
            Wrong(
                "a gradient for each weight",
                """
                G = jax.vmap(jax.grad(per_example))(params)
                return U @ G / len(G)
                """,
                "not of one of them",
            ),
            Wrong(
                "n is the longer axis",
                """
                scores = jax.vmap(lambda u: jax.jvp(per_example, (params,), (u,))[1])(U)
                return scores / max(scores.shape)
                """,
                "9 test and 5 training points",
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
            """
            shifted = jax.vmap(lambda u: per_example(params + 1e-30j * u))(U)
            return shifted.imag / 1e-30 / shifted.shape[1]  # a complex step rounds nothing
            """,
            """
            step = lambda e, u: per_example(params + e * u)
            scores = jax.vmap(jax.jacfwd(step), in_axes=(None, 0))(0.0, U)
            return scores / scores.shape[1]
            """,
            """
            n = per_example(params).size
            scores = jax.lax.map(lambda u: jax.jvp(per_example, [params], [u])[1] / n, U)
            return scores.tolist()
            """,
        ],
    ),
    "16.2": Exercise(
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
                "One thing is still wrong. It shows here: with H = 2 I and damping 1",
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
                "One thing is still wrong. It shows here: without damping the scale",
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
                "0.33 times those of one key",
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
                "One thing is still wrong. It shows here: the list does not begin",
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
                "the damping has no effect",
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
                "One score for each of the 3",
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
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / 3
                return scores, jnp.argsort(scores)
                """,
                "n is len(G)",
                hidden=True,
            ),
            Wrong(
                "the old slice of a list of runs",
                """
                estimates = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    estimates.append(y / scale)
                u = jnp.array(estimates[: len(v)]).sum(0) / len(keys)
                scores = G @ u / len(G)
                return scores, jnp.argsort(scores)
                """,
                "0.67 times those of one key",
            ),
            Wrong(
                "the sum of the runs",
                """
                u = 0
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    u = u + y / scale
                scores = G @ u / len(G)
                return scores, jnp.argsort(scores)
                """,
                "3 times those of one key",
            ),
            Wrong(
                "each run goes on from the one before",
                """
                y, u = v, 0
                for key in keys:
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    u = u + y / scale / len(keys)
                scores = G @ u / len(G)
                return scores, jnp.argsort(scores)
                """,
                "the mean of those of each",
            ),
            Wrong(
                "one key for all steps of a compiled loop",
                """
                runs = []
                for key in keys:
                    step = lambda _, y: v + y - (matvec(y, key) + damping * y) / scale
                    runs.append(jax.lax.fori_loop(0, num_steps, step, v) / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "each with its key",
            ),
            Wrong(
                "the sign turned in the scores, not in the order",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = -G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(-scores)
                """,
                "Helpful is positive",
            ),
            Wrong(
                "damping added to the matrix after the division",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - matvec(y, step_key) / scale - damping * y
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "with H = 2 I and damping 1",
            ),
            Wrong(
                "divided by the number of weights",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(v)
                return scores, jnp.argsort(scores)
                """,
                "there are 2 weights",
            ),
            Wrong(
                "shape: the scores alone",
                """
                u = 0
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    u = u + y / scale / len(keys)
                return G @ u / len(G)
                """,
                "Two things are wanted",
            ),
            Wrong(
                "the most harmful point alone",
                """
                u = 0
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    u = u + y / scale / len(keys)
                scores = G @ u / len(G)
                return scores, jnp.argmin(scores)
                """,
                "all 3 in the order",
            ),
            Wrong(
                "the place of each point in the list",
                """
                u = 0
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    u = u + y / scale / len(keys)
                scores = G @ u / len(G)
                return scores, jnp.argsort(jnp.argsort(scores))
                """,
                "the list does not begin",
            ),
            Wrong(
                "as many runs as weights at most",
                """
                runs = []
                for key in keys:
                    y = v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs[: len(v)]), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "The scores of 5 keys",
                hidden=True,
            ),
            Wrong(
                "starts at 0",
                """
                runs = []
                for key in keys:
                    y = 0 * v
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "starts at y₀ = v",
            ),
            Wrong(
                "starts at v over the scale",
                """
                runs = []
                for key in keys:
                    y = v / scale
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "starts at y₀ = v",
            ),
            Wrong(
                "starts far away",
                """
                runs = []
                for key in keys:
                    y = 0 * v + 100
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "starts at y₀ = v",
            ),
            Wrong(
                "starts at random",
                """
                runs = []
                for key in keys:
                    y = jax.random.normal(key, v.shape)
                    for step_key in jax.random.split(key, num_steps):
                        y = v + y - (matvec(y, step_key) + damping * y) / scale
                    runs.append(y / scale)
                scores = G @ jnp.mean(jnp.stack(runs), axis=0) / len(G)
                return scores, jnp.argsort(scores)
                """,
                "starts at y₀ = v",
            ),
            *partly_repaired(),
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
            """
            estimates = []
            for key in keys:
                y = v
                for step_key in jax.random.split(key, num_steps):
                    y = v + (1 - damping / scale) * y - matvec(y, step_key) / scale
                estimates += list(y)
            u = jnp.array(estimates).reshape(len(keys), len(v)).mean(axis=0) / scale
            scores = G @ u / len(G)
            return scores, jnp.argsort(-scores)[::-1]
            """,
            """
            @jax.vmap
            def run(key):
                numbers = jnp.arange(num_steps)
                draw = lambda i: jax.random.fold_in(key, i)
                step = lambda i, y: v + y - (matvec(y, draw(i)) + damping * y) / scale
                return jax.lax.fori_loop(0, len(numbers), step, v)

            scores = jnp.einsum("kp,np->n", run(keys), G) / (scale * len(keys) * len(G))
            order = sorted(range(len(G)), key=lambda i: scores[i])
            return scores, order
            """,
        ],
    ),
    "16.3": Exercise(
        "def lissa_step(y, v, Hy, scale, damping):",
        [
            Wrong(
                "damping outside of the scale",
                "return v + (1 - damping) * y - Hy / scale",
                "Too much damping, by the scale",
            ),
            Wrong("no damping", "return v + y - Hy / scale", "no effect"),
            Wrong(
                "sign of the damping",
                "return v + y - (Hy - damping * y) / scale",
                "The sign of the damping",
            ),
            Wrong(
                "not scaled",
                "return v + y - (Hy + damping * y)",
                "The bracket is divided by the scale",
            ),
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
                "return v + y - Hy / scale - damping * y / 4",
                "every scale",
                hidden=True,
            ),
            Wrong(
                "y divided, v not",
                "return v + (y - Hy - damping * y) / scale",
                "y is not divided",
            ),
            Wrong(
                "v divided, y not",
                "return y + (v - Hy - damping * y) / scale",
                "v is not divided",
            ),
            Wrong("divided at once", "return (v + y - (Hy + damping * y) / scale) / scale"),
            Wrong(
                "shape: a column",
                "return (v + y - (Hy + damping * y) / scale).reshape(-1, 1)",
                "an array like y",
            ),
            Wrong(
                "complex",
                "return v + y - (Hy + damping * y) / (scale + 0j)",
                "should be a real array",
            ),
        ],
        [
            "return v + (1 - damping / scale) * y - Hy / scale",
            "return jnp.add(v, jnp.subtract(y, jnp.divide(Hy + damping * y, scale)))",
            """
            step = Hy + damping * y
            step /= scale
            v = v + y
            v -= step
            return v
            """,
            "return np.asarray(v) + np.asarray(y) - np.asarray(Hy + damping * y) / scale",
            "return [a + b - (c + damping * b) / scale for a, b, c in zip(v, y, Hy)]",
            "return (v + y - (Hy + damping * y) / scale).astype(jnp.float32)",
            "return jax.tree.map(lambda a, b, c: a + b - (c + damping * b) / scale, v, y, Hy)",
        ],
    ),
    "16.4": Exercise(
        "def choose_scale(curvatures, lowest, tol):",
        [
            Wrong(
                "the mean curvature",
                """
                scale = float(np.mean(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "the largest curvature that was sampled",
            ),
            Wrong(
                "the smallest curvature of a batch",
                """
                scale = float(np.min(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "the largest curvature that was sampled",
            ),
            Wrong(
                "twice as large as need be",
                """
                scale = 2 * float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "is safe, but 4 times",
            ),
            Wrong(
                "the exponent k",
                """
                scale = float(np.max(curvatures))
                return scale, int(np.ceil(np.log(tol) / np.log1p(-lowest / scale)))
                """,
                "Fewer steps are enough",
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
                "Fewer steps are enough",
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
                "the largest curvature that was sampled",
                hidden=True,
            ),
            Wrong(
                "the sum of the curvatures",
                """
                scale = float(np.sum(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "is safe, but 3.12 times",
            ),
            Wrong(
                "the scale forgotten in the depth",
                """
                scale = float(np.max(curvatures))
                return scale, max(int(np.ceil(np.log(tol) / np.log1p(-lowest))) - 1, 1)
                """,
                "of the slowest is missing",
            ),
            Wrong(
                "just below half of the largest curvature",
                """
                scale = 0.49 * float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return scale, max(int(depth), 1)
                """,
                "expands",
            ),
            Wrong(
                "the depth for the largest curvature",
                """
                scale = float(np.max(curvatures))
                left, depth = (1 - np.mean(curvatures) / scale) ** 2, 1
                while left > tol:
                    left, depth = left * (1 - np.mean(curvatures) / scale), depth + 1
                return scale, depth
                """,
                "of the slowest is missing",
            ),
            Wrong(
                "shape: a depth for each curvature",
                """
                scale = float(np.max(curvatures))
                return scale, np.maximum(np.ceil(np.log(tol) / np.log1p(-curvatures / 9)), 1)
                """,
                "A pair is wanted",
            ),
            Wrong(
                "words",
                """
                scale = float(np.max(curvatures))
                depth = np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1
                return f"{scale}", f"{max(int(depth), 1)}"
                """,
                "an array of numbers",
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
            """
            scale = 1.1 * np.max(curvatures)  # as LiSSA(scale=None) has it
            return scale, max(int(np.ceil(np.log(tol) / np.log(1 - lowest / scale) - 1)), 1)
            """,
            """
            scale = 1.1 * np.max(curvatures) / 2
            return np.array([scale, max(np.ceil(np.log(tol) / np.log1p(-lowest / scale)) - 1, 1)])
            """,
        ],
    ),
}
