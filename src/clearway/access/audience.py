"""Audiences in the database: a marking's number, the meet of several, and in words who is meant.

An audience is a set of clauses that must all open, and a clause opens for any of its groups. What a
marking means for the people in those groups is kept by the database alone (`0002_access`); here a marking
becomes a number and a number becomes words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET, Struct, UnsetType

from clearway.records.errors import NotFoundError
from clearway.store.scalar import scalar

from .marking import CLEAR_AUD, GREEN_AUD, TLP, Marking, Tlp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

_COMMUNITY_CLAUSE = 1
_NUMBERS = 1 << 16  # of audiences, as the domain `audience_id` has them


class Clause(Struct, frozen=True, kw_only=True):
    """One condition of an audience: any of the groups opens it. `released` once its embargo has ended.

    `mine` says of each group whether the caller belongs to it: why they may see what is marked so. `kept` is the number
    of the embargo that it is.
    """

    groups: tuple[str, ...]
    mine: tuple[bool, ...] = ()
    embargo: bool = False
    released: bool = False
    kept: int | UnsetType = UNSET


class Meaning(Struct, frozen=True, kw_only=True):
    """What an audience says: its label, and each condition in words; all must hold."""

    aud: int
    label: str
    clauses: tuple[Clause, ...] = ()

    @property
    def words(self) -> str:
        """ "members of Water", "clients of Water or the coordinators, and parties to the embargo X"."""
        parts = [" or ".join(c.groups) for c in self.clauses if not (c.embargo and c.released)]
        return ", and ".join(parts) or "everybody"


def of(db: psycopg.Connection[Any], marking: Marking) -> int:
    """The audience of a marking, made when it is new.

    Raises:
        NotFoundError: the organisation, list or embargo is not there.
    """
    if marking.tlp == "CLEAR" and not marking.embargo:
        return CLEAR_AUD
    if marking.tlp == "GREEN" and not marking.embargo:
        return GREEN_AUD
    clauses: list[int] = []
    if marking.tlp == "GREEN":
        clauses.append(_COMMUNITY_CLAUSE)
    elif marking.tlp != "CLEAR":
        clauses.append(_clause(db, _groups(marking)))
    if marking.embargo:
        row = db.execute(
            "select clause from clearway.embargo where embargo = %s", (marking.embargo,)
        ).fetchone()
        if row is None:
            raise NotFoundError("no such embargo", where=f"embargo/{marking.embargo}")
        clauses.append(int(row[0]))
    return scalar(db, "select clearway.intern_audience(%s)", (clauses,))


def any_of(db: psycopg.Connection[Any], groups: Sequence[tuple[str, int]]) -> int:
    """The audience of those who are in any of `groups`, (kind, number); raises as `of`."""
    return scalar(db, "select clearway.intern_audience(%s)", ([_clause(db, groups)],))


def meet(db: psycopg.Connection[Any], auds: Iterable[int]) -> int:
    """The audience of what is derived from rows with these: whoever may see every one of them."""
    given = sorted(set(auds))
    return given[0] if len(given) == 1 else scalar(db, "select clearway.meet(%s)", (given,))


def within(db: psycopg.Connection[Any], narrow: int, wide: int) -> bool:
    """Whether everybody who may see `narrow` may see `wide`, whoever they are."""
    return bool(scalar(db, "select clearway.within(%s, %s)::int", (narrow, wide)))


def strictest(db: psycopg.Connection[Any], auds: Iterable[int], *, least: Tlp = "CLEAR") -> Tlp:
    """The marking of what is made of rows with these, by a reader of them: that of their meet, and `least` at least.

    No audience is made for it. RED where the reader is not of one of them (any more): nothing else is known of it.
    """
    row = db.execute("select clearway.label_of(%s)", (sorted(set(auds)),)).fetchone()
    found: Tlp = next((tlp for tlp in TLP if row and row[0] == f"TLP:{tlp}"), "RED")
    return max(found, least, key=TLP.index)


def meaning(db: psycopg.Connection[Any], aud: int) -> Meaning:
    """An audience in words; only what the caller may see can be asked about by those who show it.

    Raises NotFoundError, in the same words for one that is hidden, absent, or beyond all numbers.
    """
    row = None
    if 0 <= aud < _NUMBERS:
        row = db.execute("select clearway.audience_words(%s)::text", (aud,)).fetchone()
    if row is None or row[0] is None:
        raise NotFoundError("no such audience", where=f"audience/{aud}")
    import msgspec

    return msgspec.json.decode(row[0], type=Meaning)


def _groups(marking: Marking) -> tuple[tuple[str, int], ...]:
    org = marking.org
    if marking.tlp == "AMBER":
        return ("staff", org), ("clients", org), ("desk", 0)
    if marking.tlp == "AMBER+STRICT":
        return ("staff", org), ("desk", 0)
    if marking.recipients:
        return (("list", marking.recipients),)
    return (("staff", org),)


def _clause(db: psycopg.Connection[Any], groups: Sequence[tuple[str, int]]) -> int:
    return scalar(
        db,
        """select clearway.intern_clause(array(
            select clearway.find_group(kind, ref) from unnest(%s::text[], %s::int[]) as g(kind, ref)))""",
        ([kind for kind, _ in groups], [ref for _, ref in groups]),
    )
