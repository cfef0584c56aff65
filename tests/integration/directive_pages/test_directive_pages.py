"""The cockpit as an operator, another organisation, an auditor and an authority see it."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from importlib.resources import files
from typing import Any

import pytest

from clearway.directives import load
from clearway.directives.commands_parts import known
from clearway.directives.issue import sign
from clearway.records.errors import UsageError
from clearway.store.connect import connect, translated
from cockpit_world import TODAY, Cockpit
from site_client import words

SHA = "ab" * 32
VERSION = load("bod-26-04").version
DOCUMENT = (files("clearway.directives") / "data" / "bod-26-04.json").read_bytes()


def test_the_first_line_says_what_is_overdue_and_why(cockpit: Cockpit) -> None:
    page = cockpit.page("operator@water", "/directives/bod-26-04")
    text = words(page)
    assert "2 of 2 open items are overdue under BOD 26-04" in text
    assert "It is advice for Water works" in text
    assert "TLP:RED" in text
    assert "why this date" in text
    assert "<svg" in page
    assert "Show as a table" in text
    assert "Never kept" in text
    assert "days over" not in text.partition("Reports As of today")[2], "advice has no day by which to report"
    assert "hospital-gw" not in page
    assert "Nothing is overdue or waits for Water works" in words(
        cockpit.page("operator@water", "/directives")
    )


def test_the_cockpit_is_there_for_programs_with_the_figures_of_the_page(cockpit: Cockpit) -> None:
    told = json.loads(
        cockpit.page("operator@water", "/api/v1/directives/cockpit/bod-26-04?organisation=water")
    )
    assert (told["organisation"], told["directive"], told["version"]) == ("water", "bod-26-04", VERSION)
    assert sum(t["overdue"] for t in told["tiers"]) == 2
    assert told["open"][-1] == 2
    assert len(told["days"]) == len(told["open"]) == len(told["late"])
    assert {row["flaw"] for row in told["urgent"]} == {"CVE-2026-1", "CVE-2026-2"}
    assert "hospital-gw" not in json.dumps(told)
    cockpit.page("operator@water", "/api/v1/directives/cockpit/bod-26-04?organisation=hospital", 404)
    cockpit.page("operator@water", "/api/v1/directives/cockpit/bod-99-99?organisation=water", 404)
    cockpit.page("", "/api/v1/directives/cockpit/bod-26-04", 401)


def test_the_list_says_first_what_is_overdue_and_leaves_as_a_file(cockpit: Cockpit) -> None:
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute("update clearway.exposure set due = current_date - 3 where flaw = 1")
    assert "1 item is overdue for Water works" in words(cockpit.page("operator@water", "/directives"))
    cockpit.issue()
    text = words(cockpit.page("operator@water", "/directives"))
    assert "1 item is overdue; 1 directive waits for Water works to take note" in text
    lines = cockpit.page("operator@water", "/directives.csv").splitlines()
    assert lines[0] == "directive,title,issuer,standing,version,acknowledged,notice,begins"
    assert any(line.startswith("bod-26-04,") and ",binding,1.0.0," in line for line in lines)
    assert '"directive":"bod-26-04"' in cockpit.page("operator@water", "/directives.json")


def test_of_the_first_day_alone_no_course_is_drawn(cockpit: Cockpit) -> None:
    assert "drawn from tomorrow on" not in words(cockpit.page("operator@water", "/directives/bod-26-04"))
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute("update clearway.exposure set detected = current_date, first_seen = now()")
    page = cockpit.page("operator@water", "/directives/bod-26-04")
    assert "drawn from tomorrow on" in words(page)
    assert "<svg" not in page.partition("Due and overdue by tier")[2].partition("</section>")[0]


def test_what_an_authority_has_issued_is_said_to_be_its_own_on_its_list(cockpit: Cockpit) -> None:
    assert "issued by you" not in words(cockpit.page("official@authority", "/directives"))
    cockpit.issue()
    mine = cockpit.page("official@authority", "/directives")
    assert "issued by you" in words(mine)
    assert "/directives/bod-26-04/compliance?org=authority" in mine
    for other in ("operator@water", "operator@hospital", "official@other-authority"):
        assert "issued by you" not in words(cockpit.page(other, "/directives")), other


def test_the_list_counts_as_overdue_what_a_report_does_and_leads_to_just_these(cockpit: Cockpit) -> None:
    for status, word in enumerate(("open", "mitigated", "fixed", "not_affected", "accepted")):
        with translated(), connect(cockpit.desk.url) as owner:
            owner.execute("update clearway.exposure set due = current_date - 3, status = %s", (status,))
        page = cockpit.page("operator@water", "/directives")
        if word in ("fixed", "not_affected"):
            assert "Nothing is overdue or waits for Water works" in words(page), word
            continue
        assert "2 items are overdue for Water works" in words(page), word
        (link,) = re.findall(r'<h1><a href="(/exposure[^"]+)"', page)
        assert cockpit.page("operator@water", unescape(link)).count('<tr role="row" data-row=') == 2, word


def test_a_stranger_and_a_visitor_of_nothing_see_nothing(cockpit: Cockpit) -> None:
    for path in ("/directives", "/directives/bod-26-04", "/directives/triages", "/directives/reports/1"):
        cockpit.page("", path, 401)
    cockpit.page("operator@water", "/directives/no-such", 404)
    cockpit.page("operator@water", "/directives/..%2F", 404)
    cockpit.page("operator@water", "/directives/issue", 403)
    cockpit.page("operator@water", "/directives/bod-26-04/compliance", 403)


def test_a_directive_with_devices_and_no_table_has_its_report(cockpit: Cockpit) -> None:
    text = words(cockpit.page("operator@water", "/directives/bod-26-02"))
    assert "End-of-support edge devices" in text


def test_an_addressed_version_is_acknowledged_once_and_the_authority_sees_it(cockpit: Cockpit) -> None:
    version = cockpit.issue()
    text = words(cockpit.page("operator@water", "/directives/bod-26-04"))
    assert "The authority addresses version" in text
    assert "binding for Water works" in text
    assert "Acknowledge" not in words(cockpit.page("auditor@water", "/directives/bod-26-04")).replace(
        "can acknowledge", ""
    )
    cockpit.post("auditor@water", "/directives/bod-26-04/acknowledgement", 403, version=str(version))
    cockpit.post("operator@water", "/directives/bod-26-04/acknowledgement", version=str(version), note="read")
    assert "taken note of" in words(cockpit.page("operator@water", "/directives/bod-26-04"))
    view = words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    assert "1 of 2 organisations took note" in view
    assert "operator of water" in view


def test_reports_are_downloaded_kept_and_shared_by_choice(cockpit: Cockpit) -> None:
    cockpit.issue()
    page = cockpit.page("operator@water", "/directives/bod-26-04")
    links = re.findall(r'href="(/api/v1/directives/draft/[^"]+)"', page)
    assert len(links) > 8
    for link in links:
        answer = cockpit.here.http.get(
            link.replace("&amp;", "&"), headers={"cookie": f"clearway={cockpit.cookie('operator@water')}"}
        )
        if "oscal" not in link:
            assert answer.status_code == 200, f"{link}: {answer.text[:300]}"
    assert "not shared" in words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    led = cockpit.post(
        "operator@water", "/directives/bod-26-04/reports?org=water", kind="seven_day", share_with="authority"
    ).headers["location"]
    kept = words(cockpit.page("operator@water", led))
    whole = f"{TODAY.day} {TODAY:%B %Y}"
    assert f"Seven-day report of Water works as of {whole}" in kept
    assert f" on {whole} , under version" in kept
    assert " ago" not in kept.partition("Kept by")[2].partition("under version")[0]
    assert "Members of authority see it" in kept
    assert "Remediated Not affected Out of scope" in kept  # the columns are all that there is to count
    cockpit.page("official@authority", led)
    cockpit.page("operator@hospital", led, 404)
    alone = cockpit.post("operator@water", "/directives/bod-26-04/reports?org=water", kind="overdue").headers[
        "location"
    ]
    cockpit.page("official@authority", alone, 404)


def test_an_attestation_names_who_attests(cockpit: Cockpit) -> None:
    path = "/directives/bod-26-04/reports?org=water"
    refused = cockpit.post("operator@water", path, 422, kind="addresses")
    assert "names who attests" in refused.text
    led = cockpit.post("operator@water", path, kind="addresses", by="R. Roe", role="CISO").headers["location"]
    assert "Public addresses of Water works" in words(cockpit.page("operator@water", led))


def test_compliance_shows_what_is_not_shared_as_that(cockpit: Cockpit) -> None:
    cockpit.issue()
    text = words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    assert "Not shared says neither that there is a report nor that there is none" in text
    assert text.count("not shared") > 3
    cockpit.page("official@other-authority", "/directives/bod-26-04/compliance?org=authority", 404)


def opened(cockpit: Cockpit) -> str:
    page = cockpit.page("operator@water", "/directives/bod-26-04")
    assert "Look for traces first" in page
    fields = dict(
        re.findall(r'name="(directive|asset|asset_name|flaw|component|kev_added)" value="([^"]+)"', page)
    )
    made: str = cockpit.post("operator@water", "/directives/triages?org=water", **fields).headers["location"]
    return made


def test_volatile_evidence_before_the_patch_leaves_no_warning(cockpit: Cockpit) -> None:
    led = opened(cockpit)
    assert "Take volatile evidence first, then patch" in words(cockpit.page("operator@water", led))
    cockpit.page("operator@hospital", led, 404)
    cockpit.post("operator@hospital", f"{led}/events", 404, event="patched", after="0", what="x")
    taken: dict[str, Any] = {"event": "evidence_taken", "evidence": "mem-1", "what": "memory", "volatile": "yes",
        "sha256": SHA.upper(), "size_bytes": "4096", "place": "safe 2", "after": "0"}  # fmt: skip
    cockpit.post("operator@water", f"{led}/events", **taken)
    again = cockpit.post("operator@water", f"{led}/events", 422, **taken)
    assert "read it again" in again.text
    cockpit.post("operator@water", f"{led}/events", event="patched", after="1", what="alpha 2")
    text = words(cockpit.page("operator@water", led))
    assert "before the first volatile evidence" not in text
    assert "no volatile evidence was taken" not in text
    assert SHA in text.replace(" ", "")
    assert "Open the workbook" in words(cockpit.page("operator@water", "/directives/bod-26-04"))


def test_a_patch_before_volatile_evidence_is_warned_of_before_and_after(cockpit: Cockpit) -> None:
    led = opened(cockpit)
    assert "No volatile evidence is recorded yet" in words(cockpit.page("operator@water", led))
    cockpit.post("operator@water", f"{led}/events", event="patched", after="0", what="alpha 2")
    assert "Patched, and no volatile evidence was taken" in words(cockpit.page("operator@water", led))
    listed = cockpit.page("operator@water", "/directives/triages")
    assert "CVE-2026-2" in listed
    assert "CVE-2026-2" not in cockpit.page("operator@hospital", "/directives/triages")
    assert cockpit.page("operator@water", "/directives/triages.csv").startswith("id,organisation,flaw")


def test_what_does_not_fit_a_triage_is_told_and_nothing_is_recorded(cockpit: Cockpit) -> None:
    led = opened(cockpit)
    for fields in (
        {
            "event": "evidence_taken",
            "evidence": "x",
            "what": "y",
            "sha256": "zz",
            "size_bytes": "1",
            "place": "p",
        },
        {
            "event": "evidence_taken",
            "evidence": "x",
            "what": "y",
            "sha256": SHA,
            "size_bytes": "-1",
            "place": "p",
        },
        {"event": "concluded", "conclusion": "none", "summary": "nothing"},
        {"event": "concluded", "conclusion": "perhaps", "summary": "nothing"},
        {"event": "patched", "what": "x", "at": "2999-01-01T00:00"},
        {"event": "patched", "what": "x", "at": "yesterday"},
        {"event": "patched", "what": "a\0b"},
        {"event": "unheard"},
    ):
        cockpit.post("operator@water", f"{led}/events", 422, after="0", **fields)
    assert "Nothing is recorded yet" in words(cockpit.page("operator@water", led))


def test_an_authority_issues_what_its_key_has_signed_and_nothing_else(cockpit: Cockpit) -> None:
    text = words(cockpit.page("official@authority", "/directives/issue"))
    assert "Issue a version for The authority" in text
    signature = base64.b64encode(sign(DOCUMENT, cockpit.desk.private).signature).decode()
    forged = _issue(cockpit, DOCUMENT + b" ", signature)
    assert forged.status_code == 422
    made = _issue(cockpit, DOCUMENT, signature)
    assert made.status_code == 303, words(made.text)
    assert "Nobody is addressed yet" in words(cockpit.page("official@authority", made.headers["location"]))
    bad = cockpit.post(
        "official@authority", "/directives/bod-26-04/addresses?org=authority", 422, recipients="water <b>"
    )
    assert "is no short name" in bad.text
    assert "<b>" not in bad.text
    cockpit.post(
        "official@authority", "/directives/bod-26-04/addresses?org=authority", recipients="water, hospital",
        standing="binding",
    )  # fmt: skip
    assert "0 of 2 organisations took note" in words(
        cockpit.page("official@authority", "/directives/bod-26-04/compliance")
    )
    assert "1 directive waits for Hospital" in words(cockpit.page("operator@hospital", "/directives"))
    cockpit.post(
        "official@authority",
        "/directives/bod-26-04/revocation?org=authority",
        version="1.0.0",
        reason="wrong",
    )


def _issue(cockpit: Cockpit, document: bytes, signature: str) -> Any:
    cookie = cockpit.cookie("official@authority")
    headers = {"accept": "text/html", "cookie": f"clearway={cookie}", "origin": "http://clearway.local"}
    shown = cockpit.here.http.get("/directives/issue", headers=headers).text
    token = re.search(r'name="csrf-token" content="([^"]+)"', shown)
    assert token is not None
    return cockpit.here.http.post(
        "/directives/issue", headers={**headers, "x-csrf-token": token.group(1)}, follow_redirects=False,
        data={"signature": signature, "reach": "CLEAR"}, files={"document": ("d.json", document, "application/json")},
    )  # fmt: skip


def test_what_no_database_holds_is_refused_or_left_out_and_never_a_fault(cockpit: Cockpit) -> None:
    version = cockpit.issue()
    path = "/directives/bod-26-04/acknowledgement?org=water"
    cockpit.post("operator@water", path, version=str(version), note="a\0b")
    cockpit.post("operator@water", path, 400, version="x")
    cockpit.post("operator@water", path, 404, version="9" * 18)
    fields = {
        "directive": "bod-26-04",
        "flaw": "CVE-2026-2",
        "component": "c\0",
        "asset": "asset/1\0",
        "kev_added": f"{datetime.now(UTC) - timedelta(days=1):%F}",  # as the cockpit's world has it
    }
    cockpit.post("operator@water", "/directives/triages?org=water", **fields)
    for day in ("0000-00-00", "9999-12-31", "tomorrow", ""):
        cockpit.post("operator@water", "/directives/triages?org=water", 400, **{**fields, "kev_added": day})
    for address in ("/directives/%00", "/directives/triages/99999999999999999999", "/directives/reports/0"):
        cockpit.page("operator@water", address, 404)


def test_the_day_of_the_figures_is_today(cockpit: Cockpit) -> None:
    assert TODAY.isoformat() in cockpit.page("operator@water", "/directives/bod-26-04")


def test_what_is_mitigated_or_accepted_is_told_apart_and_its_tier_leads_to_all_that_was_counted(
    cockpit: Cockpit,
) -> None:
    cockpit.issue()
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute("update clearway.exposure set status = 4, until = current_date + 9 where flaw = 1")
        owner.execute("update clearway.exposure set status = 1, due = current_date - 3 where flaw = 2")
    page = cockpit.page("operator@water", "/directives/bod-26-04")
    text = words(page)
    assert "2 of 2 items that are not remediated are overdue under BOD 26-04" in text
    assert "Not remediated: 2, of them 1 mitigated and 1 accepted." in text
    assert "Counted as reports count: without what is marked for fewer than all members" in text
    told = json.loads(
        cockpit.page("operator@water", "/api/v1/directives/cockpit/bod-26-04?organisation=water")
    )
    assert sum(t["mitigated"] for t in told["tiers"]) == sum(t["accepted"] for t in told["tiers"]) == 1

    def leads_to(end: str) -> set[str]:
        (link,) = [unescape(x) for x in re.findall(f'href="(/exposure[^"]*tier=3D{end})"', page)]
        shown = cockpit.page("operator@water", link.replace("/exposure?", "/exposure.json?"))
        return {e["flaw"] for e in json.loads(shown)["items"]}

    assert leads_to("") == {"CVE-2026-1", "CVE-2026-2"}
    assert leads_to("&amp;within=overdue") == {"CVE-2026-2"}, "the date of the other is not kept yet"


def test_the_list_says_that_no_advisories_are_loaded(cockpit: Cockpit) -> None:
    assert "No advisories are loaded on this server yet" in words(
        cockpit.page("operator@water", "/exposure?status=open")
    )


def test_nothing_is_kept_or_compared_as_of_a_day_to_come(cockpit: Cockpit) -> None:
    day = TODAY + timedelta(days=1)
    path = f"/api/v1/directives/compliance/bod-26-04?organisation=authority&as_of={day}"
    assert "a day to come" in cockpit.page("official@authority", path, 400)
    with pytest.raises(UsageError, match="a day to come"):
        known(day)
    assert known(TODAY) == known(None) == TODAY
