"""Folders, archives and downloads of learning platforms, honest and hostile, become submissions."""

import errno
import io
import json
import os
import random
import stat
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from minillama.course.grading import untrusted
from minillama.course.grading.intake import collect, number_attempts
from minillama.course.grading.reading import pick_answers, read_cells
from minillama.course.grading.records import Submission
from minillama.course.grading.untrusted import clean_name, read_regular
from minillama.errors import DataError

NOTEBOOK = json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def fill(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(NOTEBOOK)


def zipped(*names, **contents):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, NOTEBOOK)
        for name, content in contents.items():
            archive.writestr(name.replace("__", "."), content)
    return file.getvalue()


def handed_in(source, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    return collect(source, scratch)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("names", "learners"),
    [
        (("ada.ipynb", "bob.ipynb"), ["ada", "bob"]),
        (("ada/04_rope.ipynb", "bob/deep/er/x.ipynb", "bob/.ipynb_checkpoints/x.ipynb"), ["ada", "bob"]),
        (("class/ada/04_rope.ipynb", "class/bob/04_rope.ipynb"), ["ada", "bob"]),
        (("lovelaceada_1_22_a.ipynb", "hopper_LATE_3_44_04_rope-1.ipynb"), ["hopper", "lovelaceada"]),
        (("Ada L_7_assignsubmission_file/x.ipynb", "Bo_8_assignsubmission_file_/x.ipynb"), ["Ada L", "Bo"]),
        (("Ada L_7_assignsubmission_file_x.ipynb", "Bo_8_assignsubmission_file_x.ipynb"), ["Ada L", "Bo"]),
    ],
)
def test_layouts(packed, names, learners, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, *names)
    source = folder
    if packed:
        source = tmp_path / "in.zip"
        source.write_bytes(zipped(*names))
    found = handed_in(source, tmp_path)
    assert [each.learner for each in found] == learners
    assert all(not each.problem and each.file.read_bytes() == NOTEBOOK for each in found)


def test_canvas_tells_who_is_late_and_by_which_number(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, "hopper_LATE_3_44_04_rope-1.ipynb", "hopper_5_45_x.ipynb", "ada_1_22_x.ipynb")
    found = {each.learner: each for each in handed_in(folder, tmp_path)}
    assert set(found) == {"ada", "hopper (3)", "hopper (5)"}  # two people of one name
    assert found["hopper (3)"].late
    assert not found["hopper (5)"].late
    assert found["hopper (3)"].identity == {"canvas": "3"}


def test_gradescope_names_people_in_its_metadata(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, "assignment_1_export/submission_9/x.ipynb", "assignment_1_export/submission_12/x.ipynb")
    (folder / "assignment_1_export/submission_metadata.yml").write_text(
        "submission_9:\n  :submitters:\n  - :name: Ada Lovelace\n    :sid: '17'\n    :email: ada@x.org\n"
        "  :created_at: 2026-01-02 03:04:05.000000000 Z\n  :score: 1.0\nsubmission_12:\n  :submitters:\n"
        "  - :name: \"=cmd()\"\n    :sid: ''\n"
    )
    found = handed_in(folder, tmp_path)
    assert [(each.learner, each.identity.get("sid"), each.submitted[:10]) for each in found] == [
        ("=cmd()", None, ""), ("Ada Lovelace", "17", "2026-01-02"),
    ]  # fmt: skip


