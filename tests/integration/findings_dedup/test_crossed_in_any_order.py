"""Twins in one function: whatever evidence comes first, what is one flaw in the end is the same.

Each fix is tried on each proof in a real box, once for all orders.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import permutations
from typing import Any

import pytest

import sandbox_house
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.dedup import at_desk, edge, rekey, told
from clearway.findings.dedup.fixes import digest_of
from clearway.findings.intake import overlap
from findings_targets import READS, SHORT, c_recipe, c_target, sha
from findings_world import Desk

TWINS = (
    b"""#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int parse(const char *text) {
    char *names = malloc(16);
    char *numbers = malloc(16);
    int kept = 0;
    if (text[0] == 'A') strcpy(names, text);
    kept += 1;
    if (text[0] == 'B') strcpy(numbers, text);
    kept += 1;
    free(names);
    free(numbers);
    return kept;
}
"""
    + READS
)
PROOFS = {"A": b"A" * 24, "B": b"B" * 24, "B too": b"B" + b"C" * 23}


def mends(old: bytes, new: bytes) -> bytes:
    before, after = (s.decode().splitlines(keepends=True) for s in (TWINS, TWINS.replace(old, new)))
    return "".join(difflib.unified_diff(before, after, "a/main.c", "b/main.c")).encode()


NARROW = {
    "A": mends(b"strcpy(names, text)", b"strncpy(names, text, 15)"),
    "B": mends(b"strcpy(numbers, text)", b"snprintf(numbers, 16, text)"),
}
BROAD = mends(b"    int kept = 0;\n", b"    int kept = 0;\n    if (strlen(text) > 15) return 0;\n")
BROADER = mends(b"    int kept = 0;\n", b"    int kept = 0;\n    while (text[0] && text[9]) text++;\n")


PICKY = mends(b"    int kept = 0;\n", b"    int kept = 0;\n    if (text[0] && text[1] == 'B') return 0;\n")


class Aside:
    """A job of the program's own that runs here and now."""

    by_person = None
    stopping = False

    def __init__(self, desk: Desk) -> None:
        self.owner = desk.owner

    def progress(self, *said: Any) -> None: ...


class Boxes(at_desk.Desk):
    """The desk's own cross-runs, which remember what a box has shown of a build and a proof."""

    shown: dict[tuple[str, str], bool | None] = {}  # noqa: RUF012 - for all tests

    def _silences(self, job: Any, fixed: Any, tried: Any, fix: Any) -> bool | None:
        what = digest_of(fix), json.dumps(dict(tried.recipe.proof.files))
        if what not in self.shown:
            self.shown[what] = super()._silences(job, fixed, tried, fix)
        return self.shown[what]


class Reports:
    """Findings of the two flaws, and their trials one after the other, with all that the desk does about each."""

    def __init__(self, desk: Desk) -> None:
        sandbox_house.boxes()  # skips where there are none
        self.desk = desk
        self.boxes = Boxes(desk.home, desk.vault)
        self.found: dict[str, kept.Finding] = {}

    def trial(self, name: str, fix: bytes | None = None, level: int = 3) -> None:
        """One more trial of the finding of that name, whose first letter is its flaw; with a fix it is at E3."""
        desk, proof = self.desk, PROOFS.get(name, PROOFS[name[0]])
        if name not in self.found:
            whose = desk.finder if name[0] == "A" else desk.rival
            self.found[name] = desk.finding(whose, place="main.c parse", state="queued")
        finding = self.found[name]
        recipe = c_recipe(TWINS, None, proof=proof)
        files = [
            File(kind="source", data=TWINS, name=""),
            *(File(kind="input", data=d, name="") for d in (proof, SHORT)),
        ]
        if fix is not None:
            recipe["patched"] = c_target(TWINS, "1+", patches={"fix.patch": sha(fix)})
            files.append(File(kind="patch", data=fix, name="fix.patch"))
        raw = json.dumps(recipe).encode()
        with desk.owner() as db:
            there = {a.sha256 for a in artefact.listed(db, finding.id)}
            files = [f for f in files if sha(f.data) not in there]
            artefact.add_all(
                db, desk.vault, finding, [*files, File(kind="attachment", data=raw, name="recipe.json")]
            )
            level = level if fix is not None else 1
            db.execute(
                """insert into clearway.validation (finding, org, aud, upto, seconds, state, level, recipe, uncapped)
                values (%s, %s, %s, 3, 0, 'done', %s, %s, true)""",
                (finding.id, finding.org, finding.aud, level, sha(raw)),
            )
            db.execute(
                "update clearway.finding set level = greatest(level, %s) where finding = %s",
                (level, finding.id),
            )
        self.settle()

    def settle(self) -> None:
        """The minute's job, and the cross-runs that were started, until there are none."""
        desk = self.desk
        with desk.owner() as db:
            for number in rekey.stale(db):
                at_desk.start_all(db, rekey.rekey(db, desk.vault, number)[1])
        for _ in range(20):
            with desk.owner() as db:
                waiting = db.execute(
                    "delete from clearway_jobs.procrastinate_jobs where task_name = %s returning args",
                    (at_desk.TASK,),
                ).fetchall()
            if not waiting:
                break
            for (args,) in waiting:
                self.boxes.cross(Aside(desk), args["args"])  # type: ignore[arg-type]
        else:
            pytest.fail("cross-runs start one another without end")
        with desk.owner() as db:
            told.correct(db)

    def groups(self) -> set[frozenset[str]]:
        names = {finding.id: name for name, finding in self.found.items()}
        with self.desk.owner() as db:
            return {frozenset(names[n] for n in edge.group_of(db, number)) for number in names}


