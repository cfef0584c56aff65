"""A server of the team's own with two roles, several servers and workers on it, and no split brain."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ops_program import clearway, started
from psycopg import sql
from team_server import LOGIN, PROGRAMS, TeamServer, running

from clearway import ledger
from clearway.app import backup, doctor, restore
from clearway.ledger import sequencer
from clearway.ledger.check import verify_home
from clearway.records.errors import ForbiddenError
from clearway.store import jobs
from clearway.store.connect import connect, translated
from clearway.store.migrate import current, head, migrate
from clearway.store.principal import APP_URL_VARIABLE, PUBLIC, Pool
from clearway.store.processes import wait_until
from clearway.store.server import URL_VARIABLE
from intake_world import World, osv, write
from people import People

pytestmark = pytest.mark.skipif(
    not (PROGRAMS / "initdb").exists(), reason="Debian's PostgreSQL 15 is not installed (postgresql-15)"
)


@pytest.fixture(scope="module")
def team() -> Iterator[TeamServer]:
    with running() as server:
        yield server


@pytest.mark.slow
def test_a_plain_owner_takes_every_migration_and_the_login_owns_nothing(
    team: TeamServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, app = team.database()
    migrate(url)
    assert current(url) == head()
    monkeypatch.setenv(APP_URL_VARIABLE, app)
    with Pool(url) as pool, pool.acting(PUBLIC) as db:
        assert db.execute("select session_user::text, current_user::text, clearway.actor()").fetchone() == (
            LOGIN,
            "clearway_app",
            -1,
        )
    with translated(), connect(url) as db:
        owned = db.execute(
            "select count(*) from pg_class c join pg_roles r on r.oid = c.relowner "
            "where r.rolname in (%s, 'clearway_app')",
            (LOGIN,),
        ).fetchone()
    assert owned == (0,)
    with pytest.raises(ForbiddenError), Pool(url) as pool, pool.acting(PUBLIC) as db:
        db.execute("select clearway.emit('asset.added', 'asset/1', null, 1, '{}')")


@pytest.mark.slow
def test_an_embedded_home_moves_to_the_teams_server_by_its_backup_and_back(
    world: World,
    team: TeamServer,
    empty_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv(URL_VARIABLE, world.url)
    world.take(write(tmp_path / "in.jsonl", osv("GHSA-1"), osv("GHSA-2")))
    with connect(world.url, autocommit=True) as db:
        ledger.append(db, "asset.added", "asset/1", aud=0)
        sequencer.integrate_all(db, sequencer.signer_of(db, world.home))
    rows = "select source, id, sha256, sha256(raw) from clearway.record order by 1, 2"
    before = world.sql(rows)
    backup.take(world.home, tmp_path / "one.backup", with_keys=True)
    url, app = team.database()
    monkeypatch.setenv(URL_VARIABLE, url)
    monkeypatch.setenv(APP_URL_VARIABLE, app)
    assert restore.restore(tmp_path / "team", tmp_path / "one.backup").epoch == 2
    with connect(url) as db:
        assert db.execute(rows).fetchall() == before
    people = People(url)
    with people.acting(people.admin) as db:
        assert db.execute("select count(*) from clearway.log_entry where act = 'asset.added'").fetchone() == (
            1,
        )
    people.close()
    backup.take(tmp_path / "team", tmp_path / "two.backup", with_keys=True)
    monkeypatch.setenv(URL_VARIABLE, empty_database())
    monkeypatch.delenv(APP_URL_VARIABLE)
    assert restore.restore(tmp_path / "back", tmp_path / "two.backup").epoch == 3
    assert verify_home(tmp_path / "back", key=None, witnesses=()).ok


@pytest.mark.slow
def test_the_doctor_says_when_requests_use_the_owners_login(
    team: TeamServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, app = team.database()
    migrate(url)
    monkeypatch.setenv(URL_VARIABLE, url)
    found = {check.name: check for check in doctor.examine(tmp_path)}
    assert not found["requests' login"].ok
    assert APP_URL_VARIABLE in found["requests' login"].mend
    monkeypatch.setenv(APP_URL_VARIABLE, app)
    found = {check.name: check for check in doctor.examine(tmp_path)}
    assert found["requests' login"].ok, found["requests' login"]
    assert found["migrations"].ok
    # What SQL that slipped in may leave for later sessions, and no privilege refuses: a role's own settings.
    with psycopg.connect(app, autocommit=True) as login:
        login.execute("alter role current_user set row_security = off")
        try:
            found = {check.name: check for check in doctor.examine(tmp_path)}
            assert found["requests' login"].found == "settings are kept for it: row_security"
        finally:
            login.execute("alter role current_user reset all")
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(
            sql.SQL("grant temporary on database {} to public").format(sql.Identifier(owner.info.dbname))
        )
    found = {check.name: check for check in doctor.examine(tmp_path)}
    assert "temporary objects" in found["requests' login"].found


class Api:
    """One server process; requests carry a token."""

    def __init__(self, process: subprocess.Popen[str], port: int, secret: str) -> None:
        self.process = process
        self.port = port
        self.secret = secret

    def post(self, path: str, body: Any, key: str) -> int:
        """The status; 0 when there was no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            head = {
                "authorization": f"Bearer {self.secret}",
                "content-type": "application/json",
                "idempotency-key": key,
            }
            connection.request("POST", path, json.dumps(body), head)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return answer.status
        finally:
            connection.close()


