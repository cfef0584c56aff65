"""What the pages of cases have in common: words for states, and the threads as they are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from litestar.enums import RequestEncodingType
from litestar.params import Body
from msgspec import Struct

from clearway.http.pages import Tlp

from . import thread
from .thread import Message

if TYPE_CHECKING:
    from ..vault import Vault
    from .at_desk import Db
    from .kept import Case
    from .view import CaseView

PAGE: dict[str, Any] = {"sync_to_thread": True, "include_in_schema": False}
FORM: Any = Body(media_type=RequestEncodingType.URL_ENCODED)
SHOWN = 50  # rows of a page
MESSAGES = 20  # of a thread, that a page shows at once: each may have 20,000 characters
EMS = {
    "none": "No day agreed", "proposed": "A day is proposed", "active": "Embargo agreed",
    "revised": "A new day is proposed", "exited": "Embargo ended",
}  # fmt: skip
RMS = {
    "start": "Not told", "received": "Received", "invalid": "Not valid", "valid": "Valid", "deferred": "Deferred",
    "accepted": "Accepted", "closed": "Closed",
}  # fmt: skip
VFDS = {"vfd": "Not aware", "Vfd": "Aware", "VFd": "Fix ready", "VFD": "Fix deployed"}
ANSWERS = {
    "not-asked": "not asked", "no-answer": "no answer", "investigating": "investigating", "affected": "affected",
    "not-affected": "not affected", "fixed": "fixed", "disputed": "disputed",
}  # fmt: skip


class Talk(Struct, frozen=True, kw_only=True):
    """A thread as a page shows it. `only` names whom it is with, "" for all."""

    id: int
    topic: str
    only: str
    open: bool
    messages: list[Message]
    count: int = 0  # of all its messages
    before: int = 0  # the first one shown, where there are older ones; 0 where there are none


def start(typed: str, size: int) -> int:
    """The row that a page begins with; the first for what is no place in the list."""
    at = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 0
    return at if at < size else 0


def public_words(pxa: str) -> str:
    """The flaw's own state: "not public", "public, exploit public, attacks"."""
    said = [
        w for letter, w in (("P", "public"), ("X", "exploit public"), ("A", "attacks seen")) if letter in pxa
    ]
    return ", ".join(said) or "not public"


def state_words(machine: str, state: str) -> str:
    """A state of one of the three machines in words."""
    known = {"report": RMS, "vendor": VFDS, "embargo": EMS}.get(machine)
    return (known.get(state, state) if known is not None else public_words(state)).lower()


def talks(
    db: Db,
    vault: Vault,
    case: Case,
    names: dict[int | None, str],
    only: int | None = None,
    *,
    older: tuple[int, int] = (0, 0),
) -> list[Talk]:
    """The threads that the caller may see; reading them is on the log. `only` leaves those of that party and of all.

    Of each the newest messages, and of the thread that `older` names those before that message.
    """
    found: list[Talk] = []
    for one in thread.listed(db, case):
        if only is not None and one.party not in (None, only):
            continue
        messages = thread.read(
            db, vault, case, one, before=older[1] if one.id == older[0] else 0, most=MESSAGES
        )
        more = len(messages) == MESSAGES and one.messages > MESSAGES
        found.append(
            Talk(
                id=one.id,
                topic=thread.titled(vault, case, one).topic,
                only=names.get(one.party, "one party") if one.party is not None else "",
                open=not found if not older[0] else one.id == older[0],
                messages=messages,
                count=one.messages,
                before=messages[0].id if more else 0,
            )
        )
    return found


def names_of(one: CaseView) -> dict[int | None, str]:
    """How each party is called."""
    return {p.id: p.name for p in one.parties}


def marking(one: CaseView) -> Tlp:
    """What stands over the page."""
    if one.released is not None:
        return Tlp("AMBER+STRICT", "for the parties of this case and the coordinators")
    return Tlp("RED", "under embargo: for the parties of this case and the coordinators")
