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
                "p conjugate to the first",
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
            Wrong(
                "looks at the residual after the step",
                """
                x, r, p = jnp.zeros_like(b), b, b
                for _ in range(maxiter):
                    Ap, old = matvec(p), r @ r
                    alpha = old / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    if r @ r <= tol**2 * (b @ b):
                        break
                    p = r + (r @ r) / old * p
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "For b = 0",
            ),
            Wrong(
                "relative length",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x)) / jnp.linalg.norm(b)
                """,
                "not relative to b",
            ),
            Wrong(
                "the length of x",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(x)
                """,
                "not of x",
            ),
            Wrong(
                "shape: the residual itself",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, b - matvec(x)
                """,
                "not the vector",
            ),
            Wrong(
                "shape: the length first",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return jnp.linalg.norm(b - matvec(x)), x
                """,
                "x comes first",
            ),
            Wrong(
                "shape: steps, too",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x)), steps
                """,
                "2 parts",
            ),
            Wrong(
                "in 32 bits",
                """
                b = jnp.asarray(b, jnp.float32)
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = jnp.asarray(matvec(p), jnp.float32)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "stay in 64 bits",
            ),
            Wrong(
                "alpha from the direction, not the residual",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = (p @ p) / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "p conjugate to the first",
            ),
            Wrong(
                "at most as many steps as weights",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < min(maxiter, len(b)) and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "for tol = 1e-8",
                hidden=True,
            ),
            Wrong(
                "a guard against division by 0",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap + 1e-12)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / (old + 1e-12) * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                None,
                hidden=True,
            ),
            Wrong(
                "looks at the residual after the step, but for b = 0",
                """
                x, r, p = jnp.zeros_like(b), b, b
                if not b.any():
                    return x, 0.0
                for _ in range(maxiter):
                    Ap, old = matvec(p), r @ r
                    alpha = old / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    if r @ r <= tol**2 * (b @ b):
                        break
                    p = r + (r @ r) / old * p
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "the test stands before a step",
            ),
            Wrong(
                "the residual computed anew in each step",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x = x + alpha * p
                    r = b - matvec(x)
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "r is carried along",
            ),
            Wrong(
                "two products a step",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ matvec(p))
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "r is carried along",
            ),
            Wrong(
                "two products a step, compiled",
                """
                def step(state):
                    x, r, p, k = state
                    alpha = (r @ r) / (p @ matvec(p))
                    new = r - alpha * matvec(p)
                    return x + alpha * p, new, new + (new @ new) / (r @ r) * p, k + 1

                def unfinished(state):
                    return (state[3] < maxiter) & (state[1] @ state[1] > tol**2 * (b @ b))

                x, *_ = jax.lax.while_loop(unfinished, step, (0.0 * b, 1.0 * b, 1.0 * b, 0))
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "4 steps took 9 products",
            ),
            Wrong(
                "matvec taken for a matrix",
                """
                x, r, p = jnp.zeros_like(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec @ p
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "a function, not a matrix",
            ),
            Wrong(
                "zeros of a vector",
                """
                x, r, p = jnp.zeros(b), b, b
                rr, steps = r @ r, 0
                while steps < maxiter and rr > tol**2 * (b @ b):
                    Ap = matvec(p)
                    alpha = rr / (p @ Ap)
                    x, r = x + alpha * p, r - alpha * Ap
                    rr, old = r @ r, rr
                    p, steps = r + rr / old * p, steps + 1
                return x, jnp.linalg.norm(b - matvec(x))
                """,
                "b is a vector, not a length",
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
            """
            def step(_, state):
                x, r, p = state
                Ap, rr = matvec(p), r @ r
                alpha = jnp.where(rr > tol**2 * (b @ b), rr / (p @ Ap), 0.0)
                new = r - alpha * Ap
                beta = jnp.where(alpha > 0, (new @ new) / rr, 0.0)
                return x + alpha * p, new, jnp.where(alpha > 0, new + beta * p, p)

            start = jnp.zeros(b.shape), jnp.asarray(b), jnp.asarray(b)
            x = jax.lax.fori_loop(0, maxiter, step, start)[0]
            return x, jnp.sqrt(jnp.sum((b - matvec(x)) ** 2))
            """,
            """
            r = [float(entry) for entry in b]
            x, p, steps = [0.0 for _ in r], list(r), 0
            dot = lambda u, v: sum(a * c for a, c in zip(u, v))
            first = dot(r, r)
            while steps < maxiter and dot(r, r) ** 0.5 > tol * first**0.5:
                Ap = [float(entry) for entry in matvec(np.array(p))]
                old = dot(r, r)
                x = [a + old / dot(p, Ap) * c for a, c in zip(x, p)]
                r = [a - old / dot(p, Ap) * c for a, c in zip(r, Ap)]
                p = [a + dot(r, r) / old * c for a, c in zip(r, p)]
                steps += 1
            true = [float(a - c) for a, c in zip(b, matvec(np.array(x)))]
            return [x, dot(true, true) ** 0.5]
            """,
        ],
    ),
    "4.2": Exercise(
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
                "The move alone",
            ),
            Wrong(
                "H at weights of 0",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), jnp.zeros_like(w), v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "at weights of 0",
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
                "Is tol small enough",
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
            Wrong(
                "dense, by way of NumPy",
                """
                pull = np.array(jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1])
                return -np.linalg.solve(np.array(jax.hessian(J)(w, t)), pull)
                """,
                "an array of shape (D, D)",
            ),
            Wrong(
                "dense, column by column",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                product = jax.jit(lambda v: cu.hvp(lambda w: J(w, t), w, v))
                H = np.array([product(row) for row in np.eye(len(w))])
                return -np.linalg.solve(H, pull)
                """,
                "an array of shape (D, D)",
            ),
            Wrong(
                "all of the pulls written down",
                """
                pull = jax.jacobian(jax.grad(J), argnums=1)(w, t).reshape(len(w), -1) @ dt.ravel()
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "an array of shape (D, D)",
            ),
            Wrong(
                "H at targets of 0",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, jnp.zeros_like(t)), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "at targets of 0",
            ),
            Wrong(
                "twenty steps",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10, maxiter=20)[0]
                """,
                "Is tol small enough",
            ),
            Wrong(
                "the pull at t = 0",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (jnp.zeros_like(t),), (dt,))[1]
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "at the w and t given",
            ),
            Wrong(
                "as many steps as weights",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10, maxiter=len(w))[0]
                """,
                "Is tol small enough",
            ),
            Wrong(
                "all of the pulls written down, by forward mode",
                """
                M = jax.jacfwd(jax.grad(J), 1)(w, t).reshape(len(w), -1)
                pull = M @ dt.ravel()
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "all D gradients by all entries of t",
            ),
            Wrong(
                "tol of 1e-6",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-6)[0]
                """,
                "Is tol small enough",
            ),
            Wrong(
                "tol of 1e-7",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-7)[0]
                """,
                "a residual of 3e-8",
            ),
            Wrong(
                "both things of the solver",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)
                """,
                "both give two things",
            ),
            Wrong(
                "both things of the derivative",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "both give two things",
            ),
            Wrong(
                "no tuples",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), t, dt)[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "as tuples",
            ),
            Wrong(
                "a value for the function",
                """
                pull = jax.jvp(jax.grad(J)(w, t), (t,), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "differentiates a function",
            ),
            Wrong(
                "one change for two points",
                """
                pull = jax.jvp(jax.grad(J), (w, t), (dt,))[1]
                matvec = lambda v: cu.hvp(lambda w: J(w, t), w, v)
                return -cu.cg(matvec, pull, tol=1e-10)[0]
                """,
                "as many changes as points",
            ),
            Wrong(
                "the product of a function of both",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return -cu.cg(lambda v: cu.hvp(J, w, v), pull, tol=1e-10)[0]
                """,
                "of the weights alone",
            ),
            Wrong(
                "the product without its vector",
                """
                pull = jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1]
                return -cu.cg(cu.hvp(lambda w: J(w, t), w), pull, tol=1e-10)[0]
                """,
                "a function of v",
            ),
            Wrong(
                "the gradient of a gradient",
                """
                pull = jax.grad(jax.grad(J), argnums=1)(w, t) * dt
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "jax.jvp takes its derivative along dt",
            ),
            Wrong(
                "the derivatives by t times dt",
                """
                pull = jax.jacobian(jax.grad(J), argnums=1)(w, t) @ dt
                return -cu.cg(lambda v: cu.hvp(lambda w: J(w, t), w, v), pull, tol=1e-10)[0]
                """,
                "the pull has the shape of w",
            ),
        ],
        [
            """
            pull = jax.grad(lambda w: jax.jvp(lambda t: J(w, t), (t,), (dt,))[1])(w)
            product = jax.linearize(lambda w: jax.grad(J)(w, t), w)[1]
            return jax.scipy.sparse.linalg.cg(product, -pull, tol=1e-10, maxiter=1000)[0]
            """,
            """
            from scipy.sparse.linalg import LinearOperator, minres

            pull = np.asarray(jax.jvp(lambda t: jax.grad(J)(w, t), (t,), (dt,))[1])
            product = jax.jit(lambda v: jax.grad(lambda w: jnp.vdot(jax.grad(J)(w, t), v))(w))
            matvec = lambda v: np.asarray(product(v.ravel()))
            H = LinearOperator((len(w), len(w)), matvec, dtype=float)
            return -minres(H, pull, rtol=1e-13, maxiter=1000)[0]
            """,
            """
            gradient = jax.grad(J)
            r = jax.jvp(lambda t: -gradient(w, t), (t,), (dt,))[1]
            x, p = jnp.zeros_like(w), r
            product = jax.jit(lambda v: jax.jvp(lambda w: gradient(w, t), (w,), (v,))[1])
            small = 1e-20 * (r @ r)
            while r @ r > small:
                Hp = product(p)
                x, new = x + (r @ r) / (p @ Hp) * p, r - (r @ r) / (p @ Hp) * Hp
                p, r = new + (new @ new) / (r @ r) * p, new
            return x
            """,
            """
            move = cu.cg(cu.hvp_operator(lambda w: J(w, t), w), jax.jvp(
                lambda t: jax.grad(J, argnums=0)(w, t), (t,), (-dt,)
            )[1], tol=1e-9, maxiter=3000)[0]
            return [float(entry) for entry in move]
            """,
        ],
    ),
    "4.3": Exercise(
        "def neumann_ihvp(matvec, b, scale, num_terms):",
        [
            Wrong(
                "the matrix written down",
                """
                factor = jnp.eye(len(b)) - jax.jacobian(matvec)(jnp.asarray(b)) / scale
                return sum(jnp.linalg.matrix_power(factor, j) @ b for j in range(num_terms)) / scale
                """,
                "an array of shape (D, D)",
            ),
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
                "from the last term",
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
                "39 are enough",
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
            ),
            Wrong(
                "gives up where the terms grow",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    new = term - matvec(term) / scale
                    if jnp.linalg.norm(new) > jnp.linalg.norm(term):
                        break
                    term, total = new, total + new
                return total / scale
                """,
                "scale 0.4",
                hidden=True,
            ),
            Wrong(
                "multiplied by A/s",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "this multiplies by A/s",
            ),
            Wrong(
                "divided in each step, and again",
                """
                term = total = b / scale
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "not twice",
            ),
            Wrong(
                "b changed in place",
                """
                term, total = b, b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total += term
                return total / scale
                """,
                "changed b itself",
            ),
            Wrong(
                "shape: the sum and its last term",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale, term
                """,
                "The sum alone",
            ),
            Wrong(
                "shape: complex",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale + 0j
                """,
                "this is complex",
            ),
            Wrong(
                "a product for nothing, compiled",
                """
                def step(state, _):
                    term, total = state
                    return (term - matvec(term) / scale, total + term), None

                b = jnp.asarray(b)
                return jax.lax.scan(step, (b, 0 * b), length=num_terms)[0][1] / scale
                """,
                "39 are enough",
            ),
            Wrong(
                "the matrix minus a function",
                """
                term = total = b
                for _ in range(num_terms - 1):
                    term = (jnp.eye(len(b)) - matvec / scale) @ term
                    total = total + term
                return total / scale
                """,
                "a function, not a matrix",
            ),
            Wrong(
                "two terms at least",
                """
                term = b - matvec(b) / scale
                total = b + term
                for _ in range(num_terms - 2):
                    term = term - matvec(term) / scale
                    total = total + term
                return total / scale
                """,
                "num_terms = 1",
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
            """
            def step(_, state):
                term, total = state
                term = term - matvec(term) / scale
                return term, total + term

            b = jnp.asarray(b)
            return jax.lax.fori_loop(1, num_terms, step, (b, b))[1] / scale
            """,
            """
            terms = [np.array(b)]
            while len(terms) < num_terms:
                terms.append(terms[-1] - np.array(matvec(terms[-1])) / scale)
            return list(np.sum(terms, axis=0) / scale)
            """,
        ],
    ),
    "4.4": Exercise(
        "def lissa_ihvp(matvec, b, keys, scale, damping):",
        [
            Wrong(
                "the matrix not divided by the scale",
                """
                y = b
                for key in keys:
                    y = b + (1 - damping / scale) * y - matvec(y, key)
                return y / scale
                """,
                "The matrix is divided",
            ),
            Wrong(
                "nothing divided by the scale",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y)
                return y / scale
                """,
                "Neither the matrix",
            ),
            Wrong(
                "the popular form",
                """
                y = b
                for key in keys:
                    y = b + (1 - damping) * y - matvec(y, key) / scale
                return y / scale
                """,
                "still the popular form",
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
                "x alone",
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
            Wrong(
                "damping on b",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * b) / scale
                return y / scale
                """,
                "not b",
            ),
            Wrong(
                "damping as a number",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping) / scale
                return y / scale
                """,
                "not 1",
            ),
            Wrong(
                "scale divided twice",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale / scale
                """,
                "once, not twice",
            ),
            Wrong(
                "the keys from behind",
                """
                y = b
                for i in range(1, len(keys) + 1):
                    y = b + y - (matvec(y, keys[-i]) + damping * y) / scale
                return y / scale
                """,
                "wrong order",
            ),
            Wrong(
                "the last key for all steps",
                """
                y = b
                for _ in keys:
                    y = b + y - (matvec(y, keys[-1]) + damping * y) / scale
                return y / scale
                """,
                "used the last draw",
            ),
            Wrong(
                "in 32 bits",
                """
                y = b = jnp.asarray(b, jnp.float32)
                for key in keys:
                    y = b + y - (jnp.asarray(matvec(y, key), jnp.float32) + damping * y) / scale
                return y / scale
                """,
                "stay in 64 bits",
            ),
            Wrong(
                "no more than ten steps",
                """
                y = b
                for key in keys[:10]:
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale
                """,
                None,
            ),
            Wrong(
                "keys taken for seeds",
                """
                y = b
                for key in range(len(keys)):
                    y = b + y - (matvec(y, key) + damping * y) / scale
                return y / scale
                """,
                None,
            ),
            Wrong(
                "the key not handed on",
                """
                y = b
                for key in keys:
                    y = b + y - (matvec(y) + damping * y) / scale
                return y / scale
                """,
                "two things here",
            ),
            Wrong(
                "b changed in place",
                """
                y = b
                for key in keys:
                    Ay = matvec(y, key)
                    y += b.copy() - (Ay + damping * y) / scale
                return y / scale
                """,
                "changed b itself",
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
            """
            def step(i, y):
                return y + b - matvec(y, keys[i]) / scale - damping / scale * y

            return jax.lax.fori_loop(0, len(keys), step, jnp.asarray(b)) / scale
            """,
            """
            b = np.array(b)
            y = b.copy()
            for i in range(len(keys)):
                Ay = np.array(matvec(y, keys[i]))
                y += b - (Ay + damping * y) / scale
            return [float(entry) for entry in y / scale]
            """,
        ],
    ),
}
