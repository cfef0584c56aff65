"""`clearway inventory …`, `clearway exposure …` and `clearway fleet …`: the kept fleet from the command line.

On an embedded home they act as its local administrator; elsewhere as who holds CLEARWAY_TOKEN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .commands_exposure import add_exposure
from .commands_fleet import add_fleet
from .commands_inventory import add_inventory

if TYPE_CHECKING:
    import argparse


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `inventory`, `exposure` and `fleet`."""
    add_inventory(commands)
    add_exposure(commands)
    add_fleet(commands)
