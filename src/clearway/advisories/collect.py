"""Gathering what many records say, and making one flaw of it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import groups as grouping
from .table_flaws import Flaw

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping

    import msgspec

    from clearway.records.advisory import Kev, Ssvc

    from .derived import Facts
    from .table_flaws import ScoreNote

# CISA: where it adds to CVE records (Vulnrichment), by its number in NVD's, and where it assigns CVEs itself.
CISA = frozenset({"cve:cisa-adp", "134c704f-9b21-4f2e-91b3-4a467353bcc0", "cve:cisa-cg", "cve:icscert"})
EpssScore = tuple[float, float | None, str, str]


class Collected:
    """Facts of many records, by the id that they are about. Notes are copied as they are, unread."""

    def __init__(self) -> None:
        self.notes: dict[str, list[msgspec.Raw]] = {}
        self.withdrawn: dict[str, list[msgspec.Raw]] = {}  # notes of records that say nothing any more
        self.speakers: dict[str, list[tuple[str, str]]] = {}  # id -> (source, id) of its notes
        self.speaks_of: dict[str, set[str]] = {}  # source -> ecosystems
        self.ids: set[str] = set()  # of standing records and KEV entries
        self.scores: dict[str, list[ScoreNote]] = {}
        self.ssvc: dict[str, Ssvc] = {}
        self.kev: dict[str, Kev] = {}

    def add(self, facts: Facts, *, only: Container[str] | None = None) -> None:
        """Adds one record's facts, or those about the ids in `only`; of a withdrawn record, that it was withdrawn.

        Where two facts contradict each other the later one counts, so records are to come in one order.
        """
        for head, note in zip(facts.heads, facts.notes, strict=True):
            if only is not None and head.id not in only:
                continue
            if head.withdrawn:
                self.withdrawn.setdefault(head.id, []).append(note)
                continue
            self.ids.add(head.id)
            self.notes.setdefault(head.id, []).append(note)
            self.speakers.setdefault(head.id, []).append((head.source, head.id))
            if head.ecosystems:
                self.speaks_of.setdefault(head.source, set()).update(head.ecosystems)
        for identifier, score in facts.scores:
            self.scores.setdefault(identifier, []).append(score)
        for entry in facts.ssvc:
            known = self.ssvc.get(entry.cve)
            # CISA's decision is what a due date rests on (BOD 26-04); another's is not known to be made alike.
            if entry.source in CISA and (known is None or entry.dated >= known.dated):
                self.ssvc[entry.cve] = entry
        for listing in facts.kev:
            if only is not None and listing.cve not in only:
                continue
            # What CISA lists, CISA says: in its catalogue, or in its own container of a CVE record.
            if not listing.catalogue and listing.source.startswith("cve:") and listing.source not in CISA:
                continue
            known_kev = self.kev.get(listing.cve)
            # The catalogue itself outranks what CVE records' containers say of it; of these the earliest date counts.
            if known_kev is None or _outranks(listing, known_kev):
                self.kev[listing.cve] = listing
            self.ids.add(listing.cve)

    def all_notes(self) -> Iterator[tuple[str, list[msgspec.Raw]]]:
        """Every id with its notes, those of withdrawn records last."""
        for identifier in dict.fromkeys((*self.notes, *self.withdrawn)):
            yield identifier, [*self.notes.get(identifier, ()), *self.withdrawn.get(identifier, ())]

    def flaws(
        self, derived: grouping.Groups, edges: Iterable[grouping.Edge], epss: Mapping[str, EpssScore]
    ) -> Iterator[Flaw]:
        """Every flaw of `derived` with its records, assertions and facts."""
        asserted: dict[str, list[tuple[str, str, str, str]]] = {}
        for edge in edges:
            # A bundle's edge is about its target; any other is about the record that asserts it.
            about = edge.target if edge.kind == "bundles" else edge.subject
            for flaw in derived.of.get(about, ()):
                asserted.setdefault(flaw, []).append((edge.subject, edge.kind, edge.target, edge.source))
        speakers, all_scores = self.speakers, self.scores
        for group in derived.flaws.values():
            ids, bundlers = group.ids, group.bundled_by
            scores: list[ScoreNote] = []
            for identifier in (*ids, *bundlers):
                scores += all_scores.get(identifier, ())
            rated = [s.score for s in scores if s.score is not None]
            yield Flaw(
                id=group.id,
                ids=ids,
                records=tuple(s for i in ids for s in speakers.get(i, ())),
                bundled_by=tuple(s for i in bundlers for s in speakers.get(i, ())),
                asserted=tuple(sorted(asserted.get(group.id, ()))),
                kev=self.kev.get(group.id),
                ssvc=self.ssvc.get(group.id),
                epss=epss.get(group.id),
                scores=tuple(scores),
                best_score=max(rated) if rated else None,
            )


def _outranks(listing: Kev, known: Kev) -> bool:
    if bool(listing.catalogue) != bool(known.catalogue):
        return bool(listing.catalogue)
    return not listing.catalogue and listing.date_added < known.date_added
