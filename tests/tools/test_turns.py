"""Samples that take turns leave nothing out."""

import pytest
from turns import today, turn


@pytest.mark.parametrize("count", [1, 2, 3])
def test_in_a_few_days_each_has_its_turn(count, monkeypatch):
    seen = []
    for day in range(739_000, 739_021):
        monkeypatch.setenv("COURSE_TURN", str(day))
        some = turn("abcdefg", count)
        assert len(set(some)) == count
        seen += some
    assert {seen.count(thing) for thing in "abcdefg"} == {3 * count}


def test_all_and_the_same_day_again_can_be_asked_for(monkeypatch):
    monkeypatch.delenv("COURSE_TURN", raising=False)
    some = turn("abcdefg", 2)
    monkeypatch.setenv("COURSE_TURN", today())
    assert turn("abcdefg", 2) == some
    monkeypatch.setenv("COURSE_TURN", "all")
    assert turn("abcdefg", 2) == list("abcdefg")
