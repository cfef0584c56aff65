"""The table that a server reads: replaced while it runs, and never lost."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import osv_world
from clearway.advisories import live_table
from clearway.advisories.live_table import LiveTable
from clearway.advisories.table import CHANGES_SUFFIX, Changes, package_key
from clearway.records.errors import ConfigError, IntegrityError


class Time:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_new_file_is_seen_within_a_second_and_not_looked_for_before(tmp_path: Path) -> None:
    time = Time()
    live = LiveTable(osv_world.table(tmp_path / "t", content="one"), monotonic=time)
    assert live.current().meta.content == "one"
    osv_world.table(tmp_path / "t", content="two")
    time.now += 0.5
    assert live.current().meta.content == "one"
    time.now += 0.6
    assert live.current().meta.content == "two"


def test_changes_beside_the_file_are_seen_as_a_new_file_is(tmp_path: Path) -> None:
    time = Time()
    path = osv_world.table(tmp_path / "t.sqlite", content="one")
    live = LiveTable(path, monotonic=time)
    meta = live.current().meta
    gone: dict[str, dict[str, bytes | None]] = {"package": {package_key("PyPI", "example-web"): None}}
    changes = Changes(meta.base, msgspec.structs.replace(meta, content="two"), gone)
    path.with_suffix(CHANGES_SUFFIX).write_bytes(msgspec.msgpack.encode(changes))
    time.now += 1.1
    assert live.current().meta.content == "two"
    assert live.current().claims("PyPI", "example-web") == ()


def test_who_holds_the_old_table_reads_it_to_the_end(tmp_path: Path) -> None:
    time = Time()
    live = LiveTable(osv_world.table(tmp_path / "t"), monotonic=time)
    held = live.current()
    osv_world.table(tmp_path / "t", content="two", only=frozenset())
    time.now += 2
    assert live.current().claims("PyPI", "example-web") == ()
    assert len(held.claims("PyPI", "example-web")) == 2


def test_a_damaged_newer_file_leaves_the_last_good_table_serving(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time()
    path = osv_world.table(tmp_path / "t")
    live = LiveTable(path, monotonic=time)
    live.current()
    (tmp_path / "bad").write_bytes(b"garbage" * 1000)
    (tmp_path / "bad").replace(path)
    time.now += 2
    assert live.current().meta.content == "one"
    assert "can't be read" in live.refused
    assert "not used" in caplog.text
    osv_world.table(path, content="three")
    time.now += 2
    assert live.current().meta.content == "three"
    assert live.refused == ""


def test_a_file_that_is_gone_leaves_the_open_one_serving(tmp_path: Path) -> None:
    time = Time()
    path = osv_world.table(tmp_path / "t")
    live = LiveTable(path, monotonic=time)
    live.current()
    path.unlink()
    time.now += 2
    assert live.current().meta.content == "one"


def test_the_first_table_may_come_later(tmp_path: Path) -> None:
    live = LiveTable(tmp_path / "t", monotonic=Time())
    with pytest.raises(ConfigError, match="no advisories are loaded yet"):
        live.current()
    osv_world.table(tmp_path / "t")
    assert live.current().meta.content == "one"


def test_the_only_table_being_damaged_is_said_each_time(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"garbage")
    time = Time()
    live = LiveTable(tmp_path / "t", monotonic=time)
    for _ in range(2):
        with pytest.raises(IntegrityError):
            live.current()
    osv_world.table(tmp_path / "t")
    time.now += 2
    assert live.current().meta.content == "one"


def test_names_that_strangers_make_up_do_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_table, "FRESH_AFTER", 100)
    live = LiveTable(osv_world.table(tmp_path / "t"), monotonic=Time())
    first = live.current()
    for number in range(50):
        live.current(10).claims("PyPI", f"made-up-{number}")
    assert live.current() is not first
    assert len(live.current()._claims) < 20
