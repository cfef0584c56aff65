"""Passkeys through the real routes, with an authenticator in software: bound, used, and what must not work."""

from __future__ import annotations

import re
from typing import Any

import pytest
from litestar.testing import TestClient
from soft_key import SoftKey

from access_house import House
from clearway.http.csrf import token
from clearway.http.session_cookie import SESSION_COOKIE_PLAIN
from clearway.store.principal import key_of
from people import Somebody

ORIGIN = "http://localhost:9000"
# Passkeys need that name; the client of the test would rather have another.
pytestmark = pytest.mark.filterwarnings("ignore:The base_url")


class Browser:
    """A browser at localhost, which passkeys may be bound to."""

    def __init__(self, house: House, who: Somebody | None = None) -> None:
        self.client: TestClient[Any] = TestClient(house.app, base_url=ORIGIN)  # type: ignore[arg-type]
        self.client.follow_redirects = False
        self.headers = {"accept": "application/json"}
        if who is not None:
            self.client.cookies.set(SESSION_COOKIE_PLAIN, who.cookie)
            self.headers["x-csrf-token"] = token(who.key)

    def post(self, path: str, body: Any = None) -> Any:
        return self.client.post(path, json={} if body is None else body, headers=self.headers)

    def add(self, key: SoftKey, origin: str = ORIGIN) -> Any:
        options = self.post("/settings/account/passkeys/options").json()
        answer = {"credential": key.create(options, origin), "label": "Laptop"}
        return self.post("/settings/account/passkeys", answer)

    def sign_in(self, key: SoftKey, origin: str = ORIGIN) -> Any:
        options = self.post("/sign-in/passkey/options").json()
        return self.post("/sign-in/passkey", {"credential": key.get(options, origin)})


@pytest.fixture
def key() -> SoftKey:
    return SoftKey()


def test_a_passkey_is_added_and_signs_its_person_in(house: House, key: SoftKey) -> None:
    member = house.member.who
    assert member is not None
    assert Browser(house, member).add(key).status_code == 201
    fresh = Browser(house)
    assert fresh.sign_in(key).status_code == 200
    assert fresh.client.get("/api/v1/me").json()["person"] == member.person
    assert "Laptop" in fresh.client.get("/settings/account", headers={"accept": "text/html"}).text
    assert house.acts()[-2:] == ["passkey.added", "session.begun"]
    assert _by(house, "passkey.added") == (member.person, "session")


def test_who_takes_a_way_to_sign_in_away_is_who_did_it(house: House, key: SoftKey) -> None:
    member = house.member.who
    assert member is not None
    browser = Browser(house, member)
    assert browser.add(key).status_code == 201
    with house.people.owner() as db:
        row = db.execute(
            "select identity from clearway.identity where person = %s", (member.person,)
        ).fetchone()
    assert row is not None
    answer = browser.client.post(
        f"/settings/account/identities/{row[0]}/remove", headers=browser.headers, follow_redirects=False
    )
    assert answer.status_code < 400
    assert _by(house, "passkey.removed") == (member.person, "session")


def _by(house: House, act: str) -> tuple[int, str]:
    """Whose the newest entry of that act is, and by what kind of credential."""
    with house.people.owner() as db:
        row = db.execute(
            """select e.actor, c.kind from clearway.log_entry e left join clearway.credential c
            on c.credential = e.credential where e.act = %s order by e.entry desc limit 1""",
            (act,),
        ).fetchone()
    assert row is not None
    return row


def test_an_answer_is_good_once_and_for_who_began(house: House, key: SoftKey) -> None:
    member, chief = house.member.who, house.chief.who
    assert member is not None
    assert chief is not None
    browser = Browser(house, member)
    options = browser.post("/settings/account/passkeys/options").json()
    answer = {"credential": key.create(options, ORIGIN), "label": ""}
    other = Browser(house, chief)
    other.client.cookies.set("clearway-attempt", browser.client.cookies["clearway-attempt"])
    assert other.post("/settings/account/passkeys", answer).status_code == 401
    assert browser.post("/settings/account/passkeys", answer).status_code == 201
    assert browser.post("/settings/account/passkeys", answer).status_code == 401  # it is used up
    assert browser.add(key).status_code == 401  # it is bound already
    fresh = Browser(house)
    given = {"credential": key.get(fresh.post("/sign-in/passkey/options").json(), ORIGIN)}
    attempt = fresh.client.cookies["clearway-attempt"]
    assert fresh.post("/sign-in/passkey", given).status_code == 200
    again = Browser(house)
    again.client.cookies.set("clearway-attempt", attempt)
    assert again.post("/sign-in/passkey", given).status_code == 401


