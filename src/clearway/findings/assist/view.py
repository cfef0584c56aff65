"""The assistance as it is told: whether it is on, what it would be sent, how much is left, and the proposals."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, NotFoundError

from .. import kept as findings
from ..case import kept as cases
from . import budget, kept, start
from .outgoing import Kind, Leaving
from .settings import known

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from ..case.kept import Case
    from ..kept import Finding
    from ..vault import Vault
    from .kept import Proposal
    from .settings import Settings
    from .start import Owner

    Connection = psycopg.Connection[Any]


class PairView(Struct, frozen=True, kw_only=True):
    """A finding that may be the same flaw, as the model says, and why. It is no edge, and makes none."""

    finding: str
    title: str
    organisation: str
    release: str
    reason: str


class ProposalView(Struct, frozen=True, kw_only=True):
    """One proposal. What it says was drafted by `model` and is not checked, until it is `accepted`: then `text` is the
    words of the person who took it. `doubts` are what a reader should look at twice."""

    id: int
    kind: Kind
    state: str
    why: str
    model: str
    endpoint: str
    fields: tuple[str, ...]
    sent: datetime | None
    sent_sha256: str
    sent_bytes: int
    tokens: int
    asked: datetime
    expires: datetime
    decided: datetime | None
    decided_by: str
    summary: str = ""
    impact: str = ""
    open_questions: tuple[str, ...] = ()
    duplicates: tuple[PairView, ...] = ()
    doubts: tuple[str, ...] = ()
    text: str = ""

    @property
    def draft(self) -> str:
        """The summary as one text, to be edited."""
        return "\n\n".join(part for part in (self.summary, self.impact) if part)


class Would(Struct, frozen=True, kw_only=True):
    """What a proposal of that kind would send of its first part, and of how many others; or why it can't be asked."""

    kind: Kind
    sends: tuple[str, ...] = ()
    tlp: str = ""
    others: int = 0
    refused: str = ""


class Endpoint(Struct, frozen=True, kw_only=True):
    """The endpoint by the home's settings, what may be sent to it, and what it has had today."""

    url: str
    model: str
    place: str
    send: dict[str, tuple[str, ...]]
    requests: int
    day_requests: int
    tokens: int
    day_tokens: int
    rests_until: datetime | None


class Assistance(Struct, frozen=True, kw_only=True):
    """`endpoint` is null while the assistance is off; `would` what can be asked of this finding or case, by who `works`
    on it: they alone decide on proposals, too."""

    handling: str
    endpoint: Endpoint | None
    would: tuple[Would, ...]
    proposals: tuple[ProposalView, ...]
    works: bool = False


class Settled(Struct, frozen=True, kw_only=True):
    """The assistance of this home; `endpoint` is null while it is off."""

    endpoint: Endpoint | None


def endpoint(owner: Connection, settings: Settings) -> Endpoint:
    """The endpoint as it is told; its key is no part of that."""
    had = budget.used(owner, settings)
    return Endpoint(
        url=settings.origin,
        model=settings.model,
        place=settings.place,
        send={tlp: settings.fields(tlp) for tlp in settings.send},
        requests=had.requests,
        day_requests=settings.day_requests,
        tokens=had.tokens,
        day_tokens=settings.day_tokens,
        rests_until=had.rests_until,
    )


def view(db: Connection, owner: Owner, home: Path, vault: Vault, about: Finding | Case) -> Assistance:
    """The assistance of a finding or case, as far as the caller may see it."""
    works = _works(db, about)
    settings = known(home) if works else None
    told = None
    if settings is not None:
        with owner() as other:
            told = endpoint(other, settings)
    kinds: tuple[Kind, ...] = ("summary",) if isinstance(about, cases.Case) else ("summary", "duplicates")
    return Assistance(
        handling=about.handling,
        endpoint=told,
        would=tuple(_would(db, settings, kind, about) for kind in kinds) if settings is not None else (),
        proposals=tuple(proposal(db, vault, one) for one in kept.listed(db, about.subject)),
        works=works,
    )


def _works(db: Connection, about: Finding | Case) -> bool:
    if isinstance(about, cases.Case):
        return cases.keeps(db, about)
    return bool(findings.working(db, [about.handling]))


def proposal(db: Connection, vault: Vault, found: Proposal) -> ProposalView:
    """A proposal with what it says; where its key is not here, it says so in `why`."""
    same = {n: getattr(found, n) for n in ProposalView.__struct_fields__ if n in found.__struct_fields__}
    try:
        said, text = kept.drafted(db, vault, found), kept.taken(db, vault, found)
    except ClearwayError:
        return ProposalView(**{**same, "why": "what it says can't be opened in this home"})
    if said is None:
        return ProposalView(**same, text=text)
    return ProposalView(
        **same,
        summary=said.summary,
        impact=said.impact,
        open_questions=said.open_questions,
        duplicates=tuple(
            found_pair for p in said.pairs if (found_pair := _pair(db, p.finding, p.reason)) is not None
        ),
        doubts=said.doubts,
    )


def _pair(db: Connection, handling: str, reason: str) -> PairView | None:
    try:
        other = findings.one(db, handling)
    except NotFoundError:
        return None
    return PairView(
        finding=other.handling,
        title=other.title,
        organisation=other.organisation,
        release=other.release,
        reason=reason,
    )


def _would(db: Connection, settings: Settings, kind: Kind, about: Finding | Case) -> Would:
    try:
        sent: tuple[Leaving, ...] = start.leaving(db, settings, kind, about)
    except (ForbiddenError, ConflictError) as error:
        return Would(kind=kind, refused=f"{error.what}: {error.mend}" if error.mend else error.what)
    return Would(kind=kind, sends=sent[0].fields, tlp=sent[0].tlp, others=len(sent) - 1)
