"""Prints of answers: what disguises a copy leaves them as they are, and what was written apart is not called alike."""

import contextlib
import importlib
import inspect
import itertools
import random
import textwrap
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.course.grading.lessons import load_course
from minillama.course.grading.records import AnswerPrint, LearnerResult, from_json, to_json
from minillama.course.grading.similarity import compare, normal, prints

ROOT = Path(__file__).parents[3]
ANSWER = """
def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    '''Turn every pair.'''
    # in float32
    wide = x.float()
    first, second = wide[..., ::2], wide[..., 1::2]
    out = torch.stack((first * cos - second * sin, first * sin + second * cos), dim=-1)
    if out.shape[0] > 3:
        raise ValueError("too long")
    return out.flatten(-2).to(x.dtype)
"""
COPY = """
import torch as t
print("here")
def turn(inputs, c, s):
    w = inputs.float(); a, b = w[..., ::2], w[..., 1::2]

    result = t.stack(
        (a * c - b * s, a * s + b * c), dim=-1,
    )
    if (result.shape[0] > 3):
        raise ValueError('way too long')
    return result.flatten(-2).to(inputs.dtype)
"""


def result(learner, *found, lesson="04_rope", **more):
    return LearnerResult(
        learner=learner,
        name="x",
        lesson=lesson,
        sha256=more.pop("sha256", learner),
        status="graded",
        prints=found,
        **more,
    )


def own(*numbers, task="t", size=None, public=0.0):
    return AnswerPrint(task=task, size=len(numbers) if size is None else size, public=public, own=prints.pack(numbers))


def kinds(matches):
    return [(each.kind, each.learner, each.classmate) for each in matches]


@pytest.fixture(scope="module")
def course():
    return load_course(ROOT)


def test_names_layout_comments_and_types_leave_no_prints():
    renamed = ANSWER.replace("first", "left").replace("wide", "w").replace("    # in float32\n", "\n\n")
    bare = renamed.replace("'''Turn every pair.'''", "").replace(": Tensor", "").replace(" -> Tensor", "")
    assert normal.prints_of(bare) == normal.prints_of(ANSWER)


def test_a_disguised_copy_keeps_most_of_its_prints():
    left, right = normal.prints_of(ANSWER), normal.prints_of(COPY)
    assert len(left & right) >= 0.85 * min(len(left), len(right))


def test_other_numbers_and_calls_are_other_prints():
    one, other = (
        normal.prints_of("def f(x): return torch.cat([x + 3, x * 2], 1)"),
        normal.prints_of("def f(x): return torch.stack([x - 3, x / 2], 1)"),
    )
    assert not one & other


def test_lines_for_ipython_alone_are_passed_over():
    assert normal.prints_of("%time x\n!ls\n" + ANSWER + "\nturn?") == normal.prints_of(ANSWER) | normal.prints_of(
        "pass\n" + ANSWER + "\npass"
    )


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_read_or_refused(source):
    with contextlib.suppress(SyntaxError, ValueError):
        assert all(0 <= each < 1 << 32 for each in normal.prints_of(source))


@given(st.frozensets(st.integers(0, (1 << 32) - 1)))
def test_packed_prints_come_back(numbers):
    assert prints.unpack(prints.pack(numbers)) == numbers


HOSTILE = {
    "brackets": "(" * 40_000,
    "signs": "x = " + "-" * 45_000 + "1",
    "dots": "x = " + "a." * 20_000 + "b",
    "blocks": "".join(" " * i + "if x:\n" for i in range(200)),
    "sums": "x = " + "+".join("1" for _ in range(20_000)),
    "null": "x = 1\0",
    "half a pair": "x = '\ud800'",
    "long": "x = 1\n" * 100_000,
    "number": "x = " + "9" * 40_000,
}


def test_hostile_sources_take_nothing_else_along():
    sources = {"before": ANSWER} | HOSTILE | {"after": ANSWER}
    found = prints.read_apart(sources)
    assert list(found) == list(sources)
    assert found["before"] == found["after"] == normal.prints_of(ANSWER)
    assert found["long"] is found["brackets"] is None


def test_a_source_that_ends_the_process_takes_only_itself_along(monkeypatch, tmp_path):
    program = tmp_path / "ends.py"
    text = Path(normal.__file__).read_text(encoding="utf-8")
    program.write_text(
        text.replace("    if len(source) >", "    if 'deadly' in source: sys.exit(3)\n    if len(source) >")
    )
    monkeypatch.setattr(normal, "__file__", str(program))
    found = prints.read_apart({"a": ANSWER, "b": "deadly", "c": ANSWER, "d": "deadly"})
    assert [each is None for each in found.values()] == [False, True, False, True]


def test_what_is_given_and_what_is_public_is_nobodys_own(course):
    lesson = course.lessons["04_rope"]
    known = prints.known_prints(lesson)
    cells = {each.id: each.source for each in lesson.notebook.cells}
    solutions = {task: cells[cell] for cell, task in lesson.wanted.items()}
    found = {each.task: each for each in prints.prints_of_answers(solutions, lesson.tasks, known)}
    assert "rope.turn_by_hand" not in found
    assert all(each.public == 1 and each.own == "" for each in found.values() if each.size)
    started = {task: prints.stub(source)[0] for task, source in solutions.items()}
    assert all(each.size == 0 for each in prints.prints_of_answers(started, lesson.tasks, known))


