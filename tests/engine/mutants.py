"""Break the package on purpose, one line at a time: each time a test must fail.

    python3 tests/engine/mutants.py            all of them, one after the other
    python3 tests/engine/mutants.py -n 2       two at a time
    python3 tests/engine/mutants.py lissa cg   those whose name or file contains one of the words

A mutant is one exact text of one file of the package, what stands there in its place, and a
sentence saying what is broken then. It is put into a copy of the package in a temporary folder, and
the tests that speak of that line are run against the copy until the first one fails. First the same
tests are run against the package as it is. Exit status 1: a mutant survived, a text is not found
exactly once, or the tests fail without any mutant.

Run by hand: it takes about ten seconds for each mutant. ``test_mutants.py`` checks that every
text is still there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "course_utils"


class Mutant(NamedTuple):
    """One fault: ``old`` in ``file`` becomes ``new``; ``tests`` are files, and words for ``-k``."""

    name: str
    file: str
    old: str
    new: str
    broken: str
    tests: str


MUTANTS = [
    # trees
    Mutant(
        "rest dropped",
        "trees.py",
        "rest = per - num_full * batch_size",
        "rest = 0",
        "examples that do not fill a block are left out of every sum",
        "test_trees.py -k blocks",
    ),
    Mutant(
        "blocks shifted",
        "trees.py",
        "add(total, f(block(k * batch_size, batch_size)))",
        "add(total, f(block(k * batch_size + 1, batch_size)))",
        "each block starts one example too late",
        "test_trees.py -k blocks",
    ),
    Mutant(
        "mean of blocks",
        "trees.py",
        "total = jax.lax.fori_loop(0, num_full, step, zero)",
        "total = scale(1 / num_full, jax.lax.fori_loop(0, num_full, step, zero))",
        "blocks are averaged where they should be added",
        "test_curvature.py -k any_block_size",
    ),
    Mutant(
        "weights forgotten",
        "trees.py",
        "jnp.sum(values if weights is None else weights * values)",
        "jnp.sum(values)",
        "examples of weight zero count in the Hessian",
        "test_curvature.py -k whole_weight",
    ),
    Mutant(
        "infinity let in",
        "trees.py",
        "jnp.sum(jnp.multiply(0, leaf)) == 0",
        "~jnp.isnan(jnp.sum(leaf))",
        "data with an infinity are taken, and every score is NaN",
        "test_trees.py test_influence_functions.py -k is_not_finite",
    ),
    # curvature
    Mutant(
        "ggn without H_z",
        "curvature.py",
        "pull(inner(push(v)))[0]",
        "pull(push(v))[0]",
        "the Gauss-Newton matrix is J^T J",
        "test_curvature.py -k three_matrices",
    ),
    Mutant(
        "fisher of the likeliest label",
        "curvature.py",
        "p = jax.nn.softmax(z)",
        "p = jax.nn.one_hot(jnp.argmax(z, axis=1), z.shape[1])",
        "one label stands for the sum over the model's own",
        "test_curvature.py -k fisher",
    ),
    Mutant(
        "fisher as a sum",
        "curvature.py",
        "keepdims=True)) / len(z)",
        "keepdims=True))",
        "the Fisher matrix is a sum over examples, not a mean",
        "test_curvature.py -k fisher",
    ),
    Mutant(
        "hessian as a sum",
        "curvature.py",
        "trees.scale(1 / n, total(v))",
        "trees.scale(1, total(v))",
        "the 1/n of the Hessian is forgotten",
        "test_curvature.py -k any_block_size",
    ),
    Mutant(
        "hessian without l2",
        "curvature.py",
        "trees.multiply(l2, v))",
        "trees.multiply(l2, trees.zeros_like(v)))",
        "l2 is missing from H",
        "test_curvature.py -k any_block_size",
    ),
    Mutant(
        "last example never drawn",
        "curvature.py",
        "jax.random.randint(key, (batch_size,), 0, n)",
        "jax.random.randint(key, (batch_size,), 0, n - 1)",
        "mini-batches never see the last example",
        "test_curvature.py -k drawn_batch",
    ),
    Mutant(
        "power iteration without a sign",
        "curvature.py",
        "value = trees.vdot(v, av)",
        "value = trees.norm(av)",
        "a negative eigenvalue is reported as positive",
        "test_curvature.py -k keeps_its_sign",
    ),
    Mutant(
        "ritz vectors transposed",
        "curvature.py",
        "trees.unravel_rows(s.T @ basis[:-1], like)",
        "trees.unravel_rows(s @ basis[:-1], like)",
        "rows of the small eigenproblem stand for its columns",
        "test_curvature.py -k all_steps",
    ),
    Mutant(
        "lanczos weights",
        "curvature.py",
        "s[0] ** 2",
        "s[:, 0] ** 2",
        "the weights of the quadrature are those of one Ritz vector",
        "test_curvature.py -k weights_integrate",
    ),
    Mutant(
        "lanczos error",
        "curvature.py",
        "jnp.abs(beside[-1] * s[-1])",
        "jnp.abs(beside[-1] * s[0])",
        "the error of a Ritz value is read off the wrong end of its vector",
        "test_curvature.py -k error_of_each_ritz",
    ),
    Mutant(
        "error of the trace",
        "curvature.py",
        "spread / num_samples**0.5",
        "spread / num_samples",
        "the standard error falls like one over the samples",
        "test_curvature.py -k hutchinson",
    ),
    # kronecker
    Mutant(
        "labels of one kind",
        "kronecker.py",
        "rows = jnp.sqrt(p)[:, None] *",
        "rows =",
        "all labels count alike, not by the model's own probabilities",
        "test_kronecker.py -k moments",
    ),
    Mutant(
        "product called corrected",
        "kronecker.py",
        "jnp.sum((s @ q_out) ** 2, axis=1)",
        "jnp.mean(jnp.sum((s @ q_out) ** 2, axis=1), axis=0)[None].repeat(len(a), 0)",
        "EK-FAC's eigenvalues are K-FAC's",
        "test_kronecker.py -k diagonal_of_the_dense",
    ),
    Mutant(
        "rotated one way",
        "kronecker.py",
        "x = (q_in.T @ v @ q_out)",
        "x = (q_in @ v @ q_out)",
        "the solve enters the eigenbasis by its transpose",
        "test_kronecker.py -k dense_solves",
    ),
    Mutant(
        "one key for all",
        "kronecker.py",
        "jax.random.categorical(key, z)",
        "jnp.argmax(z)",
        "the likeliest label stands for one that is drawn",
        "test_kronecker.py -k as_their_mean",
    ),
    Mutant(
        "bias penalised like weights",
        "kronecker.py",
        'corrected, numbers.get("b"))',
        'corrected, numbers["w"])',
        "the setting solves as if l2 were that of the weights for the bias too",
        "test_kronecker.py -k scores_are_those",
    ),
    Mutant(
        "rank one of the wrong sign",
        "kronecker.py",
        "(c * (e @ x) / left)",
        "(-c * (e @ x) / left)",
        "the change for a bias with an l2 of its own goes the wrong way",
        "test_kronecker.py -k scores_are_those",
    ),
    Mutant(
        "layer of a held bias",
        "kronecker.py",
        "if {True, False} in counts:",
        "if False:",
        "a bias that is held fixed is solved for as if it counted",
        "test_kronecker.py -k cannot_be_are_refused",
    ),
    Mutant(
        "approximation believed",
        "kronecker.py",
        "jnp.where(met, CONVERGED, APPROXIMATION)",
        "CONVERGED",
        "a solve with another matrix says that it has converged",
        "test_kronecker.py -k certificate_speaks",
    ),
    Mutant(
        "indefinite and usable",
        "kronecker.py",
        "status = jnp.where(negative, INDEFINITE, jnp.where(met",
        "status = jnp.where(False, INDEFINITE, jnp.where(met",
        "an approximate solve that has met negative curvature is kept",
        "test_kronecker.py -k negative_curvature",
    ),
    Mutant(
        "shift without l2",
        "fitted_model.py",
        "as_params, shift = fit._structure.unflatten, fit.l2 + fit.damping",
        "as_params, shift = fit._structure.unflatten, 0 * fit.l2 + fit.damping",
        "the factored matrix is damped and not penalised",
        "test_kronecker.py -k scores_are_those",
    ),
    Mutant(
        "factors on one device",
        "fitted_model.py",
        "solver = sharding.replicate(self.mesh, solver)",
        "pass",
        "the factors stay where they are while the model is on a mesh",
        "test_sharding.py -k eight_devices_say",
    ),
    Mutant(
        "alarm at any row",
        "_solver_warnings.py",
        "if 2 * far.sum() > len(far):",
        "if far.any():",
        "one row of an approximation that is far off is an alarm",
        "test_kronecker.py -k told_by_its_word",
    ),
    Mutant(
        "folder of other factors",
        "scores_on_disk.py",
        "for tree in (numbers, test, solver):",
        "for tree in (numbers, test):",
        "scores of other factors are read as those of these",
        "test_kronecker.py -k on_disk",
    ),
    # solvers
    Mutant(
        "residual carried along",
        "solvers.py",
        "r = b - A(end.x)\n",
        "r = end.r\n",
        "the certificate shows the residual that rounding has left behind",
        "test_solvers.py -k true_residual",
    ),
    Mutant(
        "tolerance of the largest entry",
        "solvers.py",
        "b_norm = _length(b)\n",
        "b_norm = jnp.max(jnp.abs(b))\n",
        "the relative tolerance is measured in another norm",
        "test_solvers.py -k relative_tolerance_is",
    ),
    Mutant(
        "indefinite called converged",
        "solvers.py",
        "status = jnp.where(end.status == INDEFINITE, INDEFINITE, status)",
        "status = jnp.where(end.status == INDEFINITE, CONVERGED, status)",
        "a direction of negative curvature goes unnoticed",
        "test_solvers.py -k indefinite",
    ),
    Mutant(
        "singular matrix solved",
        "solvers.py",
        "singular = jnp.abs(smallest) <= 4 *",
        "singular = jnp.abs(smallest) <= 0 *",
        "a matrix whose smallest eigenvalue is a rounding error is solved with",
        "test_solvers.py -k a_singular_matrix_is_refused",
    ),
    Mutant(
        "factor believed",
        "solvers.py",
        "return x, residual_norm, jnp.where(met, CONVERGED, STALLED)",
        "return x, residual_norm, jnp.where(met, CONVERGED, CONVERGED)",
        "a solve by a factor is called converged whatever its residual is",
        "test_solvers.py -k not_of_the_factor",
    ),
    Mutant(
        "solved unrefined",
        "solvers.py",
        "x = x + inverse(B - A(x))",
        "x = inverse(B)",
        "the step of refinement is left out",
        "test_solvers.py -k step_of_refinement",
    ),
    Mutant(
        "rows rounded",
        "solvers.py",
        "    size = _power_of_two(np.abs(B).max(axis=1, initial=0), xp=np)",
        "    size = np.maximum(np.abs(B).max(axis=1, initial=0), 1e-300)",
        "rows are divided by numbers that round them",
        "test_solvers.py -k largest_row",
    ),
    Mutant(
        "steps without end",
        "solvers.py",
        "maxiter = min(10 * B.shape[1], 1000) if self",
        "maxiter = 10 * B.shape[1] if self",
        "CG takes ten times p steps for any p",
        "test_solvers.py -k at_most_a_thousand",
    ),
    Mutant(
        "block never looks",
        "solvers.py",
        "better = jnp.any((r_norms > target) & (r_norms < state.seen / 2))",
        "better = jnp.any(r_norms > target)",
        "the block form never says that rounding has stopped it",
        "test_block_cg.py -k below_rounding",
    ),
    Mutant(
        "block without conjugacy",
        "solvers.py",
        "Q + either(0, M.T) @ state.P",
        "Q",
        "directions of the block are residuals: steepest descent",
        "test_block_cg.py -k p_over_s_steps",
    ),
    Mutant(
        "flattest directions",
        "solvers.py",
        "jnp.argsort(-jnp.abs(found.eigenvalues))",
        "jnp.argsort(jnp.abs(found.eigenvalues))",
        "Arnoldi keeps the flattest directions and not the steepest",
        "test_influence_functions.py -k arnoldi_inverts",
    ),
    # series
    Mutant(
        "damping times scale",
        "solvers.py",
        "A(v, *key) + damping * v",
        "A(v, *key) + scale * damping * v",
        "the damping of LiSSA is not divided by the scale, as in the common form",
        "test_solvers.py -k lissa_solves_the_damped",
    ),
    Mutant(
        "recursion from zero",
        "solvers.py",
        "start = jnp.broadcast_to(b, (num_samples, *b.shape))",
        "start = jnp.zeros((num_samples, *b.shape), b.dtype)",
        "h_0 is 0 and not b: one term of the series is lost",
        "test_solvers.py -k neumann_is_the_sum or bias_of_the_last",
    ),
    Mutant(
        "series times scale",
        "solvers.py",
        "runs = (jnp.where(jnp.asarray(depth) > 0, mean, h) / scale)",
        "runs = (jnp.where(jnp.asarray(depth) > 0, mean, h))",
        "the sum is not divided by the scale",
        "test_solvers.py -k lissa_solves_the_damped",
    ),
    Mutant(
        "first iterates averaged",
        "solvers.py",
        "round(average * depth)",
        "round((1 - average) * depth)",
        "the part that is averaged is the part that should be left out",
        "test_solvers.py -k bias_of_the_last",
    ),
    Mutant(
        "setting averages another part",
        "solvers.py",
        "jnp.round(self.average * self.recursion_depth)",
        "jnp.round((1 - self.average) * self.recursion_depth)",
        "the setting averages what the function leaves out",
        "test_solvers.py -k setting_lissa",
    ),
    Mutant(
        "scale of the typical batch",
        "solvers.py",
        "largest = jnp.max(jax.lax.map(of_batch, keys))",
        "largest = jnp.mean(jax.lax.map(of_batch, keys))",
        "the scale is that of a typical mini-batch and not of the steepest",
        "test_solvers.py -k scale_from_the_data",
    ),
    Mutant(
        "too little advised",
        "_arguments.py",
        "{1.06 * x:.2g}",
        "{0.94 * x:.2g}",
        "the damping that is advised does not cure",
        "test_influence_functions.py test_solvers.py -k advised_damping",
    ),
    # the fitted model
    Mutant(
        "removals crossed",
        "fitted_model.py",
        'self.l2 * self.theta * (self.removal == "refit-mean")',
        'self.l2 * self.theta * (self.removal == "fixed-weight")',
        "each removal estimates the other one's refit",
        "test_influence_functions.py -k two_removals",
    ),
    Mutant(
        "damping subtracted",
        "fitted_model.py",
        "with_l2_and_damping = lambda total, v: total / num_rows + (self.l2 + self.damping) * v",
        "with_l2_and_damping = lambda total, v: total / num_rows + (self.l2 - self.damping) * v",
        "damping makes the matrix smaller",
        "test_influence_functions.py -k damping_means",
    ),
    Mutant(
        "batches without damping",
        "fitted_model.py",
        "return H(v) / batch_size + (self.l2 + self.damping) * v",
        "return H(v) / batch_size + self.l2 * v",
        "the mini-batches of LiSSA have no damping",
        "test_influence_functions.py -k every_solver",
    ),
    Mutant(
        "optimum taken for granted",
        "fitted_model.py",
        "slope > 1e-3 * typical",
        "slope > 1e-2 * typical",
        "params ten times as far off the optimum are not warned of",
        "test_contract.py test_fitted_model.py -k warning_of_the_optimum",
    ),
    Mutant(
        "last block counted double",
        "fitted_model.py",
        "return data, jnp.where(real.reshape(weights.shape), weights, 0)",
        "return data, weights",
        "what fills up the last block counts in the Hessian",
        "test_influence_functions.py -k dense_solve_in_numpy",
    ),
    Mutant(
        "stalled rows left",
        "fitted_model.py",
        "if isinstance(solver, CG) and solver.block and len(B) > 1 and unsure.any():",
        "if False:",
        "rows that the block form leaves are not solved alone",
        "test_block_cg.py -k solved_again",
    ),
    Mutant(
        "a loss unseen",
        "fitted_model.py",
        "if not np.isfinite(value):",
        "if False:",
        "a loss of NaN with a finite gradient is taken",
        "test_fitted_model.py -k though_its_gradient",
    ),
    Mutant(
        "changed loss ignored",
        "fitted_model.py",
        "if not self._fingerprint.startswith(now):",
        "if False:",
        "a changed global is ignored",
        "test_fitted_model.py -k changed_global",
    ),
    Mutant(
        "padding scored",
        "fitted_model.py",
        "products = products[:, : self.n]",
        "products = products[:, :]",
        "what fills up the last device has scores",
        "test_sharding.py -k eight_devices",
    ),
    Mutant(
        "share of l2 kept",
        "fitted_model.py",
        'jnp.mean(members) * (self.removal == "refit-mean")',
        "jnp.mean(members) * 0",
        "the share of l2 that leaves with a group stays",
        "test_groups.py -k newton_is_the_refit or formulas",
    ),
    Mutant(
        "correction keeps all of l2",
        "fitted_model.py",
        "self._with(l2=self.l2 * (1 - 1 / self.n))",
        "self._with(l2=self.l2)",
        "the corrected refit of the mean keeps the l2 of the point that left",
        "test_influence_functions.py -k corrected_number_is_the_exact",
    ),
    Mutant(
        "constants unnamed",
        "_fingerprint.py",
        "            for constant in value.consts:\n                add_constant(digest, constant)",
        "            pass",
        "a loss that holds another array has the same name",
        "test_fitted_model.py -k changed_in_place",
    ),
    Mutant(
        "numbers unnamed",
        "_fingerprint.py",
        "                    add_constant(digest, x.val)",
        "                    pass",
        "a global number that has changed is ignored",
        "test_fitted_model.py -k changed_global",
    ),
    Mutant(
        "arguments crossed",
        "_fingerprint.py",
        'digest.update(b"%d " % number[x])',
        "pass",
        "what goes into an operation is no part of its name",
        "test_fitted_model.py -k same_operations",
    ),
    # influence
    Mutant(
        "sign of a score",
        "influence_functions.py",
        "scores = fit.inner_products(s, candidates) / fit.n",
        "scores = -fit.inner_products(s, candidates) / fit.n",
        "helpful points have negative scores",
        "test_influence_result.py -k most_helpful",
    ),
    Mutant(
        "score without 1/n",
        "influence_functions.py",
        "scores = fit.inner_products(s, candidates) / fit.n",
        "scores = fit.inner_products(s, candidates)",
        "scores are n times too large",
        "test_influence_functions.py -k dense_solve_in_numpy",
    ),
    Mutant(
        "verdict of each row",
        "influence_functions.py",
        "status=np.where(diverged, INDEFINITE, np.maximum(info.status, INDEFINITE))",
        "status=info.status",
        "a matrix that one row proves indefinite is believed for the others",
        "test_fitted_model.py -k proves_indefinite",
    ),
    Mutant(
        "indefinite rows kept",
        "influence_functions.py",
        "failed = (info.status >= INDEFINITE).reshape(",
        "failed = (info.status > INDEFINITE).reshape(",
        "rows whose matrix is indefinite are returned as if nothing had happened",
        "test_influence_functions.py -k indefinite_matrix_is_nan",
    ),
    Mutant(
        "best solve for the worst",
        "influence_functions.py",
        "rank.reshape(-1, per).argmax(axis=1)",
        "rank.reshape(-1, per).argmin(axis=1)",
        "of several solves of one row the best one is reported",
        "test_block_cg.py -k the_worst_is_told",
    ),
    Mutant(
        "group gradient as a sum",
        "influence_functions.py",
        "return fit.sums_of_gradients(members) / fit.n + share",
        "return fit.sums_of_gradients(members) + share",
        "the 1/n of a group's gradient is forgotten",
        "test_groups.py -k formulas",
    ),
    Mutant(
        "second order subtracted",
        "influence_functions.py",
        "return first + second",
        "return first - second",
        "the second term of a group's move has the wrong sign",
        "test_groups.py -k formulas",
    ),
    Mutant(
        "self-influence without l2",
        "influence_functions.py",
        "_dots(slopes + np.asarray(fit.l2_gradient), x)",
        "_dots(slopes, x)",
        "self-influence forgets l2 * params of the refit of the mean",
        "test_influence_functions.py -k self_influence",
    ),
    Mutant(
        "leverage added",
        "influence_functions.py",
        "jnp.eye(len(C), dtype=C.dtype) - C @ (J @ V.T)",
        "jnp.eye(len(C), dtype=C.dtype) + C @ (J @ V.T)",
        "the correction divides by 1 + h",
        "test_influence_functions.py -k corrected_number_is_the_exact",
    ),
    Mutant(
        "sign of a perturbation",
        "influence_functions.py",
        "return jax.grad(along)(part) / -fit.n",
        "return jax.grad(along)(part) / fit.n",
        "a step along the slope lowers the test loss that it should raise",
        "test_groups.py -k perturbed_input",
    ),
    Mutant(
        "tracin without 1/n",
        "influence_functions.py",
        "total = total + step_size / fit.n * products",
        "total = total + step_size * products",
        "the scores along a run add up to n times the drop of the loss",
        "test_groups.py -k tracin_is_its_sum",
    ),
    Mutant(
        "noise without a root",
        "influence_functions.py",
        "of_runs.std(axis=1, ddof=1) / num_runs**0.5",
        "of_runs.std(axis=1, ddof=1)",
        "the standard error is that of one run and not of their mean",
        "test_influence_functions.py -k spread_of_many_seeds",
    ),
    Mutant(
        "candidates forgotten",
        "influence_functions.py",
        "scores = fit.inner_products(s, candidates)",
        "scores = fit.inner_products(s)",
        "the training points are scored in place of the candidates",
        "test_influence_functions.py -k candidates_are_scored",
    ),
    Mutant(
        "advice by the end of a run",
        "_solver_warnings.py",
        "return kept ** (depth - averaged + 2.0) * total / averaged",
        "return kept ** (depth + 1.0)",
        "the depth that is advised forgets that early iterates are averaged",
        "test_influence_functions.py -k bias_that_lissa",
    ),
    Mutant(
        "sweep of one damping",
        "influence_functions.py",
        "@ vectors / (values + dampings[k])",
        "@ vectors / (values + dampings[0])",
        "every damping of a sweep is the first one",
        "test_influence_functions.py -k sweep_of_dampings",
    ),
    # results and files
    Mutant(
        "ties backwards",
        "influence_result.py",
        'near[np.argsort(x[near], kind="stable")][:k]',
        'near[::-1][np.argsort(x[near][::-1], kind="stable")][:k]',
        "equal scores come in the reverse order of their indices",
        "test_influence_result.py -k rankings",
    ),
    Mutant(
        "helpful for harmful",
        "influence_result.py",
        "self._ranked(k, -1)",
        "self._ranked(k, 1)",
        "the harmful points are called helpful",
        "test_influence_result.py -k rankings",
    ),
    Mutant(
        "NaN ranked",
        "influence_result.py",
        "known = np.flatnonzero(~np.isnan(scores))",
        "known = np.arange(n)",
        "points without a score get a place in the ranking",
        "test_influence_result.py -k of_nan_is_not_ranked",
    ),
    Mutant(
        "benefit ranked as a loss",
        "influence_result.py",
        'sign = -sign if self.measure == "benefit" else sign',
        "sign = sign",
        "the points that help a benefit are called harmful",
        "test_influence_result.py -k a_benefit",
    ),
    Mutant(
        "name without the numbers",
        "scores_on_disk.py",
        "for tree in (numbers, test, solver):",
        "for tree in (test, solver):",
        "other params find the scores of these",
        "test_influence_on_disk.py -k every_argument_changes",
    ),
    Mutant(
        "name without second derivatives",
        "scores_on_disk.py",
        "lambda fit, v: fit.hessian_product()(v)",
        "lambda fit, v: v",
        "a rule of its own for the second derivative is no part of the name",
        "test_influence_on_disk.py -k every_argument_changes",
    ),
    Mutant(
        "verdict of each block",
        "scores_on_disk.py",
        "        rows[here] = np.nan\n",
        "",
        "blocks before the one that proves the matrix indefinite keep their scores",
        "test_influence_on_disk.py -k told_again",
    ),
    Mutant(
        "write in place",
        "_files.py",
        "os.replace(draft, path)",
        "path.write_bytes(draft.read_bytes()[:-1])",
        "a block is written short",
        "test_influence_on_disk.py -k process_that_dies",
    ),
    # several devices
    Mutant(
        "mean over the padding",
        "sharding.py",
        "np.where(number < n, total / n, 0.0)",
        "np.where(number < n, 1.0, 0.0)",
        "means over a mesh divide by the padded number of rows",
        "test_sharding.py -k padded",
    ),
    # retraining
    Mutant(
        "slope and intercept crossed",
        "retraining.py",
        "Agreement(pearson, spearman, slope, y.mean - slope * x.mean)",
        "Agreement(pearson, spearman, y.mean - slope * x.mean, slope)",
        "the slope is called intercept",
        "test_retraining.py -k of_scipy or slope_and_intercept",
    ),
    Mutant(
        "real on predicted",
        "retraining.py",
        "np.sum(x.unit**2, axis=-1) * (y.size / x.size)",
        "np.sum(y.unit**2, axis=-1) * (x.size / y.size)",
        "the slope is that of real on predicted",
        "test_retraining.py -k of_scipy or slope_and_intercept",
    ),
    Mutant(
        "datamodels without ranks",
        "retraining.py",
        'rankdata(x, axis=-1, nan_policy="propagate")',
        "x",
        "the rank correlation takes values for ranks",
        "test_retraining.py -k of_scipy",
    ),
    Mutant(
        "members for the others",
        "retraining.py",
        "predicted = (~kept) @ scores.T",
        "predicted = kept @ scores.T",
        "a subset is predicted from the points that it has, not from those that it lacks",
        "test_retraining.py -k datamodeling",
    ),
    Mutant(
        "weights of the refits crossed",
        "retraining.py",
        'n / (n - 1) if removal == "refit-mean" else 1.0',
        'n / (n - 1) if removal == "fixed-weight" else 1.0',
        "leave-one-out fits the other removal",
        "test_retraining.py -k drops_a_term",
    ),
    Mutant(
        "least influential",
        "retraining.py",
        "np.argsort(-scores[whole].mean(axis=0)",
        "np.argsort(scores[whole].mean(axis=0)",
        "the smaller training set keeps the harmful points",
        "test_retraining.py -k most_influential",
    ),
    Mutant(
        "refit with a damping",
        "retraining.py",
        "return total / fit.n + 0.5 * jnp.sum((fit.l2 + fit.damping) * step**2)",
        "return total / fit.n + 0.5 * jnp.sum(fit.l2 * step**2)",
        "the proximal refit forgets the damping",
        "test_retraining.py -k proximal_refit_of_a_linear",
    ),
    Mutant(
        "outputs free",
        "retraining.py",
        "D = losses - jnp.sum((slope_s * (z - z_s)).reshape(len(number), -1), axis=1)",
        "D = losses",
        "the proximal refit does not hold the outputs where they are",
        "test_retraining.py -k proximal_refit_of_a_linear",
    ),
    Mutant(
        "refit without l2",
        "retraining.py",
        "return lambda theta: risk(theta) + 0.5 * jnp.sum(fit.l2 * theta**2)",
        "return lambda theta: risk(theta)",
        "refits have no penalty",
        "test_retraining.py -k closed_form",
    ),
    # models
    Mutant(
        "any label a class",
        "models.py",
        "return jnp.where(is_class, 1.0, jnp.nan) *",
        "return 1.0 *",
        "a label that is no class counts as the nearest one",
        "test_models.py -k no_class",
    ),
    # teaching
    Mutant(
        "penalty of a sum",
        "dynamics.py",
        "Phi.T @ Phi + N * l2 * jnp.eye(D)",
        "Phi.T @ Phi + l2 * jnp.eye(D)",
        "the N of ridge regression is forgotten",
        "test_dynamics.py -k ridge",
    ),
    Mutant(
        "penalty without its half",
        "training.py",
        "0.5 * trees.vdot(params, trees.multiply(l2, params))",
        "1.0 * trees.vdot(params, trees.multiply(l2, params))",
        "the penalty is l2 and not l2 / 2 times the squared norm",
        "test_training.py -k risk_is_the_mean",
    ),
]


def occurrences(mutant: Mutant) -> int:
    """How often the text of a mutant stands in its file: once, if the script is up to date."""
    return (PACKAGE / mutant.file).read_text(encoding="utf-8").count(mutant.old)


def pytest_of(folder: Path, tests: str) -> subprocess.CompletedProcess:
    """Run tests against the copy of the package in ``folder``, until the first failure."""
    files, _, words = tests.partition(" -k ")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "-o", "addopts="]
    command += ["-m", "not browser", "-p", "no:cacheprovider", "--tb=no"]
    command += [f"tests/engine/{name}" for name in files.split()] + (["-k", words] if words else [])
    told = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=folder, env=told, capture_output=True, text=True)


def copied(folder: Path) -> Path:
    """The package and its tests, in a folder of their own."""
    unwanted = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("course_utils", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def tried(mutant: Mutant) -> tuple[Mutant, str, str, float]:
    """What became of a mutant: (mutant, verdict, the test that failed or why none did, seconds)."""
    began = time.perf_counter()
    if (count := occurrences(mutant)) != 1:
        return mutant, "no text", f"found {count} times in {mutant.file}", 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        file = folder / "course_utils" / mutant.file
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        done = pytest_of(folder, mutant.tests)
    seconds = time.perf_counter() - began
    if done.returncode == 0:
        return mutant, "SURVIVED", f"no test failed of {mutant.tests}", seconds
    failed = re.search(r"^FAILED tests/engine/(\S+)", done.stdout, re.MULTILINE)
    if done.returncode != 1 or failed is None:
        return mutant, "no verdict", (done.stdout + done.stderr)[-500:], seconds
    return mutant, "killed", failed[1], seconds


def sound(mutants: list[Mutant]) -> bool:
    """Whether the tests that shall kill pass without any mutant; those that fail are printed."""
    words = {}
    for mutant in mutants:
        files, _, keys = mutant.tests.partition(" -k ")
        for file in files.split():
            words.setdefault(file, set()).add(keys)
    with tempfile.TemporaryDirectory() as name:
        folder = copied(Path(name))
        for file, keys in sorted(words.items()):
            chosen = " or ".join(sorted(keys - {""}))
            done = pytest_of(folder, f"{file} -k {chosen}" if "" not in keys else file)
            if done.returncode != 0:
                print(f"{file}: its tests fail without any mutant\n{done.stdout[-2000:]}")
                return False
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="run those whose name or file contains one")
    parser.add_argument("-n", type=int, default=1, help="how many at a time")
    parser.add_argument("--unchecked", action="store_true", help="skip the run without a mutant")
    given = parser.parse_args()
    fits = lambda mutant: any(word in f"{mutant.name} {mutant.file}" for word in given.words)
    chosen = [mutant for mutant in MUTANTS if not given.words or fits(mutant)]
    if not given.unchecked and not sound(chosen):
        return 1
    bad = 0
    with ThreadPoolExecutor(given.n) as pool:
        for mutant, verdict, why, seconds in pool.map(tried, chosen):
            bad += verdict != "killed"
            print(f"{verdict:10} {mutant.name:32} {seconds:4.0f} s  {why}", flush=True)
            if verdict != "killed":
                print(f"           {mutant.file}: {mutant.broken}", flush=True)
    print(f"{len(chosen) - bad} of {len(chosen)} mutants killed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
