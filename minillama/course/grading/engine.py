"""One submission from its file to its result. Runs in a process of its own, which worker.py starts."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat

from minillama.course.grading import plugin
from minillama.course.grading.asking import ask
from minillama.course.grading.calling import evasive_names, forbidden_call
from minillama.course.grading.candidates import Candidates
from minillama.course.grading.drawing import digest, input_seed, variant_of
from minillama.course.grading.environment import Environment, build
from minillama.course.grading.folders import Scratch, remove
from minillama.course.grading.lessons import Course, Lesson
from minillama.course.grading.limits import Limits
from minillama.course.grading.reading import Answers, Cell, fingerprint, matches, pick_answers, read_cells
from minillama.course.grading.rebuilding import rebuild
from minillama.course.grading.records import LearnerResult, Submission, TaskOutcome, not_run
from minillama.course.grading.sandbox import Place
from minillama.course.grading.similarity.prints import Known, known_prints, prints_of_answers
from minillama.course.grading.telling import bare
from minillama.course.grading.untrusted import read_regular
from minillama.course.grading.watching import end_strays
from minillama.course.record import Task
from minillama.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What is the same for all submissions of a run.

    Args:
        seed: of the run.
        secret: of the course, for variants; empty gives everybody the public one.
        sandbox: the kind of it.
        limits: for each submission.
        lesson: stem of the only notebook that is expected; empty to tell it from each file.
    """

    seed: str
    sandbox: str
    secret: str = ""
    limits: Limits = field(default_factory=Limits)
    lesson: str = ""


class Engine:
    """Grades submissions, one after the other.

    Args:
        course: what can be graded.
        rules: see Rules.
        pack: the teacher's folder, for the process that runs candidates.
    """

    def __init__(self, course: Course, rules: Rules, pack: Path | None = None) -> None:
        self.course, self.rules = course, rules
        self.folder = Scratch()
        self.scratch = self.folder.path
        self.scratch.chmod(0o711)  # the sandbox may be another user
        self.talk = self.scratch / "talk"
        self.talk.mkdir(mode=0o711)
        private = self.scratch / "settled"
        private.mkdir(mode=0o700)
        self.candidates = Candidates(self.talk, private, pack)
        self.environments: dict[str, Environment] = {}
        self.known: dict[str, Known] = {}

    def close(self) -> None:
        """End what runs beside, and take away what was written."""
        self.candidates.stop()
        self.folder.close()

    def grade(self, submission: Submission) -> LearnerResult:
        """The result of one submission; whatever its file holds, there is one."""
        if submission.problem:
            return not_run(submission, "unreadable", submission.problem)
        result = not_run(submission, "unreadable")
        try:
            data = read_regular(submission.file)
            result = replace(result, sha256=fingerprint(data))
            cells = read_cells(data)
            lesson = self._lesson_of(cells)
        except DataError as error:
            return replace(result, notes=(str(error),))
        answers = pick_answers(cells, lesson.wanted, lesson.provided)
        result = replace(result, lesson=lesson.stem, status="graded", sandbox=self.rules.sandbox, notes=answers.notes)
        return self._run(result, lesson, answers)

    def _lesson_of(self, cells: list[Cell]) -> Lesson:
        """The lesson whose answer cells a notebook has most of."""
        lessons = self.course.lessons
        if self.rules.lesson:
            return lessons[self.rules.lesson]
        counts = {stem: matches(cells, lesson.wanted) for stem, lesson in lessons.items()}
        best = max(counts, key=lambda stem: counts[stem])
        if not counts[best]:
            raise DataError(
                "got a notebook without a single answer cell of the course, expected one of its assignments"
            )
        return lessons[best]

    def _run(self, result: LearnerResult, lesson: Lesson, answers: Answers) -> LearnerResult:
        variants = {each.id: variant_of(each, self.rules.secret, result.learner) for each in lesson.tasks.values()}
        tasks = {name: each.member(variants[name]) for name, each in lesson.tasks.items()}
        if lesson.stem not in self.environments:
            folder = self.scratch / f"code-{len(self.environments)}"
            folder.mkdir()
            self.environments[lesson.stem] = build(lesson, folder)
        place = Place(
            kind=self.rules.sandbox, environment=self.environments[lesson.stem], talk=self.talk, scratch=self.scratch
        )
        seeds = {name: input_seed(self.rules.seed, name) for name in tasks}
        asked = {
            name: ask(task, seeds[name], self._nonce(result, name), place.talk_inside, self.rules.limits.patience)
            for name, task in tasks.items()
        }
        grading = plugin.Grading(
            place=place, limits=self.rules.limits, tasks=tasks, asked=asked, seeds=seeds,
            public={name: each for name, each in lesson.tasks.items() if variants[name]},
            elsewhere=answers.elsewhere, candidates=self.candidates,
        )  # fmt: skip
        if answers.sources:
            self._run_notebook(grading, lesson, answers.sources)
        outcomes = []
        for name, task in tasks.items():
            outcome = grading.outcomes.get(name)
            if outcome is None:
                status = "lost" if name in answers.sources else "missing"
                words = "Not graded: its kernel had ended." if status == "lost" else "The file holds no such answer."
                outcome = bare(task, status, sentence=words)
            outcome = _as_written(task, outcome, lesson, answers.sources)
            outcomes.append(replace(outcome, variant=variants[name], section=lesson.sections.get(name, "")))
        return replace(
            result, outcomes=tuple(outcomes), notes=(*result.notes, *_evasive(answers), *grading.notes),
            prints=prints_of_answers(answers.sources, tasks, self._known_prints(lesson)),
        )  # fmt: skip

    def _known_prints(self, lesson: Lesson) -> Known:
        if lesson.stem not in self.known:
            self.known[lesson.stem] = known_prints(lesson)
        return self.known[lesson.stem]

    def _run_notebook(self, grading: plugin.Grading, lesson: Lesson, sources: Mapping[str, str]) -> None:
        notebook = rebuild(lesson, sources, {name: each.source for name, each in grading.asked.items()})
        folder = Path(tempfile.mkdtemp(prefix="run-", dir=self.scratch))
        folder.chmod(0o700)
        try:
            path = folder / f"rebuilt{plugin.SUFFIX}"
            path.write_text(nbformat.writes(notebook, version=4), encoding="utf-8")
            plugin.run(grading, path)
        finally:
            kept = [self.candidates.process.pid] if self.candidates.process is not None else []
            strays = end_strays(kept)
            if strays:
                grading.notes.append("It left processes behind, which were ended.")
            remove(folder)

    def _nonce(self, result: LearnerResult, task: str) -> str:
        """What the output of one cell has to bear: nobody's but this submission's."""
        return digest(self.rules.seed, "nonce", result.learner, result.sha256, str(result.attempt), task)[:8].hex()


def _as_written(task: Task, outcome: TaskOutcome, lesson: Lesson, sources: Mapping[str, str]) -> TaskOutcome:
    """An outcome, or another where the answer's source calls what its process did not see it call."""
    if not task.forbidden or not outcome.credit:
        return outcome
    setup = "\n".join(cell.source for cell in lesson.notebook.cells if cell.cell_type == "code")
    found = forbidden_call(sources[task.id], task.name, task.forbidden, setup)
    return (
        bare(task, "forbidden", sentence=f"Its source calls {found}, which does the whole task.") if found else outcome
    )


def _evasive(answers: Answers) -> list[str]:
    """Notes on answers that a person should read."""
    found = {task: evasive_names(source) for task, source in answers.sources.items()}
    return [
        f"{task}: read it; it uses {', '.join(names)}, which no answer needs." for task, names in found.items() if names
    ]
