"""Where a barred person had their organisation's news sent is told nothing more, let in again or not."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from clearway.access import audience, person, restored
from clearway.access.marking import own
from clearway.http import webhook_store
from clearway.records.errors import ClearwayError, ConflictError, NotFoundError
from clearway.store import events
from held import Waiting
from people import People, Somebody

Db = psycopg.Connection[Any]


@pytest.fixture
def gone(people: People, hospital: int, chief: Somebody) -> Somebody:
    """Another administrator of the hospital, whom the house bars."""
    return people.somebody(hospital, "administrator")


@pytest.fixture
def service(people: People, hospital: int) -> Somebody:
    return people.somebody(hospital, "operator", kind="service", name="hook")


def hook(db: Db, org: int, who: int, url: str = "https://hooks.example/a") -> int:
    aud = audience.of(db, own(org))
    return webhook_store.add(db, org=org, aud=aud, person=who, url=url, kinds=(), label="")[0].webhook


def bar(people: People, who: Somebody, *, active: bool = False) -> None:
    with people.acting(people.admin) as db:
        person.set_active(db, who.person, active=active)


def told(people: People, org: int) -> set[int]:
    """The webhooks that have something to send after an event of the organisation."""
    with people.owner() as owner:
        events.emit(owner, "asset.added", "asset/1", org=org, aud=audience.of(owner, own(org)))
    with people.owner() as owner:
        webhook_store.fan_out(owner)
        due = owner.execute(
            "select webhook from clearway.webhook where active and webhook in "
            "(select webhook from clearway.webhook_delivery where state = 'pending')"
        ).fetchall()
    return {webhook for (webhook,) in due}


def test_a_barred_person_s_webhook_posts_nothing_when_they_are_let_in_again(
    people: People, hospital: int, chief: Somebody, gone: Somebody
) -> None:
    with people.acting(chief) as db:
        chief_s = hook(db, hospital, chief.person)
    with people.acting(gone) as db:
        theirs = hook(db, hospital, gone.person)
    assert told(people, hospital) == {chief_s, theirs}
    bar(people, gone)
    bar(people, gone, active=True)
    assert told(people, hospital) == {chief_s}
    with people.owner() as owner:
        states = owner.execute(
            "select state from clearway.webhook_delivery where webhook = %s", (theirs,)
        ).fetchall()
    assert states == [("withheld",)]


def test_a_service_s_webhook_ends_with_who_chose_where_it_posts(
    people: People, hospital: int, chief: Somebody, gone: Somebody, service: Somebody
) -> None:
    with people.acting(chief) as db:
        kept = hook(db, hospital, service.person)
        moved = hook(db, hospital, service.person)
        labelled = hook(db, hospital, service.person)
    with people.acting(gone) as db:
        made = hook(db, hospital, service.person)
        webhook_store.change(db, moved, url="https://hooks.example/b", kinds=(), label="", active=True)
        webhook_store.change(db, labelled, url="https://hooks.example/a", kinds=(), label="x", active=True)
    assert told(people, hospital) == {kept, moved, labelled, made}
    bar(people, gone)
    assert told(people, hospital) == {kept, labelled}
    bar(people, service)
    bar(people, service, active=True)
    assert told(people, hospital) == set()


def test_what_has_ended_is_read_and_removed_and_nothing_else(
    people: People, hospital: int, chief: Somebody, gone: Somebody
) -> None:
    with people.acting(gone) as db:
        theirs = hook(db, hospital, gone.person)
        message = webhook_store.test(db, theirs)
    bar(people, gone)
    with people.acting(chief) as db:
        found, _ = webhook_store.one(db, theirs)
        assert (found.active, "barred: make another" in found.stopped) == (False, True)
    for act in (
        lambda db: webhook_store.change(db, theirs, url=found.url, kinds=(), label="", active=True),
        lambda db: webhook_store.set_secret(db, theirs, b"k" * 32),
        lambda db: webhook_store.test(db, theirs),
        lambda db: webhook_store.redeliver(db, theirs, message),
    ):
        with pytest.raises(ConflictError, match="make another"), people.acting(chief) as db:
            act(db)
    with pytest.raises(ClearwayError, match="webhook_ended"), people.acting(chief) as db:
        db.execute("update clearway.webhook set active = true where webhook = %s", (theirs,))
    with people.acting(chief) as db:
        webhook_store.remove(db, theirs)


def test_that_it_ended_is_on_the_organisation_s_log_once(
    people: People, hospital: int, chief: Somebody, gone: Somebody
) -> None:
    with people.acting(gone) as db:
        theirs = hook(db, hospital, gone.person)
    bar(people, gone)
    bar(people, gone, active=True)
    bar(people, gone)
    with people.acting(chief) as db:
        entries = db.execute(
            "select actor, subject, content from clearway.log_entry where act = 'webhook.ended'"
        ).fetchall()
    assert entries == [(people.admin.person, f"webhook/{theirs}", f'{{"barred":{gone.person}}}')]


@pytest.mark.parametrize("how", ["own", "service"])
def test_barring_waits_for_one_that_is_being_made_and_ends_it(
    people: People, hospital: int, gone: Somebody, service: Somebody, how: str
) -> None:
    with people.acting(gone) as db:
        hook(db, hospital, gone.person if how == "own" else service.person)
        barring = Waiting(people, lambda: bar(people, gone))
    assert barring.refused() is None
    assert told(people, hospital) == set()


def test_one_that_is_being_made_while_its_person_is_barred_is_not_made(
    people: People, hospital: int, chief: Somebody, service: Somebody
) -> None:
    def make() -> None:
        with people.acting(chief) as db:
            hook(db, hospital, service.person)

    with people.acting(people.admin) as db:
        person.set_active(db, service.person, active=False)
        making = Waiting(people, make)
    assert isinstance(making.refused(), NotFoundError)


def test_who_is_let_in_though_nobody_barred_them_loses_nothing(
    people: People, hospital: int, gone: Somebody
) -> None:
    with people.acting(gone) as db:
        theirs = hook(db, hospital, gone.person)
    bar(people, gone, active=True)
    assert told(people, hospital) == {theirs}


def test_a_restore_stops_webhooks_until_somebody_makes_them_active_again(
    people: People, hospital: int, chief: Somebody
) -> None:
    """One that was removed since, or sent elsewhere, is back."""
    with people.acting(chief) as db:
        ours = hook(db, hospital, chief.person)
    with people.owner() as owner:
        assert restored.void(owner, "restored from the backup of 2026-11-26").webhooks == 1
        assert restored.void(owner, "again").webhooks == 0
    assert told(people, hospital) == set()
    with people.pool.acting(chief.token_key) as db:
        found, _ = webhook_store.one(db, ours)
        assert "look whether it was removed" in found.stopped
        webhook_store.change(db, ours, url=found.url, kinds=(), label="", active=True)
    assert told(people, hospital) == {ours}
