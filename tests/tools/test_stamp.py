"""The repository's address lives in one place, and `stamp` carries it to all the others."""

import nbformat
import pytest

from course_utils.cli import notebooks, stamp

OLD = stamp.Address("OWNER/REPO")

FETCH = """\
try:
    import course_utils
except ModuleNotFoundError:
    %pip install -q --no-deps git+https://github.com/OWNER/REPO@main
    import course_utils"""

README = """\
[![Open in Colab](badge.svg)]({colab}) and https://github.com/OWNER/REPO/actions,
`git clone git@github.com:OWNER/REPO.git` or `git clone https://github.com/OWNER/REPO.git`;
the [source](https://github.com/OWNER/REPO/blob/main/README.md) at https://github.com/OWNER/REPO.
Not ours: https://github.com/OWNER/REPO2, https://github.com/OWNER/REPO.js,
https://colab.research.google.com/github/jax-ml/jax/blob/main/docs/quickstart.ipynb
"""


def notebook(path, colab, ran=True):
    nb = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell(f"# 1 · A\n*[in Colab]({colab})*", id="title"),
            nbformat.v4.new_code_cell(FETCH, id="bootstrap", execution_count=1),
        ]
    )
    nb.metadata["course"] = {"code": notebooks.code_hash(nb) if ran else "0" * 16}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(notebooks.dumps(notebooks.tidy(nb)), encoding="utf-8")


