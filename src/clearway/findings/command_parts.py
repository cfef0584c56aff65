"""What the commands of the desk share: how one is added, and how an answer, or sealed bytes, are written.

Imports nothing heavy: `--help` pays for none of it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable


def adder(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
) -> Callable[[str, str, Any], argparse.ArgumentParser]:
    """What adds a command of that name, with what it does in words, and its function; it has `--json`."""

    def add(name: str, text: str, func: Any) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        parser.add_argument("--json", action="store_true")
        parser.set_defaults(func=func)
        return parser

    return add


def print_json(what: Any) -> None:
    """Writes `what` as one line of JSON, harmless for a terminal (`safe`)."""
    import msgspec

    text = msgspec.json.encode(what).decode()
    sys.stdout.write((safe(text) if sys.stdout.isatty() else text) + "\n")


def safe(text: str) -> str:
    """JSON with escapes for what a terminal could take as a command: C1 controls, changes of direction."""
    return "".join(
        c if c == "\n" or c.isprintable() else f"\\u{ord(c):04x}" if ord(c) < 0x10000 else "\ufffd"
        for c in text
    )


def write_out(data: bytes, out: str) -> None:
    """Writes bytes that somebody reported to a new file that its owner alone reads, or to standard output.

    Raises:
        UsageError: standard output is a terminal, which they could steer.
        ConflictError: there is a file of that name: it is not written over.
        UpstreamError, ConfigError: it can't be written.
    """
    import os
    from pathlib import Path

    from clearway.records.errors import ConflictError, UsageError
    from clearway.store.failures import at

    if not out or out == "-":
        if sys.stdout.isatty():
            raise UsageError("what was reported is not written to a terminal", mend="name a file with --out")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    with at(Path(out)):
        try:
            made = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise ConflictError("there is a file of that name", where=out, mend="name another") from None
        with os.fdopen(made, "wb") as file:
            file.write(data)
