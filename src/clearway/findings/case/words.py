"""Words of people that the database keeps sealed in a column of text: topics, and reasons of acts, answers and days.

They say what a flaw is as often as a message does, so they are sealed under the case's key like messages: a dump, a
backup or the write-ahead log shows none. What is kept is "sealed:" and the vault's bytes in base64. Words of before
stand as they were said until `seal_old` has come by.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Literal

from clearway.records.errors import IntegrityError, NotFoundError

if TYPE_CHECKING:
    import psycopg

    from ..vault import Vault

    Connection = psycopg.Connection[Any]

Kind = Literal["topic", "act", "answer", "proposal", "consent"]
MARK = "sealed:"
GONE = "(sealed; its key is not here)"
# Where words of each kind stand: the table with its key, the column, and how a row finds its case.
_PLACES: dict[Kind, tuple[str, str, str, str]] = {
    "topic": ("case_thread", "thread", "topic", "w.case_id"),
    "act": ("case_act", "step", "why", "w.case_id"),
    "answer": ("case_party", "party", "answer_why", "w.case_id"),
    "proposal": ("case_proposal", "proposal", "why", "w.case_id"),
    "consent": (
        "case_consent",
        "ctid",
        "why",
        "(select p.case_id from clearway.case_party p where p.party = w.party)",
    ),
}
_MOST = 1_000  # of each kind at one look


def seal(vault: Vault, subject: str, kind: Kind, text: str) -> str:
    """`text` as it is kept for the case `subject`; "" stays so."""
    if not text:
        return ""
    data = vault.seal(subject, text.encode("utf-8", "replace"), label=f"words/{kind}")
    return MARK + base64.b64encode(data).decode("ascii")


def sealed(vault: Vault | None, subject: str, kind: Kind, text: str) -> str:
    """As `seal`; there is always a vault where something is said.

    Raises:
        TypeError: there is none.
    """
    if text and vault is None:
        raise TypeError("words of a case are sealed: hand in the vault")
    return seal(vault, subject, kind, text) if vault is not None else ""


def opened(vault: Vault, subject: str, kind: Kind, kept: str) -> str:
    """What was said; `GONE` where the case's key was destroyed or is in another home.

    Raises:
        IntegrityError: what is kept is not what was sealed, or of another case or kind.
    """
    if not kept.startswith(MARK):
        return kept
    try:
        data = base64.b64decode(kept.removeprefix(MARK), validate=True)
    except binascii.Error:
        raise IntegrityError("the sealed words were changed", where=subject) from None
    try:
        return vault.open(subject, data, label=f"words/{kind}").decode("utf-8", "replace")
    except NotFoundError:
        return GONE


def seal_old(owner: Connection, vault: Vault) -> int:
    """Seals words of before that stand in clear; how many."""
    made = 0
    for kind, (table, key, column, of_case) in _PLACES.items():
        rows = owner.execute(
            f"""select w.{key}, w.{column}, c.handling from clearway.{table} w
            join clearway.desk_case c on c.case_id = {of_case}
            where w.{column} <> '' and not starts_with(w.{column}, %s) limit %s for update of w""",  # noqa: S608
            (MARK, _MOST),
        ).fetchall()
        for row, text, handling in rows:
            owner.execute(
                f"update clearway.{table} set {column} = %s where {key} = %s",  # noqa: S608
                (seal(vault, f"case/{handling}", kind, text), row),
            )
        made += len(rows)
    return made
