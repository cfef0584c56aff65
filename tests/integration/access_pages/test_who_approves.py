"""What waits for a second person is offered to whom it would be taken from, and the others are told who can."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape

import pytest

from access_house import House, Reader
from clearway.access import audience, embargo, person
from clearway.access.marking import Marking, own
from steps import Steps, since, step_of

_OFFERED = ("Approve", "Refuse", "Withdraw", "Look and decide")


def words(html: str) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)))


@pytest.fixture
def gateway(house: House) -> int:
    """An asset of Water's, for its members."""
    with house.people.owner() as db:
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
            (house.water, audience.of(db, own(house.water))),
        ).fetchone()
    assert row is not None
    return int(row[0])


def asked(house: House, gateway: int, kind: str) -> int:
    """The number of what Water's member asks for: by "marking" on its page, by another kind through the API."""
    if kind == "marking":
        path = f"/markings/asset/{gateway}"
        tag = house.member.api("GET", path).headers["etag"]
        made = house.member.api("PUT", path, {"tlp": "GREEN", "why": "all may know"}, if_match=tag)
        return int(made.json()["approval"]["approval"])
    body = {"org": house.water, "kind": kind, "subject": f"asset/{gateway}", "proposal": {}, "why": "x"}
    return int(house.member.api("POST", "/approvals", body).json()["approval"])


def in_the_hands_of_the_member(house: House) -> None:
    """The coordinator came in by a code that the member made."""
    assert house.desk.who is not None
    assert house.member.who is not None
    with house.people.owner() as db:
        db.execute(
            "update clearway.credential set hands = array[%s] where person = %s",
            (house.member.who.person, house.desk.who.person),
        )


def without_the_right(house: House) -> None:
    """Who asked has another role meanwhile."""
    assert house.member.who is not None
    with house.people.owner() as db:
        person.grant(db, house.member.who.person, house.water, "auditor")
        person.revoke(db, house.member.who.person, house.water, "operator")


def nothing(house: House) -> None:
    """All is as it was."""


def verdicts(reader: Reader, page: str, which: int) -> set[str]:
    """What the page offers of that approval."""
    html = reader.look(page).text
    forms = re.findall(rf'action="/settings/approvals/{which}".*?</form>', html, re.DOTALL)
    return {word for form in forms for word in re.findall(r'value="(approved|refused|withdrawn)"', form)}


@pytest.mark.parametrize("kind", ["export", "marking"])
@pytest.mark.parametrize(
    ("who", "before", "offered"),
    [
        ("member", nothing, {"withdrawn"}),
        ("auditor", nothing, set()),
        ("desk", nothing, {"approved", "refused"}),
        ("chief", nothing, {"approved", "refused"}),
        ("desk", in_the_hands_of_the_member, set()),
        ("chief", in_the_hands_of_the_member, {"approved", "refused"}),
        ("desk", without_the_right, {"refused"}),
    ],
    ids=["who asked", "without the right", "a coordinator", "an administrator", "by a code of who asked",
         "another than who came in by that code", "asked by who has no right any more"],
)  # fmt: skip
def test_what_is_offered_is_what_is_taken(
    house: House, gateway: int, kind: str, who: str, before: Callable[[House], None], offered: set[str]
) -> None:
    which = asked(house, gateway, kind)
    before(house)
    reader: Reader = getattr(house, who)
    page = f"/markings/asset/{gateway}" if kind == "marking" else "/settings/sharing"
    assert verdicts(reader, page, which) == offered
    if kind == "marking":  # there the page of the thing is where it is approved
        assert verdicts(reader, "/settings/sharing", which) == offered - {"approved"}
        assert ("Look and decide" in reader.look("/settings/sharing").text) is ("approved" in offered)
    for verdict in ("approved", "refused", "withdrawn"):
        if verdict not in offered:
            refused = reader.submit(f"/settings/approvals/{which}", verdict=verdict)
            assert refused.status_code == 422, verdict
    for verdict in sorted(offered)[:1]:
        assert reader.submit(f"/settings/approvals/{which}", verdict=verdict).status_code == 303


@pytest.mark.parametrize("kind", ["export", "marking"])
def test_who_does_not_decide_is_told_why_and_who_can(house: House, gateway: int, kind: str) -> None:
    which = asked(house, gateway, kind)
    in_the_hands_of_the_member(house)
    pages = ["/settings/sharing", *([f"/markings/asset/{gateway}"] if kind == "marking" else [])]
    for page in pages:
        for reader in (house.member, house.auditor):
            text = words(reader.look(page).text)
            assert (
                "A coordinator or administrator decides. Here that is Chief of Water or Coordinator of Water."
                in text
            )
            assert "It takes a second person" not in text
        text = words(house.desk.look(page).text)
        assert "It takes a second person, and one of you came in by a one-time code" in text
        assert "Here that is Chief of Water." in text
        refused = words(house.desk.submit(f"/settings/approvals/{which}", verdict="approved").text)
        assert "It takes a second person, and one of you came in by a one-time code" in refused
    without_the_right(house)
    for page in pages:
        text = words(house.chief.look(page).text)
        assert (
            "It can't be approved: who asked has been barred, or has not the right any more: refuse it."
            in text
        )


