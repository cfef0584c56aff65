"""`clearway ledger`, where an epoch also ends what must not come back: that room does not know of embargoes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.ledger import commands as ledger

if TYPE_CHECKING:
    import argparse


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `ledger` with its own commands."""
    ledger.add_commands(commands, restored=_restored)


def _restored(db: Any, reason: str) -> dict[str, int]:
    from msgspec import structs

    from clearway.access import restored

    return structs.asdict(restored.void(db, restored.words(f"({reason[:200]})")))
