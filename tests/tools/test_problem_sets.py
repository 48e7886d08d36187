"""A seed makes a problem set that is well posed, private and graded by tests of its own."""

import contextlib
import csv
import functools
import hashlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import textwrap

import nbformat
import pytest

from course_utils.cli import notebooks, release, run, stamp
from course_utils.instructors import grade, problem_sets, sandbox
from course_utils.instructors.problem_sets import drawing, foundations, templates

ADDRESS = stamp.Address("OWNER/REPO")
SEEDS = [f"a private seed that nobody knows, {i}".encode() for i in range(20)]
MANY = [f"one of very many seeds, number {i}".encode() for i in range(300)]
NAMES = [f"F.{i}" for i in range(1, 8)]


def text_of(nb):
    return "\n".join(cell.source for cell in nb.cells)


def cell(nb, name):
    return next(cell for cell in nb.cells if cell.id == name)


def solution_of(exercise):
    return re.search(r"### BEGIN SOLUTION\n(.*?) +### END SOLUTION", exercise.answer, re.S)[1]


# --- what is drawn --------------------------------------------------------------------------------


def test_draws_are_what_they_were_in_every_release_and_on_every_machine():
    """Instructors regrade with last year's seed; a change here would make it another set."""
    draw = drawing.Draw(b"a fixed seed for the tests", "F.1")
    assert draw.numbers(4, -1, 1, 3) == PINNED_NUMBERS
    assert [draw.choice("abcdef") for _ in range(5)] == PINNED_CHOICES
    assert [draw.integer(1, 6) for _ in range(5)] == PINNED_DICE


PINNED_NUMBERS = [0.128, -0.693, -0.529, -0.279]
PINNED_CHOICES = ["a", "e", "b", "a", "d"]
PINNED_DICE = [1, 1, 2, 4, 5]


def test_draws_of_different_names_have_nothing_to_do_with_each_other():
    seed = SEEDS[0]
    streams = [drawing.Draw(seed, *name) for name in [("F.1",), ("F.1", "hidden"), ("F.2",)]]
    assert len({draw.stream() for draw in streams}) == 3
    assert drawing.Draw(seed, "F.1").stream() == drawing.Draw(seed, "F.1").stream()


def test_a_number_lies_where_it_should_and_has_its_digits():
    draw = drawing.Draw(SEEDS[0], "numbers")
    found = draw.numbers(500, 0.5, 2, 1)
    assert min(found) == 0.5 and max(found) == 2.0 and all(x == round(x, 1) for x in found)
    assert {draw.integer(3, 5) for _ in range(100)} == {3, 4, 5}
    assert {abs(draw.signed(1, 1)) for _ in range(20)} == {1}


def test_slips_that_cannot_be_told_from_the_answer_or_each_other_are_left_out():
    slips = {"as right": [1.001], "kept": [2.0], "as the last": [2.01], "sign": [-1.0]}
    assert list(drawing.telling([1.0], slips)) == ["kept", "sign"]
    with pytest.raises(RuntimeError, match="well-posed"):
        drawing.drawn_until(lambda: dict(right=[1.0], slips={}), least=1)


def test_three_hundred_seeds_draw_well_posed_exercises():
    """No draw gives up, every gap is filled, and a check tells at least five slips apart."""
    variants = {name: set() for name in NAMES}
    for seed in MANY:
        found = foundations.exercises(seed)
        assert [exercise.name for exercise in found] == NAMES
        for exercise in found:
            code = [exercise.given, exercise.answer, exercise.check, exercise.hidden]
            assert not re.search("[«»]|nan|inf\\b|LAMBDA", "\n".join(code) + exercise.task)
            for source in code if seed in MANY[:50] else ():
                compile(source, exercise.name, "exec")
            slips = re.findall(r'^ {8,}\(\n? *[\[\w-].*?"', exercise.check, re.M | re.S)
            assert len(slips) >= 5, (exercise.name, seed)
            variants[exercise.name].add(json.dumps(exercise.variant))
    assert min(map(len, variants.values())) >= 12


