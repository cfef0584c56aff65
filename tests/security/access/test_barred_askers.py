"""What somebody asked for who is barred is nobody's wish any more: it is withdrawn, refused, and not carried out."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest
from msgspec.json import decode

from clearway.access import approval, audience, embargo, lowering, person
from clearway.access.marking import Marking
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError
from clearway.records.principal import Principal
from clearway.store.scalar import scalar
from people import People, Somebody

Db = psycopg.Connection[Any]


@pytest.fixture
def asker(people: People, hospital: int) -> Somebody:
    return people.somebody(hospital, "coordinator", "operator")


def asset_of(db: Db, org: int, marking: Marking) -> int:
    return scalar(
        db,
        "insert into clearway.asset (org, aud, name) values (%s, %s, 'gw') returning asset",
        (org, audience.of(db, marking)),
    )


@pytest.fixture
def wider(people: People, hospital: int, asker: Somebody) -> tuple[int, int]:
    """An asset, and the request that it be TLP:GREEN."""
    with people.acting(asker) as db:
        asset = asset_of(db, hospital, Marking(tlp="RED", org=hospital))
        row = db.execute("select clearway.whoami()::text").fetchone()
        assert row is not None
        me = decode(row[0], type=Principal)
        found = lowering.one(db, me, "asset", asset)
        change = lowering.change(db, me, found, Marking(tlp="GREEN"), "all may know")
        assert change.approval is not None
    return asset, change.approval.approval


def audience_of(people: People, asset: int) -> int:
    with people.owner() as owner:
        return scalar(owner, "select aud from clearway.asset where asset = %s", (asset,))


def test_barring_withdraws_what_somebody_asked_for_and_says_so(
    people: People, chief: Somebody, asker: Somebody, wider: tuple[int, int]
) -> None:
    asset, which = wider
    before = audience_of(people, asset)
    with people.acting(people.admin) as db:
        person.set_active(db, asker.person, active=False)
    with people.acting(chief) as db:
        assert approval.one(db, which).verdict == "withdrawn"
        entry = db.execute(
            "select actor, content from clearway.log_entry where act = 'approval.withdrawn'"
        ).fetchone()
        assert entry is not None
        assert entry[0] == people.admin.person
        assert entry[1] == f'{{"barred":{asker.person},"kind":"marking","subject":"asset/{asset}"}}'
    with pytest.raises(ConflictError), people.acting(chief) as db:
        approval.decide(db, which, "approved")
    assert audience_of(people, asset) == before


@pytest.mark.parametrize("how", ["barred", "without a role"])
def test_what_is_asked_by_who_has_not_the_right_any_more_is_not_carried_out(
    people: People, hospital: int, chief: Somebody, asker: Somebody, wider: tuple[int, int], how: str
) -> None:
    asset, which = wider
    before = audience_of(people, asset)
    with people.owner() as owner:
        if how == "barred":  # as it was before barring withdrew anything
            owner.execute("update clearway.person set active = false where person = %s", (asker.person,))
        else:
            for role in asker.roles:
                person.revoke(owner, asker.person, hospital, role)
    with pytest.raises(ForbiddenError, match="barred, or has not the right"), people.acting(chief) as db:
        approval.decide(db, which, "approved")
    assert audience_of(people, asset) == before
    with people.acting(chief) as db:
        assert approval.decide(db, which, "refused").verdict == "refused"


@pytest.mark.parametrize("barred", [False, True])
def test_out_of_an_embargo_nothing_goes_by_the_right_of_who_has_been_barred(
    people: People, hospital: int, chief: Somebody, asker: Somebody, barred: bool
) -> None:
    """Approved while they were there, and carried out later by somebody who does not keep the embargo."""
    with people.acting(asker) as db:
        kept = embargo.add(db, hospital, "e")
        embargo.set_party(db, kept.embargo, person=None, org=hospital, party=True)
        asset = asset_of(db, hospital, Marking(tlp="RED", org=hospital, embargo=kept.embargo))
        was, then = audience_of_row(db, asset), audience.of(db, Marking(tlp="RED", org=hospital))
        asked = approval.ask_remark(db, "asset", asset, hospital, was, then, "it is out")
    with people.acting(chief) as db:
        approval.decide(db, asked.approval, "approved")
    if barred:
        with people.acting(people.admin) as db:
            person.set_active(db, asker.person, active=False)
        with pytest.raises(ForbiddenError, match="its keeper ends"), people.acting(chief) as db:
            approval.remark(db, "clearway.asset", asset, hospital, then, approved=asked.approval)
    else:
        with people.acting(chief) as db:
            approval.remark(db, "clearway.asset", asset, hospital, then, approved=asked.approval)
    assert audience_of(people, asset) == (was if barred else then)


def audience_of_row(db: Db, asset: int) -> int:
    return scalar(db, "select aud from clearway.asset where asset = %s", (asset,))


@pytest.mark.parametrize("first", ["barring", "approving"])
def test_barring_and_approving_at_once_wait_for_each_other(
    people: People, chief: Somebody, asker: Somebody, wider: tuple[int, int], first: str
) -> None:
    asset, which = wider
    before = audience_of(people, asset)
    outcome: list[ClearwayError | None] = []

    def bar() -> None:
        with people.acting(people.admin) as db:
            person.set_active(db, asker.person, active=False)

    def approve() -> None:
        with people.acting(chief) as db:
            approval.decide(db, which, "approved")

    def later() -> None:
        try:
            (approve if first == "barring" else bar)()
            outcome.append(None)
        except ClearwayError as error:
            outcome.append(error)

    waiting = threading.Thread(target=later)
    with people.acting(people.admin if first == "barring" else chief) as db:
        if first == "barring":
            person.set_active(db, asker.person, active=False)
        else:
            approval.decide(db, which, "approved")
        waiting.start()
        waiting.join(0.5)  # so that it has begun: it waits for us
    waiting.join(20)
    with people.acting(chief) as db:
        verdict = approval.one(db, which).verdict
    if first == "barring":
        assert [type(error) for error in outcome] == [ConflictError]
        assert (verdict, audience_of(people, asset)) == ("withdrawn", before)
    else:
        assert outcome == [None]
        assert verdict == "approved"
        assert audience_of(people, asset) != before
