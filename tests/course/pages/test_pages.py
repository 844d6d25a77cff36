"""The pages of a report: what they say, to whom, and that equal results give equal bytes."""

import base64
import csv
import hashlib
import json
import random
import re
import shutil
from dataclasses import replace

import pytest

from minillama.course.grading.gradescope import gradescope_json
from minillama.course.grading.journal import Journal
from minillama.course.grading.marking import Marking
from minillama.course.grading.merging import merge, rewrite
from minillama.course.grading.pages.feedback import feedback_page, page_name, summary_of, view_of
from minillama.course.grading.pages.lessons import lesson_view
from minillama.course.grading.records import LearnerResult, TaskOutcome
from minillama.course.grading.reporting import write_report
from tests.course.pages import sample
from tests.course.pages.test_words import seen

VOID = {"meta", "rect"}


def made(*outcomes, **more):
    usual = {"learner": "ada", "name": "x.ipynb", "lesson": "04_rope", "sha256": "", "status": "graded"}
    return LearnerResult(**usual | {"outcomes": outcomes} | more)


def task(status="passed", credit=1.0, **more):
    usual = {"task": "rope.apply_rope", "kind": "rebuild", "title": "Turn queries and keys", "possible": 4.0}
    return TaskOutcome(**usual | {"status": status, "credit": credit} | more)


def text_of(page):
    return re.sub(r"\s+", " ", "".join(seen(page.decode("utf-8").partition("</style>")[2]).texts))