def test_hand_numbers_are_far_from_0_and_not_huge():
    for seed in MANY[:100]:
        for exercise in foundations.exercises(seed):
            for value in re.findall(r"isclose\(got(?:\[.\])?, ([-\d.e+]+),", exercise.check):
                assert 1e-3 < abs(float(value)) < 1e3, (exercise.name, seed)


# --- the notebooks --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS[:5])
def test_both_notebooks_are_valid_in_stored_form_and_gradable(seed):
    for make in (problem_sets.solved, problem_sets.student):
        nb = make("foundations", seed, ADDRESS)
        nbformat.validate(nb)
        text = notebooks.dumps(nb)
        assert notebooks.dumps(notebooks.tidy(notebooks.reads(text))) == text
        told = [c.metadata.nbgrader for c in nb.cells if "nbgrader" in c.metadata]
        assert [t.points for t in told if t.grade] == [4, 4, 3, 5, 5, 5, 5]
        assert release.cell_problems(nb) == [] or make is problem_sets.student
        for name in NAMES:
            answer = cell(nb, f"ex-f-{name[-1]}").source
            assert answer.startswith(f"# Exercise {name}\ndef ")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_student_copy_holds_no_solution_no_hidden_test_and_no_seed(seed):
    copied = problem_sets.student("foundations", seed, ADDRESS)
    text = text_of(copied)
    assert seed.decode() not in text and hashlib.sha256(seed).hexdigest() not in text
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)|hidden_tests", text)
    given = {line.strip() for c in copied.cells for line in c.source.split("\n")}
    for exercise in foundations.exercises(seed):
        secret = [line.strip() for line in solution_of(exercise).split("\n")]
        assert secret[-2].startswith("return ") and secret[-2] not in given
        assert release.CODE_STUB.split("\n")[-1] in cell(copied, f"ex-f-{exercise.name[-1]}").source
        numbers = re.findall(r"\b\d{9}\b", exercise.hidden)
        assert len(numbers) >= 2 and not any(number in text for number in numbers)
        hidden = {line.strip() for line in exercise.hidden.split("\n") if len(line) > 24}
        assert len(hidden & given) <= len(hidden) / 2, "statements of hidden tests are given away"


@pytest.mark.parametrize("seed", SEEDS)
def test_what_students_read_is_narrow_and_short(seed):
    for c in problem_sets.student("foundations", seed, ADDRESS).cells:
        if c.cell_type == "code" and c.id != "bootstrap":
            assert max(map(len, c.source.split("\n"))) <= 80, c.id
        elif c.cell_type == "markdown":
            assert c.source.count("<details>") == c.source.count("</details>")
            # a formula broken before its sign would be read as a list
            assert not re.search(r"^ *([-+*>=]|\d+[.)])( |$)", c.source, re.M), c.id
            assert len(re.findall(r"(?<!\\)\$", c.source)) % 2 == 0, c.id


