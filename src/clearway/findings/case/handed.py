"""What a vendor that is asked is given to read: a text of the coordinators, in a thread with it alone.

A party sees no finding of a reporter's, and asking hands none over: what it is told is what the coordinators write.
They are offered a text made of what the case's findings say in clear; the steps are in what the reporters have sealed,
and are added by hand. Where a party was asked and has nothing to read, the case says so, to it and to the desk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.text import plain

from . import record, thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from ..vault import Vault
    from .draft import Version
    from .kept import Case
    from .party import Party
    from .thread import Thread

    Connection = psycopg.Connection[Any]

TOPIC = "What was found"
MOST = 5  # findings that a text speaks of


def suggested(db: Connection, case: Case) -> str:
    """A text to begin with: what the case's findings say of title, product, place, class and evidence, and "Steps:"."""
    rows = db.execute(
        """select title, ecosystem, package, release, purl, place, cwe, level from clearway.finding
        where case_id = %s and state <> 'withdrawn' order by level desc, finding limit %s""",
        (case.id, MOST),
    ).fetchall()
    parts = []
    for title, ecosystem, package, release, purl, place, cwe, level in rows:
        product = purl or " ".join(filter(None, (ecosystem, package)))
        said = [
            ("", title), ("Product: ", product), ("Release: ", release), ("Place: ", place), ("Class: ", cwe),
            ("Evidence here: ", f"E{level}" if level else ""),
        ]  # fmt: skip
        parts.append("\n".join(f"{name}{plain(words, 500)}" for name, words in dict.fromkeys(said) if words))
    return "\n\n".join([*dict.fromkeys(parts), "Steps:"]) if parts else ""


def tell(db: Connection, vault: Vault, case: Case, party: Party, text: str) -> None:
    """Says `text` in a new thread with the party alone; nothing for an empty one. It reads it once it was told.

    Raises:
        ForbiddenError, TooLargeError: as `thread.add` and `thread.say`.
    """
    if not text.strip():
        return
    now = record.by_id(db, case.id)
    made = thread.add(db, vault, now, TOPIC, to=party.id)
    thread.say(db, vault, now, made, text)


def nothing_for(party: Party, threads: Sequence[Thread], drafts: Sequence[Version]) -> bool:
    """Whether a vendor that was told of the flaw has nothing to read of it: no draft, and no message for it."""
    told = party.asked is not None and party.rm != "start"
    return told and not drafts and not any(t.messages and t.party in (None, party.id) for t in threads)
