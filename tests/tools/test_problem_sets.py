"""A seed makes a problem set that is well posed, private and graded by tests of its own."""

import contextlib
import csv
import functools
import hashlib
import importlib
import io
import itertools
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from unittest import mock

import nbformat
import pytest
from turns import turn

from course_utils import exercises
from course_utils.cli import notebooks, release, run, stamp
from course_utils.instructors import grade, problem_sets, sandbox
from course_utils.instructors.problem_sets import drawing, templates

ADDRESS = stamp.Address("OWNER/REPO")
SEEDS = [f"a private seed that nobody knows, {i}".encode() for i in range(20)]
MANY = [f"one of very many seeds, number {i}".encode() for i in range(300)]
FOLDER = stamp.ROOT / "course_utils" / "instructors" / "problem_sets"
SLIPS = Path(__file__).parent / "problem_set_slips"
SETS = {
    name: importlib.import_module(f"problem_set_slips.{name}")
    for name in problem_sets.SETS
    if (SLIPS / f"{name}.py").exists()
}


@functools.cache
def drawn(name, seed):
    """The exercises of a set by their names."""
    return {exercise.name: exercise for exercise in problem_sets.module_of(name).exercises(seed)}


FUNCTIONS = [(s, e.name) for s in SETS for e in drawn(s, SEEDS[0]).values() if not e.written]
WRITTEN = [(s, e.name) for s in SETS for e in drawn(s, SEEDS[0]).values() if e.written]

pytestmark = pytest.mark.usefixtures("quick_compilation")
each_set = pytest.mark.parametrize("name", SETS)
one_set = pytest.mark.parametrize("name", turn(SETS, 1))


def text_of(nb):
    return "\n".join(cell.source for cell in nb.cells)


def cell(nb, name):
    return next(cell for cell in nb.cells if cell.id == name)


def answer_cell(nb, exercise):
    kind = "words" if exercise.written else "ex"
    return cell(nb, f"{kind}-{exercise.name.lower().replace('.', '-')}")


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


# --- templates ------------------------------------------------------------------------------------


@pytest.fixture
def template(tmp_path, monkeypatch):
    """Write a template and draw an exercise from it."""
    monkeypatch.setattr(templates, "_FOLDER", tmp_path)
    templates._environment.cache_clear()

    def made(text, **values):
        (tmp_path / "one.j2").write_text(text, encoding="utf-8")
        return templates.exercise("X.1", "one.j2", {}, values)

    yield made
    templates._environment.cache_clear()


IN_WORDS = """\
{% set title, minutes = "One", 10 %}
{% set latex %}\\frac{1}{«N»}{% endset %}
{% block task %}
$«latex»$
{% endblock %}
{% block answer %}
«numbers | shown»
{% endblock %}
{% block rubric %}
1: a
2: b: c
  and d
{% endblock %}"""


def test_a_template_has_points_for_each_line_of_its_rubric(template):
    made = template(IN_WORDS, N=4, numbers=[1 / 3, 2])
    assert made.written and made.points == 3 and (made.title, made.minutes) == ("One", 10)
    assert made.task == r"$\frac{1}{4}$" and made.answer == "[0.333333, 2.0]"
    assert made.rubric == "- 1 for a\n- 2 for b: c and d"


def test_a_name_without_a_value_is_an_error(template):
    with pytest.raises(Exception, match="'numbers' is undefined"):
        template(IN_WORDS, N=4)


def test_a_template_that_is_no_exercise_is_refused(template):
    with pytest.raises(ValueError, match="one.j2 has the blocks task, answer"):
        template(IN_WORDS.split("{% block rubric")[0], N=4, numbers=[1])
    with pytest.raises(ValueError, match="no ': ' in the line 'a few points'"):
        template(IN_WORDS.replace("1: a", "a few points"), N=4, numbers=[1])


BY_HAND = """\
{% set title, minutes, points = "One", 10, 3 %}
{% block task %}{% endblock %}
{% block given %}{% endblock %}
{% block answer %}{% endblock %}
{% block hidden %}{% endblock %}
{% block hints %}
sign: The sign of «what».
half: A half.
{% endblock %}
{% block check %}
slips = [
«slips»
]
for case in «cases | rows»:
    pass
{% endblock %}"""