def files(folder):
    """Path -> bytes of all that follows from results alone."""
    found = {str(each.relative_to(folder)): each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file()}
    return {name: data for name, data in found.items() if not name.startswith(("times.", "journal."))}


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """The report of a class."""
    folder = tmp_path_factory.mktemp("report") / "class"
    sample.write(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """The report of a class that means harm."""
    folder = tmp_path_factory.mktemp("report") / "hostile"
    sample.write(folder, "hostile")
    return folder


def pages_of(folder):
    return sorted(folder.rglob("*.html"))


def test_every_page_loads_nothing_and_runs_nothing(report, hostile):
    for path in [*pages_of(report), *pages_of(hostile)]:
        page = path.read_text(encoding="utf-8")
        found = seen(page)
        policy = next(attributes["content"] for tag, attributes in found.elements if "http-equiv" in attributes)
        style = page.partition("<style>")[2].partition("</style>")[0]
        digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
        assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        tags = {tag for tag, _ in found.elements}
        assert not tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base", "audio", "video"}
        for _, attributes in found.elements:
            assert not [name for name in attributes if name.startswith("on") or name in ("style", "src", "srcdoc")]
            assert re.fullmatch(
                r"(#\w+|feedback/[a-z0-9-]+\.html|times\.html|class\.html|)", attributes.get("href", "")
            )


def test_every_page_closes_what_it_opens_and_names_nothing_twice(report, hostile):
    for path in [*pages_of(report), *pages_of(hostile)]:
        page = path.read_text(encoding="utf-8")
        found = seen(page)
        names = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
        assert len(names) == len(set(names))
        assert {each["href"][1:] for _, each in found.elements if each.get("href", "").startswith("#")} <= set(names)
        assert {each["aria-labelledby"] for _, each in found.elements if "aria-labelledby" in each} <= set(names)
        for tag in {tag for tag, _ in found.elements} - VOID:
            assert page.count(f"</{tag}>") == sum(each == tag for each, _ in found.elements), tag


def test_equal_results_give_equal_bytes_in_any_order(report, tmp_path):
    run, results = sample.a_class()
    random.Random(7).shuffle(results)
    seconds = {(each.learner, each.attempt): 3.0 for each in results}
    write_report(tmp_path, run, results, seconds, Marking())
    timed = re.compile(rb'"execution_time": \d+')
    plain = [{name: timed.sub(b"", data) for name, data in files(each).items()} for each in (report, tmp_path)]
    assert plain[0] == plain[1]


def test_shards_merge_and_a_report_is_rewritten_to_the_same_bytes(tmp_path):
    run, results = sample.a_class()
    learners = sorted({each.learner for each in results})
    seconds = {(each.learner, each.attempt): 2.5 for each in results}
    whole, merged = tmp_path / "whole", tmp_path / "merged"
    whole.mkdir()
    write_report(whole, run, results, seconds, Marking())
    parts = [tmp_path / "1", tmp_path / "2"]
    for i, part in enumerate(parts, 1):
        part.mkdir()
        own = [each for each in results if learners.index(each.learner) % 2 == i - 1]
        Journal(part).begin(replace(run, shard=(i, 2)), "tag")
        for each in own:
            Journal(part).add(each, 2.5)
        write_report(part, replace(run, shard=(i, 2)), own, seconds, Marking())
    merge(parts[::-1], merged, Marking())
    assert files(merged) == files(whole)
    assert (merged / "times.html").read_bytes() == (whole / "times.html").read_bytes()
    shutil.copytree(whole, tmp_path / "again")
    Journal(tmp_path / "again").begin(run, "tag")
    for each in results:
        Journal(tmp_path / "again").add(each, 2.5)
    rewrite(tmp_path / "again", Marking())
    assert files(tmp_path / "again") == files(whole)


def test_pages_of_who_is_gone_go_and_foreign_files_stay(tmp_path):
    run, results = sample.small()
    write_report(tmp_path, run, results, {}, Marking())
    (tmp_path / "feedback/notes.html").write_text("mine")
    write_report(tmp_path, run, [replace(each, learner="Grace") for each in results], {}, Marking())
    names = {each.name for each in (tmp_path / "feedback").iterdir()}
    assert names == {"notes.html", f"{page_name(run.seed, 'Grace')}.html"}


def test_the_index_leads_to_every_learners_files(report, hostile):
    for folder in (report, hostile):
        with (folder / "feedback.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert {each["feedback"] for each in rows} == {
            f"feedback/{each.name}" for each in (folder / "feedback").iterdir()
        }
        assert all((folder / each["gradescope"]).is_file() for each in rows)
        assert not any(each["learner"].startswith(("=", "+", "-", "@")) for each in rows)


def test_a_page_tells_nothing_of_others(report):
    run, results = sample.a_class()
    names = {each.learner for each in results} | {"Grace Hopper"}
    page = text_of((report / f"feedback/{page_name(run.seed, 'Alan Turing')}.html").read_bytes())
    assert "Alan Turing" in page
    assert not [name for name in names - {"Alan Turing"} if name in page]


def test_a_wrong_answer_is_told_all_that_helps():
    wrong = task(
        "wrong", 0.5, misconceptions=("halves",), sentence="This looks like halves that are turned together.",
        advice=("Neighbours are turned, not halves.", "Which channel is number 4 turned with?"), where="x[0, 1]",
        got="0.25", case="3 heads and 7 positions", section="Turn them all at once", variant={"base": 500},
        printed="hello",
    )  # fmt: skip
    page = text_of(feedback_page([made(wrong)]))
    for words in (
        "2 of 4 points", "This looks like halves that are turned together.", "Neighbours are turned, not halves.",
        "Which channel is number 4 turned with?", "x[0, 1] is 0.25", "with 3 heads and 7 positions", "base = 500",
        "hello", "Look again at “Turn them all at once” in lesson 04, or run course.hint(\"rope.apply_rope\").",
    ):  # fmt: skip
        assert words in page, words
    assert "expected" not in page.lower()


def test_a_task_of_a_pack_leads_to_no_lesson_and_no_hint():
    """Whoever works on it has no record of it."""
    page = text_of(feedback_page([made(task("wrong", 0.5), lesson="p1_exam")]))
    assert "partly right" in page
    assert "Look again" not in page
    assert "course.hint" not in page


def test_the_shape_that_was_asked_for_is_told():
    page = text_of(feedback_page([made(task("wrong", 0, where="x", got="(2, 3)", expected_shape="(3, 2)"))]))
    assert "Asked for(3, 2)" in page


def test_limits_only_is_said_on_every_page(hostile, report):
    assert all("Not tamper-resistant" in each.read_text(encoding="utf-8") for each in pages_of(hostile))
    assert not any("Not tamper-resistant" in each.read_text(encoding="utf-8") for each in pages_of(report))
    for each in (hostile / "gradescope").iterdir():
        assert json.loads(each.read_text())["output"].startswith("Not tamper-resistant")


def test_lateness_and_what_it_costs_is_said():
    late = made(task(), late=True, lateness="2 h 5 min", penalty=1.5)
    page = text_of(feedback_page([late]))
    assert "Handed in 2 h 5 min late: 1.5 points less." in page
    assert "2.5 of 4 points" in page
    assert "no points less" in view_of(made(task(), late=True)).late
    assert view_of(made(task())).late == ""


def test_what_a_person_says_is_shown():
    read = task("recorded", 0.75, adjusted=True, comment="Fine, but why?", answer="because", rubric=("says why",))
    page = text_of(feedback_page([made(read)]))
    assert all(words in page for words in ("Fine, but why?", "because", "says why", "read by a person", "3 of 4"))
    waits = text_of(feedback_page([made(task("recorded", 0, answer="because"))]))
    assert "– of 4" in waits
    assert "waits for a person" in waits


@pytest.mark.parametrize(
    ("status", "words"),
    [("unreadable", "could not be read"), ("failed", "no fault of yours"), ("missing", "Nothing was handed in.")],
)
def test_who_is_not_graded_is_told_what_to_do(status, words):
    page = text_of(feedback_page([made(status=status, lesson="", notes=("got no notebook",))]))
    assert words in page
    assert "got no notebook" in page
    assert "functions were called" not in page
    assert "functions were called" in text_of(feedback_page([made(task())]))


def test_a_file_that_was_not_graded_lists_only_tasks_that_a_person_gave_points():
    ungraded = [task("missing", 0.0), task("missing", 1.0, title="By hand", adjusted=True)]
    page = text_of(feedback_page([made(*ungraded, status="unreadable")]))
    assert "not in the file" not in page
    assert "By hand" in page


def test_attempts_that_do_not_count_are_listed():
    first, last = made(task("wrong", 0.25), attempt=1), made(task(), attempt=2)
    page = text_of(feedback_page([last], [first]))
    assert "Your other attempts" in page
    assert "1 of 4" in page


def test_a_last_attempt_that_nobody_could_read_is_told_to_both(tmp_path):
    """An earlier one counts, so whoever handed it in would wait for its points."""
    run, results = sample.small()
    why = "got a file that is not JSON, expected a notebook: save it again, and hand in that"
    last = made(learner=results[0].learner, lesson="", name="late.ipynb", status="unreadable", notes=(why,), attempt=2)
    write_report(tmp_path, run, [*results, last], {}, Marking())
    (page,) = (tmp_path / "feedback").iterdir()
    for path in (page, tmp_path / "class.html"):
        text = text_of(path.read_bytes())
        assert "late.ipynb" in text
        assert why in text
    assert "attempt 1, which counts" in text_of(page.read_bytes())


def test_summaries_are_kind_and_lead_on():
    def said(*outcomes):
        return summary_of(view_of(made(*outcomes)).tasks)

    assert said(task(), task()) == "Every task is right."
    assert said(task("stub", 0)) == "This is a beginning. Task 1 is a good place to go on."
    assert said(task(), task("wrong", 0.5), task("wrong", 0)) == (
        "1 of 3 tasks is right and 1 is partly right. Task 2 is closest to done."
    )
    assert said(task("recorded", 0)) == "1 waits for a person to read it."
    assert said() == ""


def test_gradescope_has_its_fields_and_their_sums(report):
    for path in (report / "gradescope").iterdir():
        found = json.loads(path.read_text())
        assert set(found) == {
            "score", "execution_time", "output", "output_format", "test_output_format", "test_name_format",
            "visibility", "stdout_visibility", "tests",
        }  # fmt: skip
        assert found["visibility"] in ("visible", "hidden", "after_due_date", "after_published")
        for each in found["tests"]:
            assert set(each) == {"name", "number", "score", "max_score", "status", "output", "tags", "visibility"}
            assert each["status"] in ("passed", "failed")
            assert 0 <= each["score"] <= each["max_score"]
        numbers = [each["number"] for each in found["tests"]]
        assert len(set(numbers)) == len(numbers)


def test_gradescope_takes_the_penalty_and_tells_as_text():
    late = made(task(), late=True, lateness="1 day", penalty=1.0, notes=("<b>x</b>",))
    found = json.loads(gradescope_json([late], {("ada", 1): 7.6}))
    assert (found["score"], found["execution_time"]) == (3.0, 8)
    assert "Handed in 1 day late: 1 point less." in found["output"]
    assert found["output_format"] == found["test_output_format"] == found["test_name_format"] == "text"


def test_a_class_is_counted():
    halves = {"misconceptions": ("halves",), "sentence": "This looks like halves.", "advice": ("No.", "Why?")}
    results = [
        made(task("wrong", share, **halves), task(task="rope.other", title="Other"), learner=f"l{i}")
        for i, share in enumerate([0.0, 0.5, 0.5, 1.0])
    ]  # fmt: skip
    seen_of = lesson_view("04_rope", results)
    assert [each.title for each in seen_of.tasks] == ["Turn queries and keys", "Other"]
    assert (seen_of.tasks[0].share, seen_of.tasks[0].partly, seen_of.tasks[0].wrong) == (0.5, 3, 1)
    assert [(each.sentence, len(each.learners), each.principle) for each in seen_of.ideas] == [("halves", 4, "No.")]
    assert sum(each.learners for each in seen_of.bins) == 4
    assert seen_of.bins[-1].learners == 1
    assert "The middle learner has 75%" in seen_of.spread


def test_a_task_whose_title_is_drawn_is_called_by_one_of_its_titles():
    titles = ("Look near in layer 0", "Look near in layer 1", "Look far in layer 1", "Look near in layer 0")
    found = lesson_view("04_rope", [made(task(title=title), learner=title) for title in titles])
    assert [each.title for each in found.tasks] == ["Look far in layer 1 (and 2 other variants)"]


def test_two_ideas_in_one_answer_count_for_each():
    pair = task("wrong", 0.2, misconceptions=("a", "b"), sentence="This looks like one thing together with another.")
    found = lesson_view("04_rope", [made(pair)]).ideas
    assert {each.sentence for each in found} == {"one thing", "another"}


def test_small_classes_look_right(tmp_path):
    sample.write(tmp_path / "small", "small")
    alone = text_of((tmp_path / "small/class.html").read_bytes())
    assert "1 learner: " in alone
    sample.write(tmp_path / "nobody", "nobody")
    nobody = text_of((tmp_path / "nobody/class.html").read_bytes())
    assert "Nobody is graded yet." in nobody
    assert all(
        words in nobody for words in ("Nikolai Lobatschewski", "run the same command again", "handed in nothing")
    )


def test_the_class_page_names_who_needs_a_look_and_who_is_alike(report):
    page = text_of((report / "class.html").read_bytes())
    for words in (
        "Emmy Noether and Katherine Johnson", "Its kernel was started again", "Handed in 1 day 2 h late",
        "Lesson 03: norm", "Lesson 04: rope", "not readable as Python",
    ):  # fmt: skip
        assert words in page, words
    with (report / "similarity.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {each["match"] for each in rows} == {
        "matches a classmate", "matches the public reference", "matches the public reference (open book)",
        "not compared: not readable as Python",
    }  # fmt: skip
    assert "AnswerPrint" not in (report / "results.json").read_text()
    assert '"prints"' not in (report / "results.json").read_text()
