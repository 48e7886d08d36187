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
                "the slope along v",
            ),
            Wrong(
                "shape: a tuple of one",
                "return jax.vjp(jax.grad(f), params)[1](v)",
                "one entry for each argument",
            ),
            Wrong("shape: the matrix alone", "return jax.hessian(f)(params)", "That is H."),
            Wrong(
                "shape: the curvature along v",
                "return v @ jax.jvp(jax.grad(f), (params,), (v,))[1]",
                "v . H v",
            ),
            Wrong(
                "shape: a column",
                "return jax.jvp(jax.grad(f), (params,), (v,))[1][:, None]",
                "like the weights, shape (2,)",
            ),
            Wrong("shape: nothing", "jax.jvp(jax.grad(f), (params,), (v,))[1]", "return?"),
            Wrong(
                "the gradient times v",
                "return jax.tree.map(jnp.multiply, jax.grad(f)(params), v)",
                "entry by entry",
            ),
            Wrong(
                "the diagonal",
                "return jnp.diag(jax.hessian(f)(params)) * v",
                "Only the diagonal",
            ),
            Wrong("the dense product", "return jax.hessian(f)(params) @ v", "may be dictionaries"),
            Wrong(
                "a central difference quotient",
                """
                move = lambda s: jax.grad(f)(trees.add_scaled(params, s, v))
                return trees.scale(1 / 2e-4, trees.add_scaled(move(1e-4), -1, move(-1e-4)))
                """,
                "difference quotient",
            ),
            Wrong(
                "through NumPy",
                """
                Hv = jax.jvp(jax.grad(f), (params,), (v,))[1]
                return jax.tree.map(np.asarray, Hv)
                """,
                "Inside jax.jit",
            ),
            Wrong(
                "column by column",
                """
                flat, back = jax.flatten_util.ravel_pytree(params)
                g = lambda w: jax.flatten_util.ravel_pytree(jax.grad(f)(back(w)))[0]
                t = jax.flatten_util.ravel_pytree(v)[0]
                units = np.eye(len(flat))
                columns = [jax.jvp(g, (flat,), (jnp.array(unit),))[1] for unit in units]
                return back(sum(a * column for a, column in zip(t, columns)))
                """,
                "once for each column",
            ),
            Wrong(
                "v shortened, and its length put back: 0/0 for v = 0",
                """
                size = trees.norm(v)
                Hv = jax.jvp(jax.grad(f), (params,), (trees.scale(1 / size, v),))[1]
                return trees.scale(size, Hv)
                """,
                "For v = 0",
                hidden=True,
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
                leaves, tree = jax.tree.flatten(params)

                def own(i, t):
                    g = lambda w: jax.tree.leaves(
                        jax.grad(f)(tree.unflatten([*leaves[:i], w, *leaves[i + 1 :]]))
                    )[i]
                    return jax.jvp(g, (leaves[i],), (t,))[1]

                return tree.unflatten([own(i, t) for i, t in enumerate(jax.tree.leaves(v))])
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
                "shape (P, P)",
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
                "dictionaries or lists",
            ),
            Wrong(
                "jvp of the gradient's value",
                """
                return jax.jvp(jax.grad(f)(params), (params,), (v,))[1]
                """,
                "is a function, not the value",
            ),
            Wrong(
                "jvp without any tuple",
                """
                return jax.jvp(jax.grad(f), params, v)[1]
                """,
                "each in a tuple",
            ),
            Wrong(
                "jvp with one tuple of both",
                """
                return jax.jvp(jax.grad(f), (params, v))[1]
                """,
                "three things",
            ),
            Wrong(
                "vjp's pair called",
                """
                return jax.vjp(jax.grad(f), params)(v)[0]
                """,
                "take out the function",
            ),
            Wrong(
                "linearize's pair called",
                """
                return jax.linearize(jax.grad(f), params)(v)
                """,
                "take out the function",
            ),
            Wrong(
                "grad of grad",
                """
                return jax.grad(jax.grad(f))(params) * v
                """,
                "a gradient is not one",
            ),
            Wrong(
                "v as a second argument",
                """
                return jax.grad(f)(params, v)
                """,
                "as a second one",
            ),
            Wrong(
                "shape: all that jvp of f gives",
                """
                return jax.jvp(f, (params,), (v,))
                """,
                "f and its slope along v",
            ),
        ],
        [
            """
            slope = lambda p: jax.jvp(f, (p,), (v,))[1]
            return jax.grad(slope)(params)
            """,
            "return jax.linearize(jax.grad(f), params)[1](v)",
            "return jax.grad(lambda p: trees.vdot(jax.grad(f)(p), v))(params)",
            "return jax.jacfwd(lambda s: jax.grad(f)(trees.add_scaled(params, s, v)))(0.0)",
            """
            flat, back = jax.flatten_util.ravel_pytree(params)
            t = jax.flatten_util.ravel_pytree(v)[0]
            return back(jax.jvp(jax.grad(lambda w: f(back(w))), (flat,), (t,))[1])
            """,
            "return curvature.hvp_operator(f, params)(v)",
            "return jax.vjp(jax.grad(f), params)[1](v)[0]",
        ],
    ),
    "3.2": Exercise(
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
                "pulled back to the weights",
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
                "-4 is the gradient",
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
                "are z and f' v exchanged",
            ),
            Wrong(
                "entry by entry",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = curvature.hvp(loss, z, jnp.ones_like(z)) * dz
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "entry by entry",
            ),
            Wrong(
                "through NumPy, so that jit cannot read it",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = np.array(curvature.hvp(loss, z, dz))
                return jax.vjp(predict, params)[1](jnp.asarray(bent))[0]
                """,
                "Inside jax.jit",
            ),
            Wrong(
                "shape: the curvature along v",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jnp.sum(dz * curvature.hvp(loss, z, dz))
                """,
                "v . G v",
            ),
            Wrong(
                "shape: a column",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](curvature.hvp(loss, z, dz))[0][:, None]
                """,
                "like params, shape (1,)",
            ),
            Wrong(
                "the slope of the loss times f' v",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](jax.grad(loss)(z) * dz)[0]
                """,
                "has the slope of the loss in the middle",
            ),
            Wrong(
                "the residual part",
                """
                gamma = jax.grad(loss)(predict(params))
                return curvature.hvp(lambda p: jnp.sum(gamma * predict(p)), params, v)
                """,
                "the residual part",
            ),
            Wrong(
                "divided by the number of rows",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = curvature.hvp(loss, z, dz) / len(z)
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "Nothing is divided",
            ),
            Wrong(
                "the loss's matrix, for outputs of one axis",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](jax.hessian(loss)(z) @ dz)[0]
                """,
                "z may have any shape",
            ),
            Wrong(
                "the loss's matrix",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                bent = jnp.tensordot(jax.hessian(loss)(z), dz, dz.ndim)
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "Is H_z written out",
            ),
            Wrong(
                "the Jacobian",
                """
                jacobian = jax.jacobian(predict)(params)
                z, dz = predict(params), jacobian @ v
                return jacobian.T @ curvature.hvp(loss, z, dz)
                """,
                "dictionaries or lists",
            ),
            Wrong(
                "f' v shortened, and its length put back: 0/0 where f' v = 0",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                size = jnp.sqrt(jnp.sum(dz**2))
                bent = size * curvature.hvp(loss, z, dz / size)
                return jax.vjp(predict, params)[1](bent)[0]
                """,
                "divided by a length",
                hidden=True,
            ),
            Wrong(
                "jvp without tuples",
                """
                z, dz = jax.jvp(predict, params, v)
                return jax.vjp(predict, params)[1](curvature.hvp(loss, z, dz))[0]
                """,
                "each in a tuple",
            ),
            Wrong(
                "vjp's pair called",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)(curvature.hvp(loss, z, dz))[0]
                """,
                "take out the function",
            ),
            Wrong(
                "vjp of the outputs",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict(params), params)[1](curvature.hvp(loss, z, dz))[0]
                """,
                "is a function, not the value",
            ),
            Wrong(
                "hvp of the loss's value",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](curvature.hvp(loss(z), z, dz))[0]
                """,
                "is a function, not the value",
            ),
            Wrong(
                "jvp's pair as the direction",
                """
                dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1](curvature.hvp(loss, predict(params), dz))[0]
                """,
                "returns a pair",
            ),
            Wrong(
                "a tuple pulled back",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1]((curvature.hvp(loss, z, dz),))[0]
                """,
                "without a tuple around it",
            ),
            Wrong(
                "a second argument of predict",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params, curvature.hvp(loss, z, dz))[1](z)[0]
                """,
                "has one argument",
            ),
            Wrong(
                "pulled back at the outputs",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, z)[1](curvature.hvp(loss, z, dz))[0]
                """,
                "belongs at the weights",
            ),
            Wrong(
                "pushed twice",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.jvp(predict, (params,), (curvature.hvp(loss, z, dz),))[1]
                """,
                "transposed",
            ),
            Wrong(
                "vjp's function multiplied",
                """
                z, dz = jax.jvp(predict, (params,), (v,))
                return jax.vjp(predict, params)[1] @ curvature.hvp(loss, z, dz)
                """,
                "one of these is a function",
            ),
            Wrong(
                "three matrices",
                """
                jacobian = jax.jacobian(predict)(params)
                return jacobian.T @ jax.hessian(loss)(predict(params)) @ jacobian @ v
                """,
                "dictionaries or lists",
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
            """
            z, push = jax.linearize(predict, params)
            straight = lambda t: loss(z + push(t))
            return jax.jvp(jax.grad(straight), (trees.zeros_like(params),), (v,))[1]
            """,
        ],
    ),
    "3.3": Exercise(
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
                "should come second",
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
                "keep the signs",
            ),
            Wrong(
                "divided by the largest entry",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.max(jnp.abs(v))
                return v @ matvec(v) / (v @ v), v
                """,
                "not the largest entry",
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
            ),
            Wrong(
                "divided by the sum",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.sum(v)
                return v @ matvec(v) / (v @ v), v
                """,
                "not the sum",
            ),
            Wrong(
                "the value of the vector before",
                """
                v = v / jnp.linalg.norm(v)
                for _ in range(num_steps):
                    image = matvec(v)
                    value, v = v @ image, image / jnp.linalg.norm(image)
                return value, v
                """,
                "the vector before",
            ),
            Wrong(
                "shortened before the product",
                """
                for _ in range(num_steps):
                    v = v / jnp.linalg.norm(v)
                    v = matvec(v)
                return v @ matvec(v), v
                """,
                "after the last product",
            ),
            Wrong(
                "shape: a value with an axis",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v[None, :] @ matvec(v), v
                """,
                "single number",
            ),
            Wrong(
                "shape: a column",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v @ matvec(v), v[:, None]
                """,
                "shape (2,)",
            ),
            Wrong(
                "complex",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return v @ matvec(v) + 0j, v
                """,
                "complex",
            ),
            Wrong(
                "the size of the value",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    v = v / jnp.linalg.norm(v)
                return abs(v @ matvec(v)), v
                """,
                "lost its sign",
            ),
            Wrong(
                "until it seems to stand still",
                """
                for _ in range(num_steps):
                    before, v = v / jnp.linalg.norm(v), matvec(v)
                    v = v / jnp.linalg.norm(v)
                    if jnp.allclose(v, before):
                        break
                return v @ matvec(v), v
                """,
                "stop before",
                hidden=True,
            ),
            Wrong(
                "the length of the product before",
                """
                for _ in range(num_steps):
                    v = matvec(v)
                    value = jnp.linalg.norm(v)
                    v = v / value
                return value, v
                """,
                "the length of the product before",
            ),
            Wrong(
                "matvec taken for a matrix",
                """
                for _ in range(num_steps):
                    v = matvec @ v
                    v = v / jnp.linalg.norm(v)
                return v @ matvec @ v, v
                """,
                "one of these is a function",
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
            """
            def step(v, _):
                image = matvec(v)
                return image / jnp.sqrt(jnp.sum(image**2)), None

            v, _ = jax.lax.scan(step, jnp.asarray(v), length=num_steps)
            return jnp.einsum("i,i", v, matvec(v)), v
            """,
            """
            v = v / np.linalg.norm(v)
            for _ in range(num_steps):
                v = matvec(v)
                v = v / np.linalg.norm(v)
            return (v.dot(matvec(v)).item(), v.tolist())
            """,
        ],
    ),
    "3.4": Exercise(
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
                "the sum of the samples",
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
            ),
            Wrong(
                "one sign for each vector",
                """
                sign = jax.random.rademacher(key, (num_samples, 1)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(sign * jnp.ones(dim))
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "each entry too",
            ),
            Wrong(
                "a coin that is not fair",
                """
                signs = jnp.where(jax.random.bernoulli(key, 0.75, (num_samples, dim)), 1.0, -1.0)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "equally likely",
                hidden=True,
            ),
            Wrong(
                "zeros and ones",
                """
                bits = jax.random.bernoulli(key, shape=(num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(bits)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "+1 or -1",
            ),
            Wrong(
                "vectors of length 1",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)) / dim**0.5
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "Both are divided by dim",
            ),
            Wrong(
                "divided by m instead of its root",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples
                """,
                "divided by m;",
            ),
            Wrong(
                "divided by the root of m - 1, too",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / (num_samples - 1) ** 0.5
                """,
                "which ddof=1 sees to",
            ),
            Wrong(
                "shape: the samples",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return samples, jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "single number",
            ),
            Wrong(
                "the number of samples of the example",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / 2
                """,
                hidden=True,
            ),
            Wrong(
                "no key",
                """
                signs = jax.random.rademacher(num_samples, dim).astype(float)
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "its first argument",
            ),
            Wrong(
                "each vector and its opposite",
                """
                half = jax.random.rademacher(key, (-(-num_samples // 2), dim)).astype(float)
                signs = jnp.concatenate([half, -half])[:num_samples]
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "u and -u give the same",
            ),
            Wrong(
                "each vector twice",
                """
                half = jax.random.rademacher(key, (-(-num_samples // 2), dim)).astype(float)
                signs = jnp.repeat(half, 2, axis=0)[:num_samples]
                samples = jax.vmap(lambda u: u @ matvec(u))(signs)
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "repeat the others",
            ),
            Wrong(
                "matvec taken for a matrix",
                """
                signs = jax.random.rademacher(key, (num_samples, dim)).astype(float)
                samples = jnp.array([u @ matvec @ u for u in signs])
                return jnp.mean(samples), jnp.std(samples, ddof=1) / num_samples**0.5
                """,
                "one of these is a function",
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
            """
            keys = jax.random.split(key, num_samples)
            signs = jax.vmap(lambda k: jax.random.rademacher(k, (dim,), dtype=float))(keys)
            samples = jnp.sum(signs * jax.vmap(matvec)(signs), axis=1)
            mean = jnp.sum(samples) / num_samples
            variance = jnp.sum((samples - mean) ** 2) / (num_samples - 1)
            return [float(mean), float(jnp.sqrt(variance / num_samples))]
            """,
            """
            samples = []
            for _ in range(num_samples):
                key, now = jax.random.split(key)
                u = 2 * jax.random.randint(now, (dim,), 0, 2) - 1
                samples.append(jnp.dot(u, matvec(u)))
            samples = jnp.array(samples)
            return jnp.stack([samples.mean(), samples.std(ddof=1) / num_samples**0.5])
            """,
        ],
    ),
}
