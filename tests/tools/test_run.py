"""Notebooks are executed on a fresh kernel and stored with the smallest change that is true."""

import base64
import copy
import io
import json
import os
import stat

import nbformat
import numpy as np
import pytest
from matplotlib.image import imsave

from course_utils.cli import notebooks, run


def code(source, id, tags=(), **more):
    cell = nbformat.v4.new_code_cell(source, id=id, **more)
    if tags:
        cell.metadata["tags"] = list(tags)
    return cell


def save(path, *cells, **metadata):
    path.parent.mkdir(parents=True, exist_ok=True)
    nb = nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)
    path.write_text(notebooks.dumps(nb), encoding="utf-8")
    return path


def cells(path):
    return {cell.id: cell for cell in notebooks.read(path).cells}


def edit(path, id, source):
    nb = notebooks.read(path)
    next(cell for cell in nb.cells if cell.id == id).source = source
    path.write_text(notebooks.dumps(nb), encoding="utf-8")


def png(pixels):
    buffer = io.BytesIO()
    imsave(buffer, pixels)
    return base64.b64encode(buffer.getvalue()).decode()


PICTURE = """\
import base64, pathlib
from IPython.display import display
pixels = pathlib.Path("pixels").read_text()
alt = pathlib.Path("alt").read_text()
display({"image/png": pixels, "text/plain": "Figure"}, raw=True,
        metadata={"image/png": {"alt": alt}, "needs_background": "light"})"""

BARS = """\
import sys
from tqdm import tqdm
from tqdm.notebook import tqdm as bar
for _ in tqdm(range(3), desc="fit"):
    pass
for _ in bar(range(3)):
    pass
print("W0000 00:00:1.2 a driver's remark", file=sys.stderr)
print("done")"""

WIDGETS = """\
import ipywidgets
display(ipywidgets.IntSlider(description="step"))
ipywidgets.IntSlider(value=3)"""


def put_picture(folder, pixels, alt="A grey square."):
    (folder / "pixels").write_text(png(pixels))
    (folder / "alt").write_text(alt)


@pytest.fixture(scope="module")
def lesson(tmp_path_factory):
    """A notebook that ran twice; in between its numbers, picture and code changed in small ways."""
    folder = tmp_path_factory.mktemp("lesson")
    grey = np.full((20, 30, 3), 128, np.uint8)
    put_picture(folder, grey)
    (folder / "number").write_text("0.12340")
    path = save(
        folder / "01_lesson.ipynb",
        nbformat.v4.new_markdown_cell("# 1 · A lesson", id="title"),
        code("x = float(open('number').read())", "load", metadata={"collapsed": True}),
        code("print(f'x is {x:.5f}')\nprint('line two')", "print"),
        code("print(f'x is {x:.5f} and rough')", "rough", tags=["rtol=1e-2"]),
        code(PICTURE, "picture"),
        code(PICTURE, "picture-2"),
        code("x", "value"),
        code("print(f'{0.5:.2f}')", "format"),
        code(BARS, "bars"),
        code(WIDGETS, "widgets"),
        code("", "blank"),
        kernelspec={"name": "some-kernel-of-mine", "display_name": "Mine", "language": "python"},
        widgets={"application/vnd.jupyter.widget-state+json": {"state": {}}},
    )
    os.chmod(path, 0o640)
    first = run.refresh(path)
    text, before = path.read_text(encoding="utf-8"), cells(path)

    (folder / "number").write_text("0.12341")  # within tolerance
    softened = grey.copy()
    softened[5, 5] += run.GREY_LEVELS // 2
    put_picture(folder, softened)
    again = run.refresh(path)
    text_again = path.read_text(encoding="utf-8")

    (folder / "number").write_text("0.12400")  # within the tolerance of one tag alone
    dot = grey.copy()
    dot[5, 5] = 255
    put_picture(folder, dot)
    edit(path, "format", "print(f'{0.5:.3f}')")
    edit(path, "picture-2", PICTURE.replace("alt = ", "alt = 'Now: ' + "))
    changed = run.refresh(path)
    return {
        "path": path,
        "first": first,
        "again": again,
        "changed": changed,
        "texts": (text, text_again, path.read_text(encoding="utf-8")),
        "before": before,
        "after": cells(path),
    }


