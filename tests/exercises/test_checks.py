"""What a student reads after an attempt, and what a grader sees."""

import pytest

from course_utils import checks


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(checks, "_results", {})
    monkeypatch.delenv("COURSE_GRADE", raising=False)


def doubles_three(f):
    assert f(3) == 6, "Twice three is six."


def test_a_right_answer_passes(capsys):
    checks.check("1.1", lambda x: 2 * x, doubles_three)
    assert capsys.readouterr().out == "✓ Exercise 1.1: passed\n"


def test_a_wrong_answer_prints_the_hint_of_the_case_that_failed(capsys):
    checks.check("1.1", lambda x: x + 1, doubles_three)
    assert capsys.readouterr().out == "✗ Exercise 1.1: not yet. Twice three is six.\n"


def test_an_assertion_without_a_message_prints_the_line_that_failed(capsys, tmp_path):
    path = tmp_path / "case.py"  # from a file of its own: pytest rewrites the asserts of this one
    path.write_text("def bare(f):\n    assert f(2) == 4\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    checks.check("1.1", lambda x: x + 1, names["bare"])
    assert "not yet. This should hold: f(2) == 4" in capsys.readouterr().out


def test_only_the_first_line_of_a_long_message_is_printed(capsys):
    def long(f):
        raise AssertionError("\nfirst\nsecond")

    checks.check("1.1", lambda x: x, long)
    assert capsys.readouterr().out == "✗ Exercise 1.1: not yet. first\n"


def test_an_untouched_answer_is_not_attempted(capsys):
    def untouched(x):
        raise NotImplementedError

    checks.check("1.1", untouched, doubles_three)
    assert capsys.readouterr().out == "○ Exercise 1.1: not attempted\n"


def test_an_answer_that_raises_is_told_what_it_raised(capsys):
    checks.check("1.1", lambda x: x / 0, doubles_three)
    assert "it stops with ZeroDivisionError: division by zero" in capsys.readouterr().out


@pytest.mark.parametrize("case", [doubles_three, lambda f: f(3) + 1], ids=["asserts", "uses"])
def test_a_forgotten_return_is_named(case, capsys):
    checks.check("1.1", lambda x: None, case)
    assert "gives back None: does it end with return?" in capsys.readouterr().out


def test_every_case_must_hold(capsys):
    def is_zero_at_zero(f):
        assert f(0) == 0, "Nothing doubled is nothing."

    checks.check("1.1", lambda x: x + 3, doubles_three, is_zero_at_zero)
    assert "Nothing doubled is nothing." in capsys.readouterr().out


def test_nothing_is_raised_unless_graded(monkeypatch):
    checks.check("1.1", lambda x: x, doubles_three)
    monkeypatch.setenv("COURSE_GRADE", "1")
    with pytest.raises(AssertionError, match="Twice three"):
        checks.check("1.1", lambda x: x, doubles_three)


def test_an_interrupt_is_not_swallowed():
    def interrupted(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        checks.check("1.1", interrupted, doubles_three)


def test_the_summary_counts_and_names_what_is_left(capsys):
    checks.check("1.1", lambda x: 2 * x, doubles_three)
    checks.check("1.2", lambda x: x, doubles_three)
    capsys.readouterr()
    checks.summary()
    assert capsys.readouterr().out == (
        "1 of 2 exercises pass.\n  Exercise 1.2: not yet. Twice three is six.\n"
    )


def test_a_second_attempt_replaces_the_first(capsys):
    checks.check("1.1", lambda x: x, doubles_three)
    checks.check("1.1", lambda x: 2 * x, doubles_three)
    capsys.readouterr()
    checks.summary()
    assert capsys.readouterr().out == "1 of 1 exercises pass.\n"


def test_what_a_library_has_not_implemented_counts_as_an_attempt(capsys):
    def attempt(x):
        raise NotImplementedError("no derivative of eig")

    checks.check("1.1", attempt, doubles_three)
    assert capsys.readouterr().out == "✗ Exercise 1.1: it stops with no derivative of eig\n"


def test_a_case_can_look_at_the_answer_itself():
    def has_its_name(f):
        assert f.__name__ == "double"

    def double(x):
        return 2 * x

    checks.check("1.1", double, has_its_name)
    assert checks._results["1.1"] == "passed"
