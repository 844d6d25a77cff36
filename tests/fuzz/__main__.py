"""python -m tests.fuzz READER --executions N --seed S: fuzz one of the binary readers, and print what was found."""

import argparse
import hashlib
import logging
import sys
import tempfile
from pathlib import Path

from tests.fuzz.readers import READERS
from tests.fuzz.runner import fuzz


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("reader", choices=[*READERS])
    parser.add_argument("--executions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="folder for inputs that found something (default: a temporary one)")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    reader = READERS[options.reader]
    report = fuzz(reader, options.executions, options.seed)
    print(
        f"{options.reader}: {report.executions} executions in {report.seconds:.0f} s,"
        f" {report.executions / max(report.seconds, 1e-9):.0f} a second; {report.accepted} accepted,"
        f" {report.places} places that refuse; {len(report.findings)} findings"
    )
    if report.findings:
        folder = options.out or Path(tempfile.mkdtemp(prefix=f"fuzz_{options.reader}_"))
        folder.mkdir(parents=True, exist_ok=True)
        for wrong, data in report.findings.items():
            path = folder / f"{options.reader}_{hashlib.sha256(data).hexdigest()[:12]}"
            path.write_bytes(data)
            print(f"  {path}: {wrong}")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
