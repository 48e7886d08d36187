"""Exercise F.7: how the validation error follows a change of the training."""

from course_utils.instructors.problem_sets.foundations._old import Draw, Exercise, filled, row_list

# Training and validation losses of predictions y: LaTeX of one example's loss, code of the mean or
# sum (with a gap for weights), slope and bend in NumPy
FITS = {
    "half mean of squares": dict(
        latex=r"\frac{1}{2N}\sum_n {}(\phi_n^\top w - t_n)^2",
        code="0.5 * jnp.mean({}(Phi @ w - t) ** 2)",
        dense=("(y - t) / N", "np.ones(N) / N"),
        target="draw.normal(size=N)",
    ),
    "mean of squares": dict(
        latex=r"\frac1N\sum_n {}(\phi_n^\top w - t_n)^2",
        code="jnp.mean({}(Phi @ w - t) ** 2)",
        dense=("2 * (y - t) / N", "2 * np.ones(N) / N"),
        target="draw.normal(size=N)",
    ),
    "half sum of squares": dict(
        latex=r"\frac12\sum_n {}(\phi_n^\top w - t_n)^2",
        code="0.5 * jnp.sum({}(Phi @ w - t) ** 2)",
        dense=("y - t", "np.ones(N)"),
        target="draw.normal(size=N)",
    ),
    "logistic": dict(
        latex=r"\frac1N\sum_n {}\log\big(1 + e^{-t_n \phi_n^\top w}\big)",
        code="jnp.mean({}jnp.logaddexp(0.0, -t * (Phi @ w)))",
        dense=(
            "-t / (1 + np.exp(t * y)) / N",
            "1 / (1 + np.exp(y)) / (1 + np.exp(-y)) / N",
        ),
        target="draw.choice([-1.0, 1.0], size=N)",
    ),
}
VALIDATIONS = {
    "half mean of squares": (
        r"\frac{1}{2M}\sum_m (\phi_m^\top w - t_m)^2",
        "0.5 * jnp.mean((Phi @ w - t) ** 2)",
        "0.5 * np.mean((Pv @ w - tv) ** 2)",
    ),
    "mean of squares": (
        r"\frac1M\sum_m (\phi_m^\top w - t_m)^2",
        "jnp.mean((Phi @ w - t) ** 2)",
        "np.mean((Pv @ w - tv) ** 2)",
    ),
    "logistic": (
        r"\frac1M\sum_m \log\big(1 + e^{-t_m \phi_m^\top w}\big), \quad t_n, t_m = \pm 1",
        "jnp.mean(jnp.logaddexp(0.0, -t * (Phi @ w)))",
        "np.mean(np.logaddexp(0, -tv * (Pv @ w)))",
    ),
}
KNOBS = {
    "penalty": dict(
        name="l2",
        symbol=r"\lambda",
        says="the penalty $\\lambda$",
        latex=r"\frac\lambda2\lVert w\rVert^2",
        code="0.5 * l2 * w @ w",
        dense="knob",
        shape="`l2` is $\\lambda$, a number, and so is the result",
        value=lambda draw: draw.number(0.2, 0.9),
    ),
    "log penalty": dict(
        name="rho",
        symbol=r"\rho",
        says="$\\rho$, the *logarithm* of the penalty",
        latex=r"\frac12 e^{\rho}\,\lVert w\rVert^2",
        code="0.5 * jnp.exp(rho) * w @ w",
        dense="np.exp(knob)",
        shape="`rho` is $\\rho$, a number, and so is the result",
        value=lambda draw: draw.number(-1.6, -0.2),
    ),
    "example weights": dict(
        name="a",
        symbol=r"a_n",
        says="the weights $a_n$ of the training examples, which are 1 so far",
        latex=r"\frac{LAMBDA}{2}\lVert w\rVert^2",
        code="0.5 * LAMBDA * w @ w",
        dense="LAMBDA",
        shape="`a` has the weights, shape (N,), all 1, and the result is the derivative by each of "
        "them, shape (N,), with *one* linear system, not N",
        value=lambda draw: draw.number(0.2, 0.9),
    ),
}

