"""`clearway finding …`: one parser, to which each part of the desk adds its own commands.

The parts' modules are imported when the word is `finding`, and none of them imports the database or the web at its
top.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

# In the order in which `--help` shows them. A part that does not stand has no commands.
PARTS = ("intake", "lease", "validate", "dedup", "case", "assist")


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds `finding`, with the commands of every part."""
    finding = commands.add_parser(
        "finding",
        help="the findings desk: report, ask before, follow, validate, lease",
        description="The findings desk. Acts as the home's local administrator, or as who holds CLEARWAY_TOKEN.",
    )
    own = finding.add_subparsers(dest="finding_command", metavar="COMMAND", required=True)
    for part in PARTS:
        name = f"clearway.findings.{part}.commands"
        if find_spec(f"clearway.findings.{part}") is not None and find_spec(name) is not None:
            import_module(name).add_commands(own)
    from . import keyring_commands

    keyring_commands.add_commands(own)
