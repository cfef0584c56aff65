"""The day of a scan counts: what its report shows was there on that day, whenever somebody uploads it."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from clearway.exposure.fleet import observe
from clearway.formats.observed import read_fleet
from fleet_world import DAY, Fleet, document

CVE, FLAW = "CVE-2026-0001", "CVE-2026-0001"
SCANNED = date(2026, 11, 20)


def nessus(day: date) -> tuple[str, bytes]:
    return (
        "scan.nessus",
        f"""<?xml version="1.0" ?><NessusClientData_v2><Report name="weekly"><ReportHost name="web">
        <HostProperties><tag name="HOST_END">{day:%a %b %d} 07:00:00 {day.year}</tag></HostProperties>
        <ReportItem port="0" svc_name="general" protocol="tcp" severity="3" pluginID="1" pluginName="Django"
        pluginFamily="Misc."><cve>{CVE}</cve></ReportItem></ReportHost></Report></NessusClientData_v2>""".encode(),
    )


def trivy(day: date) -> tuple[str, bytes]:
    found = {
        "VulnerabilityID": CVE, "PkgName": "django", "InstalledVersion": "4.1", "FixedVersion": "4.2",
        "PkgIdentifier": {"PURL": "pkg:pypi/django@4.1"},
    }  # fmt: skip
    results = [{"Target": "app", "Class": "lang-pkgs", "Type": "python-pkg", "Vulnerabilities": [found]}]
    return "trivy.json", json.dumps(
        {"SchemaVersion": 2, "CreatedAt": f"{day}T11:50:44Z", "ArtifactName": "web", "Results": results,
         "ArtifactType": "container_image"}
    ).encode()  # fmt: skip


def grype(day: date) -> tuple[str, bytes]:
    match = {
        "vulnerability": {"id": CVE, "fix": {"versions": ["4.2"], "state": "fixed"}},
        "artifact": {"name": "django", "version": "4.1", "type": "python", "purl": "pkg:pypi/django@4.1"},
    }
    return "grype.json", json.dumps(
        {"matches": [match], "source": {"type": "image", "target": {"userInput": "web"}},
         "descriptor": {"name": "grype", "version": "0.70.0", "timestamp": f"{day}T11:50:44Z"}}
    ).encode()  # fmt: skip


def rows(first: str, last: str) -> tuple[str, bytes]:
    return "scan.csv", f"asset,cve,package,first seen,last seen\nweb,{CVE},django,{first},{last}\n".encode()


def see(fleet: Fleet, report: tuple[str, bytes], **more: date) -> list[observe.Seen]:
    name, data = report
    return observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, read_fleet(data, name).observed, data, DAY,
        place=name, file=name, **more,
    )  # fmt: skip


def days(fleet: Fleet) -> list[date]:
    return [line.detected for line in fleet.lines() if line.flaw == FLAW]


@pytest.mark.parametrize("report", [nessus, trivy, grype])
def test_a_flaw_counts_from_the_day_of_the_report_that_shows_it(mine: Fleet, report: object) -> None:
    see(mine, report(SCANNED))  # type: ignore[operator]
    (line,) = [x for x in mine.lines() if x.flaw == FLAW]
    today = mine.asset("plain", "unknown")
    mine.upload(today, "pkg:pypi/django@4.1")
    (plain,) = mine.lines(asset=today)
    assert (line.detected, plain.detected) == (SCANNED, DAY)
    assert line.due is not None
    assert plain.due is not None
    assert plain.due - line.due == DAY - SCANNED


def test_of_several_reports_the_oldest_counts_whichever_came_first(mine: Fleet) -> None:
    see(mine, trivy(SCANNED))
    see(mine, trivy(DAY))
    assert days(mine) == [SCANNED]
    see(mine, trivy(SCANNED - timedelta(days=9)))
    assert days(mine) == [SCANNED - timedelta(days=9)]


def test_the_first_day_that_a_row_states_goes_before_the_last(mine: Fleet) -> None:
    see(mine, rows("2026-11-03", "2026-11-20"))
    assert days(mine) == [date(2026, 11, 3)]


def test_a_row_that_states_its_last_day_alone_counts_from_that(mine: Fleet) -> None:
    see(mine, rows("", "2026-11-20"))
    assert days(mine) == [SCANNED]


def test_a_day_that_is_given_counts_where_it_is_earlier_than_the_report(mine: Fleet) -> None:
    see(mine, trivy(SCANNED), detected=SCANNED - timedelta(days=4))
    assert days(mine) == [SCANNED - timedelta(days=4)]
    see(mine, grype(SCANNED - timedelta(days=6)), detected=SCANNED)
    assert days(mine) == [SCANNED - timedelta(days=6)]


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        (trivy(date(2031, 1, 1)), DAY),
        (rows("2031-01-01", ""), DAY),
        (rows("2031-01-01", "2026-11-20"), SCANNED),
    ],
    ids=[
        "a report of a day to come",
        "a first day to come",
        "a first day to come, last seen on one that has been",
    ],
)
def test_a_day_to_come_counts_for_none_and_is_told(
    mine: Fleet, report: tuple[str, bytes], counts: date
) -> None:
    (seen,) = see(mine, report)
    assert days(mine) == [counts]
    assert "on a day to come, such as 2031-01-01" in seen.taken.problems[0]


def test_a_day_before_the_year_of_the_flaws_id_counts_for_none_and_is_told_of_each_row(mine: Fleet) -> None:
    (seen,) = see(mine, rows("1999-01-01", "2026-11-20"))
    assert days(mine) == [SCANNED]
    assert seen.taken.problems[0].startswith(f"line 2: {CVE} on 1999-01-01, before the year of its id")
    (seen,) = see(mine, rows("2026-11-03", "2026-11-20"))  # corrected, and sent again
    assert (days(mine), seen.taken.problems) == ([date(2026, 11, 3)], ())


def test_a_day_before_the_year_of_the_flaws_id_alone_leaves_the_flaw_found_today(mine: Fleet) -> None:
    see(mine, rows("2025-12-31", ""))
    assert days(mine) == [DAY]


def test_a_day_that_is_given_for_all_of_it_dates_no_flaw_before_its_year(mine: Fleet) -> None:
    see(mine, rows("", "2026-11-20"), detected=date(2020, 1, 1))
    assert days(mine) == [date(2026, 1, 1)]


def test_a_clock_that_was_never_set_dates_nothing(mine: Fleet) -> None:
    (seen,) = see(mine, trivy(date(1995, 1, 1)))
    assert (days(mine), seen.taken.problems) == ([DAY], ())


def test_the_day_on_which_an_sbom_was_made_is_no_scan(mine: Fleet) -> None:
    data = document("pkg:pypi/django@4.1", metadata={"timestamp": f"{SCANNED}T11:50:44Z"})
    see(mine, ("sbom.json", data))
    assert days(mine) == [DAY]
