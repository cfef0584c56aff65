"""One contract for every source of records: PostgreSQL, its in-memory twin, and the memory in front."""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from clearway.advisories.record_source import MemoryRecords, RecordSource, Ref, RememberedRecords
from clearway.advisories.stored_records import StoredRecords
from clearway.records.errors import UpstreamError
from clearway.store.connect import connect
from clearway.store.migrate import migrate
from clearway.store.server import lease

RECORDS: dict[Ref, bytes] = {
    ("ghsa", "GHSA-1"): b'{"id": "GHSA-1",  "details": "\xc3\xbc"}\n',
    ("pypa", "PYSEC-1"): b"{}",
    ("pypa", "GHSA-1"): b'{"id":"GHSA-1"}',
}
INSERT = """
insert into clearway.record (source, id, format, kind, sha256, raw, received, origin, tlp, current)
values (%s, %s, %s, 'advisory', %s, %s, now(), 'test', %s, %s)
"""
# What may never be given: (format, tlp, current) by id.
HIDDEN = {
    "OLD-1": ("osv", "CLEAR", False),
    "AMBER-1": ("osv", "AMBER", True),
    "RED-1": ("osv", "RED", True),
    "CVE-1": ("cve", "CLEAR", True),
}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="clearway-") as home, lease(Path(home)) as url:
        migrate(url)
        with connect(url) as connection:
            for (source, name), raw in RECORDS.items():
                digest = hashlib.sha256(raw).digest()
                connection.execute(INSERT, (source, name, "osv", digest, raw, "CLEAR", True))
            for name, (kind, tlp, current) in HIDDEN.items():
                digest = hashlib.sha256(name.encode()).digest()
                connection.execute(INSERT, ("pypa", name, kind, digest, b"{}", tlp, current))
        yield url


Make = Callable[[], RecordSource]


@pytest.fixture(params=["stored", "memory", "remembered"])
def make(request: pytest.FixtureRequest, url: str) -> Make:
    return {
        "stored": lambda: StoredRecords(url),
        "memory": lambda: MemoryRecords(RECORDS),
        "remembered": lambda: RememberedRecords(StoredRecords(url)).at("one"),
    }[request.param]


def ask(make: Make, *refs: Ref) -> Mapping[Ref, bytes]:
    async def asking() -> Mapping[Ref, bytes]:
        source = make()
        try:
            first = await source.osv(refs)
            assert await source.osv(refs) == first
            return first
        finally:
            await source.close()

    return asyncio.run(asking())


def test_every_record_comes_byte_for_byte_under_its_own_source(make: Make) -> None:
    assert ask(make, *RECORDS) == RECORDS


def test_a_pair_that_nobody_wrote_is_left_out_though_both_halves_exist(make: Make) -> None:
    assert ask(make, ("ghsa", "PYSEC-1"), ("ghsa", "GHSA-1")).keys() == {("ghsa", "GHSA-1")}


@pytest.mark.parametrize(
    "name", [*HIDDEN, "NONE-1", "", "'; drop table clearway.record; --", "\ud800", "a\0b"]
)
def test_what_may_not_be_given_is_as_if_it_were_not_there(make: Make, name: str) -> None:
    assert ask(make, ("pypa", name)) == {}


def test_nothing_asked_is_nothing_given(make: Make) -> None:
    assert ask(make) == {}


def test_many_at_once_share_a_few_connections(url: str) -> None:
    async def crowd() -> list[dict[Ref, bytes]]:
        source = StoredRecords(url, connections=2)
        found = await asyncio.gather(*(source.osv(list(RECORDS)) for _ in range(40)))
        await source.close()
        return found

    assert asyncio.run(crowd()) == [RECORDS] * 40


def test_a_connection_that_was_cut_is_replaced(url: str) -> None:
    async def cut() -> dict[Ref, bytes]:
        source = StoredRecords(url, connections=1)
        await source.osv(list(RECORDS))
        with connect(url, autocommit=True) as other:
            other.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
        try:
            return await source.osv(list(RECORDS))
        finally:
            await source.close()

    assert asyncio.run(cut()) == RECORDS


def test_a_database_that_is_gone_is_an_upstream_error(tmp_path: Path) -> None:
    source = StoredRecords(f"postgresql://nobody@/none?host={tmp_path}")
    with pytest.raises(UpstreamError):
        asyncio.run(source.osv(list(RECORDS)))


class Counting(MemoryRecords):
    asked = 0

    async def osv(self, refs: object) -> dict[Ref, bytes]:
        self.asked += 1
        return await super().osv(refs)  # type: ignore[arg-type]


def test_what_is_remembered_is_asked_once_until_the_table_changes() -> None:
    async def asking() -> list[int]:
        behind = Counting(RECORDS)
        kept = RememberedRecords(behind)
        counts = []
        for state in ("one", "one", "two", "two"):
            assert await kept.at(state).osv(list(RECORDS)) == RECORDS
            counts.append(behind.asked)
        return counts

    assert asyncio.run(asking()) == [1, 1, 2, 2]


def test_the_memory_stays_within_its_bytes_and_forgets_the_oldest() -> None:
    async def asking() -> tuple[int, int]:
        many = {("s", str(n)): b"x" * 100 for n in range(50)}
        behind = Counting(many)
        kept = RememberedRecords(behind, bound_bytes=1000)
        for ref in many:
            await kept.osv([ref])
        before = behind.asked
        await kept.osv([("s", "49")])
        assert behind.asked == before
        return len(kept._kept), kept._size

    assert asyncio.run(asking()) == (10, 1000)
