"""The gates: what passes and what does not, the same for the same seed, and the command that prints them."""

import dataclasses
import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from minillama.checkpoint.gguf_writer import write_gguf
from minillama.checkpoint.loading import load_tokenizer
from minillama.checkpoint.source import from_model
from minillama.cli import app
from minillama.config import ModelConfig
from minillama.heads import Head
from minillama.model import Llama
from minillama.tokenizer import Tokenizer
from minillama.train import gates, head_probes, story_probes
from minillama.train.gates import Gate, Report, digest, heads_record, measure, write_heads

SIZES = {"dim": 32, "n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "hidden_dim": 32, "vocab_size": 2048, "tied": True}
PASSED = Gate(name="best head", values=(0.8, 0.6), wanted=0.5, untrained=0.1, chance=0.05)
FAILED = Gate(name="worst head", values=(0.8, 0.4), wanted=0.5, note="too weak")
TOLD = Gate(name="loss", values=(1.5,))
HEADS = {kind: [Head(1, 2, 0.91239), Head(0, 1, 0.5)] for kind in head_probes.KINDS}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> tuple[Llama, Tokenizer]:
    """A model that was never trained, and few questions to it."""
    for module, sizes in (
        (gates, {"N_ITEMS": 2, "N_ITEMS_UNTRAINED": 1, "NEW_TOKENS": 4, "PROMPTS": ("Once", "One day, a")}),
        (story_probes, {"N_LOSS_STORIES": 2, "LOSS_WINDOW": 64, "N_KNOWN_STORIES": 3, "RIVALS_AMONG": 12}),
        (head_probes, {"SPAN": 8, "N_SPANS": 2, "N_STORIES": 2, "WINDOW": 32, "N_DRAWS": 2}),
    ):
        for name, size in sizes.items():
            monkeypatch.setattr(module, name, size)
    model = Llama(ModelConfig(**SIZES, max_seq_len=1024)).requires_grad_(False).eval()
    model.init_weights(5)
    return model, load_tokenizer()


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["gates", *map(str, arguments)])


def test_a_gate_is_met_when_every_seed_meets_it() -> None:
    assert PASSED.met is True
    assert FAILED.met is False
    assert FAILED.value == pytest.approx(0.6)
    assert TOLD.met is None
    assert Gate(name="random heads", values=(0.05, 0.1), wanted=0.1, at_least=False).met is True
    assert Gate(name="random heads", values=(0.05, 0.2), wanted=0.1, at_least=False).met is False
    assert Gate(name="share of nothing", values=(0.9,), wanted=0.5, empty=True).met is False
    assert Report(gates=(PASSED, TOLD), heads={}, texts=()).met
    assert not Report(gates=(PASSED, FAILED), heads={}, texts=()).met


def test_an_untrained_model_fails_and_measures_alike_twice(small: tuple[Llama, Tokenizer]) -> None:
    seeds: set[int] = set()
    found = measure(*small, 2, lambda seed, step: seeds.add(seed))
    assert found == measure(*small, 2)
    assert seeds == {0, 1}
    by_name = {gate.name: gate for gate in found.gates}
    assert len(by_name) == len(found.gates) == 16
    assert all(len(gate.values) == 2 for gate in found.gates)
    for name in (
        "random span, cheaper when repeated (nats)",
        "best induction head",
        "best previous-token head",
        "gain lost without the best induction heads",
        "gain lost without as many random heads",
    ):
        assert by_name[name].met is False, name
    wanted = {gate.name: gate.wanted for gate in found.gates if gate.wanted is not None}
    assert list(wanted.values()) == [0.9, 0.9, 2.0, 0.5, 0.7, 0.5, 0.1]
    loss = by_name["loss on held-out stories (nats)"]
    assert loss.untrained == pytest.approx(loss.value, rel=0.2)
    assert loss.chance == pytest.approx(7.6246, abs=1e-3)  # ln 2048
    assert [prompt for prompt, _ in found.texts] == ["Once", "One day, a"]
    assert {kind: len(heads) for kind, heads in found.heads.items()} == dict.fromkeys(head_probes.KINDS, 4)


def test_command_prints_and_writes(small: tuple[Llama, Tokenizer], tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    write_gguf(from_model(*small), path, format="f16")
    result = run(path)
    assert result.exit_code == 1, result.output
    assert "NOT MET: best induction head\n" in result.stdout
    assert "[One day, a]" in result.stdout
    record = json.loads((tmp_path / "heads.json").read_bytes())
    assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (record["model"], record["seeds"]) == ("model.gguf", 1)
    other = tmp_path / "other.json"
    found = json.loads(run(path, "--json", "--quiet", "--out", other).stdout)
    assert json.loads(other.read_bytes()) == record == {key: found[key] for key in record}
    assert found["met"] is False
    assert [gate["wanted"] for gate in found["gates"] if gate["name"] == "best induction head"] == [0.5]
    assert all(gate.keys() >= {"value", "values", "met", "untrained", "chance"} for gate in found["gates"])
    assert [text["prompt"] for text in found["texts"]] == ["Once", "One day, a"]


def test_command_ends_well_when_all_gates_are_met(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = Report(gates=(PASSED, TOLD), heads=HEADS, texts=(("One day", " it rained."),))
    monkeypatch.setattr(gates, "measure", lambda *_: report)
    out = tmp_path / "heads.json"
    result = run("--out", out)
    assert result.exit_code == 0, result.output
    assert "1 of 1 gates met" in result.stdout
    assert "0.700 (0.600 to 0.800)" in result.stdout
    assert "layer 1 head 2 (0.91)" in result.stdout
    assert json.loads(out.read_bytes())["sink"][0] == {"layer": 1, "head": 2, "score": 0.912}
    monkeypatch.setattr(gates, "measure", lambda *_: dataclasses.replace(report, gates=(PASSED, FAILED)))
    result = run("--out", out)
    assert result.exit_code == 1
    assert "1 of 2 gates met\nNOT MET: worst head" in result.stdout


def test_a_place_that_is_no_file_is_an_error_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for out in (tmp_path / "missing" / "heads.json", tmp_path):
        result = run("--out", out)
        assert (result.exit_code, result.stdout) == (2, "")
        assert f"error: --out is {out}, expected a file in a folder that exists" in result.stderr
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    result = run()
    assert (result.exit_code, result.stdout) == (2, "")
    assert "assets cannot be written to: name another file with --out" in result.stderr


def test_digest_of_a_folder_is_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_bytes(b"{}")
    one = digest(tmp_path)
    write_heads(heads_record(Report(gates=(), heads=HEADS, texts=()), tmp_path, 1), tmp_path / "heads.json")
    assert digest(tmp_path) == one
    (tmp_path / "params.json").write_bytes(b"{ }")
    assert digest(tmp_path) != one
