"""From results to marks: dates, groups, attempts, strangers, and what a person says."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.course.grading.adjusting import (
    Adjustment,
    adjustments_text,
    gather_adjustments,
    manual_text,
    read_adjustments,
)  # fmt: skip
from minillama.course.grading.marking import CLOSED, FILE_CLOCK, Marking, marked, remarks
from minillama.course.grading.moments import LatePenalty, stamp
from minillama.course.grading.records import Submission
from minillama.course.grading.reporting import counted, gradebook
from minillama.course.grading.resolving import resolve
from minillama.errors import DataError
from tests.course.classes.making import CHOSEN, EXPERIMENT, GROUP, TASKS, class_of, result

DUE = datetime(2027, 3, 8, 22, 59, tzinfo=UTC)
OTHER = ("ada", "bob", "cyd", "dee")


@pytest.fixture(scope="module")
def marking(tmp_path_factory):
    course = class_of(tmp_path_factory.mktemp("c"))
    return Marking(course=course, assignment=course.assignment()).over(TASKS)


def of(marking, *results, **more):
    """Marks by learner, the one that counts."""
    made = replace(marking, **more)
    return {each.learner: each for each in counted(marked(results, made), made.attempts)}


def with_assignment(marking, **changes):
    return replace(marking, assignment=replace(marking.assignment, **changes))


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def late_by(**duration):
    return stamp(DUE + timedelta(**duration))


def test_only_chosen_tasks_count_and_are_worth_what_the_class_says(marking):
    (ada,) = [each for each in marked([result("ada", 0.5)], marking) if each.learner == "ada"]
    assert [(each.task, each.possible, each.points) for each in ada.outcomes] == [
        ("lora.merge", 10.0, 5.0), (EXPERIMENT, float(TASKS[EXPERIMENT].points), 0.0),
    ]  # fmt: skip


def test_everybody_of_the_roster_has_a_mark_and_strangers_are_not_lost(marking):
    marks = of(marking, result("ada"), result("eve"))
    assert {name: each.status for name, each in marks.items()} == {
        "ada": "graded", "bob": "missing", "cyd": "missing", "dee": "missing", "eve": "graded",
    }  # fmt: skip
    assert (marks["bob"].total, marks["bob"].possible) == (0.0, marks["ada"].possible)
    assert marks["ada"].identity["email"] == "Ada@x.org"
    said = remarks(list(marks.values()), marking)
    assert any("1 not in the roster: eve" in each for each in said)
    assert any("3 of the roster handed in nothing" in each for each in said)
    unread = replace(result("ada"), status="unreadable")
    assert "1 handed in what cannot be read, class.html says why: ada" in remarks([unread], marking)


@pytest.mark.parametrize(
    ("duration", "penalty", "lateness", "late", "counts"),
    [
        ({"minutes": -1}, 0, "", False, True), ({}, 0, "", False, True),
        ({"minutes": 10}, 0, "10 min", False, True), ({"minutes": 11}, 1, "11 min", True, True),
        ({"hours": 24}, 1, "1 d", True, True), ({"hours": 24, "seconds": 1}, 2, "1 d 1 min", True, True),
        ({"days": 7}, 5, "7 d", True, True), ({"days": 7, "seconds": 1}, 10, "7 d 1 min", True, False),
    ],
)  # fmt: skip
def test_lateness(marking, duration, penalty, lateness, late, counts):
    found = of(marking, result("ada", submitted=late_by(**duration)))["ada"]
    assert (found.penalty, found.lateness, found.late, found.counts) == (penalty, lateness, late, counts)
    assert (found.points, found.total) == (10.0, 10.0 - penalty)
    assert (CLOSED in found.notes) == (not counts)


@settings(max_examples=50, deadline=None)
@given(
    late=st.timedeltas(timedelta(days=-2), timedelta(days=9)), credit=st.integers(0, 100), share=st.integers(0, 100),
    cap=st.integers(0, 100), grace=st.integers(0, 90),
)  # fmt: skip
def test_a_total_is_what_was_earned_less_the_penalty_and_never_below_zero(marking, late, credit, share, cap, grace):
    made = with_assignment(
        marking, penalty=LatePenalty(share=share / 100, cap=cap / 100), grace=timedelta(minutes=grace)
    )
    found = of(made, result("ada", credit / 100, submitted=stamp(DUE + late)))["ada"]
    assert 0 <= found.total <= found.points == pytest.approx(credit / 10)
    assert found.total == pytest.approx(found.points - found.penalty)
    if late <= timedelta(minutes=grace):
        assert found.penalty == 0
    elif late > timedelta(days=7):
        assert found.total == 0
    else:
        assert found.penalty == pytest.approx(
            found.points * min(cap / 100, share / 100 * -(-late // timedelta(days=1)))
        )


def test_where_nobody_knows_when_nothing_is_taken(marking):
    found = of(marking, result("ada", submitted="", late=True), result("bob", submitted="yesterday"))
    assert (found["ada"].late, found["ada"].lateness, found["ada"].penalty) == (True, "", 0.0)
    assert rows_of(gradebook([found["ada"]], CHOSEN, marking))[0]["late"] == "time not known"
    assert found["bob"].penalty == 0
    said = remarks(list(found.values()), marking)
    assert any("does not say when" in each and "name it as submitted" in each for each in said)


def test_a_files_own_time_is_said_to_be_one(marking):
    found = of(marking, result("ada", submitted=late_by(days=2), clock="file"))["ada"]
    assert found.notes == (FILE_CLOCK,)
    assert found.penalty == 2


def test_an_extension_is_its_learners_alone(marking, tmp_path):
    more = '[[extension]]\nlearner = "ada"\nassignment = "adapters"\ndue = 2027-03-10T23:59:00\n'
    course = class_of(tmp_path, more=more)
    made = replace(marking, course=course, assignment=course.assignment())
    found = of(made, *(result(each, submitted=late_by(days=8)) for each in ("ada", "bob")))
    assert (found["ada"].lateness, found["ada"].penalty, found["ada"].counts) == ("6 d", 5.0, True)
    assert (found["bob"].total, found["bob"].counts) == (0.0, False)


def attempts(*pairs):
    """Attempts of ada: (credit, days late)."""
    return [
        result("ada", credit, submitted=late_by(days=days), attempt=number, name=f"ada/{number}.ipynb")
        for number, (credit, days) in enumerate(pairs, 1)
    ]


@pytest.mark.parametrize(
    ("rule", "most", "tried", "counts"),
    [
        ("last", None, [(1.0, -1), (0.5, -1)], 2), ("best", None, [(1.0, -1), (0.5, -1)], 1),
        ("best", None, [(0.9, -1), (1.0, 3)], 1), ("best", None, [(0.9, -1), (1.0, 1)], 2),
        ("last", None, [(0.5, -1), (1.0, 8)], 1), ("last", None, [(0.5, 8), (1.0, 9)], 2),
        ("last", 2, [(0.1, -1), (0.2, -1), (1.0, -1)], 2), ("best", 1, [(0.1, -1), (1.0, -1)], 1),
    ],
)  # fmt: skip
def test_which_attempt_counts(marking, rule, most, tried, counts):
    found = of(with_assignment(marking, max_attempts=most), *attempts(*tried), attempts=rule)["ada"]
    assert found.attempt == counts


def test_a_teachers_word_about_the_time_counts_before_the_platforms(marking):
    said = {("ada", None): DUE + timedelta(days=1), ("ada", 2): DUE, ("bob", None): DUE}
    made = with_assignment(marking, submitted=said)
    found = marked([*attempts((1.0, 5), (1.0, 5)), result("cyd", submitted=late_by(days=2))], made)
    assert [(each.learner, each.lateness, each.clock) for each in found] == [
        ("ada", "1 d", "teacher"), ("ada", "", "teacher"), ("bob", "", ""), ("cyd", "2 d", "platform"), ("dee", "", ""),
    ]  # fmt: skip


def test_one_submission_of_a_group_counts_for_all_and_several_are_said(marking, tmp_path):
    course = class_of(tmp_path, more=GROUP)
    made = replace(marking, course=course, assignment=course.assignment())
    first, second = (
        result("team", credit, attempt=i, identity={"by": by}, submitted=late_by(days=i - 1))
        for i, (by, credit) in enumerate([("cyd", 1.0), ("dee", 0.5)], 1)
    )
    found = of(made, first)
    assert {each.points for name, each in found.items() if name in ("cyd", "dee")} == {10.0}
    assert found["dee"].identity["group"] == "team"
    assert not any("handed in" in note for note in found["dee"].notes)
    both = of(made, first, second)
    assert both["cyd"].points == both["dee"].points == 5.0
    assert "2 of the group handed in; the last counts." in both["cyd"].notes
    assert "team" not in both
    queue = rows_of(manual_text(list(both.values()), tmp_path / "none"))
    assert [each["learner"] for each in queue] == ["team"]


def test_a_submission_finds_its_learner_or_keeps_its_name(tmp_path):
    course = class_of(tmp_path, more=GROUP)
    file = tmp_path / "x.ipynb"
    file.write_bytes(b"")

    def handed_in(learner, submitted="", **identity):
        return Submission(learner=learner, file=file, name=learner, submitted=submitted, identity=identity)

    found = resolve(
        [
            handed_in("lovelaceada", canvas="1"), handed_in("Bob Baker"), handed_in("bob", canvas="99"),
            handed_in("Cyd Charisse", "2027-03-01 01:00:00 +0100"), handed_in("dee", "2027-03-01 00:30:00 Z"),
            handed_in("TEAM"), handed_in("eve"),
        ],
        course, course.assignment(), tmp_path / "elsewhere",
    )  # fmt: skip
    assert [(each.learner, each.attempt, each.submitted, each.clock) for each in found] == [
        ("ada", 1, "", ""), ("bob", 1, "", ""), ("bob (not in the roster)", 1, "", ""), ("eve", 1, "", ""),
        ("team", 1, "", ""), ("team", 2, "2027-03-01T00:00:00Z", "platform"),
        ("team", 3, "2027-03-01T00:30:00Z", "platform"),
    ]  # fmt: skip
    assert [each.identity.get("by") for each in found[-2:]] == ["cyd", "dee"]


def test_nobody_hands_in_as_another_by_a_name_of_their_choice(tmp_path):
    """On a platform that gives numbers which the roster does not know, a name of two people is nobody's."""
    course = class_of(tmp_path, more=GROUP)
    file = tmp_path / "x.ipynb"
    file.write_bytes(b"")
    people = [
        ("Cyd Charisse", {"moodle": "1"}), ("Charisse, Cyd", {"moodle": "9"}), ("TEAM", {"moodle": "9"}),
        ("Bob Baker", {"email": "ada@x.org"}), ("bob", {"moodle": "4"}), ("bob", {"moodle": "4"}),
    ]  # fmt: skip
    handed_in = [Submission(learner=name, file=file, name=name, identity=identity) for name, identity in people]
    assert [each.learner for each in resolve(handed_in, course, course.assignment(), tmp_path)] == [
        "Charisse, Cyd", "Cyd Charisse", "TEAM (not in the roster)", "ada", "bob", "bob",
    ]  # fmt: skip


