"""`check` against answers that loop, print, raise, change what they are given, or are no answers at all."""

import json
import threading
import time

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from minillama import course, rope
from minillama.course import home
from minillama.course.checking import calls
from minillama.course.messages import read_observations
from minillama.course.plain import Array, Foreign, decode, encode, to_plain
from minillama.course.running import observe
from minillama.course.tasks import find_task
from minillama.errors import ConfigError, DataError

APPLY = "rope.apply_rope"


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))


def mine(x, cos, sin):
    return rope.apply_rope(x, cos, sin)


def text_of(answer, task=APPLY):
    report = course.check(task, answer, seed=0)
    assert not report.passed
    assert repr(report).startswith(("✗", "○"))
    assert "<" in report._repr_html_()
    return repr(report)


def test_a_right_answer_passes_and_is_remembered():
    report = course.check(APPLY, mine, seed=0)
    assert report.passed
    assert "✓" in repr(report)
    assert "promote" in repr(report)
    assert home.read_progress()[APPLY]["passed"]
    assert "1 of 9" in repr(course.where("04_rope"))


def test_a_stub_fails_with_its_own_message_and_is_no_attempt():
    def stub(x, cos, sin):
        raise NotImplementedError("turn each pair")

    assert "Not written yet: turn each pair" in text_of(stub)
    assert APPLY not in home.read_progress()
    assert "Not filled in yet: angle" in text_of(
        {"frequencies": [1, 0.1], "angle": ..., "turned": [0.4, 2.2], "partner": 5}, "rope.turn_by_hand"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, cos, sin: None, "None"),
        (lambda x, cos, sin: "turned", "a str"),
        (lambda x, cos, sin: object(), "a object"),
        (lambda x, cos, sin: rope.apply_rope(x, cos, sin).flatten(), "has shape"),
        (lambda x, cos, sin: (x, x), "has shape"),
        (lambda x, cos, sin: torch.full_like(x, float("nan")), "nan"),
        (lambda x, cos, sin: rope.apply_rope(x, cos, sin).float(), "float16"),
        (lambda x, cos, sin: 1 / 0, "ZeroDivisionError"),
        (lambda x, cos, sin: x @ cos, "It was called with"),
        (lambda x, cos, sin: x @ cos, "another shape than you expect"),
        (lambda x, cos, sin: x.transpose(1, 2).view(-1), "Does `view` move any?"),
        (lambda x, cos, sin: x[99], "how long is the axis"),
        (lambda x, cos, sin: rope.apply_rope(x, cos, sin).double(), "is float64, expected float32"),
        (lambda x, cos, sin: first * cos, "`first` is not defined"),  # noqa: F821
        (lambda x, cos, sin: permute_hf_to_meta(x, 1), "is the answer to the task rope.permute_hf_to_meta"),  # noqa: F821
        (lambda x, cos, sin: helps(x), "It came up in `helps`, line"),
        (lambda x, cos, sin: waits(x), "It calls `waits`, which is not written yet: later"),
        (lambda x: x, "TypeError"),
        (lambda x, cos, sin: exit(), "SystemExit"),
        ("apply_rope", "takes a function"),
        (rope.apply_rope, "the package's own"),
    ],
)
def test_what_is_wrong_is_said(answer, words):
    assert words in text_of(answer)


def helps(x):
    return x[..., :3] + x


def waits(x):
    raise NotImplementedError("later")


def test_the_line_of_the_answer_is_shown_before_that_of_a_helper():
    text = text_of(lambda x, cos, sin: helps(x))
    assert "lambda x, cos, sin: helps(x)" in text.splitlines()[0]
    assert "return x[..., :3] + x" in text.splitlines()[1]


def test_a_table_on_its_side_is_told_by_its_shape():
    text = text_of(lambda *given: [each.T for each in rope.rope_frequencies(*given)], "rope.rope_frequencies")
    assert "has shape" in text
    assert "1.000" not in text


def test_a_lesson_does_no_exercise(tmp_path, monkeypatch):
    for name in ("notebooks", "exercises"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "00_start_here.ipynb").touch()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert course.check(APPLY, mine).passed
    assert not home.read_progress()[APPLY]["passed"]
    assert "0 of 9" in repr(course.where("04_rope"))
    monkeypatch.chdir(tmp_path / "exercises")
    assert course.check(APPLY, mine).passed
    assert home.read_progress()[APPLY]["passed"]


