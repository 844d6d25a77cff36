"""Any text of a stranger is shown as text: what a page says of it is what a parser reads back, and nothing else."""

from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minillama.course.grading.pages import rendering, words
from tests.course.pages.sample import EVIL

ANY = st.text(st.characters(), max_size=60) | st.sampled_from(EVIL)
INVISIBLE = {*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0xFEFF}


class Seen(HTMLParser):
    """What a page holds: its elements, their attributes, and its text."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts = [], []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.texts.append(data)


def seen(markup):
    parser = Seen()
    parser.feed(markup)
    parser.close()
    return parser


@given(ANY)
@settings(max_examples=500, deadline=None)
def test_what_is_visible_is_encoded_and_hides_nothing(text):
    shown = words.visible(text)
    shown.encode("utf-8")
    assert not {ord(each) for each in shown} & (INVISIBLE - {0x09, 0x0A})
    assert words.visible(shown) == shown


@given(ANY)
@settings(max_examples=500, deadline=None)
def test_prose_marks_code_and_emphasis_and_nothing_else(text):
    found = seen(str(rendering.prose(text)))
    assert {(tag, tuple(attributes)) for tag, attributes in found.elements} <= {("code", ()), ("em", ())}
    kept = "".join(each for each in words.visible(text) if each not in "`*")
    assert "".join(each for each in "".join(found.texts) if each not in "`*") == kept


@given(ANY)
@settings(max_examples=300, deadline=None)
def test_a_template_shows_any_text_as_what_it_is(text):
    template = rendering._environment().from_string("<p title='{{ text }}'>{{ text }}</p>")
    found = seen(template.render(text=text))
    assert found.elements == [("p", {"title": words.visible(text)})]
    assert "".join(found.texts) == words.visible(text)


@given(ANY, ANY)
def test_names_of_files_are_safe_and_told_apart(one, other):
    from minillama.course.grading.pages.feedback import page_name

    one, other = (each.encode("utf-8", "replace").decode() for each in (one, other))
    names = [page_name("5" * 32, each) for each in (one, other)]
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(each) <= 51 for each in names)
    assert (names[0] == names[1]) == (one == other)
    assert page_name("6" * 32, one) != names[0]


def test_accents_stack_no_higher_than_is_readable():
    assert len(words.visible("Z" + "\u0336\u0310" * 100)) == 1 + words.MAX_MARKS


def test_emoji_and_scripts_that_need_joiners_stay():
    family, persian = "\U0001f469\u200d\U0001f467", "می\u200cخواهم"
    assert words.visible(family + persian) == family + persian


def test_a_long_line_is_cut_and_says_so():
    shown = words.visible("x" * 1_000_000)
    assert len(shown) < words.MAX_SHOWN + 40
    assert shown.endswith("(1,000,000 characters)")


@pytest.mark.parametrize(
    ("text", "plain"), [("Ångström", "angstrom"), ("../../x", "x"), ("祖冲之", ""), ("CON", "con")]
)
def test_slugs(text, plain):
    assert words.slug(text) == plain
