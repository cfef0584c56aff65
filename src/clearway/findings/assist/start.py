"""The acts of a coordinator: ask for a proposal, take a summary, put it away. One way for pages, API and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from clearway.records.errors import ConflictError, InputError, NotFoundError, TooLargeError

from .. import kept as findings
from ..case import draft as drafts
from ..case import kept as cases
from . import budget, gather, kept, outgoing
from .settings import FILE, Settings, known

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg

    from ..case.kept import Case
    from ..kept import Finding
    from ..vault import Vault
    from .kept import Proposal
    from .outgoing import Kind, Leaving, Part

    Connection = psycopg.Connection[Any]
    Owner = Callable[[], AbstractContextManager[Connection]]

MAX_DESCRIPTION = 20_000


def must_be_on(home: Path) -> Settings:
    """The settings. Raises ConflictError where the assistance is off, ConfigError where they can't be used."""
    found = known(home)
    if found is None:
        raise ConflictError("the assistance is off", where=FILE, mend="an administrator turns it on")
    return found


def check_works(db: Connection, about: Finding | Case) -> None:
    """Raises ForbiddenError for who is no desk, and for another house than keeps the case, or the finding's case."""
    if isinstance(about, cases.Case):
        cases.check_keeper(db, about)
    else:
        findings.check_works(db, about)


def leaving(db: Connection, settings: Settings, kind: Kind, about: Finding | Case) -> tuple[Leaving, ...]:
    """What would be sent, as things stand; nothing is opened for it.

    Raises:
        ForbiddenError: another clearinghouse keeps the case, or by the settings nothing of it may be.
        ConflictError: there is nothing to compare it with.
    """
    check_works(db, about)
    return outgoing.leaving(settings, outline(db, kind, about, beside(db, kind, about)))


def ask(db: Connection, owner: Owner, home: Path, kind: Kind, about: Finding | Case) -> int:
    """Starts a proposal about a finding or case; its number. `owner` gives a transaction of the owner's.

    Raises:
        ConflictError: the assistance is off, one is under way, or there is nothing to compare it with.
        ForbiddenError: the caller is no coordinator of the clearinghouse that works on it, or by the settings nothing
            of it may be sent.
        TooManyRequestsError: the day's share is used up, or the endpoint rests.
        InputError: what is asked for is none of a case.
    """
    check_works(db, about)
    settings = must_be_on(home)
    others = beside(db, kind, about)
    outgoing.leaving(settings, outline(db, kind, about, others))
    with owner() as other:
        refused = budget.refusal(
            budget.used(other, settings), settings, settings.answer_tokens, budget.now(other)
        )
    if refused is not None:
        raise refused
    if isinstance(about, cases.Case):
        return kept.ask(db, kind, case=about, beside=others)
    return kept.ask(db, kind, finding=about, beside=others)


def take(db: Connection, vault: Vault, found: Proposal, text: str, *, into_draft: bool = False) -> Proposal:
    """The summary as the caller's own text; with `into_draft`, also the description of the case's next draft, which
    the case's parties see.

    Raises:
        InputError, TooLargeError, ForbiddenError, ConflictError, NotFoundError: as `kept.accept`.
        ConflictError: `into_draft`, and the case has no draft to go on from.
    """
    made = kept.accept(db, vault, found, text)
    if into_draft:
        if found.case_id is None:
            raise InputError("a finding has no draft", where="into_draft")
        if len(text) > MAX_DESCRIPTION:
            raise TooLargeError("the description is too long", where="text")
        # Locked before it is read: nobody else's version is lost.
        case = cases.locked(db, cases.by_id(db, found.case_id))
        try:
            before = drafts.read(db, vault, case)
        except NotFoundError:
            raise ConflictError(
                "the case has no draft to go on from", where="into_draft", mend="write its first version"
            ) from None
        words = f"Description drafted with {found.model}, edited and taken by a coordinator"
        # Its products are those that were kept before.
        drafts.put(
            db, vault, case, replace(before, description=kept.taken(db, vault, made)), words, sure=True
        )
    return made


def subject_of(db: Connection, found: Proposal) -> str:
    """Where the proposal's page is: "/findings/CWF-…" or "/cases/CWC-…"."""
    what, _, handling = found.subject.partition("/")
    return f"/{what}s/{handling}"


def beside(db: Connection, kind: Kind, about: Finding | Case) -> list[Finding]:
    """The findings that a proposal is made from beside what it is about.

    Raises:
        InputError: what is asked for is none of a case.
        ConflictError: there is nothing to compare it with.
    """
    if isinstance(about, cases.Case):
        if kind != "summary":
            raise InputError("duplicates are suggested for findings", where="kind")
        return gather.of_case(db, about)
    if kind == "summary":
        return []
    found = gather.candidates(db, about)
    if not found:
        raise ConflictError(
            "there is no other finding of its product", where=about.subject, mend="nothing is sent"
        )
    return found


def made_of(about: Finding | Case, others: Sequence[Finding]) -> gather.MadeOf:
    """What the parts of a proposal about it are read from."""
    given = tuple(f.id for f in others)
    if isinstance(about, cases.Case):
        return gather.MadeOf(finding=None, case_id=about.id, given=given)
    return gather.MadeOf(finding=about.id, case_id=None, given=given)


def outline(db: Connection, kind: Kind, about: Finding | Case, others: list[Finding]) -> list[Part]:
    """The parts as they could be sent, without what is sealed."""
    first = (
        gather.outline_case(db, about) if isinstance(about, cases.Case) else gather.outline(db, about, "F1")
    )
    return [first, *(gather.outline(db, f, f"F{at}") for at, f in enumerate(others, 2))]
