"""A second person is shown what they agree to; an embargo is told its flaws, and disarmed, by page and API."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access_house import House
from clearway.access import audience
from clearway.access.marking import GREEN, own

SOON = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


def words(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.fixture
def asset(house: House) -> tuple[int, int]:
    """An asset of Water's, and the number of its audience."""
    with house.people.owner() as db:
        aud = audience.of(db, own(house.water))
        row = db.execute(
            "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
            (house.water, aud),
        ).fetchone()
    assert row is not None
    return int(row[0]), aud


def remark(house: House, asset: int, proposal: dict[str, Any]) -> Any:
    body = {
        "org": house.water,
        "kind": "remark",
        "subject": f"asset/{asset}",
        "proposal": proposal,
        "why": "x",
    }
    return house.member.api("POST", "/approvals", body)


@pytest.mark.parametrize(
    "proposal",
    [{}, {"was": 2}, {"was": 2, "aud": "1"}, {"was": 2, "aud": 1.5}, {"was": 2, "aud": True},
     {"was": 2, "aud": None}, {"was": 2, "aud": 65_536}, {"was": -1, "aud": 1}, {"aud": 1}],
    ids=str,
)  # fmt: skip
def test_another_marking_is_asked_for_by_the_numbers_of_two_audiences(
    house: House, asset: tuple[int, int], proposal: dict[str, Any]
) -> None:
    refused = remark(house, asset[0], proposal)
    assert refused.status_code == 400
    assert "proposal." in refused.text


def test_the_page_says_in_words_who_sees_it_now_and_who_would(house: House, asset: tuple[int, int]) -> None:
    with house.people.owner() as db:
        green = audience.of(db, GREEN)
    assert remark(house, asset[0], {"was": asset[1], "aud": green, "to": "TLP:RED"}).status_code == 201
    shown = words(house.desk.look("/settings/sharing").text)
    assert "now RED members of Water" in shown.replace("TLP:", "")
    said = "It is now TLP:RED, seen by members of Water; it may then be TLP:GREEN, seen by everybody who is signed in"
    assert said in shown
    # On its own page, where the change is carried out by agreeing to it.
    path = f"/markings/asset/{asset[0]}"
    tag = house.member.api("GET", path).headers["etag"]
    house.member.api("PUT", path, {"tlp": "GREEN", "why": "x"}, if_match=tag)
    shown = words(house.desk.look(path).text)
    assert "gw is now TLP:RED, seen by members of Water. It is then TLP:GREEN, seen by everybody" in shown


def test_a_second_person_is_told_that_who_asks_was_called_otherwise(
    house: House, asset: tuple[int, int]
) -> None:
    assert house.member.who is not None
    me = f"/people/{house.member.who.person}"
    for name in ("Somebody", "Chief of Water"):
        tag = house.member.api("GET", me).headers["etag"]
        assert house.member.api("PATCH", me, {"name": name}, if_match=tag).status_code == 200
    path = f"/markings/asset/{asset[0]}"
    tag = house.member.api("GET", path).headers["etag"]
    house.member.api("PUT", path, {"tlp": "CLEAR", "why": "as agreed"}, if_match=tag)
    for page in ("/settings/sharing", path):
        shown = words(house.desk.look(page).text)
        assert re.search(r"Chief of Water, \S+ s ago called Member of Water until", shown), page
    tag = house.member.api("GET", me).headers["etag"]
    house.member.api("PATCH", me, {"name": "Member of Water"}, if_match=tag)
    assert "called " not in words(house.desk.look(path).text)


def test_who_would_not_see_what_is_asked_for_can_not_agree_to_it(
    house: House, asset: tuple[int, int]
) -> None:
    with house.people.owner() as db:
        theirs = audience.of(db, own(house.hospital))
    asked = remark(house, asset[0], {"was": asset[1], "aud": theirs})
    assert asked.status_code == 201
    (item,) = house.desk.api("GET", "/approvals").json()["items"]
    assert (
        item["proposal"] == {}
    )  # whom it means is said of the one, in words, and no number stands in a list
    assert str(asked.json()["approval"]) in house.desk.api("GET", "/approvals.csv").text
    shown = house.desk.look("/settings/sharing").text
    assert "some whom you are not of" in shown
    assert 'value="approved"' not in shown
    assert 'value="refused"' in shown


