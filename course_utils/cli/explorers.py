"""The Explorers of a notebook, and where the pictures that their sliders show on a page are kept.

They are kept in ``.cache/frames/NN-FINGERPRINT``: another code of the notebook, or of the modules
that draw, is another folder. ``course_utils.site.frames`` draws them, in the kernel that has run
the notebook.
"""

import hashlib
import json
from pathlib import Path

from course_utils.cli import notebooks

_DRAWING = ("plotting.py", "widgets.py", "site/frames.py")
_CODE = '__import__("course_utils.site.frames", fromlist=["draw"]).draw(Out, {cells!r}, {folder!r})'


def shows_one(cell):
    """Whether a code cell shows an Explorer."""
    return "widgets.Explorer(" in cell.source


def cells_of(nb):
    """The ids of the cells that show an Explorer, in order."""
    return [cell.id for _, cell in notebooks.code_cells(nb) if shows_one(cell)]


def folder_of_frames(path, root):
    """Where the pictures of the notebook in ``path`` are kept."""
    package = Path(__file__).parent.parent
    digest = hashlib.sha256(notebooks.code_hash(notebooks.read(path)).encode())
    for name in _DRAWING:
        digest.update((package / name).read_bytes())
    return root / ".cache" / "frames" / f"{path.name[:2]}-{digest.hexdigest()[:16]}"


def cell_for_frames(nb, folder):
    """A cell that draws and keeps all pictures, for the kernel that has run ``nb``."""
    import nbformat

    source = _CODE.format(cells=cells_of(nb), folder=str(folder))
    return nbformat.v4.new_code_cell(source, id="frames")


def read_frames(path, root):
    """What is kept of a notebook's Explorers: cell id to what a page needs; None if nothing is."""
    try:
        text = (folder_of_frames(path, root) / "frames.json").read_text(encoding="utf-8")
    except OSError:
        return None
    return json.loads(text)
