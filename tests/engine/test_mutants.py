"""The script ``mutants.py`` does not rot: what it replaces is still there."""

import ast
from pathlib import Path

import pytest
from mutants import MUTANTS, PACKAGE, occurrences


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_text_of_a_mutant_stands_once_in_its_file_and_can_be_replaced(mutant):
    assert occurrences(mutant) == 1
    assert mutant.old != mutant.new
    text = (PACKAGE / mutant.file).read_text(encoding="utf-8")
    ast.parse(text.replace(mutant.old, mutant.new))


def test_mutants_have_names_of_their_own_and_tests_that_exist():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 30
    here = Path(__file__).parent
    for mutant in MUTANTS:
        files, _, words = mutant.tests.partition(" -k ")
        text = "".join((here / file).read_text(encoding="utf-8") for file in files.split())
        for word in words.split(" or "):
            assert word.strip() in text, (mutant.name, word)
