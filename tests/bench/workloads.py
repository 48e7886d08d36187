"""What `bench` measures: workloads, their series of methods, and who else has them."""

from typing import NamedTuple

PEERS = ("pydvl", "curvlinops", "dattri")
HERE = "here"  # for other ways in our own interpreter


class Series(NamedTuple):
    """Methods that compute the same thing from the same arrays."""

    title: str
    recipe: str  # of the arrays
    reference: str  # the name of the result in float64, and of what is necessary for it
    ours: str
    peers: dict  # peer -> its methods
    yardsticks: tuple = ()  # computations here with another result, to tell the time of ours in


class Workload(NamedTuple):
    """Series that belong together."""

    about: str
    rounds: int
    series: list


MODELS = ("logistic regression", "MLP", "CNN", "transformer")


def _inner_products(count, others=(), yardsticks=()):
    return Series(
        title=f"{count} test points" if count > 1 else "one test point",
        recipe="W5",
        reference=f"scores, {count}",
        ours=f"tracin, {count}",
        peers={HERE: [f"{path}, {count}" for path in others]},
        yardsticks=yardsticks,
    )


WORKLOADS = {
    "W1": Workload(
        "digits, softmax regression with p = 650: all 360 x 1437 scores",
        9,
        [
            Series(
                *("exact", "W1", "scores", "exact"),
                {"pydvl": ["Direct"], "curvlinops": ["dense"], "dattri": ["Explicit"]},
            ),
            Series(
                *("CG", "W1", "scores", "CG"),
                {"pydvl": ["block CG"], "curvlinops": ["CG"]},
            ),
        ],
    ),
    "W2": Workload(
        "mixture, n = 60,000, softmax regression with p = 7,840: one test point",
        3,
        [
            Series(
                *("CG", "W2", "scores", "CG"),
                {"pydvl": ["block CG"], "curvlinops": ["CG"]},
            )
        ],
    ),
    "W3": Workload(
        "digits, an MLP (p = 6,570) and a CNN (p = 1,418), GGN + 0.01 I: 100 test points",
        3,
        [
            Series("MLP, CG", "W3 MLP", "scores", "CG", {"curvlinops": ["CG"]}),
            Series("CNN, CG", "W3 CNN", "scores", "CG", {"curvlinops": ["CG"]}),
            Series("CNN, solver", "W3 CNN", "30 steps", "30 steps", {}, ("30 products",)),
        ],
    ),
    "W4": Workload(
        "one product with H or G against one gradient of the same batch, four models",
        15,
        [
            Series(name, "W4", name, name, {}, (f"{model}, gradient",))
            for model in MODELS
            for name in (f"{model}, HVP", f"{model}, GGN product")
        ],
    ),
    "W5": Workload(
        "mixture, n = 60,000, p = 7,840: inner products with the gradients of test points",
        7,
        [
            _inner_products(1, ("vmap(grad)",), ("forward pass, 1",)),
            _inner_products(10),
            _inner_products(100),
        ],
    ),
    "W6": Workload(
        "mixture: 1,000 test points by 55,000, p = 7,840, to disk; about 15 minutes",
        1,
        [Series("to disk", "W6", "scores", "to disk", {})],
    ),
    "W7": Workload(
        "digits, n = 200, an MLP with p = 610: the first call for 8 test points, by CG",
        5,
        [
            Series("GGN", "W7 GGN", "scores", "CG", {HERE: ["plain JAX"]}),
            Series(
                *("Hessian, indefinite", "W7 Hessian", "verdict", "verdict", {}),
                yardsticks=("plain JAX",),  # whose numbers say nothing of the matrix
            ),
        ],
    ),
}
