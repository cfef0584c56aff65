"""What the owner's commands hand out of the log is an entry before it leaves the home (decision 0019)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .append import CLEAR, append

if TYPE_CHECKING:
    from .append import Connection
    from .proofs import Proof

EXPORTED = "ledger.exported"
PROVED = "ledger.proof_given"
_UNMARKED = (CLEAR, 1)  # TLP:CLEAR and TLP:GREEN, as with readings


def exported(db: Connection, size: int, sha256: str) -> int:
    """That headers and contents of every marking leave in a file, as everybody may know; the number of the entry."""
    return append(db, EXPORTED, "ledger", {"size": size, "sha256": sha256}, aud=CLEAR)


def proof_given(db: Connection, proof: Proof) -> int | None:
    """That a proof opens a marked entry, for who may see that; the number of the entry, None for what is not marked."""
    parts = [name for name in ("header", "content") if getattr(proof, name) is not None]
    row = db.execute("select aud from clearway.log_entry where entry = %s", (proof.entry,)).fetchone()
    if not parts or row is None or row[0] in _UNMARKED:
        return None
    return append(db, PROVED, f"entry/{proof.entry}", {"parts": parts}, aud=row[0])
