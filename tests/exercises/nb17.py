"""Wrong answers to the exercises of notebook 17."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "17.1": Exercise(
        "def corner_solve(M, l2, v):",
        [
            Wrong(
                "equal rows dropped, dependent ones kept",
                """
                rows = np.unique(M, axis=0)
                held = rows.T @ np.linalg.solve(rows @ rows.T, rows @ v)
                return (v - held) / l2
                """,
                "depend on each other",
                hidden=True,
            ),
            Wrong("the held part", "return np.linalg.pinv(M) @ M @ v", "the corner holds"),
            Wrong("the held part by l2", "return np.linalg.pinv(M) @ M @ v / l2", "P v / l2"),
            Wrong("no 1/l2", "return v - np.linalg.pinv(M) @ M @ v", "1/l2 is missing"),
            Wrong("times l2", "return l2 * (v - np.linalg.pinv(M) @ M @ v)", "is multiplied"),
            Wrong("no inverse", "return (v - M.T @ M @ v) / l2", "is no projector"),
            Wrong("no corner", "return v / l2", "corner is missing"),
            Wrong(
                "v alone divided", "return v / l2 - np.linalg.pinv(M) @ M @ v", "1/l2 multiplies"
            ),
            Wrong("sign", "return (np.linalg.pinv(M) @ M @ v - v) / l2", "The sign"),
            Wrong(
                "t = 1",
                "return np.linalg.solve(l2 * np.eye(len(v)) + M.T @ M, v)",
                "for t = 1",
            ),
            Wrong(
                "a small t",
                "return np.linalg.solve(l2 * np.eye(len(v)) + 1e6 * M.T @ M, v)",
                "small t",
            ),
            Wrong(
                "inverse of M M^T",
                "return (v - M.T @ np.linalg.inv(M @ M.T) @ M @ v) / l2",
                "two equal images",
            ),
            Wrong(
                "rows one by one",
                """
                held = sum(((row @ v) / (row @ row) * row for row in M), 0 * v)
                return (v - held) / l2
                """,
                "each by itself",
            ),
            Wrong(
                "rows one after the other",
                """
                for row in M:
                    v = v - (row @ v) / (row @ row) * row
                return v / l2
                """,
                "one after the other",
            ),
            Wrong("M as columns", "return (v - M @ np.linalg.pinv(M) @ v) / l2", "one image a row"),
            Wrong(
                "none on the corner",
                """
                if len(M) == 0:
                    return 0 * v
                return (v - np.linalg.pinv(M) @ M @ v) / l2
                """,
                "Without any image",
            ),
            Wrong(
                "shape: the matrix",
                "return (np.eye(len(v)) - np.linalg.pinv(M) @ M) / l2",
                "shape (3,)",
            ),
        ],
        [
            "return (v - M.T @ np.linalg.lstsq(M.T, v, rcond=None)[0]) / l2",
            """
            _, sizes, axes = np.linalg.svd(M, full_matrices=True)
            rank = np.sum(sizes > 1e-10 * max(sizes, default=0))
            free = axes[rank:]
            return free.T @ (free @ v) / l2
            """,
            """
            M = jnp.asarray(M)
            h, axes = jnp.linalg.eigh(M.T @ M)
            free = axes * (h <= 1e-9 * jnp.max(h))
            return free @ (free.T @ jnp.asarray(v)) / l2
            """,
            """
            left, basis = v.copy(), []
            for row in M:
                size = np.linalg.norm(row)
                for _ in range(2):
                    for q in basis:
                        row = row - q * (q @ row)
                if np.linalg.norm(row) > 1e-9 * size:
                    basis.append(row / np.linalg.norm(row))
                    left = left - basis[-1] * (basis[-1] @ left)
            return list(left / l2)
            """,
        ],
    ),
    "17.2": Exercise(
        "def pbrf_objective(theta, theta_s, j, net, losses, X, y, strength):",
        [
            Wrong(
                "a norm, squared",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.linalg.norm(theta - theta_s) ** 2
                return jnp.mean(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "a norm has none",
                hidden=True,
            ),
            Wrong(
                "added",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(loss - at_s - slope) + loss[j] / len(X) + near
                """,
                "subtract it",
            ),
            Wrong(
                "no 1/n",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(loss - at_s - slope) - loss[j] + near
                """,
                "weight 1/n",
            ),
            Wrong(
                "sum for mean",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.sum(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "not a sum",
            ),
            Wrong(
                "no half",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "half is missing",
            ),
            Wrong(
                "distance to 0",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.sum(theta**2)
                return jnp.mean(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "not to 0",
            ),
            Wrong(
                "distance not squared",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.linalg.norm(theta - theta_s)
                return jnp.mean(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "is squared",
            ),
            Wrong(
                "no linear term",
                """
                loss, at_s = losses(net(theta, X), y), losses(net(theta_s, X), y)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(loss - at_s) - loss[j] / len(X) + near
                """,
                "linear term of D is missing",
            ),
            Wrong(
                "arguments exchanged",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                loss, slope = jax.jvp(lambda z: losses(z, y), (z,), (z_s - z,))
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                D = losses(z_s, y) - loss - slope
                return jnp.mean(D) - loss[j] / len(X) + near
                """,
                "from theta_s to theta",
            ),
            Wrong(
                "squared distances for D",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                D = 0.5 * jnp.sum((z - z_s) ** 2, axis=1)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(D) - losses(z, y)[j] / len(X) + near
                """,
                "for squared errors",
            ),
            Wrong(
                "loss of j at theta_s",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(losses(z, y) - at_s - slope) - at_s[j] / len(X) + near
                """,
                "that at theta",
            ),
            Wrong(
                "D without j",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                D = (loss - at_s - slope) * (jnp.arange(len(X)) != j)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return jnp.mean(D) - loss[j] / len(X) + near
                """,
                "for all examples",
            ),
            Wrong(
                "NumPy inside",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * np.sum(np.asarray(theta - theta_s) ** 2)
                return jnp.mean(loss - at_s - slope) - loss[j] / len(X) + near
                """,
                "stay with jnp",
            ),
            Wrong(
                "shape: no mean",
                """
                z, z_s = net(theta, X), net(theta_s, X)
                at_s, slope = jax.jvp(lambda z: losses(z, y), (z_s,), (z - z_s,))
                loss = losses(z, y)
                near = strength / 2 * jnp.sum((theta - theta_s) ** 2)
                return loss - at_s - slope - loss[j] / len(X) + near
                """,
                "single number",
            ),
        ],
        [
            """
            z, z_s = net(theta, X), net(theta_s, X)
            slopes = jax.grad(lambda z: jnp.sum(losses(z, y)))(z_s)
            D = losses(z, y) - losses(z_s, y) - jnp.sum(slopes * (z - z_s), axis=1)
            step = theta - theta_s
            return jnp.mean(D) - losses(z, y)[j] / len(y) + 0.5 * strength * step @ step
            """,
            """
            of_one = lambda z, label: losses(z[None], label[None])[0]
            z, z_s = net(theta, X), net(theta_s, X)
            total = 0.0
            for i in range(len(X)):
                slope = jax.grad(of_one)(z_s[i], y[i])
                total += of_one(z[i], y[i]) - of_one(z_s[i], y[i]) - slope @ (z[i] - z_s[i])
            total -= of_one(z[j], y[j])
            return total / len(X) + strength * jnp.sum((theta - theta_s) ** 2) / 2
            """,
            """
            z, z_s = net(theta, X), net(theta_s, X)
            mean = lambda z: jnp.mean(losses(z, y))
            at_s, slope = jax.value_and_grad(mean)(z_s)
            D = mean(z) - at_s - jnp.vdot(slope, z - z_s)
            near = strength / 2 * jnp.sum(jnp.square(theta - theta_s))
            return D + near - losses(z, y)[j] / X.shape[0]
            """,
        ],
    ),
    "17.3": Exercise(
        "def smooth_hinge(s, t):",
        [
            Wrong(
                "a small t taken for 0",
                """
                if t < 1e-3:
                    return np.maximum(1 - s, 0)
                return t * np.logaddexp(0, (1 - s) / t)
                """,
                "near s = 1",
                hidden=True,
            ),
            Wrong(
                "exp overflows",
                """
                if t == 0:
                    return np.maximum(1 - s, 0)
                return t * np.log(1 + np.exp((1 - s) / t))
                """,
                "overflows",
            ),
            Wrong(
                "no factor t",
                """
                if t == 0:
                    return np.maximum(1 - s, 0)
                return np.logaddexp(0, (1 - s) / t)
                """,
                "Without the factor t",
            ),
            Wrong("1 + s", "return t * np.logaddexp(0, (1 + s) / t)", "not 1 + s"),
            Wrong("s - 1", "return t * np.logaddexp(0, (s - 1) / t)", "not its negative"),
            Wrong("t inside twice", "return t * np.logaddexp(0, (1 - s) / t**2)", "once, not"),
            Wrong("no t inside", "return t * np.logaddexp(0, 1 - s)", "t is missing inside"),
            Wrong("no t at all", "return np.logaddexp(0, 1 - s)", "inside and outside"),
            Wrong(
                "t = 0 forgotten",
                "return t * np.logaddexp(0, (1 - s) / t)",
                "treat it apart",
            ),
            Wrong(
                "zero at the corner",
                "return t * (np.logaddexp(0, (1 - s) / t) - np.log(2))",
                "t log 2",
            ),
            Wrong("the hinge", "return np.maximum(1 - s, 0)", "hinge itself"),
            Wrong("squared hinge", "return np.maximum(1 - s, 0) ** 2", "squared"),
            Wrong(
                "its derivative",
                "return 0.5 * (1 + np.tanh((1 - s) / t / 2))",
                "the loss is asked for",
            ),
            Wrong(
                "nothing at t = 0",
                """
                if t == 0:
                    return 0 * s
                return t * np.logaddexp(0, (1 - s) / t)
                """,
                "must not vanish",
            ),
            Wrong(
                "shape: the sum",
                "return np.sum(t * np.logaddexp(0, (1 - s) / t))",
                "not their sum",
            ),
        ],
        [
            """
            u = 1 - s
            if t == 0:
                return np.where(u > 0, u, 0.0)
            return np.maximum(u, 0) + t * np.log1p(np.exp(-np.abs(u) / t))
            """,
            """
            if t == 0:
                return jax.nn.relu(1 - s)
            return t * jax.nn.softplus((1 - s) / t)
            """,
            """
            safe = jnp.where(t > 0, t, 1.0)
            smooth = safe * jnp.logaddexp(0.0, (1 - s) / safe)
            return jnp.where(t > 0, smooth, jnp.maximum(1 - s, 0))
            """,
        ],
    ),
    "17.4": Exercise(
        "def ggn_scores(J_t, r_t, J, r, P, strength):",
        [
            Wrong(
                "n of the test examples",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / len(J_t)
                """,
                "training and",
                hidden=True,
            ),
            Wrong(
                "empirical Fisher",
                """
                n, _, p = J.shape
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(g.T @ g / n + strength * np.eye(p), g.T) / n
                """,
                "empirical Fisher",
            ),
            Wrong(
                "diagonal alone",
                """
                n, _, p = J.shape
                G = np.einsum("nap,na,naq->pq", J, P, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / n
                """,
                "second part is missing",
            ),
            Wrong(
                "J^T J",
                """
                n, _, p = J.shape
                G = np.einsum("nap,naq->pq", J, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / n
                """,
                "without the Hessian",
            ),
            Wrong(
                "sum for mean",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J)
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / n
                """,
                "not a sum",
            ),
            Wrong(
                "no strength",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G, g.T) / n
                """,
                "strength times I",
            ),
            Wrong(
                "no 1/n",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ np.linalg.solve(G + strength * np.eye(p), g.T)
                """,
                "in front is missing",
            ),
            Wrong(
                "minus sign",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return -g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / n
                """,
                "Positive is helpful",
            ),
            Wrong(
                "no inverse",
                """
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g_t @ g.T / len(J)
                """,
                "Without the inverse",
            ),
            Wrong(
                "transposed",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return g @ np.linalg.solve(G + strength * np.eye(p), g_t.T) / n
                """,
                "One row for each test",
            ),
            Wrong(
                "shape: the sum over training examples",
                """
                n, _, p = J.shape
                H_z = P[:, :, None] * np.eye(P.shape[1]) - P[:, :, None] * P[:, None, :]
                G = np.einsum("nap,nab,nbq->pq", J, H_z, J) / n
                g, g_t = np.einsum("na,nap->np", r, J), np.einsum("na,nap->np", r_t, J_t)
                return np.sum(g_t @ np.linalg.solve(G + strength * np.eye(p), g.T) / n, axis=1)
                """,
                "shape (2, 2)",
            ),
        ],
        [
            """
            n, k, p = J.shape
            roots = np.sqrt(P)[:, :, None]
            B = roots * (J - np.einsum("na,nap->np", P, J)[:, None])
            A = np.tensordot(B, B, axes=([0, 1], [0, 1])) / n + strength * np.eye(p)
            left = np.linalg.solve(A, np.einsum("tk,tkp->pt", r_t, J_t))
            return left.T @ np.einsum("nk,nkp->pn", r, J) / n
            """,
            """
            J, J_t = jnp.asarray(J), jnp.asarray(J_t)
            H_z = jax.vmap(lambda q: jnp.diag(q) - jnp.outer(q, q))(jnp.asarray(P))
            G = jnp.mean(jax.vmap(lambda one, h: one.T @ h @ one)(J, H_z), axis=0)
            g, g_t = jax.vmap(lambda a, b: a.T @ b)(J, r), jax.vmap(lambda a, b: a.T @ b)(J_t, r_t)
            inverse = jnp.linalg.inv(G + strength * jnp.eye(G.shape[0]))
            return g_t @ inverse @ g.T / J.shape[0]
            """,
            """
            n, G = len(J), strength * np.eye(J.shape[2])
            for one, q in zip(J, P):
                G = G + one.T @ (np.diag(q) - np.outer(q, q)) @ one / n
            scores = np.zeros((len(J_t), n))
            for t in range(len(J_t)):
                s = np.linalg.solve(G, J_t[t].T @ r_t[t])
                for i in range(n):
                    scores[t, i] = s @ J[i].T @ r[i] / n
            return scores
            """,
        ],
    ),
    "17.5": Exercise(
        "def first_negative_curvature(matvec, b, maxiter):",
        [
            Wrong(
                "one product too many",
                """
                r, p = b, b
                for k in range(maxiter + 1):
                    Ap = matvec(p)
                    if p @ Ap <= 0:
                        return k
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "With maxiter",
                hidden=True,
            ),
            Wrong(
                "counted from 1",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if p @ Ap <= 0:
                        return k + 1
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "Count from 0",
            ),
            Wrong(
                "the residual for p",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if r @ matvec(r) <= 0:
                        return k
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "not the residual",
            ),
            Wrong(
                "the sum so far for p",
                """
                x, r, p = 0 * b, b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    step = (r @ r) / (p @ Ap)
                    x, new = x + step * p, r - step * Ap
                    if x @ matvec(x) <= 0:
                        return k
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
            ),
            Wrong(
                "zero does not count",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if p @ Ap < 0:
                        return k
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "= 0 counts",
            ),
            Wrong(
                "steepest descent",
                """
                r = b
                for k in range(maxiter):
                    Ar = matvec(r)
                    if r @ Ar <= 0:
                        return k
                    r = r - (r @ r) / (r @ Ar) * Ar
                    if r @ r <= 1e-20 * (b @ b):
                        return -1
                return -1
                """,
            ),
            Wrong(
                "the curvature",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if p @ Ap <= 0:
                        return p @ Ap
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "the step is asked for",
            ),
            Wrong(
                "shape: step and curvature",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if p @ Ap <= 0:
                        return k, p @ Ap
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return -1
                    p, r = new + (new @ new) / (r @ r) * p, new
                return -1
                """,
                "The step alone",
            ),
            Wrong(
                "never -1",
                """
                r, p = b, b
                for k in range(maxiter):
                    Ap = matvec(p)
                    if p @ Ap <= 0:
                        return k
                    new = r - (r @ r) / (p @ Ap) * Ap
                    if new @ new <= 1e-20 * (b @ b):
                        return k
                    p, r = new + (new @ new) / (r @ r) * p, new
                return maxiter
                """,
                "it is -1",
            ),
        ],
        [
            """
            r = p = jnp.asarray(b)
            for k in range(maxiter):
                if jnp.linalg.norm(r) <= 1e-10 * jnp.linalg.norm(b):
                    break
                Ap = matvec(p)
                curvature = jnp.vdot(p, Ap)
                if curvature <= 0:
                    return k
                before = jnp.vdot(r, r)
                r = r - before / curvature * Ap
                p = r + jnp.vdot(r, r) / before * p
            return -1
            """,
            """
            x, p, k = np.zeros_like(b), b.copy(), 0
            r, first = b.copy(), np.linalg.norm(b)
            while k < maxiter and np.linalg.norm(r) > 1e-10 * first:
                q = matvec(p)
                if np.dot(p, q) <= 0:
                    return np.int64(k)
                x = x + np.dot(p, r) / np.dot(p, q) * p
                r = b - matvec(x)
                p = r - np.dot(r, q) / np.dot(p, q) * p
                k += 1
            return -1
            """,
            """
            def go(k, r, p):
                if k == maxiter or r @ r <= 1e-20 * (b @ b):
                    return -1
                Ap = matvec(p)
                if p @ Ap <= 0:
                    return k
                new = r - (r @ r) / (p @ Ap) * Ap
                return go(k + 1, new, new + (new @ new) / (r @ r) * p)

            return go(0, b, b)
            """,
        ],
    ),
}
