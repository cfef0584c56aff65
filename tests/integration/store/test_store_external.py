"""A server named in CLEARWAY_DATABASE_URL is used as it is."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clearway.records.errors import ConfigError, UpstreamError
from clearway.store import external
from clearway.store.connect import connect
from clearway.store.migrate import current, head, migrate
from clearway.store.processes import wait_until
from clearway.store.server import URL_VARIABLE, lease, status


def test_the_named_server_is_used_and_the_home_is_not_touched(
    url: str, new_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, url)
    with lease(new_home) as address:
        assert address == url
    assert not new_home.exists()
    now = status(new_home)
    assert (now.embedded, now.running) == (False, True)


@pytest.mark.parametrize(
    "text", ["mysql://root@localhost/x", "postgresql+psycopg://x@/y", "three little words"]
)
def test_what_is_no_postgresql_url_is_refused_without_repeating_it(
    text: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, text)
    with pytest.raises(ConfigError, match=URL_VARIABLE) as caught, lease(home):
        pass
    assert text not in str(caught.value)


def test_a_server_that_is_not_there_is_an_upstream_error_and_no_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, f"postgresql://me:hidden@/db?host={tmp_path}")
    with pytest.raises(UpstreamError, match="can't be reached") as caught, lease(tmp_path):
        pass
    assert "hidden" not in str(caught.value)
    now = status(tmp_path)
    assert not now.running
    assert "hidden" not in now.url


def test_a_server_older_than_the_floor_is_refused(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "FLOOR", 990_000)
    with pytest.raises(ConfigError, match=r"PostgreSQL 18 is too old.*PostgreSQL 99 or newer"):
        external.checked(url)


def test_an_encoding_other_than_utf8_is_refused(url: str) -> None:
    with connect(url, autocommit=True) as connection:
        connection.execute(
            "create database latin encoding 'LATIN1' template template0 locale_provider libc locale 'C'"
        )
    with pytest.raises(ConfigError, match="LATIN1"):
        external.checked(url.replace("/clearway?", "/latin?"))


@pytest.fixture
def oldest() -> Iterator[str]:
    """A server of the oldest release that is promised to work, where Debian's package of it is installed."""
    programs = Path(f"/usr/lib/postgresql/{external.FLOOR // 10_000}/bin")
    if not (programs / "initdb").exists():
        pytest.skip(f"PostgreSQL {external.FLOOR // 10_000} is not installed")
    data = Path(tempfile.mkdtemp(prefix="clearway-test-", dir="/var/tmp"))  # where every account may enter
    user = None
    if os.geteuid() == 0:
        user = "nobody"
        shutil.chown(data, user)
    initdb = [programs / "initdb", "-D", data, "-U", "me", "-A", "trust", "-E", "UTF8"]
    subprocess.run(initdb, check=True, user=user, capture_output=True)
    postgres = [programs / "postgres", "-D", data, "-c", "listen_addresses=", "-k", data]
    with (data / "log").open("wb") as log:
        server = subprocess.Popen(postgres, user=user, stdout=log, stderr=log)
    yield f"postgresql://me@/postgres?host={data}"
    server.send_signal(signal.SIGINT)
    server.wait(timeout=30)
    shutil.rmtree(data)


@pytest.mark.slow
def test_the_oldest_promised_release_takes_every_migration(oldest: str) -> None:
    assert wait_until(lambda: external.answers(oldest), 20)
    migrate(oldest)
    assert current(oldest) == head()
