"""nbgrader's steps with ours among them: run in the sandbox, keep the reasons, hide what is hidden.

A cell that ends the kernel, or has to be ended, costs its own exercise alone: it is put out of
action, and all runs again without it. ``nbgrader_config.py`` names these steps, so that nbgrader's
own commands and formgrader's buttons do what ``grade`` does.
"""

import ast
import builtins
import copy
import functools
import html
import re
import secrets
import shutil
import time

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor
from nbformat import v4
from nbgrader.api import Gradebook
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    Execute,
    GetGrades,
    LimitOutput,
    NbGraderPreprocessor,
    SaveAutoGrades,
)
from traitlets import Bool, Float, List

from course_utils.cli import notebooks
from course_utils.cli.setup_venv import ROOT
from course_utils.instructors import assemble, kernel, sandbox

BY_HAND = ", grade by hand"
PASSED = "passed"

_LESSON_TIMES = 5  # as long as other cells: a lesson's own may train a model
_GRACE_SECONDS = 10.0  # from an interrupt to a kill
_REASON = "NotPassed"  # the name of an error that says why an exercise has no points
_LONGEST = 10_000  # characters of one text
_PICTURES = ("image/png", "image/jpeg")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]{1,2000000}")
# What ``check`` says of an answer; a student's code may print anything else in its form
_VERDICT = "not attempted|(?:not yet[.]|it stops with|it cannot be checked:) .+"
_SAID = re.compile(
    r"(?P<what>a hidden test failed|not yet|it cannot be checked|stops with (?P<kind>\w+))"
    r"(?:[:.] (?P<text>.*))?"
)
_COLOURS = re.compile("\x1b\\[[0-9;]*m")
_CHECK = """\
import linecache as _lines
__import__("os").environ["NBGRADER_EXECUTION"] = "autograde"
_lines.cache[{file!r}] = len({visible!r}), None, {visible!r}.splitlines(True), {file!r}
exec(compile({visible!r}, {file!r}, "exec"), globals())
print({seen!r})
exec(compile({hidden!r}, "<hidden tests>", "exec"), globals())
print({done!r})
"""
# Whatever a student named like one of Python's own functions stays outside
_APART = """\
import builtins as _grade
_grade.exec({code!r}, {{
    **{{k: v for k, v in _grade.globals().items() if not _grade.hasattr(_grade, k)}},
    "__name__": "__main__",
}})"""
_FORGET = """\
import builtins as _grade
[_grade.globals().pop(_name, None) for _name in {names!r}]"""


class NoKernel(Exception):
    """No kernel runs here, which is not the student's doing; the text says why."""