def test_slips_get_the_hints_of_their_names(template):
    cases = [(1, 2.5), (3, "a")]
    made = template(BY_HAND, what="x", slips={"half": [0.5], "sign": [-1.0, 2.0]}, cases=cases)
    names = {}
    exec(textwrap.dedent(made.check.replace("        ", "")), names)
    slips = [(value, hint.strip()) for value, hint in names["slips"]]
    assert slips == [(0.5, "A half."), ([-1.0, 2.0], "The sign of x.")]
    assert names["case"] == (3, "a") and not made.written and made.points == 3
    with pytest.raises(ValueError, match="no hint for shape"):
        template(BY_HAND, what="x", slips={"shape": [0.5]}, cases=cases)


# --- the exercises --------------------------------------------------------------------------------


def test_every_set_has_wrong_answers_for_every_function():
    assert list(SETS) == problem_sets.SETS
    for name, exercise in FUNCTIONS:
        assert len(SETS[name].WRONG[exercise]) >= 6 and exercise in SETS[name].RIGHT


@each_set
def test_exercises_are_numbered_in_order_and_each_has_a_template(name):
    letter = name[0].upper()
    assert list(drawn(name, SEEDS[0])) == [
        f"{letter}.{i}" for i in range(1, len(drawn(name, SEEDS[0])) + 1)
    ]
    texts = [path.read_text(encoding="utf-8") for path in (FOLDER / name).glob("*.j2")]
    assert sum("{% block task %}" in text for text in texts) == len(drawn(name, SEEDS[0]))


@each_set
def test_three_hundred_seeds_draw_well_posed_exercises(name):
    """No draw gives up, and a check tells at least five mistakes apart."""
    variants = {}
    for seed in MANY:
        for exercise in problem_sets.module_of(name).exercises(seed):
            texts = [exercise.given, exercise.answer, exercise.check, exercise.hidden]
            assert not re.search(r"[«»]|\bnan\b|\binf\b|\{%|%\}", exercise.task + "".join(texts))
            if not exercise.written:
                for source in texts if seed in MANY[:50] else ():
                    compile(source, exercise.name, "exec")
                told = re.findall(
                    r'^ {8,}\(\n? *[\[\w-].*?"|\bassert\b', exercise.check, re.M | re.S
                )
                assert len(told) >= 5, (exercise.name, seed)
            variants.setdefault(exercise.name, set()).add(json.dumps(exercise.variant))
    few = {exercise: len(found) for exercise, found in variants.items() if len(found) < 12}
    assert not few


@each_set
def test_hand_numbers_are_far_from_0_and_not_huge(name):
    for seed in MANY[:100]:
        for exercise in problem_sets.module_of(name).exercises(seed):
            for value in re.findall(r"isclose\(got(?:\[.\])?, ([-\d.e+]+),", exercise.check):
                assert 1e-3 < abs(float(value)) < 1e3, (exercise.name, seed)


@pytest.mark.parametrize("name, exercise", WRITTEN)
def test_a_written_exercise_says_what_each_part_is_worth(name, exercise):
    """And as many points are given for it as it says, for every variant."""
    answers = set()
    for seed in MANY[:50]:
        made = drawn(name, seed)[exercise]
        parts = [int(number) for number in re.findall(r"\((\d) points?\)", made.task)]
        assert len(parts) >= 2 and sum(parts) == made.points, seed
        for line in made.rubric.split("\n"):
            assert line not in made.task
        answers.add(made.answer)
    assert len(answers) > 40, "last year's answer would be right again"


@pytest.mark.parametrize("name, exercise", WRITTEN)
def test_a_model_answer_is_what_the_task_asks_for(name, exercise):
    for seed in MANY[:60]:
        SETS[name].ANSWERS[exercise](drawn(name, seed)[exercise])


# --- the notebooks --------------------------------------------------------------------------------


@each_set
@pytest.mark.parametrize("seed", SEEDS[:5])
def test_both_notebooks_are_valid_in_stored_form_and_gradable(name, seed):
    exercises = drawn(name, seed).values()
    for make in (problem_sets.solved, problem_sets.student):
        nb = make(name, seed, ADDRESS)
        nbformat.validate(nb)
        text = notebooks.dumps(nb)
        assert notebooks.dumps(notebooks.tidy(notebooks.reads(text))) == text
        told = [c.metadata.nbgrader for c in nb.cells if "nbgrader" in c.metadata]
        assert [t.points for t in told if t.grade] == [e.points for e in exercises]
        assert release.cell_problems(nb) == [] or make is problem_sets.student
        for exercise in exercises:
            answer = answer_cell(nb, exercise)
            if exercise.written:
                assert answer.cell_type == "markdown" and answer.metadata.nbgrader.grade
            else:
                assert answer.source.startswith(f"# Exercise {exercise.name}\ndef ")


