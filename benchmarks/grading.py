"""A class of one assignment: how long grading takes, and how much longer than plain nbval.

    python benchmarks/grading.py [--submissions 200] [--jobs 2] [--honest 12] [--rounds 2] [--keep FOLDER]

First honest notebooks of lesson 04 are graded and run by plain nbval by turns, as many at once: answers and
`course.check`, without the cells that promote pieces or load a model. Then a mixed class is graded at once, once more
with the same seed, in a run that is killed half-way and started anew, and in four shards that are merged: all must give
the same bytes. Of every twenty, twelve are right, three hold wrong answers, two are half written, and of
the last three one is no notebook, one ends its kernel, and one never returns.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from minillama.course.grading.watching import PAGE, descendants

ROOT = Path(__file__).parents[1]
LESSON = "04_rope"
SEED = "c1a55" * 6 + "00"
NAMES = ["right"] * 12 + ["wrong"] * 3 + ["half"] * 2 + ["broken", "ends", "loops"]
WRONG = {"rope.apply_rope": "    return x", "rope.partial_rotary": "    return apply_rope(x, sin, cos)",
         "rope.permute_hf_to_meta": "    return weight"}  # fmt: skip
FAULTS = {"ends": "    import os; os._exit(1)", "loops": "    while True: pass"}


def handed_in(kind: str) -> bytes:
    """One learner's file."""
    if kind == "broken":
        return b"<html>Sign in to continue</html>"
    made = json.loads((ROOT / f"solutions/{LESSON}.ipynb").read_text(encoding="utf-8"))
    stubs = json.loads((ROOT / f"exercises/{LESSON}.ipynb").read_text(encoding="utf-8"))
    for number, cell in enumerate(made["cells"]):
        task = cell["metadata"].get("minillama", {}).get("task", "")
        head = "".join(cell["source"]).split("    # answer")[0]
        if kind == "half" and number % 2:
            cell["source"] = stubs["cells"][number]["source"]
        if kind == "wrong" and task in WRONG:
            cell["source"] = head + WRONG[task]
        if kind in FAULTS and task == "rope.convert_attention":
            cell["source"] = head + FAULTS[kind]
    return json.dumps(made).encode()


def plain(data: bytes) -> bytes:
    """The same notebook with nothing in it but what is graded and checked."""
    made = copy.deepcopy(json.loads(data))
    costly = ("course.promote", "minillama.load", "course.where")
    for cell in made["cells"]:
        lines = "".join(cell["source"]).split("\n")
        kept = [line for line in lines if not line.startswith(costly) and "minillama.generate" not in line]
        kept = [line for line in kept if not line.startswith("model, tokenizer")]
        cell["source"] = "\n".join(kept)
    return json.dumps(made).encode()


class Run:
    """`minillama grade` as a process that is watched: how long it takes, and the most memory of all its processes."""

    def __init__(self, folder: Path, out: Path, options: Sequence[str]) -> None:
        command = [sys.executable, "-m", "minillama", "grade", str(folder), "--out", str(out), "--quiet", *options]
        self.out, self.started, self.peak_bytes = out, time.monotonic(), 0
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)

    def wait(self, kill_after: int = 0) -> float:
        """Seconds until it has ended, by itself or because so many submissions were done."""
        journal = self.out / "journal.jsonl"
        while self.process.poll() is None:
            time.sleep(0.5)
            numbers = [self.process.pid, *descendants(self.process.pid)]
            self.peak_bytes = max(self.peak_bytes, sum(map(resident, numbers)))
            if kill_after and journal.exists() and journal.read_bytes().count(b"\n") > kill_after:
                self.process.kill()
                self.process.wait()
                return time.monotonic() - self.started
        assert self.process.returncode == 0, "minillama grade fails"
        return time.monotonic() - self.started


def written(folder: Path) -> list[bytes]:
    """The files of a report that follow from the submissions and the seed."""
    return [(folder / name).read_bytes() for name in ("gradebook.csv", "results.json", "audit.jsonl")]


