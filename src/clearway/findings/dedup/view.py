"""What a finding is compared with, as it is told: its group, who reported it, what is likely, what is said and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from clearway.records.errors import NotFoundError
from clearway.store.scalar import scalar

from .. import kept
from . import edge, public, rekey
from .edge import Credit, Edge
from .public import Statement, Suggestion

if TYPE_CHECKING:
    import psycopg

    from ..kept import Finding

    Connection = psycopg.Connection[Any]


class Member(Struct, frozen=True, kw_only=True):
    """One finding beside the others."""

    handling: str
    organisation: str
    title: str
    ecosystem: str
    package: str
    release: str
    place: str
    cwe: str
    severity: str
    state: str
    level: int


class Alike(Struct, frozen=True, kw_only=True):
    """A finding that shares a key and is not in the group, with the strongest reason."""

    finding: Member
    basis: str
    score: float
    reason: str


class Duplicates(Struct, frozen=True, kw_only=True):
    """All of it, as far as the caller may see: another reporter's finding is never among it."""

    handling: str
    group: tuple[Member, ...]  # first reported first
    credits: tuple[Credit, ...]
    edges: tuple[Edge, ...]
    alike: tuple[Alike, ...]
    known: tuple[Statement, ...]
    suggested: tuple[Suggestion, ...] = ()

    def shown(self) -> set[str]:
        """The findings that it is about, by their handling."""
        return {
            self.handling,
            *(one.handling for one in self.group),
            *(one.finding.handling for one in self.alike),
            *(name for one in self.edges for name in (one.one, one.other)),
        }


def view(db: Connection, finding: Finding, suggested: tuple[Suggestion, ...] = ()) -> Duplicates:
    """Everything that is said of `finding` and others. Numbers of edges, acts and statements are the desk's: they go
    through all findings, and would tell a reporter how much is said of others'."""
    desk = bool(scalar(db, "select clearway.is_desk()::int"))
    group = edge.members(db, edge.group_of(db, finding.id))
    known = {f.id for f in group}
    alike = []
    for number, relation in rekey.alike(db, finding):
        if number in known:
            continue
        try:
            other = kept.by_id(db, number)
        except NotFoundError:
            continue
        alike.append(
            Alike(finding=member(other), basis=relation.basis, score=relation.score, reason=relation.reason)
        )
    return Duplicates(
        handling=finding.handling,
        group=tuple(member(f) for f in group),
        credits=edge.credits_of(group),
        edges=tuple(e if desk else replace(e, id=None, act=None) for e in edge.of(db, finding)),
        alike=tuple(alike),
        known=public.statements(db, finding.id),
        suggested=suggested,
    )


def member(finding: Finding) -> Member:
    """What of a finding stands beside another."""
    return Member(**{name: getattr(finding, name) for name in Member.__struct_fields__})