@pytest.fixture
def clone(tmp_path):
    """A small repository with the placeholder for its address everywhere."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\n[project.urls]\n# one place\nRepository = "https://github.com/OWNER/REPO"\n'
    )
    (tmp_path / "README.md").write_text(
        README.format(colab=OLD.colab("notebooks/01_a.ipynb")), encoding="utf-8"
    )
    (tmp_path / "CITATION.cff").write_text("repository-code: https://github.com/OWNER/REPO\n")
    notebook(tmp_path / "notebooks/01_a.ipynb", OLD.colab("notebooks/01_a.ipynb"))
    path = "notebooks/student/01_a.ipynb"
    notebook(tmp_path / path, OLD.colab(path))
    return tmp_path


def texts(root):
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_new_address_goes_everywhere(clone):
    assert stamp.main(["https://github.com/jane-doe/infl.course"], clone) == 0
    found = texts(clone)
    assert 'Repository = "https://github.com/jane-doe/infl.course"' in found["pyproject.toml"]
    assert found["CITATION.cff"] == "repository-code: https://github.com/jane-doe/infl.course\n"
    for folder in ("notebooks", "notebooks/student"):
        text = found[f"{folder}/01_a.ipynb"]
        assert "OWNER" not in text
        assert "git+https://github.com/jane-doe/infl.course@main" in text
        assert f"/github/jane-doe/infl.course/blob/main/{folder}/01_a.ipynb" in text
    readme = found["README.md"]
    assert readme.count("jane-doe/infl.course") == 6
    assert readme.endswith(README[README.index("Not ours") :]), "other repositories stay"


def test_a_tag_is_pinned_and_a_later_stamp_goes_back_to_main(clone):
    before = texts(clone)
    assert stamp.main(["--ref", "v1.2"], clone) == 0
    found = texts(clone)
    assert "git+https://github.com/OWNER/REPO@v1.2" in found["notebooks/01_a.ipynb"]
    assert "/github/OWNER/REPO/blob/v1.2/notebooks/01_a.ipynb" in found["notebooks/01_a.ipynb"]
    assert "https://github.com/OWNER/REPO/blob/v1.2/README.md" in found["README.md"]
    assert "jax-ml/jax/blob/main/docs" in found["README.md"]
    assert stamp.main(["--check"], clone) == 0, "a pinned version is in step"
    assert stamp.main([], clone) == 0
    assert texts(clone) == before


def test_to_and_fro_gives_every_byte_back(clone):
    before = texts(clone)
    assert stamp.main(["https://github.com/jane/doe"], clone) == 0
    assert texts(clone) != before
    assert stamp.main(["https://github.com/OWNER/REPO"], clone) == 0
    assert texts(clone) == before


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/jane/doe",
        "https://github.com/jane/doe/",
        "https://github.com/jane/doe.git",
        "git@github.com:jane/doe.git",
        "git@github.com:jane/doe",
        "ssh://git@github.com/jane/doe.git",
    ],
)
def test_every_usual_spelling_of_an_address_is_understood(url):
    assert stamp.slug_of(url) == "jane/doe"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "jane/doe",
        "https://github.com/jane",
        "https://github.com/jane/doe/tree/main",
        "https://gitlab.com/jane/doe",
        "https://github.com.evil.org/jane/doe",
        "http://github.com/jane/doe",
        "https://github.com/-jane/doe",
        "https://github.com/jane/..",
        "https://github.com/jane/do e",
        'https://github.com/jane/doe"',
        "https://user:secret@github.com/jane/doe",
    ],
)
def test_anything_else_is_refused_and_nothing_changes(url, clone, capsys):
    before = texts(clone)
    with pytest.raises(ValueError, match="not an address on GitHub"):
        stamp.slug_of(url)
    assert stamp.main([url or " "], clone) == 1
    assert "https://github.com/OWNER/REPO or git@github.com" in capsys.readouterr().err
    assert texts(clone) == before


@pytest.mark.parametrize("ref", ["feature/x", "a b", "", "-rf", "a@b"])
def test_a_version_that_cannot_stand_in_an_address_is_refused(ref, clone, capsys):
    before = texts(clone)
    assert stamp.main([f"--ref={ref}"], clone) == 1
    assert "a version is a branch or tag" in capsys.readouterr().err
    assert texts(clone) == before


def test_check_is_content_with_a_stamped_clone_and_changes_nothing(clone, capsys):
    before = texts(clone)
    assert stamp.main(["--check"], clone) == 0
    assert capsys.readouterr().out == "https://github.com/OWNER/REPO at main: 0 files differ\n"
    assert texts(clone) == before


@pytest.mark.parametrize(
    "name, old, new",
    [
        ("README.md", "github/OWNER/REPO/blob", "github/else/where/blob"),
        ("notebooks/01_a.ipynb", "github.com/OWNER/REPO@main", "github.com/else/where@main"),
        ("notebooks/student/01_a.ipynb", "github/OWNER/REPO/blob", "github/else/where/blob"),
        ("pyproject.toml", "OWNER/REPO", "jane/doe"),
    ],
)
def test_check_names_a_file_that_fell_out_of_step(name, old, new, clone, capsys):
    path = clone / name
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    before = texts(clone)
    assert stamp.main(["--check"], clone) == 1
    out = capsys.readouterr().out
    assert f"{name}: differs" in out or name == "pyproject.toml" and "README.md: differs" in out
    assert texts(clone) == before


def test_check_refuses_two_versions_side_by_side(clone, capsys):
    path = clone / "notebooks/01_a.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("@main", "@v1"), encoding="utf-8")
    assert stamp.main(["--check"], clone) == 1
    assert "several versions are named: main in" in capsys.readouterr().err


def test_a_fresh_hash_stays_fresh_and_a_stale_one_stale(clone):
    notebook(clone / "notebooks/02_b.ipynb", OLD.colab("notebooks/02_b.ipynb"), ran=False)
    assert stamp.main(["https://github.com/jane/doe"], clone) == 0
    for name, fresh in [("01_a", True), ("02_b", False)]:
        nb = notebooks.read(clone / f"notebooks/{name}.ipynb")
        assert "jane/doe" in nb.cells[1].source
        assert (notebooks.stored_hash(nb) == notebooks.code_hash(nb)) is fresh


def test_a_clone_without_an_address_is_refused(clone, capsys):
    (clone / "pyproject.toml").write_text("[project]\n")
    assert stamp.main(["--check"], clone) == 1
    assert "project.urls has no Repository" in capsys.readouterr().err


def test_this_repository_is_stamped():
    assert stamp.main(["--check"]) == 0
