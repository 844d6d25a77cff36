"""A report as a teacher gets it, from results that were made here: python -m tests.course.pages.sample FOLDER [KIND].

Nothing is run in a sandbox: what learners handed in is what the records' own faulty implementations give, judged and
put into words by the grader's own code. KIND is class (the usual one), hostile, small (one learner) or nobody.
"""

import random
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

from minillama.course.grading.lessons import load_course
from minillama.course.grading.marking import Marking
from minillama.course.grading.records import AnswerPrint, LearnerResult, Run
from minillama.course.grading.reporting import write_report
from minillama.course.grading.similarity.prints import pack
from minillama.course.grading.telling import bare, outcome_of
from minillama.course.judging import judge
from minillama.course.running import Observation, observe

ROOT = Path(__file__).parents[3]
SEED = "5" * 32
RUN = Run(seed=SEED, course="c" * 64, versions={"minillama": "0.1.0", "nbval": "0.11.0"}, sandbox="bubblewrap")
LESSONS = ("03_norm", "04_rope")
NAMES = (
    "Ada Lovelace", "Grace Hopper", "Alan Turing", "Emmy Noether", "Katherine Johnson", "Srinivasa Ramanujan",
    "Sofja Kowalewskaja", "عمر الخيام", "Mary Somerville", "祖冲之", "Évariste Galois", "Hypatia", "Blaise Pascal",
    "Maria Agnesi", "Carl Friedrich Gauß", "Ida Rhodes", "Kurt Gödel", "Rózsa Péter", "George Boole", "Joan Clarke",
)  # fmt: skip
EVIL = (
    "<script>document.title='owned'</script>", "=HYPERLINK(\"http://evil\",\"x\")", "a\u202egnp.exe", "x" * 400,
    "\U0001f469\u200d\U0001f467\u200d\U0001f466" * 30, "Z" + "\u0336\u0310\u0300\u0301\u0302\u0303" * 200,
    "</style><img src=x onerror=alert(1)>", "</title><svg onload=alert(1)>", "../../etc/passwd", "null\0\x07\x1b[31m",
    "half \ud800 pair", "{{ 7 * 7 }}{% raw %}", "\"' onmouseover='alert(1)", "CON",
    "line one\nline two\u2028line three",
    "אבג\u2067\u202b english", "`<b>code</b>` *<i>em</i>*", "javascript:alert(1)", "&lt;script&gt;", "\ufdfd" * 50,
)  # fmt: skip


@cache
def _course():
    return load_course(ROOT)


@cache
def outcome(task_id, name):
    """What a learner is told of one answer: "", a misconception's name, or another way to fail."""
    lesson = next(each for each in _course().lessons.values() if task_id in each.tasks)
    task = lesson.tasks[task_id]
    plan = task.plan(7)
    section = lesson.sections.get(task_id, "")
    if name in ("missing", "lost"):
        words = {
            "missing": "The file holds no such answer.",
            "lost": "Not graded: it used more than 2048 MB of memory.",
        }
        return replace(bare(task, name, sentence=words[name]), section=section)
    if name == "stub":
        seen = [Observation(kind="stub", error="turn every pair by its angle (five lines)")] * len(plan.cases)
    elif name == "raised":
        error = "IndexError: index 7 is out of bounds for dimension 0 with size 7"
        seen = [Observation(kind="raised", error=error, error_line="line 4: out[t] = cos[t + 1]")] * len(plan.cases)
    elif name == "wrong shape":
        right = observe(task, task.reference, plan.cases) if task.kind not in ("trace", "experiment") else None
        seen = [
            replace(each, output=None, printed="x (2, 7, 3, 8)\n")
            for each in right or [Observation()] * len(plan.cases)
        ]
    else:
        made = task.faulty(frozenset({name})) if name else task.reference
        answer = {case.name: made(case.name) for case in plan.cases} if task.kind == "trace" else made
        seen = observe(task, answer, plan.cases)
    return replace(outcome_of(task, judge(task, 7, seen)), section=section)


def _choice(task, skill, rng):
    """How one learner does one task."""
    if rng.random() < skill:
        return ""
    ways = ["stub", "raised", "missing", "wrong shape"]
    names = [each.name for each in task.misconceptions]
    return rng.choice([*(names[:2] * 3), *names, *ways] if task.kind != "trace" else [*(names or ["stub"]), "stub"])