def test_a_files_time_counts_where_the_class_says_so_and_never_that_of_a_copy(tmp_path):
    course = class_of(tmp_path)
    file = tmp_path / "x.ipynb"
    file.write_bytes(b"")
    handed_in = [Submission(learner="ada", file=file, name="x")]
    assignment = replace(course.assignment(), times="file")
    assert resolve(handed_in, course, assignment, tmp_path)[0].clock == "file"
    assert resolve(handed_in, course, assignment, tmp_path / "elsewhere")[0].clock == ""
    assert resolve(handed_in, course, course.assignment(), tmp_path)[0].clock == ""


def table(folder, *lines, header="learner,task,points,comment"):
    path = folder / "a.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def test_points_and_comments_by_hand(marking, tmp_path):
    path = table(
        tmp_path, f"ada,{EXPERIMENT},2.5,well argued", "ada,lora.merge,-4,=HYPERLINK()", f"bob,{EXPERIMENT},,on paper?",
        "cyd,lora.merge,+1,", "dee,lora.merge,7,",
    )  # fmt: skip
    found = of(marking, *(result(each) for each in ("ada", "bob", "cyd")), adjustments=read_adjustments(path))
    points = {name: [each.points for each in one.outcomes] for name, one in found.items()}
    assert points == {"ada": [6.0, 2.5], "bob": [10.0, 0.0], "cyd": [10.0, 0.0], "dee": [7.0, 0.0]}
    merged, experiment = found["ada"].outcomes
    assert (merged.comment, merged.adjusted, experiment.comment) == ("=HYPERLINK()", True, "well argued")
    assert (found["bob"].outcomes[1].comment, found["bob"].outcomes[1].adjusted) == ("on paper?", False)