def test_the_same_seed_makes_the_same_bytes_in_another_interpreter():
    code = (
        "import hashlib, sys\n"
        "from course_utils.cli import notebooks, stamp\n"
        "from course_utils.instructors import problem_sets\n"
        "for make in (problem_sets.student, problem_sets.solved):\n"
        f"    nb = make('foundations', {SEEDS[0]!r}, stamp.Address('OWNER/REPO'))\n"
        "    print(hashlib.sha256(notebooks.dumps(nb).encode()).hexdigest())\n"
        "assert 'jax' not in sys.modules\n"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    here = [
        hashlib.sha256(notebooks.dumps(make("foundations", SEEDS[0], ADDRESS)).encode()).hexdigest()
        for make in (problem_sets.student, problem_sets.solved)
    ]
    assert done.stdout.split() == here


def test_another_seed_makes_other_numbers_in_every_exercise():
    sets = [foundations.exercises(seed) for seed in SEEDS]
    for same in zip(*sets):
        assert len({exercise.check for exercise in same}) == len(SEEDS)
        assert len({exercise.hidden for exercise in same}) == len(SEEDS)
        assert len({exercise.task for exercise in same}) >= 5


def test_white_space_around_a_seed_does_not_count():
    bare = problem_sets.student("foundations", SEEDS[0], ADDRESS)
    assert problem_sets.student("foundations", b" " + SEEDS[0] + b"\r\n", ADDRESS) == bare


def test_a_copy_bears_the_label_of_its_seed_and_leads_to_the_lessons():
    copied = problem_sets.student("foundations", SEEDS[0], stamp.Address("a/b", "v1"))
    label = problem_sets.label("foundations", SEEDS[0])
    assert problem_sets.label_in(copied) == label != problem_sets.label("foundations", SEEDS[1])
    assert problem_sets.label_in(nbformat.v4.new_notebook()) is None
    title = copied.cells[0].source
    for lesson in foundations.LESSONS:
        assert f"https://github.com/a/b/blob/v1/notebooks/student/{lesson}.ipynb" in title
        assert (stamp.ROOT / "notebooks" / "student" / f"{lesson}.ipynb").exists()
    assert "git+https://github.com/a/b@v1" in cell(copied, "bootstrap").source


# --- refusals, and what is written ----------------------------------------------------------------


@pytest.mark.parametrize(
    "seed, said",
    [
        (b"", "The seed has 0 bytes; at least 16 are needed. Make one"),
        (b"hunter2", "The seed has 7 bytes"),
        (b"   spring 2027  " + b" " * 20, "The seed has 11 bytes"),
        (b"0" * 64, "repeats a few bytes"),
    ],
)
def test_a_seed_that_could_be_guessed_is_refused_with_how_to_make_one(seed, said):
    with pytest.raises(problem_sets.ProblemSetError) as refused:
        problem_sets.solved("foundations", seed, ADDRESS)
    assert said in str(refused.value) and problem_sets.MAKE_A_SEED in str(refused.value)


def test_the_seed_that_the_message_makes_is_taken():
    code = re.search('-c "(.*?)"', problem_sets.MAKE_A_SEED)[1]
    with contextlib.redirect_stdout(io.StringIO()) as made:
        exec(code)
    assert problem_sets.checked_seed(made.getvalue().encode())


@pytest.fixture
def root(tmp_path):
    """A repository to write from, and a seed outside of it."""
    root = tmp_path / "course"
    (root / "notebooks").mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        '[project.urls]\nRepository = "https://github.com/OWNER/REPO"\n'
    )
    (tmp_path / "seed.txt").write_bytes(SEEDS[0])
    return root


def released(root, **changed):
    """Call release's command with the usual options, some of them changed or left out."""
    folder = root.parent
    options = {
        "problem-set": "foundations",
        "seed": folder / "seed.txt",
        "to": folder / "out",
        "solved": None,
    }
    options.update(changed)
    argv = [str(x) for k, v in options.items() if v is not None for x in (f"--{k}", v)]
    return release.main(argv, root)


def test_release_writes_the_copy_for_students_and_the_solved_one_where_it_is_told(root, capsys):
    folder = root.parent
    assert released(root) == 0
    path = folder / "out" / "foundations.ipynb"
    assert capsys.readouterr().out == f"{path}: written\n"
    assert [p.name for p in (folder / "out").iterdir()] == ["foundations.ipynb"]
    assert notebooks.read(path) == problem_sets.student("foundations", SEEDS[0], ADDRESS)
    assert released(root, solved=folder / "mine") == 0
    solved = folder / "mine" / "foundations.ipynb"
    assert capsys.readouterr().out == f"{path}: as it was\n{solved}: written\n"
    assert notebooks.read(solved) == problem_sets.solved("foundations", SEEDS[0], ADDRESS)


def test_release_does_not_write_over_answers(root, capsys):
    path = root.parent / "out" / "foundations.ipynb"
    assert released(root) == 0
    nb = notebooks.read(path)
    answer = next(c for c in nb.cells if c.metadata.get("nbgrader", {}).get("solution"))
    answer.source = answer.source.replace(release.CODE_STUB.split("\n")[1], "return 1")
    notebooks.write(path, notebooks.dumps(nb))
    assert released(root, solved=root.parent / "mine") == 1
    assert f"{path}: " in capsys.readouterr().err
    assert notebooks.read(path) == nb and not (root.parent / "mine").exists()


