"""Who is credited: the finders as the reports of a case name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from clearway.formats.report_advisory import Credit
from clearway.records.errors import ClearwayError
from clearway.records.text import plain

from .. import kept as findings
from ..desk_key import DeskKey
from ..intake.sealed import reread
from ..intake.submit import Desk
from ..vault import Vault
from . import kept

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from .kept import Case

    Connection = psycopg.Connection[Any]

MOST = 20  # finders: a draft is a beginning, and a person goes on from it
_LOOKED_INTO = 5  # reports, the oldest: they are unsealed while somebody waits for a page


def named(provenance: bytes) -> tuple[str, ...]:
    """The finders' names in a report's provenance block, in order; empty where it names none. Pure.

    A report says who is credited, or leaves it out: the organisation that sent it is never put in their place.
    """
    try:
        block = msgspec.json.decode(provenance) if provenance else {}
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ()
    listed = block.get("finders") if isinstance(block, dict) else None
    names = [f.get("name") if isinstance(f, dict) else f for f in listed] if isinstance(listed, list) else []
    said = [plain(n.strip(), 300) for n in names if isinstance(n, str) and n.strip()]
    return tuple(dict.fromkeys(said))[:MOST]


def given(db: Connection, home: Path, case: Case) -> tuple[Credit, ...]:
    """The finders of the case's findings, first come first, as a draft credits them; for the desk.

    A report whose key is gone, or that can't be read any more, is passed over.
    """
    desk = Desk(Vault.of_home(home), DeskKey.of_home(home))
    found: dict[str, Credit] = {}
    for handling in kept.findings_of(db, case)[:_LOOKED_INTO]:
        try:
            report = reread(db, desk, findings.one(db, handling))
        except ClearwayError:
            continue
        for name in named(report.provenance):
            found.setdefault(name, Credit(name=name))
    return tuple(found.values())[:MOST]