# What is differentiated of the validation error V: symbol, words, JAX, NumPy, what follows in the
# solution
QUANTITIES = {
    "error": (r"V(w^\star)", "", "{}", "{}", ""),
    "logarithm": (
        r"\log V(w^\star)",
        ", that is, by which *part* of itself the validation error changes",
        "jnp.log({})",
        "np.log({})",
        " / valid_7(w, *valid)",
    ),
    "root": (
        r"\sqrt{V(w^\star)}",
        ", because a root has the units of a target",
        "jnp.sqrt({})",
        "np.sqrt({})",
        " / (2 * jnp.sqrt(valid_7(w, *valid)))",
    ),
}

QUANTITY_SLIPS = """
            (plain, "That is the derivative of V itself."),"""
LOG_SLIPS = """
            (right / jnp.exp(at), "By the penalty; rho is its logarithm."),
            (right * jnp.exp(at), "The chain rule once too often, for rho."),"""

TASK = r"""
Training sets the weights, $w^\star$ being the minimum of $J$ on $N$ training examples; validation
judges them, by $V$ on $M$ other ones:

$$J(w) = «latex» + «penalty», \qquad\qquad V(w) = «validation».$$

We may turn «says». Every turn moves $w^\star$, and with it $V(w^\star)$. In which direction does
one turn to make the validation error smaller?

**Write** `validation_slope`: the derivative of $«quantity»$ by $«symbol»$«quantity_words». `w` is
$w^\star$, shape (D,), for the value given; «shape». `train` is the pair `(Phi, t)` of shapes (N, D)
and (N,), `valid` the same for validation, (M, D) and (M,). You may write the Hessian down, D is
small. `train_7` and `valid_7` are $J$ and $V$ as code, and `refit_7` finds $w^\star$, for
experiments.

<details><summary>Hint 1: two factors</summary>

$V$ changes only through $w^\star$. The chain rule asks for $\nabla V$, and for the response of the
optimum, (4.7) of notebook 4.
</details>
<details><summary>Hint 2: the pull</summary>

$\partial_{«symbol»}\nabla_w J$ is the derivative of the gradient of `train_7` by its second
argument; `jax.jacfwd(jax.grad(train_7), 1)` has it, or pencil and paper. $V$
itself does not contain it, so that nothing else is added.
</details>"""

GIVEN = """\
def train_7(w, «name», Phi, t):
    data = «train»
    return data + «penalty_code»


def valid_7(w, Phi, t):
    return «valid»


@jax.jit
def refit_7(«name», Phi, t):  # w*, for experiments
    J = lambda w: train_7(w, «name», Phi, t)
    return training.minimize(J, jnp.zeros(Phi.shape[1]), tol=1e-12)[0]"""

ANSWER = '''\
# Exercise F.7
def validation_slope(w, «name», train, valid):
    """The derivative by «name» of what the validation says."""
    ### BEGIN SOLUTION
    J = lambda w, «name»: train_7(w, «name», *train)
    H = jax.hessian(J)(w, «name»)
    pull = jax.jacfwd(jax.grad(J), 1)(w, «name»)
    g = jax.grad(valid_7)(w, *valid)
    return -jnp.linalg.solve(H, g) @ pull«after»
    ### END SOLUTION'''

CHECK = """\
def data_of(stream, N, M, D):
    draw = np.random.default_rng(stream)
    pairs = []
    for N in [N, M]:
        Phi = draw.normal(size=(N, D))
        pairs.append((Phi, «target»))
    return pairs


def agrees_with_refits(f):
    train, valid = data_of(«stream», 8, 5, 3)
    at = «at»
    got = f(refit_7(at, *train), at, train, valid)
    assert jnp.shape(got) == jnp.shape(at), (
        f"The result has the shape {jnp.shape(at)}; yours is {jnp.shape(got)}."
    )
    for way in «ways»:
        ends = [refit_7(at + eps * way, *train) for eps in (1e-4, -1e-4)]
        high, low = (valid_7(w, *valid) for w in ends)
        plain = (high - low) / 2e-4  # of V
        right = «right»
        mine = jnp.sum(got * way)
        slips = [
            (-right, "The sign: the weights give way to the pull."),
            (right * 8, "It is N times too large. Is the cost a mean?"),
            (right / 8, "It is N times too small. Is the cost a sum?"),
            (right * 2, "It is twice too large: see the halves in J and V."),
            (right / 2, "It is half of it: see the halves in J and V."),«more_slips»
        ]
        for slip, hint in slips:
            assert not jnp.isclose(mine, slip, rtol=1e-4), hint
        assert jnp.isclose(mine, right, rtol=1e-4), (
            f"Two refits, a little to either side, say {right:.6f}; yours is "
            f"{mine:.6f}. Three factors: the gradient of V, the inverse of the "
            "Hessian of J, penalty included, and the pull."
        )


check("F.7", validation_slope, agrees_with_refits)"""

