"""Wrong answers to the exercises of notebook 0."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "0.1": Exercise(
        "def tree_dot(x, y):",
        [
            Wrong(
                "shape: a number for each leaf",
                "return [jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y))]",
                "one number, not a tuple, a list",
            ),
            Wrong(
                "shape: entries of a leaf not added up",
                "return sum(a * b for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))",
                "add up within each leaf",
            ),
            Wrong(
                "x with itself",
                "return sum(jnp.vdot(a, a) for a in jax.tree.leaves(x))",
                "Where is y?",
            ),
            Wrong(
                "return inside the loop",
                """
                total = 0
                for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)):
                    total += jnp.vdot(a, b)
                    return total
                """,
                "Only the leaf a was counted",
            ),
            Wrong(
                "leaves matched by their place in the dictionary",
                "return sum(jnp.vdot(a, b) for a, b in zip(x.values(), y.values()))",
                "by name, not by place",
            ),
            Wrong(
                "the mean of each leaf",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum(jnp.mean(a * b) for a, b in pairs)
                """,
                "sum each leaf, no mean",
            ),
            Wrong(
                "rows times columns",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum(jnp.sum(jnp.dot(a, b)) for a, b in pairs)
                """,
                "multiply rows by columns",
            ),
            Wrong(
                "no signs",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum(jnp.sum(abs(a * b)) for a, b in pairs)
                """,
                "no abs",
            ),
            Wrong(
                "right on the visible trees alone",
                "return {2: 43210.0, 1: 4321.0, 4: -0.09}[len(jax.tree.leaves(x))]",
                "for another tree",
                hidden=True,
            ),
        ],
        [
            """
            flat = lambda tree: jnp.concatenate([jnp.ravel(a) for a in jax.tree.leaves(tree)])
            return flat(x) @ flat(y)
            """,
            "return jax.tree.reduce(lambda s, leaf: s + leaf, jax.tree.map(jnp.vdot, x, y))",
            """
            pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
            return float(sum(np.sum(np.multiply(a, b)) for a, b in pairs))
            """,
        ],
    ),
    "0.2": Exercise(
        "def directional_derivative(f, x, v):",
        [
            Wrong("shape: the pair", "return jax.jvp(f, (x,), (v,))", "which of the two"),
            Wrong("shape: all partial derivatives", "return jax.jacfwd(f)(x)", "one number"),
            Wrong("the value", "return jax.jvp(f, (x,), (v,))[0]", "f(x) itself"),
            Wrong("x and v exchanged", "return jax.jvp(f, (v,), (x,))[1]", "changed places"),
            Wrong(
                "v shortened to length 1",
                "return jax.jvp(f, (x,), (v / jnp.linalg.norm(v),))[1]",
                "v keeps its length",
            ),
            Wrong("v forgotten", "return jax.jvp(f, (x,), (0 * x + 1,))[1]", "where is v?"),
            Wrong("a difference", "return (f(x + 1e-6 * v) - f(x)) / 1e-6", "with some h"),
            Wrong("the whole Jacobian first", "return jax.jacfwd(f)(x) @ v", "never make"),
            Wrong(
                "outputs laid out along one axis",
                """
                rate = jax.jvp(f, (x,), (v,))[1]
                return jnp.ravel(rate) if rate.ndim else rate
                """,
                "the shape of f(x)",
                hidden=True,
            ),
        ],
        [
            "return jax.linearize(f, x)[1](v)",
            "return jax.jvp(lambda t: f(x + t * v), (0.0,), (1.0,))[1]",
        ],
    ),
    "0.3": Exercise(
        "def numerical_grad(f, x, h):",
        [
            Wrong(
                "a forward difference",
                "return jnp.array([(f(x + h * e) - f(x)) / h for e in np.eye(len(x))])",
                "forward difference",
            ),
            Wrong(
                "forward by h, divided by 2h",
                "return jnp.array([(f(x + h * e) - f(x)) / (2 * h) for e in np.eye(len(x))])",
                "go down, too",
            ),
            Wrong(
                "brackets",
                "return jnp.array([(f(x + h * e) - f(x - h * e)) / 2 * h for e in np.eye(len(x))])",
                "brackets",
            ),
            Wrong(
                "divided by h",
                "return jnp.array([(f(x + h * e) - f(x - h * e)) / h for e in np.eye(len(x))])",
                "from x - h to x + h is 2h",
            ),
            Wrong(
                "sign",
                """
                rows = np.eye(len(x))
                return jnp.array([(f(x - h * e) - f(x + h * e)) / (2 * h) for e in rows])
                """,
                "The sign",
            ),
            Wrong(
                "x moved in place",
                """
                slopes = []
                for i in range(len(x)):
                    x[i] += h
                    up = f(x)
                    x[i] -= 2 * h
                    slopes.append((up - f(x)) / (2 * h))
                return np.array(slopes)
                """,
                "x came back changed",
            ),
            Wrong(
                "shape: all coordinates moved at once",
                "return (f(x + h) - f(x - h)) / (2 * h)",
                "one coordinate at a time",
            ),
            Wrong(
                "shape: a list",
                "return [(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))]",
                "An array is wanted",
            ),
            Wrong("autodiff", "return jax.grad(f)(jnp.asarray(x))", "use the h given"),
            Wrong(
                "last coordinate forgotten",
                """
                slope = np.zeros(len(x))
                for i in range(len(x) - 1):
                    e = np.eye(len(x))[i]
                    slope[i] = (f(x + h * e) - f(x - h * e)) / (2 * h)
                return slope
                """,
                "last coordinate was forgotten",
            ),
            Wrong(
                "the step of the visible cases",
                """
                h = 0.1
                rows = np.eye(len(x))
                return jnp.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in rows])
                """,
                "use the h given",
                hidden=True,
            ),
        ],
        [
            """
            slopes = np.zeros(len(x))
            for i in range(len(x)):
                up, down = np.array(x), np.array(x)
                up[i], down[i] = up[i] + h, down[i] - h
                slopes[i] = (f(up) - f(down)) / (up[i] - down[i])
            return slopes
            """,
            """
            moves = h * jnp.eye(len(x))
            up = jnp.stack([jnp.asarray(f(x + m)) for m in moves])
            return (up - jnp.stack([jnp.asarray(f(x - m)) for m in moves])) / 2 / h
            """,
        ],
    ),
    "0.4": Exercise(
        "def per_example_grads(loss, params, X, y):",
        [
            Wrong(
                "never called",
                "return jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))",
                "That is a function",
            ),
            Wrong(
                "shape: one gradient for the batch",
                """
                each = jax.vmap(loss, in_axes=(None, 0, 0))
                return jax.grad(lambda p: jnp.mean(each(p, X, y)))(params)
                """,
                "One gradient for the batch",
            ),
            Wrong(
                "shape: a list of gradients",
                "return [jax.grad(loss)(params, x, t) for x, t in zip(X, y)]",
                "one tree like params, not a list",
            ),
            Wrong(
                "shape: the examples on the last axis",
                "return jax.vmap(jax.grad(loss), (None, 0, 0), out_axes=-1)(params, X, y)",
                "in front",
            ),
            Wrong(
                "by x",
                "return jax.vmap(jax.grad(loss, argnums=1), in_axes=(None, 0, 0))(params, X, y)",
                "by the first argument",
            ),
            Wrong(
                "a factor 1/N",
                """
                small = lambda p, x, t: loss(p, x, t) / len(y)
                return jax.vmap(jax.grad(small), in_axes=(None, 0, 0))(params, X, y)
                """,
                "no 1/N",
            ),
            Wrong(
                "sign",
                """
                down = lambda p, x, t: -loss(p, x, t)
                return jax.vmap(jax.grad(down), in_axes=(None, 0, 0))(params, X, y)
                """,
                "The sign",
            ),
            Wrong(
                "the mean, N times",
                """
                each = jax.vmap(loss, in_axes=(None, 0, 0))
                mean = jax.grad(lambda p: jnp.mean(each(p, X, y)))(params)
                return jax.tree.map(lambda g: jnp.stack([g] * len(y)), mean)
                """,
                "each example has its own",
            ),
            Wrong("parameters taken row by row", "return jax.vmap(jax.grad(loss))(params, X, y)"),
            Wrong(
                "right for three examples alone",
                """
                each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, X, y)
                if len(X) == 3:
                    return each
                return jax.tree.map(lambda g: jnp.broadcast_to(g.mean(axis=0), g.shape), each)
                """,
                "its own",
                hidden=True,
            ),
        ],
        [
            """
            one = lambda example: jax.grad(loss)(params, *example)
            return jax.lax.map(one, (jnp.asarray(X), jnp.asarray(y)))
            """,
            "return jax.vmap(lambda x, t: jax.grad(loss)(params, x, t))(X, y)",
        ],
    ),
}
