"""Wrong answers to the exercises of notebook 7."""

from wrong_answers import Exercise, Wrong

EXERCISES = {
    "7.1": Exercise(
        "def adam_step(w, g, state, step_size, b1, b2, eps):",
        [
            Wrong(
                "bias correction of five steps",
                """
                m, v, k = state
                k = k + 1
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                n = min(k, 5)
                m_hat, v_hat = m / (1 - b1**n), v / (1 - b2**n)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "Step 6",
                hidden=True,
            ),
            Wrong(
                "no bias correction",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (jnp.sqrt(v) + eps), (m, v, k)
                """,
                "No bias correction",
            ),
            Wrong(
                "v not corrected",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / (jnp.sqrt(v) + eps), (m, v, k)
                """,
                "v is not corrected",
            ),
            Wrong(
                "m not corrected",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (jnp.sqrt(v / (1 - b2**k)) + eps), (m, v, k)
                """,
                "m is not corrected",
            ),
            Wrong(
                "k of the step before",
                """
                m, v, k = state
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m_hat, v_hat = m / jnp.float64(1 - b1**k), v / jnp.float64(1 - b2**k)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k + 1)
                """,
                "in the first step k is 1",
            ),
            Wrong(
                "k not counted",
                """
                m, v, k = state
                m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m_hat, v_hat = m / (1 - b1 ** (k + 1)), v / (1 - b2 ** (k + 1))
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "k counts the steps",
            ),
            Wrong(
                "eps inside the root",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / jnp.sqrt(v / (1 - b2**k) + eps), (m, v, k)
                """,
                "outside the root",
            ),
            Wrong(
                "eps beside the uncorrected root",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                lr = step_size * jnp.sqrt(1 - b2**k) / (1 - b1**k)
                return w - lr * m / (jnp.sqrt(v) + eps), (m, v, k)
                """,
                "added to the corrected root",
            ),
            Wrong(
                "no eps",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / jnp.sqrt(v / (1 - b2**k)), (m, v, k)
                """,
                "eps is missing",
            ),
            Wrong(
                "b1 and b2 swapped",
                """
                m, v, k = state
                k, m, v = k + 1, b2 * m + (1 - b2) * g, b1 * v + (1 - b1) * g**2
                m_hat, v_hat = m / (1 - b2**k), v / (1 - b1**k)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "b1 belongs to m",
            ),
            Wrong(
                "uphill",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m_hat, v_hat = m / (1 - b1**k), v / (1 - b2**k)
                return w + step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "Uphill",
            ),
            Wrong(
                "the corrected ones kept",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m, v = m / (1 - b1**k), v / (1 - b2**k)
                return w - step_size * m / (jnp.sqrt(v) + eps), (m, v, k)
                """,
                "keeps the uncorrected",
            ),
            Wrong(
                "v from the absolute value",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * abs(g)
                m_hat, v_hat = m / (1 - b1**k), v / (1 - b2**k)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "g**2",
            ),
            Wrong(
                "v from m",
                """
                m, v, k = state
                k, m = k + 1, b1 * m + (1 - b1) * g
                v = b2 * v + (1 - b2) * m**2
                m_hat, v_hat = m / (1 - b1**k), v / (1 - b2**k)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "not of m**2",
            ),
            Wrong(
                "no root",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / (v / (1 - b2**k) + eps), (m, v, k)
                """,
                "take the root",
            ),
            Wrong(
                "shape: the state forgotten",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / (jnp.sqrt(v / (1 - b2**k)) + eps)
                """,
                "The new state is missing",
            ),
            Wrong(
                "shape: four things",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                return w - step_size * m / (1 - b1**k) / (jnp.sqrt(v / (1 - b2**k)) + eps), m, v, k
                """,
                "a tuple of three",
            ),
            Wrong(
                "w changed in place",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                w -= step_size * m / (1 - b1**k) / (np.sqrt(v / (1 - b2**k)) + eps)
                return w, (m, v, k)
                """,
                "changed an array",
            ),
            Wrong(
                "always the first step's correction",
                """
                m, v, k = state
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m_hat, v_hat = m / (1 - b1), v / (1 - b2)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "Step 2",
            ),
            Wrong(
                "the usual betas built in",
                """
                m, v, k = state
                b1, b2 = 0.9, 0.999
                k, m, v = k + 1, b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * g**2
                m_hat, v_hat = m / (1 - b1**k), v / (1 - b2**k)
                return w - step_size * m_hat / (jnp.sqrt(v_hat) + eps), (m, v, k)
                """,
                "use the b1, b2 and step_size given",
            ),
        ],
        [
            """
            m, v, k = state
            m = m + (1 - b1) * (g - m)
            v = v + (1 - b2) * (g * g - v)
            k += 1
            lr = step_size * np.sqrt(1 - b2**k) / (1 - b1**k)
            return w - lr * m / (np.sqrt(v) + eps * np.sqrt(1 - b2**k)), (m, v, k)
            """,
            """
            m, v, k = (jnp.asarray(part) for part in state)
            w, g = jnp.asarray(w), jnp.asarray(g)
            m, v, k = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * jnp.square(g), k + 1
            push = m / (1 - b1**k) / (eps + (v / (1 - b2**k)) ** 0.5)
            return w - step_size * push, (m, v, k)
            """,
            """
            m, v, k = state
            k = k + 1
            m, v = m * b1 + g - b1 * g, v * b2 + g**2 - b2 * g**2
            push = (m / (1 - b1**k)) / (jnp.sqrt(v / (1 - b2**k)) + eps)
            return np.array(w - step_size * push), [np.array(m), np.array(v), float(k)]
            """,
        ],
    ),
    "7.2": Exercise(
        "def adamw_resting_point(h, w_star, decay):",
        [
            Wrong(
                "strong decay ends at 0",
                """
                if decay > 5:
                    return 0.0
                return max(-1 / decay, min(1 / decay, w_star))
                """,
                "a run ends at",
                hidden=True,
            ),
            Wrong("ridge", "return h * w_star / (h + decay)", "That is ridge"),
            Wrong("h taken as 1", "return w_star / (1 + decay)", "not the gradient"),
            Wrong(
                "always at the wall",
                "return jnp.sign(w_star) / decay",
                "no decay is felt",
            ),
            Wrong("wall at decay", "return jnp.clip(w_star, -decay, decay)", "1/decay, not at"),
            Wrong("no decay", "return w_star", "decay is missing"),
            Wrong("the other wall only", "return jnp.minimum(w_star, 1 / decay)", "one of the two"),
            Wrong(
                "shortened by the wall",
                "return jnp.sign(w_star) * jnp.maximum(abs(w_star) - 1 / decay, 0)",
                "not shortened",
            ),
            Wrong("positive alone", "return jnp.maximum(w_star - 1 / decay, 0)", "end at 0"),
            Wrong("without its sign", "return jnp.minimum(abs(w_star), 1 / decay)", "The sign"),
            Wrong(
                "soft threshold",
                "return jnp.sign(w_star) * jnp.maximum(abs(w_star) - decay / h, 0)",
                "l1 penalty",
            ),
            Wrong(
                "one wall only",
                "return jnp.maximum(w_star, -1 / decay)",
                "rests at 0.5",
            ),
            Wrong(
                "ridge inside the wall",
                "return jnp.clip(h * w_star / (h + decay), -1 / decay, 1 / decay)",
                "does not shrink",
            ),
            Wrong(
                "wall where the gradient is 1",
                "return jnp.clip(w_star, -1 / (h * decay), 1 / (h * decay))",
            ),
            Wrong(
                "shape: an array of one",
                "return jnp.clip(jnp.array([w_star]), -1 / decay, 1 / decay)",
                "single number",
            ),
        ],
        [
            "return max(-1 / decay, min(1 / decay, w_star))",
            """
            wall = 1 / decay
            if abs(w_star) <= wall:
                return w_star
            return np.sign(w_star) * wall
            """,
            "return np.float64(w_star) * np.minimum(1, 1 / (decay * max(abs(w_star), 1e-300)))",
            "return jnp.where(abs(w_star) * decay > 1, jnp.sign(w_star) / decay, w_star)",
        ],
    ),
    "7.3": Exercise(
        "def mean_log_cos(step_size, decay, num_steps, first_norm, last_norm):",
        [
            Wrong(
                "a largest decay",
                """
                x = min(step_size * decay, 0.12)
                return -jnp.log(1 - x) + jnp.log(last_norm / first_norm) / num_steps
                """,
                "A run of 1 steps",
                hidden=True,
            ),
            Wrong(
                "first order, no lengths",
                "return step_size * decay",
                "first order, and the lengths",
            ),
            Wrong(
                "first order",
                """
                ratio = last_norm / first_norm
                return step_size * decay + jnp.log(ratio) / num_steps
                """,
                "only to first order",
            ),
            Wrong("no lengths", "return -jnp.log(1 - step_size * decay)", "|w| has doubled"),
            Wrong(
                "ratio upside down",
                """
                ratio = last_norm / first_norm
                return -jnp.log(1 - step_size * decay) + jnp.log(1 / ratio) / num_steps
                """,
                "upside down",
            ),
            Wrong(
                "lengths not divided",
                """
                ratio = last_norm / first_norm
                return -jnp.log(1 - step_size * decay) + jnp.log(ratio)
                """,
                "divide by num_steps",
            ),
            Wrong(
                "the sum",
                """
                ratio = last_norm / first_norm
                return -num_steps * jnp.log(1 - step_size * decay) + jnp.log(ratio)
                """,
                "sum of all steps",
            ),
            Wrong(
                "sign of the decay",
                """
                ratio = last_norm / first_norm
                return -jnp.log(1 + step_size * decay) + jnp.log(ratio) / num_steps
                """,
                "keeps 1 - step_size",
            ),
            Wrong(
                "sign of the logarithm",
                """
                ratio = last_norm / first_norm
                return jnp.log(1 - step_size * decay) + jnp.log(ratio) / num_steps
                """,
                "is positive",
            ),
            Wrong("the angle", "return jnp.sqrt(2 * step_size * decay)", "That is an angle"),
            Wrong(
                "base 10",
                """
                ratio = last_norm / first_norm
                return -jnp.log10(1 - step_size * decay) + jnp.log10(ratio) / num_steps
                """,
                "Natural",
            ),
            Wrong(
                "ratio for its logarithm",
                "return -jnp.log(1 - step_size * decay) + last_norm / first_norm / num_steps",
                "The logarithm of the ratio",
            ),
            Wrong(
                "shape: all steps",
                "return jnp.full(num_steps, -jnp.log(1 - step_size * decay))",
                "single number",
            ),
        ],
        [
            "return np.log((last_norm / first_norm) ** (1 / num_steps) / (1 - step_size * decay))",
            """
            longer = (np.log(last_norm) - np.log(first_norm)) / num_steps
            return float(longer - np.log1p(-step_size * decay))
            """,
            """
            total = -num_steps * jnp.log(1 - step_size * decay)
            return (total + jnp.log(last_norm) - jnp.log(first_norm)) / num_steps
            """,
        ],
    ),
    "7.4": Exercise(
        "def schedule_without_decay(lrs, keeps):",
        [
            Wrong(
                "C_t squared",
                "return lrs / (jnp.cumprod(keeps) / keeps) ** 2",
                "this is C_t squared",
            ),
            Wrong(
                "C_(t+1) squared", "return lrs / jnp.cumprod(keeps) ** 2", "not twice by C_(t+1)"
            ),
            Wrong(
                "gradient forgotten", "return lrs / jnp.cumprod(keeps)", "The gradient has changed"
            ),
            Wrong("step forgotten", "return lrs / (jnp.cumprod(keeps) / keeps)", "of the step"),
            Wrong("not cumulated", "return lrs / keeps", "of all earlier steps"),
            Wrong("not cumulated, squared", "return lrs / keeps**2", "not the last one twice"),
            Wrong(
                "multiplied",
                "after = jnp.cumprod(keeps)\nreturn lrs * after * after / keeps",
                "It grows",
            ),
            Wrong(
                "reversed",
                "after = jnp.cumprod(keeps)\nreturn (lrs * keeps / after**2)[::-1]",
                "reverse order",
            ),
            Wrong(
                "a constant decay",
                """
                t = jnp.arange(len(lrs))
                return lrs * keeps[0] ** -(2.0 * t + 1)
                """,
                "before step t",
            ),
            Wrong(
                "the last keep for all",
                """
                t = jnp.arange(len(lrs))
                return lrs * keeps[-1] ** -(2.0 * t + 1)
                """,
            ),
            Wrong(
                "one rate for all",
                """
                after = jnp.cumprod(keeps)
                return lrs[0] * keeps / after**2
                """,
                "of its own",
            ),
            Wrong(
                "one step too late",
                "after = jnp.cumprod(keeps)\nreturn lrs / (after**2 * keeps)",
                "once too often",
            ),
            Wrong(
                "shape: the last one alone",
                "after = jnp.cumprod(keeps)\nreturn (lrs * keeps / after**2)[-1]",
                "shape (3,)",
            ),
            Wrong(
                "keeps above 1 taken for mistakes",
                """
                after = jnp.cumprod(jnp.minimum(keeps, 1))
                return lrs * jnp.minimum(keeps, 1) / after**2
                """,
                "runs part",
                hidden=True,
            ),
        ],
        [
            """
            rates, C = [], 1.0
            for lr, keep in zip(lrs, keeps):
                rates.append(lr / (C * C * keep))
                C = C * keep
            return np.array(rates)
            """,
            """
            C = np.concatenate([[1.0], np.cumprod(np.asarray(keeps))])
            return list(np.asarray(lrs) / (C[:-1] * C[1:]))
            """,
            """
            log_C = jnp.cumsum(jnp.log(keeps))
            return lrs * keeps * jnp.exp(-2 * log_C)
            """,
            """
            def step(C, now):
                lr, keep = now
                return C * keep, lr / (C**2 * keep)

            return jax.lax.scan(step, 1.0, (jnp.asarray(lrs), jnp.asarray(keeps)))[1]
            """,
        ],
    ),
    "7.5": Exercise(
        "def equilibrium(step_size, decay, g_unit):",
        [
            Wrong(
                "a largest turn",
                """
                x = step_size * decay
                length = (step_size * g_unit**2 / (decay * (2 - x))) ** 0.25
                return length, jnp.arccos(1 - min(x, 0.25))
                """,
                "repeated for eta = 2.0",
                hidden=True,
            ),
            Wrong(
                "both limits",
                """
                norm = (step_size * g_unit**2 / (2 * decay)) ** 0.25
                return norm, jnp.sqrt(2 * step_size * decay)
                """,
                "Both are limits",
            ),
            Wrong(
                "limit of the length",
                """
                norm = (step_size * g_unit**2 / (2 * decay)) ** 0.25
                return norm, jnp.arccos(1 - step_size * decay)
                """,
                "keep 2 - eta lambda",
            ),
            Wrong(
                "limit of the angle",
                """
                norm = (step_size * g_unit**2 / (decay * (2 - step_size * decay))) ** 0.25
                return norm, jnp.sqrt(2 * step_size * decay)
                """,
                "limit for small angles",
            ),
            Wrong(
                "square root",
                """
                norm = (step_size * g_unit**2 / (decay * (2 - step_size * decay))) ** 0.5
                return norm, jnp.arccos(1 - step_size * decay)
                """,
                "The fourth root",
            ),
            Wrong(
                "no root",
                """
                norm = step_size * g_unit**2 / (decay * (2 - step_size * decay))
                return norm, jnp.arccos(1 - step_size * decay)
                """,
                "|w|^4",
            ),
            Wrong(
                "degrees",
                """
                norm = (step_size * g_unit**2 / (decay * (2 - step_size * decay))) ** 0.25
                return norm, jnp.degrees(jnp.arccos(1 - step_size * decay))
                """,
                "In radians",
            ),
            Wrong(
                "gradient not squared",
                """
                norm = (step_size * g_unit / (decay * (2 - step_size * decay))) ** 0.25
                return norm, jnp.arccos(1 - step_size * decay)
                """,
                "is squared",
            ),
            Wrong(
                "swapped",
                """
                norm = (decay * g_unit**2 / (step_size * (2 - step_size * decay))) ** 0.25
                return norm, jnp.arccos(1 - step_size * decay)
                """,
                "swapped",
            ),
            Wrong(
                "the cosine",
                """
                norm = (step_size * g_unit**2 / (decay * (2 - step_size * decay))) ** 0.25
                return norm, 1 - step_size * decay
                """,
                "not its cosine",
            ),
            Wrong(
                "shape: the length alone",
                "return (step_size * g_unit**2 / (decay * (2 - step_size * decay))) ** 0.25",
                "Two numbers",
            ),
        ],
        [
            """
            shrink = 1 - step_size * decay
            norm = np.sqrt(step_size * g_unit / np.sqrt(1 - shrink**2))
            return norm, np.arctan2(np.sqrt(1 - shrink**2), shrink)
            """,
            """
            x = step_size * decay
            norm = jnp.sqrt(step_size * g_unit) / (x * (2 - x)) ** 0.25
            return jnp.array([norm, jnp.arccos(1 - x)])
            """,
            """
            x = step_size * decay
            norm = (step_size / decay * g_unit**2 / (2 - x)) ** (1 / 4)
            return [float(norm), float(2 * np.arcsin(np.sqrt(x / 2)))]
            """,
        ],
    ),
}