OF_ADA = "submission_1:\n  :submitters:\n  - :name: Ada\n    :sid: '17'\n"
OF_TWO = OF_ADA + OF_ADA.replace("_1", "_2").replace("Ada", "Eve").replace("17", "18")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("names", "learners"),
    [
        (("submission_1/x.ipynb", "submission_2/submission_1/x.ipynb", "submission_metadata.yml"), ["Ada", "Eve"]),
        (("submission_1/x.ipynb", "submission_2/submission_metadata.yml", "submission_2/x.ipynb",
          "submission_metadata.yml"), ["Ada", "Eve"]),
        (("bob/x.ipynb", "eve/submission_metadata.yml", "eve/submission_1/x.ipynb"), ["bob", "eve"]),
        (("Bob_1_assignsubmission_file/x.ipynb", "Eve_2_assignsubmission_file/submission_metadata.yml",
          "Eve_2_assignsubmission_file/submission_1/x.ipynb"), ["Bob", "Eve"]),
        (("ada_1_2_x.ipynb", "eve_9_10_ada_LATE_1_2_x.ipynb"), ["ada", "eve"]),
        (("ada_1_2_x.ipynb", "eve_9_10_Ada_1_assignsubmission_file_x.ipynb"), ["ada", "eve"]),
        (("Ada_1_assignsubmission_file_x.ipynb", "Eve_2_assignsubmission_file_Ada_1_assignsubmission_file_x.ipynb"),
         ["Ada", "Eve"]),
        (("Eve_2_assignsubmission_file/ada/x.ipynb", "Eve_2_assignsubmission_file/bob/x.ipynb"), ["Eve", "Eve"]),
        (("eve/ada/x.ipynb",), ["eve"]),
    ],
)  # fmt: skip
def test_nobody_hands_in_as_another_by_the_names_of_files(packed, names, learners, tmp_path):
    folder = tmp_path / "in"
    fill(folder, *names)
    for path in folder.rglob("*.yml"):
        path.write_text(OF_TWO if path.parent == folder else OF_ADA, encoding="utf-8")
    source = folder
    if packed:
        source = tmp_path / "in.zip"
        with zipfile.ZipFile(source, "w") as archive:
            for name in names:
                archive.write(folder / name, name)
    assert [each.learner for each in handed_in(source, tmp_path)] == learners


def test_a_learners_own_folder_stays_theirs_where_nobody_else_handed_in(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, "eve/ada/x.ipynb", "eve/bob/x.ipynb")
    (tmp_path / "scratch").mkdir()
    assert {each.learner for each in collect(folder, tmp_path / "scratch", {"eve"}.__contains__)} == {"eve"}


def test_what_a_learner_writes_into_the_metadata_is_no_line_of_it(tmp_path):
    folder = tmp_path / "in"
    fill(folder, "submission_1/x.ipynb")
    text = "submission_1:\n  :submitters:\n  - :name: |-\n      Eve\n      :sid: 17\n  :results:\n    - :sid: '17'\n"
    (folder / "submission_metadata.yml").write_text(text, encoding="utf-8")
    (found,) = handed_in(folder, tmp_path)
    assert found.identity == {"gradescope": "submission_1"}


def test_an_archive_in_a_learners_folder_is_opened_once(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "ada.zip").write_bytes(zipped("deep/x.ipynb", inner__zip=zipped("y.ipynb")))
    (found,) = handed_in(folder, tmp_path)
    assert (found.learner, found.name, found.problem) == ("ada", "ada.zip/deep/x.ipynb", "")


def test_attempts_are_counted_in_the_order_of_numbers(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, "ada/try-10.ipynb", "ada/try-9.ipynb")
    assert [(each.name, each.attempt) for each in handed_in(folder, tmp_path)] == [
        ("ada/try-9.ipynb", 1), ("ada/try-10.ipynb", 2),
    ]  # fmt: skip


def test_attempts_are_counted_in_the_order_of_time_however_it_is_written():
    times = [
        "", "2026-10-25T02:59:00+02:00", "2026-10-25 02:10:00.000000000 +0100", "2026-10-25T01:10:00.5Z",
        "2026-10-25T01:10:01Z",
    ]  # fmt: skip
    made = [Submission(learner="ada", file=Path("x"), name="x", submitted=each) for each in reversed(times)]
    assert [each.submitted for each in number_attempts(made)] == times


def test_an_archive_writes_nowhere_else(tmp_path):
    source = tmp_path / "in.zip"
    names = ("../../evil.ipynb", "/tmp/minillama-evil.ipynb", "C:\\evil.ipynb", "ada/../../up.ipynb", "..", "...ipynb")
    source.write_bytes(zipped(*names))
    before = set(tmp_path.rglob("*"))
    found = handed_in(source, tmp_path)
    new = set(tmp_path.rglob("*")) - before
    assert all(path.is_relative_to(tmp_path / "scratch") for path in new)
    assert not os.path.exists("/tmp/minillama-evil.ipynb")
    assert all("/" not in each.learner and ".." not in each.learner for each in found)