REFUSED = {
    "no folder": (dict(to=None), 2, "--to missing"),
    "no seed": (dict(seed=None, to=None), 2, "--seed and --to missing"),
    "no name": ({"problem-set": None}, 2, "--problem-set missing"),
    "an unknown name": ({"problem-set": "wizardry"}, 1, "no problem set 'wizardry'"),
    "no such seed": (dict(seed="nowhere.txt"), 1, "nowhere.txt: no seed is read: No such file"),
    "into the lessons": (dict(to="course/notebooks"), 1, "notebooks/ holds the public lessons"),
    "among the students": (dict(to="course/notebooks/student"), 1, "holds the public lessons"),
    "solved into the lessons": (dict(solved="course/notebooks"), 1, "holds the public lessons"),
    "solved beside the copy": (dict(solved="out"), 1, "the solutions would be handed out"),
    "solved below the copy": (dict(solved="out/x"), 1, "the solutions would be handed out"),
    "a seed beside the copy": (dict(to="."), 1, "would be handed out with it; move it"),
}


@pytest.mark.parametrize("changed, status, said", REFUSED.values(), ids=REFUSED)
def test_release_refuses_what_would_give_secrets_away(
    changed, status, said, root, capsys, monkeypatch
):
    monkeypatch.chdir(root.parent)
    assert released(root, **changed) == status
    assert said in capsys.readouterr().err
    assert not list(root.parent.rglob("*.ipynb"))


def test_the_help_says_that_the_seed_is_private():
    done = subprocess.run(
        [sys.executable, "-m", "course_utils", "release", "--help"], capture_output=True, text=True
    )
    said = " ".join(done.stdout.split())
    assert "long, random and known to you alone" in said and "--problem-set NAME" in said


# --- what happens when it is solved ---------------------------------------------------------------


class Desk:
    """A student's session on one set: setup and given cells are executed, then answers tried."""

    def __init__(self, seed):
        self.exercises = {exercise.name: exercise for exercise in foundations.exercises(seed)}
        self.names = {}
        exec(
            templates.frame("foundations/frame.j2", dict(lessons="", functions=7, written=0))[
                "setup"
            ],
            self.names,
        )
        for exercise in self.exercises.values():
            exec(exercise.given, self.names)

    def check(self, name, answer):
        """What the visible check prints of ``answer``."""
        exec(answer, self.names)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(self.exercises[name].check, f"check of {name}", "exec"), self.names)
        return printed.getvalue().strip()

    def hidden(self, name, answer):
        """What the hidden tests raise of ``answer``, or None."""
        exec(answer, self.names)
        body = "def hidden_tests():\n" + textwrap.indent(self.exercises[name].hidden, "    ")
        exec(body, self.names)
        try:
            self.names["hidden_tests"]()
        except Exception as error:
            return error
        return None


# Two sets are executed whenever the tests run, seven more by the slow tests. They were chosen so
# that the two differ in every exercise, and that all nine contain every choice there is.
EXECUTED, MORE = (135, 309), (82, 0, 152, 208, 146, 156, 122)
each_set = pytest.mark.parametrize(
    "which", [*EXECUTED, *(pytest.param(number, marks=pytest.mark.slow) for number in MORE)]
)


def seed_of(number):
    return f"executed in the tests, {number}".encode()


@functools.cache
def desk_of(number):
    return Desk(seed_of(number))


def choices(seed):
    """Every structural choice that a seed made, as (exercise, what, choice)."""
    found = foundations.exercises(seed)
    return {(e.name, what, str(choice)) for e in found for what, choice in e.variant.items()}


def test_the_sets_that_are_executed_differ_and_contain_every_choice():
    drawn = [choices(seed_of(number)) for number in EXECUTED]
    for one, other in itertools.combinations(drawn, 2):
        assert {name for name, *_ in one - other} == set(NAMES)
    possible = set().union(*map(choices, MANY))
    assert set().union(*drawn, *(choices(seed_of(number)) for number in MORE)) == possible
    assert len(set().union(*drawn)) > len(possible) / 2


@each_set
@pytest.mark.parametrize("name", NAMES)
def test_a_solution_passes_its_check_and_its_hidden_tests(name, which):
    desk, answer = desk_of(which), desk_of(which).exercises[name].answer
    assert desk.check(name, answer) == f"✓ Exercise {name}: passed"
    assert desk.hidden(name, answer) is None


