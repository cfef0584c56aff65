"""Changing a marking through the API and on its page."""

from __future__ import annotations

import re
from typing import Any

import pytest

from access_house import House, Reader
from clearway.access import audience
from clearway.access.marking import own


@pytest.fixture
def gateway(house: House) -> int:
    with house.people.owner() as db:
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw <b>7</b>') returning asset",
            (house.water, audience.of(db, own(house.water))),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_an_approval_of_leaving_an_embargo_says_in_words_what_changes(house: House, gateway: int) -> None:
    made = house.desk.api("POST", "/embargoes", {"org": house.water, "name": "Gateway"}).json()
    parties = house.desk.api("POST", f"/embargoes/{made['embargo']}/parties", {"org": house.water})
    assert parties.status_code < 300, parties.text
    path = f"/markings/asset/{gateway}"
    under = {"tlp": "RED", "embargo": made["embargo"], "why": "not yet known"}
    done = put(house.desk, path, under)
    assert done.json()["done"] is True, done.text
    asked = put(house.desk, path, {"tlp": "RED", "embargo": 0, "why": "it is known"}).json()["approval"]
    assert (asked["proposal"]["from"], asked["proposal"]["to"]) == ("TLP:RED", "TLP:RED")
    told = house.desk.api("GET", f"/approvals/{asked['approval']}").json()["wording"]
    assert [c["embargo"] for c in told["now"]["clauses"]] == [False, True]
    assert [c["groups"] for c in told["then"]["clauses"]] == [["members of Water"]]


def put(who: Reader, path: str, body: dict[str, Any], tag: str = "") -> Any:
    found = who.api("GET", path)
    return who.api("PUT", path, body, if_match=tag or found.headers.get("etag", '"0.AAAAAAAAAAAAAAAAAAAAAA"'))


def test_a_marking_is_read_narrowed_and_lowered_by_two_through_the_api(house: House, gateway: int) -> None:
    path = f"/markings/asset/{gateway}"
    shown = house.member.api("GET", path)
    assert shown.json()["meaning"]["label"] == "TLP:RED"
    assert shown.json()["may_change"] is True
    assert house.auditor.api("GET", path).json()["may_change"] is False
    tag = shown.headers["etag"]
    lower = {"tlp": "GREEN", "why": "shown at the conference"}
    assert house.member.api("PUT", path, lower).status_code == 428, "what nobody has read is not changed"
    asked = house.member.api("PUT", path, lower, if_match=tag)
    assert (asked.status_code, asked.json()["done"]) == (202, False)
    number = asked.json()["approval"]["approval"]
    assert [a["why"] for a in house.desk.api("GET", path).json()["waiting"]] == ["shown at the conference"]
    listed = house.desk.api("GET", "/approvals?open=yes").json()["items"]
    assert [(a["approval"], a["kind"], a["subject"]) for a in listed] == [
        (number, "marking", f"asset/{gateway}")
    ]
    assert house.stranger.api("GET", path).status_code == 404
    decision = f"/approvals/{number}/decision"
    assert house.member.api("POST", decision, {"verdict": "approved"}).status_code == 403
    decided = house.desk.api("POST", decision, {"verdict": "approved"}, idempotency_key="once")
    assert decided.json()["used"] is not None
    again = house.desk.api("POST", decision, {"verdict": "approved"}, idempotency_key="once")
    assert again.status_code == 201 or again.json() == decided.json()
    assert house.stranger.api("GET", path).json()["meaning"]["label"] == "TLP:GREEN"
    narrow = {"tlp": "RED", "why": "not yet"}
    assert put(house.member, path, narrow, tag).status_code == 412, "it was lowered since"
    done = put(house.member, path, narrow)
    assert (done.status_code, done.json()["done"]) == (200, True)
    assert done.headers["etag"] != tag or done.json()["marked"]["aud"] == shown.json()["aud"]
    assert house.stranger.api("GET", path).status_code == 404
    assert house.acts().count("marking.changed") == 2


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"tlp": "GREEN"}, 400),
        ({"tlp": "GREEN", "why": ""}, 400),
        ({"tlp": "PURPLE", "why": "x"}, 400),
        ({"tlp": "GREEN", "why": "x", "colour": 1}, 400),
        ({"tlp": "GREEN", "why": "x" * 501}, 400),
        ({"tlp": "RED", "recipients": 999_999, "why": "x"}, 404),
        ({"tlp": "GREEN", "recipients": 1, "why": "x"}, 400),
        ({"tlp": "GREEN", "embargo": 999_999, "why": "x"}, 404),
        ({"tlp": "AMBER", "org": 999_999, "why": "x"}, 404),
        ({"tlp": "RED", "why": "x"}, 409),
    ],
    ids=str,
)
def test_what_is_no_marking_is_refused(house: House, gateway: int, body: dict[str, Any], status: int) -> None:
    assert put(house.member, f"/markings/asset/{gateway}", body).status_code == status


