"""*Settings* and *Your account*: who is shown what, and that each form does its act for who may and for nobody else."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from access_house import House
from clearway.access import credential, embargo, pages_shown, restored
from clearway.store.principal import key_of

SOON = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


PAGES = (
    "/settings", "/settings/services", "/settings/organisation", "/settings/organisations", "/settings/sharing",
    "/settings/account",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_each_page_opens_for_whoever_is_signed_in_and_for_nobody_else(house: House, path: str) -> None:
    for reader in (house.admin, house.chief, house.member, house.auditor, house.stranger):
        answer = reader.look(path)
        assert answer.status_code == 200, answer.text[-600:]
    assert house.public.look(path).status_code == 401


def test_people_of_another_organisation_are_not_shown_nor_their_pages(house: House) -> None:
    assert house.member.who is not None
    who = house.member.who.person
    assert "Member of Water" in house.chief.look("/settings").text
    assert "Member of Water" not in house.stranger.look("/settings").text
    assert house.stranger.look(f"/settings?at={house.water}").status_code == 404
    assert house.stranger.look(f"/settings/people/{who}").status_code == 404
    assert house.stranger.look(f"/settings/people/{who}?at={house.water}").status_code == 404
    assert house.admin.look(f"/settings/people/{who}?at={house.water}").status_code == 200


def test_a_colleague_is_invited_as_an_auditor_and_comes_in_by_the_code(house: House) -> None:
    answer = house.chief.made("/settings/people", name="Nora New", roles=["auditor"], kind="person")
    code = re.search(r'id="secret">([^<]+)<', answer.text)
    assert code is not None
    assert answer.headers["cache-control"] == "no-store"
    person = re.search(r"/settings/people/(\d+)", answer.text)
    assert person is not None
    shown = house.chief.look(f"/settings/people/{person[1]}").text
    assert "Nora New is auditor at Water" in re.sub(r"\s+", " ", shown)
    entered = house.public.client.post("/sign-in/code", data={"code": code[1]})
    assert entered.status_code == 303
    assert house.member.submit("/settings/people", name="X", roles=["auditor"]).status_code == 403
    assert house.chief.submit("/settings/people", name="No Role").status_code == 422


def test_a_role_is_given_and_taken_and_the_page_offers_the_way_back(house: House) -> None:
    assert house.member.who is not None
    path = f"/settings/people/{house.member.who.person}/role?at={house.water}"
    assert house.chief.submit(path, give="auditor").status_code == 303
    again = house.chief.look(f"/settings/people/{house.member.who.person}?at={house.water}")
    assert "Undo" in again.text
    assert house.chief.submit(path, take="auditor").status_code == 303
    assert house.chief.submit(path, take="auditor").status_code == 422
    assert house.member.submit(path, give="administrator").status_code == 403
    assert house.stranger.submit(path, give="administrator").status_code in (404, 422)
    assert house.acts()[-2:] == ["role.granted", "role.revoked"]


def test_a_token_is_on_the_page_once_and_is_revoked_from_the_list(house: House) -> None:
    made = house.member.made("/settings/account/tokens", label="nightly", reach="read", life="7")
    secret = re.search(r'id="secret">([^<]+)<', made.text)
    assert secret is not None
    with house.people.pool.acting(key_of(secret[1])) as db:
        assert db.execute("select clearway.my_orgs('operate')").fetchone() == ([],)
    listed = house.member.look("/settings/account")
    assert secret[1] not in listed.text
    number = re.search(r"credentials/(\d+)/revoke", listed.text.split("nightly", 1)[1])
    assert number is not None
    assert house.stranger.submit(f"/settings/account/credentials/{number[1]}/revoke").status_code == 404
    assert house.member.submit(f"/settings/account/credentials/{number[1]}/revoke").status_code == 303
    with house.people.pool.acting(key_of(secret[1])) as db:
        assert db.execute("select clearway.me()").fetchone() == (None,)


def test_a_service_has_tokens_of_its_own(house: House) -> None:
    answer = house.chief.submit("/settings/people", name="scanner", kind="service", roles=["operator"])
    to = answer.headers["location"]
    made = house.chief.made(to.replace("?", "/tokens?"), label="ci", reach="operate", life="30")
    assert 'id="secret">cw_' in made.text
    assert "ci" in house.chief.look(to).text
    assert "scanner" in house.chief.look("/settings/services").text


def test_an_account_changes_its_own_name_zone_and_digest(house: House) -> None:
    fields = {"version": "1", "name": "Mia", "time_zone": "Europe/Paris", "digest": "never"}
    assert house.member.submit("/settings/account", **fields).status_code == 303
    assert "Mia: " in house.member.look("/settings/account").text
    stale = house.member.submit("/settings/account", **fields)
    assert stale.status_code == 422
    assert "read it again" in stale.text


def test_a_directive_is_made_binding_by_the_organisations_administrator(house: House) -> None:
    path = "/settings/organisation/standing"
    assert house.chief.submit(path, directive="BOD-26-04", standing="binding").status_code == 303
    assert "BOD-26-04 is binding" in re.sub(r"\s+", " ", house.member.look("/settings/organisation").text)
    assert house.chief.submit(path, directive="BOD-26-04", standing="perhaps").status_code == 422
    assert house.member.submit(path, directive="BOD-26-04", standing="adopted").status_code == 403


def test_an_embargo_that_a_restore_froze_says_so_on_its_page_and_in_the_list(house: House) -> None:
    to = house.desk.submit("/settings/embargoes", name="Restored").headers["location"]
    number = int(to.rpartition("/")[2].split("?")[0])
    assert house.desk.who is not None
    with house.people.acting(house.desk.who) as db:
        embargo.arm(db, number, datetime.now(UTC) + timedelta(days=9), now=datetime.now(UTC))
    with house.people.owner() as db:
        assert embargo.freeze_armed(db, restored.words("(withdrawn disk)")) == 1
    seen = house.desk.look(to).text
    assert "The database was restored" in seen
    assert "look whether it was postponed" in seen
    assert "the database was restored" in house.desk.look("/settings/sharing").text
    with house.people.acting(house.desk.who) as db:
        embargo.release(db, number, "looked")


def test_an_embargo_is_added_shared_armed_and_ended_on_its_pages(house: House) -> None:
    to = house.desk.submit("/settings/embargoes", name="Gateway").headers["location"]
    assert house.stranger.look(to).status_code == 404
    assert house.desk.submit(f"{to}/parties", who=f"org/{house.hospital}").status_code == 303
    seen = house.stranger.look(to)
    assert seen.status_code == 200
    assert "End the embargo" not in seen.text
    assert house.desk.submit(f"{to}/arm", day="2026-11-01", hour="00:00").status_code == 422  # it has passed
    assert house.desk.submit(f"{to}/arm", day=SOON, hour="12:00").status_code == 303
    assert house.desk.submit(f"{to}/release", phrase="wrong", why="x").status_code == 422
    assert house.desk.submit(f"{to}/release", phrase="Gateway", why="fixed").status_code == 303
    assert "ended" in house.stranger.look(to).text


def test_a_list_takes_and_loses_recipients(house: House) -> None:
    to = house.desk.submit("/settings/lists", name="Vendors").headers["location"]
    assert house.desk.submit(to, who=f"org/{house.hospital}").status_code == 303
    assert "everybody at Hospital" in house.desk.look(to).text
    assert house.desk.submit(to, who=f"org/{house.hospital}", member="no").status_code == 303
    assert house.stranger.look(to).status_code == 404


def test_an_organisation_is_added_by_the_house_alone(house: House) -> None:
    fields = {"name": "Lab A", "slug": "lab-a", "kind": "lab"}
    assert house.chief.submit("/settings/organisations", **fields).status_code == 422
    assert house.admin.submit("/settings/organisations", **fields).status_code == 303
    assert "Lab A" in house.stranger.look("/settings/organisations").text


def test_a_form_without_the_sessions_token_changes_nothing(house: House) -> None:
    house.member.look("/settings/account")
    before = house.acts()
    answer = house.member.client.post(
        "/settings/account/tokens", data={"label": "x", "reach": "all", "life": "7"}
    )
    assert answer.status_code == 403
    assert house.acts() == before


def test_a_barred_person_is_out_at_once(house: House) -> None:
    assert house.member.who is not None
    path = f"/settings/people/{house.member.who.person}/active?at={house.water}"
    assert house.chief.submit(path, active="no").status_code == 422
    assert house.admin.submit(path, active="no").status_code == 303
    with house.people.owner() as owner:
        assert all(c.revoked for c in credential.listed(owner, person=house.member.who.person))


def test_who_has_signed_in_is_invited_again_by_the_house_alone(house: House) -> None:
    """A code signs in as its person: an organisation's administrator could take a colleague over."""
    assert house.member.who is not None
    path = f"/settings/people/{house.member.who.person}/invitation?at={house.water}"
    refused = house.chief.submit(path)
    assert refused.status_code == 422
    assert "administrator of the installation" in refused.text
    assert 'id="secret"' in house.admin.made(path).text


