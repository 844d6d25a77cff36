"""`minillama finetune`: from a file of records to an adapter, and to a model that holds it."""

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner, Result

import minillama
from minillama.cli import app
from minillama.model import Llama, Pieces
from minillama.train.adapters import attach, read_adapter

RECORDS = [
    {"instruction": f"Say the number after {i}.", "input": "", "output": f"It is {i + 1}."} for i in range(30)
] + [{"instruction": "Be silent.", "input": "", "output": " "}]
OPTIONS = ("--steps", 4, "--batch-size", 8, "--lr", 1e-2, "--validation-share", 0.2, "--samples", 2, "--threads", 1)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["finetune", *map(str, arguments)])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "records.json"
    path.write_text(json.dumps(RECORDS))
    return path


def logged(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="") as file:
        return [row[:5] for row in csv.reader(file)]


@torch.no_grad()
def logits(model: object) -> torch.Tensor:
    assert isinstance(model, Llama)
    return model(torch.arange(300, 330)[None])


def test_records_become_an_adapter_and_a_merged_model(data: Path, tmp_path: Path) -> None:
    out, merged = tmp_path / "run", tmp_path / "merged.gguf"
    done = run("--data", data, "--out", out, *OPTIONS, "--targets", "q,gate", "--quant", "q4_0", "--merge-to", merged)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [str(out / "adapter"), str(merged)]
    assert "empty output: 1 left out (records 31)" in done.stderr
    assert "31 records: 24 to train on, 6 held out" in done.stderr
    assert re.search(
        r"Say the number after \d+\.\n  before: .*\n(.*\n)*  after: .*\n(.*\n)*  wanted: It is", done.stderr
    )
    assert len(json.loads((out / "examples.json").read_text())) == 2
    settings = json.loads((out / "adapter" / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["lora_dropout"]) == (8, 16, 0.05)
    assert settings["target_modules"] == ["gate_proj", "q_proj"]
    model, _ = minillama.load(quant="q4_0", pieces=Pieces())
    plain = logits(model)
    assert isinstance(model, Llama)
    attach(model, read_adapter(out / "adapter", model.config))
    tuned = logits(model.eval())
    torch.testing.assert_close(logits(minillama.load(merged, pieces=Pieces())[0]), tuned, atol=0.02, rtol=0.01)
    assert not torch.allclose(plain, tuned, atol=0.05)


def test_a_run_that_was_stopped_goes_on(data: Path, tmp_path: Path) -> None:
    assert run("--data", data, "--out", tmp_path / "whole", *OPTIONS).exit_code == 0
    stopped = run("--data", data, "--out", tmp_path / "parts", *OPTIONS, "--stop-after", 2)
    assert stopped.exit_code == 0, stopped.output
    assert len(logged(tmp_path / "parts")) == 3
    assert run("--data", data, "--out", tmp_path / "parts", *OPTIONS).exit_code == 0
    assert logged(tmp_path / "parts") == logged(tmp_path / "whole")
    for file in (tmp_path / "whole" / "adapter").iterdir():
        assert (tmp_path / "parts" / "adapter" / file.name).read_bytes() == file.read_bytes()
    other = run("--data", data, "--out", tmp_path / "parts", *OPTIONS, "--train-on", "all", "--rank", 4)
    assert other.exit_code == 2
    assert "was trained with other settings (lora, train_on)" in other.stderr


def test_all_weights(data: Path, tmp_path: Path) -> None:
    done = run("--data", data, "--out", tmp_path / "run", *OPTIONS, "--full", "--template", "alpaca-lora")
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "run" / "model.gguf")
    assert not torch.allclose(
        logits(minillama.load(tmp_path / "run" / "model.gguf", pieces=Pieces())[0]),
        logits(minillama.load(pieces=Pieces())[0]),
        atol=0.05,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--targets", "q,x"), "--targets holds x, expected some of q, k"),
        (("--train-on", "prompt"), "--train-on is prompt, expected response or all"),
        (("--schedule", "step"), "--schedule is step, expected linear, cosine or constant"),
        (("--template", "vicuna"), "--template is vicuna, expected one of stanford, alpaca-lora"),
        (("--dropout", 1.5), r"--dropout is 1\.5, expected at least 0"),
        (("--lr", 3), r"--lr is 3\.0, expected a share"),
        (("--full", "--quant", "q4_0"), "--full trains float32 weights, got q4_0"),
        (("--full", "--merge-to", "x.gguf"), "--merge-to joins an adapter and its base"),
        (("--merge-to", "nowhere/x.gguf"), "its parent is no folder"),
        (("--batch-size", 99), "29 samples, expected at least a batch of 99"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    data: Path, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    done = run("--data", data, "--out", tmp_path / "run", "--quiet", *options)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert re.match(rf"error: .*{message}", line), line
    assert not (tmp_path / "run" / "checkpoint.pt").exists()


def test_faulty_records_are_named(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    path.write_text(json.dumps([*RECORDS[:2], {"instruction": "x"}]))
    done = run("--data", path, "--out", tmp_path / "run")
    assert done.exit_code == 2
    assert "record 3 has no 'output'" in done.stderr
