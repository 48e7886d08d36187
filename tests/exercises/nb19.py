"""Wrong answers to the exercises of notebook 19."""

from wrong_answers import Exercise, Wrong

MOVES = """
A = np.linalg.inv(X.T @ X)
theta = A @ (X.T @ y)
r = X @ theta - y
push = -np.sign(theta[j]) * (X @ A[:, j]) * r
"""


def stopping(order="np.argsort(-push)", *, push="", count="np.argmax(enough) + 1", moves=MOVES):
    """A first-order answer with one part replaced."""
    return f"""{moves}
{push}
order = {order}
enough = np.cumsum(push[order]) >= abs(theta[j])
return order[:{count}] if enough.any() else order[:0]
"""


def greedy(
    change="(rows @ A[:, j]) * (rows @ theta - y[left]) / (1 - np.sum((rows @ A) * rows, axis=1))",
    best="np.argmax(-sign * change)",
    keep="left[best]",
    stop="return np.array(gone)",
    first="",
):
    """A greedy answer with one part replaced."""
    return f"""
left, gone = np.arange(len(y)), []
A = np.linalg.inv(X.T @ X)
sign = np.sign((A @ X.T @ y)[j])
h = np.sum((X @ A) * X, axis=1)
{first}
for _ in range(len(y) - X.shape[1] - 1):
    rows = X[left]
    A = np.linalg.inv(rows.T @ rows)
    theta = A @ (rows.T @ y[left])
    if sign * theta[j] < 0:
        {stop}
    change = {change}
    best = {best}
    gone.append({keep})
    left = np.delete(left, best)
return np.array(gone)
"""


def moved(
    second="first + np.linalg.solve(H, H_U @ first)",
    *,
    newton="np.linalg.solve(H - H_U, g_U)",
    first="np.linalg.solve(H, g_U)",
):
    """An answer to 19.2 with one part replaced; A is the inverse of H."""
    return f"""
A = np.linalg.inv(H)
if order == "newton":
    return {newton}
first = {first}
return first if order == 1 else {second}
"""