HIDDEN = """\
def refit_hidden(P, t, knob, each):
    w, N = np.zeros(P.shape[1]), len(t)
    for _ in range(60):
        y = P @ w
        slope = «slope»
        bend = «bend»
        g = P.T @ (each * slope) + («dense») * w
        H = (P.T * (each * bend)) @ P + («dense») * np.eye(len(w))
        w = w - np.linalg.solve(H, g)
    assert np.linalg.norm(g) < 1e-9
    return w


for stream, N, M, D, knob in «cases»:
    (P, t), (Pv, tv) = data_of(stream, N, M, D)
    each, by_weights = np.ones(N), «by_weights»
    exact_hidden = []
    for i in range(N if by_weights else 1):
        ends = []
        for eps in [1e-4, -1e-4]:
            turned = knob if by_weights else knob + eps
            some = each + eps * (np.arange(N) == i) if by_weights else each
            w = refit_hidden(P, t, turned, some)
            ends.append(«validation_dense»)
        exact_hidden.append((ends[0] - ends[1]) / 2e-4)
    w = jnp.asarray(refit_hidden(P, t, knob, each))
    given = jnp.ones(N) if by_weights else jnp.asarray(float(knob))
    got_hidden = validation_slope(w, given, (P, t), (Pv, tv))
    assert np.shape(got_hidden) == np.shape(given), "The shape is wrong."
    agree = np.allclose(np.ravel(got_hidden), exact_hidden, 1e-5, 1e-7)
    assert agree, (
        f"Refits say otherwise for {N} and {M} examples and {D} weights."
    )"""


def make(seed):
    draw, secret = Draw(seed, "F.7"), Draw(seed, "F.7", "hidden")
    fit, knob = draw.choice(FITS), draw.choice(KNOBS)
    valid = fit if fit == "logistic" else draw.choice([*VALIDATIONS][:2])
    loss, turned = FITS[fit], KNOBS[knob]
    validation, valid_code, validation_dense = VALIDATIONS[valid]
    quantity = draw.choice([q for q in QUANTITIES if q != "root" or fit != "logistic"])
    symbol, words, in_jax, in_numpy, after = QUANTITIES[quantity]
    by_weights = knob == "example weights"
    fixed = draw.number(0.2, 0.9)  # the penalty where the weights are turned
    at = turned["value"](draw)
    values = dict(
        latex=loss["latex"].replace("{}", "a_n\\, " if by_weights else ""),
        penalty=turned["latex"].replace("LAMBDA", str(fixed)),
        validation=validation,
        says=turned["says"],
        symbol=turned["symbol"],
        shape=turned["shape"],
        name=turned["name"],
        train=loss["code"].replace("{}", "a * " if by_weights else ""),
        penalty_code=turned["code"].replace("LAMBDA", str(fixed)),
        valid=valid_code,
        target=loss["target"],
        stream=draw.stream(),
        at="jnp.ones(8)" if by_weights else f"jnp.array({at})",
        ways="[*jnp.eye(8)[:2], jnp.ones(8)]" if by_weights else "[1.0]",
        quantity=symbol,
        quantity_words=words,
        after=after,
        right="plain"
        if quantity == "error"
        else f"({in_jax.format('high')} - {in_jax.format('low')}) / 2e-4",
        more_slips=(QUANTITY_SLIPS if quantity != "error" else "")
        + (LOG_SLIPS if knob == "log penalty" else ""),
        slope=loss["dense"][0],
        bend=loss["dense"][1],
        dense=turned["dense"].replace("LAMBDA", str(fixed)),
        by_weights=by_weights,
        validation_dense=in_numpy.format(validation_dense),
        cases=row_list(
            [
                (
                    secret.stream(),
                    secret.integer(7, 12),
                    secret.integer(4, 9),
                    secret.integer(2, 5),
                    fixed if by_weights else turned["value"](secret),
                )
                for _ in range(2)
            ]
        ),
    )
    return Exercise(
        name="F.7",
        title="Which way to turn the knob?",
        minutes=25,
        points=5,
        variant=dict(fit=fit, validation=valid, knob=knob, quantity=quantity),
        **filled(values, task=TASK, given=GIVEN, answer=ANSWER, check=CHECK, hidden=HIDDEN),
    )