def learner(name, stem, rng, **more):
    """One graded submission."""
    lesson, skill = _course().lessons[stem], min(1.0, rng.betavariate(4, 1.6))
    found = [outcome(task.id, _choice(task, skill - 0.05 * i, rng)) for i, task in enumerate(lesson.tasks.values())]
    prints = [
        AnswerPrint(task=task, size=40, own=pack(rng.getrandbits(32) for _ in range(40))) for task in lesson.tasks
    ]
    usual = {
        "learner": name, "name": f"{stem}.ipynb", "lesson": stem, "sha256": f"{rng.getrandbits(256):064x}",
        "status": "graded", "submitted": f"2027-03-0{rng.randint(5, 8)}T1{rng.randint(0, 9)}:30:00+01:00",
        "sandbox": "bubblewrap", "outcomes": tuple(found), "prints": tuple(prints),
    }  # fmt: skip
    return LearnerResult(**usual | more)


def a_class(lessons=LESSONS, names=NAMES):
    """A class of some twenty, with everything that happens in one."""
    rng = random.Random(3)
    found = [learner(name, stem, rng, attempt=i) for i, stem in enumerate(lessons, 1) for name in names]
    late = {
        "late": True,
        "lateness": "1 day 2 h",
        "penalty": 1.5,
        "identity": {"name": "Grace Hopper", "email": "g@example.org"},
    }
    found[1] = replace(found[1], **late, learner="ghopper")
    found[2] = replace(found[2], notes=(
        "rope.apply_rope: 2 cells claim to be its answer; the last of them counts.",
        "Its kernel was started again: it used more than 2048 MB of memory."))  # fmt: skip
    found[4] = replace(found[4], prints=found[3].prints)
    found[6] = replace(found[6], prints=tuple(replace(each, public=1.0, own="") for each in found[6].prints))
    found[7] = replace(found[7], prints=(replace(found[7].prints[0], readable=False), *found[7].prints[1:]))
    last = found[len(names)] if len(lessons) > 1 else found[0]
    found.append(replace(last, attempt=3, submitted="2027-03-08T21:00:00+01:00"))
    found.append(LearnerResult(
        learner="Nikolai Lobatschewski", name="homework.docx", lesson="", sha256="", status="unreadable",
        notes=("got a file that is not JSON, expected a notebook: save it again, and hand in that",)))  # fmt: skip
    found.append(LearnerResult(
        learner="Oswald Veblen", name="04_rope.ipynb", lesson="", sha256="", status="failed",
        notes=("Not graded: the grader's own process ended early. Grade it again.",)))  # fmt: skip
    found.append(LearnerResult(learner="Zeno", name="", lesson=lessons[0], sha256="", status="missing"))
    return RUN, found


def hostile():
    """Learners whose every text means harm."""
    rng, found = random.Random(5), []
    for evil in EVIL:
        name = evil.encode("utf-8", "replace").decode("utf-8")  # as intake leaves it at least
        made = learner(name, "04_rope", rng, sandbox="limits only", submitted=evil, notes=(evil, evil * 20))
        words = dict.fromkeys(("where", "got", "expected_shape", "case", "answer", "comment", "title", "section"), evil)
        more = {"advice": (evil, evil + "?"), "rubric": (evil,), "misconceptions": (evil,), "variant": {evil: evil}}
        bad = [
            replace(each, status="wrong", credit=0.5, sentence=f"It raised {evil}.", printed=evil * 50, **words, **more)
            for each in made.outcomes
        ]
        bad[1] = replace(bad[1], printed="A" * 1_000_000, got="\0" * 300, sentence="B" * 1_000_000)
        late = {"late": True, "lateness": evil}
        found.append(replace(made, outcomes=tuple(bad), identity={"name": evil[::-1]}, name=evil, **late))
    found.append(
        LearnerResult(learner=EVIL[0] * 2, name=EVIL[0], lesson="", sha256="", status="unreadable", notes=EVIL)
    )
    return replace(RUN, sandbox="limits only"), found


def small():
    """One learner."""
    return RUN, [learner("Ada Lovelace", "04_rope", random.Random(2))]


def nobody():
    """A class of whom nobody could be graded."""
    return RUN, [each for each in a_class(LESSONS[:1])[1] if each.status != "graded"]


KINDS = {"class": a_class, "hostile": hostile, "small": small, "nobody": nobody}


def write(folder, kind="class"):
    """Write the report of a class."""
    run, results = KINDS[kind]()
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    seconds = {(each.learner, each.attempt): 4 + rng.expovariate(0.2) for each in results}
    write_report(folder, run, results, seconds, Marking())


if __name__ == "__main__":
    write(Path(sys.argv[1]), *sys.argv[2:])
