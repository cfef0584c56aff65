"""What owners say reaches the leases that are held; a cap is of all that reaches what is the owner's."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from clearway.findings.lease import ask, control, hold
from clearway.findings.lease.ask import Asking
from clearway.ledger.canonical import canonical
from clearway.records.clock import SystemClock
from clearway.records.errors import ConflictError, InputError, TooManyRequestsError
from intake_world import World, osv, package, write
from lease_house import NET, House, member

if TYPE_CHECKING:
    import psycopg


def said(house: House, number: int, stance: str, **more: object) -> None:
    with house.acting(house.finder) as db:
        control.say(db, number, stance, **more)  # type: ignore[arg-type]


def state(house: House, lease: hold.Lease) -> tuple[str, str]:
    with house.owner() as db:
        found = hold.one(db, lease.reference)
    return found.state, found.withdrawn


def runs_out(house: House, owned: control.Control) -> None:
    """Time alone goes by, and nobody has looked yet."""
    with house.owner() as db:
        db.execute("alter table clearway.lease_control disable trigger lease_control_spoken")
        db.execute(
            "update clearway.lease_control set expires = clock_timestamp() where control = %s", (owned.id,)
        )
        db.execute("alter table clearway.lease_control enable trigger lease_control_spoken")


def test_an_opt_out_ends_what_others_hold_and_the_owner_sees_that_it_did(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    theirs = house.lease(house.rival, "192.0.2.0/28", until=datetime.now(UTC) + timedelta(days=30))
    planned = house.lease(
        house.rival,
        "192.0.2.64/28",
        starts=datetime.now(UTC) + timedelta(days=20),
        until=datetime.now(UTC) + timedelta(days=30),
    )
    own = house.lease(house.finder, "192.0.2.128/28")
    assert house.withdrawn() == 0
    said(house, owned.id, "refuse")
    assert state(house, theirs) == state(house, planned) == ("withdrawn", "opt-out")
    assert state(house, own) == ("held", "")
    house.renew(house.finder, own)
    with pytest.raises(ConflictError, match="does not want it"):
        house.renew(house.rival, theirs)
    with house.acting(house.finder) as db:
        assert control.one(db, owned.id).withdrew is not None
    assert house.ask(house.finder, "192.0.2.0/28").answer == "go"


def test_holder_and_owner_are_told_and_nobody_who_the_other_is(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    theirs = house.lease(house.rival, NET)
    said(house, owned.id, "refuse")
    with house.acting(house.rival) as db:
        told = db.execute(
            "select subject, body::text from clearway.event where kind = 'lease.withdrawn'"
        ).fetchall()
        assert [subject for subject, _ in told] == [f"lease/{theirs.reference}"]
        assert "opt-out" in told[0][1]
        assert db.execute("select from clearway.event where kind = 'lease.control_heard'").fetchall() == []
    with house.acting(house.finder) as db:
        told = db.execute(
            "select subject, body::text from clearway.event where kind = 'lease.control_heard'"
        ).fetchall()
        assert [subject for subject, _ in told] == [f"lease-control/{owned.id}"]
        assert db.execute("select from clearway.event where kind = 'lease.withdrawn'").fetchall() == []
        assert theirs.reference not in str(told)
        assert "rival" not in str(told)
    assert {"lease.withdrawn", "lease.control_heard"} <= set(house.acts())
    with house.owner() as db:  # in the owner's transaction, and not in the name of who spoke there
        actors = "select distinct actor from clearway.log_entry where act = 'lease.withdrawn'"
        assert db.execute(actors).fetchall() == [(0,)]


def test_of_very_many_the_oldest_end_with_the_word_and_the_rest_with_the_minutes_job(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    leases = [house.lease(house.rival, f"192.0.2.{n}") for n in range(5)]
    with house.owner() as db:  # as saying it does, but for how many
        db.execute("update clearway.lease_control set stance = 'refuse', authorised = '{}'")
        assert db.execute("select clearway.lease_hear(%s, 2)", (owned.id,)).fetchone() == (2,)
    assert [state(house, lease)[0] for lease in leases] == ["withdrawn"] * 2 + ["held"] * 3
    assert house.withdrawn() == 3
    assert house.withdrawn() == 0


def test_who_is_authorised_no_more_holds_no_more(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    theirs = house.lease(house.rival, NET)
    said(house, owned.id, "own")
    assert state(house, theirs) == ("withdrawn", "no-proof")
    with pytest.raises(ConflictError, match="nobody shows"):
        house.renew(house.rival, theirs)
    assert house.withdrawn() == 0


def test_a_proof_that_is_ended_or_runs_out_holds_nothing(house: House) -> None:
    ended, gone = house.prove(house.finder), house.prove(house.finder, "198.51.100.0/24")
    one, other = house.lease(house.finder, NET), house.lease(house.finder, "198.51.100.0/24")
    looks = house.lease(house.finder, NET, activity="passive")
    house.withdrawn()
    with house.acting(house.finder) as db:
        control.end(db, ended.id)
    assert state(house, one) == ("withdrawn", "no-proof")
    runs_out(house, gone)
    for lease in (one, other):
        with pytest.raises(ConflictError, match="nobody shows"):
            house.renew(house.finder, lease)
    assert house.withdrawn() == 1
    assert house.acts().count("lease.withdrawn") == 2
    assert state(house, one) == state(house, other) == ("withdrawn", "no-proof")
    assert house.renew(house.finder, looks).state == "held"


def test_a_proof_that_was_found_again_changes_nothing(house: House) -> None:
    owned = house.prove(house.finder)
    lease = house.lease(house.finder, NET)
    with house.owner() as db:
        control.prove(db, owned, datetime.now(UTC))
    assert house.withdrawn() == 0
    assert state(house, lease) == ("held", "")


def test_an_owner_of_a_repository_reaches_who_fuzzes_it(house: House) -> None:
    with house.acting(house.finder) as db:
        owned = control.begin(db, house.blind, member(db), "https://github.com/o/n", "repository-file")
    theirs = house.lease(house.rival, "pkg:golang/github.com/o/n/v2", activity="fuzzing")
    with house.owner() as db:
        control.prove(db, owned, datetime.now(UTC))
    assert house.withdrawn() == 0
    said(house, owned.id, "refuse")
    assert state(house, theirs) == ("withdrawn", "opt-out")


def test_a_cap_is_of_all_leases_below_it_together(house: House) -> None:
    house.prove(house.operator, NET, "cap", max_rate=10.0, authorised=["lab", "rival"])
    first = house.lease(house.finder, "192.0.2.1", rate=4.0)
    house.lease(house.rival, "192.0.2.2", rate=5.5)
    full = house.ask(house.finder, "192.0.2.3", rate=1.0)
    assert (full.answer, full.why, full.lease) == ("wait", "rate-taken", None)
    assert full.until is not None
    assert house.ask(house.rival, "192.0.2.3", "192.0.2.4", rate=0.5).answer == "go"
    house.release(house.finder, first)
    assert house.ask(house.finder, "192.0.2.1", rate=4.0).answer == "go"


def test_a_cap_is_of_one_moment_and_tenths_are_tenths(house: House) -> None:
    house.prove(house.finder, NET, "cap", max_rate=1.0)
    now = datetime.now(UTC)
    hour = [now + timedelta(hours=n) for n in range(4)]
    for n in range(3):  # one behind the other
        house.lease(house.finder, "192.0.2.1", rate=0.9, starts=hour[n], until=hour[n + 1])
    assert house.ask(house.finder, "192.0.2.2", rate=0.1, until=hour[3]).answer == "go"
    assert house.ask(house.finder, "192.0.2.3", rate=0.01, until=hour[3]).why == "rate-taken"
    for n in range(10):
        assert house.ask(house.finder, f"192.0.2.{n + 10}", rate=0.1, starts=hour[3]).answer == "go"
    assert house.ask(house.finder, "192.0.2.99", rate=0.001, starts=hour[3]).why == "rate-taken"


def test_a_cap_that_is_lowered_leaves_the_oldest_leases_below_it(house: House) -> None:
    owned = house.prove(house.finder, NET, "cap", max_rate=100.0, authorised=["rival"])
    leases = [
        house.lease(house.rival, f"192.0.2.{n}", rate=rate) for n, rate in enumerate((40.0, 4.0, 5.0, 3.0))
    ]
    house.withdrawn()
    said(house, owned.id, "cap", max_rate=10.0, authorised=["rival"])
    with pytest.raises(ConflictError, match="takes less"):
        house.renew(house.rival, leases[0])
    assert [state(house, lease)[1] for lease in leases] == ["rate", "", "", "rate"]


def test_a_first_cap_ends_what_named_no_rate(house: House) -> None:
    owned = house.prove(house.finder, authorised=["rival"])
    theirs = house.lease(house.rival, "192.0.2.1")
    said(house, owned.id, "cap", max_rate=10.0, authorised=["rival"])
    assert state(house, theirs) == ("withdrawn", "rate")
    assert house.ask(house.rival, "192.0.2.2", rate=1.0).answer == "go"


def test_a_wait_for_a_part_of_a_cap_tells_that_others_are_there_and_is_counted(house: House) -> None:
    house.prove(house.operator, NET, "cap", max_rate=10.0, authorised=["lab", "rival"])
    house.lease(house.rival, "192.0.2.2", rate=5.0)
    house.limit(tellings=3)
    for rate in (6.0, 7.0, 8.0):  # looking for how much is taken
        assert house.ask(house.finder, "192.0.2.3", rate=rate).why == "rate-taken"
    with pytest.raises(TooManyRequestsError, match="3 overlaps"):
        house.ask(house.finder, "192.0.2.3", rate=5.5)


def test_a_cap_that_a_number_can_not_hold_is_refused(house: House) -> None:
    owned = house.prove(house.finder)
    for rate in (1e-50, 0.0, -1.0, 1e40, float("nan")):
        with pytest.raises(InputError) as told:
            said(house, owned.id, "cap", max_rate=rate)
        assert told.value.where == "max_rate"


def test_questions_that_are_answered_from_public_records_are_counted_too(house: House) -> None:
    world = World(house.people.url, house.home)
    world.take(
        write(
            world.home / "in" / "known.json",
            osv("OSV-2", package("PyPI", "requests", "2.31.0"), aliases=["CVE-2026-2"]),
        )
    )
    house.limit(questions=2)
    asked = {"activity": "fuzzing", "about": "CVE-2026-2"}
    table = world.table()
    try:
        for _ in range(2):
            assert house.ask(house.finder, "pkg:pypi/requests@2.0", table=table, **asked).answer == "known"
        with pytest.raises(TooManyRequestsError, match="2 questions"):
            house.ask(house.finder, "pkg:pypi/requests@2.0", table=table, **asked)
    finally:
        table.close()


def test_two_owners_who_speak_at_once_wait_for_each_other_and_for_the_job(house: House) -> None:
    """They take the root's lock before the row's, as the job does: else each would wait for the other for ever."""
    owned = house.prove(house.finder, authorised=["rival"])
    other = house.prove(house.finder, "192.0.0.0/16", authorised=["rival"])
    leases = [house.lease(house.rival, f"192.0.2.{n}") for n in range(4)]

    def speak(number: int) -> None:
        for stance in ("own", "refuse", "own", "refuse"):
            said(house, number, stance)

    with ThreadPoolExecutor(3) as pool:
        work: list[Future[Any]] = [
            pool.submit(speak, owned.id),
            pool.submit(speak, other.id),
            pool.submit(lambda: [house.withdrawn() for _ in range(6)]),
        ]
        for one in work:
            one.result()
    assert {state(house, lease)[0] for lease in leases} == {"withdrawn"}
    assert house.acts().count("lease.withdrawn") == len(leases), "each once"


def test_an_answer_its_entry_and_its_event_are_one_statement(house: House) -> None:
    house.prove(house.finder)
    house.lease(house.finder, "192.0.2.1")  # from the second on, the audience is known
    with house.acting(house.finder) as db:
        of = member(db)
        sent: list[object] = []
        seen = cast("psycopg.Connection[Any]", Counting(db, sent))
        asked = Asking(activity="port", scope=("192.0.2.2",))
        found = ask.ask(seen, house.blind, of, asked, table=None, clock=SystemClock())
        assert found.answer == "go"
        again = ask.ask(seen, house.blind, of, asked, table=None, clock=SystemClock())
        assert again.answer == "wait"
    assert len(sent) == 2
    assert house.acts().count("lease.granted") == 2
    assert house.acts().count("lease.answered") == 1
    assert found.lease is not None
    with house.owner() as db:
        row = db.execute(
            "select content from clearway.log_entry where act = 'lease.granted' order by entry desc limit 1"
        ).fetchone()
        assert row is not None
        assert row[0].encode() == canonical(msgspec.json.decode(row[0])).encode()
        assert msgspec.json.decode(row[0])["scope"] == ["192.0.2.2/32"]
        told = "select org, body->>'reference' from clearway.event order by seq desc limit 1"
        assert db.execute(told).fetchone() == (of.org, found.lease.reference)


def test_words_of_any_script_are_on_the_log_as_they_were_said(house: House) -> None:
    house.prove(house.finder)
    words = 'Ärger "quoted" \\ back / \t tab 😀 \u2028 </script>'
    house.lease(house.finder, NET, authorisation=words)
    with house.owner() as db:
        row = db.execute(
            "select content, (select authorisation from clearway.lease order by lease desc limit 1) "
            "from clearway.log_entry where act = 'lease.granted' order by entry desc limit 1"
        ).fetchone()
    assert row is not None
    assert msgspec.json.decode(row[0])["authorisation"] == row[1]
    assert row[0] == canonical(msgspec.json.decode(row[0]))


class Counting:
    """A connection that notes what is sent through it."""

    def __init__(self, db: psycopg.Connection[Any], sent: list[object]) -> None:
        self._db, self._sent = db, sent

    def execute(self, query: Any, *more: Any) -> Any:
        self._sent.append(query)
        return self._db.execute(query, *more)