def test_kinds_and_numbers_that_are_none_and_hidden_ones_answer_alike(house: House, gateway: int) -> None:
    paths = (
        "/markings/asset/999999",
        "/markings/held/1",
        "/markings/asset/99999999999999999999",
        "/markings/%00/1",
    )
    for path in paths:
        assert house.member.api("GET", path).status_code in (400, 404), path
    hidden = house.stranger.api("GET", f"/markings/asset/{gateway}").json()
    nothing = house.stranger.api("GET", "/markings/asset/999999").json()
    assert {**hidden, "where": ""}.keys() == {**nothing, "where": ""}.keys()
    assert (hidden["type"], hidden["title"]) == (nothing["type"], nothing["title"])


def test_an_approval_that_claims_to_be_a_marking_is_not_taken_by_hand(house: House, gateway: int) -> None:
    body = {"org": house.water, "kind": "marking", "subject": f"asset/{gateway}",
            "proposal": {"was": 2, "aud": 0, "to": "TLP:RED"}, "why": "x"}  # fmt: skip
    refused = house.member.api("POST", "/approvals", body)
    assert refused.status_code == 400
    assert "markings/asset" in refused.text


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_the_page_asks_a_second_person_shows_them_what_it_means_and_they_carry_it_out(
    house: House, gateway: int
) -> None:
    path = f"/markings/asset/{gateway}"
    shown = house.member.look(path)
    assert "seen by members of Water" in words(shown.text)
    assert "<b>7</b>" not in shown.text
    found = re.search(r'name="aud" value="(\d+)"', shown.text)
    assert found
    fields = {"aud": found[1], "tlp": "AMBER", "why": "our clients have to know"}
    assert house.member.submit(path, **fields).status_code == 303
    page = words(house.member.look(path).text)
    assert "1 change waits for a second person" in page
    assert "Withdraw" in page
    seen = words(house.desk.look(path).text)
    assert "clients of Water" in seen
    assert "our clients have to know" in seen
    assert "Approve" in seen
    assert "A coordinator or administrator decides." in words(house.auditor.look(path).text)
    sharing = house.desk.look("/settings/sharing").text
    assert f'href="{path}"' in sharing
    assert house.stranger.look(path).status_code == 404
    (waiting,) = house.desk.api("GET", path).json()["waiting"]
    sent = house.desk.submit(f"/settings/approvals/{waiting['approval']}", verdict="approved")
    assert sent.status_code == 303
    assert "seen by the coordinators or members of Water or clients of Water" in words(
        house.member.look(path).text
    )


def test_the_page_says_what_is_wrong_and_does_not_act_on_what_was_read_before(
    house: House, gateway: int
) -> None:
    path = f"/markings/asset/{gateway}"
    stale = house.member.submit(path, aud="0", tlp="GREEN", why="x")
    assert stale.status_code == 422
    assert "changed since you read it" in stale.text
    aud = re.search(r'name="aud" value="(\d+)"', stale.text)
    assert aud
    assert house.member.submit(path, aud=aud[1], tlp="PURPLE", why="x").status_code == 422
    assert "Say why" in house.member.submit(path, aud=aud[1], tlp="GREEN", why=" ").text
    refused = house.auditor.submit(path, aud=aud[1], tlp="GREEN", why="x")
    assert refused.status_code == 422
    assert "the right to change its marking is missing" in refused.text.lower()
    assert house.acts().count("approval.asked") == 0
