"""What is revoked before it begins is nowhere said to come, and the cockpit looks at what compliance looks at."""

from __future__ import annotations

import json
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from clearway.directives import pages_cockpit
from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, names
from clearway.exposure.fleet.page_rule import notices
from clearway.store.connect import connect, translated
from cockpit_world import TODAY, Cockpit
from site_client import words

BOD = json.loads((files("clearway.directives") / "data" / "bod-26-04.json").read_bytes())


def day(n: int) -> date:
    return TODAY + timedelta(days=n)


def publish(cockpit: Cockpit, version: str, begins: int, **more: Any) -> None:
    phases = [{"phase": "", "from": str(day(begins)), "what": "all of it"}]
    said = {"id": "nca-1", "short": "NCA 1", "version": version, "published": str(min(TODAY, day(begins)))}
    document = json.dumps({**BOD, **said, "effective": phases, **more}).encode()
    signature = sign(document, cockpit.desk.private).signature
    cockpit.desk.do("official@authority", issues.publish, "authority", document, signature, issued=TODAY)


def revoke(cockpit: Cockpit, version: str, on: int) -> None:
    told = {"on": day(on), "reason": "a mistake"}
    cockpit.desk.do("official@authority", issues.revoke, "authority", "nca-1", version, **told)


def asked(cockpit: Cockpit, path: str, who: str) -> Any:
    answer = cockpit.here.http.get(
        f"/api/v1/directives{path}", headers={"authorization": f"Bearer {cockpit.desk.secrets[who]}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def in_the_list(cockpit: Cockpit) -> str:
    found = json.loads(cockpit.page("operator@water", "/directives.json"))["items"]
    return next(str(line["notice"]) for line in found if line["directive"] == "nca-1")


@pytest.fixture
def tied(cockpit: Cockpit) -> Cockpit:
    with translated(), connect(cockpit.desk.url) as owner:
        names.tie(owner, "nca-1", "authority")
    return cockpit


def test_the_cockpit_looks_at_the_version_that_compliance_looks_at(tied: Cockpit) -> None:
    """Of three the one in effect is revoked, the next is revoked before its day, and the one after that comes."""
    for version, begins in (("1.0", -16), ("1.1", 14), ("1.2", 9)):
        publish(tied, version, begins)
    to = {"water": "binding"}
    tied.desk.do("official@authority", addresses.address, "authority", "nca-1", to, since=TODAY)
    revoke(tied, "1.2", 5)
    revoke(tied, "1.1", 16)
    revoke(tied, "1.0", 0)
    view = asked(tied, "/compliance/nca-1?organisation=authority", "official@authority")
    assert (view["comes"], view["begins"]) == ("1.1", str(day(14)))
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (view["version"], view["revoked"]) == (said["version"], said["revoked"]) == ("1.0", str(TODAY))
    assert said["tiers"] == []
    assert in_the_list(tied) == f"NCA 1 was revoked on {TODAY}; version 1.1 is in effect from {day(14)} on"
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert "NCA 1 is revoked since" in page
    assert "Version 1.1 is issued, and in effect from" in page
    shown = words(tied.page("official@authority", "/directives/nca-1/compliance"))
    assert "Version 1.1 is issued, and in effect from" in shown
    assert "until then none stands" in shown
    assert "1.2" not in page + shown


def test_what_comes_first_is_not_what_is_revoked_before_its_day(tied: Cockpit) -> None:
    publish(tied, "1.0", 9)
    publish(tied, "1.1", 14)
    assert in_the_list(tied) == f"NCA 1 1.0 is in effect from {day(9)} on"
    revoke(tied, "1.0", 9)
    assert in_the_list(tied) == f"NCA 1 1.1 is in effect from {day(14)} on"
    assert asked(tied, "/cockpit/nca-1", "operator@water")["version"] == "1.1"


def test_of_a_directive_that_is_revoked_before_it_begins_nothing_is_counted(tied: Cockpit) -> None:
    publish(tied, "1.0", 9)
    revoke(tied, "1.0", 5)
    never = f"NCA 1 1.0 is revoked from {day(5)} on, and was to begin on {day(9)}"
    assert in_the_list(tied) == never
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (said["version"], said["tiers"], said["urgent"]) == ("", [], [])
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert never in page
    assert "in effect from" not in page
    assert "As it would be" not in page
    assert "in effect from" not in words(tied.page("official@authority", "/directives/issue"))


def test_this_week_does_not_tell_of_a_revocation_that_took_nothing_away(tied: Cockpit) -> None:
    publish(tied, "1.0", -16)
    publish(tied, "1.1", 9)
    to = {"water": "binding"}
    tied.desk.do("official@authority", addresses.address, "authority", "nca-1", to, since=TODAY)

    def told(n: int) -> list[tuple[str, str]]:
        with tied.desk.acting("operator@water") as (db, me):
            return [(x.kind, x.version) for x in notices(db, me.memberships[0].org, day(n))]

    assert ("comes", "1.1") in told(0)
    revoke(tied, "1.1", 5)
    assert "1.1" not in [version for n in (0, 5, 10) for _, version in told(n)]
    revoke(tied, "1.0", 7)
    assert ("revoked", "1.0") in told(10)


def address(cockpit: Cockpit, since: int, standing: str = "binding") -> None:
    to = {"water": standing}
    cockpit.desk.do("official@authority", addresses.address, "authority", "nca-1", to, since=day(since))


def sums(tiers: list[dict[str, Any]], *names: str) -> list[int]:
    return [sum(tier[name] for tier in tiers) for name in names]


def one_more_flaw(cockpit: Cockpit, detected: int) -> None:
    """A third open item of Water works, due 14 days after it was detected."""
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute(
            """with f as (insert into clearway.flaw (id, automatable, impact, ssvc_dated)
                values ('CVE-2026-3', 'no', 'total', '2026-06-01') returning flaw)
            insert into clearway.exposure (first_seen, asset, pv, flaw, org, aud, detected, clock, verdict)
            select now() + %(day)s * interval '1 day', a.asset, 1, f.flaw, a.org, a.aud, current_date + %(day)s, 1, 1
            from clearway.asset a, f where a.name = 'water-gw'""",
            {"day": detected},
        )


def test_what_is_first_to_come_has_nothing_due_and_says_apart_what_would_be_due_on_its_day(
    tied: Cockpit,
) -> None:
    one_more_flaw(tied, -1)
    publish(tied, "1.0", 9)
    address(tied, 9)
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    for nothing in ("tiers", "days", "open", "late", "urgent", "forensic"):
        assert said[nothing] == [], nothing
    assert (said["version"], said["standing"], said["counts"]) == ("1.0", "binding", False)
    assert (said["begins"], said["revoked"]) == (str(day(9)), None)
    then = said["ahead"]
    assert (then["version"], then["as_of"], then["waits"]) == ("1.0", str(day(9)), False)
    assert sums(then["tiers"], "overdue", "week", "later", "no_date") == [2, 1, 0, 0]
    # The report of that day says the same.
    drawn = asked(tied, f"/draft/nca-1/seven-day?as_of={day(9)}", "operator@water")["items"]
    assert [i["flaw"] for i in drawn if i["state"] == "overdue"] == ["CVE-2026-1", "CVE-2026-2"]
    assert {r["flaw"]: r["due"] for r in then["urgent"]} == {i["flaw"]: i["due"] for i in drawn}
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert "NCA 1 is in effect from" in page
    assert "on: nothing is due under it before" in page
    assert "From that day on it is binding for Water works" in page
    assert "What would be due on" in page
    assert "9 days left" in page
    assert "2 of 3 open items would be overdue at once" in page
    assert "over by then" in page
    assert "days over" not in page
    for now in ("are overdue under", "Due and overdue by tier", "Open items by tier", "Look for traces first",
                "Open items of the last", "As it would be"):  # fmt: skip
        assert now not in page, now
    assert page.count("Due first") == page.count("Due first then") == 1
    line = next(
        x
        for x in json.loads(tied.page("operator@water", "/directives.json"))["items"]
        if x["directive"] == "nca-1"
    )
    assert (line["begins"], line["standing"]) == (str(day(9)), "binding")
    assert "NCA 1 1.0 is in effect from" in words(tied.page("operator@water", "/directives"))


def test_on_its_own_day_the_figures_are_those_of_what_is_due(tied: Cockpit) -> None:
    publish(tied, "1.0", 0)
    address(tied, 0)
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (said["begins"], said["ahead"], said["counts"]) == (None, None, True)
    assert sums(said["tiers"], "overdue") == [2]
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert "2 of 2 open items are overdue under NCA 1" in page
    assert "would be" not in page


def test_what_comes_after_a_revoked_version_has_its_figures_beside_what_was(tied: Cockpit) -> None:
    publish(tied, "1.0", -16)
    publish(tied, "1.1", 14)
    address(tied, 0)
    revoke(tied, "1.0", 0)
    said = asked(tied, "/cockpit/nca-1", "operator@water")
    assert (said["version"], said["revoked"], said["tiers"], said["counts"]) == ("1.0", str(TODAY), [], False)
    assert (said["begins"], said["ahead"]["version"]) == (str(day(14)), "1.1")
    assert sums(said["ahead"]["tiers"], "overdue") == [2]
    page = words(tied.page("operator@water", "/directives/nca-1"))
    assert "NCA 1 is revoked since" in page
    assert "What was due under it" in page
    assert "It is what version 1.1 would ask" in page


def test_what_would_wait_for_a_note_says_so_and_whom_it_is_not_addressed_to(tied: Cockpit) -> None:
    outcomes = [{**o, "days": 90} if o["code"] == "60D" else o for o in BOD["outcomes"]]
    publish(tied, "1.0", 9, outcomes=outcomes)
    address(tied, 9)
    assert asked(tied, "/cockpit/nca-1", "operator@water")["ahead"]["waits"] is True
    assert "only once you have taken note of it" in words(tied.page("operator@water", "/directives/nca-1"))
    other = words(tied.page("operator@hospital", "/directives/nca-1"))
    assert "It is not addressed to Hospital" in other
    assert "reports are drawn up" not in other
    assert asked(tied, "/cockpit/nca-1", "operator@hospital")["ahead"]["waits"] is False


def test_many_items_that_would_be_due_are_counted_after_the_page(
    tied: Cockpit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages_cockpit, "AT_ONCE", 1)
    publish(tied, "1.0", 9)
    page = tied.page("operator@water", "/directives/nca-1")
    assert "/directives/nca-1/figures" in page
    assert "would be overdue at once" not in words(page)
    figures = words(tied.page("operator@water", "/directives/nca-1/figures?org=water"))
    assert "Nothing is due under NCA 1 before" in figures
    assert "Overdue at once" in figures
    monkeypatch.setattr(pages_cockpit, "AT_MOST", 1)
    assert "they are counted from that day on" in words(
        tied.page("operator@water", "/directives/nca-1/figures?org=water")
    )


def test_what_does_not_count_for_the_organisation_is_not_called_overdue(tied: Cockpit) -> None:
    outcomes = [{**o, "days": 90} if o["code"] == "60D" else o for o in BOD["outcomes"]]
    publish(tied, "1.0", 0, outcomes=outcomes)
    address(tied, 0)
    for who, why in (
        ("operator@water", "NCA 1 waits to be taken note of: 2 of 2 open items would be overdue under it"),
        (
            "operator@hospital",
            "NCA 1 is not addressed to Hospital: 2 of 2 open items would be overdue under it",
        ),
    ):
        page = words(tied.page(who, "/directives/nca-1"))
        assert why in page
        assert "are overdue under" not in page
        assert "Due and overdue by tier" not in page
        assert asked(tied, "/cockpit/nca-1", who)["counts"] is False