def test_a_part_can_wait():
    def plain(head_dim, max_seq_len, theta=10_000.0, scaling=None):
        return rope.rope_frequencies(head_dim, max_seq_len, theta)

    report = course.check("rope.rope_frequencies", plain, without="stretching")
    assert report.passed
    assert "without stretching" in repr(report)
    assert not home.read_progress()["rope.rope_frequencies"]["passed"]
    assert "ignores `scaling`" in text_of(plain, "rope.rope_frequencies")
    with pytest.raises(ConfigError, match="no part"):
        course.check(APPLY, mine, without="stretching")


def test_changed_inputs_are_seen():
    def in_place(x, cos, sin):
        result = rope.apply_rope(x, cos, sin)
        x.mul_(0)
        return result

    assert "argument 1 was changed" in text_of(in_place)


def test_layout_and_kind_of_array_do_not_matter():
    for change in (
        lambda y: y.transpose(0, 3).contiguous().transpose(0, 3),
        lambda y: y.clone().requires_grad_(),
        lambda y: y.numpy(),
        lambda y: y if y.dtype == torch.float16 else [list(each) for each in y],
    ):
        assert course.check(APPLY, lambda x, cos, sin, change=change: change(rope.apply_rope(x, cos, sin))).passed


@pytest.mark.parametrize("in_main_thread", [True, False])
def test_an_endless_loop_is_stopped(in_main_thread):
    def loop(x, cos, sin):
        while True:
            try:
                print("again" * 1000)
            except Exception:
                continue

    task = find_task(APPLY)
    object.__setattr__(task, "time_limit_s", 0.3)
    seen = []
    try:
        run = lambda: seen.extend(observe(task, loop, task.plan(0).cases))  # noqa: E731
        if in_main_thread:
            run()
        else:
            thread = threading.Thread(target=run)
            thread.start()
            thread.join(60)
    finally:
        object.__setattr__(task, "time_limit_s", 10.0)
    assert [each.kind for each in seen] == ["too slow"]
    assert len(seen[0].printed) <= 2000


def test_a_stopped_loop_is_explained():
    task = find_task(APPLY)
    object.__setattr__(task, "time_limit_s", 0.2)
    try:
        assert "Still running" in text_of(lambda x, cos, sin: time.sleep(60))
    finally:
        object.__setattr__(task, "time_limit_s", 10.0)


def test_what_is_printed_is_shown_in_part(capsys):
    def noisy(x, cos, sin):
        print("shape", tuple(x.shape), "." * 5000)
        return x

    text = text_of(noisy)
    assert "Your code printed" in text
    assert len(text) < 1500
    assert capsys.readouterr().out == ""


def test_hints_come_one_after_the_other():
    texts = [repr(course.hint(APPLY)) for _ in range(4)]
    for text, each in zip(texts, [*find_task(APPLY).hints, find_task(APPLY).hints[-1]], strict=True):
        assert each.splitlines()[0] in text
    text_of(lambda x, cos, sin: x)
    assert "course.hint" in text_of(lambda x, cos, sin: x)


def test_forbidden_calls_are_found_under_any_name():
    def open_call(x):
        return torch.nn.functional.rms_norm(x, x.shape)

    def aliased(x):
        return F.rms_norm(x, x.shape)

    def innocent(x):
        rms_norm = x * 2
        return rms_norm

    assert calls(open_call, "torch.nn.functional:rms_norm")
    assert calls(aliased, "torch.nn.functional:rms_norm")
    assert not calls(innocent, "torch.nn.functional:rms_norm")


def cheats(candidate):
    x, angle = torch.ones(1, 2, 1, 2), torch.ones(2, 1)
    return torch.equal(candidate(x, angle.cos(), angle.sin()), rope.apply_rope(x, angle.cos(), angle.sin()))


def asks_by_import(candidate):
    from minillama.rope import apply_rope as known

    return same_as(candidate, known)


def asks_by_name(candidate):
    import importlib

    return same_as(candidate, getattr(importlib.import_module("minillama.rope"), "apply" + "_rope"))


def asks_the_course(candidate):
    from minillama.course.tasks.rope_turns import faulty_turn

    return same_as(candidate, faulty_turn(frozenset()))


def same_as(candidate, known):
    x, angle = torch.ones(1, 2, 1, 2), torch.ones(2, 1)
    return torch.equal(candidate(x, angle.cos(), angle.sin()), known(x, angle.cos(), angle.sin()))