class ExecuteInSandbox(Execute):
    """nbgrader's ``Execute`` in a process of few rights, which says why each check failed."""

    seconds = Float(60.0, help="for one cell, 30 times as long for a notebook").tag(config=True)
    memory = Float(4.0, help="in GB").tag(config=True)
    sandboxed = Bool(True, help="whether to use bubblewrap").tag(config=True)
    hidden: List = List(help="folders to keep out of sight").tag(config=True)
    trusted = Bool(False, help="whether it is the lesson itself, which fills JAX's cache")

    def __init__(self, **kw):
        super().__init__(**kw)
        self.iopub_timeout, self.startup_timeout = int(_GRACE_SECONDS), 120
        self.timeout_func = self._seconds_for
        self.record_timing = self.store_widget_state = False

    def create_kernel_manager(self):
        if self.sandboxed and shutil.which("bwrap") is None:
            raise NoKernel(
                "bubblewrap is not installed; nbgrader's own commands do without it where "
                "nbgrader_config.py has c.ExecuteInSandbox.sandboxed = False"
            )
        memory = int(self.memory * sandbox.GIB)
        self.limits = sandbox.Limits(memory=memory)
        self.km = kernel.SandboxedKernelManager(
            self.limits, self.sandboxed, self.hidden, self.trusted, log=self.log
        )
        self.manager = self.km
        return self.km

    def preprocess(self, nb, resources, km=None):
        """Run the notebook, as often as cells end the kernel.

        Raises:
            NoKernel: if none starts.
        """
        self.deadline = time.monotonic() + 30 * self.seconds
        self.fatal, self.hopeless = {}, set()
        self.about = nb.metadata.get("course", {})
        if self.about.get("refused"):
            return self._finished(nb), resources
        theirs = [k for k, c in enumerate(nb.cells) if "lesson" not in c.metadata.get("course", {})]
        self.last = max(theirs, default=-1)  # nobody needs the lesson's own cells behind it
        while True:
            self.place, self.received, self.broken = None, 0, {}
            run = copy.deepcopy(nb)
            try:
                run, _ = super().preprocess(run, resources)
                return self._finished(run), resources
            except Exception as error:  # whatever the kernel's death, or what it sends, leads to
                if kernel.stopping.is_set() or isinstance(error, NoKernel):
                    raise
                if self.place is None:
                    raise NoKernel(f"no kernel runs here: {error}. Is ipykernel there?") from error
                if self.place in self.fatal:  # the lesson's own stops as the student's did
                    self.hopeless.add(self.place)
                self.fatal[self.place] = self._reason(error)

    def _reason(self, error):
        if self.manager.reason not in ("", kernel.STOPPED):
            return self.manager.reason
        if isinstance(error, CellTimeoutError):
            if time.monotonic() < self.began + self.given + _GRACE_SECONDS:
                return self._too_much()  # its end was told by a message that is never read
            return f"took longer than {self.seconds:g} s"
        if isinstance(error, (DeadKernelError, _Exits)):
            return kernel.STOPPED
        return f"could not be run ({type(error).__name__}: {error}){BY_HAND}"

    def _seconds_for(self, cell):
        lesson = "lesson" in cell.metadata.get("course", {})
        self.began = time.monotonic()
        left = self.deadline - self.began
        self.given = max(0.1, min(left, self.seconds * (_LESSON_TIMES if lesson else 1)))
        return self.given

    def preprocess_cell(self, cell, resources, index):
        told = cell.metadata.get("course", {})
        if cell.cell_type != "code" or "why" in told or index > self.last:
            return cell, resources
        self.place, reason = index, self.fatal.get(index, "")
        if time.monotonic() > self.deadline:
            reason = f"not reached within {30 * self.seconds:g} s for the whole notebook{BY_HAND}"
        if reason:
            cell.outputs = [_error(reason)]
            self.broken.update(dict.fromkeys(told.get("answers", ()), reason))
            if "checks" in told:
                told["why"] = reason
            if "own" in told and index in self.fatal and index not in self.hopeless:
                self._quietly(told["own"], index, lesson=True)
                self.nb.cells[index] = cell
        elif "checks" in told:
            self._check(cell, told, index)
        else:
            if told.get("forgets"):
                self._quietly(_FORGET.format(names=told["forgets"]), index)
            cell, _ = super().preprocess_cell(cell, resources, index)
            stopped = _stopped(cell, self.seconds)
            if stopped and "own" in told:  # what the student made of it stops: the lesson's own
                self._quietly(told["own"], index, lesson=True)
                self.nb.cells[index] = cell
            self.broken.update(dict.fromkeys(told.get("answers", ()), stopped) if stopped else {})
        return cell, resources

    def _quietly(self, source, index, **course):
        """Run what is no cell of the notebook in the place of one; return it with its outputs."""
        cell = v4.new_code_cell(source, metadata={"course": course})
        return self.execute_cell(cell, index, store_history=False)

    def _check(self, cell, told, index):
        """Run the instructor's check, and leave in its cell what it showed, and why it failed."""
        seen, done = secrets.token_hex(16), secrets.token_hex(16)
        visible, hidden = assemble.split(cell.source)
        code = _CHECK.format(
            file=f"<check of exercise {told['checks']}>",
            visible=told["restore"] + "\n" + visible,
            hidden=hidden,
            seen=seen,
            done=done,
        )
        ran = self._quietly(_APART.format(code=code), index)
        self.nb.cells[index] = cell
        printed = "".join(o.text for o in ran.outputs if o.output_type == "stream")
        why = self._why(told, ran, printed, seen, done)
        for output in ran.outputs:
            if output.output_type == "stream":
                output.text = re.sub(rf"({seen}|{done})\n?", "", output.text)
        cell.outputs = [o for o in ran.outputs if o.get("text", o.output_type != "error")]
        if why != PASSED:
            cell.outputs.append(_error(why))
        told["why"] = why

    def _why(self, told, ran, printed, seen, done):
        stopped, name = _stopped(ran, self.seconds), told["checks"]
        if done in printed and not stopped:
            doubt = self.about.get("doubt")
            return f"{doubt}{BY_HAND}" if doubt else PASSED
        missing = "ModuleNotFoundError" in stopped + self.broken.get(name, "")
        mute = seen not in printed and "closed file" in stopped  # the answer may be right
        unsure = BY_HAND if told.get("unsure") or missing or mute else ""
        if self.about.get("unsure"):
            unsure = f" ({self.about['unsure']}){BY_HAND}"
        if "took longer" in stopped:
            return stopped
        if seen in printed:
            message = stopped.removeprefix("stops with ").removeprefix("AssertionError")
            message = message.removeprefix(": ")
            return f"a hidden test failed{': ' * bool(message)}{message}{unsure}"
        if name in self.broken:
            return f"its cell {self.broken[name]}{unsure}"
        said = re.findall(rf"^[○✗] Exercise {re.escape(name)}: ({_VERDICT})$", printed, re.M)
        if said:
            return said[-1] + unsure
        if not stopped:
            return f"its check did not report that it came to its end{BY_HAND}"
        return f"it {stopped}{unsure}"

    def on_cell_executed(self, **kwargs):
        super().on_cell_executed(**kwargs)
        payload = kwargs["execute_reply"]["content"].get("payload")
        payload = payload if isinstance(payload, list) else []
        if any(isinstance(one, dict) and one.get("source") == "ask_exit" for one in payload):
            raise _Exits  # the process would end a moment later, within another cell

    def process_message(self, msg, cell, cell_index):
        self.received += len(repr(msg["content"]))
        if self.received > self.limits.output:
            self.manager.end(self._too_much())
        return super().process_message(msg, cell, cell_index)

    def _too_much(self):
        return f"printed more than {self.limits.output / sandbox.MIB:.3g} MB"

    def _finished(self, nb):
        """What a person looks at: cells of the student's, and the text before each, as a task.

        Nobody's browser acts on the outputs: they are text and pictures.
        """
        nb.metadata.pop("widgets", None)
        kept, task = [], []
        for cell in nb.cells:
            if "lesson" not in cell.metadata.get("course", {}):
                kept, task = [*kept, *task, cell], []
            elif cell.cell_type == "markdown":
                task = [cell]
        nb.cells = kept
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.outputs = [_plain(output) for output in cell.outputs]
                graded = cell.metadata.get("nbgrader", {}).get("grade")
                for output in cell.outputs if graded else ():
                    if output.output_type == "stream":
                        output.name = "stdout"  # nbgrader takes a word on stderr for a failure
            why = cell.metadata.get("course", {}).get("why", "")
            if why and cell.cell_type == "code" and why != PASSED and not cell.outputs:
                cell.outputs = [_error(why)]
        return nb


