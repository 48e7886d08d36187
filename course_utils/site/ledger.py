"""The ledger: which claim of a lesson is held by which cell.

A claim is a sentence of a Markdown cell that ends in a mark, an HTML comment that no reader sees:
``<!-- holds: CELL -->``, with the ids of one cell or several whose ``assert``, comparison or stored
output would fail or differ if the claim were false.
"""

import re

_MARK = re.compile(r"\s*<!--\s*holds:\s*(.*?)\s*-->")


def without_marks(text):
    """``text`` as it reads to a student."""
    return _MARK.sub("", text)