def test_links_in_folders_and_archives_are_not_followed(tmp_path):
    folder = tmp_path / "in"
    (folder / "ada").mkdir(parents=True)
    (folder / "ada/x.ipynb").symlink_to("/etc/passwd")
    (folder / "bob").symlink_to("/etc")
    os.mkfifo(folder / "pipe.ipynb")
    found = handed_in(folder, tmp_path)
    assert [each.learner for each in found] == ["ada", "bob", "pipe"]
    assert all(each.problem for each in found)

    link = zipfile.ZipInfo("eve.ipynb")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    source = tmp_path / "in.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    (tmp_path / "other").mkdir()
    (each,) = collect(source, tmp_path / "other")
    assert "symbolic link" in each.problem


def test_a_bomb_is_not_unpacked(tmp_path):
    source = tmp_path / "in.zip"
    source.write_bytes(zipped(ada__ipynb=bytes(40 << 20), bob__ipynb=NOTEBOOK))
    ada, bob = handed_in(source, tmp_path)
    assert "more than 20 MB" in ada.problem
    assert not bob.problem
    assert sum(path.stat().st_size for path in (tmp_path / "scratch").rglob("*")) < 1 << 20


def test_a_member_that_lies_about_its_size_is_damaged(tmp_path):
    data = bytearray(zipped(ada__ipynb=b"x" * 5000))
    place = data.find(b"PK\x01\x02")
    data[place + 24 : place + 28] = (10).to_bytes(4, "little")  # of the central directory: uncompressed size
    source = tmp_path / "in.zip"
    source.write_bytes(bytes(data))
    (found,) = handed_in(source, tmp_path)
    assert found.problem or len(found.file.read_bytes()) <= 5000


