"""A version that is issued ahead governs from its own day on, and until then the one before it does."""

from __future__ import annotations

import threading
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from test_governed import (
    DOCUMENT,
    KEY,
    NEXT,
    PRIVATE,
    START,
    Authority,
    authority,
    dated,
    exposed,
    replayed,
    shown,
    slug_of,
    table,
)

from clearway.directives.issue import sign, verify
from clearway.directives.kept import begun, issues, reports
from clearway.directives.kept.who import organisation
from clearway.exposure.fleet import governed, page_week, page_why, tasks
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.records.errors import ConflictError, InputError, NotFoundError, UsageError
from clearway.records.principal import Principal
from fleet_world import Fleet
from steps import Steps, since, step_of

__all__ = ["authority", "exposed"]
ONE = timedelta(days=1)
BEGINS = START + timedelta(days=90)  # days after START, on which it is issued


def ahead(version: str, days: int, begins: date = BEGINS, **more: Any) -> bytes:
    """A version that is published before it is in effect, as directives are."""
    phases = [
        {"phase": "II", "from": str(begins + timedelta(days=60)), "what": "the rest"},
        {"phase": "I", "from": str(begins), "what": "a first part"},
    ]
    return table(version, days, published=str(begins - timedelta(days=30)), effective=phases, **more)


def drafted(fleet: Fleet, day: date) -> Any:
    with fleet.acting() as db:
        return reports.make(db, PROVIDER, organisation(db, slug_of(fleet)), "seven_day", "bod-26-04", day)


def told(fleet: Fleet, authority: Authority) -> list[str]:
    found = fleet.world.sql(
        """select subject from clearway.event where kind = 'directive.begun' and org = %s order by seq""",
        authority.org,
    )
    return [str(row[0] if isinstance(row, tuple) else row) for row in found]


def test_the_version_before_governs_until_the_day_comes(exposed: Fleet, authority: Authority) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    made = authority.publish(ahead("1.6.0", 4), START)
    assert (made.issued, made.begins) == (START, BEGINS)
    for day, days, version in (
        (START, 30, "1.5.0"),
        (BEGINS - ONE, 30, "1.5.0"),
        (BEGINS, 4, "1.6.0"),
        (BEGINS + timedelta(days=80), 4, "1.6.0"),
    ):
        dated(exposed, day)
        assert shown(exposed) == START + timedelta(days=days), day
        assert drafted(exposed, day).directive.version == version
        (line,) = exposed.lines()
        with exposed.acting() as db:
            assert page_why.why(db, line.exposure, day).directive.version == version
            assert page_week.read(db, day, exposed.org, None).version == version
        view = authority.do(authority.official, reports.seen_by_authority, authority.slug, "bod-26-04", day)
        assert view.version == version
    for day, days, version in ((BEGINS - ONE, 30, "1.5.0"), (BEGINS, 4, "1.6.0")):
        found = replayed(exposed, day)
        due = START + timedelta(days=days)
        assert (found.due, found.again.due, found.version) == (due, due, version)


def test_bod_26_04_counts_from_its_first_phase_and_not_from_the_day_on_which_its_table_binds(
    exposed: Fleet, authority: Authority
) -> None:
    """Its first phase, with remediation of what is in KEV, began on the day of its publication."""
    made = authority.publish(DOCUMENT, date(2026, 6, 10))
    assert made.begins == date(2026, 6, 10)
    phases = [phase["from"] for phase in msgspec.json.decode(DOCUMENT)["effective"]]
    assert phases == ["2026-06-10", "2026-08-09", "2026-12-07"]
    with exposed.acting() as db:
        before = governed.settings(db, [exposed.org], day=date(2026, 6, 9))[exposed.org]
        since = governed.settings(db, [exposed.org], day=date(2026, 11, 26))[exposed.org]
    assert (before.table, since.table) == (since.table, since.table), "the table that ships dates any day"


