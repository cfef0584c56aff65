"""What binds, from which day, and what that makes due: the same for who issues and for who is addressed."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from importlib.resources import files
from typing import Any

import pytest

from clearway.directives import load
from clearway.directives.duties import duties
from clearway.directives.issue import sign
from clearway.directives.kept import addresses, issues, names, reports
from clearway.directives.kept.who import organisation
from clearway.directives.pages_parts import about, standing_of
from clearway.directives.report_states import report_states
from clearway.directives.rhythm import next_due
from clearway.records.errors import InputError
from clearway.store.connect import connect, translated
from cockpit_world import TODAY, Cockpit
from site_client import words

VERSION = load("bod-26-04").version
DOCUMENT = (files("clearway.directives") / "data" / "bod-26-04.json").read_bytes()
SINCE = TODAY - timedelta(days=25)
ONE = timedelta(days=1)


def publish(cockpit: Cockpit, issued: date = SINCE, **more: Any) -> issues.Version:
    document = json.dumps({**json.loads(DOCUMENT), **more}).encode()
    signature = sign(document, cockpit.desk.private).signature
    made: issues.Version = cockpit.desk.do(
        "official@authority", issues.publish, "authority", document, signature, issued=issued
    )
    return made


def address(cockpit: Cockpit, since: date, directive: str = "bod-26-04", standing: str = "binding") -> None:
    cockpit.desk.do(
        "official@authority", addresses.address, "authority", directive, {"water": standing}, since=since
    )


def dues(cockpit: Cockpit) -> tuple[dict[str, date], dict[str, date]]:
    """By when each report is due: on the operator's cockpit, and in the authority's view."""
    with cockpit.desk.acting("operator@water") as (db, _):
        org = organisation(db, "water")
        todos = addresses.addressed_to(db, org.org, TODAY)
        found = about(db, org, "bod-26-04", TODAY)
        own = {
            r.kind: r.due
            for r in report_states(db, org, found, standing_of(org, "bod-26-04", todos), todos)
            if r.due is not None
        }
    view = cockpit.desk.do("official@authority", reports.seen_by_authority, "authority", "bod-26-04", TODAY)
    (line,) = view.organisations
    return own, {r.kind: r.next_due for r in line.reports if r.next_due is not None}


def test_who_is_addressed_sees_the_days_that_the_authority_waits_for(cockpit: Cockpit) -> None:
    publish(cockpit)
    address(cockpit, SINCE)
    own, theirs = dues(cockpit)
    assert own == theirs
    assert own["two_week"] == SINCE + timedelta(days=14)
    text = words(cockpit.page("operator@water", "/directives/bod-26-04"))
    assert "days over" in text.partition("Reports As of today")[2], "eleven days, as the authority sees it"
    assert "155 days" not in text
    # What nobody was shown meets no duty towards an authority; what it was shown does, under either kind.
    path = "/directives/bod-26-04/reports?org=water"
    cockpit.post("operator@water", path, kind="seven_day")
    assert dues(cockpit)[0]["two_week"] == SINCE + timedelta(days=14)
    cockpit.post("operator@water", path, kind="seven_day", share_with="authority")
    own, theirs = dues(cockpit)
    assert own == theirs
    assert own["two_week"] == TODAY + timedelta(days=14)


@pytest.mark.parametrize("kind", ["two_week", "seven_day", "addresses"])
def test_the_first_report_is_due_after_the_later_of_the_duty_and_the_address(kind: str) -> None:
    (duty,) = (d for d in duties("bod-26-04").reports if d.kind == kind)
    early = next_due(duty, duty.since - timedelta(days=90))
    assert early == next_due(duty)
    late = next_due(duty, date(2027, 2, 3))
    assert (
        late
        == {"two_week": date(2027, 2, 17), "seven_day": date(2027, 2, 10), "addresses": date(2027, 3, 31)}[
            kind
        ]
    )
    assert next_due(duty, date(2027, 2, 3), date(2026, 12, 31)) == late, "who reports early is due no sooner"


def test_of_advice_no_report_is_due_on_either_side(cockpit: Cockpit) -> None:
    publish(cockpit)
    address(cockpit, SINCE, standing="advisory")
    assert dues(cockpit) == ({}, {})
    text = words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    assert "advice, no day" in text
    assert "0 late, 0 with reports not shared" in text
    path = "/directives/bod-26-04/reports?org=water"
    cockpit.post("operator@water", path, kind="seven_day", share_with="authority")
    assert dues(cockpit) == ({}, {})
    assert "advice, no day, last of" in words(
        cockpit.page("official@authority", "/directives/bod-26-04/compliance")
    )
    # Once it binds, both count the days.
    address(cockpit, TODAY, standing="binding")
    own, theirs = dues(cockpit)
    assert own == theirs
    assert own


def nca(cockpit: Cockpit) -> issues.Version:
    """A directive of the authority's own, which allows more days and therefore waits to be taken note of."""
    with translated(), connect(cockpit.desk.url) as owner:
        names.tie(owner, "nca-1", "authority")
    outcomes = json.loads(DOCUMENT)["outcomes"]
    outcomes[1]["days"] = 90
    made = publish(cockpit, id="nca-1", short="NCA 1", outcomes=outcomes)
    address(cockpit, TODAY, "nca-1", "advisory")
    return made


