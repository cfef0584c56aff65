"""The hand-written documents of a fleet, for the tests of this folder."""

from __future__ import annotations

from pathlib import Path

from clearway.formats.observed import read_fleet
from clearway.records.fleet_input import FleetInput, Observed

FLEET = Path(__file__).resolve().parents[2] / "fixtures" / "fleet"


def document(name: str) -> FleetInput:
    return read_fleet((FLEET / name).read_bytes(), name)


def assets(name: str) -> dict[str, Observed]:
    return {one.name: one for one in document(name).observed}


def only(name: str) -> Observed:
    (one,) = document(name).observed
    return one


def triples(one: Observed) -> list[tuple[str, str, str]]:
    return [(c.ecosystem, c.name, c.version) for c in one.components]