def test_a_page_elsewhere_can_not_use_it_and_an_unknown_one_opens_nothing(house: House, key: SoftKey) -> None:
    assert house.member.who is not None
    browser = Browser(house, house.member.who)
    assert browser.add(key, origin="https://evil.example").status_code == 401
    assert browser.add(key).status_code == 201
    assert Browser(house).sign_in(key, origin="https://evil.example").status_code == 401
    assert Browser(house).sign_in(SoftKey()).status_code == 401
    impostor = SoftKey()
    impostor.id = key.id
    assert Browser(house).sign_in(impostor).status_code == 401


def test_a_copied_key_is_told_by_its_counter(house: House, key: SoftKey) -> None:
    assert house.member.who is not None
    Browser(house, house.member.who).add(key)
    assert Browser(house).sign_in(key).status_code == 200
    assert Browser(house).sign_in(key).status_code == 200
    key.count = 0
    assert Browser(house).sign_in(key).status_code == 401


def test_a_removed_passkey_and_a_barred_person_s_no_longer_open(house: House, key: SoftKey) -> None:
    member = house.member.who
    assert member is not None
    Browser(house, member).add(key)
    with house.people.owner() as owner:
        row = owner.execute("select identity from clearway.identity").fetchone()
    assert row is not None
    remove = f"/settings/account/identities/{row[0]}/remove"
    assert house.chief.submit(remove).status_code == 404
    assert house.member.submit(remove).status_code == 303
    assert Browser(house).sign_in(key).status_code == 401
    assert "passkey.removed" in house.acts()
    Browser(house, member).add(key)
    with house.people.owner() as owner:
        owner.execute("select clearway.set_active(%s, false)", (member.person,))
    assert Browser(house).sign_in(key).status_code == 401


def test_a_passkey_that_is_bound_by_a_code_for_an_account_that_was_there_remembers_who_made_it(
    house: House, key: SoftKey
) -> None:
    member = house.member.who
    assert member is not None
    admin = house.admin.who
    assert admin is not None
    shown = house.admin.made(f"/settings/people/{member.person}/invitation?at={house.water}").text
    code = re.search(r'id="secret">([^<]+)<', shown)
    assert code is not None
    came = Browser(house)
    assert came.client.post("/sign-in/code", data={"code": code[1]}).status_code == 303
    came.headers["x-csrf-token"] = token(key_of(came.client.cookies["clearway"]))
    assert came.add(key).status_code == 201
    later = Browser(house)
    assert later.sign_in(key).status_code == 200
    with house.people.owner() as owner:
        hands = owner.execute(
            "select kind, signed_in_by, hands from clearway.credential where person = %s order by credential",
            (member.person,),
        ).fetchall()
        bound = owner.execute("select hands from clearway.identity").fetchall()
    assert hands[-2:] == [("session", "code", [admin.person]), ("session", "passkey", [admin.person])]
    assert bound == [([admin.person],)]
    # And the person is told, and the organisation.
    account = house.member.look("/settings/account").text
    assert "made a one-time code for your account" in account
    assert "Somebody came in with it" in account
    assert "you are no second person beside somebody elsewhere" in account
    assert "person recovered" in house.auditor.look("/audit?act=person.recovered").text
    assert "one-time code for your account" not in house.chief.look("/settings/account").text


def test_an_administrator_who_uses_the_codes_of_two_whom_she_adds_lowers_no_marking(house: House) -> None:
    """Each comes in by the first code and a passkey bound by it, and again by the passkey alone: it stays one hand."""
    browsers = []
    for name in ("Ann", "Ben"):
        new = house.chief.api(
            "POST", f"/organisations/{house.water}/members", {"name": name, "roles": ["coordinator"]}
        ).json()["person"]
        shown = house.chief.made(f"/settings/people/{new}/invitation").text
        code = re.search(r'id="secret">([^<]+)<', shown)
        assert code is not None
        came, key = Browser(house), SoftKey()
        assert came.client.post("/sign-in/code", data={"code": code[1]}).status_code == 303
        came.headers["x-csrf-token"] = token(key_of(came.client.cookies["clearway"]))
        assert came.add(key).status_code == 201
        later = Browser(house)
        assert later.sign_in(key).status_code == 200
        later.headers["x-csrf-token"] = token(key_of(later.client.cookies["clearway"]))
        browsers.append(later)
    ann, ben = browsers
    assert "no second person beside Chief of Water" in ann.client.get(
        "/settings/account", headers={"accept": "text/html"}
    ).text  # fmt: skip
    for asked in (
        ann.post("/api/v1/approvals", asking(house)),
        house.chief.api("POST", "/approvals", asking(house)),
    ):
        assert asked.status_code == 201, asked.text
        decision = f"/api/v1/approvals/{asked.json()['approval']}/decision"
        answer = ben.post(decision, {"verdict": "approved"})
        assert (answer.status_code, "one-time code" in answer.text) == (403, True)
        assert house.desk.api("POST", decision[len("/api/v1") :], {"verdict": "approved"}).status_code == 200


def asking(house: House) -> dict[str, Any]:
    return {"org": house.water, "kind": "other", "subject": "asset/1", "proposal": {}, "why": "because"}
