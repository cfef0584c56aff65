"""`/api/v1` of access: what four different people may do, and what each of them is told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from access_house import House
from clearway.access import person
from clearway.store.principal import key_of


def test_everybody_is_told_who_they_are_and_the_public_is_not_let_in(house: House) -> None:
    me = house.member.api("GET", "/me").json()
    assert (me["name"], me["credential"], me["memberships"][0]["slug"]) == (
        "Member of Water",
        "token",
        "water",
    )
    assert house.public.api("GET", "/me").status_code == 401
    for path in (
        "/organisations",
        "/tokens",
        "/sessions",
        "/lists",
        "/embargoes",
        "/approvals",
        "/audiences/0",
    ):
        assert house.public.api("GET", path).status_code == 401, path


def test_members_are_known_to_their_own_and_to_the_house_alone(house: House) -> None:
    path = f"/organisations/{house.water}/members"
    for reader in (house.admin, house.chief, house.member):
        names = [m["name"] for m in reader.api("GET", path).json()["items"]]
        assert names == ["Auditor of Water", "Chief of Water", "Coordinator of Water", "Member of Water"]
    assert house.stranger.api("GET", path).json() == {"items": [], "next": None}
    assert house.member.who is not None
    known = house.stranger.api("GET", f"/people/{house.member.who.person}")
    nobody = house.stranger.api("GET", "/people/999999")
    assert (known.status_code, nobody.status_code) == (404, 404)
    assert known.json()["title"] == nobody.json()["title"]


def test_an_administrator_adds_a_member_once_and_gives_and_takes_roles(house: House) -> None:
    body = {"name": "Nora New", "roles": ["auditor"], "email": "nora@example.org"}
    path = f"/organisations/{house.water}/members"
    made = house.chief.api("POST", path, body, idempotency_key="one")
    again = house.chief.api("POST", path, body, idempotency_key="one")
    assert (made.status_code, again.json()) == (201, made.json())
    assert again.headers["idempotency-replayed"] == "?1"
    person = made.json()["person"]
    roles = f"{path}/{person}/roles"
    changed = house.chief.api("POST", roles, {"grant": ["operator"], "revoke": ["auditor"]})
    assert changed.json()["roles"] == ["operator"]
    for reader, code in ((house.member, 403), (house.stranger, 404), (house.public, 401)):
        assert reader.api("POST", roles, {"grant": ["administrator"]}).status_code == code
    assert house.chief.api("POST", roles, {"grant": ["king"]}).status_code == 400
    assert house.stranger.api("POST", path, body).status_code == 403  # organisations are known, and closed
    assert house.acts()[-3:] == ["person.added", "role.granted", "role.revoked"]


def test_a_kept_answer_takes_the_right_that_its_work_takes_at_that_moment(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The guard goes on knowing the reader as they were.
    monkeypatch.setattr("clearway.http.acting.REMEMBERED_S", 3_600.0)
    path = f"/organisations/{house.water}/members"
    body = {"name": "Nora New", "roles": ["auditor"], "email": "nora@example.org"}
    chief = house.chief.who
    assert chief is not None

    def asked() -> Any:
        return house.chief.api("POST", path, body, idempotency_key="one")

    assert [asked().status_code for _ in range(2)] == [201, 201]
    for change, code in ((person.revoke, 409), (person.grant, 201)):
        with house.people.owner() as owner:
            change(owner, chief.person, house.water, "administrator")
        answer = asked()
        assert answer.status_code == code
        assert ("nora@example.org" in answer.text) == (code == 201)
    with house.people.acting(house.people.admin) as db:
        person.set_active(db, chief.person, active=False)
    assert asked().status_code == 401


def test_an_invitation_is_shown_once_and_a_repeated_request_gets_no_code(house: House) -> None:
    members = f"/organisations/{house.water}/members"
    person = house.chief.api("POST", members, {"name": "Nora New", "roles": ["auditor"]}).json()["person"]
    path = f"/api/v1{members}/{person}/invitation"
    first = house.chief.ask_in_person(path, idempotency_key="k")
    again = house.chief.ask_in_person(path, idempotency_key="k")
    assert first.json()["code"].count("-") == 3
    assert again.json() == {**first.json(), "code": None}
    assert house.stranger.ask_in_person(path).status_code == 404
    assert house.member.ask_in_person(path).status_code == 403


def test_a_token_is_shown_once_kept_nowhere_and_ends_when_revoked(house: House) -> None:
    body = {"label": "backup", "scopes": ["read"], "days": 7}
    made = house.member.api("POST", "/tokens", body, idempotency_key="t")
    secret = made.json()["secret"]
    assert secret.startswith("cw_")
    assert house.member.api("POST", "/tokens", body, idempotency_key="t").json()["secret"] is None
    with house.people.owner() as owner:
        kept = owner.execute("select convert_from(body, 'UTF8') from clearway.idempotency").fetchall()
    assert made.json()["public_id"] in kept[0][0]
    assert secret not in kept[0][0]
    own = {"authorization": f"Bearer {secret}"}
    me = house.member.client.get("/api/v1/me", headers=own).json()
    assert me["memberships"][0]["rights"] == ["read"]
    wider = house.member.client.post("/api/v1/tokens", json={"label": "more"}, headers=own)
    assert wider.status_code == 403
    listed = house.member.api("GET", "/tokens?active=yes").json()["items"]
    assert {t["label"] for t in listed} == {"backup", "test"}
    assert "secret" not in listed[0]
    number = made.json()["credential"]
    assert house.stranger.api("POST", f"/tokens/{number}/revoke").status_code == 404
    assert house.member.api("POST", f"/tokens/{number}/revoke").status_code == 200
    with house.people.pool.acting(key_of(secret)) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_a_token_that_is_made_with_one_is_said_to_end_when_it_does(house: House) -> None:
    made = house.member.api("POST", "/tokens", {"label": "nightly", "days": 1}).json()
    own = {"authorization": f"Bearer {made['secret']}"}

    told = [
        house.member.client.post(
            "/api/v1/tokens", json={"label": "child", "days": 300}, headers={**own, "idempotency-key": "c"}
        ).json()
        for _ in range(2)
    ]
    assert [t["expires"] for t in told] == [made["expires"]] * 2
    listed = house.member.api("GET", "/tokens").json()["items"]
    assert [t["expires"] for t in listed if t["label"] == "child"] == [made["expires"]]


def test_a_token_for_one_organisation_makes_none_that_reaches_further(house: House) -> None:
    made = house.member.api("POST", "/tokens", {"label": "here", "org": house.water}).json()
    own = {"authorization": f"Bearer {made['secret']}"}
    client = house.member.client
    assert client.post("/api/v1/tokens", json={"label": "all"}, headers=own).status_code == 403
    assert (
        client.post("/api/v1/tokens", json={"label": "same", "org": house.water}, headers=own).status_code
        == 201
    )
    assert house.member.api("POST", "/tokens", {"label": "x", "org": house.hospital}).status_code == 404


def test_a_service_works_by_the_tokens_that_its_administrator_makes(house: House) -> None:
    path = f"/organisations/{house.water}/members"
    service = house.chief.api(
        "POST", path, {"name": "scanner", "kind": "service", "roles": ["operator"]}
    ).json()
    body = {"label": "ci", "scopes": ["read", "operate"], "person": service["person"]}
    made = house.chief.api("POST", "/tokens", body).json()
    own = {"authorization": f"Bearer {made['secret']}"}
    assert house.chief.client.get("/api/v1/me", headers=own).json()["kind"] == "service"
    for reader in (house.member, house.stranger):
        assert reader.api("POST", "/tokens", body).status_code == 404


def test_an_organisation_is_changed_by_who_has_read_it_and_administers_it(house: House) -> None:
    path = f"/organisations/{house.water}"
    read = house.chief.api("GET", path)
    change = {"sectors": ["water"], "standing": {"BOD-26-04": "adopted"}}
    assert house.chief.api("PATCH", path, change).status_code == 428
    tag = read.headers["etag"]
    done = house.chief.api("PATCH", path, change, if_match=tag)
    assert done.json()["standing"] == {"BOD-26-04": "adopted"}
    assert house.chief.api("PATCH", path, change, if_match=tag).status_code == 412
    for reader, code in ((house.member, 403), (house.stranger, 403)):
        assert reader.api("PATCH", path, change, if_match="*").status_code == code
    assert house.chief.api("PATCH", path, {"standing": {"X": "maybe"}}, if_match="*").status_code == 400
    assert (
        house.chief.api("POST", "/organisations", {"slug": "x", "name": "X", "kind": "lab"}).status_code
        == 403
    )
    assert (
        house.admin.api("POST", "/organisations", {"slug": "x", "name": "X", "kind": "lab"}).status_code
        == 201
    )


def test_a_person_changes_themselves_and_nobody_else(house: House) -> None:
    assert house.member.who is not None
    path = f"/people/{house.member.who.person}"
    tag = house.member.api("GET", path).headers["etag"]
    done = house.member.api("PATCH", path, {"time_zone": "Europe/Paris", "digest": "never"}, if_match=tag)
    assert (done.json()["time_zone"], done.json()["digest"]) == ("Europe/Paris", "never")
    assert house.member.api("PATCH", path, {"time_zone": "Mars/Base"}, if_match="*").status_code == 400
    assert house.chief.api("PATCH", path, {"name": "Somebody Else"}, if_match="*").status_code == 403
    assert house.stranger.api("PATCH", path, {"name": "x"}, if_match="*").status_code == 404


def test_barring_a_person_ends_all_they_hold_at_once(house: House) -> None:
    assert house.member.who is not None
    path = f"/people/{house.member.who.person}/active"
    assert house.chief.api("POST", path, {"active": False}).status_code == 403
    assert house.admin.api("POST", path, {"active": False}).json()["active"] is False
    with house.people.pool.acting(house.member.who.token_key) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_an_embargo_is_armed_seen_by_its_parties_and_released_by_its_coordinator(house: House) -> None:
    made = house.desk.api("POST", "/embargoes", {"org": house.water, "name": "Gateway"})
    number = made.json()["embargo"]
    path = f"/embargoes/{number}"
    assert house.stranger.api("GET", path).status_code == 404
    assert house.desk.api("POST", f"{path}/parties", {"org": house.hospital}).status_code == 200
    assert house.stranger.api("GET", path).json()["name"] == "Gateway"
    assert house.stranger.api("GET", f"{path}/parties").status_code == 404  # the keeper's to know
    parties = house.desk.api("GET", f"{path}/parties").json()["items"]
    assert [p["name"] for p in parties] == ["Hospital"]
    until = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    tag = house.desk.api("GET", path).headers["etag"]
    armed = house.desk.api("PATCH", path, {"until": until, "on_exploitation": True}, if_match=tag)
    assert armed.json()["until"] is not None
    assert house.desk.api("PATCH", path, {"until": until}, if_match=tag).status_code == 412
    for reader, code in ((house.member, 403), (house.stranger, 403)):
        assert reader.api("POST", f"{path}/release", {"why": "x"}).status_code == code
    assert house.desk.api("POST", f"{path}/release", {"why": "fixed"}).json()["ended_by"] > 0
    assert house.desk.api("POST", f"{path}/release", {"why": "fixed"}).status_code == 409
    assert [a for a in house.acts() if a.startswith("embargo.")] == [
        "embargo.added", "embargo.party_added", "embargo.armed", "embargo.released",
    ]  # fmt: skip


def test_only_a_coordinator_makes_parties_by_whatever_way(house: House) -> None:
    made = house.desk.api("POST", "/embargoes", {"org": house.water, "name": "Gateway"}).json()
    body = {"org": house.hospital}
    assert house.member.api("POST", f"/embargoes/{made['embargo']}/parties", body).status_code == 403
    # An embargo's parties are a list besides, which any member may see.
    for reader in (house.member, house.desk):
        assert reader.api("POST", f"/lists/{made['recipients']}/recipients", body).status_code == 409
    assert all(one["name"] != "Gateway" for one in house.desk.api("GET", "/lists").json()["items"])
    assert house.stranger.api("GET", f"/embargoes/{made['embargo']}").status_code == 404


def test_a_recipient_list_is_its_organisations_own(house: House) -> None:
    made = house.desk.api("POST", "/lists", {"org": house.water, "name": "Vendors"}).json()
    path = f"/lists/{made['list']}"
    assert house.desk.api("POST", f"{path}/recipients", {"org": house.hospital}).json()["members"] == 1
    assert house.desk.api("POST", f"{path}/recipients", {"org": 9999}).status_code == 400
    assert house.desk.api("POST", f"{path}/recipients", {}).status_code == 400
    names = [r["name"] for r in house.desk.api("GET", f"{path}/recipients").json()["items"]]
    assert names == ["Hospital"]
    assert house.stranger.api("GET", path).status_code == 404
    assert house.stranger.api("POST", f"{path}/recipients", {"org": house.water}).status_code == 404


def test_an_approval_takes_a_second_person(house: House) -> None:
    body = {
        "org": house.water,
        "kind": "remark",
        "subject": "asset/1",
        "proposal": {"was": 2, "aud": 0},
        "why": "x",
    }
    asked = house.desk.api("POST", "/approvals", body).json()
    path = f"/approvals/{asked['approval']}"
    assert house.desk.api("POST", f"{path}/decision", {"verdict": "approved"}).status_code == 403
    assert house.member.api("POST", f"{path}/decision", {"verdict": "approved"}).status_code == 403
    assert house.stranger.api("GET", path).status_code == 404
    assert house.stranger.api("POST", f"{path}/decision", {"verdict": "approved"}).status_code == 404
    decided = house.chief.api("POST", f"{path}/decision", {"verdict": "approved"})
    assert decided.json()["verdict"] == "approved"
    assert house.chief.api("POST", f"{path}/decision", {"verdict": "refused"}).status_code == 409


def test_an_audience_says_who_sees_it_and_why_the_reader_does(house: House) -> None:
    from clearway.access import audience
    from clearway.access.marking import Marking, own

    with house.people.owner() as owner:
        mine = audience.of(owner, own(house.water))
        shared = audience.of(owner, Marking(tlp="AMBER", org=house.water))
    told = house.member.api("GET", f"/audiences/{mine}").json()
    assert told["label"] == "TLP:RED"
    assert told["clauses"] == [
        {"groups": ["members of Water"], "mine": [True], "embargo": False, "released": False}
    ]
    assert house.stranger.api("GET", f"/audiences/{mine}").status_code == 404
    for number in (mine, 65_535, 65_536, 99_999):  # hidden, absent, and beyond all numbers
        answer = house.stranger.api("GET", f"/audiences/{number}")
        assert (answer.status_code, answer.json()["where"]) == (404, f"audience/{number}")
    house.chief.api("POST", f"/organisations/{house.water}/clients", {"client": house.hospital})
    (clause,) = house.stranger.api("GET", f"/audiences/{shared}").json()["clauses"]
    assert dict(zip(clause["groups"], clause["mine"], strict=True))["clients of Water"] is True


@pytest.mark.parametrize(
    "path", ["/organisations", "/tokens", "/sessions", "/lists", "/embargoes", "/approvals"]
)
def test_a_list_is_there_as_csv_and_refuses_what_it_does_not_have(house: House, path: str) -> None:
    answer = house.chief.api("GET", f"{path}.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert house.chief.api("GET", f"{path}?colour=red").status_code == 400


def test_signing_out_everywhere_ends_the_sessions_and_if_asked_the_tokens(house: House) -> None:
    assert house.member.api("POST", "/sign-out", {}).json() == {"ended": 1}
    assert house.member.api("GET", "/me").status_code == 200
    assert house.member.api("POST", "/sign-out", {"tokens": True}).json() == {"ended": 1}
    assert house.member.api("GET", "/me").status_code == 401
