"""What type checkers read in place of ``__init__.py``, whose names come from a table.

In such a file ``a as a`` means that a is public.
"""

# isort: off
from course_utils.curvature import (
    compose as compose,
    fvp as fvp,
    ggnvp as ggnvp,
    hessian_mvp as hessian_mvp,
    hessian_sampler as hessian_sampler,
    hutchinson_trace as hutchinson_trace,
    hvp as hvp,
    hvp_operator as hvp_operator,
    lanczos as lanczos,
    power_iteration as power_iteration,
)
from course_utils.fitted_model import FittedModel as FittedModel
from course_utils.influence_functions import (
    damping_sweep as damping_sweep,
    grad_z as grad_z,
    group_influence as group_influence,
    influence as influence,
    influence_on_params as influence_on_params,
    perturbation_influence as perturbation_influence,
    s_test as s_test,
    self_influence as self_influence,
    tracin as tracin,
)
from course_utils.scores_on_disk import influence_on_disk as influence_on_disk
from course_utils.influence_result import Influence as Influence
from course_utils.kronecker import (
    Kronecker as Kronecker,
    kronecker_factors as kronecker_factors,
    kronecker_solve as kronecker_solve,
)
from course_utils.solvers import (
    Arnoldi as Arnoldi,
    CG as CG,
    Exact as Exact,
    LiSSA as LiSSA,
    SolveInfo as SolveInfo,
    cg as cg,
    direct as direct,
    lissa as lissa,
    neumann as neumann,
)
from course_utils.trees import dense as dense
from course_utils.retraining import (
    Agreement as Agreement,
    check_influence as check_influence,
    leave_one_out as leave_one_out,
    linear_datamodeling_score as linear_datamodeling_score,
    proximal_refit as proximal_refit,
    refit_on_subsets as refit_on_subsets,
    retrain as retrain,
    select_most_influential as select_most_influential,
)

__version__: str
