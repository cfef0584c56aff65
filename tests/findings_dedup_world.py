"""Findings of two reporters of one product, and what runs of their proofs have shown, for tests of what is one flaw."""

from __future__ import annotations

import json
from hashlib import sha256

from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.dedup.rekey import rekey, stale
from findings_targets import COPIES, LONG, MENDED, SHORT, c_recipe
from findings_world import Desk

CRASH = b"""==1==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x602000000011 at pc 0x0 bp 0x0 sp 0x0
WRITE of size 1 at 0x602000000011 thread T0
    #0 0x1 in parse_string /src/parse.c:17:5
    #1 0x2 in parse_value /src/parse.c:90:9
    #2 0x3 in parse /src/parse.c:120:3
    #3 0x4 in main /src/main.c:9:1
"""


class Two:
    """Findings of two reporters of one product."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.ours = desk.finding(
            title="Overflow in parse_string", place="src/parse.c parse_string", state="queued"
        )
        self.theirs = desk.finding(
            desk.rival, title="Crash when a string is read", place="parse.c:99 parse_string", state="queued"
        )


def fired(
    desk: Desk,
    finding: kept.Finding,
    *,
    report: bytes = CRASH,
    printed: bytes = b"",
    given: bytes = LONG,
    beside: tuple[bytes, ...] = (),
    uncapped: bool = True,
) -> kept.Finding:
    """The finding as a validation leaves it whose proof has fired once: its files, log and level.

    `report` is the sanitizer's, `printed` what the program wrote; `given` is the proof's input, and `beside` are files
    of kind "input" that no proof names.
    """
    recipe = json.dumps(c_recipe(COPIES, MENDED, proof=given)).encode()
    files = [File(kind="source", data=data, name="") for data in (COPIES, MENDED, SHORT)]
    files += [File(kind="input", data=data, name="") for data in dict.fromkeys((given, *beside))]
    with desk.owner() as db:
        artefact.add_all(
            db, desk.vault, finding, [*files, File(kind="attachment", data=recipe, name="recipe.json")]
        )
        log = artefact.add(
            db, desk.vault, finding, File(kind="log", data=report + b"\n" + printed, name="v.log")
        )
        db.execute(
            """insert into clearway.validation (finding, org, aud, upto, seconds, state, level, log, recipe, uncapped,
                reported) values (%s, %s, %s, 1, 0, 'done', 1, %s, %s, %s, %s)""",
            (
                finding.id, finding.org, finding.aud, log.id, sha256(recipe).hexdigest(), uncapped, len(report),
            ),
        )  # fmt: skip
        return kept.set_level(db, kept.by_id(db, finding.id), 1, "fires 3 of 3")


def replay(desk: Desk) -> None:
    """The minute's job."""
    with desk.owner() as db:
        for number in stale(db, 2_000):
            rekey(db, desk.vault, number)
