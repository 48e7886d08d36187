"""Notebooks as files: where they are, the form they are stored in, and how they are written."""

import ast
import contextlib
import hashlib
import os
import re
import tempfile
import threading

from course_utils.cli.compare import WIDGET_VIEW
from course_utils.cli.setup_venv import ROOT

NAME = re.compile(r"([0-9]{2})_[a-z0-9_]+\.ipynb")

# For notebooks that share the cores: BLAS in each, with threads for all cores, would mostly wait
SIDE_BY_SIDE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

_KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
_CELL_KEYS = ("nbgrader", "tags")
_HIDDEN = {"jupyter": {"source_hidden": True}, "cellView": "form"}  # to JupyterLab, to Colab
_PICTURE_KEYS = ("alt", "height", "width")
_BAR = re.compile(r".*[0-9]%\|.*|.*[0-9]it \[.*\].*")  # tqdm's, with and without a known end
# what XLA, CUDA and JAX's choice of a device log on some machines, whatever the notebook does
_LOG = re.compile(
    r"WARNING: All log messages before absl.*|[IWEF][0-9]{4} .*|[0-9-]{10} [0-9:.]+: [IWEF] .*"
    r"|(WARNING|INFO):[0-9-]{10} .*:jax\._src\.xla_bridge:.*"
)

_parsing = threading.Lock()


def syntax_tree(source):
    """The tree of a cell's code, as ``ast.parse`` gives it, for one thread at a time.

    Threads of Python 3.11 share one count of the depth of what they parse: two that parse beside
    each other can get a ``SystemError`` for good code.
    """
    with _parsing:
        return ast.parse(source)


def solved(root=ROOT):
    """The solved notebooks, ``notebooks/NN_*.ipynb``, in order."""
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def read(path):
    """The notebook in ``path``, as nbformat's newest version 4.

    Raises:
        ValueError: if the file is not a notebook.
    """
    return reads(path.read_text(encoding="utf-8"))


def reads(text):
    """The notebook that ``text`` spells out.

    Raises:
        ValueError: if it is not a notebook.
    """
    import nbformat

    try:
        return nbformat.reads(text, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, AttributeError) as error:
        raise ValueError(f"not a notebook: {str(error).splitlines()[0]}") from error


def dumps(nb):
    """The notebook as the text of a file."""
    import nbformat

    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def write(path, text):
    """Write a file whole or not at all; return whether its content changed."""
    with contextlib.suppress(FileNotFoundError):
        if path.read_bytes() == text.encode():
            return False
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=str(path.parent), prefix=path.name, suffix=".draft")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text.encode())
        os.chmod(draft, path.stat().st_mode if path.exists() else 0o644)
        os.replace(draft, str(path))
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise
    return True


def code_cells(nb):
    """The code cells, each with its position among all cells, from 1."""
    return [(i, cell) for i, cell in enumerate(nb.cells, 1) if cell.cell_type == "code"]


def explorers(nb):
    """The ids of the code cells that show an Explorer, in order."""
    return [cell.id for _, cell in code_cells(nb) if "widgets.Explorer(" in cell.source]


def label(position, cell):
    """How a message names a cell: its position, its id, and how it begins."""
    begins = next((line for line in cell.source.splitlines() if line.strip()), "(empty)")
    return f"cell {position} ({cell.get('id', 'no id')}: {begins.strip()[:48]})"


def is_folded(cell):
    """Whether a reader sees the cell's output and has to click for its code."""
    return bool(cell.metadata.get("jupyter", {}).get("source_hidden"))


def code_hash(nb):
    """A fingerprint of all code in the notebook."""
    text = "\0".join(cell.source for _, cell in code_cells(nb))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def stored_hash(nb):
    """The fingerprint of the code that the stored outputs came from, if there is one."""
    return nb.metadata.get("course", {}).get("code")


def is_noise(output):
    """Whether an output is nothing but progress bars and drivers' logs."""
    if output.output_type == "error":
        return False
    if output.output_type == "stream":
        lines = [line for line in re.split("[\n\r]", output.text) if line.strip()]
        return output.name == "stderr" and all(
            _BAR.fullmatch(line) or _LOG.fullmatch(line) for line in lines
        )
    data = {kind: text for kind, text in output.data.items() if kind != WIDGET_VIEW}
    return not data or (set(data) == {"text/plain"} and bool(_BAR.fullmatch(data["text/plain"])))


def tidy(nb):
    """Bring a notebook into its stored form, in place, its outputs' content untouched.

    One kernel name; no ids or state of widgets, no timings, no progress bars, of an editor's
    settings only that a cell's code is folded;
    the cells that ran are counted from 1; adjacent pieces of printed text are one; a picture keeps
    its text alternative.
    The stored hash stays: only a run, or a change that keeps outputs right, may renew it.
    """
    import nbformat

    course = {"course": {"code": stored_hash(nb)}} if stored_hash(nb) else {}
    nb.metadata = nbformat.from_dict(
        {"kernelspec": _KERNEL, "language_info": {"name": "python"}, **course}
    )
    nb.nbformat, nb.nbformat_minor = 4, 5
    for cell in nb.cells:
        kept = {key: cell.metadata[key] for key in _CELL_KEYS if cell.metadata.get(key)}
        if is_folded(cell):
            kept |= _HIDDEN
        cell.metadata = nbformat.from_dict(kept)
    count = 0
    for _, cell in code_cells(nb):
        if cell.execution_count is not None:
            count += 1
            cell.execution_count = count
        cell.outputs = _tidy_outputs(cell.outputs, cell.execution_count)
    return nb


def _tidy_outputs(outputs, count):
    import nbformat

    kept = []
    for output in outputs:
        if is_noise(output):
            continue
        if output.output_type == "stream":
            if kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
                kept[-1].text += output.text
                continue
        elif "data" in output:
            output.data.pop(WIDGET_VIEW, None)
            about = {
                kind: {key: told[key] for key in _PICTURE_KEYS if key in told}
                for kind, told in output.metadata.items()
                if kind.startswith("image/") and kind in output.data
            }
            output.metadata = nbformat.from_dict({k: told for k, told in about.items() if told})
            if output.output_type == "execute_result":
                output.execution_count = count
        kept.append(output)
    return kept
