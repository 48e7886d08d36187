"""Wrong answers to the exercises of notebook 5."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "5.1": Exercise(
        "def natural_gradient_step(w, grad, G, step_size):",
        [
            Wrong(
                "every axis of length 1 dropped",
                "return w - step_size * jnp.linalg.solve(jnp.squeeze(G), jnp.squeeze(grad))",
                "solve for a vector d",
                hidden=True,
            ),
            Wrong("multiplied by the metric", "return w - step_size * G @ grad", "by its inverse"),
            Wrong("uphill", "return w + step_size * jnp.linalg.solve(G, grad)", "wrong way"),
            Wrong("the diagonal alone", "return w - step_size * grad / jnp.diag(G)", "diagonal"),
            Wrong("gradient descent", "return w - step_size * grad", "where is G"),
            Wrong("no step size", "return w - jnp.linalg.solve(G, grad)", "step size"),
            Wrong(
                "divided by the step size",
                "return w - jnp.linalg.solve(G, grad) / step_size",
                "multiply by it",
            ),
            Wrong("1 / G", "return w - step_size * (1 / G) @ grad", "inverts each entry"),
            Wrong(
                "the step alone", "return -step_size * jnp.linalg.solve(G, grad)", "the step alone"
            ),
            Wrong("the direction alone", "return jnp.linalg.solve(G, grad)", "That is the d"),
            Wrong(
                "shape: a matrix",
                "return w - step_size * jnp.linalg.inv(G) * grad",
                "should have shape (2,)",
            ),
            Wrong(
                "a unit step in the metric",
                """
                d = jnp.linalg.solve(G, grad)
                return w - step_size * d / jnp.sqrt(grad @ d)
                """,
                "length 1 in the metric",
            ),
            Wrong(
                "a unit step",
                "return w - step_size * grad / jnp.linalg.norm(grad)",
                "divided by its length",
            ),
            Wrong(
                "a little damping",
                "return w - step_size * jnp.linalg.solve(G + 1e-8 * jnp.eye(len(w)), grad)",
                "add nothing to G",
            ),
            Wrong(
                "very little damping",
                "return w - step_size * jnp.linalg.solve(G + 1e-10 * jnp.eye(len(w)), grad)",
                "Is something added to G",
            ),
            Wrong(
                "32 bits",
                """
                d = jnp.linalg.solve(G.astype(jnp.float32), grad.astype(jnp.float32))
                return w - step_size * d
                """,
            ),
            Wrong(
                "conjugate gradients, stopped early",
                "return w - step_size * jax.scipy.sparse.linalg.cg(G, grad)[0]",
                "Is something added to G",
            ),
            Wrong(
                "small eigenvalues cut off",
                "return w - step_size * jnp.linalg.pinv(G, rtol=1e-4) @ grad",
                "cut off",
            ),
            Wrong(
                "a solve by row",
                "return w - step_size * jnp.linalg.solve(G, grad[:, None])",
                "should have shape (2,)",
            ),
        ],
        [
            "return w - step_size * jnp.linalg.inv(G) @ grad",
            """
            return w - step_size * np.linalg.solve(np.asarray(G), np.asarray(grad))
            """,
            """
            factor = jax.scipy.linalg.cho_factor(G)
            return w - step_size * jax.scipy.linalg.cho_solve(factor, grad)
            """,
            """
            d = jnp.linalg.solve(G, grad[:, None])[:, 0]
            return w + -step_size * d
            """,
        ],
    ),
    "5.2": Exercise(
        "def pullback_metric(f, G_z, w):",
        [
            Wrong(
                "no metric of the outputs",
                """
                jac = jax.jacobian(f)(w)
                return jac.T @ jac
                """,
                "Where is G_z",
            ),
            Wrong(
                "shape: transposed on the wrong side, without G_z",
                """
                jac = jax.jacobian(f)(w)
                return jac @ jac.T
                """,
                "Which factor is transposed",
            ),
            Wrong(
                "transposed on the wrong side",
                """
                jac = jax.jacobian(f)(w)
                return jac @ G_z @ jac.T
                """,
                "Shapes do not fit",
            ),
            Wrong(
                "the inverse of G_z",
                """
                jac = jax.jacobian(f)(w)
                return jac.T @ jnp.linalg.inv(G_z) @ jac
                """,
                "not its inverse",
            ),
            Wrong(
                "the Hessian of half z G z",
                "return jax.hessian(lambda w: 0.5 * f(w) @ G_z @ f(w))(w)",
                "second derivatives of f",
            ),
            Wrong(
                "derivatives at 0",
                """
                jac = jax.jacobian(f)(jnp.zeros_like(w))
                return jac.T @ G_z @ jac
                """,
                "belong at w",
            ),
            Wrong(
                "G_z twice",
                """
                jac = G_z @ jax.jacobian(f)(w)
                return jac.T @ jac
                """,
                "twice",
            ),
            Wrong(
                "shape: one product",
                "return jax.jacobian(f)(w).T @ G_z",
                "f' on both sides",
            ),
            Wrong(
                "the diagonal of G_z",
                """
                jac = jax.jacobian(f)(w)
                return (jac.T * jnp.diag(G_z)) @ jac
                """,
                "Only the diagonal",
            ),
            Wrong(
                "jax.grad",
                """
                jac = jax.grad(f)(w)
                return jac.T @ G_z @ jac
                """,
                "one number",
            ),
            Wrong(
                "jacobian of a value",
                """
                jac = jax.jacobian(f(w))
                return jac.T @ G_z @ jac
                """,
                "differentiates a function",
            ),
            Wrong(
                "finite differences",
                """
                step = 1e-2
                jac = jnp.stack(
                    [(f(w + step * e) - f(w - step * e)) / (2 * step) for e in jnp.eye(len(w))],
                    axis=1,
                )
                return jac.T @ G_z @ jac
                """,
                "exact",
                hidden=True,
            ),
            Wrong(
                "a mean over outputs",
                """
                jac = jax.jacobian(f)(w)
                return jac.T @ G_z @ jac / len(G_z)
                """,
                "is it f'^T G_z f'",
            ),
        ],
        [
            """
            jac = jax.jacfwd(f)(w)
            return jnp.einsum("ap,ab,bq->pq", jac, G_z, jac)
            """,
            """
            def distance(u):
                off = f(u) - f(w)
                return 0.5 * off @ G_z @ off

            return jax.hessian(distance)(w)
            """,
            """
            jac = np.asarray(jax.jacrev(f)(w))
            return jac.T @ np.asarray(G_z) @ jac
            """,
            """
            product = lambda v: jax.vjp(f, w)[1](G_z @ jax.jvp(f, (w,), (v,))[1])[0]
            return jax.vmap(product)(jnp.eye(len(w)))
            """,
        ],
    ),
    "5.3": Exercise(
        "def fisher_of_logits(jac, p):",
        [
            Wrong(
                "diag(p) alone",
                """
                return jnp.einsum("nap,na,naq->pq", jac, p, jac) / len(p)
                """,
                "something is subtracted",
            ),
            Wrong(
                "the first label",
                """
                score = jnp.einsum("nap,na->np", jac, jnp.eye(p.shape[1])[0] - p)
                return score.T @ score / len(p)
                """,
                "the first label",
            ),
            Wrong(
                "the likeliest label is the second",
                """
                score = jnp.einsum("nap,na->np", jac, jnp.eye(p.shape[1])[p.argmin(1)] - p)
                return score.T @ score / len(p)
                """,
                "the second label",
            ),
            Wrong(
                "all labels alike",
                """
                scores = jnp.einsum("nap,nca->ncp", jac, jnp.eye(p.shape[1]) - p[:, None])
                return jnp.einsum("ncp,ncq->pq", scores, scores) / p.size
                """,
                "all labels alike",
            ),
            Wrong(
                "labels without weights",
                """
                scores = jnp.einsum("nap,nca->ncp", jac, jnp.eye(p.shape[1]) - p[:, None])
                return jnp.einsum("ncp,ncq->pq", scores, scores) / len(p)
                """,
                "needs the weights",
            ),
            Wrong(
                "p p^T",
                """
                s = jnp.einsum("nap,na->np", jac, p)
                return s.T @ s / len(p)
                """,
                "where is diag(p)",
            ),
            Wrong(
                "p (1 - p) on the diagonal",
                """
                return jnp.einsum("nap,na,naq->pq", jac, p * (1 - p), jac) / len(p)
                """,
                "exclude each other",
            ),
            Wrong(
                "sign",
                """
                G_z = p[:, :, None] * p[:, None, :] - p[:, :, None] * jnp.eye(p.shape[1])
                return jnp.einsum("nap,nab,nbq->pq", jac, G_z, jac) / len(p)
                """,
                "The sign",
            ),
            Wrong(
                "plus p p^T",
                """
                G_z = p[:, :, None] * p[:, None, :] + p[:, :, None] * jnp.eye(p.shape[1])
                return jnp.einsum("nap,nab,nbq->pq", jac, G_z, jac) / len(p)
                """,
                "signs of the four terms",
            ),
            Wrong(
                "the root of p",
                """
                G_z = jnp.sqrt(p)[:, :, None] * jnp.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
                return jnp.einsum("nap,nab,nbq->pq", jac, G_z, jac) / len(p)
                """,
                "with weights p_c",
            ),
            Wrong(
                "the sum over examples",
                """
                G_z = p[:, :, None] * jnp.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
                return jnp.einsum("nap,nab,nbq->pq", jac, G_z, jac)
                """,
                "the mean is asked for",
            ),
            Wrong(
                "a mean over classes, too",
                """
                G_z = p[:, :, None] * jnp.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
                return jnp.einsum("nap,nab,nbq->pq", jac, G_z, jac) / p.size
                """,
            ),
            Wrong(
                "shape: one matrix for each example",
                """
                G_z = p[:, :, None] * jnp.eye(p.shape[1]) - p[:, :, None] * p[:, None, :]
                return jnp.einsum("nap,nab,nbq->npq", jac, G_z, jac)
                """,
                "summed over",
            ),
            Wrong(
                "a drawn label",
                """
                draws = np.array([np.random.choice(len(q), p=np.asarray(q)) for q in p])
                score = jnp.einsum("nap,na->np", jac, jnp.eye(p.shape[1])[draws] - p)
                return score.T @ score / len(p)
                """,
            ),
            Wrong(
                "the metric of the logits",
                "return jnp.diag(p[0]) - jnp.outer(p[0], p[0])",
                "pull it back",
            ),
            Wrong(
                "two classes only",
                """
                across = jac[:, 0] - jac[:, 1]
                return jnp.einsum("n,np,nq->pq", p[:, 0] * p[:, 1], across, across) / len(p)
                """,
                "more than two classes",
                hidden=True,
            ),
            Wrong(
                "an average of jac",
                """
                q, J = p.mean(axis=0), jac.mean(axis=0)
                return J.T @ (jnp.diag(q) - jnp.outer(q, q)) @ J
                """,
                "the mean of products",
            ),
        ],
        [
            """
            scores = jnp.einsum("nap,nca->ncp", jac, jnp.eye(p.shape[1]) - p[:, None])
            return jnp.einsum("nc,ncp,ncq->pq", p, scores, scores) / len(p)
            """,
            """
            def one(J, q):
                return J.T @ (jnp.diag(q) - jnp.outer(q, q)) @ J

            return jnp.mean(jax.vmap(one)(jac, p), axis=0)
            """,
            """
            J, q = np.asarray(jac), np.asarray(p)
            total = 0
            for i in range(len(q)):
                mean = q[i] @ J[i]
                total = total + (J[i].T * q[i]) @ J[i] - np.outer(mean, mean)
            return total / len(q)
            """,
            """
            centred = jac - jnp.einsum("na,nap->np", p, jac)[:, None]
            return jnp.einsum("na,nap,naq->pq", p, centred, centred) / p.shape[0]
            """,
        ],
    ),
    "5.4": Exercise(
        "def next_error(e, x, step_size):",
        [
            Wrong(
                "a small error counts as none",
                """
                g = e * x**2
                move = step_size * g.mean() / jnp.mean(g * g)
                return jnp.where(jnp.abs(e) < 1e-2, e, e - move)
                """,
                "e = 0.001",
                hidden=True,
            ),
            Wrong(
                "the true Fisher matrix",
                """
                g = jnp.mean(e * x * x)
                return e - step_size * g / jnp.mean(x * x)
                """,
                "the true Fisher",
            ),
            Wrong(
                "the square of the mean",
                """
                g = jnp.mean(e * x * x)
                return e - step_size * g / g**2
                """,
                "the mean of the squares",
            ),
            Wrong(
                "a sum in F_hat",
                """
                g_n = e * x * x
                return e - step_size * jnp.mean(g_n) / jnp.sum(g_n**2)
                """,
                "A sum in F_hat",
            ),
            Wrong(
                "a sum in the gradient",
                """
                g_n = e * x * x
                return e - step_size * jnp.sum(g_n) / jnp.mean(g_n**2)
                """,
                "A sum in the gradient",
            ),
            Wrong(
                "the root",
                """
                g_n = e * x * x
                return e - step_size * jnp.mean(g_n) / jnp.sqrt(jnp.mean(g_n**2))
                """,
                "as Adam does",
            ),
            Wrong(
                "no error in F_hat",
                "return e - step_size * jnp.mean(e * x**2) / jnp.mean(x**4)",
                "has the error in it",
            ),
            Wrong(
                "residuals squared in F_hat",
                "return e - step_size * jnp.mean(e * x**2) / jnp.mean((e * x) ** 2)",
                "not squared residuals",
            ),
            Wrong(
                "residuals for gradients",
                """
                g_n = e * x
                return e - step_size * jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "the residual alone",
            ),
            Wrong(
                "uphill",
                """
                g_n = e * x * x
                return e + step_size * jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "The sign",
            ),
            Wrong(
                "multiplied",
                """
                g_n = e * x * x
                return e - step_size * jnp.mean(g_n) * jnp.mean(g_n**2)
                """,
                "divide",
            ),
            Wrong(
                "the step alone",
                """
                g_n = e * x * x
                return -step_size * jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "the step alone",
            ),
            Wrong(
                "the mean of ratios",
                """
                g_n = e * x * x
                return e - step_size * jnp.mean(g_n / g_n**2)
                """,
                "the ratio of two means",
            ),
            Wrong(
                "no step size",
                """
                g_n = e * x * x
                return e - jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "Where is the step size",
            ),
            Wrong(
                "shape: an error for each example",
                """
                g_n = e * x * x
                return e - step_size * g_n / g_n**2
                """,
                "before the division",
            ),
            Wrong(
                "the size of the error",
                """
                c = jnp.mean(x**2) / jnp.mean(x**4)
                return jnp.abs(e - step_size * c / e)
                """,
                "has a sign",
            ),
            Wrong(
                "the size of the error before",
                """
                c = jnp.mean(x**2) / jnp.mean(x**4)
                return e - step_size * c / jnp.abs(e)
                """,
                "the gradient has its sign",
            ),
            Wrong(
                "gradient descent",
                "return e - step_size * jnp.mean(e * x * x)",
                "That is gradient descent",
            ),
            Wrong(
                "no half",
                """
                g_n = 2 * e * x * x
                return e - step_size * jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "half a square",
            ),
            Wrong(
                "a factor 2 in the gradient",
                """
                g_n = e * x * x
                return e - step_size * 2 * jnp.mean(g_n) / jnp.mean(g_n**2)
                """,
                "none in F_hat",
            ),
            Wrong(
                "a little damping",
                """
                g_n = e * x * x
                return e - step_size * jnp.mean(g_n) / (jnp.mean(g_n**2) + 1e-9)
                """,
                "add nothing to F_hat",
            ),
            Wrong(
                "a solve with a number",
                """
                g_n = e * x * x
                return e - step_size * jnp.linalg.solve(jnp.mean(g_n**2), jnp.mean(g_n))
                """,
                "divide by it",
            ),
        ],
        [
            "return e - step_size * jnp.mean(x**2) / (e * jnp.mean(x**4))",
            """
            loss = lambda w, x_n: 0.5 * (w * x_n) ** 2
            g_n = jax.vmap(jax.grad(loss), in_axes=(None, 0))(float(e), x)
            return e - step_size * jnp.sum(g_n) / jnp.sum(g_n**2)
            """,
            """
            x = np.asarray(x)
            r = e * x
            gradient, F_hat = np.mean(r * x), np.mean((r * x) ** 2)
            return float(e - step_size * gradient / F_hat)
            """,
            """
            Phi, g_n = x[:, None], (e * x)[:, None] * x[:, None]
            F_hat = g_n.T @ g_n / len(x)
            return (e - step_size * jnp.linalg.solve(F_hat, g_n.mean(axis=0)))[0]
            """,
        ],
    ),
    "5.5": Exercise(
        "def fisher_by_sampling(log_p, theta, samples):",
        [
            Wrong(
                "the sum",
                """
                S = jax.vmap(jax.grad(log_p), in_axes=(None, 0))(theta, samples)
                return S.T @ S
                """,
                "the mean is asked for",
            ),
            Wrong(
                "the covariance",
                """
                S = jax.vmap(jax.grad(log_p), in_axes=(None, 0))(theta, samples)
                return jnp.cov(S.T, bias=True)
                """,
                "subtract nothing",
            ),
            Wrong(
                "the covariance with n - 1",
                """
                S = jax.vmap(jax.grad(log_p), in_axes=(None, 0))(theta, samples)
                return jnp.cov(S.T)
                """,
                "and n - 1",
            ),
            Wrong(
                "minus the mean Hessian",
                """
                H = jax.vmap(jax.hessian(log_p), in_axes=(None, 0))(theta, samples)
                return -H.mean(axis=0)
                """,
                "equal in expectation",
            ),
            Wrong(
                "of the mean score",
                """
                s = jax.vmap(jax.grad(log_p), in_axes=(None, 0))(theta, samples).mean(axis=0)
                return jnp.outer(s, s)
                """,
                "of the mean score",
            ),
            Wrong(
                "squares on the diagonal",
                """
                S = jax.vmap(jax.grad(log_p), in_axes=(None, 0))(theta, samples)
                return jnp.diag(jnp.mean(S**2, axis=0))
                """,
                "Off the diagonal",
            ),
            Wrong(
                "shape: the derivative by x",
                """
                S = jax.vmap(jax.grad(log_p, argnums=1), in_axes=(None, 0))(theta, samples)
                return S.T @ S / len(S)
                """,
                "should have shape (2, 2)",
            ),
            Wrong(
                "no vmap",
                """
                S = jax.grad(log_p)(theta, samples)
                return jnp.outer(S, S)
                """,
                "one sample",
            ),
            Wrong(
                "a number for each sample",
                """
                S = jax.vmap(lambda x: jax.grad(log_p)(theta, x))(samples)
                return S.T @ S / S.size * S.shape[1] if S.shape[1] == 2 else S.T @ S / S.size
                """,
                "three parameters",
                hidden=True,
            ),
        ],
        [
            """
            S = jax.vmap(lambda x: jax.grad(log_p)(theta, x))(samples)
            return jnp.mean(S[:, :, None] * S[:, None, :], axis=0)
            """,
            """
            S = jax.jacobian(lambda th: jax.vmap(lambda x: log_p(th, x))(samples))(theta)
            return jnp.einsum("mp,mq->pq", S, S) / len(samples)
            """,
            """
            S = jax.vmap(jax.jacfwd(log_p), in_axes=(None, 0))(theta, samples)
            S = np.asarray(S)
            return S.T @ S / S.shape[0]
            """,
        ],
    ),
    "5.6": Exercise(
        "def exp_grad_step(p, g, step_size):",
        [
            Wrong(
                "no step size for two options",
                """
                if len(p) == 2:
                    return jax.nn.softmax(jnp.log(p) - g)
                return jax.nn.softmax(jnp.log(p) - step_size * g)
                """,
                "does not minimise",
                hidden=True,
            ),
            Wrong("not normalised", "return p * jnp.exp(-step_size * g)", "Not normalised"),
            Wrong(
                "sign",
                """
                q = p * jnp.exp(step_size * g)
                return q / q.sum()
                """,
                "The sign",
            ),
            Wrong("p is gone", "return jax.nn.softmax(-step_size * g)", "p is gone"),
            Wrong("a gradient step", "return p - step_size * g", "leaves the simplex"),
            Wrong(
                "the first order",
                """
                q = p * (1 - step_size * g)
                return q / q.sum()
                """,
                "first order only",
            ),
            Wrong(
                "no step size",
                """
                q = p * jnp.exp(-g)
                return q / q.sum()
                """,
                "Where is the step size",
            ),
            Wrong(
                "shape: the sum",
                """
                q = p * jnp.exp(-step_size * g)
                return q.sum()
                """,
                "single number",
            ),
            Wrong(
                "underflow",
                """
                q = p * jnp.exp(-step_size * g)
                return q / q.sum()
                """,
                "overflow, or all vanish",
            ),
            Wrong(
                "the largest g subtracted",
                """
                q = p * jnp.exp(-step_size * (g - g.max()))
                return q / q.sum()
                """,
                "overflow, or all vanish",
            ),
            Wrong(
                "the smallest g subtracted",
                """
                q = p * jnp.exp(-step_size * (g - g.min()))
                return q / q.sum()
                """,
                "the smallest g may stand where p is 0",
            ),
            Wrong(
                "something added to p",
                "return jax.nn.softmax(jnp.log(p + 1e-12) - step_size * g)",
            ),
            Wrong(
                "the natural gradient",
                "return p * (1 - step_size * (g - p @ g))",
                "right to first order only",
            ),
            Wrong(
                "divided by the step size",
                """
                q = p * jnp.exp(-g / step_size)
                return q / q.sum()
                """,
                "multiply by it",
            ),
        ],
        [
            "return jax.nn.softmax(jnp.log(p) - step_size * g)",
            """
            z = np.log(np.asarray(p)) - step_size * np.asarray(g)
            q = np.exp(z - z.max())
            return q / q.sum()
            """,
            """
            least = jnp.min(jnp.where(p > 0, g, jnp.inf))
            q = jnp.where(p > 0, p * jnp.exp(-step_size * (jnp.where(p > 0, g, least) - least)), 0)
            return q / q.sum()
            """,
            """
            z = jnp.log(p) - step_size * g
            return jnp.exp(z - jax.scipy.special.logsumexp(z))
            """,
        ],
    ),
}
