"""One append-only log: entries written with their act, a Merkle tree over them, signed checkpoints, proofs."""