def test_a_run_stores_what_each_cell_says(lesson):
    before = lesson["before"]
    assert before["print"].outputs[0].text == "x is 0.12340\nline two\n"
    assert before["value"].outputs[0].data["text/plain"] == "0.1234"
    assert len(lesson["first"]) == 8, "every cell that says something is new"


def test_what_is_stored_is_the_stored_form_with_the_hash_of_its_code(lesson):
    assert run.problems(lesson["path"]) == []
    nb = notebooks.read(lesson["path"])
    nbformat.validate(nb)
    assert nb.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "course": {"code": notebooks.code_hash(nb)},
    }


def test_cells_are_counted_from_one_and_blank_ones_are_not(lesson):
    counts = [c.execution_count for c in lesson["before"].values() if c.cell_type == "code"]
    assert counts == [*range(1, 10), None]
    assert lesson["before"]["value"].outputs[0].execution_count == 6
    assert lesson["before"]["load"].metadata == {}


def test_a_picture_is_stored_with_its_text_alternative_and_nothing_else(lesson):
    (output,) = lesson["before"]["picture"].outputs
    assert output.metadata == {"image/png": {"alt": "A grey square."}}


def test_progress_bars_and_drivers_logs_are_not_stored(lesson):
    (output,) = lesson["before"]["bars"].outputs
    assert (output.name, output.text) == ("stdout", "done\n")


def test_widgets_are_stored_without_ids_or_state(lesson):
    assert [list(o.data) for o in lesson["before"]["widgets"].outputs] == [["text/plain"]] * 2
    assert "model_id" not in lesson["texts"][0]


def test_outputs_that_say_the_same_leave_every_byte_as_it_was(lesson):
    assert lesson["again"] == []
    assert lesson["texts"][1] == lesson["texts"][0]


def test_outputs_that_changed_are_stored_and_named(lesson):
    named = [line.split("(")[1].split(":")[0] for line in lesson["changed"]]
    assert named == ["print", "picture", "picture-2", "value", "format"]
    assert lesson["after"]["print"].outputs[0].text.startswith("x is 0.12400")
    assert lesson["after"]["value"].outputs[0].data["text/plain"] == "0.124"


def test_a_tag_widens_what_keeps_its_bytes(lesson):
    assert lesson["after"]["rough"].outputs == lesson["before"]["rough"].outputs


def test_one_changed_dot_in_a_picture_is_a_change(lesson):
    assert lesson["after"]["picture"].outputs != lesson["before"]["picture"].outputs


def test_a_changed_text_alternative_is_stored(lesson):
    (output,) = lesson["after"]["picture-2"].outputs
    assert output.metadata["image/png"]["alt"] == "Now: A grey square."


def test_a_digit_more_after_a_change_of_code_is_stored(lesson):
    assert lesson["after"]["format"].outputs[0].text == "0.500\n"


def test_a_file_keeps_its_permissions_and_no_draft_is_left(lesson):
    if os.name == "posix":
        assert stat.S_IMODE(lesson["path"].stat().st_mode) == 0o640
    assert not list(lesson["path"].parent.glob("*.draft"))


def test_a_cell_that_raises_is_named_and_the_file_stays_as_it_was(tmp_path, capsys):
    bad = save(tmp_path / "01_bad.ipynb", code("print('fine')", "one"), code("1 / 0", "two"))
    text = bad.read_text()
    assert run.main([str(bad)]) == 1
    assert bad.read_text() == text
    assert capsys.readouterr().out == (
        "01_bad.ipynb: cell 2 (two: 1 / 0): ZeroDivisionError: division by zero\n"
    )