@each_set
@pytest.mark.parametrize("seed", SEEDS)
def test_a_student_copy_holds_no_solution_no_hidden_test_and_no_seed(name, seed):
    copied = problem_sets.student(name, seed, ADDRESS)
    text = text_of(copied)
    assert seed.decode() not in text and hashlib.sha256(seed).hexdigest() not in text
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)|hidden_tests", text)
    given = {line.strip() for c in copied.cells for line in c.source.split("\n")}
    for exercise in drawn(name, seed).values():
        answer = answer_cell(copied, exercise).source
        if exercise.written:
            assert answer == release.TEXT_STUB
            secret = (exercise.answer + "\n" + exercise.rubric).split("\n")
            assert not given.intersection(filter(None, map(str.strip, secret)))
            continue
        secret = [line.strip() for line in solution_of(exercise).split("\n")]
        assert secret[-2].startswith("return ") and secret[-2] not in given
        assert release.CODE_STUB.split("\n")[-1] in answer
        numbers = re.findall(r"\b\d{9}\b", exercise.hidden)
        assert len(numbers) >= 2 and not any(number in text for number in numbers)
        hidden = {line.strip() for line in exercise.hidden.split("\n") if len(line) > 24}
        assert len(hidden & given) <= len(hidden) / 2, "statements of hidden tests are given away"


@each_set
def test_a_solved_notebook_holds_model_answers_and_what_points_are_for(name):
    nb = problem_sets.solved(name, SEEDS[0], ADDRESS)
    for exercise in drawn(name, SEEDS[0]).values():
        if exercise.written:
            told = f"{exercise.answer}\n\n*Points:*\n\n{exercise.rubric}"
            assert answer_cell(nb, exercise).source == told


@each_set
@pytest.mark.parametrize("seed", SEEDS)
def test_what_students_read_is_narrow_and_short(name, seed):
    for c in problem_sets.student(name, seed, ADDRESS).cells:
        if c.cell_type == "code" and c.id != "bootstrap":
            assert max(map(len, c.source.split("\n"))) <= 80, c.id
    for c in problem_sets.solved(name, seed, ADDRESS).cells:
        if c.cell_type == "markdown":
            assert c.source.count("<details>") == c.source.count("</details>")
            # a formula broken before its sign would be read as a list
            text = re.sub(r"^- (?=[(\d])", "", c.source, flags=re.M)  # parts, and their points
            assert not re.search(r"^ *([-+*>=]|\d+[.)])( |$)", text, re.M), c.id
            assert len(re.findall(r"(?<!\\)\$", c.source)) % 2 == 0, c.id


@each_set
def test_the_same_seed_makes_the_same_bytes_in_another_interpreter(name):
    code = (
        "import hashlib, sys\n"
        "from course_utils.cli import notebooks, stamp\n"
        "from course_utils.instructors import problem_sets\n"
        "for make in (problem_sets.student, problem_sets.solved):\n"
        f"    nb = make({name!r}, {SEEDS[0]!r}, stamp.Address('OWNER/REPO'))\n"
        "    print(hashlib.sha256(notebooks.dumps(nb).encode()).hexdigest())\n"
        "assert 'jax' not in sys.modules\n"
    )
    env = {**os.environ, "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    here = [
        hashlib.sha256(notebooks.dumps(make(name, SEEDS[0], ADDRESS)).encode()).hexdigest()
        for make in (problem_sets.student, problem_sets.solved)
    ]
    assert done.stdout.split() == here


@each_set
def test_another_seed_makes_other_numbers_in_every_exercise(name):
    for same in zip(*(drawn(name, seed).values() for seed in SEEDS)):
        assert len({exercise.task for exercise in same}) >= 5
        if same[0].written:
            assert len({exercise.task + exercise.answer for exercise in same}) == len(SEEDS)
        else:
            assert len({exercise.check for exercise in same}) == len(SEEDS)
            assert len({exercise.hidden for exercise in same}) == len(SEEDS)


@each_set
def test_white_space_around_a_seed_does_not_count(name):
    bare = problem_sets.student(name, SEEDS[0], ADDRESS)
    assert problem_sets.student(name, b" " + SEEDS[0] + b"\r\n", ADDRESS) == bare


