"""Ways about the house: who sees which, and which one is current."""

from __future__ import annotations

import pytest

from clearway.http.pages import Nav, Viewer
from clearway.http.pages.viewer import parts_of
from clearway.records.principal import Membership, Principal

DESK = (
    Nav("Triage", "/cases/triage", "desk"),
    Nav("My findings", "/findings", "submit", unless="desk"),
    Nav("Findings", "/findings", "desk"),
    Nav("Cases", "/cases", "signed-in"),
)
WAYS = (
    Nav("Start", "/", ""),
    Nav("Findings", "/findings", "signed-in", parts=DESK, always=("finds", "desk")),
)


def viewer(*rights: str) -> Viewer:
    return Viewer(name="Somebody", rights=frozenset(rights))


@pytest.mark.parametrize(
    ("rights", "labels"),
    [
        (("desk", "finds", "submit"), ["Triage", "Findings", "Cases"]),
        (("submit", "finds"), ["My findings", "Cases"]),
    ],
    ids=["who coordinates has the desk's ways and none twice", "who reports has their own"],
)
def test_each_role_has_its_ways_on_every_page(rights: tuple[str, ...], labels: list[str]) -> None:
    row = parts_of(WAYS, viewer(*rights), "/elsewhere")
    assert row is not None
    assert [way.label for way in row.ways] == labels
    assert row.current is None


def test_who_has_no_part_at_hand_has_the_row_within_the_area_alone() -> None:
    assert parts_of(WAYS, viewer("read"), "/elsewhere") is None
    row = parts_of(WAYS, viewer("read"), "/cases/CWC-1")
    assert row is not None
    assert [way.label for way in row.ways] == ["Cases"]


def test_nobody_who_is_not_signed_in_has_a_row() -> None:
    assert parts_of(WAYS, None, "/findings") is None


@pytest.mark.parametrize(
    ("path", "current"),
    [
        ("/cases/triage", "Triage"),
        ("/cases", "Cases"),
        ("/cases/CWC-1", "Cases"),
        ("/findings/CWF-1/evidence", "Findings"),
        ("/casesque", None),
    ],
)
def test_the_nearest_way_is_the_current_one(path: str, current: str | None) -> None:
    row = parts_of(WAYS, viewer("desk"), path)
    assert row is not None
    assert (row.current.label if row.current else None) == current


def test_the_way_into_an_area_is_current_on_all_its_pages() -> None:
    assert WAYS[1].leads_to("/cases/CWC-1")
    assert not WAYS[1].leads_to("/leases")
    assert not WAYS[0].leads_to("/cases")


@pytest.mark.parametrize(
    ("kind", "rights", "daily"),
    [
        ("clearinghouse", ("coordinate", "submit"), {"desk", "finds"}),
        ("authority", ("coordinate", "submit"), set()),
        ("lab", ("submit",), {"finds"}),
        ("operator", ("operate",), set()),
    ],
    ids=["the desk", "an authority", "who reports", "who operates"],
)
def test_whose_daily_work_the_desk_is_follows_from_where_they_belong(
    kind: str, rights: tuple[str, ...], daily: set[str]
) -> None:
    member = Membership(org=1, slug="one", name="One", kind=kind, rights=rights)
    found = Viewer.of(Principal(person=1, name="Somebody", memberships=(member,)))
    assert found.rights == {*rights, *daily}