@pytest.mark.parametrize(
    "source, said",
    [
        ("import warnings\nwarnings.warn('old habit')", "writes to stderr"),
        ("import time\ntime.sleep(60)", "took longer than 2 s"),
        ("import os\nos._exit(3)", "ended the kernel"),
    ],
    ids=["a warning", "too long", "a kernel that dies"],
)
def test_a_cell_that_cannot_be_stored_is_named_and_the_file_stays_as_it_was(source, said, tmp_path):
    path = save(tmp_path / "01_bad.ipynb", code(source, "culprit"))
    text = path.read_text()
    with pytest.raises(run.RunError, match=said) as caught:
        run.refresh(path, seconds=2)
    assert "culprit" in str(caught.value)
    assert path.read_text() == text


@pytest.mark.parametrize(
    "make, said",
    [
        (lambda p: save(p, code("1", "a", tags=["nbval-skip"])), "cell 1 (a: 1): unknown tag"),
        (lambda p: p.write_text("[1, 2]"), "not a notebook"),
        (lambda p: p.write_text("{"), "not a notebook"),
        (lambda p: None, "No such file"),
    ],
    ids=["a tag", "a list", "no JSON", "no file"],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(make, said, tmp_path, capsys):
    path = tmp_path / "01_bad.ipynb"
    make(path)
    assert run.main([str(path)]) == 1
    assert said in capsys.readouterr().out


def test_a_student_copy_is_not_run(tmp_path, capsys):
    path = save(tmp_path / "student" / "01_a.ipynb", code("1", "a"))
    text = path.read_text()
    assert run.main([str(path)]) == 1
    assert "a student copy holds no outputs" in capsys.readouterr().out
    assert path.read_text() == text


def stored(path):
    """A notebook in stored form, made without a kernel."""
    output = nbformat.v4.new_output("stream", name="stdout", text="1\n")
    save(path, code("print(1)", "a", execution_count=1, outputs=[output]))
    nb = notebooks.read(path)
    nb.metadata["course"] = {"code": notebooks.code_hash(nb)}
    path.write_text(notebooks.dumps(notebooks.tidy(nb)), encoding="utf-8")
    return path


def test_check_says_ok_of_a_notebook_in_stored_form_and_changes_nothing(tmp_path, capsys):
    path = stored(tmp_path / "01_a.ipynb")
    text = path.read_text()
    assert run.main(["--check", str(path)]) == 0
    assert capsys.readouterr().out == "01_a.ipynb: ok\n"
    assert path.read_text() == text


@pytest.mark.parametrize(
    "change, said",
    {
        "source": (
            lambda nb: nb["cells"][0].update(source=["print(2)"]),
            "its code changed since its outputs were stored",
        ),
        "hash": (lambda nb: nb["metadata"].pop("course"), "its outputs were never stored"),
        "kernel": (
            lambda nb: nb["metadata"]["kernelspec"].update(name="mine"),
            "it is not in stored form, first in line",
        ),
        "timing": (
            lambda nb: nb["cells"][0]["metadata"].update(execution={"shell.execute_reply": "t"}),
            "it is not in stored form",
        ),
        "count": (
            lambda nb: nb["cells"][0].update(execution_count=7),
            'it is not in stored form, first in line 5: "execution_count": 7',
        ),
        "widget state": (
            lambda nb: nb["metadata"].update(widgets={"state": {}}),
            "it is not in stored form",
        ),
    }.values(),
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_check_gives_the_reason_and_changes_nothing(change, said, tmp_path, capsys):
    path = stored(tmp_path / "01_a.ipynb")
    nb = json.loads(path.read_text())
    change(nb)
    path.write_text(json.dumps(nb, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    text = path.read_text()
    assert run.main(["--check", str(path)]) == 1
    assert said in capsys.readouterr().out
    assert path.read_text() == text


def test_tidying_twice_is_tidying_once(lesson):
    once = notebooks.tidy(notebooks.read(lesson["path"]))
    assert notebooks.tidy(copy.deepcopy(once)) == once


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    assert notebooks.write(path, "old") is True
    assert notebooks.write(path, "old") is False

    def no_space(*args):
        raise OSError("No space left on device")

    monkeypatch.setattr(notebooks.os, "replace", no_space)
    with pytest.raises(OSError, match="No space left"):
        notebooks.write(path, "new")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.ipynb"]
