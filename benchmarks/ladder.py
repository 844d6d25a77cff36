"""The ladder of kernels: one product from a Python loop to the dot-product instruction.

    python benchmarks/ladder.py [--rows 4096] [--columns 11008] [--threads 2] [--rounds 5] [--json]

One token: GB/s of weights, GOPS, and tokens/s of a LLaMA 7B in Q4_0 that did nothing but its products at that speed.
128 tokens: the same for reading a prompt. A multiplication and an addition are two operations. Rungs take turns,
medians count, compiling does not: the first start compiles for about a minute, later ones load what it left.
"""

import argparse
import json
import sys

from rich import box
from rich.console import Console
from rich.table import Table

from minillama.quant.kernels.rungs import MANY, Measurement, measure_rungs


def times_before(measurements: list[Measurement]) -> dict[str, float]:
    """How many times as fast as the rung before each rung is; those without one before them are left out."""
    found: dict[str, float] = {}
    before: Measurement | None = None
    for measured in measurements:
        if measured.seconds is None:
            continue
        if before and before.seconds and before.rung.tokens == measured.rung.tokens:
            found[measured.rung.name] = before.seconds / measured.seconds
        before = measured
    return found


def as_record(measured: Measurement, times: float | None) -> dict[str, object]:
    """One rung for --json."""
    return {
        "rung": measured.rung.name, "title": measured.rung.title, "layout": measured.rung.layout,
        "tokens": measured.rung.tokens, "path": measured.rung.path, "threads": measured.threads,
        "seconds": measured.seconds, "extrapolated": bool(measured.rung.sample), "gb_per_s": measured.gb_per_s,
        "gops": measured.gops, "times_the_rung_before": times, "tokens_per_s_7b": measured.tokens_per_s_7b,
        "missing": "" if measured.rung.path else measured.rung.lacking,
    }  # fmt: skip


def short(value: float | None) -> str:
    """A number with about three digits, nothing for None."""
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}" if value >= 0.01 else f"{value:.1g}"


def table_of(measurements: list[Measurement]) -> Table:
    """One line a rung, at most 80 characters wide."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("rung", no_wrap=True)
    for heading in ("layout", "threads", "ms", "GB/s", "GOPS", "x before", "7B tok/s"):
        table.add_column(heading, justify="right")
    times = times_before(measurements)
    for tokens in (1, MANY):
        table.add_section()
        table.add_row(f"[bold]{'one token' if tokens == 1 else f'{tokens} tokens'}[/bold]")
        for m in measurements:
            if m.rung.tokens == tokens:
                table.add_row(
                    m.rung.title + ("*" if m.rung.sample else ""), m.rung.layout, str(m.threads),
                    "missing" if m.seconds is None else short(1e3 * m.seconds), short(m.gb_per_s), short(m.gops),
                    short(times.get(m.rung.name)), short(m.tokens_per_s_7b),
                )  # fmt: skip
    return table


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="default: the physical cores")
    for option, default in (("rows", 4096), ("columns", 11008), ("rounds", 5), ("megabytes", 200)):
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--json", action="store_true", help="print a list of records instead of a table")
    options = parser.parse_args()
    measurements = measure_rungs((options.rows, options.columns), options.threads, options.rounds, options.megabytes)
    if options.json:
        times = times_before(measurements)
        print(json.dumps([as_record(measured, times.get(measured.rung.name)) for measured in measurements], indent=1))
        return
    console = Console(width=None if sys.stdout.isatty() else 100)
    console.print(f"y = W x, W {options.rows} x {options.columns} in Q4_0")
    console.print(table_of(measurements))
    for measured in measurements:
        if measured.seconds is None:
            console.print(f"missing: {measured.rung.title}, for {measured.rung.lacking}")
    console.print("* extrapolated from a part of the rows or tokens. Compile time is not counted.")
    console.print("NumPy's float products use as many threads as its library takes.")


if __name__ == "__main__":
    main()