def test_points_by_hand_come_before_what_lateness_takes(marking):
    said = (Adjustment(learner="ada", task="lora.merge", points="4"),)
    found = of(marking, result("ada", submitted=late_by(days=1)), adjustments=said)["ada"]
    assert (found.points, found.penalty, found.total) == (4.0, 0.4, 3.6)


def test_what_names_the_attempt_counts_before_what_does_not(marking):
    said = tuple(Adjustment(learner="ada", task="lora.merge", points=p, attempt=a) for p, a in (("1", None), ("2", 2)))
    for order in (said, said[::-1]):
        found = marked(attempts((1.0, -1), (1.0, -1)), replace(marking, adjustments=order))
        assert [each.points for each in found if each.learner == "ada"] == [1.0, 2.0]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ad,lora.merge,1,", "learner 'ad' is not in the report: did you mean ada"),
        ("ada,lora.merg,1,", "did you mean lora.merge"), ("ada,lora.merge,11,", "at most the 10 of lora.merge"),
        ("ada,lora.merge,-11,", "at most the 10"), ("ada,lora.merge,much,", "line 2 has points 'much'"),
        ("ada,lora.merge,nan,", "has points 'nan'"), ("ada,lora.merge,1e3,", "has points '1e3'"),
        ("ada,lora.merge,1,x\nada,lora.merge,2,y", "lines 2 and 3 are of one answer"),
        (",lora.merge,1,", "has no learner"), ("ada,,1,", "has no task"), ("ada,lora.merge,1,\0", "null bytes"),
        (f"ada,lora.merge,1,{'x' * 3000}", "more than 2000 characters"),
    ],
)  # fmt: skip
def test_an_adjustment_that_does_not_fit_is_one_line(marking, line, says, tmp_path):
    with pytest.raises(DataError, match=says) as caught:
        of(marking, result("ada"), adjustments=read_adjustments(table(tmp_path, line)))
    assert len(str(caught.value).splitlines()) == 1


