"""Who sees a lease and a proof of control, who changes them, and what the application's own role can't reach."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from clearway.findings.lease import ask, control, hold
from clearway.findings.lease.ask import Asking
from clearway.records.clock import SystemClock
from clearway.records.errors import ClearwayError, ForbiddenError, NotFoundError
from lease_house import NET, House, member

HIDDEN = (
    "lease_target",
    "lease_source",
    "lease_root",
    "lease_rule",
    "lease_pace",
    "lease_told",
    "lease_control_at",
)


def test_a_lease_is_seen_by_its_organisation_and_the_desk_alone(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for who in (house.finder, house.colleague, house.coordinator):
        with house.acting(who) as db:
            assert hold.one(db, lease.reference) == lease or who is not house.finder
            assert len(hold.newest(db)) == 1
    for who in (house.rival, house.operator, house.maintainer, None):
        with house.acting(who) as db:
            assert hold.newest(db) == []
        with pytest.raises(NotFoundError), house.acting(who) as db:
            hold.one(db, lease.reference)
        for act in (
            lambda d: hold.renew(d, lease.reference, lease.fence),
            lambda d: hold.release(d, lease.reference),
        ):
            with pytest.raises(NotFoundError), house.acting(who) as db:
                act(db)


def test_a_colleague_without_the_right_sees_and_changes_nothing(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    with pytest.raises(ForbiddenError), house.acting(house.colleague) as db:
        hold.release(db, lease.reference)
    with pytest.raises(ForbiddenError), house.acting(house.colleague) as db:
        hold.renew(db, lease.reference, lease.fence)
    with pytest.raises(ForbiddenError):
        house.ask(house.colleague, "pkg:pypi/x", activity="fuzzing")


def test_a_proof_and_its_token_are_seen_by_its_organisation_and_the_desk_alone(house: House) -> None:
    with house.acting(house.operator) as db:
        begun = control.begin(db, house.blind, member(db), NET, "dns-txt")
    for who in (house.rival, house.finder, None):
        with house.acting(who) as db:
            assert control.listed(db) == []
        with pytest.raises(NotFoundError), house.acting(who) as db:
            control.say(db, begun.id, "refuse")
        with pytest.raises(NotFoundError), house.acting(who) as db:
            control.end(db, begun.id)
    with pytest.raises(ForbiddenError), house.acting(house.coordinator) as db:
        control.say(db, begun.id, "refuse")


def test_nobody_says_themselves_that_a_proof_was_found(house: House) -> None:
    with house.acting(house.operator) as db:
        begun = control.begin(db, house.blind, member(db), NET, "dns-txt")
    with pytest.raises(ClearwayError), house.acting(house.operator) as db:
        control.prove(db, begun, datetime.now(UTC))
    assert house.ask(house.operator, NET).why == "no-proof"


def test_the_applications_role_reads_nothing_of_what_is_looked_up(house: House) -> None:
    house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for table in HIDDEN:
        with pytest.raises(ClearwayError) as told, house.acting(house.coordinator) as db:
            db.execute(f"select from clearway.{table}".encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)
    for call in (
        "clearway.lease_met(null, 'a', now(), now(), now())", "clearway.lease_controls(null, 'a', now())",
        "clearway.lease_bound(1, '', 1, 1)", "clearway.locked_control(1)", "clearway.locked_lease('CWL-0000-0000')",
    ):  # fmt: skip
        with pytest.raises(ClearwayError) as told, house.acting(house.coordinator) as db:
            db.execute(f"select {call}".encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)


def test_the_applications_role_writes_no_lease_but_by_asking(house: House) -> None:
    lease = house.lease(house.finder, "pkg:pypi/x", activity="fuzzing")
    for statement in (
        "update clearway.lease set ends = until", "delete from clearway.lease",
        "update clearway.lease_control set proven = now()", "insert into clearway.lease (fence) values (1)",
    ):  # fmt: skip
        with pytest.raises(ClearwayError) as told, house.acting(house.finder) as db:
            db.execute(statement.encode())
        assert isinstance(told.value.__cause__, psycopg.errors.InsufficientPrivilege)
    assert house.renew(house.finder, lease).version == 2


def test_a_lease_is_asked_for_in_an_organisation_of_ones_own(house: House) -> None:
    with house.acting(house.rival) as db:
        other = member(db)
    asked = Asking(activity="fuzzing", scope=("pkg:pypi/x",))
    with pytest.raises(ForbiddenError), house.acting(house.finder) as db:
        ask.ask(db, house.blind, other, asked, table=None, clock=SystemClock())


def test_what_is_refused_says_the_same_of_one_lease_as_of_ten(house: House) -> None:
    """How many are there, and who, is in no answer: only that there is an overlap."""
    house.lease(house.rival, "pkg:pypi/a", activity="fuzzing")
    for who in (house.rival, house.maintainer, house.coordinator):
        house.lease(who, "pkg:pypi/b", activity="fuzzing")
    one, several = (house.ask(house.finder, f"pkg:pypi/{name}", activity="fuzzing") for name in "ab")
    assert (one.answer, one.why, one.words, one.until) == (
        several.answer,
        several.why,
        several.words,
        several.until,
    )
