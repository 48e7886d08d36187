"""Outputs are compared by value: words and integers exactly, decimals within a tolerance."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.cli import compare

SAME = {
    "the same text": ("loss 0.25 after 10 steps", "loss 0.25 after 10 steps"),
    "a unit in the last digit": ("loss 0.123", "loss 0.124"),
    "a unit in the last digit, with a carry": ("0.299", "0.300"),
    "a unit in the last digit of the finer of the two": ("[0.5   0.25]", "[0.499 0.25]"),
    "1e-4 of itself": ("12345.678", "12346.5"),
    "float32's spelling of one": ("[1.         2.]", "[0.99999994 2.        ]"),
    "an exponent": ("2.345e-17", "2.346e-17"),
    "an exponent that changes its decade": ("9.999e-06", "1.000e-05"),
    "a unit of measurement, glued": (
        "3.2x faster, 12.3% of 5.01ms",
        "3.3x faster, 12.4% of 5.02ms",
    ),
    "zero and negative zero": ("[0. -0.]", "[-0.  0.]"),
    "a sign lost in rounding": ("residual -0.00", "residual 0.01"),
    "a typographic minus": ("slope \u22121.23", "slope \u22121.24"),
    "thousands": ("12,345.6 steps", "12,345.7 steps"),
    "complex numbers": ("1.50+0.20j 0.30-0.10j", "1.51+0.19j 0.30-0.11j"),
    "a complex number whose imaginary part is about zero": ("1.50+0.00j", "1.50-0.00j"),
    "nan and inf": ("[nan inf -inf 1.5]", "[ nan  inf -inf  1.5]"),
    "an array that is wrapped elsewhere": (
        "[[0.12 0.34]\n [0.56 0.78]]",
        "[[0.12 0.34] [0.56 0.78]]",
    ),
    "a function's address": ("<function f at 0x7f12ab34cd56>", "<function f at 0x55aa00ff1122>"),
    "a decimal at the end of a sentence": ("The loss is 0.12.", "The loss is 0.13."),
    "integers beside decimals": ("shape (2, 41), mean 0.50", "shape (2, 41), mean 0.51"),
}

OTHER = {
    "a word": ("converged in 5", "diverged in 5"),
    "a word more": ("loss 0.1", "loss 0.1 again"),
    "a word less": ("loss 0.1 again", "loss 0.1"),
    "two units in the last digit": ("loss 0.123", "loss 0.125"),
    "a unit of the coarser of the two": ("[0.5   0.25]", "[0.423 0.25]"),
    "an operator": ("3-0.00", "3+0.00"),
    "an integer by one": ("after 1000000 steps", "after 1000001 steps"),
    "an integer at the end of a sentence": ("It took 20000.", "It took 20001."),
    "an integer with thousands": ("12,345 steps", "12,346 steps"),
    "an integer that became a decimal": ("3 modes", "3.0 modes"),
    "a percentage in integers": ("12%", "13%"),
    "a multiple in integers": ("32x", "33x"),
    "a bare point shows no digit to be off by": ("[1. 0.5]", "[0.6 0.5]"),
    "nor does it against another bare point": ("[1. 2.]", "[2. 2.]"),
    "nor does a power of ten": ("1e-05", "2e-05"),
    "an exponent": ("2.345e-17", "2.345e-16"),
    "a sign": ("slope 0.52", "slope -0.52"),
    "the sign of an imaginary part": ("1.5+0.2j", "1.5-0.2j"),
    "the sign of an infinity": ("[inf]", "[-inf]"),
    "nan for a number": ("loss 0.5", "loss nan"),
    "inf for nan": ("loss nan", "loss inf"),
    "a dtype": ("dtype=float32", "dtype=float64"),
    "a shape": ("(2, 41)", "(41, 2)"),
    "an array's nesting": ("[[0.1 0.2] [0.3 0.4]]", "[[0.1 0.2 0.3 0.4]]"),
    "an array's length": ("[0.1 0.2]", "[0.1 0.2 0.2]"),
    "a version": ("jax 0.10.2", "jax 0.10.3"),
    "a version behind a letter": ("v1.2.3", "v1.2.4"),
    "the number of an exercise": ("Exercise 0.3: passed", "Exercise 0.4: passed"),
    "a name with a digit": ("x1 = 0.5", "x2 = 0.5"),
    "a unit of measurement": ("5.0ms", "5.0s"),
    "a percent sign": ("12.0%", "12.0"),
    "a date": ("2026-11-03", "2026-11-04"),
    "an output that came to nothing": ("loss 0.1", ""),
}


@pytest.mark.parametrize("stored, fresh", SAME.values(), ids=SAME)
def test_texts_that_say_the_same_are_equal_both_ways(stored, fresh):
    assert compare.text_difference(stored, fresh) is None
    assert compare.text_difference(fresh, stored) is None


@pytest.mark.parametrize("stored, fresh", OTHER.values(), ids=OTHER)
def test_texts_that_say_something_else_differ_both_ways(stored, fresh):
    assert compare.text_difference(stored, fresh)
    assert compare.text_difference(fresh, stored)


def test_a_difference_is_shown_with_its_neighbours():
    said = compare.text_difference("mean loss 0.25 after 10 steps", "mean loss 0.75 after 10 steps")
    assert said == "stored mean loss »0.25« after 10 steps, now mean loss »0.75« after 10 steps"


@given(st.text())
def test_any_text_equals_itself(text):
    assert compare.text_difference(text, text) is None


@given(st.lists(st.floats(1e-6, 1e6), min_size=1), st.integers(6, 12))
def test_rounding_to_six_digits_or_more_changes_nothing_that_counts(values, digits):
    stored = " ".join(f"{v:.17e}" for v in values)
    assert compare.text_difference(stored, " ".join(f"{v:.{digits}e}" for v in values)) is None


@given(st.floats(1e-3, 1e3), st.sampled_from([-1, 1]))
def test_a_change_of_one_percent_is_never_overlooked_in_four_digits(value, sign):
    # one unit in the fourth digit is at most 0.1 %, rounding moves each side by half of that
    changed = value * (1 + 0.01 * sign)
    assert compare.text_difference(f"x = {value:.3e}", f"x = {changed:.3e}")


def test_tags_widen_what_is_equal():
    pairs = {
        "rtol=1e-2": ("1.2345", "1.2432"),
        "atol=1e-8": ("3.2e-17", "-8.4e-09"),
        "itol=2": ("after 31 steps", "after 33 steps"),
    }
    for tag, (stored, fresh) in pairs.items():
        assert compare.text_difference(stored, fresh), "else the tag would show nothing"
        assert compare.text_difference(stored, fresh, compare.tolerance([tag])) is None


def test_tags_widen_no_further_than_they_say():
    allowed = compare.tolerance(["rtol=1e-2", "itol=2", "nbval-ignore-output"])
    assert compare.text_difference("1.2345", "1.2545", allowed)
    assert compare.text_difference("after 31 steps", "after 34 steps", allowed)
    assert compare.text_difference("1.2345 in 31 steps", "1.2432 in 31.0 steps", allowed)
    # itol is for counts, rtol for decimals
    assert compare.text_difference("100000", "100001", compare.tolerance(["rtol=1e-2"]))
    assert compare.text_difference("1.5", "2.5", compare.tolerance(["itol=2"]))


@pytest.mark.parametrize(
    "tag, said",
    {
        "nbval-skip": "unknown tag 'nbval-skip'",
        "raises-exception": "unknown tag 'raises-exception'",
        "rtol": "unknown tag 'rtol'",
        "tol=1e-3": "unknown tag 'tol=1e-3'",
        "rtol=": "'' is not a number",
        "rtol=one": "'one' is not a number",
        "rtol=nan": "a tolerance is a positive number",
        "atol=-1": "a tolerance is a positive number",
        "atol=0": "a tolerance is a positive number",
        "rtol=1e-6": "rtol must lie between",
        "rtol=2": "rtol must lie between",
        "itol=1.5": "itol is a whole number",
    }.items(),
)
def test_a_tag_that_is_unknown_or_malformed_is_refused(tag, said):
    with pytest.raises(ValueError, match=said):
        compare.tolerance([tag])


def test_a_tolerance_given_twice_is_refused():
    with pytest.raises(ValueError, match="rtol is given twice"):
        compare.tolerance(["rtol=1e-2", "rtol=1e-3"])


def printed(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def shown(data, kind="display_data", **about):
    return {"output_type": kind, "data": data, "metadata": about}


def figure(alt, pixels="AAAA"):
    return shown({"image/png": pixels, "text/plain": "a figure"}, **{"image/png": {"alt": alt}})


@pytest.mark.parametrize(
    "stored, fresh",
    [
        ([printed("a 0.1\n"), printed("b\n")], [printed("a 0.1\nb\n")]),
        ([printed("a"), figure("A line.")], [figure("A line."), printed("a")]),
        ([figure("A line.", "AAAA")], [figure("A line.", "BBBB")]),
        ([figure("Rate 0.50.")], [figure("Rate 0.51.")]),
        ([printed("a")], [printed("a"), printed("a driver's remark", "stderr")]),
        ([shown({"text/plain": "2.50"})], [shown({"text/plain": "2.51"}, kind="execute_result")]),
        (
            [shown({"text/plain": "Explorer(x=1)"})],
            [shown({"text/plain": "Explorer(x=1)", compare.WIDGET_VIEW: {"model_id": "ab12"}})],
        ),
    ],
    ids=["chunks", "order", "pixels", "alt wobble", "stderr", "kind of display", "live view"],
)
def test_outputs_that_say_the_same_have_no_differences(stored, fresh):
    assert compare.output_differences(stored, fresh) == []
    assert compare.output_differences(fresh, stored) == []


@pytest.mark.parametrize(
    "stored, fresh, said",
    [
        ([printed("a")], [printed("b")], "printed text: stored »a«, now »b«"),
        ([printed("a")], [], "printed text: stored »a«, now »(ends here)«"),
        ([figure("A line.")], [], "shown values: stored 1, now 0"),
        ([figure("A line.")], [figure("A circle.")], "value 1, image/png: stored A »line«"),
        (
            [shown({"text/plain": "2.5"})],
            [shown({"text/plain": "2.7"})],
            "text/plain: stored »2.5«",
        ),
        (
            [shown({"text/plain": "f"})],
            [shown({"text/plain": "f", "text/html": "f"})],
            "shown value 1: stored as ['text/plain'], now as ['text/html', 'text/plain']",
        ),
        (
            [],
            [{"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}],
            "shown values: stored 0, now 1",
        ),
    ],
    ids=["text", "nothing printed", "no figure", "alt", "value", "format", "error"],
)
def test_outputs_that_say_something_else_are_told_apart(stored, fresh, said):
    assert said in "\n".join(compare.output_differences(stored, fresh))


def test_the_layout_of_two_texts_is_the_same_when_only_digits_differ():
    assert compare.same_layout("loss 0.123\n", "loss 0.987\n")
    assert not compare.same_layout("loss 0.123\n", "loss 0.1234\n")
    assert not compare.same_layout("a b", "a\nb")
