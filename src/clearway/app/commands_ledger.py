"""`clearway ledger`, where an epoch also freezes what would end by itself: that room does not know of embargoes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.ledger import commands as ledger

if TYPE_CHECKING:
    import argparse


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `ledger` with its own commands."""
    ledger.add_commands(commands, restored=_restored)


def _restored(db: Any, reason: str) -> int:
    from clearway.access import restored

    return restored.freeze(db, reason)
