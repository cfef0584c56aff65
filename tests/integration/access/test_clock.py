"""A clock that jumped forward and is right again is accepted by the owner, with a reason, on the log."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from clearway.access import audience, clock, embargo
from clearway.access.clockwatch import Reading
from clearway.access.marking import Marking
from clearway.app import cli
from clearway.records.errors import ClearwayError, ConflictError, InputError
from clearway.store.connect import connect
from clearway.store.server import lease
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401
from people import People, Somebody

YEAR = timedelta(days=400)


def now() -> datetime:
    return datetime.now(UTC)


def look(wall: datetime | None = None, up_s: float = 100, boot: str = "a") -> Reading:
    return Reading(wall=wall or now(), boot=boot, up_s=up_s)


def jump(people: People, by: timedelta = YEAR) -> None:
    """The machine is started with its clock far ahead, and that time is believed."""
    with people.owner() as db:
        embargo.carry_out(db, look(now() + by, up_s=1, boot="wrong"))


def signed_in(people: People, who: Somebody) -> bool:
    with people.acting(who) as db:
        return db.execute("select clearway.me()").fetchone() == (who.person,)


def test_what_a_wrong_clock_ended_is_valid_again_once_the_clock_is_accepted(people: People) -> None:
    somebody = people.somebody(people.org("a"), "operator")
    jump(people)
    assert not signed_in(people, somebody), "a session ends by the latest time that was seen"
    with people.owner() as db:
        assert clock.standing(db, look()).ahead_s > 300 * 86_400
        made = clock.accept(db, "the board's battery was empty", look())
    assert signed_in(people, somebody)
    with people.owner() as db:
        assert clock.standing(db, look()).doubt == ""
        row = db.execute(
            "select act, actor, content::jsonb ->> 'why' from clearway.log_entry where entry = %s",
            (made.entry,),
        ).fetchone()
    assert row == ("clock.accepted", 0, "the board's battery was empty")


def test_sessions_that_bear_a_time_that_never_was_end(people: People) -> None:
    early = people.somebody(people.org("a"), "operator")
    late = people.somebody(people.org("b"), "operator")
    jump(people)
    with people.owner() as db:
        db.execute(
            "update clearway.credential set created = now() + interval '400 days', "
            "expires = now() + interval '410 days' where person = %s",
            (late.person,),
        )
        assert clock.accept(db, "wrong", look()).ended == 2
    assert signed_in(people, early)
    assert not signed_in(people, late)


def test_no_embargo_opens_when_a_clock_is_accepted_and_a_frozen_one_waits(people: People) -> None:
    coordinator = people.somebody(people.house, "coordinator")
    with people.acting(coordinator) as db:
        kept = embargo.add(db, people.house, "case 1")
        embargo.arm(db, kept.embargo, now() + timedelta(hours=1), now=now())
    with people.owner() as db:
        embargo.carry_out(db, look())
        embargo.carry_out(db, look(now() + YEAR, up_s=200))
    with people.owner() as db:
        # Frozen, and the time seen went on by the machine's own count alone; then a start with the clock ahead.
        assert embargo.one(db, kept.embargo).frozen
    jump(people)
    with people.owner() as db:
        found = clock.standing(db, look())
        assert found.frozen == 1
        clock.accept(db, "wrong", look())
        embargo.carry_out(db, look(up_s=101))
        after = embargo.one(db, kept.embargo)
    assert after.frozen
    assert after.ended_by is None
    with people.acting(coordinator) as db:
        embargo.arm(db, kept.embargo, now() + timedelta(hours=2), now=now())
    with people.owner() as db:
        assert embargo.carry_out(db, look(now() + timedelta(hours=1, minutes=59), up_s=100 + 7140)) == ()
        (ended,) = embargo.carry_out(db, look(now() + timedelta(hours=2, minutes=1), up_s=100 + 7260))
    assert ended.ended_by is not None, "the clock is believed again, and ends it at its hour"


def test_a_clock_that_is_not_ahead_or_that_two_machines_do_not_share_is_not_accepted(people: People) -> None:
    with people.owner() as db, pytest.raises(ConflictError, match="not ahead"):
        clock.accept(db, "wrong", look())
    jump(people)
    with people.owner() as db, pytest.raises(InputError, match="say why"):
        clock.accept(db, " ", look())
    for off in (-timedelta(days=30), timedelta(days=30)):
        with people.owner() as db, pytest.raises(ConflictError, match="the database's clock is"):
            clock.accept(db, "wrong", look(now() + off))
    with people.owner() as db:
        assert clock.standing(db, look()).ahead_s > 300 * 86_400


def test_a_clock_that_was_set_right_by_a_step_is_believed_again_once_it_is_accepted(people: People) -> None:
    with people.owner() as db:
        embargo.carry_out(db, look(now() - timedelta(hours=3), up_s=100))
        assert "moved forward" in clock.standing(db, look(up_s=200)).doubt
        clock.accept(db, "it had been three hours behind", look(up_s=200))
        assert clock.standing(db, look(up_s=200)).doubt == ""
        with pytest.raises(ConflictError, match="nothing else speaks against it"):
            clock.accept(db, "again", look(up_s=200))


def test_time_that_nobody_can_vouch_for_is_shown_until_the_clock_is_accepted(people: People) -> None:
    with people.owner() as db:
        embargo.carry_out(db, look(now() - timedelta(days=3), up_s=100))
        embargo.carry_out(db, look(now() - timedelta(days=1), up_s=9, boot="b"))
        embargo.carry_out(db, look(now() - timedelta(days=1) + timedelta(minutes=2), up_s=9, boot="c"))
        assert round(clock.standing(db, look(up_s=200)).unsure_s / 3600) == 48, "a short restart adds none"
        clock.accept(db, "it was switched off for two days", look(up_s=200))
        assert clock.standing(db, look(up_s=200)).unsure_s == 0


def test_the_application_can_not_set_the_time_back_nor_say_that_somebody_did(people: People) -> None:
    jump(people, timedelta(minutes=10))
    for statement in (
        "update clearway.clock_mark set high = now()",
        "select clearway.log_append('clock.accepted', 'clock', '', 0)",
    ):
        with pytest.raises((psycopg.Error, ClearwayError)), people.acting(people.admin) as db:
            db.execute(statement)


def test_an_embargos_rows_stay_hidden_over_a_jump_and_its_acceptance(people: People) -> None:
    coordinator = people.somebody(people.house, "coordinator")
    stranger = people.somebody(people.org("b"), "operator")
    with people.acting(coordinator) as db:
        kept = embargo.add(db, people.house, "case 1")
        embargo.arm(db, kept.embargo, now() + timedelta(days=30), now=now())
        aud = audience.of(db, Marking(tlp="GREEN", embargo=kept.embargo))
    with people.owner() as db:
        embargo.carry_out(db, look())
    jump(people)
    with people.owner() as db:
        clock.accept(db, "wrong", look())
    with people.acting(stranger) as db:
        assert db.execute("select get_bit(clearway.my_bits(), %s)", (aud,)).fetchone() == (0,)


def told(capsys: pytest.CaptureFixture[str], home: Path, *words: str, code: int = 0) -> Any:  # noqa: F811
    assert cli.main(["--home", str(home), "access", *words]) == code
    out = capsys.readouterr().out
    return json.loads(out) if out and "--json" in words else out


def test_the_command_shows_the_clocks_and_accepts_with_a_reason(
    home: Path,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CLEARWAY_TOKEN", raising=False)
    assert told(capsys, home, "clock", "--json")["ahead_s"] == 0
    told(capsys, home, "clock", "--accept", "--why", "x", "--json", code=7)
    told(capsys, home, "clock", "--accept", code=2)
    told(capsys, home, "clock", "--why", "x", code=2)
    told(capsys, home, "org", "list", "--json")  # makes the home's own token
    with lease(home) as url, connect(url, autocommit=True) as owner:
        owner.execute(
            "update clearway.clock_mark set high = now() + interval '3 years', boot = 'x', up_s = 1"
        )
    shown = told(capsys, home, "clock")
    assert "1095 days" in shown or "1096 days" in shown
    assert "believed       no: " in shown
    assert "entry" in told(capsys, home, "clock", "--accept", "--why", "the battery was empty")
    assert "believed       yes" in told(capsys, home, "clock")
    assert told(capsys, home, "org", "list", "--json"), "the home's own token is valid again"
