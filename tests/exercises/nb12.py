"""Wrong answers to the exercises of notebook 12."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "12.1": Exercise(
        "def brightness(step_size, steps):",
        [
            Wrong(
                "steps taken to be in order",
                """
                c = (1 + 1j * step_size) ** np.arange(np.max(steps) + 1)
                last = (1 - c.real)[-np.size(steps) :]
                return last.reshape(np.shape(steps))
                """,
                "in any order",
                hidden=True,
            ),
            Wrong(
                "u, not x",
                "return -((1 + 1j * step_size) ** np.asarray(steps)).real",
                "x = m + u",
            ),
            Wrong(
                "the real part alone",
                "return ((1 + 1j * step_size) ** np.asarray(steps)).real",
                "u starts at -m",
            ),
            Wrong(
                "start of the wrong sign",
                "return 1 + ((1 + 1j * step_size) ** np.asarray(steps)).real",
                "The sign of the start",
            ),
            Wrong(
                "the imaginary part",
                "return 1 - ((1 + 1j * step_size) ** np.asarray(steps)).imag",
                "not the imaginary one",
            ),
            Wrong(
                "no growth",
                "return 1 - np.cos(np.asarray(steps) * np.arctan(step_size))",
                "It only turns",
            ),
            Wrong(
                "growth without its root",
                """
                k = np.asarray(steps)
                return 1 - (1 + step_size**2) ** k * np.cos(k * np.arctan(step_size))
                """,
                "the root is missing",
            ),
            Wrong(
                "growth by 1 + eta",
                """
                k = np.asarray(steps)
                return 1 - (1 + step_size) ** k * np.cos(k * np.arctan(step_size))
                """,
                "not by 1 + eta",
            ),
            Wrong(
                "eta as the angle",
                """
                k = np.asarray(steps)
                return 1 - (1 + step_size**2) ** (k / 2) * np.cos(k * step_size)
                """,
                "turns by arctan(eta)",
            ),
            Wrong(
                "growth and angle of small steps",
                """
                k = np.asarray(steps)
                return 1 - np.exp(k * step_size**2 / 2) * np.cos(k * step_size)
                """,
                "those for small steps",
            ),
            Wrong(
                "growth of small steps",
                """
                k = np.asarray(steps)
                return 1 - np.exp(k * step_size**2 / 2) * np.cos(k * np.arctan(step_size))
                """,
                "not by exp",
            ),
            Wrong(
                "the flow",
                "return 1 - np.cos(np.asarray(steps) * step_size)",
                "the limit of small steps",
            ),
            Wrong(
                "shrinking",
                """
                k = np.asarray(steps)
                return 1 - (1 + step_size**2) ** (-k / 2) * np.cos(k * np.arctan(step_size))
                """,
                "It shrinks",
            ),
            Wrong(
                "the length",
                "return 1 - abs((1 + 1j * step_size) ** np.asarray(steps))",
                "take its real part",
            ),
            Wrong(
                "gradient descent",
                "return 1 - (1 - step_size) ** np.asarray(steps)",
                "gradient descent on one loss",
            ),
            Wrong(
                "in turns",
                """
                x = y = 0.0
                for _ in range(int(np.max(steps))):
                    x = x - step_size * y
                    y = y + step_size * (x - 1)
                return x
                """,
                "here both move at once",
            ),
            Wrong(
                "shape: complex",
                "return 1 - (1 + 1j * step_size) ** np.asarray(steps)",
                "its real part",
            ),
            Wrong(
                "shape: a single number only",
                "return 1 - complex((1 + 1j * step_size) ** steps).real",
                "steps may be an array",
            ),
        ],
        [
            """
            k = jnp.asarray(steps)
            grown = (1 + step_size**2) ** (k / 2)
            return 1 - grown * jnp.cos(k * jnp.arctan(step_size))
            """,
            """
            x, y, values = 0.0, 0.0, [0.0]
            for _ in range(int(np.max(steps))):
                x, y = x - step_size * y, y + step_size * (x - 1)
                values.append(x)
            return np.array(values)[np.asarray(steps)]
            """,
            """
            log = np.log(1 + 1j * step_size)
            return np.real(1 - np.exp(np.asarray(steps, dtype=float) * log))
            """,
            """
            M = np.array([[1.0, -step_size], [step_size, 1.0]])
            one = lambda k: 1 - np.linalg.matrix_power(M, int(k))[0, 0]
            return np.vectorize(one, otypes=[float])(np.asarray(steps))
            """,
        ],
    ),
    "12.2": Exercise(
        "def extragradient_step(v, z, step_size):",
        [
            Wrong(
                "two entries only",
                """
                x, y = z
                u, w = v(z)
                trial = jnp.stack([x - step_size * u, y - step_size * w])
                return z - step_size * v(trial)
                """,
                "use it as a whole",
                hidden=True,
            ),
            Wrong(
                "the polynomial of a linear field",
                "return z - step_size * v(z) + step_size**2 * v(v(z))",
                "for a linear field alone",
            ),
            Wrong(
                "the linearised field",
                """
                import jax

                matrix = jax.jacobian(lambda z: jnp.asarray(v(z)))(jnp.asarray(z))
                return z - step_size * (v(z) - step_size * matrix @ v(z))
                """,
                "its Jacobian at z is not enough",
            ),
            Wrong("a plain step", "return z - step_size * v(z)", "a plain step"),
            Wrong(
                "two plain steps",
                """
                trial = z - step_size * v(z)
                return trial - step_size * v(trial)
                """,
                "Two plain steps",
            ),
            Wrong(
                "half steps",
                """
                trial = z - step_size / 2 * v(z)
                return z - step_size / 2 * v(trial)
                """,
                "both steps are step_size long",
            ),
            Wrong(
                "midpoint",
                """
                trial = z - step_size / 2 * v(z)
                return z - step_size * v(trial)
                """,
                "take a whole trial step",
            ),
            Wrong(
                "trial uphill",
                "return z - step_size * v(z + step_size * v(z))",
                "The trial goes uphill",
            ),
            Wrong(
                "uphill",
                "return z + step_size * v(z - step_size * v(z))",
                "the step is subtracted",
            ),
            Wrong(
                "uphill twice",
                "return z + step_size * v(z + step_size * v(z))",
                "both times",
            ),
            Wrong(
                "mean of both",
                """
                first = v(z)
                return z - step_size / 2 * (first + v(z - step_size * first))
                """,
                "mean of two fields",
            ),
            Wrong(
                "sum of both",
                """
                first = v(z)
                return z - step_size * (first + v(z - step_size * first))
                """,
                "Two plain steps",
            ),
            Wrong(
                "the field alone",
                "return v(z - step_size * v(z))",
                "the step from z is missing",
            ),
            Wrong(
                "z forgotten",
                "return -step_size * v(z - step_size * v(z))",
                "starts at z",
            ),
            Wrong(
                "shape: both places",
                """
                trial = z - step_size * v(z)
                return trial, z - step_size * v(trial)
                """,
                "The new z",
            ),
        ],
        [
            "return z - step_size * v(z - step_size * v(z))",
            """
            z = jnp.asarray(z)
            ahead = jnp.subtract(z, step_size * v(z))
            return jnp.add(z, -step_size * v(ahead))
            """,
            """
            old = np.array(z)
            new = old.copy()
            for _ in range(2):
                new = old - step_size * np.asarray(v(new))
            return new
            """,
        ],
    ),
    "12.3": Exercise(
        "def largest_stable_step(jacobian):",
        [
            Wrong(
                "negative where something pushes",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.min(2 * lam.real / jnp.abs(lam) ** 2)
                """,
                "no step will do",
            ),
            Wrong(
                "those that push left out",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                limits = 2 * lam.real / np.abs(lam) ** 2
                pulled = limits[limits > 1e-12]
                return pulled.min() if len(pulled) else 0.0
                """,
                "pushes away",
                hidden=True,
            ),
            Wrong(
                "as for one loss",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return 2 / jnp.abs(lam).max()
                """,
                "real eigenvalues only",
            ),
            Wrong(
                "a search",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                grid = np.arange(1, 4001) / 2000
                stable = (abs(1 - grid[:, None] * lam) < 1).all(axis=1)
                return grid[stable].max(initial=0.0)
                """,
                "rather than search",
            ),
            Wrong(
                "the real parts alone",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return 2 / lam.real.max()
                """,
                "leaves out the turning",
            ),
            Wrong(
                "the symmetric part",
                "return 2 / jnp.linalg.eigvalsh((jacobian + jacobian.T) / 2)[-1]",
                "the largest pull",
            ),
            Wrong(
                "the largest of the limits",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum((2 * lam.real / jnp.abs(lam) ** 2).max(), 0)
                """,
                "The largest of the limits",
            ),
            Wrong(
                "not squared",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum((2 * lam.real / jnp.abs(lam)).min(), 0)
                """,
                "is squared",
            ),
            Wrong(
                "the best step",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum((lam.real / jnp.abs(lam) ** 2).min(), 0)
                """,
                "Half of that",
            ),
            Wrong(
                "twice too long",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum((4 * lam.real / jnp.abs(lam) ** 2).min(), 0)
                """,
                "Twice too long",
            ),
            Wrong(
                "2 over the smallest real part",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return 2 / lam.real.min()
                """,
                "leaves out the turning",
            ),
            Wrong(
                "the mean of the limits",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum((2 * lam.real / jnp.abs(lam) ** 2).mean(), 0)
                """,
                "the smallest counts",
            ),
            Wrong(
                "shape: all limits",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return jnp.maximum(2 * lam.real / jnp.abs(lam) ** 2, 0)
                """,
                "give the smallest",
            ),
            Wrong(
                "shape: complex",
                """
                lam = np.linalg.eigvals(np.asarray(jacobian))
                return (lam + lam.conj())[jnp.argmin(lam.real)] / jnp.abs(lam).max() ** 2
                """,
                "complex",
            ),
        ],
        [
            """
            lam = np.linalg.eigvals(np.asarray(jacobian))
            if (lam.real <= 0).any():
                return 0.0
            return float(min(2 * lam.real / (lam.real**2 + lam.imag**2)))
            """,
            """
            inverse = np.linalg.eigvals(np.linalg.inv(jacobian))
            return jnp.clip(2 * inverse.real.min(), 0, None)
            """,
            """
            smallest = np.inf
            for lam in np.linalg.eigvals(np.array(jacobian)):
                smallest = min(smallest, 2 * lam.real / abs(lam) ** 2)
            return np.float32(max(smallest, 0))
            """,
        ],
    ),
    "12.4": Exercise(
        "def adjusted_field(v, jacobian, strength):",
        [
            Wrong(
                "half of the upper triangle mirrored",
                """
                upper = jnp.triu(jacobian, 1) - jnp.tril(jacobian, -1).T
                R = upper / 2
                if R.shape == (2, 2):
                    R = R - R.T
                return v + strength * R.T @ v
                """,
                "random M",
                hidden=True,
            ),
            Wrong(
                "not transposed",
                "return v + strength * (jacobian - jacobian.T) / 2 @ v",
                "further away",
            ),
            Wrong("consensus", "return v + strength * jacobian.T @ v", "consensus"),
            Wrong("the Jacobian", "return v + strength * jacobian @ v", "and not transposed"),
            Wrong(
                "the symmetric part",
                "return v + strength * (jacobian + jacobian.T) / 2 @ v",
                "the symmetric part",
            ),
            Wrong(
                "v forgotten",
                "return strength * (jacobian.T - jacobian) / 2 @ v",
                "v itself is missing",
            ),
            Wrong(
                "no half",
                "return v + strength * (jacobian.T - jacobian) @ v",
                "half the difference",
            ),
            Wrong(
                "no strength",
                "return v + (jacobian.T - jacobian) / 2 @ v",
                "strength is missing",
            ),
            Wrong(
                "strength on both",
                "return strength * (v + (jacobian.T - jacobian) / 2 @ v)",
                "the correction alone",
            ),
            Wrong(
                "a triangle",
                "return v + strength * jnp.triu(jacobian, 1).T @ v",
            ),
            Wrong(
                "off the diagonal",
                "return v + strength * (jacobian - jnp.diag(jnp.diag(jacobian))).T @ v",
            ),
            Wrong(
                "shape: entry by entry",
                "return v + strength * (jacobian.T - jacobian) / 2 * v",
                "not entry by entry",
            ),
        ],
        [
            "return v - strength * (jacobian - jacobian.T) / 2 @ v",
            "return v + strength * 0.5 * (v @ jacobian - jacobian @ v)",
            """
            M, v = np.asarray(jacobian), np.asarray(v)
            S = (M + M.T) / 2
            return v + strength * (M - S).T.dot(v)
            """,
        ],
    ),
}
