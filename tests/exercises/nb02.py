"""Wrong answers to the exercises of notebook 2."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "2.1": Exercise(
        "def standardize(X_train, X_test):",
        [
            Wrong(
                "0 / 0 for a constant column",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "constant: 0 / 0",
            ),
            Wrong(
                "the test set by its own statistics",
                """
                def one(X):
                    deviation = np.where(np.ptp(X, axis=0) == 0, 1, X.std(axis=0))
                    return (X - X.mean(axis=0)) / deviation

                return one(X_train), one(X_test)
                """,
                "their own statistics",
            ),
            Wrong(
                "statistics of all data",
                """
                X = np.concatenate([X_train, X_test])
                mu, deviation = X.mean(axis=0), X.std(axis=0)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "test rows were counted",
            ),
            Wrong(
                "1/(N-1)",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0, ddof=1)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "1/N in it",
            ),
            Wrong(
                "the variance",
                """
                mu, deviation = X_train.mean(axis=0), X_train.var(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "the variance",
            ),
            Wrong(
                "only centred",
                "return X_train - X_train.mean(axis=0), X_test - X_train.mean(axis=0)",
                "centred, not scaled",
            ),
            Wrong(
                "only scaled",
                """
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, X_train.std(axis=0))
                return X_train / deviation, X_test / deviation
                """,
                "scaled, not centred",
            ),
            Wrong(
                "one mean for all columns",
                """
                mu, deviation = X_train.mean(), X_train.std()
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "per column",
            ),
            Wrong(
                "a small number for safety",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0) + 1e-12
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "constant feature is only centred",
            ),
            Wrong(
                "deviation exactly 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(deviation == 0, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "by rounding",
            ),
            Wrong(
                "in place",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                X_train -= mu
                X_test -= mu
                return X_train / deviation, X_test / deviation
                """,
                "works in place",
            ),
            Wrong(
                "shape: the training set alone",
                """
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, X_train.std(axis=0))
                return (X_train - X_train.mean(axis=0)) / deviation
                """,
                "Return two arrays",
            ),
            Wrong(
                "small deviations taken for 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(deviation < 0.1, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "0.01 is no 0",
                hidden=True,
            ),
        ],
        [
            """
            from sklearn.preprocessing import StandardScaler

            scaler = StandardScaler().fit(X_train)
            return scaler.transform(X_train), scaler.transform(X_test)
            """,
            """
            columns = []
            for train, test in zip(X_train.T, X_test.T):
                scale = 1.0 if (train == train[0]).all() else train.std()
                columns.append([(part - train.mean()) / scale for part in (train, test)])
            return [np.stack(part, axis=1) for part in zip(*columns)]
            """,
        ],
    ),
    "2.2": Exercise(
        "def whiten(X_train, X_test):",
        [
            Wrong(
                "standardised",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "Standardised: ",
            ),
            Wrong(
                "not divided",
                """
                mu = X_train.mean(axis=0)
                Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))[1]
                return (X_train - mu) @ Q, (X_test - mu) @ Q
                """,
                "Turned, but not divided",
            ),
            Wrong(
                "divided by h",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q / h, (X_test - mu) @ Q / h
                """,
                "Divided by h",
            ),
            Wrong(
                "Q transposed",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q.T / np.sqrt(h), (X_test - mu) @ Q.T / np.sqrt(h)
                """,
                "turned by Q (its columns)",
            ),
            Wrong(
                "N - 1",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T))
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "Divide by N, not N - 1",
            ),
            Wrong(
                "not centred",
                """
                h, Q = np.linalg.eigh(X_train.T @ X_train / len(X_train))
                return X_train @ Q / np.sqrt(h), X_test @ Q / np.sqrt(h)
                """,
                "mean not 0",
            ),
            Wrong(
                "no root of N",
                """
                mu = X_train.mean(axis=0)
                U, size, Qt = np.linalg.svd(X_train - mu, full_matrices=False)
                return U, (X_test - mu) @ Qt.T / size
                """,
                "Too small by sqrt(N)",
            ),
            Wrong(
                "the test set by its own mean",
                """
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return tuple((X - X.mean(axis=0)) @ Q / np.sqrt(h) for X in (X_train, X_test))
                """,
                "use the training mean",
            ),
            Wrong(
                "the test set left as it is",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q / np.sqrt(h), X_test
                """,
                "the same matrix",
            ),
            Wrong(
                "shape: examples in columns",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return tuple((((X - mu) @ Q) / np.sqrt(h)).T for X in (X_train, X_test))
                """,
                "keeps the shape of X_train",
            ),
            Wrong(
                "N of the visible cases",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh((X_train - mu).T @ (X_train - mu) / 60)
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "len(X_train)",
                hidden=True,
            ),
        ],
        [
            """
            mu = X_train.mean(axis=0)
            root = np.linalg.cholesky(np.cov(X_train.T, ddof=0))
            return tuple(np.linalg.solve(root, (X - mu).T).T for X in (X_train, X_test))
            """,
            """
            mu = X_train.mean(axis=0)
            U, size, Qt = np.linalg.svd(X_train - mu, full_matrices=False)
            N = len(X_train)
            return np.sqrt(N) * U, np.sqrt(N) * ((X_test - mu) @ Qt.T) / size
            """,
            """
            mu = jnp.mean(X_train, axis=0)
            h, Q = jnp.linalg.eigh(jnp.cov(X_train.T, ddof=0))
            half = Q @ jnp.diag(h**-0.5) @ Q.T
            return (X_train - mu) @ half, (X_test - mu) @ half
            """,
        ],
    ),
    "2.3": Exercise(
        "def min_norm_ls(Phi, t):",
        [
            Wrong(
                "the normal equations",
                "return np.linalg.solve(Phi.T @ Phi, Phi.T @ t)",
                "no inverse",
            ),
            Wrong(
                "multiplied by the singular values",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U.T @ t) * size)
                """,
                "Multiplied, not divided",
            ),
            Wrong(
                "not divided",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ (U.T @ t)
                """,
                "Not divided by size",
            ),
            Wrong(
                "divided twice",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U.T @ t) / size**2)
                """,
                "Divided by size twice",
            ),
            Wrong(
                "tiny singular values kept",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U.T @ t) / size)
                """,
                "leave it out",
            ),
            Wrong(
                "an absolute limit",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                keep = size > 1e-10
                return Qt[keep].T @ ((U[:, keep].T @ t) / size[keep])
                """,
                "Compare with the largest",
            ),
            Wrong(
                "the limit for squares",
                """
                h, Q = np.linalg.eigh(Phi.T @ Phi)
                keep = h > 1e-10 * h.max()
                return Q[:, keep] @ (Q[:, keep].T @ (Phi.T @ t) / h[keep])
                """,
                "small, but no 0",
            ),
            Wrong(
                "a fit that is not the shortest",
                """
                N, D = Phi.shape
                if N >= D:
                    return np.linalg.pinv(Phi) @ t
                return np.append(np.linalg.solve(Phi[:, :N], t), np.zeros(D - N))
                """,
                "a shorter solution",
            ),
            Wrong("sign", "return -np.linalg.pinv(Phi, rcond=1e-10) @ t", "The sign"),
            Wrong(
                "shape: a column",
                "return np.linalg.pinv(Phi, rcond=1e-10) @ t[:, None]",
                "One array",
            ),
            Wrong(
                "the last singular value alone may be 0",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                rank = len(size) - (size[-1] <= 1e-10 * size[0])
                return Qt[:rank].T @ ((U[:, :rank].T @ t) / size[:rank])
                """,
                "any number of singular values",
                hidden=True,
            ),
        ],
        [
            "return np.linalg.pinv(Phi, rcond=1e-10) @ t",
            "return np.linalg.lstsq(Phi, t, rcond=1e-10)[0]",
            """
            U, size, Qt = jnp.linalg.svd(jnp.asarray(Phi), full_matrices=False)
            inverse = jnp.where(size > 1e-10 * size[0], 1 / size, 0)
            return Qt.T @ (inverse * (U.T @ t))
            """,
        ],
    ),
    "2.4": Exercise(
        "def expected_min_norm_risk(N, D, noise, norm_w):",
        [
            Wrong(
                "noise not squared",
                """
                if N > D + 1:
                    return noise * D / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 * (1 - N / D) + noise * N / (D - N - 1)
                return np.inf
                """,
                "noise squared",
            ),
            Wrong(
                "N - D",
                """
                if N > D:
                    return noise**2 * D / (N - D)
                if N < D:
                    return norm_w**2 * (1 - N / D) + noise**2 * N / (D - N)
                return np.inf
                """,
                "Where is the 1 of N - D - 1?",
            ),
            Wrong(
                "N in place of D",
                """
                if N > D + 1:
                    return noise**2 * N / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 * (1 - N / D) + noise**2 * D / (D - N - 1)
                return np.inf
                """,
                "D directions carry noise",
            ),
            Wrong(
                "the noise of the test targets",
                """
                if N > D + 1:
                    return noise**2 * (1 + D / (N - D - 1))
                if N < D - 1:
                    return norm_w**2 * (1 - N / D) + noise**2 * (1 + N / (D - N - 1))
                return np.inf
                """,
                "Without the noise of a new target",
            ),
            Wrong(
                "norm_w not squared",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1)
                if N < D - 1:
                    return norm_w * (1 - N / D) + noise**2 * N / (D - N - 1)
                return np.inf
                """,
                "norm_w squared",
            ),
            Wrong(
                "the share that is seen",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 * N / D + noise**2 * N / (D - N - 1)
                return np.inf
                """,
                "the share that is seen",
            ),
            Wrong(
                "no noise for few examples",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 * (1 - N / D)
                return np.inf
                """,
                "noise as well",
            ),
            Wrong(
                "not exchanged on top",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 * (1 - N / D) + noise**2 * D / (D - N - 1)
                return np.inf
                """,
                "Exchange N and D on top",
            ),
            Wrong(
                "infinite at N = D alone",
                """
                if N > D:
                    return noise**2 * D / (N - D - 1)
                if N < D:
                    return norm_w**2 * (1 - N / D) + noise**2 * N / (D - N - 1)
                return np.inf
                """,
                "At N = D - 1 and D + 1, too",
            ),
            Wrong(
                "shape: the two parts",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1), 0.0
                if N < D - 1:
                    return norm_w**2 * (1 - N / D), noise**2 * N / (D - N - 1)
                return np.inf
                """,
                "One number",
            ),
            Wrong(
                "a peak at 10 weights alone",
                """
                if D == 10 and 9 <= N <= 11:
                    return np.inf
                if N > D:
                    return noise**2 * D / max(N - D - 1, 1)
                return norm_w**2 * (1 - N / D) + noise**2 * N / max(D - N - 1, 1)
                """,
                "D = 30",
                hidden=True,
            ),
        ],
        [
            """
            if abs(N - D) <= 1:
                return float("inf")
            few, many = sorted((N, D))
            return max(0, 1 - N / D) * norm_w**2 + noise**2 * few / (many - few - 1)
            """,
            "return dynamics.min_norm_risk(N, D, noise=noise, norm_w=norm_w)",
        ],
    ),
}