@contextmanager
def fresh(desk: Desk) -> Iterator[Reports]:
    desk.clear()
    yield Reports(desk)


EVIDENCE = (("A", None), ("B broad", BROAD), ("A", NARROW["A"]), ("B", NARROW["B"]))
APART = {frozenset({"A"}), frozenset({"B", "B broad"})}


@pytest.mark.parametrize("every", [23, pytest.param(1, marks=pytest.mark.slow)])
def test_in_any_order_of_the_evidence_the_twins_are_two_flaws_and_those_of_one_are_one(
    desk: Desk, every: int
) -> None:
    for order in [*permutations(EVIDENCE)][::every]:
        with fresh(desk) as reports:
            for name, fix in order:
                reports.trial(name, fix)
                joined = [g for g in reports.groups() if {n[0] for n in g} == {"A", "B"}]
                assert joined == [], [n for n, _ in order]
            assert reports.groups() == APART, [(n, f is None) for n, f in order]


def test_a_proof_without_a_fix_of_its_own_is_joined_to_nobody_and_nobody_is_told(desk: Desk) -> None:
    with fresh(desk) as reports:
        reports.trial("A")
        reports.trial("B", BROAD)
        assert reports.groups() == {frozenset({"A"}), frozenset({"B"})}
        with desk.owner() as db:
            assert not told.answer_overlap(db, desk.vault, reports.found["B"].id).overlaps


def test_what_two_broad_patches_joined_falls_apart_by_the_first_fix_that_tells_and_a_yes_is_put_right(
    desk: Desk,
) -> None:
    with fresh(desk) as reports:
        reports.trial("A", BROADER)
        reports.trial("B", BROAD)
        assert reports.groups() == {frozenset({"A", "B"})}, "the limit that the documentation names"
        number = reports.found["B"].id
        with desk.owner() as db:
            assert told.answer_overlap(db, desk.vault, number).overlaps
        reports.trial("B third", NARROW["B"])
        assert reports.groups() == {frozenset({"A"}), frozenset({"B", "B third"})}
        with desk.owner() as db:
            answer = overlap.answer_of(db, number)
        assert answer is not None
        assert not answer.overlaps


def test_a_fix_that_is_revoked_joins_nobody_any_more(desk: Desk) -> None:
    with fresh(desk) as reports:
        reports.trial("A", BROADER)
        reports.trial("A twin", NARROW["A"])
        assert reports.groups() == {frozenset({"A", "A twin"})}
        with desk.owner() as db:
            number = reports.found["A"].id
            db.execute(
                """update clearway.validation set revoked = clock_timestamp(), revoked_why = 'x', version = version + 1
                where finding = %s""",
                (number,),
            )
            db.execute("update clearway.finding set level = 0 where finding = %s", (number,))
        reports.settle()
        assert reports.groups() == {frozenset({"A"}), frozenset({"A twin"})}


@pytest.mark.slow
def test_of_two_findings_of_one_organisation_nobody_elses_fix_is_tried(desk: Desk) -> None:
    """It sees what is said of the two, and would learn from that that others hold the flaw."""
    with fresh(desk) as reports:
        reports.trial("B", BROAD)
        reports.trial("B too", BROADER)
        with desk.acting(desk.rival) as db:
            before = edge.of(db, reports.found["B"])
        reports.found["B of the lab"] = desk.finding(desk.finder, place="main.c parse", state="queued")
        reports.trial("B of the lab", NARROW["B"])
        assert reports.groups() == {frozenset(reports.found)}
        reports.trial("B of the lab", PICKY)
        with desk.acting(desk.rival) as db:
            assert edge.of(db, reports.found["B"]) == before


def test_what_an_older_rule_joined_by_a_proof_without_a_fix_is_taken_apart(desk: Desk) -> None:
    with fresh(desk) as reports:
        reports.trial("A")
        reports.trial("B", BROAD)
        with desk.owner() as db:
            edge.add(
                db, reports.found["A"].id, reports.found["B"].id, "same", "cross-run",
                score=edge.CROSSED["same"], reason="one patch silences both proofs, and both crash in the same state",
            )  # fmt: skip
            assert told.answer_overlap(db, desk.vault, reports.found["B"].id).overlaps
            db.execute("update clearway.finding_keyed set rules = 'older'")
        reports.settle()
        assert reports.groups() == {frozenset({"A"}), frozenset({"B"})}
        with desk.owner() as db:
            answer = overlap.answer_of(db, reports.found["B"].id)
        assert answer is not None
        assert not answer.overlaps
