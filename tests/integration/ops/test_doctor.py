"""What the doctor says of a database that is up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearway import ledger
from clearway.app import doctor, retention
from clearway.ledger import sequencer
from clearway.store import jobs, jobs_life
from clearway.store.connect import connect
from clearway.store.principal import APP_URL_VARIABLE
from clearway.store.server import RESTORING, URL_VARIABLE
from intake_world import World


@pytest.fixture
def there(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setenv(URL_VARIABLE, world.url)
    with connect(world.url, autocommit=True) as db:
        ledger.append(db, "asset.added", "asset/1", aud=0)
        sequencer.integrate_all(db, sequencer.signer_of(db, world.home))
    return world


def checks(world: World) -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.examine(world.home)}


def test_a_sound_database_has_no_fault_but_the_owners_login(there: World) -> None:
    found = checks(there)
    assert [n for n in ("migrations", "clock", "log", "backup") if not found[n].ok] == []
    assert "log key" not in found
    assert "none was ever taken" in found["backup"].found
    assert not found["requests' login"].ok


def test_a_superuser_is_no_login_for_requests(there: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(APP_URL_VARIABLE, there.url)
    assert "is a superuser" in checks(there)["requests' login"].found


def test_entries_that_nobody_integrates_and_a_key_that_is_elsewhere_are_faults(there: World) -> None:
    with connect(there.url, autocommit=True) as db:
        ledger.append(db, "asset.added", "asset/2", aud=0)
        db.execute("set session_replication_role = replica")
        db.execute("update clearway.log_entry set at = at - interval '1 hour' where subject = 'asset/2'")
    (there.home / "ledger" / "log.key").rename(there.home / "ledger" / "elsewhere")
    found = checks(there)
    assert not found["log"].ok
    assert "has waited for its place" in found["log"].found
    assert "copy ledger/" in found["log key"].mend


def test_a_clock_that_was_put_back_is_a_fault(there: World) -> None:
    with connect(there.url, autocommit=True) as db:
        db.execute("update clearway.clock_mark set high = clock_timestamp() + interval '1 day'")
    found = checks(there)["clock"]
    assert not found.ok
    assert "was put back" in found.found


def test_a_clock_that_is_not_believed_is_a_fault_with_its_reason(there: World) -> None:
    with connect(there.url, autocommit=True) as db:
        db.execute(
            "update clearway.clock_mark set high = clock_timestamp() - interval '1 day', boot = 'another'"
        )
    found = checks(there)["clock"]
    assert "it is not believed: the machine was started anew" in found.found
    with connect(there.url, autocommit=True) as db:
        db.execute("update clearway.clock_mark set high = '-infinity', unsure_s = 7200")
    told = checks(there)["clock"]
    assert told.ok
    assert "2:00:00 that nobody can vouch for" in told.found
    assert "--accept" in found.mend


def test_loops_that_fail_holds_that_stand_and_restores_that_were_cut_short_are_told(there: World) -> None:
    with connect(there.url, autocommit=True) as db, db.transaction():
        db.execute(
            "insert into clearway.job_loop (name, failed, reason) values ('x.y', now(), 'no such thing')"
        )
        db.execute(
            "insert into clearway.organisation (slug, name, kind) values ('clinic', 'Clinic', 'operator')"
        )
        retention.place_hold(db, "clinic", "", "a case")
    Path(there.home / RESTORING).write_text("{}")
    found = checks(there)
    assert found["loop x.y"].found == "no such thing"
    assert "1 stand" in found["legal holds"].found
    assert not found["restore"].ok


def test_work_that_no_worker_takes_and_a_worker_that_begins_anew_again_and_again_are_faults(
    there: World,
) -> None:
    with connect(there.url, autocommit=True) as db:
        assert checks(there)["worker"].ok
        jobs.defer(db, "x.y", {}, at=datetime.now(UTC) - timedelta(minutes=10))
        assert "none lives, and 1 jobs are due, one for 10 minutes" in checks(there)["worker"].found
        worker = db.execute(
            "select worker_id from clearway_jobs.procrastinate_register_worker_v1()"
        ).fetchone()
        assert worker is not None
        assert checks(there)["worker"].ok
        jobs_life.note(db, RuntimeError("a fault"))
        assert checks(there)["worker"].found == "it ended and began anew: RuntimeError: a fault"
        assert "loop worker" not in checks(there)
        db.execute("update clearway_jobs.procrastinate_jobs set status = 'doing'")
        db.execute("insert into clearway_jobs.procrastinate_events (job_id, type, at) select id, 'started',"
            " now() - interval '1 hour' from clearway_jobs.procrastinate_jobs")  # fmt: skip
        db.execute("update clearway_jobs.procrastinate_events set at = at - interval '1 hour'")
    found = checks(there)["worker"]
    assert (found.ok, found.found) == (False, "1 jobs have lost their worker, and no other takes them over")


def test_tables_of_another_release_are_told_with_the_cure(there: World) -> None:
    with connect(there.url, autocommit=True) as db:
        db.execute("update clearway.alembic_version set version_num = '9999'")
    found = checks(there)["migrations"]
    assert (found.ok, found.mend) == (False, "upgrade Clearway")
