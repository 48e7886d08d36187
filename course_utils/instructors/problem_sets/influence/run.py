"""Exercise I.2: the derivative of a training run, carried forwards."""

from course_utils.instructors.problem_sets.drawing import Draw, drawn_until
from course_utils.instructors.problem_sets.templates import exercise

METHODS = ("heavy ball", "averaged gradient", "look ahead")
KNOBS = ("step_size", "beta", "start")  # what the last weights are differentiated by
SCHEDULES = ("constant", "linear", "root")  # of the step sizes


def make(seed):
    draw, secret = Draw(seed, "I.2"), Draw(seed, "I.2", "hidden")
    method, knob, schedule = draw.choice(METHODS), draw.choice(KNOBS), draw.choice(SCHEDULES)
    least = 5 + 2 * (knob != "start") + (method == "look ahead")
    hand = drawn_until(lambda: _by_hand(draw, method, knob, schedule), least)
    values = dict(
        hand,
        stream=draw.stream(),
        eta_run=draw.number(0.1, 0.3, 2),
        beta_run=draw.number(0.3, 0.8),
        cases=[
            (
                secret.stream(),
                secret.integer(2, 6),
                secret.number(0.05, 0.2, 2),
                secret.number(0.2, 0.9, 2),
                steps,
            )
            for steps in (1, secret.integer(4, 9), secret.integer(15, 30))
        ],
    )
    return exercise(
        "I.2", "influence/run.j2", dict(method=method, knob=knob, schedule=schedule), values
    )


def _by_hand(draw, method, knob, schedule):
    """One weight, three steps: numbers, the end and its derivative, and what slips make of it."""
    a, b = draw.number(0.4, 1.2), draw.number(0.2, 0.6)
    w0, d = draw.signed(0.8, 1.6), draw.signed(0.5, 2)
    eta, beta = draw.number(0.2, 0.5), draw.number(0.3, 0.8)
    parts = {
        "constant": [1.0, 1.0, 1.0],
        "linear": [1.0, 2 / 3, 1 / 3],
        "root": [1.0, 2**-0.5, 3**-0.5],
    }[schedule]
    gradient = lambda w: a * w + b * w**3
    hessian = lambda w: a + 3 * b * w**2

    def run(knob=knob, steps=3, memory=1, own=1, bend=1, at_new=0, half=1, whole=False):
        """The pair; slips leave out a part, or take H after the step (at_new)."""
        w, m, dw, dm = w0, 0.0, d if knob == "start" else 0.0, 0.0
        by_beta = own * (knob == "beta")
        for part in parts[:steps]:
            now = eta * part
            by_eta = own * (knob == "step_size") * (1 if whole else part)
            ahead = beta if method == "look ahead" else 0.0
            at = w + ahead * m
            move = dw + half * (ahead * dm + by_beta * (ahead > 0) * m)
            g = gradient(at)
            if method == "averaged gradient":
                new_m = beta * m + (1 - beta) * g
                new_w = w - now * new_m
            else:
                new_m = beta * m - now * g
                new_w = w + new_m
            dg = bend * hessian(new_w if at_new else at) * move
            if method == "averaged gradient":
                dm = memory * beta * dm + by_beta * (m - g) + (1 - beta) * dg
                dw = dw - now * dm - by_eta * new_m
            else:
                dm = memory * beta * dm + by_beta * m - now * dg - by_eta * g
                dw = dw + dm
            w, m = new_w, new_m
        return dw

    w = w0
    right = run()
    end = _end(method, parts, gradient, w, eta, beta)
    slips = {
        "no memory": run(memory=0),
        "no own term": run(own=0),
        "no Hessian": run(bend=0),
        "another place": run(at_new=1),
        "sign of the Hessian": run(bend=-1),
        "another place moves": run(half=0),
        "whole schedule": run(whole=True),
        "one step fewer": run(steps=2),
    }
    if knob != "start":
        slips["another knob"] = run(knob="beta" if knob == "step_size" else "step_size")
    else:
        del slips["no own term"]
    slips = {name: [end, slip] for name, slip in slips.items()}
    return dict(a=a, b=b, w0=w0, d=d, eta=eta, beta=beta, right=[end, right], slips=slips)


def _end(method, parts, gradient, w, eta, beta):
    """The weight after all steps."""
    m = 0.0
    for part in parts:
        if method == "averaged gradient":
            m = beta * m + (1 - beta) * gradient(w)
            w = w - eta * part * m
        else:
            m = beta * m - eta * part * gradient(w + (method == "look ahead") * beta * m)
            w = w + m
    return w
