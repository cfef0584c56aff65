"""Whose an observation is, as a rule: what contradicts is never it, and names for new assets are free."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.exposure.fleet import whose
from clearway.exposure.fleet.asset import Asset, Details
from clearway.records.asset_identity import same_asset
from clearway.records.fleet_input import AssetIds, Observed, Witness

SERIALS, NAMES = ("", "SERIAL-A", "serial-b"), ("web", "10.0.0.5", "db.corp.example")
IPS = ((), ("10.0.0.5",), ("203.0.113.9",), ("10.0.0.5", "203.0.113.9"))
MACS = ((), ("00:0d:3a:45:64:7f",))
FQDNS = ((), ("db.corp.example",), ("fw.corp.local",))
FILES = ("", "site-a.xml", "site-b.xml")
observed = st.builds(
    lambda name, serial, host, fqdns, ips, macs, tool: Observed(
        name=name, format="f", witness=Witness(tool="nmap"),
        ids=AssetIds(serial=serial, hostname=host, fqdns=fqdns, ips=ips, macs=macs, tool_id=tool),
    ),
    st.sampled_from(NAMES), st.sampled_from(SERIALS), st.sampled_from(("", "web", "fw")), st.sampled_from(FQDNS),
    st.sampled_from(IPS), st.sampled_from(MACS), st.sampled_from(("", "7", "8")),
)  # fmt: skip


def kept(seen: Observed, file: str = "", number: int = 1, name: str = "") -> Asset:
    """The asset that a document like `seen` made."""
    details = Details(
        identifiers=whose.keys_of(seen, file), addresses=seen.ids.ips, names=seen.ids.fqdns
    )  # fmt: skip
    return Asset(
        asset=number, org=1, aud=1, name=name or seen.name, exposure="unknown", details=details,
        created=datetime(2026, 11, 25, tzinfo=UTC), version=1,
    )  # fmt: skip


@given(observed, st.sampled_from(FILES[1:]))
def test_the_same_document_finds_its_asset_again(seen: Observed, file: str) -> None:
    found = whose.choose(seen, [kept(seen, file)], file)
    assert found is not None


@given(observed, observed, st.sampled_from(FILES), st.sampled_from(FILES))
def test_what_contradicts_is_another_asset_and_what_is_the_same_is_found(
    a: Observed, b: Observed, mine: str, theirs: str
) -> None:
    word = same_asset(a, b)
    found = whose.choose(a, [kept(b, theirs)], mine)
    if word.same:
        assert found is not None
    if word.against:
        assert found is None


@given(observed, observed)
def test_a_private_address_of_another_source_is_another_asset(a: Observed, b: Observed) -> None:
    local = all(
        s.ids.ips == ("10.0.0.5",) and not (s.ids.fqdns or s.ids.macs or s.ids.serial or s.ids.tool_id)
        for s in (a, b)
    )
    if local:
        assert whose.choose(a, [kept(b, "site-b.xml")], "site-a.xml") is None


@given(observed, st.sets(st.sampled_from([*NAMES, *(f"web ({n})" for n in (2, 3, "SERIAL-A", "10.0.0.5"))])))
def test_a_new_asset_gets_a_name_that_nobody_has(seen: Observed, taken: set[str]) -> None:
    name = next(n for n in whose.called(seen, seen.name) if n not in taken)
    assert name not in taken
    assert name.startswith(seen.name)
    long = whose.called(seen, "x" * 300)
    assert all(len(next(long)) <= 300 for _ in range(50))


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("/scans/site-a-2026-11-01.xml", "site-a-.xml"),
        ("C:\\scans\\Site-A-20261108T0830.xml", "site-a-.xml"),
        ("site-1.xml", "site-1.xml"),
        ("", ""),
    ],
)
def test_a_source_is_a_files_name_without_its_day(place: str, source: str) -> None:
    assert whose.source_of(place) == source


@given(st.text(max_size=400))
def test_any_place_has_a_source_that_can_be_kept(place: str) -> None:
    made: Any = whose.source_of(place)
    assert len(f"file:{made}") <= 300
