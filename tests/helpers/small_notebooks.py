"""Notebooks of a few cells, written in a test."""

import nbformat


def markdown(text, name="text"):
    return nbformat.v4.new_markdown_cell(text, id=name)


def code(source, name="code", printed=""):
    """A code cell that has been run, and what it printed."""
    outputs = [nbformat.v4.new_output("stream", text=printed)] if printed else []
    return nbformat.v4.new_code_cell(source, id=name, outputs=outputs, execution_count=1)


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=list(cells))
