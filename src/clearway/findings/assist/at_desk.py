"""The desk's job: one proposal made, under the rights of whoever asked for it.

    1. What it is made from is read as that person may see it now; the settings say what of it may leave.
    2. The call is booked, and the log says what goes where: committed before a byte leaves.
    3. One request. Upstream failures are tried again by the queue, twice; all else ends it with the reason.
    4. The answer is read strictly, sealed and kept for some days.

A worker that dies after step 2 sends again, with another entry of the log.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from clearway.records.errors import (
    ClearwayError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    TooManyRequestsError,
    UpstreamError,
)

from .. import kept as findings
from ..case import kept as cases
from ..desk_key import DeskKey
from ..intake.submit import Desk as IntakeDesk
from ..vault import Vault
from . import answer, budget, endpoint, gather, kept, outgoing, start
from .compose import composed
from .settings import Settings, key, read

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from clearway.store.jobs import Job

    from .answer import Drafted
    from .kept import Proposal
    from .outgoing import Leaving, Part

    Connection = psycopg.Connection[Any]

ATTEMPTS = 3
_REF = re.compile(r"\bF\d{1,2}\b")


def draft(home: Path, job: Job, args: dict[str, Any]) -> None:
    """The task: makes the proposal `args["proposal"]`."""
    with job.owner() as db:
        found = kept.one(db, int(args["proposal"]))
    if found.state not in ("waiting", "running"):
        return
    try:
        _draft(home, job, found)
    except UpstreamError as error:
        last = job.failures + 1 >= ATTEMPTS
        with job.owner() as db:
            if last:
                kept.fail(db, found, _words(error))
            else:
                kept.noted(db, found, f"{_words(error)}; it is tried again")
        if not last:
            raise
    except ClearwayError as error:
        with job.owner() as db:
            kept.fail(db, found, _words(error))


def _draft(home: Path, job: Job, found: Proposal) -> None:
    settings, vault = read(home), Vault.of_home(home)
    job.progress(0, 3, "reading")
    with job.acting() as db:
        if found.finding is not None:
            start.check_works(db, findings.by_id(db, found.finding))
        else:
            start.check_works(db, cases.by_id(db, found.case_id or 0))
        parts = gather.parts(db, IntakeDesk(vault, DeskKey.of_home(home)), found)
    made = composed(settings, found.kind, parts)
    body = made.body
    secret = key(home, settings)
    booked = outgoing.tokens_at_most(body, settings)
    with job.owner() as db:
        names = _names(db, found, parts)
        budget.take(db, settings, booked)
        kept.sending(db, found, settings, body, _fields(made.leaving, names))
    job.progress(1, 3, "the model drafts")
    said = _asked(job, settings, secret, body, booked)
    drafted = answer.read(found.kind, said.text, made.refs, outgoing.told(settings, parts))
    with job.owner() as db:
        took = said.tokens if said.tokens is not None else booked
        kept.proposed(db, vault, found, _named(drafted, names), took, settings.keep_days)
    job.progress(3, 3, "proposed")


def _asked(job: Job, settings: Settings, secret: str, body: bytes, booked: int) -> endpoint.Completion:
    """The endpoint's answer; what the call took is set right whatever comes of it."""
    took, failed = None, True
    try:
        said = endpoint.complete(settings, secret, body)
        took, failed = said.tokens, False
    except ConfigError:
        took = 0  # it was refused
        raise
    except UpstreamError:
        raise  # what it made of it before it failed is not known
    except ClearwayError:
        failed = False  # it answered, with what is no answer
        raise
    finally:
        with job.owner() as db:
            budget.settle(db, settings, booked, took, failed=failed)
    return said


def _names(db: Connection, found: Proposal, parts: list[Part]) -> dict[str, str]:
    """What each part is called here: "F2" is CWF-…"""
    numbers = {f"F{at}": number for at, number in enumerate(found.given, 2)}
    if found.finding is not None:
        numbers["F1"] = found.finding
    return {p.ref: findings.by_id(db, numbers[p.ref]).handling for p in parts if p.ref in numbers}


def _fields(leaving: tuple[Leaving, ...], names: dict[str, str]) -> dict[str, list[str]]:
    """What of what is sent, for the log: by handling id, "case" for the case itself."""
    return {names.get(one.ref, "case"): list(one.fields) for one in leaving}


def _named(drafted: Drafted, names: dict[str, str]) -> Drafted:
    """The pairs with our names in place of those that the model was given. A summary is to be read by those who don't
    see every finding: it names none."""
    pairs = tuple(
        answer.Pair(
            finding=names[pair.finding], reason=_REF.sub(lambda m: names.get(m[0], m[0]), pair.reason)
        )
        for pair in drafted.pairs
    )
    return replace(drafted, pairs=pairs)


def _words(error: ClearwayError) -> str:
    """Why, with the cure. Errors of this part quote neither reports nor answers; others are told by their kind."""
    ours = (ConfigError, ConflictError, ForbiddenError, TooManyRequestsError)
    if isinstance(error, ours) or error.where == "answer":
        return f"{error.what}: {error.mend}" if error.mend else error.what
    if isinstance(error, UpstreamError):
        return f"the endpoint did not answer: {error.what}"
    return f"what it is made from can't be read ({error.code})"