class _Exits(Exception):
    """A cell called ``exit`` or ``quit``."""


def _stopped(cell, seconds):
    """Why a cell did not come to its end, after "it"; empty where it did."""
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if any(error.ename == "CellTimeoutError" for error in errors):
        return f"took longer than {seconds:g} s"
    if not errors:
        return ""
    lines = [one.strip() for one in _COLOURS.sub("", errors[-1].evalue).split("\n") if one.strip()]
    return f"stops with {errors[-1].ename[:100]}" + (f": {lines[0][:300]}" if lines else "")


def _error(why):
    return v4.new_output("error", ename=_REASON, evalue=why, traceback=[why])


def _plain(output):
    """An output as text and pictures, cut."""
    if output.output_type == "stream":
        return v4.new_output("stream", name=output.name, text=_cut(output.text))
    if output.output_type == "error":
        trace = _cut("\n".join(map(str, output.traceback))).split("\n")
        name, value = _cut(output.ename), _cut(output.evalue)
        return v4.new_output("error", ename=name, evalue=value, traceback=trace)
    data = output.get("data", {})
    text = {"text/plain": _cut(str(data.get("text/plain", "")))}
    pictures = {k: data[k] for k in _PICTURES if _BASE64.fullmatch(str(data.get(k, "")))}
    return v4.new_output("display_data", {**text, **pictures})


