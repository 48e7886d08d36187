"""Wrong answers to the exercises of notebook 20."""

from wrong_answers import Exercise, Wrong


def traced(dots="k,ktp,knp->tn", over="slopes.shape[1]", sign=""):
    """An answer to 20.4 with one part replaced."""
    return f"""
dots = np.einsum("{dots}", step_sizes, slopes_t, slopes)
return {sign}dots / {over}
"""


EXERCISES = {
    "20.1": Exercise(
        "def arnoldi_scores(h, Q, slopes_t, slopes, strength, k):",
        [
            Wrong(
                "-k: for k = 0",
                """
                weights = slopes_t @ Q[:, -k:] / (h[-k:] + strength)
                return weights @ (slopes @ Q[:, -k:]).T / len(slopes)
                """,
                "what does -k: take",
                hidden=True,
            ),
            Wrong(
                "the flattest",
                """
                weights = slopes_t @ Q[:, :k] / (h[:k] + strength)
                return weights @ (slopes @ Q[:, :k]).T / len(slopes)
                """,
                "flattest direction",
            ),
            Wrong(
                "no 1/n",
                """
                first = len(h) - k
                U = Q[:, first:]
                return (slopes_t @ U / (h[first:] + strength)) @ (slopes @ U).T
                """,
                "1/n is missing",
            ),
            Wrong(
                "no strength",
                """
                first = len(h) - k
                U = Q[:, first:]
                return (slopes_t @ U / h[first:]) @ (slopes @ U).T / len(slopes)
                """,
                "belongs to h",
            ),
            Wrong(
                "strength outside",
                """
                first = len(h) - k
                U = Q[:, first:]
                inverse = 1 / h[first:] + strength
                return (slopes_t @ U * inverse) @ (slopes @ U).T / len(slopes)
                """,
                "not to 1/h",
            ),
            Wrong(
                "times h",
                """
                first = len(h) - k
                U = Q[:, first:]
                return (slopes_t @ U * (h[first:] + strength)) @ (slopes @ U).T / len(slopes)
                """,
                "is multiplied",
            ),
            Wrong(
                "no inverse",
                """
                U = Q[:, len(h) - k :]
                return slopes_t @ U @ (slopes @ U).T / len(slopes)
                """,
                "it is missing",
            ),
            Wrong(
                "rows of Q",
                """
                first = len(h) - k
                U = Q[first:].T
                return (slopes_t @ U / (h[first:] + strength)) @ (slopes @ U).T / len(slopes)
                """,
                "a column of Q",
            ),
            Wrong(
                "all directions",
                "return (slopes_t @ Q / (h + strength)) @ (slopes @ Q).T / len(slopes)",
                "only the k steepest",
            ),
            Wrong(
                "the rest kept",
                """
                first = len(h) - k
                U = Q[:, first:]
                steep = (slopes_t @ U / (h[first:] + strength)) @ (slopes @ U).T
                rest = slopes_t @ slopes.T - slopes_t @ U @ (slopes @ U).T
                return (steep + rest / strength) / len(slopes)
                """,
                "counts as 0",
            ),
            Wrong(
                "sign",
                """
                first = len(h) - k
                U = Q[:, first:]
                return -(slopes_t @ U / (h[first:] + strength)) @ (slopes @ U).T / len(slopes)
                """,
                "The sign",
            ),
            Wrong(
                "shape: transposed",
                """
                first = len(h) - k
                U = Q[:, first:]
                return (slopes @ U / (h[first:] + strength)) @ (slopes_t @ U).T / len(slopes)
                """,
                "training examples in rows",
            ),
        ],
        [
            """
            p = len(h)
            inverse = np.where(np.arange(p) >= p - k, 1 / (h + strength), 0)
            return slopes_t @ (Q * inverse) @ Q.T @ slopes.T / slopes.shape[0]
            """,
            """
            order = jnp.argsort(-jnp.asarray(h))[:k]
            U, top = jnp.asarray(Q)[:, order], jnp.asarray(h)[order]
            left, right = jnp.asarray(slopes_t) @ U, jnp.asarray(slopes) @ U
            return jnp.einsum("tk,k,nk->tn", left, 1 / (top + strength), right) / len(slopes)
            """,
            """
            total = np.zeros((len(slopes_t), len(slopes)))
            for j in range(len(h) - k, len(h)):
                q = Q[:, j]
                total += np.outer(slopes_t @ q, slopes @ q) / (h[j] + strength)
            return (total / len(slopes)).tolist()
            """,
        ],
    ),
    "20.2": Exercise(
        "def lds(scores, kept, measured):",
        [
            Wrong(
                "ties by their order",
                """
                ranks = lambda x: np.argsort(np.argsort(x))
                predicted = ~kept @ scores.T
                pairs = zip(predicted.T, measured.T)
                return np.array([np.corrcoef(ranks(a), ranks(b))[0, 1] for a, b in pairs])
                """,
                "mean of their ranks",
                hidden=True,
            ),
            Wrong(
                "those kept",
                """
                pairs = zip((kept @ scores.T).T, measured.T)
                return np.array([np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
                """,
                "left out",
            ),
            Wrong(
                "Pearson",
                """
                pairs = zip((~kept @ scores.T).T, measured.T)
                return np.array([np.corrcoef(a, b)[0, 1] for a, b in pairs])
                """,
                "Pearson",
            ),
            Wrong(
                "argsort once",
                """
                pairs = zip((~kept @ scores.T).T, measured.T)
                return np.array([np.corrcoef(np.argsort(a), np.argsort(b))[0, 1] for a, b in pairs])
                """,
                "not the ranks",
            ),
            Wrong(
                "sign",
                """
                pairs = zip((~kept @ scores.T).T, measured.T)
                return np.array([-np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
                """,
                "left out",  # the same number as for those kept, where sizes are equal
            ),
            Wrong(
                "means over those left out",
                """
                predicted = (~kept @ scores.T) / (~kept).sum(axis=1, keepdims=True)
                pairs = zip(predicted.T, measured.T)
                return np.array([np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
                """,
                "Mean over those left out",
            ),
            Wrong(
                "shape: the mean",
                """
                pairs = zip((~kept @ scores.T).T, measured.T)
                return np.mean([np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
                """,
                "their mean",
            ),
            Wrong(
                "shape: pooled",
                """
                predicted = ~kept @ scores.T
                return np.corrcoef(rankdata(predicted), rankdata(measured))[0, 1]
                """,
            ),
            Wrong(
                "shape: over the tests",
                """
                pairs = zip(~kept @ scores.T, measured)
                with np.errstate(all="ignore"):
                    return np.array([np.corrcoef(rankdata(a), rankdata(b))[0, 1] for a, b in pairs])
                """,
            ),
        ],
        [
            """
            from scipy.stats import spearmanr

            out = 1.0 - kept
            return [spearmanr(out @ row, column)[0] for row, column in zip(scores, measured.T)]
            """,
            """
            predicted = jnp.where(jnp.asarray(kept)[:, None], 0, jnp.asarray(scores)).sum(axis=2)
            a, b = (rankdata(np.asarray(x), axis=0) for x in (predicted, measured))
            a, b = a - a.mean(axis=0), b - b.mean(axis=0)
            return (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
            """,
            """
            predicted = scores.sum(axis=1) - kept @ scores.T
            found = np.empty(len(scores))
            for t in range(len(scores)):
                a, b = np.round(predicted[:, t], 9), measured[:, t]
                found[t] = np.corrcoef(rankdata(a), rankdata(b))[0, 1]
            return found
            """,
        ],
    ),
    "20.3": Exercise(
        "def ekfac_eigenvalues(a, s, P, Q_A, Q_S):",
        [
            Wrong(
                "variances",
                """
                s = s @ Q_S
                mean = np.einsum("nc,nco->no", P, s)
                spread = np.einsum("nc,nco->no", P, s**2) - mean**2
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, spread) / len(a)
                """,
                "not variances",
                hidden=True,
            ),
            Wrong(
                "product of means",
                """
                power = np.einsum("nc,nco->o", P, (s @ Q_S) ** 2) / len(a)
                return np.outer(((a @ Q_A) ** 2).mean(axis=0), power)
                """,
                "product of two means",
            ),
            Wrong(
                "sum over examples",
                'return np.einsum("ni,nc,nco->io", (a @ Q_A) ** 2, P, (s @ Q_S) ** 2)',
                "not their sum",
            ),
            Wrong(
                "labels alike",
                """
                power = ((s @ Q_S) ** 2).mean(axis=1)
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, power) / len(a)
                """,
                "all alike",
            ),
            Wrong(
                "labels summed",
                """
                power = ((s @ Q_S) ** 2).sum(axis=1)
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, power) / len(a)
                """,
                "yours sums them",
            ),
            Wrong(
                "P squared",
                """
                power = ((P[..., None] * (s @ Q_S)) ** 2).sum(axis=1)
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, power) / len(a)
                """,
                "not squared",
            ),
            Wrong(
                "Q_A a",
                """
                power = np.einsum("nc,nco->no", P, (s @ Q_S) ** 2)
                return np.einsum("ni,no->io", (a @ Q_A.T) ** 2, power) / len(a)
                """,
                "columns of Q_A",
            ),
            Wrong(
                "Q_S s",
                """
                power = np.einsum("nc,nco->no", P, (s @ Q_S.T) ** 2)
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, power) / len(a)
                """,
                "columns of Q_S",
            ),
            Wrong(
                "means before squares",
                """
                mean = np.einsum("nc,nco->no", P, s @ Q_S)
                return np.einsum("ni,no->io", (a @ Q_A) ** 2, mean**2) / len(a)
                """,
                "before means",
            ),
            Wrong(
                "no axes",
                """
                power = np.einsum("nc,nco->no", P, s**2)
                return np.einsum("ni,no->io", a**2, power) / len(a)
                """,
                "not in the axes",
            ),
            Wrong(
                "shape: outputs first",
                """
                power = np.einsum("nc,nco->no", P, (s @ Q_S) ** 2)
                return np.einsum("ni,no->oi", (a @ Q_A) ** 2, power) / len(a)
                """,
                "Inputs first",
            ),
        ],
        [
            """
            total = 0
            for x, rows, shares in zip(a, s, P):
                total = total + np.outer((Q_A.T @ x) ** 2, shares @ (rows @ Q_S) ** 2)
            return total / len(a)
            """,
            """
            g = jnp.einsum("ni,nco->ncio", jnp.asarray(a) @ Q_A, jnp.asarray(s) @ Q_S)
            return jnp.mean(jnp.sum(jnp.asarray(P)[:, :, None, None] * g**2, axis=1), axis=0)
            """,
            """
            grads = np.einsum("ni,nco->ncio", a, s).reshape(len(a), -1, len(Q_A) * len(Q_S))
            F = np.einsum("nc,ncx,ncy->xy", P, grads, grads) / len(a)
            basis = np.kron(Q_A, Q_S)
            return np.diag(basis.T @ F @ basis).reshape(len(Q_A), -1)
            """,
        ],
    ),
    "20.4": Exercise(
        "def tracin(slopes_t, slopes, step_sizes):",
        [
            Wrong(
                "by the number of tests",
                traced(over="slopes_t.shape[1]"),
                "number of tests",
                hidden=True,
            ),
            Wrong(
                "no 1/n",
                'return np.einsum("k,ktp,knp->tn", step_sizes, slopes_t, slopes)',
                "1/n is missing",
            ),
            Wrong(
                "no step sizes",
                'return np.einsum("ktp,knp->tn", slopes_t, slopes) / slopes.shape[1]',
                "step sizes are missing",
            ),
            Wrong(
                "one step size",
                """
                dots = np.einsum("ktp,knp->tn", slopes_t, slopes)
                return step_sizes[0] * dots / slopes.shape[1]
                """,
                "first for all",
            ),
            Wrong(
                "mean over checkpoints",
                traced(over="slopes.shape[1] / len(step_sizes)"),
                "not a mean",
            ),
            Wrong(
                "sign",
                traced(sign="-"),
                "The sign",
            ),
            Wrong(
                "the last alone",
                "return step_sizes[-1] * slopes_t[-1] @ slopes[-1].T / slopes.shape[1]",
                "last checkpoint",
            ),
            Wrong(
                "sums first",
                """
                steps = np.einsum("k,knp->np", step_sizes, slopes)
                return slopes_t.sum(axis=0) @ steps.T / slopes.shape[1]
                """,
                "sums the gradients first",
            ),
            Wrong(
                "turned round",
                traced("k,ktp,knp->nt"),
                "turned round",
            ),
            Wrong(
                "shape: checkpoints apart",
                traced("k,ktp,knp->ktn"),
                "keeps them apart",
            ),
            Wrong(
                "shape: tests summed",
                """
                dots = np.einsum("k,ktp,knp->n", step_sizes, slopes_t, slopes)
                return dots / slopes.shape[1]
                """,
                "sums over the tests",
            ),
        ],
        [
            """
            parts = step_sizes[:, None, None] * (slopes_t @ slopes.transpose(0, 2, 1))
            return parts.sum(axis=0) / slopes.shape[1]
            """,
            """
            total = 0
            for step, a, b in zip(step_sizes, slopes_t, slopes):
                total = total + step * np.inner(a, b)
            return total / slopes.shape[1]
            """,
            """
            one = jax.vmap(lambda step, a, b: step * a @ b.T)
            return jnp.mean(one(step_sizes, slopes_t, slopes) * len(step_sizes), 0) / len(slopes[0])
            """,
        ],
    ),
}
