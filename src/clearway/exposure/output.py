"""Where the reports of `clearway match` go: standard output, in the form that was asked for.

Each form imports what it needs when the first report comes.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from clearway.records.text import plain

if TYPE_CHECKING:
    from clearway.records.inventory import Inventory

    from .report import Report


class Writer:
    """Where reports go, one by one as they are made."""

    def one(self, inventory: Inventory, report: Report) -> None:
        """Takes one report."""
        raise NotImplementedError

    def end(self) -> None:
        """Says that no more come."""
        sys.stdout.flush()


class _Json(Writer):
    """One object for one inventory; an array for several, begun when the second comes, and for none."""

    def __init__(self) -> None:
        self._first: bytes | None = None
        self._many = False

    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_json import report_bytes

        out = sys.stdout.buffer
        body = report_bytes(report)
        if self._first is None and not self._many:
            self._first = body
            return
        if not self._many:
            out.write(b"[" + (self._first or b""))
            self._many, self._first = True, None
        out.write(b",\n" + body)

    def end(self) -> None:
        out = sys.stdout.buffer
        if self._many:
            out.write(b"]\n")
        elif self._first is not None:
            out.write(self._first + b"\n")
        else:  # every inventory was set aside
            out.write(b"[]\n")
        out.flush()


class _Lines(Writer):
    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_json import lines

        for line in lines(report):
            sys.stdout.buffer.write(line + b"\n")


class _Documents(Writer):
    """One document (SARIF, VEX) for all inventories is not defined, so each is a line of its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def one(self, inventory: Inventory, report: Report) -> None:
        from .documents import write

        if self._kind == "openvex" and not report.findings:
            # OpenVEX 0.2.0 has no document without a statement.
            print(f"{plain(report.name)}: no finding, so no OpenVEX document", file=sys.stderr)
            return
        sys.stdout.buffer.write(write(self._kind, inventory, report) + b"\n")


class _Tables(Writer):
    def __init__(self, everything: bool) -> None:
        self._everything = everything

    def one(self, inventory: Inventory, report: Report) -> None:
        from .as_table import show

        show(report, sys.stdout, everything=self._everything)


def writer(kind: str, *, everything: bool) -> Writer:
    """A writer for "json", "jsonl", "sarif", "vex", "openvex", or "table"."""
    if kind == "json":
        return _Json()
    if kind == "jsonl":
        return _Lines()
    if kind == "table":
        return _Tables(everything)
    return _Documents(kind)
