"""The package loads fast, in any order, and each room knows only the rooms it may know."""

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import course_utils

ROOM = Path(course_utils.__file__).parent
MODULES = sorted(module.name for module in pkgutil.iter_modules(course_utils.__path__))
NUMERIC = {"trees", "curvature", "solvers", "kronecker", "fitted_model", "influence_functions"}
NUMERIC |= {"influence_result", "scores_on_disk", "retraining", "sharding"}
TOOLS = {"cli", "instructors", "site"}
TEACHING = {"plotting", "widgets", "exercises"}
# The arrows of the package: who may import whom.
MAY_IMPORT = {
    "_arguments": set(),
    "_compiled": set(),
    "_files": set(),
    "_fingerprint": set(),
    "trees": {"_arguments"},
    "curvature": {"_arguments", "trees"},
    "sharding": {"trees"},
    "solvers": {"_arguments", "trees", "curvature"},
    "_solver_warnings": {"_arguments", "_compiled", "trees", "curvature", "sharding", "solvers"},
    "fitted_model": {
        *("_arguments", "_compiled", "_fingerprint", "_solver_warnings"),
        *("trees", "curvature", "sharding", "solvers", "kronecker"),
    },
    "influence_result": {"_files", "solvers"},
    "influence_functions": {
        *("_arguments", "_compiled", "_solver_warnings"),
        *("trees", "sharding", "solvers", "kronecker", "fitted_model", "influence_result"),
    },
    "scores_on_disk": {
        *("_arguments", "_files", "_fingerprint", "_solver_warnings"),
        *("trees", "solvers", "fitted_model", "influence_result", "influence_functions"),
    },
    "retraining": {"_arguments", "_compiled", "trees", "sharding", "fitted_model", "training"},
    "kronecker": {"_arguments", "trees", "curvature", "solvers", "models"},
    "training": {"trees"},
    "widgets": {"plotting"},
    "paper_scale": {
        *("_files", "trees", "data", "models", "training", "plotting", "curvature", "solvers"),
        *("fitted_model", "influence_functions", "retraining"),
    },
    "dynamics": set(),
    "models": set(),
    "data": set(),
    "plotting": set(),
}
# What a right answer does may be said by any room below; a case draws nothing and prints nothing.
# A prediction is a widget: ``predict`` alone imports that room, see the test of it.
MAY_IMPORT["exercises"] = set(MAY_IMPORT) - {"plotting", "paper_scale"}


def fresh(code):
    """Run ``code`` in a new interpreter; what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def trees_of(module):
    """The syntax tree of a module, or those of a package's modules."""
    paths = (
        [ROOM / f"{module}.py"]
        if (ROOM / f"{module}.py").exists()
        else ROOM.glob(f"{module}/**/*.py")
    )
    return [ast.parse(path.read_text(encoding="utf-8")) for path in paths]