def test_where_nobody_else_decides_it_is_said_what_to_do(house: House, gateway: int) -> None:
    asked(house, gateway, "export")
    with house.people.owner() as db:
        for reader, role in ((house.chief, "administrator"), (house.desk, "coordinator")):
            assert reader.who is not None
            person.grant(db, reader.who.person, house.water, "auditor")
            db.execute(
                "delete from clearway.membership where person = %s and role = %s", (reader.who.person, role)
            )
            db.execute("select clearway.rebadge(%s)", (reader.who.person,))
    assert "Nobody else coordinates or administers here yet" in words(
        house.member.look("/settings/sharing").text
    )


def test_a_change_of_what_was_marked_otherwise_meanwhile_is_refused_and_not_approved(
    house: House, gateway: int
) -> None:
    which = asked(house, gateway, "marking")
    with house.people.owner() as db:
        narrow = audience.of(db, own(house.water))
        other = audience.of(db, Marking(tlp="AMBER", org=house.water))
        assert narrow != other
        db.execute("update clearway.asset set aud = %s where asset = %s", (other, gateway))
    page = f"/markings/asset/{gateway}"
    assert verdicts(house.desk, page, which) == {"refused"}
    assert "its marking has changed since that was asked for" in words(house.desk.look(page).text)
    refused = house.desk.submit(f"/settings/approvals/{which}", verdict="approved")
    assert "marking has changed since" in refused.text
    assert house.desk.submit(f"/settings/approvals/{which}", verdict="refused").status_code == 303


def test_out_of_an_embargo_that_others_keep_nothing_is_offered_to_be_approved(house: House) -> None:
    with house.people.owner() as db:
        kept = embargo.add(db, house.hospital, "Gateway")
        embargo.set_party(db, kept.embargo, person=None, org=house.water, party=True)
        under = Marking(tlp="RED", org=house.water, embargo=kept.embargo)
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
            (house.water, audience.of(db, under)),
        ).fetchone()
    assert row is not None
    page = f"/markings/asset/{row[0]}"
    tag = house.member.api("GET", page).headers["etag"]
    body = {"tlp": "AMBER", "embargo": 0, "why": "it is out"}
    which = int(house.member.api("PUT", page, body, if_match=tag).json()["approval"]["approval"])
    assert verdicts(house.desk, page, which) == {"refused"}
    assert "can't be approved: it is under an embargo, which its keeper ends" in words(
        house.desk.look(page).text
    )
    refused = house.desk.submit(f"/settings/approvals/{which}", verdict="approved")
    assert refused.status_code == 422
    assert "it is under an embargo, which its keeper ends" in refused.text.lower()
    with house.people.owner() as db:
        embargo.release(db, kept.embargo, "it is known")
    assert "it is under an embargo" not in house.desk.look(page).text


def test_a_report_stays_with_the_authority_that_has_it(house: House) -> None:
    with house.people.owner() as db:
        shared = audience.of(db, Marking(tlp="GREEN"))
        row = db.execute(
            """insert into clearway.directive_report (org, aud, authority, directive, directive_version, kind, as_of,
                sha256, body, counts, by_name)
            values (%s, %s, %s, 'bod-26-04', '1', 'seven_day', current_date, sha256('x'), 'x', '{}', 'x')
            returning report""",
            (house.water, shared, house.hospital),
        ).fetchone()
        assert row is not None
        theirs = audience.of(db, own(house.water))
        assert house.member.who is not None
        proposal = json.dumps({"was": shared, "aud": theirs, "from": "TLP:GREEN", "to": "TLP:RED"})
        which = db.execute(
            """insert into clearway.approval (org, kind, subject, proposal, why, asked_by)
            values (%s, 'marking', %s, %s::jsonb, 'x', %s) returning approval""",
            (house.water, f"report/{row[0]}", proposal, house.member.who.person),
        ).fetchone()
    assert which is not None
    page = f"/markings/report/{row[0]}"
    assert verdicts(house.desk, page, which[0]) == {"refused"}
    assert "the authority that it was handed to goes on seeing it" in words(house.desk.look(page).text)


def test_the_step_goes_down_and_up_and_who_decides_stays_the_same(house: House, gateway: int) -> None:
    steps = Steps(house.people.url, *since(step_of("approver")))
    steps.down()
    which = asked(house, gateway, "export")
    refused = house.member.submit(f"/settings/approvals/{which}", verdict="approved")
    assert refused.status_code != 303
    steps.up()
    assert verdicts(house.member, "/settings/sharing", which) == {"withdrawn"}
    assert house.desk.submit(f"/settings/approvals/{which}", verdict="approved").status_code == 303