def test_who_runs_the_installation_is_offered_nothing_in_others_organisations_that_is_refused(
    house: House,
) -> None:
    assert house.member.who is not None
    assert house.admin.who is not None
    at = f"?at={house.water}"
    people = house.admin.look(f"/settings{at}").text
    assert 'id="add"' not in people
    assert "Administrators of Water add people" in people
    assert 'id="add"' not in house.admin.look(f"/settings/services{at}").text
    whom = f"/settings/people/{house.member.who.person}"
    shown = house.admin.look(f"{whom}{at}").text
    assert 'name="give"' not in shown
    assert 'name="take"' in shown
    assert "Make it a client" not in house.admin.look(f"/settings/organisation{at}").text
    assert 'id="add"' in house.chief.look("/settings").text
    assert 'name="give"' in house.chief.look(whom).text
    assert "Make it a client" in house.chief.look("/settings/organisation").text
    # Sent all the same, each is refused in words; taking a role away is done, and offers no way back.
    me = f"/settings/people/{house.admin.who.person}/role{at}"
    client = f"/settings/organisation/clients{at}"
    for path, fields in (
        (f"/settings/people{at}", {"name": "New", "roles": ["operator"]}),
        (me, {"give": "operator"}),
        (client, {"client": str(house.hospital), "is_client": "yes"}),
    ):
        refused = house.admin.submit(path, **fields)
        assert refused.status_code == 422
        assert "ts own administrators add people and clients" in refused.text
    taken = house.admin.submit(f"{whom}/role{at}", take="operator")
    assert taken.status_code == 303
    assert "Undo" not in house.admin.look(taken.headers["location"]).text


