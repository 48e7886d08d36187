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
        "examples of weight zero, such as the padding of a mesh, count in the Hessian",
        "test_sharding.py test_groups.py -k eight_devices or newton_is_the_refit",
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
        "x = q_in @ ((q_in.T @ v @ q_out)",
        "x = q_in @ ((q_in @ v @ q_out)",
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
    # solvers
    Mutant(
        "residual carried along",
        "solvers.py",
        "r = residual(end.x)",
        "r = end.r",
        "the certificate shows the residual that rounding has left behind",
        "test_solvers.py -k true_residual",
    ),
    Mutant(
        "tolerance of the largest entry",
        "solvers.py",
        "b_norm = length(b)",
        "b_norm = trees.max_abs(b)",
        "the relative tolerance is measured in another norm",
        "test_solvers.py -k converged_is_said or certificate or scipy",
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
        "_series.py",
        "trees.add_scaled(product(v, *key), damping, v)",
        "trees.add_scaled(product(v, *key), scale * damping, v)",
        "the damping of LiSSA is not divided by the scale, as in the common form",
        "test_solvers.py -k lissa_solves_the_damped",
    ),
    Mutant(
        "recursion from zero",
        "_series.py",
        "lambda b: jnp.broadcast_to(b, (num_samples, *b.shape)), rows",
        "lambda b: jnp.zeros((num_samples, *b.shape), b.dtype), rows",
        "h_0 is 0 and not b: one term of the series is lost",
        "test_solvers.py -k neumann_is_the_sum or bias_of_the_last",
    ),
    Mutant(
        "series times scale",
        "_series.py",
        "(jnp.mean(mean, 0) / scale)",
        "(jnp.mean(mean, 0))",
        "the sum is not divided by the scale",
        "test_solvers.py -k lissa_solves_the_damped",
    ),
    Mutant(
        "first iterates averaged",
        "_series.py",
        "round(average * depth)",
        "round((1 - average) * depth)",
        "the part that is averaged is the part that should be left out",
        "test_solvers.py -k bias_of_the_last",
    ),
    Mutant(
        "scale of the typical batch",
        "_series.py",
        "largest = jnp.max(jax.lax.map(of_batch, keys))",
        "largest = jnp.mean(jax.lax.map(of_batch, keys))",
        "the scale is that of a typical mini-batch and not of the steepest",
        "test_solvers.py -k scale_from_the_data",
    ),
    Mutant(
        "too little advised",
        "_certificates.py",
        "{1.06 * x:.2g}",
        "{0.94 * x:.2g}",
        "the damping that is advised does not cure",
        "test_influence_functions.py test_solvers.py -k advised_damping",
    ),
    # the problem
    Mutant(
        "removals crossed",
        "_problem.py",
        'shift = trees.multiply(l2, free) if removal == "refit-mean"',
        'shift = trees.multiply(l2, free) if removal == "fixed-weight"',
        "each removal estimates the other one's refit",
        "test_influence_functions.py -k two_removals",
    ),
    Mutant(
        "damping subtracted",
        "_compiled.py",
        "trees.add_scaled(product, point.damping, v)",
        "trees.add_scaled(product, -point.damping, v)",
        "damping makes the matrix smaller",
        "test_influence_functions.py -k damping_means",
    ),
    Mutant(
        "batches without damping",
        "_compiled.py",
        "lambda v, key: damped(H_b(v, key), v)",
        "lambda v, key: H_b(v, key)",
        "the mini-batches of LiSSA have no damping",
        "test_influence_functions.py -k every_solver",
    ),
    Mutant(
        "optimum taken for granted",
        "_problem.py",
        "slope > 1e-3 * typical",
        "slope > 1e-2 * typical",
        "params ten times as far off the optimum are not warned of",
        "test_contract.py -k warning_of_the_optimum",
    ),
    Mutant(
        "indefinite rows kept",
        "_problem.py",
        "return np.asarray(info.status) >= INDEFINITE",
        "return np.asarray(info.status) > INDEFINITE",
        "rows whose matrix is indefinite are returned as if nothing had happened",
        "test_influence_functions.py -k rows_whose_matrix",
    ),
    Mutant(
        "best solve for the worst",
        "_problem.py",
        "jnp.argmax(rank.reshape",
        "jnp.argmin(rank.reshape",
        "of several solves of one row the best one is reported",
        "test_influence_functions.py -k failed_solve_of_the_correction",
    ),
    Mutant(
        "share of l2 kept",
        "_problem.py",
        'members.mean(axis=1) * (removal == "refit-mean")',
        "members.mean(axis=1) * 0",
        "the share of l2 that leaves with a group stays",
        "test_groups.py -k newton_is_the_refit or formulas",
    ),
    Mutant(
        "group gradient as a sum",
        "_compiled.py",
        "trees.scale(1 / n, trees.add_scaled(summed, jnp.sum(member), shift))",
        "trees.add_scaled(summed, jnp.sum(member), shift)",
        "the 1/n of a group's gradient is forgotten",
        "test_groups.py -k formulas",
    ),
    Mutant(
        "second order subtracted",
        "_problem.py",
        "trees.add(moves, second.kept)",
        "trees.subtract(moves, second.kept)",
        "the second term of a group's move has the wrong sign",
        "test_groups.py -k formulas",
    ),
    # influence
    Mutant(
        "sign of a score",
        "influence_functions.py",
        "(products + constant).T / n",
        "-(products + constant).T / n",
        "helpful points have negative scores",
        "test_influence_functions.py -k most_helpful",
    ),
    Mutant(
        "score without 1/n",
        "influence_functions.py",
        "(products + constant).T / n",
        "(products + constant).T",
        "scores are n times too large",
        "test_influence_functions.py -k dense_solve_in_numpy",
    ),
    Mutant(
        "self-influence without l2",
        "influence_functions.py",
        "trees.vdot(trees.add(row, shift), x) / n",
        "trees.vdot(row, x) / n",
        "self-influence forgets l2 * params of the refit of the mean",
        "test_influence_functions.py -k self_influence",
    ),
    Mutant(
        "leverage added",
        "influence_functions.py",
        "jnp.eye(k, dtype=C.dtype) - C @ (U @ V.T)",
        "jnp.eye(k, dtype=C.dtype) + C @ (U @ V.T)",
        "the correction divides by 1 + h",
        "test_influence_functions.py -k exact_for_least_squares",
    ),
    Mutant(
        "correction keeps all of l2",
        "influence_functions.py",
        "trees.scale(1 - 1 / problem.n, problem.point.l2)",
        "trees.scale(1.0, problem.point.l2)",
        "the corrected refit of the mean keeps the l2 of the point that left",
        "test_influence_functions.py -k exact_for_least_squares",
    ),
    Mutant(
        "sign of a perturbation",
        "influence_functions.py",
        "trees.scale(-1 / trees.num_rows(point.train), slopes)",
        "trees.scale(1 / trees.num_rows(point.train), slopes)",
        "a step along the slope lowers the test loss that it should raise",
        "test_groups.py -k perturbed_input",
    ),
    Mutant(
        "tracin without 1/n",
        "influence_functions.py",
        "total = total + step_size * np.asarray(scores)",
        "total = total + step_size * problem.n * np.asarray(scores)",
        "the scores along a run add up to n times the drop of the loss",
        "test_groups.py -k tracin_is_its_sum",
    ),
    Mutant(
        "failed rows kept",
        "influence_functions.py",
        "scores = np.where(failed[:, None], np.nan, scores)",
        "scores = np.where(failed[:, None], 0.0, scores)",
        "scores whose solve failed are zero and not NaN",
        "test_influence_functions.py -k rows_whose_matrix",
    ),
    # results and caches
    Mutant(
        "ties backwards",
        "_results.py",
        'near[np.argsort(x[near], kind="stable")][:k]',
        'near[::-1][np.argsort(x[near][::-1], kind="stable")][:k]',
        "equal scores come in the reverse order of their indices",
        "test_influence_functions.py -k rankings",
    ),
    Mutant(
        "helpful for harmful",
        "_results.py",
        "self._ranked(k, -1)",
        "self._ranked(k, 1)",
        "the harmful points are called helpful",
        "test_influence_functions.py -k rankings",
    ),
    Mutant(
        "NaN ranked",
        "_results.py",
        "-1 if np.isnan(scores).any() else _smallest(sign * scores, k)",
        "_smallest(sign * scores, k)",
        "rows of NaN get a ranking",
        "test_influence_functions.py -k row_of_nan",
    ),
    Mutant(
        "key without params",
        "_kept_scores.py",
        "arrays = problem.point, test, problem.shift",
        "arrays = problem.point._replace(params=0), test, problem.shift",
        "other params find the scores of these",
        "test_influence_functions.py -k every_argument_changes",
    ),
    Mutant(
        "write in place",
        "_cache.py",
        "os.replace(draft, path)",
        "path.write_bytes(draft.read_bytes()[:-1])",
        "a block is written short",
        "test_influence_functions.py -k cached_scores_are",
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
    # validation
    Mutant(
        "slope and intercept crossed",
        "validation.py",
        "Agreement(pearson, spearman, slope, y.mean - slope * x.mean)",
        "Agreement(pearson, spearman, y.mean - slope * x.mean, slope)",
        "the slope is called intercept",
        "test_validation.py -k of_scipy or slope_and_intercept",
    ),
    Mutant(
        "real on predicted",
        "validation.py",
        "np.sum(x.unit**2, axis=-1) * (y.size / x.size)",
        "np.sum(y.unit**2, axis=-1) * (x.size / y.size)",
        "the slope is that of real on predicted",
        "test_validation.py -k of_scipy or slope_and_intercept",
    ),
    Mutant(
        "datamodels without ranks",
        "validation.py",
        'rankdata(x, axis=-1, nan_policy="propagate")',
        "x",
        "the rank correlation takes values for ranks",
        "test_validation.py -k of_scipy",
    ),
    Mutant(
        "members for the others",
        "validation.py",
        "predicted = (~kept) @ scores.T",
        "predicted = kept @ scores.T",
        "a subset is predicted from the points that it has, not from those that it lacks",
        "test_validation.py -k datamodeling",
    ),
    Mutant(
        "weights of the refits crossed",
        "validation.py",
        'n / (n - 1) if removal == "refit-mean" else 1.0',
        'n / (n - 1) if removal == "fixed-weight" else 1.0',
        "leave-one-out fits the other removal",
        "test_validation.py -k drops_a_term",
    ),
    Mutant(
        "least influential",
        "validation.py",
        "np.argsort(-scores[whole].mean(axis=0)",
        "np.argsort(scores[whole].mean(axis=0)",
        "the smaller training set keeps the harmful points",
        "test_validation.py -k most_influential",
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
