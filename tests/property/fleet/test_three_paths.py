"""The matcher, PostgreSQL and DuckDB give one answer, over records and versions of many kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clearway.exposure.fleet import answer, dictionary, rematch, whom
from clearway.exposure.fleet.version import digest_of, version_of
from clearway.exposure.match import Matcher
from clearway.records.finding import Finding
from clearway.records.inventory import Component
from database import new_world, server, world  # noqa: F401
from fleet_world import DAY, Fleet, fleet_of, osv
from intake_world import World
from often import often

NAMES = ("alpha", "beta", "gamma")
VERSIONS = ("0.9", "1.0", "1.0.0", "1.5rc1", "1.5", "2.0", "2.0.post1", "3.0", "not a version", "")
ECOSYSTEMS = ("PyPI", "npm", "AlmaLinux:8", "Debian:12", "Go")
RPM = ("1.0-1.el8", "1.0-2.el8", "2.0-1.module_el8.3", "2:1.0-1.el8")


@pytest.fixture(scope="module")
def kept(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:  # noqa: F811
    from intake_world import drop_database, new_database

    url = new_database(server, "made")
    yield from fleet_of(World(url, tmp_path_factory.mktemp("kept") / "home"))
    drop_database(server, url)


def texts(ecosystem: str) -> tuple[str, ...]:
    return RPM if ecosystem == "AlmaLinux:8" else VERSIONS[:-1]


@st.composite
def affected(draw: st.DrawFn) -> dict[str, Any]:
    ecosystem = draw(st.sampled_from(ECOSYSTEMS))
    names = [*NAMES, "Alpha"] if ecosystem == "Go" else NAMES
    readable = [v for v in texts(ecosystem) if v != "not a version"]
    found: dict[str, Any] = {"package": {"ecosystem": ecosystem, "name": draw(st.sampled_from(names))}}
    events = [
        {"introduced": draw(st.sampled_from(["0", *readable]))},
        *draw(st.sampled_from([[], [{"fixed": draw(st.sampled_from(readable))}],
                               [{"last_affected": draw(st.sampled_from(readable))}]])),
    ]  # fmt: skip
    kind = draw(st.sampled_from(("range", "range", "listed", "both", "none")))
    if kind in ("range", "both"):
        found["ranges"] = [{"type": "ECOSYSTEM", "events": events}]
    if kind in ("listed", "both"):
        found["versions"] = draw(st.lists(st.sampled_from(texts(ecosystem)), max_size=3))
    return found


@st.composite
def records(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for number in range(draw(st.integers(2, 7))):
        cves = draw(
            st.lists(st.sampled_from(("CVE-2026-1", "CVE-2026-2", "CVE-2026-3")), max_size=2, unique=True)
        )
        relation = draw(st.sampled_from(("aliases", "related")))
        made.append(
            osv(f"X-{number}", *draw(st.lists(affected(), min_size=1, max_size=4)), **{relation: cves})
        )
    return made


def _grid() -> Iterator[Component]:
    """Every ecosystem, name and version, built from every source, and one commit."""
    for ecosystem in ECOSYSTEMS:
        system = ecosystem in ("AlmaLinux:8", "Debian:12")
        sources = [("", ""), *((n, v) for n in NAMES for v in ("", "1.0-1.el8"))] if system else [("", "")]
        for name in NAMES:
            for version in RPM if ecosystem == "AlmaLinux:8" else VERSIONS:
                for source, source_version in sources:
                    yield Component(
                        ecosystem=ecosystem,
                        name=name,
                        version=version,
                        source_name=source,
                        source_version=source_version,
                    )
    yield Component(
        ecosystem="PyPI", name="alpha", version="1.0", commit="6879efc2c1596d11a6a6ad296f80063b558d5e0f"
    )


COMPONENTS = {digest_of(c): c for c in _grid()}


# Shrinking takes a compilation each step: the example as it was found is small enough to read.
@settings(
    max_examples=often(5, 10),
    suppress_health_check=list(HealthCheck),
    phases=(Phase.reuse, Phase.generate),
)
@given(records())
def test_three_paths_one_answer(kept: Fleet, known: list[dict[str, Any]]) -> None:
    with kept.owner() as db:
        db.execute("delete from clearway.record")
    kept.ingest(*known)
    kept.world.take(rebuild=True)
    table = kept.table
    with kept.owner() as db:
        db.execute("truncate clearway.package_version, clearway.package, clearway.flaw cascade")
        dictionary.keep_facts(db, table)
        pvs = dictionary.intern(db, COMPONENTS)
        asker = answer.Asker(table, DAY)
        one_by_one = {pv: {a.flaw: a for a in asker.ask(pv, COMPONENTS[d])} for d, pv in pvs.items()}

        # DuckDB, from nothing: every answer is new
        done = rematch.rematch(db, table, Path(kept.world.home), DAY)
        assert done.versions == len(pvs)
        stands = answer.stored(db, list(pvs.values()))
        assert {pv: stands.get(pv, {}) for pv in one_by_one} == one_by_one
        # and once more: nothing changes
        assert rematch.rematch(db, table, Path(kept.world.home), DAY).changed == 0

        # PostgreSQL: each record by itself
        matcher = Matcher(table, as_of=DAY)
        said = {
            pv: _speaking(matcher.component(c)[0], _readable(c))
            for d, pv in pvs.items()
            for c in (COMPONENTS[d],)
        }
        for record in known:
            spoken = {p for note in table.records(record["id"]) for p in note.packages}
            spoken |= {("go-folded", n.lower()) for e, n in spoken if e == "Go"}
            hit = whom.versions_hit(db, table, spoken, record["id"])
            assert hit == {pv for pv, records in said.items() if record["id"] in records}, record


def _readable(component: Component) -> bool:
    return bool(component.commit) or all(k.key is not None for k in version_of(component).lookups)


def _speaking(findings: tuple[Finding, ...], readable: bool) -> set[str]:
    """The records that call a version affected, or can't clear it where it can be read at all."""
    return {
        s.record
        for f in findings
        for s in f.statements
        if s.verdict == "affected" or (readable and s.verdict == "unknown" and s.basis != "unstated")
    }
