"""Wrong answers to the exercises of notebook 0."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "0.1": Exercise(
        "def tree_dot(x, y):",
        [
            Wrong(
                "shape: a number for each leaf",
                "return [jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y))]",
                "one for each leaf: add these up",
            ),
            Wrong(
                "shape: entries of a leaf not added up",
                "return sum(a * b for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))",
                "Add up within each leaf",
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
                "shape: a tree",
                "return jax.tree.map(jnp.vdot, x, y)",
                "A tree of numbers",
            ),
            Wrong(
                "shape: a number for each column",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum(jnp.sum(jnp.asarray(a * b).T, axis=-1) for a, b in pairs)
                """,
                "add up over rows and columns",
            ),
            Wrong(
                "@ for each pair",
                "return sum(a @ b for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)))",
                "multiply rows by columns",
            ),
            Wrong(
                "the leaves' sums multiplied",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum(jnp.sum(a) * jnp.sum(b) for a, b in pairs)
                """,
                "products of each leaf's sums",
            ),
            Wrong(
                "all sums multiplied",
                """
                total = lambda tree: sum(jnp.sum(leaf) for leaf in jax.tree.leaves(tree))
                return total(x) * total(y)
                """,
                "a product of sums",
            ),
            Wrong(
                "a length",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return jnp.sqrt(sum(jnp.vdot(a, b) for a, b in pairs))
                """,
                "No square root",
            ),
            Wrong("trees times each other", "return jnp.sum(x * y)", "cannot be multiplied"),
            Wrong("trees for vectors", "return jnp.vdot(x, y)", "leaves, not trees"),
            Wrong(
                "the tree of products summed",
                "return sum(jax.tree.map(jnp.vdot, x, y))",
                "goes through its keys",
            ),
            Wrong(
                "arrays alone",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return sum((a * b).sum() for a, b in pairs)
                """,
                "has no methods",
            ),
            Wrong(
                "32 bits",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                return jnp.float32(sum(jnp.vdot(a, b) for a, b in pairs))
                """,
                "Stay in 64 bits",
            ),
            Wrong(
                "right on the visible trees alone",
                """
                pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
                total = sum(jnp.sum(a * b) for a, b in pairs)
                return total if len(jax.tree.leaves(x)) in (1, 2, 4) else 0
                """,
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
            """
            if isinstance(x, dict):
                return sum(tree_dot(x[key], y[key]) for key in x)
            if isinstance(x, (list, tuple)):
                return sum(tree_dot(a, b) for a, b in zip(x, y))
            return jnp.sum(x * y)
            """,
            """
            from jax.flatten_util import ravel_pytree

            return jnp.einsum("i,i", ravel_pytree(x)[0], ravel_pytree(y)[0])
            """,
            """
            from functools import reduce
            from operator import add

            pairs = zip(jax.tree.leaves(x), jax.tree.leaves(y))
            return reduce(add, [jnp.vdot(a, b) for a, b in pairs])
            """,
            """
            total = 0.0
            for a, b in zip(jax.tree.leaves(x), jax.tree.leaves(y)):
                for one, other in zip(np.ravel(a), np.ravel(b)):
                    total += one * other
            return total
            """,
        ],
    ),
    "0.2": Exercise(
        "def directional_derivative(f, x, v):",
        [
            Wrong("shape: the pair", "return jax.jvp(f, (x,), (v,))", "which of the two"),
            Wrong("shape: all partial derivatives", "return jax.jacfwd(f)(x)", "is one number"),
            Wrong("the value", "return jax.jvp(f, (x,), (v,))[0]", "f(x) itself"),
            Wrong("x and v exchanged", "return jax.jvp(f, (v,), (x,))[1]", "changed places"),
            Wrong(
                "v shortened to length 1",
                "return jax.jvp(f, (x,), (v / jnp.linalg.norm(v),))[1]",
                "v keeps its length",
            ),
            Wrong("v forgotten", "return jax.jvp(f, (x,), (0 * x + 1,))[1]", "where is v?"),
            Wrong("a difference", "return (f(x + 1e-6 * v) - f(x)) / 1e-6", "with some h"),
            Wrong(
                "a central difference",
                "return (f(x + 1e-6 * v) - f(x - 1e-6 * v)) / 2e-6",
                "with some h",
            ),
            Wrong(
                "NumPy, which cannot be traced",
                "return np.tensordot(jax.jacfwd(f)(x), v, x.ndim)",
                "inside jax.jit",
            ),
            Wrong("a difference of step 1", "return f(x + v) - f(x)", "with some h"),
            Wrong("f further on", "return f(x + v)", "how fast does f change?"),
            Wrong("shape: not added up", "return jax.jacfwd(f)(x) * v", "add up what each"),
            Wrong(
                "for one output alone",
                "return jnp.vdot(jax.grad(f)(x), v)",
                "jax.grad is for one",
            ),
            Wrong("grad @ v", "return jax.grad(f)(x) @ v", "f may have several outputs"),
            Wrong("no tuples", "return jax.jvp(f, x, v)[1]", "jax.jvp wants two tuples"),
            Wrong("a pair called", "return jax.vjp(f, x)(v)", "calls a pair"),
            Wrong("shape: a pull, in a tuple", "return jax.vjp(f, x)[1](v)", "pulls back"),
            Wrong(
                "all outputs in one",
                "return jnp.vdot(jax.grad(lambda x: jnp.sum(f(x)))(x), v)",
                "each has a rate of its own",
            ),
            Wrong("the pull of v", "return jax.vjp(f, x)[1](v)[0]", "to be pushed forward"),
            Wrong("against v", "return jax.jvp(f, (x,), (-v,))[1]", "not against it"),
            Wrong(
                "32 bits",
                "return jax.jvp(f, (jnp.float32(x),), (jnp.float32(v),))[1]",
                "32 bits?",
            ),
            Wrong("the whole Jacobian first", "return jax.jacfwd(f)(x) @ v", "never make"),
            Wrong(
                "shape: outputs laid out along one axis",
                """
                rate = jax.jvp(f, (x,), (v,))[1]
                return jnp.ravel(rate) if rate.ndim else rate
                """,
                "the shape of f(x)",
            ),
            Wrong(
                "an imaginary step",
                "return jnp.imag(f(x + 1e-30j * v)) / 1e-30",
                "Wrong for f = abs(x)",
                hidden=True,
            ),
        ],
        [
            "return jax.linearize(f, x)[1](v)",
            "return jax.jvp(lambda t: f(x + t * v), (0.0,), (1.0,))[1]",
            "return jax.jacfwd(lambda t: f(x + t * v))(0.0)",
            "return jax.jit(lambda x, v: jax.jvp(f, [x], [v]))(x, v)[1]",
            """
            value, pull_back = jax.vjp(f, x)
            return jax.vjp(lambda u: pull_back(u)[0], value)[1](v)[0]
            """,
        ],
    ),
    "0.3": Exercise(
        "def per_example_grads(loss, params, X, y):",
        [
            Wrong(
                "never called",
                "return jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))",
                "This is a function",
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
                "One tree like params, not a list",
            ),
            Wrong(
                "shape: the examples on the last axis",
                "return jax.vmap(jax.grad(loss), (None, 0, 0), out_axes=-1)(params, X, y)",
                "in front",
            ),
            Wrong(
                "by x",
                "return jax.vmap(jax.grad(loss, argnums=1), in_axes=(None, 0, 0))(params, X, y)",
                "By params, the first argument",
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
            Wrong(
                "parameters taken row by row",
                "return jax.vmap(jax.grad(loss))(params, X, y)",
                "what does in_axes say?",
            ),
            Wrong(
                "the gradient of many losses",
                "return jax.grad(jax.vmap(loss, in_axes=(None, 0, 0)))(params, X, y)",
                "jax.grad wants one number",
            ),
            Wrong(
                "the gradient of the whole batch",
                "return jax.grad(loss)(params, X, y)",
                "the loss of one example",
            ),
            Wrong(
                "the loss's Jacobian for the whole batch",
                "return jax.jacobian(loss)(params, X, y)",
                "need not take a batch",
            ),
            Wrong(
                "shape: with the losses",
                "return jax.vmap(jax.value_and_grad(loss), in_axes=(None, 0, 0))(params, X, y)",
                "the gradients alone are wanted",
            ),
            Wrong(
                "shape: the losses",
                "return jax.vmap(loss, in_axes=(None, 0, 0))(params, X, y)",
                "These are the losses",
            ),
            Wrong(
                "the rows reversed",
                """
                each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, X, y)
                return jax.tree.map(lambda leaf: leaf[::-1], each)
                """,
                "Reversed",
            ),
            Wrong(
                "dicts alone",
                """
                each = [jax.grad(loss)(params, x, t) for x, t in zip(X, y)]
                return {key: jnp.stack([g[key] for g in each]) for key in params}
                """,
            ),
            Wrong(
                "shape: a single example loses its axis",
                """
                each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, X, y)
                return jax.tree.map(jnp.squeeze, each)
                """,
                "should have shape (1,)",
            ),
            Wrong(
                "32 bits",
                """
                each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, X, y)
                return jax.tree.map(jnp.float32, each)
                """,
                "Stay in 64 bits",
            ),
            Wrong(
                "right for the visible numbers of examples alone",
                """
                each = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, X, y)
                if len(X) != 4:
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
            """
            each = [jax.grad(loss)(params, x, t) for x, t in zip(X, y)]
            return jax.tree.map(lambda *rows: np.stack(rows), *each)
            """,
            "return jax.jacrev(lambda p: jax.vmap(loss, in_axes=(None, 0, 0))(p, X, y))(params)",
            """
            N = len(y)
            copies = jax.tree.map(lambda p: jnp.stack([jnp.asarray(p)] * N), params)
            return jax.grad(lambda p: jnp.sum(jax.vmap(loss)(p, X, y)))(copies)
            """,
        ],
    ),
    "0.4": Exercise(
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
                "SciPy's differences, which are forward",
                """
                from scipy.optimize import approx_fprime

                return approx_fprime(x, f, h)
                """,
                "A forward difference",
            ),
            Wrong(
                "five points",
                """
                central = lambda e: (f(x + e) - f(x - e)) / (2 * h)
                rows = h * np.eye(len(x))
                return np.array([(4 * central(e) - central(2 * e) / 2) / 3 for e in rows])
                """,
                "Too exact",
            ),
            Wrong(
                "half a step each way",
                "return np.array([(f(x + e / 2) - f(x - e / 2)) / h for e in h * np.eye(len(x))])",
                "not h / 2",
            ),
            Wrong(
                "a step in proportion to x",
                """
                rows = np.diag(np.asarray(x) * h)
                return np.array([(f(x + e) - f(x - e)) / (2 * e.sum()) for e in rows])
                """,
                "not h * x[i]",
            ),
            Wrong(
                "the moves add up",
                """
                slopes, e = [], np.zeros(len(x))
                for i in range(len(x)):
                    e[i] = h
                    slopes.append((f(x + e) - f(x - e)) / (2 * h))
                return np.array(slopes)
                """,
                "Put each coordinate back",
            ),
            Wrong(
                "one array under two names",
                """
                at, slopes = np.array(x), []
                for i in range(len(x)):
                    up, down = at, at
                    up[i], down[i] = up[i] + h, down[i] - h
                    slopes.append((f(up) - f(down)) / (2 * h))
                return np.array(slopes)
                """,
                "one and the same",
            ),
            Wrong(
                "one coordinate stays higher",
                """
                slopes, at = np.zeros(len(x)), np.array(x)
                for i in range(len(x)):
                    at[i] += h
                    up = f(at)
                    at[i] -= 2 * h
                    slopes[i] = (up - f(at)) / (2 * h)
                    at[i] += 2 * h
                return slopes
                """,
                "it stays higher",
            ),
            Wrong(
                "arrays of JAX alone",
                """
                moved = lambda i, h: f(x.at[i].add(h))
                return jnp.array([(moved(i, h) - moved(i, -h)) / (2 * h) for i in range(len(x))])
                """,
                "array of NumPy, which has no .at",
            ),
            Wrong(
                "copies of JAX's arrays changed",
                """
                slopes = np.zeros(len(x))
                for i in range(len(x)):
                    up, down = x.copy(), x.copy()
                    up[i] += h
                    down[i] -= h
                    slopes[i] = (f(up) - f(down)) / (2 * h)
                return slopes
                """,
                "an array of JAX, which does not change",
            ),
            Wrong(
                "shape: a column",
                "return np.array([[(f(x + e) - f(x - e)) / (2 * h)] for e in h * np.eye(len(x))])",
                "this has (2, 1)",
            ),
            Wrong(
                "not divided",
                "return np.array([f(x + e) - f(x - e) for e in h * np.eye(len(x))])",
                "divide by how far x moves",
            ),
            Wrong(
                "32 bits",
                """
                slopes = [(f(x + e) - f(x - e)) / (2 * h) for e in h * np.eye(len(x))]
                return jnp.array(slopes, dtype=jnp.float32)
                """,
                "Stay in 64 bits",
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
            "return jax.vmap(lambda e: (f(x + h * e) - f(x - h * e)) / (2 * h))(jnp.eye(len(x)))",
            """
            x = jnp.asarray(x)
            moved = lambda i, h: f(x.at[i].add(h))
            return jnp.array([(moved(i, h) - moved(i, -h)) / (2 * h) for i in range(len(x))])
            """,
            """
            from scipy.optimize import approx_fprime

            return (approx_fprime(x, f, h) + approx_fprime(x, f, -h)) / 2
            """,
        ],
    ),
}
