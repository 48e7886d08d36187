"""The pictures that the sliders of a page show, drawn where the code that they need has run.

A page has no kernel, so an Explorer's pictures are drawn beforehand, at no more positions than a
page can carry. For each Explorer there is one base picture, with the commonest colour of each
pixel, and for each position the pixels that differ from it; both are WebP without loss, so that a
browser which paints one on the other shows what the live Explorer shows, pixel by pixel.

They are kept in ``.cache/frames/NN-FINGERPRINT``: another code of the notebook or of the package is
another folder.
"""

import hashlib
import io
import itertools
import json
import math
import re
from pathlib import Path

from course_utils.cli import notebooks

MOST = 30  # positions of one Explorer
BUDGET = 1_400_000  # bytes of all frames of a lesson
_TOGETHER = 2  # sliders that move together; each further one moves alone
# Headings, addresses, comments and displayed formulas
_NO_NUMBER = re.compile(r"^#[^\n]*|\]\([^)]*\)|<!--.*?-->|\$\$.*?\$\$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.,^{−-])([-−]?\d+(?:\.\d+)?)(?![\w]|\.\d)(\s?\\?%| percent)?")


def numbers_named(nb):
    """For each cell that shows an Explorer, the numbers in the text before it and its answer."""
    found, before, shown = {}, "", notebooks.explorers(nb)
    for i, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            before = cell.source
        elif cell.id in shown:
            behind = next((c.source for c in nb.cells[i:] if c.cell_type == "markdown"), "")
            text = before + behind * behind.startswith("<details>")
            found[cell.id] = [
                float(number.replace("−", "-")) / (100 if is_percent else 1)
                for number, is_percent in _NUMBER.findall(_NO_NUMBER.sub("", text))
            ]
    return found


def folder_of_frames(path, root):
    """Where the pictures of the notebook in ``path`` are kept."""
    nb = notebooks.read(path)
    digest = hashlib.sha256(f"{notebooks.code_hash(nb)} {numbers_named(nb)}".encode())
    package = Path(__file__).parent.parent
    mine = [Path(__file__).with_name(f"{name}.py") for name in ("frames", "run_lessons", "slices")]
    for module in [*sorted(package.glob("*.py")), *mine]:
        digest.update(module.read_bytes())
    return root / ".cache" / "frames" / f"{path.name[:2]}-{digest.hexdigest()[:16]}"


def read_frames(path, root):
    """What is kept of a notebook's Explorers: cell id to what a page needs; None if nothing is."""
    try:
        text = (folder_of_frames(path, root) / "frames.json").read_text(encoding="utf-8")
    except OSError:
        return None
    return json.loads(text)