def imported_by(module):
    """Names of modules that ``module`` imports, wherever in the file."""
    names = set()
    for node in (node for tree in trees_of(module) for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_a_case_draws_nothing():
    drawing = [
        path.name
        for path in (ROOM / "exercises").glob("*.py")
        if "widgets" in path.read_text(encoding="utf-8")
    ]
    assert drawing == ["__init__.py"]


def test_importing_the_package_needs_the_standard_library_alone():
    code = (
        "import sys, json, importlib, importlib.util\n"
        "before = set(sys.modules)\n"
        "import course_utils\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(new - set(sys.stdlib_module_names))))"
    )
    assert json.loads(fresh(code)) == ["course_utils"]


def test_importing_the_package_loads_next_to_nothing():
    """A count of modules holds on every machine; it stands for the tenth of a second."""
    code = "import sys; n = len(sys.modules); import course_utils; print(len(sys.modules) - n)"
    assert int(fresh(code)) < 40


CHECK_ALL = (
    "import course_utils\n"
    "for name in course_utils.__all__:\n"
    "    value = getattr(course_utils, name)\n"
    "    assert callable(value) and value.__name__ == name, (name, value)\n"
    "    assert value.__module__.startswith('course_utils.'), (name, value.__module__)\n"
)
IMPORT_ALL = "import importlib\n" + "".join(
    f"importlib.import_module('course_utils.{module}')\n"
    for module in MODULES
    if module not in TOOLS
)


@pytest.mark.parametrize("code", [IMPORT_ALL + CHECK_ALL, CHECK_ALL + IMPORT_ALL + CHECK_ALL])
def test_each_public_name_is_a_function_whatever_was_imported_before(code):
    fresh(code)


def test_from_course_utils_import_gives_functions():
    fresh(
        "from course_utils import influence, hvp, cg\n"
        "import course_utils.influence_functions, course_utils.curvature, course_utils.solvers\n"
        "from course_utils import influence as again\n"
        "assert callable(influence) and callable(hvp) and callable(cg) and again is influence"
    )


def test_no_module_carries_the_name_of_a_public_name():
    assert MODULES and course_utils.__all__
    assert not set(MODULES) & set(course_utils.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error_that_names_it():
    with pytest.raises(AttributeError, match="has no attribute 'influense'"):
        course_utils.influense  # noqa: B018


def test_dir_lists_every_public_name():
    assert set(course_utils.__all__) <= set(dir(course_utils))


@pytest.mark.parametrize("module", sorted(set(MAY_IMPORT) & set(MODULES)))
def test_a_module_imports_only_the_rooms_it_may_enter(module):
    ours = {name for name in imported_by(module) if name.startswith("course_utils.")}
    rooms = {name.split(".")[1] for name in ours} & set(MODULES) - {module}
    assert rooms <= MAY_IMPORT[module]


def test_every_module_has_its_arrows_written_down():
    assert set(MODULES) - TOOLS - {"__main__"} <= set(MAY_IMPORT)


def test_commands_reach_the_instructors_room_only_when_they_are_told_to():
    """By its name, when something is graded or a problem set is written."""
    loaded = fresh(
        "import pkgutil, sys, importlib\n"
        "import course_utils.cli as cli\n"
        "for module in pkgutil.iter_modules(cli.__path__):\n"
        "    importlib.import_module(f'course_utils.cli.{module.name}')\n"
        "print('\\n'.join(sys.modules))"
    )
    assert "course_utils.cli.release" in loaded.split()
    assert "course_utils.instructors" not in loaded.split()


# The job `paper` runs experiments of the engine's; other commands know of exercises alone.
@pytest.mark.parametrize("room, others", [("cli", {"paper_scale"}), ("instructors", {"cli"})])
def test_commands_import_of_the_engine_only_exercises_and_not_each_other_in_circles(room, others):
    ours = {name for name in imported_by(room) if name.startswith("course_utils.")}
    rooms = {name.split(".")[1] for name in ours} & (set(MODULES) | TOOLS) - {room}
    assert rooms <= others | {"exercises"}


@pytest.mark.parametrize("module", sorted(NUMERIC & set(MODULES)))
def test_numerics_never_plot_and_never_print(module):
    names = {name.partition(".")[0] for name in imported_by(module)}
    assert not names & {"matplotlib", "IPython", "ipywidgets"}
    (tree,) = trees_of(module)
    assert not [
        node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == "print"
    ]


def test_loading_all_numeric_modules_loads_no_plotting_library():
    rooms = {f"course_utils.{module}" for module in NUMERIC & set(MODULES)}
    loaded = fresh(f"import sys, {', '.join(rooms)}; print('\\n'.join(sys.modules))").split()
    assert rooms <= set(loaded)
    assert not {"matplotlib", "IPython", "ipywidgets", "tqdm"} & set(loaded)
    assert not {f"course_utils.{room}" for room in TEACHING} & set(loaded)


@pytest.mark.parametrize("module", sorted(set(MAY_IMPORT) & set(MODULES) - {"exercises"}))
def test_no_module_has_more_than_550_lines_of_code(module):
    tree = ast.parse((ROOM / f"{module}.py").read_text(encoding="utf-8"))
    lines = (ROOM / f"{module}.py").read_text(encoding="utf-8").splitlines()
    code = {
        i for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module) and ast.get_docstring(
            node
        ):
            code -= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    assert len(code) <= 550
