"""An audience has the label that its clauses mean, also where no marking of a person is like it."""

from __future__ import annotations

from typing import Any

import psycopg

from clearway.access import audience
from clearway.access.marking import CLEAR, GREEN, Marking
from clearway.store.scalar import scalar
from people import People


def any_of(db: psycopg.Connection[Any], groups: list[tuple[str, int]]) -> int:
    """As the database's own functions make it: of any groups, whoever asks."""
    made = scalar(
        db,
        """select clearway.make_audience(array[clearway.make_clause(array(
            select clearway.group_of(kind, ref) from unnest(%s::text[], %s::int[]) g(kind, ref)), false)])""",
        ([kind for kind, _ in groups], [ref for _, ref in groups]),
    )
    return int(made)


def test_whatever_is_not_for_everybody_is_not_labelled_clear(people: People) -> None:
    a = people.org("a")
    with people.owner() as db:
        label = {
            name: audience.meaning(db, any_of(db, groups)).label
            for name, groups in {
                "the desk": [("desk", 0)],
                "an organisation": [("staff", a)],
                "it and the desk": [("staff", a), ("desk", 0)],
                "its clients too": [("staff", a), ("clients", a), ("desk", 0)],
                "auditors or the desk": [("auditors", a), ("desk", 0)],
                "everybody or the desk": [("community", 0), ("desk", 0)],
            }.items()
        }
        met = audience.meet(db, [audience.of(db, GREEN), any_of(db, [("desk", 0)])])
        assert audience.meaning(db, met).label == "TLP:RED"
        for marking in (CLEAR, GREEN, Marking(tlp="AMBER", org=a), Marking(tlp="AMBER+STRICT", org=a)):
            assert audience.meaning(db, audience.of(db, marking)).label == marking.label
    assert label == {
        "the desk": "TLP:RED",
        "an organisation": "TLP:RED",
        "it and the desk": "TLP:AMBER+STRICT",
        "its clients too": "TLP:AMBER",
        "auditors or the desk": "TLP:RED",
        "everybody or the desk": "TLP:GREEN",
    }