def test_the_queue_filled_in_comes_back_and_nothing_typed_is_lost(marking, tmp_path):
    answers = [result(each) for each in ("ada", "=cmd()")]
    path = tmp_path / "manual.csv"
    path.write_text(manual_text(list(of(marking, *answers).values()), path), encoding="utf-8")
    rows = rows_of(path.read_text(encoding="utf-8"))
    assert [(each["learner"], each["points"], each["possible"]) for each in rows] == [
        ("'=cmd()", "", "3"),
        ("ada", "", "3"),
    ]
    assert rows[0]["answer"] == "before: because"
    rows[0] |= {"points": "2", "comment": "- good"}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    untouched = manual_text(list(of(marking, *answers).values()), path)
    assert rows_of(untouched)[0]["points"] == "2"
    said = read_adjustments(path)
    assert [(each.learner, each.points, each.comment) for each in said] == [("=cmd()", "2", "- good")]
    assert of(marking, *answers, adjustments=said)["=cmd()"].points == 12.0


def test_what_was_said_before_stays_until_something_else_is_said(tmp_path):
    before = (
        Adjustment(learner="ada", task="t", points="1"),
        Adjustment(learner="=b", task="t", points="+1", comment="é"),
    )
    (tmp_path / "adjustments.csv").write_text(adjustments_text(before), encoding="utf-8")
    given = table(tmp_path, "ada,t,3,x")
    found = {each.learner: each.points for each in gather_adjustments(tmp_path, given)}
    assert found == {"ada": "3", "=b": "+1"}
    assert {each.learner for each in gather_adjustments(tmp_path, None)} == {"ada", "=b"}
    with pytest.raises(DataError, match="cannot be read"):
        gather_adjustments(tmp_path, tmp_path / "gone.csv")


def test_the_gradebook_of_a_class(marking):
    results = [result("ada", submitted=late_by(days=1)), result("=cmd()")]
    rows = rows_of(gradebook(marked(results, marking), CHOSEN, marking))
    assert list(rows[0]) == [
        "learner", "name", "section", *CHOSEN, "raw total", "penalty", "total", "possible", "late", "submitted",
        "clock", "attempts", "status", "sandbox",
    ]  # fmt: skip
    assert [each["learner"] for each in rows] == ["'=cmd()", *OTHER]
    ada = rows[1]
    assert (ada["name"], ada["section"], ada["raw total"], ada["penalty"], ada["total"], ada["late"]) == (
        "Ada Lovelace", "A", "10.0", "1.0", "9.0", "1 d",
    )  # fmt: skip
    assert (rows[0]["status"], rows[2]["status"], rows[2]["attempts"]) == ("graded; not in the roster", "missing", "0")


def test_the_gradebook_says_how_many_attempts_there_are_whichever_counts(marking):
    results = marked(attempts((1.0, -1), (0.5, -1), (0.2, -1)), marking)
    for rule in ("best", "last"):
        row = rows_of(gradebook(results, CHOSEN, replace(marking, attempts=rule)))[0]
        assert (row["learner"], row["attempts"], row["total"]) == ("ada", "3", "10.0" if rule == "best" else "2.0")


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_results_changes_nothing(marking, order):
    results = [*attempts((0.2, 1), (0.9, -1), (1.0, 9)), result("bob"), result("eve"), result("cyd", 0.1)]
    assert marked([results[i] for i in order], marking) == marked(results, marking)
