"""Who runs the installation sees by that no row of others, and makes nobody see one, themself least of all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.access import invitation, local, organisation, person
from clearway.records.errors import ConfigError, ForbiddenError
from clearway.store.scalar import scalar
from people import People, Somebody

NOW = datetime.now(UTC)
Db = psycopg.Connection[Any]


ACTS: dict[str, Callable[[Db, People, int], object]] = {
    "gives themself a role": lambda db, p, org: person.grant(db, p.admin.person, org, "operator"),
    "makes themself its administrator": lambda db, p, org: person.grant(
        db, p.admin.person, org, "administrator"
    ),
    "adds an operator": lambda db, _, org: person.add(db, org, "New", ["operator"]),
    "adds an auditor": lambda db, _, org: person.add(db, org, "New", ["auditor"]),
    "adds an administrator": lambda db, _, org: person.add(db, org, "New", ["administrator"]),
    "adds a service": lambda db, _, org: person.add(db, org, "New", ["operator"], kind="service"),
    "names a client": lambda db, p, org: organisation.set_client(db, p.house, org, is_client=True),
}


@pytest.mark.usefixtures("chief")
@pytest.mark.parametrize("act", ACTS)
def test_an_organisation_with_an_administrator_is_its_administrators(
    people: People, hospital: int, act: str
) -> None:
    with pytest.raises(ForbiddenError, match="its own administrators add"), people.acting(people.admin) as db:
        ACTS[act](db, people, hospital)


@pytest.mark.parametrize("act", [a for a in ACTS if a != "adds an administrator"])
def test_an_organisation_without_one_gets_its_first_administrator_and_no_more(
    people: People, hospital: int, act: str
) -> None:
    with (
        pytest.raises(ForbiddenError, match=r"name its first one|makes an administrator there of themselves"),
        people.acting(people.admin) as db,
    ):
        ACTS[act](db, people, hospital)
    with people.acting(people.admin) as db:
        first = person.add(db, hospital, "Ines", ["administrator"])
        assert invitation.invite(db, first.person, hospital, now=NOW)
    with pytest.raises(ForbiddenError, match="its own administrators"), people.acting(people.admin) as db:
        person.add(db, hospital, "A second one", ["administrator"])


def test_an_account_that_they_let_themself_into_is_not_made_its_administrator(
    people: People, hospital: int
) -> None:
    member = people.somebody(people.house, "auditor")
    with people.acting(people.admin) as db:
        invitation.invite(db, member.person, people.house, now=NOW)
    with (
        pytest.raises(ForbiddenError, match="of an account that a code of theirs"),
        people.acting(people.admin) as db,
    ):
        person.grant(db, member.person, hospital, "administrator")
    untouched = people.somebody(people.house, "auditor")
    with people.acting(people.admin) as db:
        person.grant(db, untouched.person, hospital, "administrator")


def test_a_barred_administrator_is_none(people: People, hospital: int, chief: Somebody) -> None:
    with people.acting(people.admin) as db:
        person.set_active(db, chief.person, active=False)
        person.add(db, hospital, "Ines", ["administrator"])


def test_taking_away_stays_theirs(people: People, hospital: int, chief: Somebody) -> None:
    member = people.somebody(hospital, "operator")
    with people.acting(chief) as db:
        organisation.set_client(db, people.house, hospital, is_client=True)
    with people.acting(people.admin) as db:
        person.revoke(db, member.person, hospital, "operator")
        organisation.set_client(db, people.house, hospital, is_client=False)
        person.set_active(db, member.person, active=False)


def test_what_administrators_of_the_organisation_do_there_is_as_before(
    people: People, hospital: int, chief: Somebody
) -> None:
    with people.acting(chief) as db:
        made = person.add(db, hospital, "Ann", ["operator"])
        person.grant(db, made.person, hospital, "administrator")
        person.add(db, hospital, "scanner", ["operator"], kind="service")
        organisation.set_client(db, people.house, hospital, is_client=True)
    with people.owner() as owner:  # who runs the installation and is of it too
        person.grant(owner, people.admin.person, hospital, "administrator")
    with people.acting(people.admin) as db:
        person.add(db, hospital, "Ben", ["operator"])


def test_who_owns_the_home_is_able_on_its_machine_and_that_is_on_the_log(
    people: People, hospital: int, chief: Somebody, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(local.TOKEN_VARIABLE, raising=False)
    key = local.key(people.url, tmp_path, now=NOW)
    with people.pool.acting(key) as db:
        made = person.add(db, hospital, "Lost and found", ["administrator"])
        organisation.set_client(db, people.house, hospital, is_client=True)
        assert invitation.invite(db, made.person, hospital, now=NOW)
    with people.acting(chief) as db:
        acts = [a for (a,) in db.execute("select act from clearway.log_entry order by entry desc limit 3")]
    assert acts == ["person.invited", "client.added", "person.added"]


def test_a_token_is_the_machines_by_nothing_that_its_holder_says(people: People) -> None:
    with people.owner() as owner:
        assert scalar(owner, "select count(*) from clearway.credential where machine") == 0
    with pytest.raises(ConfigError, match="permission denied"), people.acting(people.admin) as db:
        db.execute("update clearway.credential set machine = true")
