"""Curvature products, solvers and influence functions in JAX, and the few tools a lesson needs.

Importing the package needs the standard library alone; each public name loads its module when it is
first used.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOMES = {
    "curvature": (
        "compose",
        "fvp",
        "ggnvp",
        "hessian_mvp",
        "hessian_sampler",
        "hutchinson_trace",
        "hvp",
        "hvp_operator",
        "lanczos",
        "power_iteration",
    ),
    "fitted_model": ("FittedModel",),
    "influence_functions": (
        "damping_sweep",
        "grad_z",
        "group_influence",
        "influence",
        "influence_on_params",
        "perturbation_influence",
        "s_test",
        "self_influence",
        "tracin",
    ),
    "scores_on_disk": ("influence_on_disk",),
    "influence_result": ("Influence",),
    "kronecker": (
        "Kronecker",
        "kronecker_factors",
        "kronecker_solve",
    ),
    "solvers": (
        "Arnoldi",
        "CG",
        "Exact",
        "LiSSA",
        "SolveInfo",
        "cg",
        "direct",
        "lissa",
        "neumann",
    ),
    "trees": ("dense",),
    "retraining": (
        "Agreement",
        "check_influence",
        "leave_one_out",
        "linear_datamodeling_score",
        "proximal_refit",
        "refit_on_subsets",
        "retrain",
        "select_most_influential",
    ),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 (a list, made from the table above)


def __getattr__(name):
    """Load the module that holds ``name`` (PEP 562)."""
    if name in _HOME_OF:
        value = getattr(_import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *__all__])