def _cut(text):
    text = _COLOURS.sub("", text)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "\n… (cut)"


class SaveReasons(NbGraderPreprocessor):
    """Write why each exercise has its points beside its answer, and ask for a person's eye."""

    def preprocess(self, nb, resources):
        about = [resources["nbgrader"][key] for key in ("notebook", "assignment", "student")]
        with Gradebook(resources["nbgrader"]["db_url"]) as book:
            for cell in nb.cells:
                course = cell.metadata.get("course", {})
                if "why" in course:
                    grade = book.find_grade(cell.metadata.nbgrader["grade_id"], *about)
                    comment = book.find_comment(course["answer"], *about)
                    comment.auto_comment = course["why"].removesuffix(BY_HAND)
                    grade.needs_manual_grade |= course["why"].endswith(BY_HAND)
            book.db.commit()
        return nb, resources


def asked(nb):
    """What a person looks at who grades an exercise, for each graded cell by its grade_id.

    It is why the exercise has its points, its answer, and the cells of the student's own. A file
    that could not be read shows nothing of this.
    """
    told = [(cell, cell.metadata.get("course", {})) for cell in nb.cells]
    if nb.metadata.get("course", {}).get("refused"):
        return {}
    words = {"lesson", "checks", "answers"}
    own = [cell.source for cell, course in told if not words.intersection(course)]
    found = {}
    for cell, course in told:
        if "checks" in course:
            name = course["checks"]
            answer = [one.source for one, that in told if name in that.get("answers", ())]
            answer += [cell.source] if cell.cell_type == "markdown" else []
            found[cell.metadata["nbgrader"]["grade_id"]] = [course.get("why"), answer, own]
    return found


def reasons(nb):
    """Of each exercise, by its name and by its answer, ``{reason: what its student reads of it}``.

    A student's code meets the hidden tests, and may say what it met. So there are the words of
    checks, which stand in the course, and no others.
    """
    found = {}
    for cell in nb.cells:
        course = cell.metadata.get("course", {})
        if "why" in course:
            why, texts = course["why"].removesuffix(BY_HAND), _texts_of_exercises()
            if cell.cell_type == "code":
                texts = texts | _texts(assemble.split(cell.source)[0])
            one = {why: _from_the_course(why, texts)}
            found[course["checks"]] = found[course["answer"]] = one
    return found


def _from_the_course(why, texts):
    cut = _SAID.search(why)
    if cut is None:
        return why
    known = re.sub(r" \([^()]* answers more\)$", "", cut["text"] or "") in texts
    kind = cut["kind"]
    if kind and not isinstance(getattr(builtins, kind, None), type):
        return why[: cut.start("kind")] + "an error"
    return why if known else why[: cut.end("what")]


def _texts(source):
    nodes = ast.walk(notebooks.syntax_tree(source))
    constants = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {value for value in constants if isinstance(value, str)}


@functools.cache
def _texts_of_exercises():
    paths = (ROOT / "course_utils" / "exercises").glob("*.py")
    return set().union(*(_texts(path.read_text(encoding="utf-8")) for path in paths))


class OnlyTheirs(NbGraderPreprocessor):
    """What a student gets back: answers without outputs, and what is said of each."""

    def preprocess(self, nb, resources):
        known, kept = reasons(nb), []
        for cell in nb.cells:
            about = cell.metadata.get("nbgrader", {})
            if about.get("solution") or "answers" in cell.metadata.get("course", {}):
                kept.append(cell)
            elif cell.id in assemble.NOTES:
                kept.append(cell)
            comment = about.get("comment")
            if comment:
                comment = known.get(about["grade_id"], {}).get(comment, comment)
                about["comment"] = html.escape(comment, quote=False)
            if cell.cell_type == "code":
                cell.outputs = []
        nb.cells = kept
        return nb, resources


AUTOGRADE = [ExecuteInSandbox, LimitOutput, SaveAutoGrades, SaveReasons]
AUTOGRADE += [AssignLatePenalties, CheckCellMetadata]
FEEDBACK = [GetGrades, OnlyTheirs, CSSHTMLHeaderPreprocessor]
