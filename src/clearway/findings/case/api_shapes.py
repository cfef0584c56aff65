"""What routes of cases take and give, beside the case itself (`view.CaseView`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from .thread import Message
from .triage import Waiting

Words = Annotated[str, Meta(max_length=4_000)]
Id = Annotated[int, Meta(ge=1, le=2**53)]


class Queue(Struct, frozen=True, kw_only=True):
    """What waits for a coordinator, the best rank first; `total` is how many wait, of which the best are told."""

    waiting: list[Waiting]
    total: int


class QueueLine(Struct, frozen=True, kw_only=True):
    """One report that waits for the caller's organisation to act."""

    case: str
    party: int
    product: str
    report: str
    vendor: str
    answer: str
    asked: datetime | None


class Desk(Struct, frozen=True, kw_only=True):
    """A maintainer's queue."""

    waiting: list[QueueLine]


class NewCase(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A case from findings, by their handling ids."""

    findings: Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(min_length=1, max_length=1_000)]
    title: Annotated[str, Meta(max_length=300)] = ""
    along: bool = False  # with what else is the same flaw; without, that is refused and named


class NewParty(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An organisation here, or a name with a mail address; with `ask` it is told of the flaw at once.

    A party sees no finding: `text` is what it is given to read then, in a thread with it alone."""

    role: Literal["vendor", "maintainer", "reporter", "coordinator", "patcher", "operator"]
    organisation: Id | None = None
    name: Annotated[str, Meta(max_length=200)] = ""
    email: Annotated[str, Meta(max_length=320)] = ""
    product: Annotated[str, Meta(max_length=2_000)] = ""
    source: Annotated[str, Meta(max_length=200)] = ""
    ask: bool = False
    text: Annotated[str, Meta(max_length=20_000)] = ""


class PartyAct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An act of a party's own machines, an answer, or (for the desk) a step of escalation. `text` goes with "ask": what
    it is given to read, in a thread with it alone."""

    act: Literal[
        "ask", "validate", "invalidate", "accept", "defer", "dispute", "close", "vendor-aware", "fix-ready",
        "fix-deployed", "answer", "escalate", "leave", "reopen",
    ]  # fmt: skip
    answer: Literal["", "investigating", "affected", "not-affected", "fixed", "disputed", "no-answer"] = ""
    step: Literal["", "remind", "another-contact", "escalate", "unreachable"] = ""
    why: Words = ""
    text: Annotated[str, Meta(max_length=20_000)] = ""


class Removed(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a finding is taken out, for the log."""

    why: Annotated[str, Meta(max_length=500)] = ""


class NewContact(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another mail address of a party, and where it is from."""

    email: Annotated[str, Meta(min_length=3, max_length=320)]
    source: Annotated[str, Meta(max_length=200)] = ""


class NewProposal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When the embargo is to end: ISO 8601, of `zone` where it has no offset."""

    until: Annotated[str, Meta(max_length=40)]
    zone: Annotated[str, Meta(max_length=60)] = "UTC"
    why: Annotated[str, Meta(max_length=2_000)] = ""


class Said(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller's party says to the proposal."""

    said: Literal["agrees", "disagrees"]
    party: Id | None = None
    why: Annotated[str, Meta(max_length=2_000)] = ""


class Decided(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the desk decides about the proposal."""

    outcome: Literal["accept", "refuse"]
    why: Annotated[str, Meta(max_length=2_000)] = ""


class NewThread(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A thread of all parties, or of one with the coordinators."""

    topic: Annotated[str, Meta(min_length=1, max_length=200)]
    party: Id | None = None
    product: Annotated[str, Meta(max_length=2_000)] = ""


class NewMessage(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message; `party` is for the desk, which may write down what a party without an account has said."""

    text: Annotated[str, Meta(min_length=1, max_length=20_000)]
    party: Id | None = None


class Talk(Struct, frozen=True, kw_only=True):
    """A thread and what was said in it."""

    thread: int
    topic: str
    messages: list[Message]


class Numbered(Struct, frozen=True):
    """The number of what was made."""

    id: int