@contextmanager
def ended(*processes: subprocess.Popen[str]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def _api(home: Path, url: str, app: str, secret: str) -> Api:
    process = started(home, url, "up", "--port", "0", CLEARWAY_APP_DATABASE_URL=app)
    assert process.stdout is not None
    found = re.search(r"localhost:(\d+)", process.stdout.readline())
    assert found, process.communicate()
    return Api(process, int(found[1]), secret)


@pytest.mark.slow
def test_two_servers_and_two_workers_share_one_database_and_lose_nothing_when_half_of_them_is_killed(
    team: TeamServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url, app = team.database()
    monkeypatch.setenv(APP_URL_VARIABLE, app)
    homes = [tmp_path / name for name in ("one", "two")]
    assert clearway(homes[0], url, "ledger", "key").returncode == 0
    homes[1].mkdir()
    shutil.copytree(homes[0] / "ledger", homes[1] / "ledger")  # the second machine signs the same log
    people = People(url)
    secret = people.somebody(people.org("clinic"), "operator").secret
    apis = [_api(home, url, app, secret) for home in homes]
    workers = [started(home, url, "worker", CLEARWAY_APP_DATABASE_URL=app) for home in homes]
    acknowledged: dict[str, set[int]] = {}
    stop = threading.Event()

    def write_on(name: str, mine: list[Api]) -> None:
        number = 0
        while not stop.is_set():
            asset = f"{name}-{number}"
            # No answer: the same request again, at whoever is left.
            for api in mine * 3:
                status = api.post("/api/v1/assets", {"name": asset}, f"key-{asset}")
                acknowledged.setdefault(asset, set()).add(status)
                if status == 201:
                    break
            number += 1

    with ended(*(api.process for api in apis), *workers):
        for worker in workers:
            assert worker.stderr is not None
            said = worker.stderr.readline()
            assert "takes jobs" in said, said + worker.communicate(timeout=30)[1]
        writers = [
            threading.Thread(target=write_on, args=("a", apis)),
            threading.Thread(target=write_on, args=("b", apis[::-1])),
        ]
        for thread in writers:
            thread.start()
        with people.owner() as db:
            deferred = [jobs.defer(db, "fleet.day", {}) for _ in range(60)]
            deferred.append(jobs.defer(db, "app.retention", {}))
        time.sleep(2)
        with connect(url) as db:
            leaders = db.execute(
                "select classid, objid, count(*) from pg_locks where locktype = 'advisory' and granted "
                "and mode = 'ExclusiveLock' and objsubid = 1 "
                "and database = (select oid from pg_database where datname = current_database()) group by 1, 2"
            ).fetchall()
        apis[0].process.kill()
        workers[0].kill()
        time.sleep(2)
        stop.set()
        for thread in writers:
            thread.join()

        def done() -> bool:
            with connect(url) as db:
                row = db.execute(
                    "select count(*) from clearway_jobs.procrastinate_jobs where id = any(%s) and status = 'succeeded'",
                    (deferred,),
                ).fetchone()
            return row == (len(deferred),)

        assert wait_until(done, 60), "a killed worker's jobs are taken over"

        def integrated() -> bool:
            with connect(url) as db:
                return not sequencer.waiting(db)

        assert wait_until(integrated, 30), "another server gives entries their places"
    people.close()
    assert leaders
    assert all(count == 1 for _, _, count in leaders), "each loop has one leader"
    with connect(url) as db:
        kept = [name for (name,) in db.execute("select name from clearway.asset order by 1")]
        entries = db.execute("select count(*) from clearway.log_entry where act = 'asset.added'").fetchone()
    assert len(kept) == len(set(kept)), "no retry made a second one"
    assert {name for name, statuses in acknowledged.items() if 201 in statuses} <= set(kept)
    assert entries == (len(kept),)
    assert len(kept) > 10
    monkeypatch.setenv(URL_VARIABLE, url)
    report = verify_home(homes[1], key=None, witnesses=())
    assert report.ok, report.reasons
