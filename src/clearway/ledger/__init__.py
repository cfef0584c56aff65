"""One append-only log: entries written with their act, a Merkle tree over them, signed checkpoints, proofs.

append(db, "asset.added", "asset/17", {"name": "gw-1"}, aud=aud)   # in the act's own transaction
append_read(db, ["report/4"], aud)                                 # marked content was read
"""

from .append import READ, append, append_as, append_read

__all__ = ["READ", "append", "append_as", "append_read"]
