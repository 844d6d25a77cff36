"""Lesson 00: inputs that are written to, and the count of one's own pieces."""

import pytest

from minillama import course
from minillama.course import home
from minillama.course.running import observe
from minillama.course.tasks import find_task


def in_place(logits, ids, penalty):
    logits[:, ids] -= penalty
    return logits


def second_name(logits, ids, penalty):
    result = logits
    result[:, ids] = result[:, ids] - penalty
    return result


def through_a_view(logits, ids, penalty):
    columns = logits.T
    columns[ids] -= penalty
    return logits.clone()


@pytest.mark.parametrize("answer", [in_place, second_name, through_a_view])
def test_a_right_result_from_a_spoilt_input_fails(answer, tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))
    task = find_task("start.discourage")
    assert observe(task, answer, task.plan(0).cases)[0].changed == (0,)
    report = course.check("start.discourage", answer)
    assert not report.passed
    assert "argument 1 was changed" in repr(report)


def test_pieces_are_counted_by_lesson(tmp_path, monkeypatch):
    monkeypatch.setenv("MINILLAMA_HOME", str(tmp_path))
    before = course.my_pieces()
    assert "00" not in before
    assert before["04"][0] == 0
    home.write_text(home.my_llama() / "rope" / "apply_rope.py", "def apply_rope(x, cos, sin):\n    return x\n")
    assert course.my_pieces()["04"] == (1, before["04"][1])
