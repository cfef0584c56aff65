"""Reading what is marked is an entry in the log (`ledger.reading`): for the rooms above."""

from clearway.ledger.reading import Note, reading

__all__ = ["Note", "reading"]
