"""The data sheet says what the generator gives."""

import importlib.util
from importlib import resources
from pathlib import Path
from types import ModuleType

import pytest

from minillama.train.corpus import story

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "corpus.py"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("corpus_sheet", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def committed() -> str:
    return (resources.files("minillama") / "assets" / "corpus.md").read_text(encoding="utf-8")


def test_committed_sheet_is_of_these_stories(script: ModuleType, committed: str) -> None:
    again = "run `python benchmarks/corpus.py > minillama/assets/corpus.md`"
    assert script.TITLE.format(arguments="") in committed, again
    assert "\n".join(script.split_table()) in committed, again
    for index in range(5):
        assert script.quoted(story(0, index)) in committed, again
    assert "## 200 MB of it" in committed


def test_a_small_sheet_has_the_parts_of_the_committed_one(script: ModuleType, committed: str) -> None:
    lines = "\n".join(script.sheet(0, 1, 20, 5, "")).splitlines()
    heads = [line.split(" | ")[0] for line in lines if line.startswith("|")]
    assert heads == [line.split(" | ")[0] for line in committed.splitlines() if line.startswith("|")]
    assert "| distinct stories | 100.0% | 100.0% |" in lines


def test_repeated_stories_are_counted(script: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    told = ["Mira ran home.", "Ben ran home.", "Mira ran home.", "Mira ran away."]
    monkeypatch.setattr(script, "NAME_WORDS", {"mira", "ben"})
    monkeypatch.setattr(script, "corpus", lambda seed, n_bytes: iter(told))
    counts, speed = script.tell_many(0, 1)
    assert counts == {"stories": 4, "bytes": 55, "words": 12, "distinct": 3, "distinct_without_names": 2}
    assert speed > 0
