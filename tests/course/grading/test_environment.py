"""What lies beside a learner's code, what does not, and what is drawn for whom."""

import ast
import struct

import pytest

from minillama.course.grading.asking import ask
from minillama.course.grading.drawing import check_seed, input_seed, pseudonym, variant_of
from minillama.course.grading.environment import build, empty_places, hollow
from minillama.course.grading.inside import places
from minillama.course.grading.inside.calls import MACHINES, program
from minillama.course.grading.lessons import load_course
from minillama.course.grading.rebuilding import definitions
from minillama.course.grading.records import LearnerResult, TaskOutcome, from_json, to_json
from minillama.course.tasks import all_tasks, find_task
from minillama.errors import ConfigError, DataError
from tests.course.grading.handing_in import ROOT, SEED

COURSE = load_course(ROOT)


@pytest.mark.parametrize("stem", COURSE.lessons)
def test_pieces_under_test_and_records_are_missing(stem, tmp_path):
    lesson = COURSE.lessons[stem]
    made = build(lesson, tmp_path)
    names = {".".join(path.relative_to(tmp_path).with_suffix("").parts) for path in tmp_path.rglob("*.py")}
    held = (
        "minillama.course.tasks",
        "minillama.course.quizzes",
        "minillama.course.judging",
        "minillama.train.corpus.x",
    )
    assert not any(name.startswith(held) for name in names)
    assert "minillama.course.running" in names
    assert not {"transformers", "peft", "gguf", "nbval", "pytest", "minillama"} & set(made.libraries)
    assert {"torch", "numpy", "ipykernel", "zmq"} <= set(made.libraries)
    for place in empty_places(lesson.tasks.values()):
        module, _, name = place.partition(":")
        file = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
        if file.is_file():
            tree = ast.parse(file.read_text(encoding="utf-8"))
            (found,) = [node for node in tree.body if getattr(node, "name", "") == name]
            assert f"take('{place}')" in ast.unparse(found)


def test_a_piece_that_is_not_there_cannot_be_taken_out():
    with pytest.raises(ConfigError, match="defines no other"):
        hollow("def half(x):\n    return x / 2", "minillama.half", {"other"})


def test_an_empty_place_gives_what_was_put_into_it(monkeypatch):
    monkeypatch.setattr(places, "_taken", {})
    known = {}
    exec(hollow("class Half:\n    x = 1\ndef half(x):\n    return x", "minillama.half", {"Half", "half"}), known)
    with pytest.raises(NotImplementedError, match=r"minillama\.half\.half is what a task asks for"):
        known["half"](3)
    places.put("minillama.half:Half", dict)
    places.put_source("minillama.half:half", "def half(x):\n    return x / 2")
    places.put_source("minillama.half:other", "import nothing_of_this_name")
    assert known["Half"](a=1) == {"a": 1}
    assert known["half"](3) == 1.5


@pytest.mark.parametrize("task", all_tasks(), ids=lambda task: task.id)
def test_no_question_names_a_candidate(task):
    """What a test has to judge stays where it is judged: the learner's process gets a number."""
    asked = ask(task, 7, "nonce")
    compile(asked.source, "<cell>", "exec")
    for made in asked.candidates:
        assert made.path not in asked.source
        assert f'"{(made.arguments or {}).get("name")}"' not in asked.source


def test_only_definitions_and_constants_of_a_cell_are_kept():
    source = "import math\nIGNORE = -100\nx = math.pi\nprint(x)\nfor _ in range(3):\n    pass\ndef f():\n    return x"
    assert definitions(source) == "import math\n\nIGNORE = -100\n\ndef f():\n    return x"


def test_an_import_of_minillama_may_fail_alone():
    known = {}
    exec(definitions("from minillama.errors import nothing, DataError"), known)
    assert known["DataError"] is DataError
    assert "nothing" not in known


def test_everything_that_is_drawn_follows_from_the_seed():
    assert input_seed(SEED, "a") == input_seed(SEED, "a") != input_seed(SEED, "b")
    assert pseudonym(SEED, "ada") == pseudonym(SEED, "ada") != pseudonym("0" * 32, "ada")
    assert check_seed("AB" * 16) == "ab" * 16
    for wrong in ("", "12", "x" * 32, "0" * 33):
        with pytest.raises(ConfigError):
            check_seed(wrong)


def test_variants_are_drawn_for_each_learner_from_the_courses_secret():
    task = find_task("rope.partial_rotary")
    drawn = {learner: variant_of(task, "s" * 16, learner) for learner in map(str, range(40))}
    assert drawn["3"] == variant_of(task, "s" * 16, "3")
    assert {each["side"] for each in drawn.values()} == {"first", "last"}
    assert {each["pairing"] for each in drawn.values()} == {"neighbours", "halves"}
    assert {"side": "first", "pairing": "neighbours"} not in drawn.values()  # its solution is public
    assert any(variant_of(task, "t" * 16, learner) != each for learner, each in drawn.items())
    assert variant_of(task, "", "3") == {}
    assert task.member({"side": "last", "pairing": "halves"}).title == "Turn only the last channels"
    assert variant_of(find_task("rope.apply_rope"), "s" * 16, "3") == {}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_jump_of_the_filter_stays_inside(machine):
    text = program(machine)
    steps = [struct.unpack("HBBI", text[i : i + 8]) for i in range(0, len(text), 8)]
    for place, (code, yes, no, _) in enumerate(steps):
        if code in (0x15, 0x35, 0x45):
            assert place + 1 + max(yes, no) < len(steps)
    assert steps[-1][0] == 0x06


def test_records_go_to_json_and_back():
    outcome = TaskOutcome(
        task="a.b", kind="vary", title="t", possible=3.0, credit=0.5, status="wrong", misconceptions=("x", "y"),
        variant={"side": "last", "floor": 0.1},
    )  # fmt: skip
    result = LearnerResult(
        learner="ada", name="x", lesson="04_rope", sha256="", status="graded", outcomes=(outcome,), notes=("n",),
        identity={"canvas": "3"},
    )  # fmt: skip
    assert from_json(LearnerResult, to_json(result)) == result
    assert (result.points, result.possible) == (1.5, 3.0)
    for wrong in ({}, [], {**to_json(result), "learner": 3}, {**to_json(result), "outcomes": 1}):
        with pytest.raises(DataError):
            from_json(LearnerResult, wrong)