EXERCISES = {
    "19.1": Exercise(
        "def fewest_to_flip(X, y, j):",
        [
            Wrong(
                "one row where it never turns",
                MOVES
                + """
order = np.argsort(-push)
enough = np.cumsum(push[order]) >= abs(theta[j])
return order[: np.argmax(enough) + 1]
""",
                "the list is empty",
            ),
            Wrong(
                "searched in sums that fall again",
                MOVES
                + """
order = np.argsort(-push)
sums = np.cumsum(push[order])
if sums.max() < abs(theta[j]):
    return []
return order[: np.searchsorted(sums, abs(theta[j])) + 1]
""",
                "rise all the way",
                hidden=True,
            ),
            Wrong(
                "all rows where it never turns",
                MOVES
                + """
order = np.argsort(-push)
return order[: np.searchsorted(np.cumsum(push[order]), abs(theta[j])) + 1]
""",
                "the list is empty",
            ),
            Wrong(
                "without the size",
                MOVES
                + """
order = np.argsort(-push)
enough = np.cumsum(push[order]) >= theta[j]
return order[: np.argmax(enough) + 1] if enough.any() else order[:0]
""",
                "One too few",
            ),
            Wrong(
                "without the sign",
                MOVES
                + """
push = push * np.sign(theta[j])
order = np.argsort(-push)
enough = np.cumsum(push[order]) >= theta[j]
return order[: np.argmax(enough) + 1] if enough.any() else order[:0]
""",
                "can be negative",
            ),
            Wrong("away from zero", stopping(push="push = -push"), "away from zero"),
            Wrong("one too many", stopping(count="np.argmax(enough) + 2"), "One too many"),
            Wrong("one too few", stopping(count="np.argmax(enough)"), "One too few"),
            Wrong("sizes", stopping(push="push = abs(push)"), "Sizes alone"),
            Wrong("sorted by size", stopping("np.argsort(-abs(push))"), "are some of the pushes"),
            Wrong(
                "leverage",
                stopping(push="push = push / (1 - np.sum((X @ A) * X, axis=1))"),
                "first order, is asked for",
            ),
            Wrong(
                "gradients",
                stopping(push="push = -np.sign(theta[j]) * X[:, j] * r"),
                "gradients, not moves",
            ),
            Wrong(
                "diagonal",
                stopping(push="push = -np.sign(theta[j]) * X[:, j] * r / (X.T @ X)[j, j]"),
                "not diagonal",
            ),
            Wrong("no 1/n", stopping(push="push = push * len(y)")),
            Wrong("by residual", stopping("np.argsort(-abs(r))"), "are some of the pushes"),
            Wrong(
                "positive coefficients only",
                stopping(push="push = -(X @ A[:, j]) * r"),
                "away from zero",
            ),
            Wrong(
                "negative coefficients only",
                stopping(push="push = (X @ A[:, j]) * r"),
                "look at the sign",
            ),
            Wrong(
                "in the order of the rows",
                MOVES
                + """
order = np.argsort(-push)
enough = np.cumsum(push[order]) >= abs(theta[j])
return np.sort(order[: np.argmax(enough) + 1]) if enough.any() else order[:0]
""",
                "in the order of the rows",
            ),
            Wrong(
                "shape: how many",
                MOVES
                + """
return int(np.argmax(np.cumsum(np.sort(push)[::-1]) >= abs(theta[j])) + 1)
""",
                "How many is not asked",
            ),
            Wrong(
                "shape: a mask",
                MOVES
                + """
order = np.argsort(-push)
enough = np.cumsum(push[order]) >= abs(theta[j])
return np.isin(np.arange(len(y)), order[: np.argmax(enough) + 1])
""",
                "A mask",
            ),
        ],
        [
            """
            n = len(y)
            H = X.T @ X / n
            theta = np.linalg.solve(H, X.T @ y / n)
            G = (X @ theta - y)[:, None] * X
            towards = -np.sign(theta[j]) * np.linalg.solve(H, G.T)[j] / n
            chosen, total = [], 0
            for i in sorted(range(n), key=lambda i: -towards[i]):
                if total >= abs(theta[j]) or towards[i] <= 0:
                    break
                chosen.append(i)
                total += towards[i]
            return chosen if total >= abs(theta[j]) else []
            """,
            """
            theta = np.linalg.lstsq(X, y, rcond=None)[0]
            moves = np.linalg.pinv(X)[j] * (X @ theta - y)
            push = moves if theta[j] < 0 else -moves
            order = np.argsort(push)[::-1]
            sums = np.cumsum(push[order])
            if sums.max() < abs(theta[j]):
                return np.array([])
            return order[: np.searchsorted(sums[: np.argmax(sums) + 1], abs(theta[j])) + 1]
            """,
            """
            X, y = jnp.asarray(X), jnp.asarray(y)
            A = jnp.linalg.inv(X.T @ X)
            theta = A @ X.T @ y
            push = -jnp.sign(theta[j]) * (X @ A[:, j]) * (X @ theta - y)
            order = jnp.argsort(-push)
            before = jnp.cumsum(push[order]) - push[order]
            if jnp.sum(jnp.maximum(push, 0)) < abs(theta[j]):
                return jnp.array([], int)
            size = int(jnp.argmax(before + push[order] >= abs(theta[j])))
            return order[: size + 1]
            """,
        ],
    ),
    "19.2": Exercise(
        "def group_move(H, H_U, g_U, order):",
        [
            Wrong(
                "Newton by three hundred terms",
                """
                term = np.linalg.solve(H, g_U)
                total = term
                for _ in range({1: 0, 2: 1, "newton": 300}[order]):
                    term = np.linalg.solve(H, H_U @ term)
                    total = total + term
                return total
                """,
                "99.9 %",
                hidden=True,
            ),
            Wrong(
                "minus sign",
                moved(newton="-np.linalg.solve(H - H_U, g_U)", first="-np.linalg.solve(H, g_U)"),
                "The sign",
            ),
            Wrong(
                "second term subtracted",
                moved("first - np.linalg.solve(H, H_U @ first)"),
                "give way",
            ),
            Wrong(
                "second term alone",
                moved("np.linalg.solve(H, H_U @ first)"),
                "second term alone",
            ),
            Wrong(
                "inverses first",
                moved("first + A @ A @ H_U @ g_U"),
                "not commute",
            ),
            Wrong(
                "H_U outside",
                moved("first + H_U @ A @ A @ g_U"),
                "acts first",
            ),
            Wrong(
                "one inverse",
                moved("first + H_U @ first"),
                "an inverse of H is missing",
            ),
            Wrong(
                "half of it",
                moved("first + np.linalg.solve(H, H_U @ first) / 2"),
                "not half",
            ),
            Wrong(
                "plus H_U",
                moved(newton="np.linalg.solve(H + H_U, g_U)"),
                "takes its curvature away",
            ),
            Wrong(
                "the group's own Hessian",
                moved(newton="np.linalg.solve(H_U, g_U)"),
                "what is left",
            ),
            Wrong(
                "H lost",
                moved(newton="np.linalg.solve(np.eye(len(g_U)) - A @ H_U, g_U)"),
                "multiplied by H",
            ),
            Wrong(
                "order 2 for all",
                """
                first = np.linalg.solve(H, g_U)
                return first if order == 1 else first + np.linalg.solve(H, H_U @ first)
                """,
                "second order",
            ),
            Wrong(
                "shape: the matrix",
                moved(
                    "(A + A @ H_U @ A) * g_U",
                    newton="np.linalg.inv(H - H_U) * g_U",
                    first="A * g_U",
                ),
                "shape (2,)",
            ),
        ],
        [
            """
            A = np.linalg.inv(H)
            if order == 1:
                return A @ g_U
            if order == 2:
                return A @ (np.eye(len(H)) + H_U @ A) @ g_U
            return np.linalg.inv(np.eye(len(H)) - A @ H_U) @ A @ g_U
            """,
            """
            H, H_U, g_U = map(jnp.asarray, (H, H_U, g_U))
            if order == "newton":
                return jnp.linalg.solve(H - H_U, g_U)
            total = term = jnp.linalg.solve(H, g_U)
            for _ in range(order - 1):
                term = jnp.linalg.solve(H, H_U @ term)
                total = total + term
            return total
            """,
            """
            L = np.linalg.inv(np.linalg.cholesky(H))
            share, Q = np.linalg.eigh(L @ H_U @ L.T)
            factor = {1: 1 + 0 * share, 2: 1 + share, "newton": 1 / (1 - share)}[order]
            return list(L.T @ (Q @ (factor * (Q.T @ (L @ g_U)))))
            """,
        ],
    ),
    "19.3": Exercise(
        "def greedy_flip(X, y, j):",
        [
            Wrong(
                "leverages of the first fit",
                greedy("(rows @ A[:, j]) * (rows @ theta - y[left]) / (1 - h[left])"),
                "Leverages change",
                hidden=True,
            ),
            Wrong(
                "first order", greedy("(rows @ A[:, j]) * (rows @ theta - y[left])"), "first order"
            ),
            Wrong("places among those left", greedy(keep="best"), "those of X"),
            Wrong("by size", greedy(best="np.argmax(abs(change))"), "By size"),
            Wrong("one too few", greedy(stop="return np.array(gone[:-1])"), "One too few"),
            Wrong(
                "one too many",
                greedy(stop="return np.array([*gone, left[0]])"),
                "One too many",
            ),
            Wrong("sorted", greedy(stop="return np.sort(gone)"), "not sorted"),
            Wrong("the wrong way", greedy(best="np.argmin(-sign * change)")),
            Wrong(
                "chosen from the first fit",
                greedy(
                    best="int(np.flatnonzero(left == alone[len(gone)])[0])",
                    first="""
theta = A @ (X.T @ y)
alone = np.argsort(sign * (X @ A[:, j]) * (X @ theta - y) / (1 - h))
""",
                ),
                "look again",
            ),
            Wrong("no refit", stopping(), "without any refit"),
            Wrong("shape: how many", greedy(stop="return len(gone)"), "How many"),
        ],
        [
            """
            solve = lambda rows: np.linalg.lstsq(X[rows], y[rows], rcond=None)[0][j]
            rows, gone = list(range(len(y))), []
            sign = np.sign(solve(rows))
            while sign * solve(rows) > 0:
                ends = {i: sign * solve([k for k in rows if k != i]) for i in rows}
                worst = min(ends, key=ends.get)
                rows.remove(worst)
                gone.append(worst)
            return gone
            """,
            """
            weights, gone, sign = np.ones(len(y)), [], 0
            while True:
                A = np.linalg.inv((X.T * weights) @ X)
                theta = A @ X.T @ (weights * y)
                sign = sign or np.sign(theta[j])
                if np.sign(theta[j]) != sign:
                    return np.array(gone)
                change = (X @ A[:, j]) * (X @ theta - y) / (1 - np.einsum("ij,jk,ik->i", X, A, X))
                change[weights == 0] = sign * np.inf
                gone.append(int(np.argmin(sign * change)))
                weights[gone[-1]] = 0
            """,
            """
            A, b = X.T @ X, X.T @ y
            gone, before = [], np.linalg.solve(A, b)[j]
            while np.linalg.solve(A, b)[j] * before > 0:
                best = None
                for i in range(len(y)):
                    if i in gone:
                        continue
                    B = A - np.outer(X[i], X[i])
                    now = np.linalg.solve(B, b - X[i] * y[i])[j] / before
                    if best is None or now < best[0]:
                        best = now, i
                gone.append(best[1])
                A = A - np.outer(X[best[1]], X[best[1]])
                b = b - X[best[1]] * y[best[1]]
            return np.asarray(gone, np.int32)
            """,
        ],
    ),
}
