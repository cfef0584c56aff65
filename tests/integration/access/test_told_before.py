"""What was told before a marking was changed: by an earlier step of the schema, in approvals, at the same moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time
from time import sleep
from typing import Any

import pytest

from clearway import ledger
from clearway.access import approval, audience, lowering, recipients
from clearway.access.marking import GREEN, Marking, own
from clearway.directives.kept import triages
from clearway.exposure.fleet import asset, unused
from clearway.http.acting import Doorkeeper
from clearway.records.errors import ConflictError, NotFoundError
from clearway.records.principal import Principal
from clearway.store import events
from fleet_world import DAY, Fleet, fleet_of, osv, package
from intake_world import World
from people import Somebody
from steps import Steps, step_of

NOW = datetime.combine(DAY, time(12), UTC)


@pytest.fixture
def fleet(world: World) -> Iterator[Fleet]:
    yield from fleet_of(world)


@pytest.fixture
def gateway(fleet: Fleet) -> int:
    """An asset with one flaw."""
    fleet.ingest(osv("GHSA-1", package("PyPI", "secret-lib"), aliases=["CVE-2026-1"]))
    which = fleet.asset("gateway")
    fleet.upload(which, "pkg:pypi/secret-lib@1.0")
    return which


def me(fleet: Fleet, who: Somebody) -> Principal:
    found = Doorkeeper(fleet.people.pool).principal(who.key)
    assert found is not None
    return found


def marked(fleet: Fleet, which: int, to: Marking) -> None:
    with fleet.owner() as db:
        db.execute("update clearway.asset set aud = %s where asset = %s", (audience.of(db, to), which))


def listed(fleet: Fleet, *people: Somebody) -> Marking:
    """TLP:RED for a list of these."""
    with fleet.owner() as db:
        made = db.execute("select clearway.add_list(%s, 'few')", (fleet.org,)).fetchone()
        assert made is not None
        for who in people:
            recipients.set_member(db, made[0], person=who.person)
    return Marking(tlp="RED", recipients=made[0])


def triage(fleet: Fleet, which: int) -> int:
    with fleet.acting() as db:
        return triages.open_triage(
            db, me(fleet, fleet.operator), "water", directive="bod-26-04", asset=f"asset/{which}", asset_name="",
            flaw="CVE-2026-1", component="pkg:pypi/secret-lib@1.0", kev_added=NOW, now=NOW,
        ).id  # fmt: skip


def seen(fleet: Fleet, who: Somebody) -> set[str]:
    """Subjects of events and entries, triages, and names of versions."""
    with fleet.acting(who) as db:
        rows = db.execute(
            """select subject from clearway.event union select 'log ' || subject from clearway.log_entry
            union select 'triage row' from clearway.triage union select name from clearway.package_version"""
        )
        return {row[0] for row in rows}


def test_what_an_earlier_step_left_behind_is_taken_along_by_this_one(fleet: Fleet, gateway: int) -> None:
    stranger = fleet.people.somebody(fleet.people.org("elsewhere"), "auditor")
    colleague = fleet.people.somebody(fleet.org, "auditor")
    few = listed(fleet, fleet.operator)
    exposure = fleet.lines()[0].exposure
    steps = Steps(fleet.people.url, "0088", step_of("triages_records"))
    steps.down()
    marked(fleet, gateway, GREEN)
    subjects = [f"inventory/{fleet.world.sql('select inventory from clearway.inventory')[0][0]}"]
    subjects += [f"exposure/{exposure}", f"org/{fleet.org}/exposures"]
    with fleet.acting() as db:
        for subject in subjects:
            said = {"count": 1, "exposures": [exposure], "detail": "secret"}
            ledger.append(db, "exposure.decided", subject, said, aud=1)
            events.emit(db, "exposure.decided", subject, org=fleet.org, aud=1, body=said)
    number = triage(fleet, gateway)
    marked(fleet, gateway, few)
    with fleet.owner() as db:
        ledger.append(db, "marking.changed", f"asset/{gateway}", aud=audience.of(db, own(fleet.org)))
    left = seen(fleet, stranger)
    assert {*subjects, *(f"log {s}" for s in subjects), "secret-lib"} <= left, "so it was"
    assert "triage row" in seen(fleet, colleague)
    steps.up()
    with fleet.owner() as db:
        assert unused.forget(db)
    assert not seen(fleet, stranger) & {*subjects, *(f"log {s}" for s in subjects), "secret-lib"}
    now = seen(fleet, colleague)
    assert not now & {*subjects, "triage row", "secret-lib"}
    assert {f"log {s}" for s in subjects} <= now, "of its log the organisation's own people lose nothing"
    assert {*subjects, f"triage/{number}", "triage row", "secret-lib"} <= seen(fleet, fleet.operator)


def test_why_somebody_wants_another_marking_is_for_who_sees_the_thing_and_who_asked(
    fleet: Fleet, gateway: int
) -> None:
    chief = fleet.people.somebody(fleet.org, "administrator")
    outside = fleet.people.somebody(fleet.org, "administrator")
    marked(fleet, gateway, listed(fleet, fleet.operator, chief))
    with fleet.acting() as db:
        mine = me(fleet, fleet.operator)
        asked = lowering.change(db, mine, lowering.one(db, mine, "asset", gateway), GREEN, "secret").approval
    assert asked is not None
    for who, number in ((fleet.operator, 1), (chief, 1), (outside, 0)):
        with fleet.acting(who) as db:
            assert len(approval.listed(db)) == number
    with pytest.raises(NotFoundError), fleet.acting(outside) as db:
        approval.decide(db, asked.approval, "refused")
    with fleet.acting(chief) as db:
        approval.decide(db, asked.approval, "approved")
    with fleet.acting(outside) as db:
        assert asset.one(db, gateway).asset == gateway
        assert len(approval.listed(db)) == 1


def test_an_event_that_is_recorded_while_the_triage_goes_to_others_is_to_be_recorded_again(
    fleet: Fleet, gateway: int
) -> None:
    number = triage(fleet, gateway)
    few = listed(fleet, fleet.operator)
    said = {"event": "step_done", "at": NOW.isoformat(), "by": "operator", "step": "scope", "note": "n"}

    def record() -> Any:
        with fleet.acting() as db:
            return triages.record(
                db, me(fleet, fleet.operator), number, json.dumps(said).encode(), after=0, now=NOW
            )

    with ThreadPoolExecutor(1) as pool:
        with fleet.owner() as db:
            db.execute("update clearway.asset set aud = %s where asset = %s", (audience.of(db, few), gateway))
            waits = pool.submit(record)
            waiting = (
                "select count(*) from pg_stat_activity where datname = current_database() "
                "and wait_event_type = 'Lock'"
            )
            while db.execute(waiting).fetchone() == (0,):
                assert not waits.done(), waits.result()
                sleep(0.01)
        with pytest.raises(ConflictError, match="marking has just changed"):
            waits.result(timeout=30)
    assert record().events == 1
