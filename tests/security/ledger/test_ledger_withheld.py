"""A file that shows less than it should passes `--complete` only where an entry says of each lacking part: erased."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.ledger import check
from clearway.ledger.bundle import Bundle
from clearway.ledger.leaf import Opening
from clearway.ledger.verify import verify
from clearway.ledger.verify_report import Report
from clearway.records.errors import InputError
from ledger_log import MemoryLog

SIZE = 600  # three bundles
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Members:
    path = MemoryLog.of(SIZE).write(tmp_path_factory.mktemp("whole") / "log.zip")
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def checked(members: Members, folder: Path, *, complete: bool) -> Report:
    with zipfile.ZipFile(folder / "log.zip", "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    return check.verify_file(str(folder / "log.zip"), key=None, witnesses=[], complete=complete)


def without(*names: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        for name in names:
            del members[name]

    return change


def emptied(name: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[name] = b"[]"

    return change


def lacking(name: str, at: int) -> Callable[[Members], None]:
    """Without the opening of one leaf."""

    def change(members: Members) -> None:
        found = json.loads(members[name])
        members[name] = json.dumps([one for one in found if one[0] != at]).encode()

    return change


def hashes_only(says_opened: bool) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        without(*[name for name in members if name.startswith("opened/")])(members)
        manifest = json.loads(members["log.json"])
        members["log.json"] = json.dumps({**manifest, "opened": says_opened}).encode()

    return change


@pytest.mark.parametrize(
    ("change", "closed", "first"),
    [
        pytest.param(without("opened/001"), 512, 256, id="a file of openings is not there"),
        pytest.param(without("opened/002"), 176, 512, id="the last one, of a bundle that is not full"),
        pytest.param(emptied("opened/000"), 512, 0, id="a file of openings opens nothing"),
        pytest.param(lacking("opened/001", 44), 2, 300, id="one leaf is not opened"),
        pytest.param(lacking("opened/002", 87), 2, 599, id="the last leaf is not opened"),
        pytest.param(hashes_only(False), 2 * SIZE, 0, id="hashes alone, and the manifest says so"),
        pytest.param(hashes_only(True), 2 * SIZE, 0, id="hashes alone, and the manifest says otherwise"),
    ],
)  # fmt: skip
def test_complete_is_refused_and_without_it_what_is_withheld_is_counted(
    made: Members, tmp_path: Path, change: Callable[[Members], None], closed: int, first: int
) -> None:
    members = dict(made)
    assert checked(members, tmp_path, complete=True).ok
    change(members)
    report = checked(members, tmp_path, complete=True)
    assert (report.ok, report.first_bad) == (False, first)
    assert "no entry says that it was erased" in report.reasons[0]
    report = checked(members, tmp_path, complete=False)
    assert (report.ok, report.closed, report.erased, report.withheld[0]) == (True, closed, 0, first)


def test_the_answer_says_in_words_how_much_is_withheld(
    made: Members, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    members = dict(made)
    hashes_only(False)(members)
    check.show(checked(members, tmp_path, complete=False), sys.stdout)
    assert "0 shown and matching, 0 erased, as an entry says, 1,200 withheld" in capsys.readouterr().out
    check.show(checked(members, tmp_path, complete=True), sys.stdout)
    said = capsys.readouterr().out
    assert "does NOT verify" in said
    assert "1,200 headers and contents in all are not there" in said


def test_a_leaf_that_is_opened_twice_and_a_name_that_is_there_twice_are_refused(
    made: Members, tmp_path: Path
) -> None:
    members = dict(made)
    found = json.loads(members["opened/000"])
    members["opened/000"] = json.dumps([*found, [7, [1]]]).encode()
    assert (checked(members, tmp_path, complete=False).first_bad) == 7
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(tmp_path / "log.zip", "a") as file,
    ):
        file.writestr("opened/001", b"[]")
    with pytest.raises(InputError, match="twice"):
        Bundle(tmp_path / "log.zip")


def test_what_says_that_one_part_was_erased_does_not_do_for_the_other() -> None:
    log = MemoryLog.of(20)
    log.erase(5, "content")
    assert verify(log, complete=True).ok
    log.hide(5, "header")
    report = verify(log, complete=True)
    assert (report.ok, report.first_bad, report.erased) == (False, 5, 1)
    assert "the header of entry 6 is not there" in report.reasons[0]


def test_a_leaf_under_the_number_of_an_erased_entry_is_withheld_all_the_same() -> None:
    log = MemoryLog.of(20)
    log.erase(5, "header", "content")
    kept = log.opened[5]
    log.opened[5] = Opening(10)  # the numbers of two leaves changed places
    log.opened[9] = Opening(6)
    assert verify(log, complete=True).withheld == (5, 9)
    log.opened[5] = kept
    assert verify(log, complete=True).withheld == (9,)


def test_where_no_hash_was_told_one_number_explains_one_leaf() -> None:
    log = MemoryLog.of(20)
    log.erase(5, "content", hashes=False)
    assert verify(log, complete=True).ok
    log.opened[9] = Opening(6, log.opened[9].header, log.opened[9].header_salt)
    assert verify(log, complete=True).withheld == (9,)


@pytest.mark.parametrize("part", ["header", "content"])
def test_what_says_of_an_erasure_says_nothing_once_a_part_of_it_is_gone(part: str) -> None:
    log = MemoryLog.of(20)
    told = log.erase(5, "content")
    log.erase(told, part)
    assert verify(log, complete=True).withheld == (5,)


@pytest.mark.parametrize(
    ("header", "content"),
    [
        ('{"act":"content.read","subject":"ledger.erased \\"entry/6\\""}', '{"entry":6,"parts":["content"]}'),
        ('{"act":"content.read","ledger.erased":1,"subject":"entry/6"}', '{"entry":6,"parts":["content"]}'),
        ('{"act":"ledger.erased","subject":"entry/7"}', '{"entry":6,"parts":["content"]}'),
        ('{"act":"ledger.erased","subject":"entry/6"}', '{"entry":6,"parts":["salt"]}'),
        ('{"act":"ledger.erased","subject":"entry/6"}', '{"entry":6,"parts":["content"],"hashes":{}}'),
        ('{"act":"ledger.erased","subject":"entry/6"}', '{"entry":6,"parts":["content"],"hashes":{"content":"00"}}'),
        ('{"act":"ledger.erased","subject":"entry/6"}', '{"entry":6,"parts":"content"}'),
        ('{"act":"ledger.erased","subject":"entry/6"}', "[" * 10_000),
        ('{"act":"ledger.erased","subject":"entry/6"}', ""),
    ],
    ids=["quoted in a subject", "as a name", "another entry", "no part", "no hash of it", "another's hash", "no list",
         "too deep", "nothing"],
)  # fmt: skip
def test_what_only_looks_like_it_explains_nothing(header: str, content: str) -> None:
    log = MemoryLog.of(20)
    log.append(header, content)
    log.sign()
    log.hide(5, "content")
    assert verify(log, complete=True).withheld == (5,)


_parts = st.sets(st.tuples(st.integers(0, 39), st.sampled_from(["header", "content"])), max_size=12)


@settings(max_examples=60, deadline=None)
@given(erased=_parts, hidden=_parts, unopened=st.sets(st.integers(0, 39), max_size=3), hashes=st.booleans())
def test_complete_passes_only_where_each_part_is_there_or_told_of_as_erased(
    erased: set[tuple[int, str]], hidden: set[tuple[int, str]], unopened: set[int], hashes: bool
) -> None:
    log = MemoryLog.of(40)
    whole = list(log.opened)
    for at, part in erased:
        gone, log.opened[at] = log.opened[at], whole[at]  # it is told of what was there
        log.erase(at, part, hashes=hashes)
        log.opened[at] = gone
    for at, part in erased | hidden:
        log.hide(at, part)
    opened = [(at, one) for at, one in enumerate(log.opened) if at not in unopened]
    shown = {
        (at, part) for at, one in opened for part in ("header", "content") if getattr(one, part) is not None
    }
    # Without an opening nobody says which entry it is.
    explained = {(at, part) for at, part in erased if at not in unopened}
    wanted = {(at, part) for at in range(40) for part in ("header", "content")}
    log.shown = opened
    report = verify(log, complete=True)
    assert report.ok == (wanted <= shown | explained)
    assert report.closed == len(wanted - shown)
    assert report.erased == len(explained)
    assert (
        report.withheld == tuple(sorted({at for at, _ in wanted - shown - explained}))[: len(report.withheld)]
    )
    assert verify(log).ok