def test_a_version_that_waits_offers_no_file_that_does_not_answer(cockpit: Cockpit) -> None:
    made = nca(cockpit)
    page = cockpit.page("operator@water", "/directives/nca-1")
    assert "once it is taken note of" in page
    assert "As it would be under version" in words(page)
    for link in re.findall(r'href="(/api/v1/directives/draft/[^"]+)"', page):
        cockpit.page("operator@water", link.replace("&amp;", "&"))
    assert "/directives/nca-1/reports" not in page
    cockpit.post("operator@water", "/directives/nca-1/acknowledgement?org=water", version=str(made.id))
    page = cockpit.page("operator@water", "/directives/nca-1")
    links = [
        link.replace("&amp;", "&") for link in re.findall(r'href="(/api/v1/directives/draft/[^"]+)"', page)
    ]
    assert len(links) > 4
    for link in links:
        if "oscal" not in link:
            cockpit.page("operator@water", link)


def test_settings_and_cockpit_say_the_same_of_what_is_addressed(cockpit: Cockpit) -> None:
    made = publish(cockpit)
    address(cockpit, SINCE)
    for taken in (False, True):
        if taken:
            path = "/directives/bod-26-04/acknowledgement?org=water"
            cockpit.post("operator@water", path, version=str(made.id))
        settings = words(cockpit.page("operator@water", "/settings/organisation"))
        assert "BOD-26-04 is binding" in settings
        assert "addressed by The authority since" in settings
        assert ("not acknowledged yet" in settings) is not taken
        assert "BOD-26-04 advisory" not in settings
        assert "It is binding for Water works" in words(
            cockpit.page("operator@water", "/directives/bod-26-04")
        )


def test_the_explanation_of_a_date_says_what_the_cockpit_says_before_a_version_is_taken_note_of(
    cockpit: Cockpit,
) -> None:
    outcomes = json.loads(DOCUMENT)["outcomes"]
    outcomes[1]["days"] = 90  # dates would come later, and so it waits
    made = publish(cockpit, version="1.5.0", outcomes=outcomes)
    number = exposure_of(cockpit, "water-gw")
    for standing, cockpits, explained in (
        ("advisory", "advice for Water works", "advice for you"),
        ("binding", "binding for Water works", "Due"),
    ):
        address(cockpit, TODAY - timedelta(days=1) if standing == "advisory" else TODAY, standing=standing)
        for taken in (False, True) if standing == "binding" else (False,):
            if taken:
                path = "/directives/bod-26-04/acknowledgement?org=water"
                cockpit.post("operator@water", path, version=str(made.id))
            assert cockpits in words(cockpit.page("operator@water", "/directives/bod-26-04"))
            why = words(cockpit.page("operator@water", f"/exposure/{number}")).partition("Why this date")[2]
            assert ("advice for you" in why) is (standing == "advisory")
            assert explained in why
            assert ("is binding for your organisation" in why) is (standing == "binding")
            assert ("that counts once your organisation takes note of it" in why) is not taken
            week = words(cockpit.page("operator@water", "/this-week"))
            assert ("which is binding for your organisation" in week) is (standing == "binding")
    # Somebody who is not addressed is told what the organisation says of itself.
    other = exposure_of(cockpit, "hospital-gw")
    assert "advice for you" in words(cockpit.page("operator@hospital", f"/exposure/{other}"))


