import pytest

import minillama
from minillama.checkpoint.memory import WORKING_BYTES
from minillama.viz import start


@pytest.fixture(scope="module")
def bundled():
    return minillama.load()


def test_events_come_in_order_and_each_has_a_row_of_its_own():
    days = [day for day, _, _ in start.EVENTS]
    assert days == sorted(days)
    assert start.timeline().png


def test_a_model_needs_its_weights_and_a_cache_and_room():
    assert start.need_bytes("llama-7b", "f16") == 2 * 6_738_415_616 + 2048 * 524_288 + WORKING_BYTES
    assert start.need_bytes("llama-7b", "q4_0") < start.need_bytes("llama-7b", "q8_0")


@pytest.mark.parametrize(("free_bytes", "first"), [(None, 8), (10**8, 1), (21_500_000_000, 21), (10**12, 160)])
def test_the_table_begins_at_what_is_free(free_bytes, first):
    control = start.machine(free_bytes)
    assert control.sliders["free_GB"][2] == first


def test_more_memory_fits_more():
    def fitting(free_GB):
        return int(start.draw_fitting(free_GB).axes[0].get_title().split(":")[1].split()[0])

    counts = [fitting(free_GB) for free_GB in (1, 8, 16, 160)]
    assert counts == sorted(set(counts))
    assert counts[-1] == 21


def test_a_story_begins_with_what_was_typed_and_is_repeatable(bundled):
    teller = start.Storyteller(*bundled, max_new_tokens=5)
    assert teller.tell("A goat", seed=2) == teller.tell("A goat", seed=2)
    assert teller.tell("A goat", temperature=0).startswith("A goat")
    assert "&lt;b&gt;" in teller.page("<b>")
    assert "text/html" in teller._repr_mimebundle_()


def test_a_bad_beginning_is_said_in_the_control(bundled):
    import ipywidgets

    box = start.Storyteller(*bundled, max_new_tokens=3).widget(ipywidgets)
    prompt, story = box.children[0], box.children[-1]
    prompt.value = "goat " * 2000
    assert "ContextLengthError" in story.value
    prompt.value = "A goat"
    assert "<b>A goat</b>" in story.value


def test_the_map_counts_what_is_yours():
    assert "2 of 7 pieces are yours" in start.course_map({"01": (2, 4), "03": (0, 3)}).alt
    assert "0 of 0 pieces are yours" in start.course_map({}).alt


def test_views_and_the_transpose_are_drawn():
    assert start.view_and_transpose().png
