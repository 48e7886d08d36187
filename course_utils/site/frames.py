"""The pictures that the sliders of a page show, drawn where a notebook has just run.

A page has no kernel, so an Explorer's pictures are drawn beforehand, at no more positions than a
page can carry. For each Explorer there is one base picture, with the commonest colour of each
pixel, and for each position the pixels that differ from it; both are WebP without loss, so that a
browser which paints one on the other shows what the live Explorer shows, pixel by pixel.
"""

import io
import itertools
import json
import math
import os
import secrets
import shutil
import sys
import time
from pathlib import Path

from course_utils.cli.explorers import cell_for_frames, folder_of_frames

MOST = 60  # positions of one Explorer
BUDGET = 1_400_000  # bytes of all frames of a lesson
_TOGETHER = 2  # sliders that move together; each further one moves alone


def run(path, root):
    """Run the notebook in ``path`` for the sake of its frames; nothing else is stored.

    Raises:
        course_utils.cli.run.RunError: if a cell raises.
    """
    from course_utils.cli import notebooks
    from course_utils.cli.run import execute

    nb = notebooks.read(path)
    nb.cells.append(cell_for_frames(nb, folder_of_frames(path, root)))
    execute(nb, path.parent)


# In the notebook's kernel


def draw(out, cells, folder):
    """Draw the frames of every Explorer among IPython's outputs, and keep them.

    Args:
        out: IPython's ``Out``.
        cells: the ids of the cells that show an Explorer, in order.
        folder: where to keep the frames; it appears whole or not at all.

    Raises:
        ValueError: if there are more Explorers than cells, or fewer.
    """
    from course_utils.widgets import Explorer

    found = [thing for _, thing in sorted(out.items()) if isinstance(thing, Explorer)]
    if len(found) != len(cells):
        raise ValueError(f"{len(cells)} cells show an Explorer, but the kernel has {len(found)}")
    drawn = {cell: _Frames(explorer) for cell, explorer in zip(cells, found)}
    while sum(frames.bytes for frames in drawn.values()) > BUDGET:
        largest = max(drawn, key=lambda cell: drawn[cell].bytes)
        if not drawn[largest].thin():
            raise ValueError(f"the pictures of {largest} are too large for a page: {BUDGET} bytes")
    folder = Path(folder)
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    draft.mkdir(parents=True)
    for cell, frames in drawn.items():
        frames.write(draft / cell)
    told = {cell: frames.told for cell, frames in drawn.items()}
    (draft / "frames.json").write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    for older in folder.parent.glob(f"{folder.name[:2]}-*"):
        if older != draft:
            shutil.rmtree(older, ignore_errors=True)
    os.replace(draft, folder)


class _Control:
    """The positions of a slider or choice: all values that a reader can set, and those kept.

    Sliders of one ``group`` move together, while those of others stand where they start.
    """

    def __init__(self, name, widget):
        self.name, self.label = name, widget.description
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
        """Keep ``count`` positions at most: both ends, the start, and others evenly between."""
        self.kept = thinned(self.kept, self.start, count)


def thinned(positions, start, count):
    """At most ``count`` of ``positions``, spread evenly, both ends and ``start`` among them."""
    count = max(count, 3)
    if len(positions) <= count:
        return positions
    last = len(positions) - 1
    picked = [round(i * last / (count - 1)) for i in range(count)]
    place = positions.index(start)
    if place not in picked:  # it takes the place of its nearest neighbour that is no end
        nearest = min(range(1, count - 1), key=lambda i: abs(picked[i] - place))
        picked[nearest] = place
    return [positions[i] for i in sorted(picked)]


def combinations(controls, most=MOST):
    """The positions of all controls together that are drawn; the controls keep their own.

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
        room -= len(control.kept) - 1
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

    def __init__(self, explorer):
        import numpy as np
        from PIL import Image

        self.explorer = explorer
        self.controls = [_Control(name, widget) for name, widget in explorer.controls.items()]
        self.all = combinations(self.controls)
        pictures, self.said = {}, {}
        for position in self.all:
            values = {c.name: c.values[i] for c, i in zip(self.controls, position)}
            png, self.said[position] = explorer.drawn(**values)
            pictures[position] = np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
        base = commonest(list(pictures.values()))
        self.pixels = base.shape[1::-1]
        self.base = _webp(base)
        self.packed = {at: _webp(difference(picture, base)) for at, picture in pictures.items()}

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
        pictures: arrays of shape (height, width, 3), of bytes.

    Returns:
        Such an array. Where no colour has a majority it holds one that occurs.
    """
    import numpy as np

    coded = [_coded(picture) for picture in pictures]
    leader, lead = coded[0].copy(), np.ones(coded[0].shape, np.int16)
    for other in coded[1:]:  # Boyer and Moore's vote, for all pixels at once
        lead += np.where(other == leader, 1, -1).astype(np.int16)
        lost = lead < 0
        leader[lost], lead[lost] = other[lost], 1
    return np.stack([leader >> 16, leader >> 8 & 255, leader & 255], axis=-1).astype(np.uint8)


def _coded(picture):
    import numpy as np

    wide = picture.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def difference(picture, base):
    """``picture`` with an alpha channel that hides each pixel which ``base`` has, too."""
    import numpy as np

    seen = _coded(picture) != _coded(base)
    alpha = np.where(seen, 255, 0).astype(np.uint8)
    return np.dstack([picture * seen[..., None], alpha]).astype(np.uint8)


def _webp(pixels):
    from PIL import Image

    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, format="webp", lossless=True, quality=30, method=3)
    return packed.getvalue()


if __name__ == "__main__":
    begun, notebook = time.monotonic(), Path(sys.argv[1])
    run(notebook, Path(sys.argv[2]))
    print(f"{time.monotonic() - begun:.0f} s")
