"""What public records suggest for a finding: the likeliest first, a hint once words were learnt, a return named."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from clearway.advisories.table import Table
from clearway.findings import kept
from clearway.findings.dedup import public
from clearway.findings.dedup.hint import kept as learnt
from clearway.findings.intake.reach import public_records
from clearway.records.errors import InputError
from findings_world import Desk, Template
from intake_world import World, osv, package, write

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture(scope="module")
def one_known(
    desk_template: Template, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Desk, World]]:
    for desk, world in desk_template.copy(tmp_path_factory.mktemp("known") / "home"):
        world.take(
            write(
                world.home / "records.jsonl",
                osv("PYSEC-2026-1", package("PyPI", "example", "1.2.3"), aliases=["CVE-2026-0001"],
                    summary="Heap buffer overflow", details="parse_string of src/parse.c writes past a heap buffer.",
                    database_specific={"cwe_ids": ["CWE-787"]}),
                osv("PYSEC-2026-2", package("PyPI", "example", "2.0"), aliases=["CVE-2026-0002"],
                    summary="Open redirect", details="The login form sends people to any address.",
                    database_specific={"cwe_ids": ["CWE-601"]}),
            ),
            at=NOW,
        )  # fmt: skip
        desk.clear()
        yield desk, world


@pytest.fixture
def known(one_known: tuple[Desk, World]) -> tuple[Desk, World]:
    one_known[0].clear()
    return one_known


def suggested(desk: Desk, world: World, **facts: Any) -> tuple[public.Suggestion, ...]:
    finding = desk.finding(**facts)
    with desk.owner() as db:
        db.execute("update clearway.finding set level = 1 where finding = %s", (finding.id,))
    with desk.acting(desk.coordinator) as db:
        finding = kept.by_id(db, finding.id)
    with desk.owner() as db:
        return public.suggest(
            Table.of_home(world.home), finding, lambda refs: public_records(db, refs), learnt.read(db)
        )


def test_the_likeliest_public_flaw_comes_first_and_the_hint_follows_what_was_learnt(
    known: tuple[Desk, World],
) -> None:
    desk, world = known
    first, second = suggested(desk, world)
    assert (first.flaw, second.flaw) == ("CVE-2026-0001", "CVE-2026-0002")
    assert (first.hint, first.same_class, first.same_place) == (None, True, True)
    assert learnt.learn(desk.owner) == 2
    first, second = suggested(desk, world)
    assert first.flaw == "CVE-2026-0001"
    assert first.hint is not None
    assert second.hint is not None
    assert first.hint > second.hint


def test_what_fires_in_a_fixed_release_is_named_a_return(known: tuple[Desk, World]) -> None:
    desk, world = known
    first, second = suggested(desk, world, release="1.4.0", purl="pkg:pypi/example@1.4.0")
    assert (first.release, first.fixed, first.returns) == ("fixed", ("1.2.3",), True)
    assert not second.returns


def test_whether_a_record_of_the_flaw_names_the_product_is_told(known: tuple[Desk, World]) -> None:
    desk, world = known
    table = Table.of_home(world.home)
    finding, other = desk.finding(), desk.finding(package="another", purl="pkg:pypi/another@1", release="1")
    assert public.recorded(table, finding, " cve-2026-0001 ").named
    assert public.recorded(table, finding, "PYSEC-2026-1").bounds == public.bounds_in(
        table, finding, "CVE-2026-0001"
    )
    assert not public.recorded(table, other, "CVE-2026-0001").named
    with desk.acting(desk.coordinator) as db, pytest.raises(InputError, match="names this product"):
        public.say(db, other, "CVE-2026-0001", [], "alike", named=False)
    with desk.acting(desk.coordinator) as db:
        assert public.say(db, other, "CVE-2026-0001", [], "alike", named=False, sure=True)
