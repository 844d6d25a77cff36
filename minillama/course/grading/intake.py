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
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from minillama.course.grading.moments import read_instant
from minillama.course.grading.records import Submission
from minillama.course.grading.untrusted import MAX_OWN_BYTES, archive_members, clean_name, plain_files, read_regular
from minillama.errors import DataError

CANVAS = re.compile(r"(?P<name>[^_/]+)(?P<late>_LATE)?_(?P<canvas>\d+)_(?P<number>\d+)_[^/]+")
MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<moodle>\d+)_assignsubmission_file_?(?:/.*|[^/]*)")  # the first such words
METADATA = "submission_metadata.yml"
NOTHING = "got no notebook, expected one .ipynb file"
MAX_FILES = 40  # of one learner


@dataclass(frozen=True, kw_only=True)
class _Person:
    """Whom a path belongs to."""

    name: str
    identity: Mapping[str, str] = field(default_factory=dict)
    late: bool = False
    submitted: str = ""


def collect(source: Path, scratch: Path, is_learner: Callable[[str], bool] = lambda name: False) -> list[Submission]:
    """All submissions below a folder or inside an archive, sorted by learner and attempt.

    Args:
        source: a folder, a zip archive or one notebook.
        scratch: an empty folder for copies of what lies in archives; it has to stay until all are graded.
        is_learner: whether a folder of this name is somebody's own.

    Raises:
        DataError: nothing there can be a submission.
        OSError: the folder cannot be read, or the disk is full.
    """
    if source.is_dir():
        found = list(plain_files(source))
    elif source.suffix.lower() == ".zip" and source.is_file():
        try:
            found = list(archive_members(source, scratch))
        except DataError as error:
            raise DataError(f"{source}: {error}") from error
    elif source.is_file():
        found = [(PurePosixPath(source.name), source, "")]
    else:
        raise DataError(f"{source}: not found, expected a folder, a zip archive or a notebook")
    found = _without_common_folder(found, is_learner)
    people = _gradescope_people(found)
    submissions = list(_submissions(found, people, scratch))
    if not submissions:
        raise DataError(f"{source}: holds no notebooks, expected one .ipynb file a learner")
    return number_attempts(_not_too_many(_tell_apart(submissions)))


def _without_common_folder(
    found: list[tuple[PurePosixPath, Path, str]], is_learner: Callable[[str], bool]
) -> list[tuple[PurePosixPath, Path, str]]:
    """Take off a folder that holds everything, as archives have one, unless it is a learner's own."""
    tops = {path.parts[0] for path, _, _ in found}
    others = {path.parts[1] for path, _, _ in found if len(path.parts) > 2}
    deep = len(others) > 1 and all(len(path.parts) > 2 for path, _, _ in found)
    known = any(path.parts[1:] == (METADATA,) for path, _, _ in found)
    if len(tops) != 1 or not (deep or known) or any(MOODLE.fullmatch(top) or is_learner(top) for top in tops):
        return found
    return [(PurePosixPath(*path.parts[1:]), file, problem) for path, file, problem in found]


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
            if file.stat().st_size > MAX_OWN_BYTES:
                raise DataError(f"got an archive of more than {MAX_OWN_BYTES >> 20} MB, expected one notebook")
            opened = archive_members(file, inside, MAX_OWN_BYTES)
            members = [each for each in opened if each[0].suffix.lower() == ".ipynb"]
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
    if len(path.parts) > 1 and path.parts[0] in people:
        return people[path.parts[0]]
    if match := CANVAS.fullmatch(text):  # before Moodle: what follows the numbers is the learner's
        identity = {"canvas": match["canvas"]}
        return _Person(name=clean_name(match["name"]), identity=identity, late=bool(match["late"]))
    if match := MOODLE.fullmatch(text):
        return _Person(name=clean_name(match["name"]), identity={"moodle": match["moodle"]})
    return _Person(name=clean_name(path.parts[0] if len(path.parts) > 1 else path.stem))


def _gradescope_people(found: Iterable[tuple[PurePosixPath, Path, str]]) -> dict[str, _Person]:
    """Entry -> person, from the one kind of YAML that Gradescope writes; what else stands there is passed over.

    Only the file at the top is Gradescope's, and only lines that are as far from the margin as it puts them: deeper
    ones, and files below, hold what learners wrote.
    """
    files = [file for path, file, problem in found if path.parts == (METADATA,) and not problem]
    people: dict[str, _Person] = {}
    entry, known = "", dict[str, str]()
    for line in read_regular(files[0], MAX_OWN_BYTES).decode("utf-8", "replace").split("\n") if files else ():
        if match := re.fullmatch(r"(submission_\d+):\s*", line):
            entry, known = match[1], {}
        elif entry and (match := re.match(r"(?:  - |    ):(name|sid|email): *(.*)|  :(created_at): *(.*)", line)):
            known.setdefault(match[1] or match[3], (match[2] or match[4] or "").strip().strip("'\""))
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


def _not_too_many(submissions: list[Submission]) -> list[Submission]:
    """The same, but one that says so in the place of more files of a learner than anybody reads in time."""
    counts = Counter(each.learner for each in submissions)
    words = f"expected at most {MAX_FILES}: ask for the one that counts"
    kept = [each for each in submissions if counts[each.learner] <= MAX_FILES]
    first = {each.learner: each for each in submissions if counts[each.learner] > MAX_FILES}
    return kept + [
        replace(each, name="all files", submitted="", problem=f"got {counts[each.learner]} files, {words}")
        for each in first.values()
    ]


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
    parts = enumerate(re.split(r"(\d{1,18})", name))  # numbers stand at the odd places
    return [(place % 2, int(part) if place % 2 else 0, part) for place, part in parts]
