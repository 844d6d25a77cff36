"""The instruction set from the command line: write it, teach it to the bundled model, measure what was learned.

python -m minillama.train.instructions write FILE.json --count 10000 [--split held_out] [--seed 0]
python -m minillama.train.instructions teach --out DIR [--steps N] [--threads 2] [--stop-after N]
python -m minillama.train.instructions measure [--adapter DIR] [--count 100] [--json FILE] [--samples N]
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from minillama.errors import MinillamaError
from minillama.files import new_file
from minillama.train.instructions.generate import SPLITS, tasks
from minillama.train.instructions.measure import Score, measure
from minillama.train.instructions.sheet import sheet
from minillama.train.runs import Progress

ENOUGH = 0.8  # share of right answers from which a kind counts as learned


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def write(options: argparse.Namespace) -> None:
    """Write tasks in Alpaca's format, as `minillama finetune --data` reads them."""
    records = [each.record() for _, each in islice(tasks(options.seed, options.split), options.count)]
    with new_file(options.file) as file:
        file.write((json.dumps(records, indent=0) + "\n").encode())
    print(options.file)


def teach(options: argparse.Namespace) -> None:
    """Train the adapter and print where it is."""
    from minillama.train.instructions.teach import RECIPE
    from minillama.train.instructions.teach import teach as run

    recipe = replace(RECIPE, n_steps=options.steps or RECIPE.n_steps, seed=options.seed)
    began = time.monotonic()

    def report(progress: Progress) -> None:
        if progress.step % 20 == 0 or progress.validation is not None:
            held = "" if progress.validation is None else f", held out {progress.validation:.3f}"
            spent = time.monotonic() - began
            _say(f"step {progress.step} of {progress.n_steps}: loss {progress.loss:.3f}{held}, {spent:.0f} s")

    print(run(options.out, recipe, report, options.stop_after))


def _table(before: Sequence[Score], after: Sequence[Score]) -> str:
    lines = ["| kind | before | after | tasks |", "|---|---:|---:|---:|"]
    for trained in (True, False):
        if not trained:
            lines.append("| **never trained on** | | | |")
        for one, other in zip(before, after, strict=True):
            if one.trained == trained:
                lines.append(f"| {one.kind} | {one.share:.0%} | {other.share:.0%} | {len(one.tasks)} |")
    learned = [score for score in after if score.trained]
    above = sum(score.share > ENOUGH for score in learned)
    mean = [sum(score.share for score in scores if score.trained) / len(learned) for scores in (before, after)]
    return "\n".join(
        [*lines, "", f"{above} of {len(learned)} trained kinds above {ENOUGH:.0%}; mean {mean[0]:.1%} -> {mean[1]:.1%}"]
    )


def _on_one_line(text: str) -> str:
    return text.replace("\n", "\\n")


def _samples(scores: Sequence[Score], count: int) -> str:
    """The first answers of each kind, as they are."""
    lines = []
    for score in scores:
        for asked, said in list(zip(score.tasks, score.answers, strict=True))[:count]:
            about = f" | {asked.input}" if asked.input else ""
            verdict = "right" if asked.is_right(said) else f"wrong, expected: {asked.output}"
            lines.append(f"- **{score.kind}**: {asked.instruction}{about} -> `{_on_one_line(said)}` ({verdict})")
    return "\n".join(lines)


def _as_json(before: Sequence[Score], after: Sequence[Score]) -> list[dict[str, Any]]:
    return [
        {
            "kind": one.kind,
            "trained": one.trained,
            "tasks": len(one.tasks),
            "before": one.n_right,
            "after": other.n_right,
            "answers": [
                {**asked.record(), "answer": said, "right": asked.is_right(said)}
                for asked, said in zip(other.tasks, other.answers, strict=True)
            ],
        }
        for one, other in zip(before, after, strict=True)
    ]


def measure_both(options: argparse.Namespace) -> None:
    """Ask the bundled model without and with an adapter, and print a table."""
    from minillama.checkpoint.bundled import bundled_adapter
    from minillama.train.adapters import attach, read_adapter
    from minillama.train.instructions.teach import load_base

    model, tokenizer = load_base()
    adapter = read_adapter(options.adapter or bundled_adapter(), model.config)

    def report(score: Score) -> None:
        _say(f"{score.kind}: {score.n_right} of {len(score.tasks)}")

    before = measure(model, tokenizer, options.count, options.seed)
    attach(model, adapter)
    after = measure(model.eval(), tokenizer, options.count, options.seed, report=report)
    print(_table(before, after))
    if options.samples:
        print("\n" + _samples(after, options.samples))
    if options.json:
        with new_file(options.json) as file:
            file.write((json.dumps(_as_json(before, after), indent=1) + "\n").encode())


def show_sheet(options: argparse.Namespace) -> None:
    """Print the data sheet."""
    print(sheet(options.seed), end="")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m minillama.train.instructions", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(required=True)
    writing = commands.add_parser("write", help=write.__doc__)
    writing.add_argument("file", type=Path)
    writing.add_argument("--count", type=int, default=10_000)
    writing.add_argument("--split", choices=SPLITS, default="train")
    writing.set_defaults(run=write)
    teaching = commands.add_parser("teach", help=teach.__doc__)
    teaching.add_argument("--out", type=Path, required=True)
    teaching.add_argument("--steps", type=int)
    teaching.add_argument("--stop-after", type=int)
    teaching.set_defaults(run=teach)
    showing = commands.add_parser("sheet", help=show_sheet.__doc__)
    showing.set_defaults(run=show_sheet)
    measuring = commands.add_parser("measure", help=measure_both.__doc__)
    measuring.add_argument("--adapter", type=Path, help="left out, the bundled one")
    measuring.add_argument("--count", type=int, default=100, help="tasks of each kind")
    measuring.add_argument("--samples", type=int, default=0, help="answers of each kind to show")
    measuring.add_argument("--json", type=Path, help="file for every answer")
    measuring.set_defaults(run=measure_both)
    for command in (writing, teaching, showing, measuring):
        command.add_argument("--seed", type=int, default=0)
        command.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser


def main() -> None:
    """Run one command; an error of the user is one line and exit code 2."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    try:
        options.run(options)
    except (MinillamaError, OSError) as error:
        _say(f"error: {error}")
        sys.exit(2)


if __name__ == "__main__":
    main()
