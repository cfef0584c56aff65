"""Whatever the desk's pages and API show of findings, cases and embargoes is an entry in the log, for who may know."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clearway.access import embargo
from findings_case_world import Cases
from people import Somebody
from site_client import Site, site


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def told(cases: Cases) -> list[tuple[str, int, dict[str, Any], int]]:
    with cases.desk.owner() as db:
        rows = db.execute(
            "select subject, actor, content, aud::int from clearway.log_entry where act = 'content.read' order by entry"
        ).fetchall()
    return [(s, a, msgspec.json.decode(c) if c else {}, aud) for s, a, c, aud in rows]


def ask(cases: Cases, served: Site, who: Somebody, path: str) -> list[tuple[str, int, dict[str, Any], int]]:
    """What the log is told when `who` reads that."""
    before = len(told(cases))
    if path.startswith("/api/"):
        served.api(who.secret, "GET", path)
    else:
        served.page(who.cookie, path)
    return told(cases)[before:]


def test_each_part_of_a_finding_is_told_by_its_name(cases: Cases, served: Site) -> None:
    finding = cases.desk.finding()
    with cases.acting() as db:
        row = db.execute("select aud::int from clearway.finding where finding = %s", (finding.id,)).fetchone()
    whole = f"finding/{finding.handling}"
    for path, subject in {
        f"/findings/{finding.handling}/duplicates": f"{whole}/duplicates",
        f"/findings/{finding.handling}/evidence": f"{whole}/validations",
        f"/findings/{finding.handling}/assist": f"{whole}/assist",
        f"/api/v1/findings/{finding.handling}/revocations": f"{whole}/revocations",
        f"/api/v1/findings/{finding.handling}/validations": f"{whole}/validations",
        f"/api/v1/findings/{finding.handling}/duplicates": f"{whole}/duplicates",
        f"/api/v1/findings/{finding.handling}/assist": f"{whole}/assist",
    }.items():
        (entry,) = ask(cases, served, cases.desk.finder, path)
        assert entry == (subject, cases.desk.finder.person, {}, row[0] if row else -1), path
        assert ask(cases, served, cases.desk.finder, path) == [], "within the minute"


def test_what_waits_for_a_maintainer_and_whom_to_ask_are_told(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cases.vendor(case)
    desk, vendor = cases.desk.coordinator, cases.desk.maintainer
    ((subject, who, _, aud),) = ask(cases, served, desk, f"/api/v1/cases/{case.handling}/contacts")
    assert (subject, who, aud) == (f"case/{case.handling}/contacts", desk.person, case.aud)
    for path in ("/cases/mine", "/api/v1/cases/mine"):
        (entry,) = [e for e in ask(cases, served, vendor, path) if e[3] == case.aud]
        assert entry[:2] == ("list/cases-mine", vendor.person)
        assert entry[2] == {"filters": [], "route": path, "rows": 1}


def test_figures_of_a_reporter_are_told_without_a_number_of_rows(cases: Cases, served: Site) -> None:
    cases.desk.finding()
    entries = ask(cases, served, cases.desk.coordinator, "/api/v1/findings/record?organisation=lab")
    assert entries
    for subject, _, content, _ in entries:
        assert subject == "list/record"
        assert sorted(content) == ["asked", "filters", "route"]


def test_a_party_from_outside_reads_of_an_embargo_unseen_by_the_other_parties(
    cases: Cases, served: Site
) -> None:
    with cases.acting() as db:
        made = embargo.add(db, cases.house, "Quiet")
        for person in (cases.desk.finder.person, cases.desk.rival.person):
            embargo.set_party(db, made.embargo, person=person)
    whole = f"embargo/{made.uid}"
    seen = {}
    for who in (cases.desk.coordinator, cases.desk.finder):
        (entry,) = ask(cases, served, who, f"/api/v1/embargoes/{made.embargo}")
        assert entry[:2] == (whole, who.person)
        seen[who.person] = entry[3]
    assert seen[cases.desk.coordinator.person] != seen[cases.desk.finder.person]
    for reader, actors in ((cases.desk.rival, set()), (cases.desk.finder, {cases.desk.finder.person})):
        with cases.acting(reader) as db:
            rows = db.execute(
                "select actor from clearway.log_entry where act = 'content.read' and subject = %s", (whole,)
            ).fetchall()
        assert {actor for (actor,) in rows} == actors


def test_a_page_that_shows_more_than_one_marking_is_told_for_each(cases: Cases, served: Site) -> None:
    case = cases.opened()
    with cases.acting() as db:
        row = db.execute(
            "select handling, aud::int from clearway.finding where case_id = %s", (case.id,)
        ).fetchone()
    assert row is not None
    handling, aud = row
    assert aud != case.aud
    entries = ask(cases, served, cases.desk.coordinator, f"/findings/{handling}")
    assert {(entry[0], entry[3]) for entry in entries} == {
        (f"finding/{handling}", aud),
        (f"finding/{handling}", case.aud),
    }
