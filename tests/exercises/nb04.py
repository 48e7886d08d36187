"""Wrong answers to the exercises of notebook 4."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "4.1": Exercise(
        "def cg(matvec, b, tol, maxiter):",
        [
            Wrong(
                "sign of the residual",
                """
                x = jnp.zeros_like(b)
                r = p = matvec(x) - b
                for _ in range(maxiter):
                    if r @ r <= tol**2 * (b @ b):
                        break
                    alpha = (r @ r) / (p @ matvec(p))
                    x, old = x + alpha * p, r @ r
                    r = r - alpha * matvec(p)
                    p = r + (r @ r) / old * p
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "r is b - A x",
            ),
            Wrong(
                "no alpha",
                """
                x, r = jnp.zeros_like(b), b
                for _ in range(maxiter):
                    if r @ r <= tol**2 * (b @ b):
                        break
                    x = x + r
                    r = b - matvec(x)
                return x, jnp.linalg.norm(r)
                """,
                "the length alpha",
            ),
            Wrong(
                "one step too many",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps <= maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "maxiter = 1 is one step",
            ),
            Wrong(
                "one step too few",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 1
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "maxiter = 1 allows a step",
            ),
            Wrong(
                "the squared length returned",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.sum((b - matvec(x)) ** 2)
                """,
                "not squared",
            ),
            Wrong(
                "beta upside down",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + old / rr * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "the new r.r over the old",
            ),
            Wrong(
                "steepest descent",
                """
                x, r = jnp.zeros_like(b), b
                for _ in range(maxiter):
                    if r @ r <= tol**2 * (b @ b):
                        break
                    x = x + (r @ r) / (r @ matvec(r)) * r
                    r = b - matvec(x)
                return x, jnp.linalg.norm(r)
                """,
                "p conjugate to the last",
            ),
            Wrong(
                "no stop at a residual of 0",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr >= tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "0/0",
            ),
            Wrong(
                "tol against the squared length",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "squared on both sides, or on neither",
            ),
            Wrong(
                "an absolute tolerance",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2:
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "relative to the length of b",
            ),
            Wrong(
                "the carried residual",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.sqrt(rr)
                """,
                "the carried r",
            ),
            Wrong(
                "b changed in place",
                """
                x, r, p = 0 * b, b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x = x + alpha * p
                    r -= alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "changed b itself",
            ),
            Wrong(
                "shape: x alone",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x
                """,
                "Two things",
            ),
            Wrong(
                "never below 1e-6",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > max(tol, 1e-6) ** 2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "tol = 1e-11",
                hidden=True,
            ),
            Wrong(
                "started anew at every second step",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old, steps = r @ r, rr, steps + 1
                    p = r + rr / old * p if steps % 2 else r
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "Not done after 7 steps in 5 dimensions",
                hidden=True,
            ),
        ],
        [
            """
            b = np.asarray(b, dtype=float)
            x, r = np.zeros(len(b)), b.copy()
            p = r.copy()
            for _ in range(maxiter):
                if np.linalg.norm(r) <= tol * np.linalg.norm(b):
                    break
                Ap = np.asarray(matvec(p))
                x = x + (p @ r) / (p @ Ap) * p
                r = r - (p @ r) / (p @ Ap) * Ap
                p = r - (r @ Ap) / (p @ Ap) * p
            return x, np.linalg.norm(b - np.asarray(matvec(x)))
            """,
            """
            def step(state):
                x, r, p, k = state
                Ap = matvec(p)
                alpha = (r @ r) / (p @ Ap)
                new = r - alpha * Ap
                return x + alpha * p, new, new + (new @ new) / (r @ r) * p, k + 1

            def unfinished(state):
                return (state[3] < maxiter) & (state[1] @ state[1] > tol**2 * (b @ b))

            x, *_ = jax.lax.while_loop(unfinished, step, (0.0 * b, 1.0 * b, 1.0 * b, 0))
            return x, jnp.linalg.norm(b - matvec(x))
            """,
        ],
    ),
    "4.2": Exercise(
        "def neumann_ihvp(matvec, b, scale, num_terms):",
        [
            Wrong(
                "not divided by the scale in the end",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total = total + term
                return total
                """,
                "not yet divided by the scale",
            ),
            Wrong(
                "one term too many",
                """
                term = total = b
                for _ in range(num_terms):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "Those are four terms",
            ),
            Wrong(
                "one term too few",
                """
                term = total = b
                for _ in range(num_terms - 2):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "Those are two terms",
            ),
            Wrong(
                "from j = 1 on",
                """
                term, total = b, 0 * b
                for _ in range(num_terms):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "the first term is j = 0",
            ),
            Wrong(
                "the matrix not divided by the scale",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term)
                    total = total + term
                return total / scale
                """,
                "divided by the scale, too",
            ),
            Wrong(
                "sign",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term + matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "The sign",
            ),
            Wrong(
                "the last term alone",
                """
                term = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                return term / scale
                """,
                "this is the last one alone",
            ),
            Wrong(
                "each power from the start",
                """
                total = 0 * b
                for j in range(num_terms):
                    term = b
                    for _ in range(j):
                        term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "use the last term",
            ),
            Wrong(
                "a product for nothing",
                """
                term, total = b, 0 * b
                for _ in range(num_terms):
                    total = total + term
                    term = term - matvec(term) / scale
                return total / scale
                """,
                "80 terms need 79 products",
            ),
            Wrong(
                "shape: the sum of its entries",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total = total + term
                return (total / scale).sum()
                """,
                "a vector like b",
            ),
            Wrong(
                "in 32 bits",
                """
                term = total = jnp.asarray(b, jnp.float32)
                for _ in range(num_terms - 1):
                    term = term - jnp.asarray(matvec(term), jnp.float32) / scale
                    total = total + term
                return total / scale
                """,
                "stay in 64 bits",
                hidden=True,
            ),
        ],
        [
            """
            y = b
            for _ in range(num_terms - 1):
                y = b + y - matvec(y) / scale
            return y / scale
            """,
            """
            x = np.asarray(b) / scale
            for _ in range(num_terms - 1):
                x = x + (np.asarray(b) - np.asarray(matvec(x))) / scale
            return x
            """,
        ],
    ),
    "4.3": Exercise(
        "def lissa_ihvp(matvec, b, keys, scale, damping):",
        [
            Wrong(
                "the popular form",
                """
                y = b
                for key in keys:
                    y = b + (1 - damping) * y - matvec(y, key) / scale
                return y / scale
                """,
                "adds scale * damping",
            ),
            Wrong(
                "y for the solution",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y
                """,
                "y is not the solution",
            ),
            Wrong(
                "the first key for all steps",
                """
                y = b
                for _ in keys:
                    y = b + y - (matvec(y, keys[0]) + damping * y) / scale
                return y / scale
                """,
                "Both steps used the first draw",
            ),
            Wrong(
                "b forgotten",
                """
                y = b
                for key in keys:
                    y = y - (matvec(y, key) + damping * y) / scale
                return y / scale
                """,
                "b is forgotten",
            ),
            Wrong(
                "started at 0",
                """
                y = 0 * b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale
                """,
                "Start at y = b, not at 0",
            ),
            Wrong(
                "damping divided twice",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping / scale * y) / scale
                return y / scale
                """,
                "divided by the scale twice",
            ),
            Wrong(
                "no damping",
                """
                y = b
                for key in keys:
                    y = b + y - matvec(y, key) / scale
                return y / scale
                """,
                "The damping has no effect",
            ),
            Wrong(
                "sign of the damping",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) - damping * y) / scale
                return y / scale
                """,
                "The sign of the damping",
            ),
            Wrong(
                "return inside the loop",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                    return y / scale
                """,
                "that was the first step alone",
            ),
            Wrong(
                "shape: the solution and y",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale, y
                """,
                "not a tuple",
            ),
            Wrong(
                "no damping taken for a default",
                """
                y, damping = b, damping or 0.01
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale
                """,
                "damping 0.0",
                hidden=True,
            ),
        ],
        [
            """
            step = lambda y, key: (b + (1 - damping / scale) * y - matvec(y, key) / scale, None)
            return jax.lax.scan(step, jnp.asarray(b, float), keys)[0] / scale
            """,
            """
            x = b / scale
            for key in keys:
                x = x + (b - matvec(x, key) - damping * x) / scale
            return x
            """,
        ],
    ),
    "4.4": Exercise(
        "def response_jacobian_vp(J, w, t, dt):",
        [
            Wrong(
                "sign",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "The sign",
            ),
            Wrong(
                "the pull alone",
                "return -jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]",
                "multiplied by the inverse of H",
            ),
            Wrong(
                "multiplied by H",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return -cu.hvp(lambda w: J(w, t), w, pull)
                """,
                "not by its inverse",
            ),
            Wrong(
                "the gradient for the pull",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[0]
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "its derivative by t pulls",
            ),
            Wrong(
                "dt forgotten",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (jnp.ones_like(t),))[1]
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "the derivative for dt = 1",
            ),
            Wrong(
                "where it arrives",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return w - cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "its move is asked",
            ),
            Wrong(
                "shape: the certificate, too",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), -pull, tol=1e-10)
                """,
                "Return the move alone",
            ),
            Wrong(
                "H at weights of 0",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), jnp.zeros_like(w), v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "at the w and t given",
            ),
            Wrong(
                "the matrix written down",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return -jnp.linalg.solve(jax.hessian(J)(w, t), pull)
                """,
                "an array of shape (D, D)",
            ),
            Wrong(
                "tol as it is",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull)[0]
                """,
                "Is tol small enough?",
            ),
            Wrong(
                "no entry moves further than 5",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -jnp.clip(cu.cg(matvec, pull, tol=1e-10)[0], -5, 5)
                """,
                "however large",
                hidden=True,
            ),
        ],
        [],
    ),
}
