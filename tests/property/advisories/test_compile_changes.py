"""Following changes beside the table reads equal to compiling everything anew, whatever the changes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intake_world import World, compiled_anew, drop_database, kev, new_database, osv, package
from often import often

IDS = [
    "CVE-2026-0001",
    "CVE-2026-0002",
    "CVE-2026-0003",
    "GHSA-aaaa",
    "GHSA-bbbb",
    "PYSEC-1",
    "RUSTSEC-1",
    "ALSA-1",
]
NAMES = st.sampled_from(IDS)
PACKAGES = st.builds(
    package,
    st.sampled_from(["PyPI", "npm", "crates.io", "AlmaLinux:8"]),
    st.sampled_from(["alpha", "beta"]),
    st.sampled_from(["", "1.0", "2.0"]),
)


@st.composite
def osv_records(draw: st.DrawFn) -> dict[str, Any]:
    more: dict[str, Any] = {}
    for relation in ("aliases", "related", "upstream"):
        if named := draw(st.lists(NAMES, max_size=2, unique=True)):
            more[relation] = named
    if draw(st.integers(0, 5)) == 0:
        more["withdrawn"] = "2026-02-01T00:00:00Z"
    if draw(st.booleans()):
        more["severity"] = [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]
    return osv(
        draw(NAMES),
        *draw(st.lists(PACKAGES, max_size=2)),
        modified=f"2026-01-0{draw(st.integers(1, 6))}T00:00:00Z",
        **more,
    )


@st.composite
def openvex_documents(draw: st.DrawFn) -> dict[str, Any]:
    when = f"2026-01-0{draw(st.integers(1, 6))}T00:00:00Z"
    return {
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": f"https://psirt.acme.com/vex/{draw(st.integers(1, 2))}",
        "author": "Example",
        "timestamp": when,
        "version": 1,
        "statements": [
            {
                "vulnerability": {"name": draw(NAMES)},
                "products": [{"@id": f"pkg:pypi/{draw(st.sampled_from(['alpha', 'beta']))}@1"}],
                "status": "not_affected",
                "justification": "component_not_present",
            }
        ],
    }


@st.composite
def csaf_documents(draw: st.DrawFn) -> dict[str, Any]:
    when = f"2026-01-0{draw(st.integers(1, 6))}T00:00:00Z"
    cves = draw(st.lists(st.sampled_from(IDS[:3]), min_size=1, max_size=3, unique=True))
    return {
        "document": {
            "category": "csaf_security_advisory",
            "csaf_version": "2.0",
            "title": "x",
            "publisher": {"category": "vendor", "name": "Acme", "namespace": "https://psirt.acme.com"},
            "distribution": {"tlp": {"label": draw(st.sampled_from(["WHITE", "WHITE", "AMBER"]))}},
            "tracking": {
                "id": f"EX-{draw(st.integers(1, 2))}",
                "status": "final",
                "version": "1",
                "initial_release_date": when,
                "current_release_date": when,
                "revision_history": [{"date": when, "number": "1", "summary": "x"}],
                "generator": {"engine": {"name": "x"}},
            },
        },
        "product_tree": {
            "branches": [
                {
                    "category": "vendor",
                    "name": "Siemens",
                    "branches": [
                        {
                            "category": "product_name",
                            "name": draw(st.sampled_from(["A", "B"])),
                            "branches": [
                                {
                                    "category": "product_version_range",
                                    "name": "<2.0",
                                    "product": {"product_id": "P1", "name": "A <2.0"},
                                }
                            ],
                        }
                    ],
                }
            ]
        },
        "vulnerabilities": [{"cve": c, "product_status": {"known_affected": ["P1"]}} for c in cves],
    }


@st.composite
def catalogues(draw: st.DrawFn) -> dict[str, Any]:
    return kev(
        f"2026.01.0{draw(st.integers(1, 6))}",
        *draw(st.lists(st.sampled_from(IDS[:3]), min_size=1, unique=True)),
    )


BATCHES = st.lists(
    st.lists(
        st.one_of(osv_records(), osv_records(), osv_records(), openvex_documents(), csaf_documents(), catalogues()),
        min_size=1,
        max_size=4,
    ),
    min_size=1,
    max_size=4,
)  # fmt: skip


@pytest.fixture(scope="module")
def one_world(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    url = new_database(server, "made")
    yield World(url, tmp_path_factory.mktemp("changes") / "home")
    drop_database(server, url)


def emptied(world: World) -> World:
    for path in world.path.parent.glob("*"):
        path.unlink()
    world.sql(
        """with a as (delete from clearway.record), b as (delete from clearway.epss),
        c as (delete from clearway.catalogue), d as (delete from clearway.set_aside) select 1"""
    )
    return world


def without_moment(meta: Any) -> dict[str, Any]:
    found = msgspec.to_builtins(meta)
    for key in ("base", "built"):
        found.pop(key)
    return found


@settings(max_examples=often(20, 40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES)
def test_any_sequence_of_batches_reads_as_if_compiled_whole(
    one_world: World, batches: list[list[dict[str, Any]]]
) -> None:
    world = emptied(one_world)
    with tempfile.TemporaryDirectory() as folder:
        for number, batch in enumerate(batches):
            inputs = []
            for at, record in enumerate(batch):
                path = Path(folder) / f"{number}-{at}.json"
                path.write_bytes(json.dumps(record).encode())
                inputs.append(path)
            world.take(*inputs)
            rows, meta = compiled_anew(world, Path(folder))
            standing = world.rows()
            for name in rows:
                assert standing[name] == rows[name], name
            assert without_moment(world.meta()) == without_moment(meta)