def test_an_organisation_without_an_administrator_gets_its_first_one_by_the_page(house: House) -> None:
    lab = house.people.org("lab-b")
    at = f"?at={lab}"
    people = house.admin.look(f"/settings{at}").text
    assert "Invite its first administrator" in people
    assert re.findall(r'name="roles" value="([a-z]+)"', people) == ["administrator"]
    assert 'id="add"' not in house.admin.look(f"/settings/services{at}").text
    refused = house.admin.submit(f"/settings/people{at}", name="Lou", roles=["lab"])
    assert (refused.status_code, "name its first one" in refused.text) == (422, True)
    added = house.admin.made(f"/settings/people{at}", name="Lou", roles=["administrator"])
    assert 'id="secret"' in added.text
    assert "first administrator" not in house.admin.look(f"/settings{at}").text


def test_the_page_of_a_secret_loaded_again_makes_no_second_one_and_is_its_makers_alone(house: House) -> None:
    tokens = house.acts().count("token.made")

    def people() -> int:
        return house.chief.look("/settings").text.count("Dora Double")

    led = house.chief.submit("/settings/people", name="Dora Double", roles=["auditor"], kind="person")
    assert (led.status_code, led.headers["location"]) == (303, "/settings/shown")
    cookie = led.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "Path=/settings/shown" in cookie
    before = people()
    pages = [house.chief.look("/settings/shown") for _ in range(3)]
    codes = {re.findall(r'id="secret">([^<]+)<', p.text)[0] for p in pages}
    assert len(codes) == 1
    assert codes.pop() not in cookie
    assert {p.headers["cache-control"] for p in pages} == {"no-store"}
    assert people() == before
    value = cookie.partition("=")[2].partition(";")[0]
    house.member.look("/settings/account")
    house.member.client.cookies.set("clearway_shown", value, path="/settings/shown")
    theirs = house.member.look("/settings/shown")
    assert theirs.status_code == 303, "it is sealed for the session that made it"
    assert house.chief.made("/settings/account/tokens", label="a", reach="read", life="7").status_code == 200
    assert house.chief.look("/settings/shown").status_code == 200
    assert house.acts().count("token.made") == tokens + 1


def test_a_secret_is_not_shown_after_its_minutes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages_shown, "KEPT", timedelta(seconds=-1))
    led = house.chief.submit("/settings/account/tokens", label="late", reach="read", life="7")
    assert led.status_code == 303
    cookie = led.headers["set-cookie"].partition("=")[2].partition(";")[0]
    house.chief.client.cookies.set("clearway_shown", cookie, path="/settings/shown")
    again = house.chief.look("/settings/shown")
    assert (again.status_code, again.headers["location"]) == (303, "/settings/account")
