"""What the table holds of flaws and records: their names, who asserts them, and the dated facts about them."""

from __future__ import annotations

from msgspec import Struct

from clearway.records.advisory import Kev, Ssvc


class ScoreNote(Struct, frozen=True, array_like=True):
    """A severity as its source gave it."""

    system: str
    vector: str
    score: float | None
    rating: str
    source: str
    dated: str


class FlawFacts(Struct, frozen=True, array_like=True):
    """What matching needs of a flaw: the head of `Flaw`, read without the rest."""

    id: str
    ids: tuple[str, ...]
    kev: Kev | None = None
    ssvc: Ssvc | None = None
    epss: tuple[float, float | None, str, str] | None = None  # probability, percentile, date, model
    best_score: float | None = None


class Flaw(FlawFacts, frozen=True, array_like=True):
    """One flaw: its names, who asserts them, and the dated facts about it."""

    records: tuple[tuple[str, str], ...] = ()  # (source, record id) that speak of it
    bundled_by: tuple[tuple[str, str], ...] = ()  # records about this and other flaws
    asserted: tuple[tuple[str, str, str, str], ...] = ()  # (subject, kind, target, source)
    scores: tuple[ScoreNote, ...] = ()


class RecordNote(Struct, frozen=True, array_like=True):
    """What one source's record says of itself, without its text."""

    id: str
    source: str
    format: str
    published: str = ""
    modified: str = ""
    withdrawn: str = ""
    packages: tuple[tuple[str, str], ...] = ()
    title: str = ""
    disputed: tuple[tuple[str, str], ...] = ()  # (by whom, why)
    notes: tuple[str, ...] = ()  # what of it is not believed, and why
