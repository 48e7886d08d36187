"""What plain `nbgrader` commands in this folder need to treat the notebooks as `release` does.

JupyterLab reads this file too, through nbgrader's extensions, so it must not touch the environment:
what is set here would reach every student's kernel.
"""

from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import NbGraderPreprocessor

from course_utils.cli.release import CODE_STUB, without_worked_solutions
from course_utils.instructors import execute


class DropWorkedSolutions(NbGraderPreprocessor):
    """nbgrader clears solution cells alone; a solution in words would be handed out."""

    def preprocess(self, nb, resources):
        return without_worked_solutions(nb), resources


c = get_config()  # noqa: F821 (nbgrader defines it)
c.CourseDirectory.course_id = "influence"
c.ClearSolutions.code_stub = {"python": CODE_STUB}
c.GenerateAssignment.preprocessors = [
    DropWorkedSolutions,
    *GenerateAssignment.preprocessors.default(),
]
c.OverwriteCells.add_missing_cells = True  # a check that was deleted is put back, and graded
c.Autograde.autograde_preprocessors = execute.AUTOGRADE  # in the sandbox, as `grade` does it
c.GenerateFeedback.preprocessors = execute.FEEDBACK
grades = Path(__file__).resolve().parent / "grades"
if (grades / "gradebook.db").exists():  # what `grade` has written is what formgrader shows
    c.CourseDirectory.root = str(grades)
