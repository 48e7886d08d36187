"""Wrong answers to the exercises of notebook 3."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "3.1": Exercise(
        "def hvp(f, params, v):",
        [
            Wrong(
                "shape: the pair",
                "return jax.jvp(jax.grad(f), (params,), (v,))",
                "jvp returns a pair",
            ),
            Wrong(
                "the gradient",
                "return jax.jvp(jax.grad(f), (params,), (v,))[0]",
                "That is the gradient",
            ),
            Wrong("the gradient at v", "return jax.grad(f)(v)", "the gradient at v"),
            Wrong(
                "params and v exchanged",
                "return jax.jvp(jax.grad(f), (v,), (params,))[1]",
                "params and v swapped",
            ),
            Wrong(
                "sign",
                "return jax.tree.map(jnp.negative, jax.jvp(jax.grad(f), (params,), (v,))[1])",
                "The sign",
            ),
            Wrong(
                "shape: the slope along v",
                "return jax.jvp(f, (params,), (v,))[1]",
                "H v is like the weights",
            ),
            Wrong(
                "a difference quotient",
                "return (jax.grad(f)(params + 1e-6 * v) - jax.grad(f)(params)) / 1e-6",
                "difference quotient",
            ),
            Wrong(
                "vectors alone",
                "return jax.grad(lambda p: jax.grad(f)(p) @ v)(params)",
                "may be dictionaries",
            ),
            Wrong(
                "leaf by leaf",
                """
                if not isinstance(params, dict):
                    return jax.jvp(jax.grad(f), (params,), (v,))[1]
                return {
                    k: jax.jvp(lambda w: jax.grad(f)(params | {k: w})[k], (params[k],), (v[k],))[1]
                    for k in params
                }
                """,
                "between the leaves",
            ),
            Wrong(
                "the whole matrix",
                """
                flat, back = jax.flatten_util.ravel_pytree(params)
                H = jax.hessian(lambda w: f(back(w)))(flat)
                return back(H @ jax.flatten_util.ravel_pytree(v)[0])
                """,
                "No matrix",
            ),
            Wrong(
                "v shortened to length 1",
                """
                size = trees.norm(v)
                v = jax.tree.map(lambda leaf: leaf / size, v)
                return jax.jvp(jax.grad(f), (params,), (v,))[1]
                """,
                "at full length",
            ),
            Wrong(
                "dictionaries of arrays, no deeper",
                """
                if isinstance(params, dict):
                    moved = lambda s: {k: params[k] + s * v[k] for k in params}
                else:
                    moved = lambda s: params + s * v
                return jax.jvp(lambda s: jax.grad(f)(moved(s)), (0.0,), (1.0,))[1]
                """,
                hidden=True,
            ),
        ],
        [
            """
            slope = lambda p: jax.jvp(f, (p,), (v,))[1]
            return jax.grad(slope)(params)
            """,
            "return jax.linearize(jax.grad(f), params)[1](v)",
            "return jax.vjp(jax.grad(f), params)[1](v)[0]",
        ],
    ),
    "3.2": Exercise(
        "def power_iteration(matvec, v, num_steps):",
        [
            Wrong(
                "shape: the vector alone",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v
                """,
                "A pair is wanted",
            ),
            Wrong(
                "shape: the vector first",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v, v @ matvec(v)
                """,
                "in this order",
            ),
            Wrong(
                "one step too few",
                """
                v = v / jnp.linalg.norm(v)
                for _ in range(num_steps - 1):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v @ matvec(v), v
                """,
                "one product too few",
            ),
            Wrong(
                "one step too many",
                """
                for _ in range(num_steps + 1):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v @ matvec(v), v
                """,
                "a product too many",
            ),
            Wrong(
                "the length of the product",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return jnp.linalg.norm(matvec(v)), v
                """,
                "lost the sign",
            ),
            Wrong(
                "never shortened",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                return v @ matvec(v), v
                """,
                "Shorten the vector",
            ),
            Wrong(
                "shortened in the end alone",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                v = v / jnp.linalg.norm(v)
                return v @ matvec(v), v
                """,
                "unless each step shortens",
            ),
            Wrong(
                "return inside the loop",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                    return v @ matvec(v), v
                """,
                "inside the loop",
            ),
            Wrong(
                "no signs",
                """
                for _ in range(num_steps):
                    v = abs(matvec(v))
                    v = v / jnp.linalg.norm(v)
                return v @ matvec(v), v
                """,
            ),
            Wrong(
                "divided by the largest entry",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.max(jnp.abs(v))
                return v @ matvec(v) / (v @ v), v
                """,
                "The vector should be (2, 1) / sqrt(5)",
            ),
            Wrong(
                "the start changed in place",
                """
                v /= np.linalg.norm(v)
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / np.linalg.norm(v)
                return v @ matvec(v), v
                """,
                "in place",
                hidden=True,
            ),
        ],
        [
            """
            for _ in range(num_steps):
                v = np.asarray(matvec(v))
                v = v / np.sqrt(v @ v)
            return float(v @ np.asarray(matvec(v))), v
            """,
            """
            step = lambda _, v: matvec(v) / jnp.linalg.norm(matvec(v))
            v = jax.lax.fori_loop(0, num_steps, step, v / jnp.linalg.norm(v))
            return [jnp.vdot(v, matvec(v)) / jnp.vdot(v, v), v]
            """,
        ],
    ),
    "3.3": Exercise(
        "def hutchinson_trace(matvec, dim, num_samples, *, key):",
        [
            Wrong(
                "shape: the estimate alone",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                return jnp.mean(jax.vmap(lambda u: u @ matvec(u))(signs))
                """,
                "A pair is wanted",
            ),
            Wrong(
                "shape: all vectors at once",
                """
                signs = jax.random.rademacher(key, (dim, num_samples)).astype(float)
                samples = jnp.sum(signs * matvec(signs), axis=0)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "takes one vector",
            ),
            Wrong(
                "in the wrong order",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.std(samples, ddof=1) / num_samples**0.5, jnp.mean(samples)
                """,
                "The estimate comes first",
            ),
            Wrong(
                "divided by dim",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u) / dim)(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "divided by dim",
            ),
            Wrong(
                "the sum",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.sum(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "is the sum",
            ),
            Wrong(
                "normal numbers",
                """
                u = np.asarray(jax.random.normal(key, (num_samples, dim)))
                samples = np.array([a @ matvec(a) for a in u])
                return samples.mean(), samples.std(ddof=1) / num_samples**0.5
                """,
                "+1 and -1",
            ),
            Wrong(
                "one vector for all samples",
                """
                u = jax.random.rademacher(key, (dim,)).astype(float)
                samples = jnp.array([u @ matvec(u) for _ in range(num_samples)])
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "signs of its own",
            ),
            Wrong(
                "the spread of one sample",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1)
                """,
                "the spread of one sample",
            ),
            Wrong(
                "the variance",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.var(samples, ddof=1) / num_samples
                """,
                "That is a variance",
            ),
            Wrong(
                "no ddof",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples) / num_samples**0.5
                """,
                "ddof=1",
            ),
            Wrong(
                "a key of its own",
                """
                signs = jax.random.rademacher(jax.random.key(2), (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "drawn from `key`",
            ),
            Wrong(
                "one random sign in each vector",
                """
                first = jax.random.rademacher(key, (num_samples,)).astype(float)
                signs = jnp.ones((num_samples, dim)).at[:, 0].set(first)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "each entry",
                hidden=True,
            ),
        ],
        [
            """
            heads = jax.random.bernoulli(key, shape=(num_samples, dim))
            signs = jnp.where(heads, 1.0, -1.0)
            samples = jax.lax.map(lambda u: jnp.vdot(u, matvec(u)), signs)
            return samples.mean(), samples.std(ddof=1) / jnp.sqrt(num_samples)
            """,
            """
            signs = np.asarray(jax.random.rademacher(key, (num_samples, dim)), dtype=float)
            samples = np.array([u @ np.asarray(matvec(u)) for u in signs])
            return np.mean(samples), np.std(samples, ddof=1) / np.sqrt(num_samples)
            """,
        ],
    ),
    "3.4": Exercise(
        "def ggnvp(predict, loss, params, v):",
        [
            Wrong(
                "shape: vjp's tuple",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](curvature.hvp(loss, z, dz))
                """,
                "a tuple with one entry",
            ),
            Wrong(
                "shape: not pulled back",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jnp.sum(curvature.hvp(loss, z, dz))
                """,
                "G v is like params",
            ),
            Wrong(
                "the Hessian",
                "return curvature.hvp(lambda p: loss(predict(p)), params, v)",
                "0 is the Hessian",
            ),
            Wrong(
                "the gradient",
                """
                z, pull = jax.vjp(predict, params)
                return pull(jax.grad(loss)(z))[0]
                """,
                "the slope of the loss in the middle",
            ),
            Wrong(
                "squared slope of the loss",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                slope = jax.grad(loss)(z)
                return jax.vjp(predict, params)[1](slope * jnp.sum(slope * dz))[0]
                """,
                "slope of the loss, squared",
            ),
            Wrong(
                "v not pushed",
                """
                z, pull = jax.vjp(predict, params)
                return pull(curvature.hvp(loss, z, jnp.reshape(v, z.shape)))[0]
                """,
                "one f' instead of two",
            ),
            Wrong(
                "v forgotten",
                """
                z, pull = jax.vjp(predict, params)
                return pull(curvature.hvp(loss, z, jnp.ones_like(z)))[0]
                """,
                "is v forgotten",
            ),
            Wrong(
                "sign",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return -jax.vjp(predict, params)[1](curvature.hvp(loss, z, dz))[0]
                """,
                "the wrong sign",
            ),
            Wrong(
                "the loss's curvature left out",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](dz)[0]
                """,
                "Between them stands H_z",
            ),
            Wrong(
                "the loss's curvature at the weights",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = curvature.hvp(loss, jnp.reshape(params, z.shape), dz)
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "H_z at the weights",
            ),
            Wrong(
                "outputs and their change exchanged",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](curvature.hvp(loss, dz, z))[0]
                """,
                "the wrong way round",
            ),
            Wrong(
                "entry by entry",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = curvature.hvp(loss, z, jnp.ones_like(z)) * dz
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "not entry by entry",
            ),
            Wrong(
                "through NumPy, so that jit cannot read it",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = np.array(curvature.hvp(loss, z, dz))
                return jax.vjp(predict, params)[1](jnp.asarray(bent))[0]
                """,
                "traced array",
                hidden=True,
            ),
        ],
        [
            """
            z, push = jax.linearize(predict, params)
            bent = jax.jvp(jax.grad(loss), (z,), (push(v),))[1]
            return jax.linear_transpose(push, params)(bent)[0]
            """,
            """
            z, pull = jax.vjp(predict, params)
            dz = jax.jvp(predict, (params,), (v,))[1]
            slope = lambda z: jnp.vdot(jax.grad(loss)(z), dz)
            return pull(jax.grad(slope)(z))[0]
            """,
            "return curvature.ggnvp(predict, loss, params, v)",
        ],
    ),
}
