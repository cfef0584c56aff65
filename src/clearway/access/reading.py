"""Reading what is marked is an entry in the log (`ledger.reading`): for the rooms above."""

from clearway.ledger.reading import Note, as_file, audiences, reading

__all__ = ["Note", "as_file", "audiences", "reading"]
