"""From a folder, an archive or the download of a learning platform to submissions, one a file.

Known layouts, told by the names alone:

    ada.ipynb, ada.zip                                     a file a learner
    ada/anything/04_rope.ipynb                             a folder a learner
    lovelaceada_LATE_1234_56789_04_rope-1.ipynb            Canvas: name, LATE, user's id, submission's id, file
    Ada Lovelace_1234_assignsubmission_file/04_rope.ipynb  Moodle: name, participant's number; also with "_" for "/"
    submission_1234/04_rope.ipynb                          Gradescope: names are in submission_metadata.yml
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from minillama.course.grading.moments import read_instant
from minillama.course.grading.records import Submission
from minillama.course.grading.untrusted import archive_members, clean_name, plain_files, read_regular
from minillama.errors import DataError

CANVAS = re.compile(r"(?P<name>[^_/]+)(?P<late>_LATE)?_(?P<canvas>\d+)_(?P<number>\d+)_[^/]+")
MOODLE = re.compile(r"(?P<name>[^/]+)_(?P<moodle>\d+)_assignsubmission_file_?(?:/.*|[^/]*)")
GRADESCOPE = re.compile(r"(?:[^/]+/)?(?P<entry>submission_\d+)/.+")
METADATA = "submission_metadata.yml"
NOTHING = "got no notebook, expected one .ipynb file"


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Whom a path belongs to."""

    name: str
    identity: Mapping[str, str] = field(default_factory=dict)
    late: bool = False
    submitted: str = ""


def collect(source: Path, scratch: Path) -> list[Submission]:
    """All submissions below a folder or inside an archive, sorted by learner and attempt.

    Args:
        source: a folder, a zip archive or one notebook.
        scratch: an empty folder for copies of what lies in archives; it has to stay until all are graded.

    Raises:
        DataError: nothing there can be a submission.
    """
    if source.is_dir():
        found = list(plain_files(source))
    elif source.suffix.lower() == ".zip" and source.is_file():
        found = list(archive_members(source, scratch))
    elif source.is_file():
        found = [(PurePosixPath(source.name), source, "")]
    else:
        raise DataError(f"{source}: not found, expected a folder, a zip archive or a notebook")
    found = _without_common_folder(found)
    people = _gradescope_people(found)
    submissions = list(_submissions(found, people, scratch))
    if not submissions:
        raise DataError(f"{source}: holds no notebooks, expected one .ipynb file a learner")
    return number_attempts(_tell_apart(submissions))


def _without_common_folder(found: list[tuple[PurePosixPath, Path, str]]) -> list[tuple[PurePosixPath, Path, str]]:
    """Take off a folder that holds everything, as archives have one, unless it is a learner's own."""
    tops = {path.parts[0] for path, _, _ in found}
    deep = all(len(path.parts) > 2 for path, _, _ in found)
    if len(tops) == 1 and (deep or any(path.name == METADATA for path, _, _ in found)):
        return [(PurePosixPath(*path.parts[1:]), file, problem) for path, file, problem in found]
    return found


def _submissions(
    found: Iterable[tuple[PurePosixPath, Path, str]], people: Mapping[str, _Person], scratch: Path
) -> Iterator[Submission]:
    for number, (path, file, problem) in enumerate(found):
        if path.suffix.lower() == ".yml":
            continue
        person = _person(path, people)
        if path.suffix.lower() == ".ipynb" or problem:
            yield _submission(person, file, str(path), problem)
            continue
        inside = scratch / f"inside-{number:05}"
        inside.mkdir()
        try:
            members = [each for each in archive_members(file, inside) if each[0].suffix.lower() == ".ipynb"]
        except DataError as error:
            yield _submission(person, file, str(path), str(error))
            continue
        if not members:
            yield _submission(person, file, str(path), NOTHING)
        for member, copy, trouble in members:
            yield _submission(person, copy, f"{path}/{member}", trouble)


def _submission(person: _Person, file: Path, name: str, problem: str) -> Submission:
    return Submission(
        learner=person.name, file=file, name=clean_name(name), submitted=person.submitted, late=person.late,
        identity=person.identity, problem=problem,
    )  # fmt: skip


def _person(path: PurePosixPath, people: Mapping[str, _Person]) -> _Person:
    """Whom a path belongs to, by the layouts above."""
    text = str(path)
    if match := GRADESCOPE.fullmatch(text):
        return people.get(match["entry"], _Person(name=match["entry"]))
    if match := MOODLE.fullmatch(text):
        return _Person(name=clean_name(match["name"]), identity={"moodle": match["moodle"]})
    if len(path.parts) == 1 and (match := CANVAS.fullmatch(text)):
        identity = {"canvas": match["canvas"]}
        return _Person(name=clean_name(match["name"]), identity=identity, late=bool(match["late"]))
    return _Person(name=clean_name(path.parts[0] if len(path.parts) > 1 else path.stem))


def _gradescope_people(found: Iterable[tuple[PurePosixPath, Path, str]]) -> dict[str, _Person]:
    """Entry -> person, from the one kind of YAML that Gradescope writes; what else stands there is passed over."""
    files = [file for path, file, problem in found if path.name == METADATA and not problem]
    people: dict[str, _Person] = {}
    entry, known = "", dict[str, str]()
    for line in read_regular(files[0]).decode("utf-8", "replace").splitlines() if files else ():
        if match := re.fullmatch(r"(submission_\d+):\s*", line):
            entry, known = match[1], {}
        elif entry and (match := re.fullmatch(r"\s*(?:- )?:(name|sid|email|created_at): *(.*)", line)):
            known.setdefault(match[1], match[2].strip().strip("'\""))
            identity = {key: clean_name(known[key]) for key in ("sid", "email") if known.get(key)}
            name = clean_name(known.get("name") or known.get("email") or entry)
            submitted = clean_name(known.get("created_at", "")) if known.get("created_at") else ""
            people[entry] = _Person(name=name, identity=identity | {"gradescope": entry}, submitted=submitted)
    return people


def _tell_apart(submissions: list[Submission]) -> list[Submission]:
    """Give people of one name, whom the source tells apart, names of their own."""
    identities = defaultdict(set)
    for each in submissions:
        identities[each.learner].add(tuple(sorted(each.identity.items())))
    return [
        replace(each, learner=f"{each.learner} ({'; '.join(each.identity.values())})")
        if len(identities[each.learner]) > 1 else each
        for each in submissions
    ]  # fmt: skip


def number_attempts(submissions: list[Submission]) -> list[Submission]:
    """Count each learner's files, in the order of their times and names."""
    counts: dict[str, int] = defaultdict(int)
    numbered = []
    for each in sorted(submissions, key=lambda one: (one.learner, _when(one.submitted), _natural(one.name))):
        counts[each.learner] += 1
        numbered.append(replace(each, attempt=counts[each.learner]))
    return numbered


def _when(text: str) -> tuple[float, str]:
    """A key that puts times in their order, and what is none in front of them."""
    moment = read_instant(text)
    return (moment.timestamp() if moment is not None else -math.inf, text)


def _natural(name: str) -> list[tuple[int, int, str]]:
    """A key that puts 9 before 10."""
    return [(int(part.isdigit()), int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d{1,18})", name)]