def resident(number: int) -> int:
    """Memory of one process, in bytes."""
    try:
        return int(Path(f"/proc/{number}/statm").read_text().split()[1]) * PAGE
    except (OSError, ValueError, IndexError):
        return 0


def nbval(files: list[Path], jobs: int) -> float:
    """Seconds that plain nbval takes, in as many processes."""
    environment = os.environ | {"MINILLAMA_HOME": str(files[0].parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "-q"]
    started = time.monotonic()
    running = [
        subprocess.Popen([*command, *map(str, files[i::jobs])], cwd=files[0].parent, env=environment,
                         stdout=subprocess.DEVNULL)
        for i in range(jobs)
    ]  # fmt: skip
    codes = [each.wait() for each in running]
    assert codes == [0] * jobs, "plain nbval finds an error in an honest notebook"
    return time.monotonic() - started


def grade_class(folder: Path, top: Path, count: int, jobs: int) -> None:
    """Grade a class at once, again, killed half-way and gone on with, and in four shards: all must be the same."""
    common = ["--jobs", str(jobs), "--seed", SEED]
    run = Run(folder, top / "at-once", common)
    seconds = run.wait()
    print(f"class of {count}, {jobs} at once: {seconds:.0f} s, {seconds / count:.2f} s a submission, "
          f"peak {run.peak_bytes / 1e9:.2f} GB", flush=True)  # fmt: skip
    Run(folder, top / "again", common).wait()
    compare(top, "again", count)
    before = Run(folder, top / "killed", common).wait(kill_after=count // 2)
    after = Run(folder, top / "killed", common).wait()
    print(f"killed after {before:.0f} s, gone on for {after:.0f} s", flush=True)
    compare(top, "killed", count)
    parts = [top / f"shard-{i}" for i in range(1, 5)]
    for i, part in enumerate(parts, 1):
        Run(folder, part, [*common, "--shard", f"{i}/4"]).wait()
    merge = [sys.executable, "-m", "minillama", "grade", "merge", *map(str, parts), "--out", str(top / "merged")]
    subprocess.run(merge, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    compare(top, "merged", count)


def compare(top: Path, name: str, count: int) -> None:
    """Say whether one report holds what the class graded at once holds."""
    same = written(top / "at-once") == written(top / name)
    print(f"class of {count}, {name}: {'the same' if same else 'NOT THE SAME'} bytes as at once", flush=True)


def compare_with_nbval(honest: Path, bare: Path, top: Path, count: int, jobs: int, rounds: int) -> None:
    """Grade honest notebooks and run them by plain nbval, by turns."""
    ours, theirs = [], []
    for number in range(rounds):
        ours.append(Run(honest, top / f"honest-{number}", ["--jobs", str(jobs)]).wait())
        theirs.append(nbval(sorted(bare.glob("*.ipynb")), jobs))
    print(f"{count} honest ones, {rounds} times by turns: graded {sum(ours):.0f} s, plain nbval {sum(theirs):.0f} s, "
          f"ratio {sum(ours) / sum(theirs):.2f}")  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--honest", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = options.keep or Path(name)
        mixed, honest, bare = (top / each for each in ("class", "honest", "plain"))
        for folder, count in ((mixed, options.submissions), (honest, 0), (bare, 0)):
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"learner-{number:03}.ipynb").write_bytes(handed_in(NAMES[number % len(NAMES)]))
        for number in range(options.honest):
            (honest / f"learner-{number:03}.ipynb").write_bytes(handed_in("right"))
            (bare / f"learner-{number:03}.ipynb").write_bytes(plain(handed_in("right")))
        if options.honest:
            compare_with_nbval(honest, bare, top, options.honest, options.jobs, options.rounds)
        if options.submissions:
            grade_class(mixed, top, options.submissions, options.jobs)


if __name__ == "__main__":
    main()
