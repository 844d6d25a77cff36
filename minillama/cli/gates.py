"""Whether a model has learned what the lessons need."""

import json as json_module
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

from minillama.cli.app import console, note
from minillama.cli.arguments import ModelArgument, ThreadsOption, TokenizerOption, find_model, use_threads

if TYPE_CHECKING:
    from minillama.train.gates import Gate, Report


def gates(
    model: ModelArgument = None,
    json: Annotated[bool, Option("--json", help="Print one JSON object.")] = False,
    out: Annotated[Path | None, Option(help="Where heads.json goes; left out, beside the model.")] = None,
    seeds: Annotated[int, Option(min=1, max=100, help="Measure so often; a gate is met when it always is.")] = 1,
    threads: ThreadsOption = None,
    tokenizer: TokenizerOption = None,
) -> None:
    """Measure what a model of stories has learned, beside baselines; exit code 1 if that is not enough."""
    path = find_model(model)
    out = out or (path if path.is_dir() else path.parent) / "heads.json"
    if not out.parent.is_dir() or out.is_dir():
        raise typer.BadParameter(f"--out is {out}, expected a file in a folder that exists: name another one")
    if not os.access(out.parent, os.W_OK):
        raise typer.BadParameter(f"{out.parent} cannot be written to: name another file with --out")
    use_threads(threads)
    import minillama
    from minillama.train.gates import heads_record, measure, write_heads

    loaded, reader = minillama.load(path, quant="none", dtype="float32", tokenizer=tokenizer)
    assert isinstance(loaded, minillama.Llama)  # "none" gives the torch model
    found = measure(loaded, reader, seeds, lambda seed, step: note(f"seed {seed}: {step}"))
    record = heads_record(found, path, seeds)
    if json:
        print(json_module.dumps({**record, "met": found.met, **_as_json(found)}, indent=1))
    else:
        _show(found)
    write_heads(record, out)
    note(f"wrote {out}")
    if not found.met:
        raise typer.Exit(1)


def _as_json(report: "Report") -> dict[str, Any]:
    measured = [{**asdict(gate), "value": gate.value, "met": gate.met} for gate in report.gates]
    texts = [{"prompt": prompt, "completion": completion} for prompt, completion in report.texts]
    return {"gates": measured, "texts": texts}


def _show(report: "Report") -> None:
    from rich.table import Table

    for prompt, completion in report.texts:
        print(f"[{prompt}]{completion}\n")
    table = Table(box=None, pad_edge=False)
    for column in ("gate", "measured", "wanted", "untrained", "chance", "", "note"):
        table.add_column(column, justify="left" if column in ("gate", "", "note") else "right", overflow="fold")
    for gate in report.gates:
        table.add_row(*_row(gate))
    console().print(table)
    for kind, heads in report.heads.items():
        places = ", ".join(f"layer {head.layer} head {head.head} ({head.score:.2f})" for head in heads)
        print(f"{kind.replace('_', '-')} heads, the best: {places}")
    failed = [gate.name for gate in report.gates if gate.met is False]
    judged = sum(gate.met is not None for gate in report.gates)
    print(f"{judged - len(failed)} of {judged} gates met" + "".join(f"\nNOT MET: {name}" for name in failed))


def _row(gate: "Gate") -> tuple[str, ...]:
    measured = f"{gate.value:.3f}"
    if len(gate.values) > 1:
        measured += f" ({min(gate.values):.3f} to {max(gate.values):.3f})"
    wanted = "" if gate.wanted is None else f"{'>=' if gate.at_least else '<='} {gate.wanted:g}"
    verdict = {True: "pass", False: "NOT MET", None: ""}[gate.met]
    beside = ["" if number is None else f"{number:.3f}" for number in (gate.untrained, gate.chance)]
    return gate.name, measured, wanted, *beside, verdict, gate.note