@each_set
def test_a_copy_bears_the_label_of_its_seed_and_leads_to_the_lessons(name):
    copied = problem_sets.student(name, SEEDS[0], stamp.Address("a/b", "v1"))
    label = problem_sets.label(name, SEEDS[0])
    assert problem_sets.label_in(copied) == label != problem_sets.label(name, SEEDS[1])
    assert problem_sets.label_in(nbformat.v4.new_notebook()) is None
    title, lessons = copied.cells[0].source, problem_sets.module_of(name).LESSONS
    assert len(lessons) >= 4
    for lesson in lessons:
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

    def __init__(self, name, seed):
        self.exercises = {
            e.name: e for e in problem_sets.module_of(name).exercises(seed) if not e.written
        }
        self.names = {}
        exec(cell(problem_sets.student(name, seed, ADDRESS), "setup").source, self.names)
        for exercise in self.exercises.values():
            exec(exercise.given, self.names)

    def check(self, exercise, answer):
        """What the visible check prints of ``answer``."""
        names = self._with(answer)
        code = compile(self.exercises[exercise].check, f"check of {exercise}", "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, names)
        return printed.getvalue().strip()

    def hidden(self, exercise, answer):
        """What the hidden tests raise of ``answer``, or None."""
        names = self._with(answer)
        drawn_cases = re.sub(r'^check\(".*', "", self.exercises[exercise].check, flags=re.M | re.S)
        exec(drawn_cases, names)  # a hidden test may use what stands above it in its cell
        body = textwrap.indent(self.exercises[exercise].hidden, "    ")
        exec("def hidden_tests():\n" + body, names)
        try:
            names["hidden_tests"]()
        except Exception as error:
            return error
        return None

    def _with(self, answer):
        """The session's names and what ``answer`` defines: no earlier answer is left in them."""
        names = dict(self.names)
        exec(answer, names)
        return names


def seed_of(number):
    return f"executed in the tests, {number}".encode()


@functools.cache
def desk_of(name, number):
    return Desk(name, seed_of(number))


def executed(pairs):
    """Parameters: each set and exercise on the set's two seeds; slow, on two more by turns."""
    return pytest.mark.parametrize(
        "name, exercise, number",
        [
            pytest.param(name, exercise, number, marks=marks)
            for name, exercise in pairs
            for numbers, marks in (
                (SETS[name].EXECUTED, ()),
                (turn(SETS[name].MORE, 2), pytest.mark.slow),
            )
            for number in numbers
        ],
    )


def choices(name, seed):
    """Every structural choice that a seed made, as (exercise, what, choice)."""
    found = problem_sets.module_of(name).exercises(seed)
    return {(e.name, what, str(choice)) for e in found for what, choice in e.variant.items()}


@each_set
def test_the_sets_that_are_executed_differ_and_contain_every_choice(name):
    """In a few days: ``MORE`` is taken by turns."""
    slips, exercises = SETS[name], drawn(name, SEEDS[0])
    one, other = (choices(name, seed_of(number)) for number in slips.EXECUTED)
    assert {exercise for exercise, *_ in one - other} == set(exercises)
    possible = set().union(*(choices(name, seed) for seed in MANY))
    assert one.union(other, *(choices(name, seed_of(n)) for n in slips.MORE)) == possible
    assert len(one | other) > len(possible) / 2


@executed(FUNCTIONS)
def test_a_solution_passes_its_check_and_its_hidden_tests(name, exercise, number):
    desk = desk_of(name, number)
    answer = desk.exercises[exercise].answer
    assert desk.check(exercise, answer) == f"✓ Exercise {exercise}: passed"
    assert desk.hidden(exercise, answer) is None


@executed(FUNCTIONS)
def test_an_answer_in_numpy_passes_too(name, exercise, number):
    desk = desk_of(name, number)
    answer = SETS[name].RIGHT[exercise](desk.exercises[exercise])
    assert not re.search(r"\b(jnp|jax)\.", answer.split("### BEGIN SOLUTION")[1])
    assert desk.check(exercise, answer) == f"✓ Exercise {exercise}: passed"
    assert desk.hidden(exercise, answer) is None


@pytest.mark.parametrize("name, number", [(name, SETS[name].EXECUTED[0]) for name in SETS])
def test_an_untouched_copy_runs_to_its_end_and_says_what_is_not_attempted(name, number):
    nb, names = problem_sets.student(name, seed_of(number), ADDRESS), {}
    with (
        mock.patch.dict(exercises._results, clear=True),  # as a kernel that has just begun
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        for _, c in notebooks.code_cells(nb):
            if c.id != "bootstrap":  # a magic, which is the lessons' own
                exec(c.source, names)
    functions = desk_of(name, number).exercises
    for exercise in functions:
        assert f"○ Exercise {exercise}: not attempted\n" in printed.getvalue()
    assert f"0 of {len(functions)} exercises pass." in printed.getvalue()


@each_set
def test_one_classs_solutions_fail_the_hidden_tests_of_another(name):
    for mine, yours in itertools.permutations(SETS[name].EXECUTED):
        answers = {e.name: e.answer for e in desk_of(name, mine).exercises.values()}
        failed = [desk_of(name, yours).hidden(*pair) is not None for pair in answers.items()]
        assert sum(failed) >= 0.7 * len(failed), (mine, yours, failed)


@pytest.mark.slow
@one_set
def test_both_notebooks_run_in_a_kernel_and_the_solved_one_passes_as_graded(name, monkeypatch):
    monkeypatch.delenv("JAX_DISABLE_MOST_OPTIMIZATIONS")  # as in a reader's kernel
    functions = sum(not exercise.written for exercise in drawn(name, SEEDS[3]).values())
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    nb = problem_sets.solved(name, SEEDS[3], ADDRESS)
    run.execute(nb, stamp.ROOT)
    assert cell(nb, "summary").outputs[0].text == f"{functions} of {functions} exercises pass.\n"
    monkeypatch.delenv("NBGRADER_EXECUTION")
    nb = problem_sets.student(name, SEEDS[3], ADDRESS)
    run.execute(nb, stamp.ROOT)
    assert cell(nb, "summary").outputs[0].text.startswith(f"0 of {functions} exercises pass.\n")


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
@one_set
def test_grade_marks_functions_leaves_words_to_a_person_and_refuses_another_set(name, root):
    folder, exercises = root.parent, drawn(name, SEEDS[0])
    handed_in = {who: problem_sets.student(name, SEEDS[0], ADDRESS) for who in ("stub", "good")}
    handed_in["other"] = problem_sets.solved(name, SEEDS[1], ADDRESS)
    for exercise in exercises.values():
        answer = "My answer." if exercise.written else exercise.answer
        answer_cell(handed_in["good"], exercise).source = answer
    for student, nb in handed_in.items():
        notebooks.write(folder / "in" / f"{student}.ipynb", notebooks.dumps(nb))
    options = ["--seed", str(folder / "seed.txt"), "--to", str(folder / "grades")]
    status = grade.main([name, str(folder / "in"), *options])
    rows = {}
    with open(folder / "grades" / "grades.csv", newline="", encoding="utf-8") as table:
        for row in csv.DictReader(table):
            rows.setdefault(row["student"], []).append(row)
    points = {who: [float(row["points"]) for row in those] for who, those in rows.items()}
    full = [0 if exercise.written else exercise.points for exercise in exercises.values()]
    nothing = [0] * len(exercises)
    assert points == {"good": full, "stub": nothing, "other": nothing}
    for row, exercise in zip(rows["good"], exercises.values()):
        assert float(row["of"]) == exercise.points
        assert row["why"].endswith("grade by hand") == exercise.written
    assert "another class's copy" in rows["other"][0]["why"] and status == grade.SOME_BY_HAND


# --- wrong answers --------------------------------------------------------------------------------


def spoiled(name, exercise):
    """The wrong answers that the variant allows: what is wrong, source, word."""
    for what, (change, word) in SETS[name].WRONG[exercise.name].items():
        source = change(exercise.answer)
        if source is not None:
            yield what, source, word


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@executed(FUNCTIONS)
def test_wrong_answers_are_rejected_and_most_are_told_why(name, exercise, number):
    desk = desk_of(name, number)
    tried, unnamed = 0, []
    for what, source, word in spoiled(name, desk.exercises[exercise]):
        line = desk.check(exercise, source)
        tried += 1
        if line.startswith("✓"):
            assert desk.hidden(exercise, source) is not None, f"{what} passes"
            unnamed.append((what, "passes the visible check"))
        else:
            assert line.startswith(f"✗ Exercise {exercise}: not yet. "), (what, line)
            if word is not None and word not in line:
                unnamed.append((what, line))
    assert tried >= 6
    assert len(unnamed) <= 1, unnamed


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@executed(FUNCTIONS)
def test_the_hidden_tests_alone_reject_most_wrong_answers(name, exercise, number):
    """A submission may have been fitted to the visible numbers."""
    desk = desk_of(name, number)
    passed = {
        what
        for what, source, _ in spoiled(name, desk.exercises[exercise])
        if desk.hidden(exercise, source) is None
    }
    assert passed <= SETS[name].CHECK_ALONE, passed
