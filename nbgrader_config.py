"""What plain `nbgrader` commands in this folder need to treat the notebooks as `release` does.

JupyterLab reads this file too, through nbgrader's extensions, so it must not touch the environment:
what is set here would reach every student's kernel.
"""

from nbgrader.converters import GenerateAssignment
from nbgrader.preprocessors import NbGraderPreprocessor

from course_utils.cli.release import CODE_STUB, without_worked_solutions


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
c.Execute.timeout = 120  # seconds for one cell
c.Execute.extra_arguments = ["--HistoryManager.hist_file=:memory:"]