def exposure_of(cockpit: Cockpit, asset: str) -> int:
    with translated(), connect(cockpit.desk.url) as owner:
        row = owner.execute(
            """select e.exposure from clearway.exposure e join clearway.asset a using (asset)
            where a.name = %s order by 1 limit 1""",
            (asset,),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_an_own_word_in_the_settings_is_the_word_on_the_cockpit(cockpit: Cockpit) -> None:
    cockpit.post(
        "administrator@hospital", "/settings/organisation/standing", directive="BOD-26-04", standing="adopted"
    )
    assert "made a rule of its own by Hospital" in words(
        cockpit.page("operator@hospital", "/directives/bod-26-04")
    )
    cockpit.post(
        "administrator@hospital", "/settings/organisation/standing", directive="bod-26-04", standing="binding"
    )
    assert "binding for Hospital" in words(cockpit.page("operator@hospital", "/directives/bod-26-04"))
    settings = words(cockpit.page("operator@hospital", "/settings/organisation"))
    assert "bod-26-04 is binding" in settings.lower()
    assert "adopted" not in settings.partition("Directive To")[2].partition("binding: it must")[0]


def test_a_version_is_not_addressed_from_before_it_was_issued(cockpit: Cockpit) -> None:
    publish(cockpit)
    assert min(phase.since for phase in load("bod-26-04").effective) < SINCE
    with pytest.raises(InputError, match=f"is before {SINCE}, from which version {VERSION} is in effect"):
        address(cockpit, SINCE - timedelta(days=1))
    path = "/directives/bod-26-04/addresses?org=authority"
    page = cockpit.post("official@authority", path, 422, recipients="water", since="2020-01-01")
    assert "from which version" in words(page.text)
    address(cockpit, SINCE)


def ahead(cockpit: Cockpit, version: str, day: date, issued: date = TODAY) -> issues.Version:
    """Issues a version whose own day is `day`."""
    phases = [{"phase": "I", "from": str(day), "what": "all"}]
    return publish(cockpit, issued, version=version, published=str(day), effective=phases)


def test_who_is_addressed_while_a_later_version_is_to_come_is_bound_by_the_one_that_stands(
    cockpit: Cockpit,
) -> None:
    """As of that version's own day alone the directive could not be addressed today."""
    publish(cockpit, version="1.5.0")
    day = TODAY + timedelta(days=95)
    ahead(cockpit, "1.6.0", day)
    with cockpit.desk.acting("official@authority") as (db, _):
        assert addresses.first_day(db, "authority", "bod-26-04", TODAY) == TODAY
    address(cockpit, TODAY)
    with cockpit.desk.acting("operator@water") as (db, me):
        org = me.memberships[0].org
        stands = [addresses.addressed_to(db, org, d)[0].version.version for d in (TODAY, day - ONE, day)]
    assert stands == ["1.5.0", "1.5.0", "1.6.0"]
    text = words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    assert "took note of version 1.5.0" in text
    assert "Version 1.6.0 is issued, and in effect from" in text
    assert "until then version 1.5.0 stands" in text
    assert "in effect from" in words(cockpit.page("official@authority", "/directives/issue"))


def test_a_first_version_that_is_to_come_is_addressed_from_its_own_day(cockpit: Cockpit) -> None:
    day = TODAY + timedelta(days=95)
    ahead(cockpit, "1.6.0", day)
    path = "/directives/bod-26-04/compliance?org=authority"
    assert "BOD 26-04 1.6.0 of The authority is in effect from" in words(
        cockpit.page("official@authority", path)
    )
    with pytest.raises(InputError, match=f"before {day}"):
        address(cockpit, day - ONE)
    to = "/directives/bod-26-04/addresses?org=authority"
    refused = cockpit.post("official@authority", to, 422, recipients="water", since=str(TODAY))
    assert f"give {day} or a later day" in words(refused.text)
    cockpit.post("official@authority", to, recipients="water")
    with cockpit.desk.acting("operator@water") as (db, me):
        assert addresses.addressed_to(db, me.memberships[0].org, day - ONE) == ()
        (todo,) = addresses.addressed_to(db, me.memberships[0].org, day)
    assert (todo.since, todo.version.begins) == (day, day)
    assert "BOD 26-04" in words(cockpit.page("operator@water", "/directives/bod-26-04"))


def test_what_is_to_end_on_a_later_day_is_ended_sooner_on_the_page_of_issuing(cockpit: Cockpit) -> None:
    made = publish(cockpit)
    later = {"on": TODAY + timedelta(days=40), "reason": "a mistake"}
    cockpit.desk.do("official@authority", issues.revoke, "authority", "bod-26-04", made.version, **later)
    page = cockpit.page("official@authority", "/directives/issue")
    assert "ends today, and not on" in words(page)
    path = "/directives/bod-26-04/revocation?org=authority"
    cockpit.post("official@authority", path, version=made.version, reason="at once")
    assert "ends today" not in words(cockpit.page("official@authority", "/directives/issue"))
    cockpit.post("official@authority", path, 409, version=made.version, reason="at once")


def test_what_is_late_at_once_is_said_before_it_is_addressed(cockpit: Cockpit) -> None:
    publish(cockpit)
    path = "/directives/bod-26-04/addresses?org=authority"
    shown = words(cockpit.page("official@authority", "/directives/bod-26-04/compliance"))
    assert "two-week report by" in shown
    asked = cockpit.post("official@authority", path, 422, recipients="water", since=str(SINCE))
    assert f"the first two-week report was due {SINCE + timedelta(days=14)}" in words(asked.text)
    assert "Nobody is addressed yet" in words(asked.text)
    cockpit.post("official@authority", path, recipients="water", since=str(SINCE), agreed="yes")
    own, theirs = dues(cockpit)
    assert own == theirs


@pytest.mark.parametrize("number", ["1.0.0; drop", "1 0", "1/2", "", ".1", "1\u00b2", "\u0661", "x" * 61])
def test_a_version_is_named_by_letters_digits_dots_and_dashes(cockpit: Cockpit, number: str) -> None:
    with pytest.raises(InputError, match="can't be an id and a version"):
        publish(cockpit, version=number)


def test_the_version_that_ships_can_be_issued(cockpit: Cockpit) -> None:
    assert publish(cockpit).version == VERSION


def test_who_attests_sees_the_doubts_and_the_addresses_before_the_button(cockpit: Cockpit) -> None:
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute(
            """with a as (
                insert into clearway.asset (org, aud, name, exposure, environment, addresses, created)
                select org, aud, 'portal', 'public', 'production', '{10.0.0.1}', now() - interval '9 days'
                from clearway.asset where name = 'water-gw' returning asset, org, aud)
            insert into clearway.asset_exposure (asset, org, aud, exposure, since, said_by, recorded)
            select asset, org, aud, 'public', current_date - 9, 'test', now() - interval '9 days' from a"""
        )
    page = cockpit.page("operator@water", "/directives/bod-26-04/attestation?org=water")
    text = words(page)
    assert "1 doubt to look at before you attest to 1 public address or name" in text
    assert "portal : tagged public, and no public address or name is known" in text
    assert (
        page.index("no public address or name is known") < page.index("8.8.8.8") < page.index("Attest to 1")
    )
    assert "hospital-gw" not in page
    fields = dict(re.findall(r'name="(kind|seen)" value="([^"]+)"', page))
    with translated(), connect(cockpit.desk.url) as owner:
        owner.execute("update clearway.asset set addresses = '{9.9.9.9}' where name = 'portal'")
    path = "/directives/bod-26-04/reports?org=water"
    refused = cockpit.post("operator@water", path, 422, by="R. Roe", role="CISO", **fields)
    assert "has changed since you read it" in words(refused.text)
    assert "9.9.9.9" in refused.text
    assert 'value="R. Roe"' in refused.text
    fields = dict(re.findall(r'name="(kind|seen)" value="([^"]+)"', refused.text))
    cockpit.post("operator@water", path, by="R. Roe", role="CISO", **fields)
    cockpit.page("auditor@water", "/directives/bod-26-04/attestation?org=water", 403)