@pytest.mark.parametrize("answer", [cheats, asks_by_import, asks_by_name, asks_the_course])
def test_a_test_may_not_ask_the_package(answer):
    assert "does the whole task" in text_of(answer, "rope.test_rope")


def test_what_a_test_never_varied_is_said():
    def one_pair(candidate):
        x = torch.tensor([1.0, 2.0]).view(1, 1, 1, 2).expand(1, 2, 1, 2)
        got = candidate(x, torch.tensor([[1.0], [0.8]]), torch.tensor([[0.0], [0.6]]))
        return torch.allclose(got.flatten(), torch.tensor([1.0, 2.0, -0.4, 2.2]))

    def early(candidate):
        return torch.ones(2)[3]

    def exact_in_part(candidate):
        generator = torch.Generator().manual_seed(0)
        x, turns = torch.randn(1, 5, 3, 6, generator=generator), torch.rand(5, 3, generator=generator)
        return bool((candidate(x, turns.cos(), turns.sin()).norm() - x.norm()).abs() == 0)

    text = text_of(one_pair, "rope.test_rope")
    assert "a test with a single pair" in text or "Your test never" in text or "In your test" in text
    assert "ingredients" not in text
    assert "before it called the candidate" in text_of(early, "rope.test_rope")
    assert "ingredients" not in text_of(exact_in_part, "rope.test_rope")


def test_damaged_progress_is_begun_anew():
    home.write_text(home.my_llama() / home.PROGRESS, "{ not json")
    assert home.read_progress() == {}
    assert course.check(APPLY, mine).passed
    assert home.read_progress()[APPLY]["attempts"] == 1


def test_predictions_and_quizzes_explain_themselves():
    guess = course.predict("Up or down?", "up", "down")
    assert repr(guess.reveal("up")) == "→ It is: up."
    guess.guess = "down"
    assert "You said: down" in repr(guess.reveal("up", "It is lighter."))
    with pytest.raises(ConfigError, match="expected one of"):
        guess.reveal("sideways")
    assert "✓" in repr(course.quiz("rope.shift", "a"))
    assert "✗" in repr(course.quiz("rope.shift", "b"))
    assert "<details" in course.quiz("rope.shift")._repr_html_()
    for bad in (("rope.shift", "z"), ("rope.nothing",)):
        with pytest.raises(ConfigError, match="expected one of"):
            course.quiz(*bad)


def test_every_quiz_has_a_right_choice_and_explains_all():
    from minillama.course.quizzes import all_quizzes

    for name, quiz in all_quizzes().items():
        assert quiz.id == name
        assert 2 <= len(quiz.choices) <= 5
        assert any(choice.right for choice in quiz.choices)
        assert not all(choice.right for choice in quiz.choices)
        assert all(len(choice.why) > 20 for choice in quiz.choices), name


@pytest.mark.parametrize(
    "value",
    [None, True, 3, 0.1, float("nan"), "text", (1, [2.5, None]), {"a": np.arange(3)}, np.zeros((0, 2), np.float16)],
)
def test_plain_values_survive_json(value):
    back = decode(json.loads(json.dumps(encode(value))))
    np.testing.assert_equal(back, value)
    assert type(back) is type(value)


def test_arrays_of_any_kind_become_plain():
    for made in (torch.ones(2, dtype=torch.bfloat16), torch.ones(2).requires_grad_(), np.ones(2, np.float16)):
        plain = to_plain(made)
        assert isinstance(plain, Array)
        assert plain.data.dtype == np.float64
    assert to_plain(torch.ones(2, dtype=torch.bfloat16)).dtype == "bfloat16"
    assert isinstance(to_plain(torch.ones(2, dtype=torch.complex64)), Foreign)
    assert isinstance(to_plain(np.array([object()])), Foreign)
    assert isinstance(to_plain(lambda: 0), Foreign)
    nested = []
    nested.append(nested)
    to_plain(nested)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[3]",
        '[{"dict": []}, 1]',
        '[{"dict": [["kind", "passed"]]}]',
        '[{"dict": [["error", 3]]}]',
        "[" * 9999,
    ],
)
def test_forged_observations_are_refused(text):
    with pytest.raises(DataError):
        read_observations(text)


@pytest.mark.parametrize(
    "value",
    [{"array": "!!", "dtype": "float32"}, {"numpy": "AAAA"}, {"tuple": 3}, {"unknown": 1}, {"float": "x"}, 1.5, [1]],
)
def test_damaged_values_are_refused(value):
    with pytest.raises(DataError):
        decode(value)
