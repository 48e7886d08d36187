"""What a student reads after an attempt, and what a grader sees."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from course_utils import exercises


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(exercises, "_results", {})
    monkeypatch.setattr(exercises, "_predictions", {})
    monkeypatch.delenv("NBGRADER_EXECUTION", raising=False)


def doubles_three(f):
    assert f(3) == 6, "Twice three is six."


def test_a_right_answer_passes(capsys):
    exercises.check("1.1", lambda x: 2 * x, doubles_three)
    assert capsys.readouterr().out == "✓ Exercise 1.1: passed\n"


def test_a_wrong_answer_prints_the_hint_of_the_case_that_failed(capsys):
    exercises.check("1.1", lambda x: x + 1, doubles_three)
    assert capsys.readouterr().out == "✗ Exercise 1.1: not yet. Twice three is six.\n"


def test_an_assertion_without_a_message_prints_the_line_that_failed(capsys, tmp_path):
    path = tmp_path / "case.py"  # from a file of its own: pytest rewrites the asserts of this one
    path.write_text("def bare(f):\n    assert f(2) == 4\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    exercises.check("1.1", lambda x: x + 1, names["bare"])
    assert "not yet. This should hold: f(2) == 4" in capsys.readouterr().out


def test_only_the_first_line_of_a_long_message_is_printed(capsys):
    def long(f):
        raise AssertionError("\nfirst\nsecond")

    exercises.check("1.1", lambda x: x, long)
    assert capsys.readouterr().out == "✗ Exercise 1.1: not yet. first\n"


def test_an_untouched_answer_is_not_attempted(capsys):
    def untouched(x):
        raise NotImplementedError

    exercises.check("1.1", untouched, doubles_three)
    assert capsys.readouterr().out == "○ Exercise 1.1: not attempted\n"


def test_an_answer_that_raises_is_told_what_it_raised(capsys):
    exercises.check("1.1", lambda x: x / 0, doubles_three)
    assert "it stops with ZeroDivisionError: division by zero" in capsys.readouterr().out


@pytest.mark.parametrize("case", [doubles_three, lambda f: f(3) + 1], ids=["asserts", "uses"])
def test_a_forgotten_return_is_named(case, capsys):
    exercises.check("1.1", lambda x: None, case)
    assert "gives back None: does it end with return?" in capsys.readouterr().out


def test_every_case_must_hold(capsys):
    def is_zero_at_zero(f):
        assert f(0) == 0, "Nothing doubled is nothing."

    exercises.check("1.1", lambda x: x + 3, doubles_three, is_zero_at_zero)
    assert "Nothing doubled is nothing." in capsys.readouterr().out


def test_nothing_is_raised_unless_graded(monkeypatch):
    exercises.check("1.1", lambda x: x, doubles_three)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(AssertionError, match="Twice three"):
        exercises.check("1.1", lambda x: x, doubles_three)


def test_an_interrupt_is_not_swallowed():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exercises.check("1.1", interrupted, doubles_three)


def test_the_summary_counts_and_names_what_is_left(capsys):
    exercises.check("1.1", lambda x: 2 * x, doubles_three)
    exercises.check("1.2", lambda x: x, doubles_three)
    capsys.readouterr()
    exercises.summary()
    assert capsys.readouterr().out == (
        "1 of 2 exercises pass.\n  Exercise 1.2: not yet. Twice three is six.\n"
    )


def test_the_summary_repeats_what_was_predicted_and_no_more(capsys):
    exercises.predict("not answered", "yes", "no")
    exercises.predict("the largest step", "rings", "explodes").control.value = "rings"
    exercises.predict("the slope").control.value = "about 3"
    exercises.predict("taken back").control.value = "2"
    exercises.predict("taken back").control.value = " "
    exercises.summary()
    assert capsys.readouterr().out == (
        "0 of 0 exercises pass.\nYou predicted:\n  the largest step: rings\n  the slope: about 3\n"
    )


def test_a_prediction_stands_there_again_when_its_cell_is_run_again():
    exercises.predict("the largest step", "rings", "explodes").control.value = "explodes"
    assert exercises.predict("the largest step", "rings", "explodes").control.value == "explodes"


def test_a_second_attempt_replaces_the_first(capsys):
    exercises.check("1.1", lambda x: x, doubles_three)
    exercises.check("1.1", lambda x: 2 * x, doubles_three)
    capsys.readouterr()
    exercises.summary()
    assert capsys.readouterr().out == "1 of 1 exercises pass.\n"


def test_what_a_library_has_not_implemented_counts_as_an_attempt(capsys):
    def attempt(x):
        raise NotImplementedError("no derivative of eig")

    exercises.check("1.1", attempt, doubles_three)
    said = capsys.readouterr().out
    assert said.startswith("✗ Exercise 1.1: it stops with no derivative of eig (called with x = 3)")


def test_a_case_can_look_at_the_answer_itself():
    def has_its_name(f):
        assert f.__name__ == "double"

    def double(x):
        return 2 * x

    exercises.check("1.1", double, has_its_name)
    assert exercises._results["1.1"] == "passed"


# --- what a wrong answer is told ------------------------------------------------------------------


def told(answer, case, capsys):
    exercises.check("1.1", answer, case)
    return capsys.readouterr().out


def test_an_error_of_shapes_says_what_the_answer_was_called_with(capsys):
    case = lambda f: f(np.ones((3, 2)), np.ones(3), l2=0.1)
    said = told(lambda X, y, l2: X + y, case, capsys)
    assert "it stops with ValueError: operands could not be broadcast" in said
    assert said.endswith("(called with X of shape (3, 2), y of shape (3,), l2 = 0.1)\n")


def test_a_value_that_the_check_cannot_use_is_not_called_an_error_of_the_answer(capsys):
    said = told(lambda x: {}, lambda f: f(3) + 1, capsys)
    assert "not yet. What it gives back is not what the check can use (TypeError" in said


@pytest.mark.parametrize(
    "got, right, message",
    [
        (np.ones((3, 1)), np.ones(3), "The answer should have shape (3,); this has (3, 1)."),
        (1.0, np.ones(3), "The answer should have shape (3,); this is a single number."),
        (np.ones(1), 1.0, "The answer should be a single number; this has shape (1,)."),
        (1 + 0j, 1.0, "The answer should be a real number; this is complex."),
        ("1", 1.0, "The answer should be a number; this is of type str."),
        (len, 1.0, "The answer should be a number; this is of type builtin_function_or_method."),
        ([1, [2]], np.ones(2), "The answer should be an array of shape (2,); this is a list of 2."),
        (
            np.array([1, None]),
            np.ones(2),
            "The answer should be an array of numbers; this holds object.",
        ),
        ([1.0], {"w": 1.0}, "The answer should be a dict; this is a list of 1."),
        ({"v": 1.0}, {"w": 1.0}, "The keys should be 'w'; these are 'v'."),
        ({"w": [1]}, {"w": 1.0}, "w: The answer should be a single number; this has shape (1,)."),
        (1.0, (1.0, [1, 2]), "The answer should have 2 parts; this is of type float."),
        ((1, [1]), (1.0, [1, 2]), "The answer should have shape (2,); this has (1,)."),
        ("b", "a", "Wrong."),
        (2.0, 1.0, "Wrong."),
        (np.nan, 1.0, "Wrong."),
    ],
)
def test_the_form_of_an_answer_is_told_before_its_value(got, right, message):
    with pytest.raises(AssertionError) as caught:
        exercises.expect(got, right, "Wrong.", {"Never.": 7.0}, form="")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "got, right",
    [
        (np.float32(1), 1.0),
        ([1, 2], np.array([1.0, 2.0])),
        (jnp.ones(2), [1.0, 1.0]),
        (1.0 + 1e-9, 1.0),
        ("a", "a"),
        (np.True_, True),
        ({"w": jnp.ones(2), "b": 1}, {"b": 1.0, "w": np.ones(2)}),
        ([1, np.ones(2)], (1.0, [1, 1])),
        (1 + 2j, 1 + 2j),
    ],
)
def test_what_is_right_is_right_in_whatever_kind_of_array(got, right):
    exercises.expect(got, right, "Wrong.")


def test_a_slip_is_told_before_its_form():
    slips = {"Half of it.": 0.5, "Of shape (1,): sum over both axes?": np.ones(1)}
    with pytest.raises(AssertionError, match="Half of it"):
        exercises.expect(0.5, 1.0, "Wrong.", slips)
    with pytest.raises(AssertionError, match="sum over both axes"):
        exercises.expect(np.ones(1), 1.0, "Wrong.", slips)
    with pytest.raises(AssertionError, match=r"has shape \(2,\). One number per"):
        exercises.expect(np.ones(2), 1.0, "Wrong.", slips, form="One number per example.")


def test_a_few_digits_are_told_from_a_wrong_number():
    for got, message in [(1.1, "Wrong."), (1 + 1e-7, "Right to a few digits only. Round?")]:
        with pytest.raises(AssertionError) as caught:
            exercises.expect_all_digits(got, 1.0, "Wrong.", few="Round?")
        assert str(caught.value) == message
    exercises.expect_all_digits(1 + 1e-12, 1.0, "Wrong.")


def test_a_known_error_is_told_with_advice_and_others_pass_through():
    advice = {"scalar-output": "One number.", exercises.SHAPES: "w has shape (3,)."}
    with pytest.raises(AssertionError, match=r"^w has shape \(3,\)\. The error: .*broadcast"):
        exercises.called(lambda x, y: x + y, np.ones(3), y=np.ones(2), advice=advice)
    with pytest.raises(AssertionError, match=r"dimension 0 \(size 2 is different from 3\)$"):
        exercises.called(np.matmul, np.ones((2, 3)), np.ones(2), advice=advice)
    with pytest.raises(AssertionError, match="^One number. The error: Gradient only defined"):
        exercises.called(jax.grad(lambda x: x), jnp.ones(2), advice=advice)
    with pytest.raises(KeyError):
        exercises.called({}.__getitem__, "shape", advice=advice)
    assert exercises.called(lambda x: x, 3, advice=advice) == 3


def test_an_exercise_that_the_package_lacks_says_what_to_do(capsys):
    exercises.check("1.99", lambda x: x)
    said = capsys.readouterr().out
    assert said.startswith("✗ Exercise 1.99: it cannot be checked: course_utils ")
    assert "Disconnect and delete runtime" in said and "git pull" in said
    with pytest.raises(exercises.NoSuchExercise):
        exercises.hidden_tests("99.1", lambda x: x)