@pytest.mark.parametrize("which", EXECUTED)
def test_an_untouched_copy_runs_to_its_end_and_says_what_is_not_attempted(which):
    nb, names = problem_sets.student("foundations", seed_of(which), ADDRESS), {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for _, c in notebooks.code_cells(nb):
            if c.id != "bootstrap":  # a magic, which is the lessons' own
                exec(c.source, names)
    for name in NAMES:
        assert f"○ Exercise {name}: not attempted\n" in printed.getvalue()
    assert "0 of 7 exercises pass." in printed.getvalue()


def test_one_classs_solutions_fail_the_hidden_tests_of_another():
    for mine, yours in itertools.permutations(EXECUTED, 2):
        failed = []
        for name in NAMES:
            answer = desk_of(mine).exercises[name].answer
            failed.append(desk_of(yours).hidden(name, answer) is not None)
        assert sum(failed) >= 5, (mine, yours, failed)


@pytest.mark.slow
def test_both_notebooks_run_in_a_kernel_and_the_solved_one_passes_as_graded(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    nb = problem_sets.solved("foundations", SEEDS[3], ADDRESS)
    run.execute(nb, stamp.ROOT)
    assert cell(nb, "summary").outputs[0].text == "7 of 7 exercises pass.\n"
    monkeypatch.delenv("NBGRADER_EXECUTION")
    nb = problem_sets.student("foundations", SEEDS[3], ADDRESS)
    run.execute(nb, stamp.ROOT)
    assert cell(nb, "summary").outputs[0].text.startswith("0 of 7 exercises pass.\n")


# --- grading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv, said",
    [
        (["foundations", "x.ipynb"], "--seed FILE is missing, the one that it was released with"),
        (["foundations", "x.ipynb", "--seed", "nowhere"], "nowhere: no seed is read"),
        (["01", "x.ipynb", "--seed", "seed.txt"], "--seed belongs to a problem set"),
        (["99", "x.ipynb"], "no notebook 99; there is 00"),
    ],
)
def test_grade_says_what_it_lacks(argv, said, root, capsys, monkeypatch):
    monkeypatch.chdir(root.parent)
    assert grade.main([*argv, "--no-sandbox"]) == 1
    assert said in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(sandbox.problem() is not None, reason="bubblewrap makes no sandbox here")
def test_grade_gives_full_marks_to_solutions_none_to_a_stub_and_refuses_another_set(root):
    folder = root.parent
    copied = problem_sets.student("foundations", SEEDS[0], ADDRESS)
    handed_in = {"stub": copied}
    handed_in["other"] = problem_sets.solved("foundations", SEEDS[1], ADDRESS)
    handed_in["good"] = problem_sets.student("foundations", SEEDS[0], ADDRESS)
    for exercise in foundations.exercises(SEEDS[0]):
        cell(handed_in["good"], f"ex-f-{exercise.name[-1]}").source = exercise.answer
    for student, nb in handed_in.items():
        notebooks.write(folder / "in" / f"{student}.ipynb", notebooks.dumps(nb))
    options = ["--seed", str(folder / "seed.txt"), "--to", str(folder / "grades")]
    status = grade.main(["foundations", str(folder / "in"), *options])
    points, why = {}, {}
    with open(folder / "grades" / "grades.csv", newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            points.setdefault(row["student"], []).append(float(row["points"]))
            why[row["student"]] = row["why"]
    full = [4, 4, 3, 5, 5, 5, 5]
    assert points == {"good": full, "stub": [0] * 7, "other": [0] * 7}
    assert "another class's copy" in why["other"] and status == grade.SOME_BY_HAND


# --- wrong answers --------------------------------------------------------------------------------


def swap(pattern, new, count=0):
    """Replace in a solution; None where there is nothing to replace, or nothing changes."""

    def change(source):
        changed = re.sub(pattern, new, source, count=count)
        return None if changed == source else changed

    return change


def returned(new):
    """Replace the last returned value."""
    return swap(r"return (?!.*return )(.*)(?=\n    ### END)", new)


def before(line, new):
    return swap(rf"( *){re.escape(line)}", rf"\1{new}\n\1{line}", 1)


# What goes wrong: how the solution is spoiled, and a word of the message that names it. None as
# word: the check says that it is wrong, but not why.
WRONG = {
    "F.1": {
        "a mean": (swap("n = .*", "n = N"), "data term"),
        "a sum": (swap("n = .*", "n = 1"), "data term"),
        "a weighted mean": (swap("n = .*", "n = jnp.sum(alpha)"), "data term"),
        "the penalty twice": (swap("ratio = (.*?) ", r"ratio = 2 * \1 "), "twice as much"),
        "half of the penalty": (swap("ratio = (.*?) ", r"ratio = \1 / 2 "), "half as much"),
        "no penalty": (swap("ratio = .*", "ratio = 0.0"), "without a penalty"),
        "no weights": (before("M = ", "alpha = jnp.ones(N)"), "where is alpha"),
        "weights squared": (before("M = ", "alpha = alpha**2"), "squared itself"),
        "a column": (returned(r"return (\1)[:, None]"), "shape is (D,)"),
        "the other side of the guess": (swap("@ guess", "@ -guess"), "sign of the guess"),
    },
    "F.2": {
        "a mean": (swap("factor = .*?  #", "factor = 2 / N  #"), "another multiple"),
        "half a mean": (swap("factor = .*?  #", "factor = 1 / N  #"), "another multiple"),
        "a sum": (swap("factor = .*?  #", "factor = 2.0  #"), "another multiple"),
        "half a sum": (swap("factor = .*?  #", "factor = 1.0  #"), "another multiple"),
        "the shallow direction": (swap(r"\[-1\]", "[0]"), "shallow"),
        "no memory": (returned("return 2 / h"), "without memory"),
        "heavy ball": (returned("return 2 * (1 + beta) / h"), "another method"),
        "singular value": (swap(r"(h = .*)", r"\1 ** 0.5"), "root of a curvature"),
        "all directions": (swap(r"\[-1\]", ""), "One number"),
        "the trace": (swap(r"h = .*", "h = jnp.trace(factor * Phi.T @ Phi)"), None),
    },
    "F.3": {
        "multiplied": (swap("w = t_scale \\* v / scale", "w = t_scale * v * scale"), "Multiplied"),
        "no shift": (swap(r"shift \* v / scale", "0 * v"), "no notice of the shift"),
        "sign of the shift": (swap(r"c - np", "c + np"), "wrong sign"),
        "targets not scaled": (before("w = ", "t_scale = 1.0"), "scale of the targets"),
        "targets not shifted": (before("w = ", "t_shift = 0.0"), "shift of the targets"),
        "the pair exchanged": (returned(r"b = (\1)[1]\n    return b, w"), "shape (D,)"),
        "divided by nothing": (swap(r" *scale = np.where.*\n", ""), "constant"),
        "as they came": (returned("return v, c"), "as they came"),
    },
    "F.4": {
        "not squared noise": (swap(r"noise\*\*2", "noise"), "Variances add"),
        "no noise": (before("N, D", "noise = 0.0"), "missing signal alone"),
        "least squares": (swap("f = .*", "f = jnp.ones(D)"), "least squares"),
        "not turned": (swap(r"a = .*", "a = w_star"), None),
        "weights": (returned("return jnp.sum(signal + error)"), "another measure"),
        "predictions": (returned("return jnp.sum(h * (signal + error))"), "another measure"),
        "new targets": (
            returned("return jnp.sum(h * (signal + error)) + noise**2"),
            "another measure",
        ),
        "the other half": (swap("f = (.*?)  #", r"f = 1 - (\1)  #"), None),
        "a sum": (swap("Phi.T @ Phi / N", "Phi.T @ Phi"), None),
    },
    "F.5": {
        "exchanged": (returned(r"first, second = \1\n    return second, first"), "exchanged"),
        "times N": (swap("(slope|bend) = (.*\\))", r"\1 = len(t) * \2"), None),
        "over N": (swap("(slope|bend) = (.*\\))", r"\1 = \2 / len(t)"), None),
        "slope not twice": (swap(r"dz\*\*2", "dz * (Phi @ v)"), "stands twice"),
        "no slope of the loss": (swap(r"slope \* ddz", "bend / bend * ddz"), None),
        "sign": (swap(r"slope \* ddz", "-slope * ddz"), "wrong sign"),
        "v at length 1": (swap("(path = .*)", r"v = v / jnp.linalg.norm(v)\n    \1"), "length"),
        "sums": (
            returned(r"first, second = \1\n    return jnp.sum(first), jnp.sum(second)"),
            "shape (N,)",
        ),
        "the slope squared": (swap(r"bend \* dz", "slope**2 * dz"), None),
    },
    "F.6": {
        "from 0": (swap("w, r = .*", "w, r = 0 * w0, -gradient(0 * w0)", 1), "begin at w0"),
        "uphill": (swap("-gradient", "gradient"), "uphill"),
        "a mean": (swap("data = .*", "data = 2 / N"), "another factor"),
        "a half sum": (swap("data = .*", "data = 1.0"), "another factor"),
        "penalty": (swap("penalty = .*", "penalty = 3 * l2 - (PENALTY)"), "penalty's factor"),
        "center 0": (swap("center = w0", "center = 0"), "pull to"),
        "center w0": (swap("center = 0", "center = w0"), "pull to"),
        "no conjugacy": (swap("p = r \\+ .*", "p = r"), "Is beta"),
        "a step more": (swap(r"range\(num_steps\)", "range(num_steps + 1)"), None),
        "no end": (swap("if rr == 0", "if rr < 0"), "0 / 0"),
        "twice the number": (returned(r"w, second = \1\n    return w, 2 * second"), "is asked"),
        "w alone": (returned("return w"), "A pair is wanted"),
        "products twice": (swap("( *)Ap = (.*)", r"\1Ap = \2\n\1Ap = \2"), "called push"),
    },
    "F.7": {
        "sign": (returned(r"return -(\1)"), "The sign"),
        "twice": (returned(r"return 2 * (\1)"), "twice too large"),
        "half": (returned(r"return 0.5 * (\1)"), "half of it"),
        "a sum for a mean": (returned(r"return len(train[1]) * (\1)"), "N times too large"),
        "no solve": (swap(r"jnp.linalg.solve\(H, g\)", "g"), None),
        "H as a factor": (swap(r"jnp.linalg.solve\(H, g\)", "(H @ g)"), None),
        "another Hessian": (swap("H = .*", "H = jax.hessian(valid_7)(w, *valid)"), None),
        "no penalty in H": (swap("(H = .*)", r"\1 - 0.15 * jnp.eye(len(w))"), None),
        "training gradient": (swap("g = .*", "g = jax.grad(valid_7)(w, *train)"), None),
        "V itself": (
            returned("return -jnp.linalg.solve(H, g) @ pull"),
            "derivative of V itself",
        ),
    },
}


def spoiled(name, exercise):
    """The wrong answers that the variant allows: what is wrong, source, word."""
    for what, (change, word) in WRONG[name].items():
        source = change(exercise.answer)
        if source is None:
            continue
        if "PENALTY" in source:
            old = re.search("penalty = (.*)", exercise.answer)[1]
            source = source.replace("PENALTY", old)
        yield what, source, word


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@each_set
@pytest.mark.parametrize("name", NAMES)
def test_wrong_answers_are_rejected_and_most_are_told_why(name, which):
    desk = desk_of(which)
    tried, unnamed = 0, []
    for what, source, word in spoiled(name, desk.exercises[name]):
        line = desk.check(name, source)
        tried += 1
        if line.startswith("✓"):
            assert desk.hidden(name, source) is not None, f"{what} passes"
            unnamed.append((what, "passes the visible check"))
        else:
            assert line.startswith(f"✗ Exercise {name}: not yet. "), (what, line)
            if word is not None and word not in line:
                unnamed.append((what, line))
    assert tried >= 6
    assert len(unnamed) <= 1, unnamed


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@each_set
@pytest.mark.parametrize("name", NAMES)
def test_the_hidden_tests_alone_reject_most_wrong_answers(name, which):
    """A submission may have been fitted to the visible numbers."""
    desk = desk_of(which)
    passed = [
        what
        for what, source, _ in spoiled(name, desk.exercises[name])
        if desk.hidden(name, source) is None
    ]
    allowed = {"no end", "products twice"}  # about 0 / 0 and calls, which the check alone looks at
    assert set(passed) <= allowed, passed