def test_every_section_that_is_named_teaches_its_task(course):
    sections = course.lessons["04_rope"].sections
    assert sections["rope.apply_rope"] == "Turn them all at once"
    assert "rope.partial_rotary" not in sections
    assert course.lessons["05_feedforward"].sections["feedforward.hidden_size"] == "11,008"


def written_apart(course):
    """Task -> sources of its right answers, each once; those of a factory are one source."""
    for path in sorted((ROOT / "tests/course").glob("*_answers.py")):
        module = importlib.import_module(f"tests.course.{path.stem}")
        for task, answers in module.RIGHT.items():
            sources = [inspect.getsource(each) for each in answers if inspect.isfunction(each) or inspect.isclass(each)]
            plain = [textwrap.dedent(each) for each in sources if "lambda" not in each]
            yield task, list(dict.fromkeys("\n".join(
                line for line in each.splitlines() if not line.startswith("@")) for each in plain))  # fmt: skip


def test_answers_that_were_written_apart_are_not_called_alike(course):
    lessons = {task: lesson for lesson in course.lessons.values() for task in lesson.tasks}
    known = {stem: prints.known_prints(lesson) for stem, lesson in course.lessons.items()}
    compared, alike, public = 0, [], []
    for task, sources in written_apart(course):
        lesson = lessons[task]
        if lesson.tasks[task].kind not in prints.COMPARED:
            continue
        results = [
            result(str(i), prints._answer(task, normal.prints_of(source), known[lesson.stem]), lesson=lesson.stem)
            for i, source in enumerate(sources)
        ]
        big = [each for each in results if len(prints.unpack(each.prints[0].own)) >= compare.MIN_OWN]
        compared += len(list(itertools.combinations(big, 2)))
        matches = compare.matches_of(results)
        alike += [(task, each) for each in matches if each.kind in (compare.CLASSMATE, compare.MANY)]
        public += [(task, each) for each in matches if each.kind in (compare.PUBLIC, compare.OPEN_BOOK)]
    print(
        f"\n{compared} pairs of {compare.MIN_OWN} prints or more: {len(alike)} alike; {len(public)} like the public one"
    )
    assert compared > 250
    assert alike == []
    assert len(public) < 5


def test_two_who_share_are_a_pair_and_a_team_is_none():
    shared = range(30)
    results = [result("ada", own(*shared)), result("bob", own(*shared, 99)), result("cy", own(*range(100, 140)))]
    assert kinds(compare.matches_of(results)) == [(compare.CLASSMATE, "ada", "bob")]
    teams = [result(each.learner, *each.prints, identity={"group": "t"}) for each in results]
    assert compare.matches_of(teams) == []


def test_short_answers_accuse_nobody():
    few = range(compare.MIN_OWN - 1)
    assert compare.matches_of([result(each, own(*few)) for each in "ab"]) == []


def test_equal_files_are_told_unless_nothing_in_them_is_their_own():
    results = [result(each, own(1, 2, 3), sha256="x") for each in ("ada", "bob")]
    assert kinds(compare.matches_of(results)) == [(compare.SAME_FILE, "ada", "bob")]
    assert compare.matches_of([result(each, own(size=50), sha256="x") for each in ("ada", "bob")]) == []


def test_public_answers_are_told_from_classmates():
    results = [result(each, own(size=50, public=1.0)) for each in ("ada", "bob")]
    assert kinds(compare.matches_of(results)) == [(compare.PUBLIC, "ada", ""), (compare.PUBLIC, "bob", "")]


def test_a_solution_of_a_pack_is_not_called_public():
    assert kinds(compare.matches_of([result("ada", own(size=50, public=1.0), lesson="p1_exam")])) == [
        (compare.PACK, "ada", "")
    ]


def test_what_many_wrote_makes_no_pairs():
    results = [result(f"l{i:02}", own(*range(30), *range(1000 * i, 1000 * i + 5))) for i in range(1, 21)]
    assert {each.kind for each in compare.matches_of(results)} == {compare.MANY}


def test_a_large_class_takes_seconds():
    rng = random.Random(0)
    common = [rng.getrandbits(32) for _ in range(400)]
    results = []
    for i in range(200):
        found = [
            own(*rng.sample(common, 60), *(rng.getrandbits(32) for _ in range(60)), task=f"t{task}")
            for task in range(10)
        ]
        results.append(result(f"l{i:03}", *found))
    results[7] = result("l007", *results[150].prints)
    started = time.process_time()
    matches = compare.matches_of(results)
    print(f"\n200 learners, 10 tasks: {time.process_time() - started:.1f} s of processor time")
    assert kinds(matches) == [(compare.CLASSMATE, "l007", "l150")] * 10
    assert compare.similarity_csv(matches).count("\n") == 11


def test_prints_survive_the_journal():
    made = result("ada", own(1, 2, 3))
    assert from_json(LearnerResult, to_json(made)) == made
