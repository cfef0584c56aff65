"""Asking a vendor gives it something to read, or says that it does not."""

# ruff: noqa: F811 (fixtures are imported by their names)

from __future__ import annotations

from test_commands_as_routes import Say, api, say, served  # noqa: F401

from clearway.findings import kept as findings
from clearway.findings.case import handed, kept, party, thread
from findings_case_world import Cases
from site_client import Site, words

TEXT = "A string without its end is read beyond the buffer.\nSteps: feed poc.json to parse()."


def room(site: Site, cookie: str, case: kept.Case) -> str:
    return words(site.page(cookie, f"/cases/{case.handling}"))


def test_a_vendor_that_is_asked_with_a_text_reads_it_and_no_other_party_does(
    cases: Cases, served: Site
) -> None:
    desk, case = cases.desk, cases.opened()
    at = f"/api/v1/cases/{case.handling}"
    wanted = {"role": "vendor", "organisation": desk.vendor, "ask": True, "text": TEXT}
    served.api(desk.coordinator.secret, "POST", f"{at}/parties", 201, wanted)
    with desk.acting(desk.maintainer) as db:
        (made,) = thread.listed(db, case)
        (said,) = thread.read(db, desk.vault, case, made)
    assert said.text == TEXT
    with desk.acting(desk.finder) as db:
        assert thread.listed(db, case) == []
    assert "Nothing to read" not in room(served, desk.maintainer.cookie, case)


def test_a_vendor_that_was_asked_without_a_text_is_told_so_and_so_is_the_desk(
    cases: Cases,
    served: Site,
    say: Say,
) -> None:
    desk, case = cases.desk, cases.opened()
    with desk.acting(desk.coordinator) as db:
        made = party.add(db, case, role="vendor", member=desk.vendor)
    shown = served.page(desk.coordinator.cookie, f"/cases/{case.handling}")
    with desk.acting(desk.coordinator) as db:
        offered = handed.suggested(db, case)
        (first,) = [findings.one(db, h) for h in kept.findings_of(db, case)]
    assert first.title in offered
    assert offered.endswith("Steps:")
    assert offered.split("\n")[-1] in words(shown)
    say(desk.coordinator, "case", "act", case.handling, made.id, "ask")
    for who in (desk.coordinator, desk.maintainer):
        told = api(served, who, f"/cases/{case.handling}")["parties"]
        assert [p["unread"] for p in told if p["id"] == made.id] == [True]
        assert "Nothing to read" in room(served, who.cookie, case)
    assert "was told nothing" in say(desk.coordinator, "case", "show", case.handling, raw=True)
    with desk.acting(desk.coordinator) as db:
        handed.tell(db, desk.vault, case, made, TEXT)
    assert "Nothing to read" not in room(served, desk.maintainer.cookie, case)
    assert "was told nothing" not in say(desk.coordinator, "case", "show", case.handling, raw=True)


def test_the_page_asks_with_the_text_as_it_was_edited(cases: Cases, served: Site) -> None:
    desk, case = cases.desk, cases.opened()
    with desk.acting(desk.coordinator) as db:
        made = party.add(db, case, role="vendor", member=desk.vendor)
    served.post(desk.coordinator.cookie, f"/cases/{case.handling}/parties/{made.id}", act="ask", text=TEXT)
    with desk.acting(desk.maintainer) as db:
        (found,) = thread.listed(db, case)
        assert thread.read(db, desk.vault, case, found)[0].text == TEXT
