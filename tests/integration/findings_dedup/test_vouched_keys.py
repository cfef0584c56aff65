"""Keys of runs: only where the desk knows the files, of what the sanitizer reported and the proof was given."""

from __future__ import annotations

import json

import pytest

from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.case import kept as cases
from clearway.findings.dedup import edge, public
from clearway.findings.dedup.rekey import stale
from clearway.findings.validate import validation
from clearway.records.errors import ConflictError
from findings_dedup_world import CRASH, Two, fired, replay
from findings_targets import COPIES, MENDED, c_recipe, sha
from findings_world import Desk

OTHER = CRASH.replace(b"parse_string", b"parse_number").replace(b"parse_value", b"parse_array")
SECRET = b"secret proof"


def standing(desk: Desk, finding: kept.Finding) -> list[tuple[str, str]]:
    with desk.acting(desk.coordinator) as db:
        return [(e.verdict, e.basis) for e in edge.of(db, finding) if e.revoked is None]


def group(desk: Desk, finding: kept.Finding) -> tuple[int, ...]:
    with desk.acting(desk.coordinator) as db:
        return edge.group_of(db, finding.id)


def kinds(desk: Desk, finding: kept.Finding) -> set[str]:
    with desk.owner() as db:
        rows = db.execute("select kind from clearway.finding_key where finding = %s", (finding.id,))
        return {kind for (kind,) in rows}


def test_the_same_input_in_the_same_crash_state_is_the_same_flaw(desk: Desk, two: Two) -> None:
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    assert standing(desk, two.ours) == [("same", "input")]


def test_evidence_that_the_desk_took_back_makes_no_key_and_joins_nobody(desk: Desk, two: Two) -> None:
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    assert standing(desk, two.ours) == [("same", "input")]
    with desk.acting(desk.coordinator) as db:
        (wrong,) = validation.listed(db, two.theirs.id)
        assert validation.revoke(db, two.theirs, wrong.number, "the input was another's").level == 0
    replay(desk)
    assert kinds(desk, two.theirs) == {"context", "place"}
    assert standing(desk, two.ours) == [("likely", "context")]


def test_a_program_of_the_reporters_own_that_prints_a_report_makes_no_key_of_it(desk: Desk, two: Two) -> None:
    fired(desk, two.ours, given=SECRET)
    fired(desk, two.theirs, given=b"its own", beside=(SECRET,), uncapped=False)
    replay(desk)
    assert kinds(desk, two.ours) == {"input", "crash", "context", "place"}
    assert kinds(desk, two.theirs) == {"context", "place"}
    assert standing(desk, two.ours) == [("likely", "context")]
    with desk.acting(desk.coordinator) as db:
        case = cases.add(db, desk.people.house, [two.ours])
        assert cases.findings_of(db, case) == [two.ours.handling]


def test_a_state_is_what_the_sanitizer_reported_and_not_what_the_program_printed(
    desk: Desk, two: Two
) -> None:
    fired(desk, two.ours, given=SECRET)
    fired(desk, two.theirs, given=SECRET, report=OTHER, printed=CRASH)
    replay(desk)
    assert standing(desk, two.ours) == [("likely", "input")], "another state: nothing that is taken as it is"


@pytest.mark.parametrize("named", [False, True])
def test_files_beside_the_input_that_counts_are_no_guesses(desk: Desk, two: Two, named: bool) -> None:
    fired(desk, two.ours, given=SECRET)
    guesses = tuple(b"guess %d" % n for n in range(5))
    fired(desk, two.theirs, given=b"its own", beside=(SECRET, *guesses))
    if named:  # also where the proof names them all and uses one
        name_all(desk, two.theirs, (b"its own", SECRET, *guesses))
    replay(desk)
    assert standing(desk, two.ours) == [("likely", "crash")]


def name_all(desk: Desk, finding: kept.Finding, inputs: tuple[bytes, ...]) -> None:
    recipe = c_recipe(COPIES, MENDED)
    recipe["proof"]["files"] = {f"in{n}": sha(data) for n, data in enumerate(inputs)}
    raw = json.dumps(recipe).encode()
    with desk.owner() as db:
        artefact.add(db, desk.vault, finding, File(kind="attachment", data=raw, name="recipe.json"))
        db.execute("update clearway.validation set recipe = %s where finding = %s", (sha(raw), finding.id))


def test_what_is_said_of_a_public_flaw_and_new_evidence_make_keys_stale(desk: Desk, two: Two) -> None:
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        number = public.say(db, two.ours, "CVE-2026-0001", ["1.2.4"], "published")
    with desk.owner() as db:
        assert stale(db) == [two.ours.id]
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        public.take_back(db, two.ours, number, "another")
    with desk.owner() as db:
        assert stale(db) == [two.ours.id]
        db.execute(
            "update clearway.validation set version = version + 1 where finding = %s", (two.theirs.id,)
        )
        assert stale(db) == [two.ours.id, two.theirs.id]
    replay(desk)
    with desk.owner() as db:
        assert stale(db) == []


def test_what_was_the_same_becomes_a_regression_when_the_fix_is_told_afterwards(desk: Desk, two: Two) -> None:
    with desk.owner() as db:
        db.execute("update clearway.finding set release = '1.3.0' where finding = %s", (two.theirs.id,))
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    assert standing(desk, two.ours) == [("same", "input")]
    with desk.acting(desk.coordinator) as db:
        public.say(db, two.ours, "CVE-2026-0001", ["1.2.4"], "published")
    replay(desk)
    assert standing(desk, two.ours) == [("regression", "input")]
    assert group(desk, two.theirs) == (two.theirs.id,)


def test_opening_a_case_names_what_is_the_same_flaw_and_takes_it_when_that_is_said(
    desk: Desk, two: Two
) -> None:
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    with desk.acting(desk.coordinator) as db:
        with pytest.raises(ConflictError, match=f"{two.theirs.handling} of rival"):
            cases.add(db, desk.people.house, [two.ours])
        case = cases.add(db, desk.people.house, [two.ours], along=True)
        assert cases.findings_of(db, case) == [two.ours.handling, two.theirs.handling]


def test_evidence_that_the_desk_takes_back_makes_no_key(desk: Desk, two: Two) -> None:
    for one in (two.ours, two.theirs):
        fired(desk, one)
    replay(desk)
    assert standing(desk, two.ours) == [("same", "input")]
    with desk.owner() as db:
        db.execute(
            """update clearway.validation set revoked = clock_timestamp(), revoked_why = 'other files',
                version = version + 1 where finding = %s""",
            (two.theirs.id,),
        )
    replay(desk)
    assert kinds(desk, two.theirs) == {"context", "place"}
    assert standing(desk, two.ours) == [("likely", "context")]
