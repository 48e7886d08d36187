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
                "vary, if little",
            ),
            Wrong(
                "shape: statistics per row",
                """
                mu, deviation = X_train.mean(axis=1), X_train.std(axis=1)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "one number per column of X_train",
            ),
            Wrong(
                "statistics per row",
                """
                def one(X):
                    return (X - X.mean(axis=1, keepdims=True)) / X.std(axis=1, keepdims=True)

                return one(X_train), one(X_test)
                """,
                "statistics per row",
            ),
            Wrong(
                "the mean is not divided",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return X_train / deviation - mu, X_test / deviation - mu
                """,
                "First the mean",
            ),
            Wrong(
                "the test set by its own mean alone",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return (X_train - mu) / deviation, (X_test - X_test.mean(axis=0)) / deviation
                """,
                "statistics",
            ),
            Wrong(
                "the test set left as it is",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return (X_train - mu) / deviation, X_test
                """,
                "left as it is",
            ),
            Wrong(
                "nan made 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                return (
                    np.nan_to_num((X_train - mu) / deviation),
                    np.nan_to_num((X_test - mu) / deviation),
                )
                """,
                "only centred",
            ),
            Wrong(
                "a constant feature made 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                varies = np.ptp(X_train, axis=0) > 0
                deviation = np.where(varies, deviation, 1)
                return (X_train - mu) * varies / deviation, (X_test - mu) * varies / deviation
                """,
                "need not be so in the test set",
            ),
            Wrong(
                "a constant feature not centred",
                """
                varies = np.ptp(X_train, axis=0) > 0
                mu = np.where(varies, X_train.mean(axis=0), 0)
                deviation = np.where(varies, X_train.std(axis=0), 1)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "is centred, too",
            ),
            Wrong(
                "shape: a constant feature left out",
                """
                varies = np.ptp(X_train, axis=0) > 0
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                return tuple(((X - mu) / deviation)[:, varies] for X in (X_train, X_test))
                """,
                "keeps the shape of X_train",
            ),
            Wrong(
                "shape: one array",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) == 0, 1, deviation)
                return (np.concatenate([X_train, X_test]) - mu) / deviation
                """,
                "Return two arrays",
            ),
            Wrong(
                "between 0 and 1",
                """
                low, size = X_train.min(axis=0), np.ptp(X_train, axis=0)
                size = np.where(size == 0, 1, size)
                return (X_train - low) / size, (X_test - low) / size
                """,
                "the range",
            ),
            Wrong(
                "deviations below a fixed tiny number taken for 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(deviation < 1e-15, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "is constant, with a deviation",
                hidden=True,
            ),
            Wrong(
                "deviations below 1e-8 taken for 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(deviation < 1e-8, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "1e-9, 3e-9, 2e-9 vary",
            ),
            Wrong(
                "deviations below 1e-10 taken for 0",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(deviation < 1e-10, 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "compared with a fixed number",
                hidden=True,
            ),
            Wrong(
                "isclose",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.isclose(deviation, 0), 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "1e-9, 3e-9, 2e-9 vary",
            ),
            Wrong(
                "allclose to the first row",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.isclose(X_train, X_train[0]).all(axis=0), 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "1e-9, 3e-9, 2e-9 vary",
            ),
            Wrong(
                "equal up to a relative 1e-5",
                """
                mu, deviation = X_train.mean(axis=0), X_train.std(axis=0)
                deviation = np.where(np.ptp(X_train, axis=0) < 2e-5 * X_train[0], 1, deviation)
                return (X_train - mu) / deviation, (X_test - mu) / deviation
                """,
                "1, 1.000005, 0.999995 vary",
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
            """
            mu, deviation = jnp.mean(X_train, axis=0), jnp.std(X_train, axis=0)
            same = jnp.all(X_train == X_train[0], axis=0)
            scale = jnp.where(same, 1.0, deviation)
            return (X_train - mu) / scale, (X_test - mu) / scale
            """,
            """
            mu = np.mean(X_train, axis=0)
            deviation = np.sqrt(np.mean((X_train - mu) ** 2, axis=0))
            deviation[[len(set(column)) == 1 for column in X_train.T]] = 1
            return ((X_train - mu) / deviation).tolist(), ((X_test - mu) / deviation).tolist()
            """,
            """
            small, other = X_train.astype(np.float32), X_test.astype(np.float32)
            mu, deviation = small.mean(axis=0), small.std(axis=0)
            deviation = np.where(small.max(axis=0) == small.min(axis=0), 1, deviation)
            return (small - mu) / deviation, (other - mu) / deviation
            """,
        ],
    ),
    "2.2": Exercise(
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
                "Where is the 1 of r - c - 1?",
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
                "one term for each direction",
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
                "how many curvatures",
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
                "Division by 0",
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
                "one number",
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
            Wrong(
                "the fact read with r and c exchanged",
                """
                if N > D + 1:
                    return noise**2 * N / (D - N - 1)
                if N < D - 1:
                    return norm_w**2 * (1 - N / D) + noise**2 * D / (N - D - 1)
                return np.inf
                """,
                "which is c?",
            ),
            Wrong(
                "the same matrix on both sides",
                """
                if abs(N - D) <= 1:
                    return np.inf
                return max(0, 1 - N / D) * norm_w**2 + noise**2 * D / (N - D - 1)
                """,
                "comes out negative",
            ),
            Wrong(
                "missing signal on both sides",
                """
                if abs(N - D) <= 1:
                    return np.inf
                few, many = sorted((N, D))
                return (1 - few / many) * norm_w**2 + noise**2 * few / (many - few - 1)
                """,
                "the rows span all directions",
            ),
            Wrong(
                "all of the signal is missing",
                """
                if N > D + 1:
                    return noise**2 * D / (N - D - 1)
                if N < D - 1:
                    return norm_w**2 + noise**2 * N / (D - N - 1)
                return np.inf
                """,
                "Three rows show a part",
            ),
            Wrong(
                "no missing signal",
                """
                if abs(N - D) <= 1:
                    return np.inf
                few, many = sorted((N, D))
                return noise**2 * few / (many - few - 1)
                """,
                "The missing signal is missing",
            ),
            Wrong(
                "the share squared",
                """
                if abs(N - D) <= 1:
                    return np.inf
                few, many = sorted((N, D))
                return max(0, 1 - N / D) ** 2 * norm_w**2 + noise**2 * few / (many - few - 1)
                """,
                "one of squares already",
            ),
            Wrong(
                "noise of one direction",
                """
                if abs(N - D) <= 1:
                    return np.inf
                return max(0, 1 - N / D) * norm_w**2 + noise**2 / (abs(N - D) - 1)
                """,
                "One direction alone",
            ),
            Wrong(
                "a root",
                """
                if abs(N - D) <= 1:
                    return np.inf
                few, many = sorted((N, D))
                return np.sqrt(max(0, 1 - N / D) * norm_w**2 + noise**2 * few / (many - few - 1))
                """,
                "This is a root",
            ),
            Wrong(
                "finite at N = D - 1",
                """
                if N in (D, D + 1):
                    return np.inf
                few, many = sorted((N, D))
                return max(0, 1 - N / D) * norm_w**2 + noise**2 * few / max(many - few - 1, 0.1)
                """,
                "both sides",
            ),
            Wrong(
                "infinite over too wide a range",
                """
                if abs(N - D) <= 2:
                    return np.inf
                few, many = sorted((N, D))
                return max(0, 1 - N / D) * norm_w**2 + noise**2 * few / (many - few - 1)
                """,
                "the mean is finite",
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
            """
            signal = norm_w * norm_w * (D - min(N, D)) / D
            rows, columns = (N, D) if N >= D else (D, N)
            if rows - columns < 2:
                return jnp.inf
            return jnp.array(signal + noise * noise * columns / (rows - columns - 1))
            """,
            """
            from math import inf

            trace = lambda r, c: c / (r - c - 1) if r > c + 1 else inf
            return noise**2 * trace(max(N, D), min(N, D)) + norm_w**2 * max(D - N, 0) / D
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
                "not divided by size",
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
                "compare with the largest",
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
                "the size taken for a curvature",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U.T @ t) / np.sqrt(len(t) * size))
                """,
                "sqrt(N h_i) already",
            ),
            Wrong(
                "the root of the size",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U.T @ t) / np.sqrt(size))
                """,
                "by size itself",
            ),
            Wrong(
                "squares below rounding kept",
                """
                h, Q = np.linalg.eigh(Phi.T @ Phi)
                keep = h > 1e-20 * h.max()
                return Q[:, keep] @ (Q[:, keep].T @ (Phi.T @ t) / h[keep])
                """,
                "squaring has lost them",
            ),
            Wrong(
                "shape: a column",
                "return np.linalg.pinv(Phi, rcond=1e-10) @ t[:, None]",
                "One weight per column",
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
            Wrong(
                "tiny singular values made 0, and divided by",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                size[size < 1e-10 * size[0]] = 0
                return Qt.T @ ((U.T @ t) / size)
                """,
                "still divided by",
            ),
            Wrong(
                "shape: full matrices",
                """
                U, size, Qt = np.linalg.svd(Phi)
                return Qt.T @ ((U.T @ t) / size)
                """,
                "full_matrices=False gives U (3, 2), size (2,)",
            ),
            Wrong(
                "shape: full matrices, and a choice",
                """
                U, size, Qt = np.linalg.svd(Phi)
                keep = size > 1e-10 * size[0]
                return Qt[keep].T @ ((U[:, keep].T @ t) / size[keep])
                """,
                "full_matrices=False gives U (3, 2), size (2,)",
            ),
            Wrong(
                "shape: Qt not transposed",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt @ ((U.T @ t) / size)
                """,
                "Qt (3, 5)",
            ),
            Wrong(
                "shape: U not transposed",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return Qt.T @ ((U @ t) / size)
                """,
                "U (3, 2)",
            ),
            Wrong(
                "shape: rows of U picked",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                keep = size > 1e-10 * size[0]
                return Qt[keep].T @ ((U[keep].T @ t) / size[keep])
                """,
                "U (3, 2)",
            ),
            Wrong(
                "shape: columns of Qt picked",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                keep = size > 1e-10 * size[0]
                return Qt[:, keep].T @ ((U[:, keep].T @ t) / size[keep])
                """,
                "Qt (3, 5)",
            ),
            Wrong(
                "shape: not turned back",
                """
                U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
                return (U.T @ t) / size
                """,
                "turned back",
            ),
            Wrong(
                "shape: the fit",
                """
                return Phi @ np.linalg.pinv(Phi) @ t
                """,
                "one number per row",
            ),
            Wrong(
                "shape: the pseudoinverse",
                """
                return np.linalg.pinv(Phi)
                """,
                "the matrix that makes w",
            ),
            Wrong(
                "shape: all that lstsq gives",
                """
                return np.linalg.lstsq(Phi, t, rcond=1e-10)
                """,
                "One weight per column",
            ),
            Wrong(
                "by the roots of the curvatures",
                """
                h, Q = np.linalg.eigh(Phi.T @ Phi / len(t))
                keep = h > 1e-12 * h.max()
                U = Phi @ Q[:, keep] / np.sqrt(len(t) * h[keep])
                return Q[:, keep] @ (U.T @ t / np.sqrt(h[keep]))
                """,
                "they lack the N",
            ),
            Wrong(
                "by the Gram matrix",
                """
                return Phi.T @ np.linalg.solve(Phi @ Phi.T, t)
                """,
                "no inverse",
            ),
            Wrong(
                "a tiny ridge",
                """
                D = Phi.shape[1]
                return np.linalg.solve(Phi.T @ Phi + 1e-12 * np.eye(D), Phi.T @ t)
                """,
                "has no inverse",
            ),
            Wrong(
                "the library's own limit",
                """
                return np.linalg.lstsq(Phi, t, rcond=None)[0]
                """,
                "3e-11 of the largest counts as 0",
            ),
            Wrong(
                "a limit of 1e-8",
                """
                return np.linalg.pinv(Phi, rcond=1e-8) @ t
                """,
                "3e-10 of the largest is no 0",
            ),
            Wrong(
                "a limit of 1e-9",
                """
                return np.linalg.pinv(Phi, rcond=1e-9) @ t
                """,
                "3e-10 of the largest is no 0",
            ),
            Wrong(
                "a limit of 1e-11",
                """
                return np.linalg.pinv(Phi, rcond=1e-11) @ t
                """,
                "3e-11 of the largest counts as 0",
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
            """
            import scipy.linalg

            return scipy.linalg.lstsq(Phi, t, cond=1e-10)[0]
            """,
            """
            w = np.zeros(Phi.shape[1])
            U, size, Qt = np.linalg.svd(Phi)
            for i, s in enumerate(size):
                if s >= 1e-10 * max(size):
                    w += Qt[i] * np.dot(U[:, i], t) / s
            return list(w)
            """,
            """
            U, size, Qt = np.linalg.svd(Phi, full_matrices=False)
            rank = np.sum(size > 1e-10 * size.max())
            return np.einsum("kd,k,nk,n->d", Qt[:rank], 1 / size[:rank], U[:, :rank], t)
            """,
        ],
    ),
    "2.4": Exercise(
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
                "Centred, perhaps turned",
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
                "Q.T in place of Q",
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
                "another N",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh((X_train - mu).T @ (X_train - mu) / 60)
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "len(X_train)",
            ),
            Wrong(
                "not centred before the covariance",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(X_train.T @ X_train / len(X_train))
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "subtract the mean before",
            ),
            Wrong(
                "Cholesky on the wrong side",
                """
                mu = X_train.mean(axis=0)
                root = np.linalg.cholesky(np.cov(X_train.T, ddof=0))
                inverse = np.linalg.inv(root)
                return (X_train - mu) @ inverse, (X_test - mu) @ inverse
                """,
                "Cholesky on the wrong side",
            ),
            Wrong(
                "Cholesky of the inverse on the wrong side",
                """
                mu = X_train.mean(axis=0)
                root = np.linalg.cholesky(np.linalg.inv(np.cov(X_train.T, ddof=0)))
                return (X_train - mu) @ root.T, (X_test - mu) @ root.T
                """,
                "Cholesky on the wrong side",
            ),
            Wrong(
                "Cholesky, multiplied",
                """
                mu = X_train.mean(axis=0)
                root = np.linalg.cholesky(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ root.T, (X_test - mu) @ root.T
                """,
                "Multiplied by a Cholesky factor",
            ),
            Wrong(
                "Qt of the SVD not transposed",
                """
                mu = X_train.mean(axis=0)
                size, Qt = np.linalg.svd(X_train - mu, full_matrices=False)[1:]
                h = size**2 / len(X_train)
                return (X_train - mu) @ Qt / np.sqrt(h), (X_test - mu) @ Qt / np.sqrt(h)
                """,
                "Q.T in place of Q",
            ),
            Wrong(
                "a symmetric root with Q.T and Q exchanged",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                half = Q.T @ np.diag(1 / np.sqrt(h)) @ Q
                return (X_train - mu) @ half, (X_test - mu) @ half
                """,
                "Q.T in place of Q",
            ),
            Wrong(
                "features divided before they are turned",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) / np.sqrt(h) @ Q, (X_test - mu) / np.sqrt(h) @ Q
                """,
                "Turn first",
            ),
            Wrong(
                "multiplied by the inverse covariance",
                """
                mu = X_train.mean(axis=0)
                inverse = np.linalg.inv(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ inverse, (X_test - mu) @ inverse
                """,
                "Divided by h",
            ),
            Wrong(
                "the root of the covariance, not inverted",
                """
                from scipy.linalg import sqrtm

                mu = X_train.mean(axis=0)
                half = sqrtm(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ half, (X_test - mu) @ half
                """,
                "Multiplied by the deviations",
            ),
            Wrong(
                "the axes of the correlations",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.corrcoef(X_train.T))
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "axes of the correlations",
            ),
            Wrong(
                "shape: the covariance of the rows",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train, ddof=0))
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "has shape (2, 2)",
            ),
            Wrong(
                "shape: h in a column",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                h = h[:, None]
                return (X_train - mu) @ Q / np.sqrt(h), (X_test - mu) @ Q / np.sqrt(h)
                """,
                "mean and h have (2,)",
            ),
            Wrong(
                "the test set not centred",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q / np.sqrt(h), X_test @ Q / np.sqrt(h)
                """,
                "the training mean was not subtracted",
            ),
            Wrong(
                "the test set centred alone",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q / np.sqrt(h), X_test - mu
                """,
                "but not multiplied",
            ),
            Wrong(
                "a small number for safety",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                return (X_train - mu) @ Q / np.sqrt(h + 1e-6), (X_test - mu) @ Q / np.sqrt(h + 1e-6)
                """,
                "add nothing",
                hidden=True,
            ),
            Wrong(
                "a tiny number for safety",
                """
                mu = X_train.mean(axis=0)
                h, Q = np.linalg.eigh(np.cov(X_train.T, ddof=0))
                half = Q / np.sqrt(h + 1e-10)
                return (X_train - mu) @ half, (X_test - mu) @ half
                """,
                "add nothing",
                hidden=True,
            ),
            Wrong(
                "the test set by its own mean and covariance",
                """
                def one(X):
                    h, Q = np.linalg.eigh(np.cov(X.T, ddof=0))
                    return (X - X.mean(axis=0)) @ Q / np.sqrt(h)

                return one(X_train), one(X_test)
                """,
                "whose mean and covariance",
            ),
            Wrong(
                "the test set by its own Cholesky factor",
                """
                def one(X):
                    root = np.linalg.cholesky(np.linalg.inv(np.cov(X.T, ddof=0)))
                    return (X - X.mean(axis=0)) @ root

                return one(X_train), one(X_test)
                """,
                "is it taken for both sets",
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
            """
            from scipy.linalg import fractional_matrix_power

            mu = X_train.mean(axis=0)
            half = fractional_matrix_power(np.cov(X_train, rowvar=False, ddof=0), -0.5)
            return [np.einsum("nd,de->ne", X - mu, half) for X in (X_train, X_test)]
            """,
            """
            from sklearn.decomposition import PCA

            pca = PCA(whiten=True).fit(X_train)  # by N - 1
            scale = np.sqrt(len(X_train) / (len(X_train) - 1))
            return [(pca.transform(X) * scale).tolist() for X in (X_train, X_test)]
            """,
            """
            mu = X_train.mean(axis=0)
            root = np.linalg.cholesky(np.linalg.inv(np.cov(X_train.T, ddof=0)))
            return [((X - mu) @ root).astype(np.float32) for X in (X_train, X_test)]
            """,
            """
            small, other = X_train.astype(np.float32), X_test.astype(np.float32)
            mu = small.mean(axis=0)
            h, Q = np.linalg.eigh((small - mu).T @ (small - mu) / len(small))
            return (small - mu) @ Q / np.sqrt(h), (other - mu) @ Q / np.sqrt(h)
            """,
        ],
    ),
}
