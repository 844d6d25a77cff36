"""What misconceptions do to the bundled model."""

import pytest

from minillama.course.damage import Damage, damage
from minillama.course.tasks import find_task
from minillama.errors import ConfigError


def test_every_misconception_has_a_row_and_reordering_alike_is_harmless():
    rows = {row.name: row for row in damage("rope.apply_rope", n_stories=4, length=48)}
    assert rows.keys() == {each.name for each in find_task("rope.apply_rope").misconceptions}
    assert rows["halves_out"].shown_by == "nothing"  # scores do not feel an order that both sides share
    assert rows["halves"].nats > 0.3
    assert "loss" in rows["clockwise"].shown_by


def test_what_shows_a_fault_is_said():
    def shown(nats, differs):
        return Damage(name="x", nats=nats, text_differs=differs, text="").shown_by

    assert [shown(0.5, True), shown(0.5, False), shown(0.0, True), shown(0.0, False), shown(None, True)] == [
        "loss and text", "loss", "text", "nothing", "an error",
    ]  # fmt: skip


def test_a_task_without_a_piece_is_refused():
    with pytest.raises(ConfigError, match="no piece in the model"):
        damage("rope.rotate_step")
    with pytest.raises(ConfigError, match="no piece in the model"):
        damage("tokenizer.merge")