def test_a_class_goes_on_whatever_one_of_it_hands_in(tmp_path):
    """Each of these ended the run of everybody, or filled the memory."""
    folder = tmp_path / "in"
    fill(folder, "ada/x.ipynb", "eve/1\u00b23.ipynb", "deep/" + "d/" * 400 + "x.ipynb")
    nameless = bytearray(zipped("a"))
    place = nameless.find(b"PK\x01\x02")
    nameless[place + 28 : place + 30], nameless[place + 32 : place + 34] = b"\0\0", b"\1\0"
    (folder / "nameless.zip").write_bytes(nameless)
    (folder / "many.zip").write_bytes(zipped(*(f"{i}.ipynb" for i in range(60))))
    with zipfile.ZipFile(folder / "bomb.zip", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("x.ipynb", bytes(1 << 20))
    (folder / "large.zip").touch()
    os.truncate(folder / "large.zip", 1 << 30)
    found = {each.learner: each.problem for each in handed_in(folder, tmp_path)}
    assert not found["ada"]
    assert not found["eve"]
    assert "more than 20 folders" in found["deep"]
    assert "no notebook" in found["nameless"]
    assert "60 files, expected at most 40" in found["many"]
    assert "packed in an unusual way" in found["bomb"]
    assert "more than 100 MB" in found["large"]


def test_any_damage_to_an_archive_is_its_owners_alone(tmp_path):
    whole, dice = zipped("a/x.ipynb", "b.ipynb", c__zip=b"PK"), random.Random(1)
    heads = [i for i in range(len(whole)) if whole[i : i + 4] in (b"PK\1\2", b"PK\3\4", b"PK\5\6")]
    folder = tmp_path / "in"
    fill(folder, "ada.ipynb")
    for number in range(150):
        damaged = bytearray(whole)
        for _ in range(dice.randint(1, 4)):
            damaged[min(dice.choice(heads) + dice.randrange(46), len(whole) - 1)] = dice.choice([0, 1, 255])
        (folder / f"eve-{number}.zip").write_bytes(damaged)
    assert not next(each for each in handed_in(folder, tmp_path) if each.learner == "ada").problem


def test_a_full_disk_is_no_fault_of_an_archive(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(untrusted, "_pump", full)
    (tmp_path / "ada.zip").write_bytes(zipped("x.ipynb"))
    with pytest.raises(OSError, match="No space"):
        handed_in(tmp_path / "ada.zip", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_its_owners_alone(tmp_path):
    folder = tmp_path / "in"
    fill(folder, "ada/x.ipynb", "eve/x.ipynb")
    (folder / "eve").chmod(0)
    found = {each.learner: each.problem for each in handed_in(folder, tmp_path)}
    (folder / "eve").chmod(0o700)
    assert not found["ada"]
    assert "cannot be read" in found["eve"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), os.urandom(1000)])
def test_what_is_no_archive_is_one_line(content, tmp_path):
    source = tmp_path / "in.zip"
    source.write_bytes(content)
    with pytest.raises(DataError, match=r"zip|notebooks"):
        handed_in(source, tmp_path)


def test_a_folder_without_notebooks_is_one_line(tmp_path):
    with pytest.raises(DataError, match="holds no notebooks"):
        handed_in(tmp_path, tmp_path)


def test_names_are_letters_on_a_page():
    assert clean_name("a\u202eb\0\x1b[31m\n") == "ab[31m"
    assert clean_name("\u200b\u2028") == "unnamed"
    assert len(clean_name("x" * 10_000)) == 120
    assert clean_name("José 🦙 עדה") == "José 🦙 עדה"
    assert clean_name("\ud800") == "?"


def test_a_file_of_a_gigabyte_is_not_read(tmp_path):
    path = tmp_path / "ada.ipynb"
    path.touch()
    os.truncate(path, 1 << 30)
    tracemalloc.start()
    with pytest.raises(DataError, match="20 MB"):
        read_regular(path)
    assert tracemalloc.get_traced_memory()[1] < 64 << 20
    tracemalloc.stop()


def test_names_that_look_alike_are_people_of_their_own_and_spellings_of_one_are_not(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    fill(folder, "Ada/x.ipynb", "ada/x.ipynb", "\u0430da/x.ipynb", "Jos\u00e9/x.ipynb", "Jose\u0301/y.ipynb")
    found = [(each.learner, each.attempt) for each in handed_in(folder, tmp_path)]
    assert found == [("Ada", 1), ("Jos\u00e9", 1), ("Jos\u00e9", 2), ("ada", 1), ("\u0430da", 1)]


def test_names_that_are_not_utf8_are_people_of_their_own(tmp_path):
    for name in (b"Jos\xe9", b"Jos\xe8"):
        own = os.fsencode(tmp_path) + b"/in/" + name
        os.makedirs(own)
        with open(own + b"/x.ipynb", "wb") as file:
            file.write(NOTEBOOK)
    assert [each.learner for each in handed_in(tmp_path / "in", tmp_path)] == ["Jos\u00e8", "Jos\u00e9"]


def test_archives_in_archives_and_members_of_one_name(tmp_path):
    """Of what is packed again only the outer layers are opened; a name that comes twice is two attempts."""
    inner = zipped("y.ipynb")
    for _ in range(5):
        inner = zipped(deeper__zip=inner)
    source = tmp_path / "in.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("bob.zip", inner)
        archive.writestr("ada/x.ipynb", NOTEBOOK)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("ada/x.ipynb", NOTEBOOK)
    found = [(each.learner, each.attempt, bool(each.problem)) for each in handed_in(source, tmp_path)]
    assert found == [("ada", 1, False), ("ada", 2, False), ("bob", 1, True)]


def test_only_plain_files_of_some_size_are_read(tmp_path):
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(11))
    for name in ("link", "pipe", "large", "missing", "."):
        with pytest.raises(DataError):
            read_regular(tmp_path / name, 10)


CELLS = [
    {"cell_type": "code", "id": "a", "source": ["def f():\n", "    return helper()"], "metadata": {}},
    {"cell_type": "code", "id": "other", "source": "def helper():\n    pass\nx = 1", "metadata": None},
    {"cell_type": "code", "metadata": {"minillama": {"task": "t.g"}}, "source": "# NBVAL_SKIP\ng = 1"},
    {"cell_type": "markdown", "id": "a", "source": "def f(): pass"},
    "not a cell",
    {"cell_type": "code", "id": ["a"], "source": {"a": 1}, "metadata": {"minillama": "t.f"}},
]


def test_answers_are_found_by_id_and_else_by_task():
    cells = read_cells(json.dumps({"cells": CELLS}).encode())
    found = pick_answers(cells, {"a": "t.f", "b": "t.g", "c": "t.h"}, frozenset({"setup"}))
    assert found.sources == {"t.f": "def f():\n    return helper()", "t.g": "# NBVAL_SKIP.\ng = 1"}
    assert found.elsewhere == {"helper", "x"}
    assert any("orders to nbval" in each for each in found.notes)
