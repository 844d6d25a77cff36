"""A class of one assignment: how long grading takes, and how much longer than plain nbval.

    python benchmarks/grading.py [--submissions 200] [--jobs 2] [--honest 12] [--keep FOLDER]

First a mixed class of lesson 04 is graded: of every twenty, twelve are right, three hold wrong answers, two are half
written, and of the last three one is no notebook, one ends its kernel, and one never returns. Then honest ones are both
graded and run by plain nbval, as many at once, in this one run: answers and `course.check`, without the cells that
promote pieces or load a model.
"""

import argparse
import copy
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from minillama.course.grading.watching import PAGE, descendants

ROOT = Path(__file__).parents[1]
LESSON = "04_rope"
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


def grade(folder: Path, out: Path, jobs: int) -> tuple[float, int]:
    """Seconds, and the largest resident memory of all processes together."""
    command = [
        sys.executable,
        "-m",
        "minillama",
        "grade",
        str(folder),
        "--out",
        str(out),
        "--jobs",
        str(jobs),
        "--quiet",
    ]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    peak, ended = [0], threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            peak[0] = max(peak[0], sum(map(resident, [process.pid, *descendants(process.pid)])))

    thread = threading.Thread(target=watch)
    thread.start()
    process.wait()
    ended.set()
    thread.join()
    return time.monotonic() - started, peak[0]


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


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--submissions", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--honest", type=int, default=12)
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        top = options.keep or Path(name)
        mixed, honest, bare = (top / each for each in ("class", "honest", "plain"))
        for folder in (mixed, honest, bare):
            folder.mkdir(parents=True)
        for number in range(options.submissions):
            (mixed / f"learner-{number:03}.ipynb").write_bytes(handed_in(NAMES[number % len(NAMES)]))
        for number in range(options.honest):
            (honest / f"learner-{number:03}.ipynb").write_bytes(handed_in("right"))
            (bare / f"learner-{number:03}.ipynb").write_bytes(plain(handed_in("right")))
        if options.submissions:
            seconds, peak = grade(mixed, top / "report", options.jobs)
            print(f"class of {options.submissions}, {options.jobs} at once: {seconds:.0f} s, "
                  f"{seconds / options.submissions:.2f} s a submission, peak {peak / 1e9:.2f} GB")  # fmt: skip
        if options.honest:
            ours, _ = grade(honest, top / "report-honest", options.jobs)
            theirs = nbval(sorted(bare.glob("*.ipynb")), options.jobs)
            print(f"{options.honest} honest ones: graded {ours:.1f} s, plain nbval {theirs:.1f} s, "
                  f"ratio {ours / theirs:.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
