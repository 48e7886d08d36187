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


def test_an_address_and_a_tag_go_everywhere_and_back_without_the_loss_of_a_byte(clone, capsys):
    before = texts(clone)
    assert stamp.main(["https://github.com/jane-doe/infl.course", "--ref", "v1.2"], clone) == 0
    found = texts(clone)
    assert 'Repository = "https://github.com/jane-doe/infl.course"' in found["pyproject.toml"]
    assert found["CITATION.cff"] == "repository-code: https://github.com/jane-doe/infl.course\n"
    for folder in ("notebooks", "notebooks/student"):
        text = found[f"{folder}/01_a.ipynb"]
        assert "OWNER" not in text
        assert "git+https://github.com/jane-doe/infl.course@v1.2" in text
        assert f"/github/jane-doe/infl.course/blob/v1.2/{folder}/01_a.ipynb" in text
    readme = found["README.md"]
    assert readme.count("jane-doe/infl.course") == 6
    assert "https://github.com/jane-doe/infl.course/blob/v1.2/README.md" in readme
    assert readme.endswith(README[README.index("Not ours") :]), "other repositories stay"

    capsys.readouterr()
    assert stamp.main(["--check"], clone) == 0 and texts(clone) == found
    said = "https://github.com/jane-doe/infl.course at v1.2: 0 files differ\n"
    assert capsys.readouterr().out == said, "a pinned version is in step"
    assert stamp.main(["https://github.com/OWNER/REPO"], clone) == 0
    assert texts(clone) == before, "without --ref it is main again"


REFS = ["main", "v1", "v1.2", "1_0_", "a-b.c_d", "0a1b2c3", "v1..2", "a/b", "a b", "", "-rf", "a@b"]
REFS += ["main-", "main.", "v1.lock", ".v1", "_v1", "a~1", "a^", "ä"]
TAKEN = REFS[:6]


@pytest.mark.parametrize("ref", REFS)
def test_a_version_is_found_again_or_refused(ref, clone, capsys):
    before = texts(clone)
    assert stamp.main([f"--ref={ref}"], clone) == (ref not in TAKEN)
    if ref in TAKEN:
        assert stamp.main(["--check"], clone) == 0 and stamp.present(clone).ref == ref
        assert stamp.main([], clone) == 0
    else:
        assert "a version is a branch or tag" in capsys.readouterr().err
    assert texts(clone) == before


TAKEN_AS_JANES = [
    "https://github.com/jane/doe",
    "https://github.com/jane/doe/",
    "https://github.com/jane/doe.git",
    " http://www.GitHub.com/jane/doe ",
    "HTTPS://github.com/jane/doe",
    "github.com/jane/doe",
    "www.github.com/jane/doe.git/",
    "https://jane@github.com/jane/doe.git",
    "https://github.com/jane/doe/tree/main",
    "https://github.com/jane/doe/blob/main/notebooks/01_a.ipynb?plain=1#L3",
    "https://github.com/jane/doe/issues/7",
    "https://github.com/jane/doe?tab=readme-ov-file#start",
    "https://github.com/jane/doe#readme",
    "git+https://github.com/jane/doe@main",
    "git://github.com/jane/doe.git",
    "git@github.com:jane/doe.git",
    "git@GitHub.com:jane/doe",
    "ssh://git@github.com/jane/doe.git",
    "ssh://git@ssh.github.com:443/jane/doe.git",
]
REFUSED = {
    "": "not an address on GitHub. Write it as https://github.com/OWNER/REPO or git@github.com",
    "jane/doe": "not an address",
    "notebooks/student": "not an address",
    "https://github.com/jane": "not an address",
    "https://gitlab.com/jane/doe": "not an address",
    "https://github.com.evil.org/jane/doe": "not an address",
    "https://gist.github.com/jane/doe": "not an address",
    "https://github.com:443/jane/doe": "not an address",
    "https://github.com/-jane/doe": "not an address",
    "https://github.com/jane-/doe": "not an address",
    "https://github.com/jane/..": "not an address",
    "https://github.com/jane/doe.git.git": "not an address",
    "https://github.com/jane/doe.wiki": "not an address",
    "https://github.com/orgs/jane/repositories": "not an address",
    "https://github.com/jane/do e": "not an address",
    'https://github.com/jane/doe"': "not an address",
    "https://user:secret@github.com/jane/doe": "https://github.com/jane/doe: not an address",
    "https://github.com/jane/doe/tree/v1.2": "shows v1.2, not main: say which one with --ref",
    "https://github.com/jane/doe/releases/tag/v1": "shows v1, not main",
}


def test_every_usual_spelling_of_an_address_is_understood_and_nothing_else(clone, capsys):
    for url in TAKEN_AS_JANES:
        assert stamp.slug_of(url, "main") == "jane/doe", url
    before = texts(clone)
    for url, words in REFUSED.items():
        assert stamp.main([url or " "], clone) == 1, url
        said = capsys.readouterr().err
        assert words in said and "secret" not in said
    assert texts(clone) == before
    assert stamp.main(["github.com/jane/doe/tree/v1.2", "--ref", "v1"], clone) == 0
    assert stamp.present(clone) == ("jane/doe", "v1"), "--ref has the last word"


OUT_OF_STEP = [
    ("README.md", "github/OWNER/REPO/blob", "github/else/where/blob", "README.md: differs"),
    ("notebooks/01_a.ipynb", "REPO@main", "ELSE@main", "notebooks/01_a.ipynb: differs"),
    ("notebooks/student/01_a.ipynb", "REPO/blob", "ELSE/blob", "student/01_a.ipynb: differs"),
    ("pyproject.toml", "OWNER/REPO", "jane/doe", "README.md: differs"),
    ("notebooks/01_a.ipynb", "@main", "@v1", "several versions are named: main in"),
    ("pyproject.toml", "Repository", "Homepage", "project.urls has no Repository"),
]


@pytest.mark.parametrize("name, old, new, words", OUT_OF_STEP)
def test_check_names_what_fell_out_of_step_and_changes_nothing(
    name, old, new, words, clone, capsys
):
    path = clone / name
    assert old in path.read_text(encoding="utf-8")
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    before = texts(clone)
    assert stamp.main(["--check"], clone) == 1
    assert words in "".join(capsys.readouterr())
    assert texts(clone) == before


def test_a_fresh_hash_stays_fresh_and_a_stale_one_stale(clone):
    notebook(clone / "notebooks/02_b.ipynb", OLD.colab("notebooks/02_b.ipynb"), ran=False)
    assert stamp.main(["https://github.com/jane/doe"], clone) == 0
    for name, fresh in [("01_a", True), ("02_b", False)]:
        nb = notebooks.read(clone / f"notebooks/{name}.ipynb")
        assert "jane/doe" in nb.cells[1].source
        assert (notebooks.stored_hash(nb) == notebooks.code_hash(nb)) is fresh


def test_this_repository_is_stamped():
    assert stamp.main(["--check"]) == 0
