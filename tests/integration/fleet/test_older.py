"""A document that a newer one has replaced, or that is older, brings nothing back, in whatever order it comes."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from clearway.exposure.fleet import mention, observe, take, witness
from clearway.formats.observed import read_fleet
from fleet_world import DAY, Fleet

DJANGO, FLASK = ("django", "4.1", "CVE-2026-0001"), ("flask", "2.0", "CVE-2026-0002")
FIRST, NEXT, LAST = date(2026, 11, 1), date(2026, 11, 8), date(2026, 11, 15)


def trivy(day: date, *packages: tuple[str, str, str]) -> bytes:
    listed = [{"Name": n, "Version": v, "Identifier": {"PURL": f"pkg:pypi/{n}@{v}"}} for n, v, _ in packages]
    results = [{"Target": "app", "Class": "lang-pkgs", "Type": "python-pkg", "Packages": listed}]
    return json.dumps(
        {"SchemaVersion": 2, "CreatedAt": f"{day}T11:50:44Z", "ArtifactName": "web", "Results": results,
         "ArtifactType": "filesystem"}
    ).encode()  # fmt: skip


def rows(*packages: tuple[str, str, str]) -> bytes:
    text = "".join(f"web,{flaw},{name},{DAY}\n" for name, _, flaw in packages)
    return f"asset,cve,package,first detected\n{text}".encode()


def call(fleet: Fleet, *documents: tuple[str, bytes], **more: Any) -> list[take.Taken]:
    """One call that brings these files of one folder."""
    taking = observe.Taking(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, DAY, passed_over=[], **more
    )
    found = []
    for place, raw in documents:
        read = read_fleet(raw, place)
        found += taking.add(
            mention.Document(
                observed=read.observed, raw=raw, place=place, file=witness.file_of(place.rpartition("/")[2])
            )
        )
    return [one.taken for one in (*found, *taking.finish())]


def stands(fleet: Fleet) -> set[str]:
    return {line.name for line in fleet.lines()}


OLD, NEW = (
    ("wd/scan-2026-11-01.json", trivy(FIRST, DJANGO, FLASK)),
    ("wd/scan-2026-11-08.json", trivy(NEXT, DJANGO)),
)
OLD_ROWS, NEW_ROWS = (
    ("wd/found-2026-11-01.csv", rows(DJANGO, FLASK)),
    ("wd/found-2026-11-08.csv", rows(DJANGO)),
)
PAIRS = pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (OLD_ROWS, NEW_ROWS)], ids=["scan", "rows"])


@PAIRS
def test_a_folder_that_is_read_again_brings_nothing_back(
    mine: Fleet, old: tuple[str, bytes], new: tuple[str, bytes]
) -> None:
    call(mine, old)
    (taken,) = call(mine, new)
    assert taken.ended == 1
    for _ in range(2):
        (taken,) = call(mine, old, new)
        assert taken.unchanged
        assert "which came with it" in taken.passed_over[0]
        assert stands(mine) == {"django"}


@PAIRS
def test_of_a_folder_of_dated_files_the_newest_counts_and_it_is_said(
    mine: Fleet, old: tuple[str, bytes], new: tuple[str, bytes]
) -> None:
    (taken,) = call(mine, new, old)
    assert (stands(mine), len(taken.passed_over)) == ({"django"}, 1)


@PAIRS
def test_a_file_that_was_replaced_is_taken_by_who_says_so_alone(
    mine: Fleet, old: tuple[str, bytes], new: tuple[str, bytes]
) -> None:
    call(mine, old)
    call(mine, new)
    (taken,) = call(mine, old)
    assert (taken.unchanged, taken.ended, stands(mine)) == (True, 0, {"django"})
    assert "a newer one has replaced it" in taken.passed_over[0]
    (taken,) = call(mine, old, again=True)
    assert (taken.passed_over, stands(mine)) == ((), {"django", "flask"})


def test_files_that_no_day_tells_apart_do_not_bring_back_what_they_had_together(mine: Fleet) -> None:
    first, second = ("wd/run-a.json", OLD[1]), ("wd/run-b.json", trivy(NEXT, FLASK))
    third = ("wd/run-c.json", trivy(LAST, DJANGO))
    call(mine, first, second)
    assert stands(mine) == {"django", "flask"}
    call(mine, third)
    assert stands(mine) == {"django"}
    (taken,) = call(mine, first, second, third)
    assert (len(taken.passed_over), stands(mine)) == (2, {"django"})


def test_what_came_with_others_is_not_older_than_they(mine: Fleet) -> None:
    first, second = ("repo/a/bom.json", trivy(FIRST, DJANGO)), ("repo/b/bom.json", trivy(NEXT, FLASK))
    call(mine, first)
    call(mine, first, second)
    assert stands(mine) == {"django", "flask"}
    (taken,) = call(mine, first, ("repo/b/bom.json", trivy(LAST, FLASK)))
    assert (taken.passed_over, stands(mine)) == ((), {"django", "flask"})


def test_an_older_report_does_not_win_and_its_day_counts(mine: Fleet) -> None:
    call(mine, NEW)
    (taken,) = call(mine, ("other.json", OLD[1]))
    assert taken.passed_over == ("other.json is of 2026-11-01 11:50, what is kept is of 2026-11-08 11:50",)
    assert (taken.dated, [(line.name, line.detected) for line in mine.lines()]) == (0, [("django", DAY)])
    found = {"VulnerabilityID": "CVE-2026-0001", "PkgName": "django", "InstalledVersion": "4.1",
             "PkgIdentifier": {"PURL": "pkg:pypi/django@4.1"}}  # fmt: skip
    told = json.loads(OLD[1])
    told["Results"][0]["Vulnerabilities"] = [found]
    (taken,) = call(mine, ("third.json", json.dumps(told).encode()))
    assert (taken.dated, taken.passed_over != ()) == (1, True)
    assert [(line.name, line.detected) for line in mine.lines()] == [("django", FIRST)]
    (taken,) = call(mine, ("other.json", OLD[1]), again=True)
    assert stands(mine) == {"django", "flask"}


@pytest.mark.parametrize("before", [False, True], ids=["both are new", "one was taken before"])
def test_several_older_reports_do_not_win_together_either(mine: Fleet, before: bool) -> None:
    first, second = ("wd/run-a.json", OLD[1]), ("wd/run-b.json", trivy(date(2026, 11, 2), FLASK))
    if before:
        call(mine, first)
    call(mine, ("wd/run-c.json", NEW[1]))
    for _ in range(2):
        (taken,) = call(mine, first, second)
        assert (taken.unchanged, taken.older, len(taken.passed_over)) == (True, True, 2)
        assert "what is kept is of 2026-11-08 11:50" in taken.passed_over[int(before)]
        assert stands(mine) == {"django"}
    (taken,) = call(mine, ("wd/run-c.json", NEW[1]))
    assert (taken.unchanged, taken.passed_over) == (True, ())
    (taken,) = call(mine, first, second, again=True)
    assert (taken.passed_over, stands(mine)) == ((), {"django", "flask"})


def test_what_is_older_than_several_does_not_replace_them(mine: Fleet) -> None:
    call(mine, ("wd/run-b.json", trivy(NEXT, DJANGO)), ("wd/run-c.json", trivy(LAST, FLASK)))
    for older in (("wd/run-a.json", trivy(FIRST)), ("wd/run-b.json", trivy(NEXT, DJANGO))):
        (taken,) = call(mine, older)
        assert (taken.older, stands(mine)) == (True, {"django", "flask"})


def test_of_several_without_a_time_of_their_own_nobody_says_that_they_are_older(mine: Fleet) -> None:
    call(mine, NEW)
    undated = json.loads(trivy(FIRST, FLASK))
    del undated["CreatedAt"]
    (taken,) = call(mine, ("wd/run-a.json", OLD[1]), ("wd/run-b.json", json.dumps(undated).encode()))
    assert (taken.older, stands(mine)) == (False, {"django", "flask"})


def test_a_report_of_a_day_to_come_holds_nothing_up(mine: Fleet) -> None:
    call(mine, ("a.json", trivy(date(2031, 1, 1), DJANGO, FLASK)))
    (taken,) = call(mine, ("b.json", NEW[1]))
    assert (taken.passed_over, taken.ended) == ((), 1)


def test_what_is_passed_over_tells_nothing_of_its_asset_either(mine: Fleet) -> None:
    listed = [b"asset,owner\nweb,one\n", b"asset,owner\nweb,two\n"]
    for raw in (*listed, listed[0]):
        call(mine, ("owners.csv", raw))
    with mine.acting() as db:
        row = db.execute("select owner from clearway.asset where name = 'web'").fetchone()
    assert row == ("two",)