def test_an_embargo_is_told_its_flaws_and_disarmed_by_the_api(house: House) -> None:
    made = house.desk.api("POST", "/embargoes", {"org": house.water, "name": "Gateway"})
    path = f"/embargoes/{made.json()['embargo']}"
    named = house.desk.api("POST", f"{path}/flaws", {"flaw": "CVE-2026-40404"})
    assert named.json()["flaws"] == ["CVE-2026-40404"]
    assert house.member.api("POST", f"{path}/flaws", {"flaw": "CVE-2026-40404"}).status_code == 403
    assert house.member.api("GET", path).json()["flaws"] == []
    for wrong in ("", "a b", "<b>", "x" * 101):
        assert house.desk.api("POST", f"{path}/flaws", {"flaw": wrong}).status_code == 400
    listed = house.desk.api("GET", "/embargoes").json()["items"]
    assert [e["flaws"] for e in listed] == [["CVE-2026-40404"]]
    armed = {"until": f"{SOON}T00:00:00Z", "on_exploitation": True}
    tag = named_tag = house.desk.api("GET", path).headers["etag"]
    done = house.desk.api("PATCH", path, armed, if_match=tag)
    assert done.json()["on_exploitation"] is True
    assert house.desk.api("PATCH", path, {"until": None}, if_match=named_tag).status_code == 412
    done = house.desk.api("PATCH", path, {"until": None}, if_match=done.headers["etag"])
    assert (done.status_code, done.json()["until"], done.json()["on_exploitation"]) == (200, None, False)
    assert house.desk.api("PATCH", path, {}, if_match=done.headers["etag"]).status_code == 400
    dropped = house.desk.api("POST", f"{path}/flaws", {"flaw": "CVE-2026-40404", "about": False})
    assert dropped.json()["flaws"] == []
    assert [a for a in house.acts() if a.startswith("embargo.")] == [
        "embargo.added", "embargo.flaw_named", "embargo.armed", "embargo.disarmed", "embargo.flaw_dropped",
    ]  # fmt: skip


def test_an_embargo_is_told_its_flaws_and_disarmed_on_its_page(house: House) -> None:
    made = house.desk.api("POST", "/embargoes", {"org": house.water, "name": "Gateway"}).json()
    path = f"/settings/embargoes/{made['embargo']}"
    house.desk.submit(f"{path}/flaws", flaw="CVE-2026-40404")
    house.desk.submit(f"{path}/arm", day=SOON, hour="00:00", on_exploitation="yes")
    shown = words(house.desk.look(path).text)
    assert "About 1 flaw" in shown
    assert "lists CVE-2026-40404" in shown
    assert "CVE-2026-40404" not in house.member.look(path).text
    house.desk.submit(f"{path}/arm", disarm="yes")
    shown = words(house.desk.look(path).text)
    assert "has no end yet" in shown
    assert "Public exploitation" not in shown
    # By exploitation alone, which the pages set with an hour only, and the API and the command without.
    tag = house.desk.api("GET", f"/embargoes/{made['embargo']}").headers["etag"]
    by_news = {"until": None, "on_exploitation": True}
    house.desk.api("PATCH", f"/embargoes/{made['embargo']}", by_news, if_match=tag)
    shown = words(house.desk.look(path).text)
    assert "Gateway ends on public exploitation" in shown
    assert "Public exploitation ends it: when a catalogue" in shown
    assert "no end" not in shown
    listed = words(house.desk.look(f"/settings/sharing?at={house.water}").text)
    assert "on public exploitation" in listed
    assert "no end set" not in listed
    house.desk.submit(f"{path}/arm", disarm="yes")
    assert "no end set" in words(house.desk.look(f"/settings/sharing?at={house.water}").text)
    wrong = house.desk.submit(f"{path}/flaws", flaw="<script>")
    assert wrong.status_code == 422
    assert "That is no id of a flaw" in wrong.text
    house.desk.submit(f"{path}/flaws", flaw="CVE-2026-40404", about="no")
    assert "CVE-2026-40404" not in house.desk.look(path).text.split("</main>")[0].split('id="flaws"')[1]


def test_figures_across_fleets_are_for_everybody(house: House) -> None:
    answer = house.public.api("GET", "/figures")
    assert (answer.status_code, answer.json()) == (200, [])