def draw(out, cells, folder):
    """Draw the frames of every Explorer among a notebook's results into a new folder.

    Args:
        out: what cells gave, in order, as in IPython's ``Out``.
        cells: the ids of the cells that show an Explorer, in order, each with the numbers that are
            to be among the positions of its sliders.
        folder: where.

    Raises:
        ValueError: if there are more Explorers than cells, or fewer.
    """
    from course_utils.widgets import Explorer

    found = [thing for thing in out.values() if isinstance(thing, Explorer)]
    if len(found) != len(cells):
        raise ValueError(f"{len(cells)} cells show an Explorer, but the notebook gave {len(found)}")
    drawn = {cell: _Frames(explorer, cells[cell]) for cell, explorer in zip(cells, found)}
    while sum(frames.bytes for frames in drawn.values()) > BUDGET:
        largest = max(drawn, key=lambda cell: drawn[cell].bytes)
        if not drawn[largest].thin():
            raise ValueError(f"the pictures of {largest} are too large for a page: {BUDGET} bytes")
    folder = Path(folder)
    folder.mkdir()
    for cell, frames in drawn.items():
        frames.write(folder / cell)
    told = {cell: frames.told for cell, frames in drawn.items()}
    (folder / "frames.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


class _Control:
    """The positions of a slider or choice: all values that a reader can set, and those kept.

    Sliders of one ``group`` move together, while those of others stand where they start.
    """

    def __init__(self, name, widget, named=()):
        self.name, self.label, self.named = name, widget.description, named
        self.is_slider = not hasattr(widget, "options")
        self.group = 0 if self.is_slider else None
        if self.is_slider:
            count = math.floor((widget.max - widget.min) / widget.step + 1e-9) + 1
            kind = type(widget.value)
            exact = [widget.min + i * widget.step for i in range(count)]
            self.values = [kind(float(f"{value:.12g}")) for value in exact]
            self.start = min(range(count), key=lambda i: abs(self.values[i] - widget.value))
            self.values[self.start] = widget.value
            self.shown = [format(value, widget.readout_format) for value in self.values]
        else:
            self.values = list(widget.options)
            self.start = self.values.index(widget.value)
            self.shown = [str(value) for value in self.values]
        self.kept = list(range(len(self.values)))

    def thin(self, count):
        """Keep ``count`` positions at most: both ends, the start, some that the text names."""
        named = [i for n in self.named for i, v in enumerate(self.values) if math.isclose(v, n)]
        self.kept = thinned(self.kept, [self.start, *named], count)


def thinned(positions, wanted, count):
    """At most ``count`` of ``positions``: both ends, the first ``wanted``, others between."""
    count = max(count, 3)
    if len(positions) <= count:
        return positions
    last = len(positions) - 1
    picked = [round(i * last / (count - 1)) for i in range(count)]
    held = {0, last}
    for place in dict.fromkeys(positions.index(i) for i in wanted if i in positions):
        if len(held) >= min(count, 3 + count // 2):  # what is left keeps the others apart
            break
        if place not in picked:  # it takes the place of its nearest neighbour
            free = [i for i, other in enumerate(picked) if other not in held]
            picked[min(free, key=lambda i: abs(picked[i] - place))] = place
        held.add(place)
    return [positions[i] for i in sorted(picked)]


def combinations(controls, most=MOST):
    """The positions of all controls together that are drawn; each control notes which it keeps.

    A choice keeps all its options. One slider or two share what is left as a grid; each further one
    moves alone, a quarter of it at most, while the others stand where they start.
    """
    sliders = [control for control in controls if control.is_slider]
    options = math.prod(len(control.kept) for control in controls if not control.is_slider)
    room = max(1, most // options)
    together, alone = sliders[:_TOGETHER], sliders[_TOGETHER:]
    for group, control in enumerate(alone, start=1):
        control.group = group
        control.thin(most // options // 4)
        room = max(1, room - len(control.kept) + 1)
    for number, control in enumerate(together):  # what a short slider leaves is the next one's
        left = len(together) - number
        control.thin(math.floor(room ** (1 / left) + 1e-9))
        room //= len(control.kept)
    return positions(controls)


def positions(controls):
    """All combinations of the positions that the controls keep, where one group of them moves."""
    found = {}
    for moving in {control.group for control in controls if control.is_slider} or {None}:
        axes = [c.kept if c.group in (None, moving) else [c.start] for c in controls]
        found.update(dict.fromkeys(itertools.product(*axes)))
    return list(found)


class _Frames:
    """The frames of one Explorer."""

    def __init__(self, explorer, named):
        self.explorer = explorer
        self.controls = [
            _Control(name, widget, named) for name, widget in explorer.controls.items()
        ]
        self.all = combinations(self.controls)
        pictures, self.said = {}, {}
        for position in self.all:
            values = {c.name: c.values[i] for c, i in zip(self.controls, position)}
            pixels, self.said[position] = explorer.drawn(**values)
            pictures[position] = pixels.view("uint32")[..., 0]  # a colour as one number
        base = commonest(list(pictures.values()))
        self.pixels = base.shape[1::-1]
        self.base = _webp(base)
        self.packed = {at: _webp(picture * (picture != base)) for at, picture in pictures.items()}

    @property
    def bytes(self):
        """What all frames take together."""
        return len(self.base) + sum(len(self.packed[position]) for position in self.all)

    def thin(self):
        """Leave out a fifth of the positions of the longest slider; return whether that is done."""
        sliders = [control for control in self.controls if control.is_slider]
        longest = max(sliders, key=lambda control: len(control.kept), default=None)
        if longest is None or len(longest.kept) <= 3:
            return False
        longest.thin(min(len(longest.kept) - 1, len(longest.kept) * 4 // 5))
        self.all = positions(self.controls)
        return True

    @property
    def told(self):
        """What a page needs to know of them."""
        from course_utils import plotting

        controls = []
        for c in self.controls:
            shown = [c.shown[i] for i in c.kept]
            kind = "slider" if c.is_slider else "choice"
            told = {"label": c.label, "kind": kind, "shown": shown, "start": c.kept.index(c.start)}
            of = {"of": len(c.values), "group": c.group} if c.is_slider else {}
            controls.append(told | of)
        frames = {}
        for number, position in enumerate(self.all):
            at = [c.kept.index(i) for c, i in zip(self.controls, position)]
            frames[",".join(map(str, at))] = [number, self.said[position]]
        return {
            "alt": self.explorer.alt,
            "width": round(self.pixels[0] * plotting.SHOWN / plotting.DPI),
            "pixels": list(self.pixels),
            "controls": controls,
            "frames": frames,
        }

    def write(self, folder):
        """Write the pictures, ``base.webp`` and ``0.webp``, ``1.webp``, ..."""
        folder.mkdir()
        (folder / "base.webp").write_bytes(self.base)
        for number, position in enumerate(self.all):
            (folder / f"{number}.webp").write_bytes(self.packed[position])


def commonest(pictures):
    """For each pixel the colour of most of the ``pictures``, if one has more than half of them.

    Args:
        pictures: arrays of shape (height, width).

    Returns:
        Such an array. Where no colour has a majority it holds one that occurs.
    """
    import numpy as np

    leader, lead = pictures[0].copy(), np.ones(pictures[0].shape, np.int16)
    for other in pictures[1:]:  # Boyer and Moore's vote, for all pixels at once
        lead += np.where(other == leader, 1, -1).astype(np.int16)
        lost = lead < 0
        leader[lost], lead[lost] = other[lost], 1
    return leader


def _webp(picture):
    """The picture, of colours as numbers, as WebP; 0 is a pixel that one sees through."""
    from PIL import Image

    packed = io.BytesIO()
    rgba = Image.fromarray(picture.view("uint8").reshape(*picture.shape, 4))
    rgba.save(packed, format="webp", lossless=True, quality=20, method=1)
    return packed.getvalue()