def test_what_is_to_come_is_told_this_week_and_on_its_day_on_the_log_once(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    authority.publish(ahead("1.6.0", 4), START)
    with exposed.acting() as db:
        (said,) = page_week.read(db, START, exposed.org, None).notices
    assert (said.kind, said.version, said.instead, said.on) == ("comes", "1.6.0", "1.5.0", BEGINS)
    with exposed.acting() as db:
        assert page_week.read(db, BEGINS, exposed.org, None).notices == ()
    for day, times in ((BEGINS - ONE, 0), (BEGINS, 1), (BEGINS, 1), (BEGINS + ONE, 1)):
        with exposed.owner(day) as db:
            begun.begin(db, day)
        assert told(exposed, authority) == ["directive/bod-26-04/1.6.0"] * times, day
    logged = exposed.world.sql("select subject from clearway.log_entry where act = 'directive.begun'")
    assert len(logged) >= 1


def test_what_is_revoked_or_superseded_before_its_day_never_governs_and_is_not_told(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    authority.publish(ahead("1.6.0", 4), START)
    end = {"reason": "issued by mistake", "on": START + ONE}
    authority.do(authority.official, issues.revoke, authority.slug, "bod-26-04", "1.6.0", **end)
    authority.publish(ahead("1.7.0", 5, BEGINS + ONE), NEXT)
    authority.publish(table("1.8.0", 20), NEXT)  # in effect at once, and issued after it
    with exposed.acting() as db:
        assert page_week.read(db, NEXT, exposed.org, None).notices == ()
    for day in (NEXT, BEGINS, BEGINS + ONE):
        dated(exposed, day)
        assert shown(exposed) == START + timedelta(days=20), day
        with exposed.owner(day) as db:
            begun.begin(db, day)
    assert told(exposed, authority) == []


def test_a_version_to_come_is_put_right_by_the_next_without_anybody_taking_note(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    authority.noted(authority.publish(ahead("1.6.0", 4), START))
    authority.publish(ahead("1.6.1", 20), START + ONE)
    dated(exposed, BEGINS)
    assert shown(exposed) == START + timedelta(days=20)
    with exposed.acting() as db:
        assert page_week.read(db, BEGINS, exposed.org, None).notices == ()
    end = {"reason": "not that either", "on": BEGINS + ONE}
    authority.do(authority.official, issues.revoke, authority.slug, "bod-26-04", "1.6.1", **end)
    dated(exposed, BEGINS + ONE)
    assert shown(exposed) == START + timedelta(days=4), "as a revocation brings back what was superseded"


def test_a_version_to_come_that_makes_dates_later_waits_from_its_day_on_unless_it_was_noted_before(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    made = authority.publish(ahead("1.6.0", 3_000), START)
    dated(exposed, BEGINS)
    assert shown(exposed) == START + timedelta(days=30)
    with exposed.acting() as db:
        (said,) = page_week.read(db, BEGINS, exposed.org, None).notices
    assert said.kind == "waits"
    authority.noted(made)
    dated(exposed, BEGINS - ONE)
    assert shown(exposed) == START + timedelta(days=30)
    dated(exposed, BEGINS)
    assert shown(exposed) == START + timedelta(days=3_000)


def test_what_is_taken_over_governs_from_its_own_day_on_too(exposed: Fleet) -> None:
    document = ahead("7", 9)
    signed = verify(document, sign(document, PRIVATE).signature, [KEY])
    with exposed.acting(exposed.people.somebody(exposed.org, "administrator")) as db:
        row = db.execute("select clearway.whoami()::text").fetchone()
        assert row is not None
        me = msgspec.json.decode(row[0], type=Principal)
        made = issues.take_over(db, me, slug_of(exposed), signed, KEY, issued=START)
    assert made.begins == BEGINS
    dated(exposed, BEGINS - ONE)
    assert shown(exposed) == START + timedelta(days=60)
    dated(exposed, BEGINS)
    assert shown(exposed) == START + timedelta(days=9)


def test_no_version_begins_before_it_is_issued_whoever_writes_it(
    exposed: Fleet, authority: Authority
) -> None:
    made = authority.publish(table("1.5.0", 30), START)
    with exposed.people.owner() as db:
        row = db.execute(
            "update clearway.directive_version set begins = '2020-01-01' where version_id = %s returning begins",
            (made.id,),
        ).fetchone()
    assert row == (START,)


def test_nothing_is_in_effect_before_it_is_published(authority: Authority) -> None:
    with pytest.raises(
        InputError, match="in effect from 2026-06-10 on, before it is published on 2031-04-01"
    ):
        authority.publish(table("1.5.0", 5, published="2031-04-01"), START)


def revoke(authority: Authority, on: date) -> issues.Version:
    made: issues.Version = authority.do(
        authority.official, issues.revoke, authority.slug, "bod-26-04", "1.6.0", on=on, reason="wrong"
    )
    return made


def test_a_revocation_of_a_later_day_is_brought_forward_and_put_off_never(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.publish(table("1.6.0", 4), START)
    authority.address("binding")
    with pytest.raises(UsageError, match=f"it was issued on {START}"):
        revoke(authority, START - ONE)
    assert revoke(authority, BEGINS).revoked == BEGINS
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=4)
    for on in (BEGINS, BEGINS + ONE):
        with pytest.raises(ConflictError, match=f"it is revoked from {BEGINS} on already"):
            revoke(authority, on)
    assert revoke(authority, NEXT).revoked == NEXT
    dated(exposed, NEXT)
    assert shown(exposed) == START + timedelta(days=30)
    with pytest.raises(NotFoundError, match="no such version"):
        authority.do(
            authority.official, issues.revoke, authority.slug, "bod-26-04", "9", on=NEXT, reason="wrong"
        )


def test_a_revocation_whose_day_has_come_stays_as_it_is(authority: Authority) -> None:
    day = date(2026, 10, 1)
    authority.publish(table("1.6.0", 4), day)
    revoke(authority, day + ONE)
    with pytest.raises(ConflictError, match="already"):
        revoke(authority, day)


def test_a_process_that_starts_or_meets_a_new_day_asks_for_its_work(
    exposed: Fleet, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not at one minute of the night alone: a home may be off then."""
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    authority.publish(ahead("1.6.0", 4), START)
    dated(exposed, START)
    day = BEGINS
    monkeypatch.setattr(tasks, "_today", lambda: day)
    loop = tasks.Dating()

    def asked() -> int:
        rows = exposed.world.sql(
            """delete from clearway_jobs.procrastinate_jobs
            where task_name = 'fleet.day' and status = 'todo' returning id"""
        )
        return len(rows)

    asked()
    loop(exposed.people.owner)
    assert asked() == 1
    loop(exposed.people.owner)
    assert asked() == 0
    day = BEGINS + ONE
    loop(exposed.people.owner)
    assert asked() == 1
    with exposed.owner(day) as db:

        class Job:
            stopping = threading.Event()

            def owner(self) -> Any:
                from contextlib import nullcontext

                return nullcontext(db)

        tasks.new_day(Job(), {})  # type: ignore[arg-type]
    tasks.date_at_once(exposed.people.owner)
    assert shown(exposed) == START + timedelta(days=4)
    assert told(exposed, authority) == ["directive/bod-26-04/1.6.0"]


def test_of_what_was_issued_before_the_step_the_day_is_in_its_document(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 30), START)
    authority.address("binding")
    made = authority.publish(ahead("1.6.0", 4), START)
    steps = Steps(exposed.world.url, *since(step_of("begins")))

    def governs() -> str:
        with exposed.owner(START) as db:
            return governed.settings(db, [exposed.org], day=START)[exposed.org].table.version

    steps.down()
    assert governs() == "1.6.0"
    steps.up()
    assert governs() == "1.5.0"
    assert exposed.world.sql(
        "select begins from clearway.directive_version where version_id = %s", made.id
    ) == [(BEGINS,)]
    rows = exposed.world.sql("select from clearway.fleet_ruling where org = %s", exposed.org)
    assert rows, "who was dated by it before its day is dated again"


def test_a_version_that_gives_the_same_date_leaves_no_row_of_history_in_which_nothing_differs(
    exposed: Fleet, authority: Authority
) -> None:
    authority.publish(table("1.5.0", 60), START)  # as the table that ships
    authority.address("binding")
    (line,) = exposed.lines()

    def shown_before() -> list[tuple[date | None, str]]:
        with exposed.acting() as db:
            return [(h.due, h.tier) for h in page_why.why(db, line.exposure, day).history]

    day = START + ONE
    dated(exposed, day)
    assert shown_before() == []
    for version, days in (("1.6.0", 60), ("1.7.0", 20), ("1.8.0", 20), ("1.9.0", 10)):
        day += ONE
        authority.publish(table(version, days), day)
        dated(exposed, day)
    assert shown_before() == [(START + timedelta(days=days), "60D") for days in (20, 60)]
    kept = exposed.world.sql("select from clearway.exposure_history where exposure = %s", line.exposure)
    assert len(kept) == 5, "each version is kept, for replay"
