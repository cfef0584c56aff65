"""The desk's jobs of dedup: cross-runs in a box, the replay, and what is learnt of words."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import sandbox_house
from clearway.app.worker import mint
from clearway.findings import artefact, kept
from clearway.findings.artefact import File
from clearway.findings.dedup import edge, public, rekey, told
from clearway.findings.dedup.at_desk import ask
from clearway.findings.dedup.hint import kept as learnt
from clearway.findings.dedup.tasks import tasks
from clearway.findings.intake import overlap
from clearway.store import jobs
from clearway.store.jobs_worker import run_worker
from findings_dedup_world import Two
from findings_targets import COPIES, LONG, MENDED, MENDS, SHORT, c_recipe, c_target, sha
from findings_world import Desk


@contextmanager
def worker(desk: Desk) -> Iterator[None]:
    stop = threading.Event()
    running = threading.Thread(
        target=run_worker,
        args=(desk.people.url, tasks(desk.home, desk.people.url)),
        kwargs={"stop": stop, "mint": mint},
    )
    running.start()
    try:
        yield
    finally:
        stop.set()
        running.join(30)


def wait(said: Callable[[], bool], s: float = 40) -> None:
    ends = time.monotonic() + s
    while not said():
        assert time.monotonic() < ends
        time.sleep(0.1)


def proven(
    desk: Desk, finding: kept.Finding, fix: bytes, *, diff: bool = False, source: bytes = COPIES
) -> None:
    """The finding has a recipe, and its fix, a release or a diff, is said to have reached E3."""
    files = [File(kind="source", data=data, name="") for data in (source, fix, LONG, SHORT)]
    recipe = c_recipe(source, None if diff else fix)
    if diff:
        recipe["patched"] = c_target(source, "1+", patches={"fix.patch": sha(fix)})
    raw = json.dumps(recipe).encode()
    with desk.owner() as db:
        artefact.add_all(
            db, desk.vault, finding, [*files, File(kind="attachment", data=raw, name="recipe.json")]
        )
        db.execute(
            """insert into clearway.validation (finding, org, aud, upto, seconds, state, level, recipe)
            values (%s, %s, %s, 3, 0, 'done', 3, %s)""",
            (finding.id, finding.org, finding.aud, sha(raw)),
        )
        db.execute("update clearway.finding set level = 3 where finding = %s", (finding.id,))


def crossed(desk: Desk, two: Two) -> list[tuple[str, str]]:
    """What a cross-run that a coordinator asks for says of the two, and why."""
    sandbox_house.boxes()  # skips where there are none
    with desk.acting(desk.coordinator) as db:
        ask(db, kept.by_id(db, two.ours.id), kept.by_id(db, two.theirs.id))
    with worker(desk):
        wait(lambda: bool(runs(desk, two)))
    return runs(desk, two)


def runs(desk: Desk, two: Two) -> list[tuple[str, str]]:
    with desk.acting(desk.coordinator) as db:
        found = edge.of(db, two.ours)
    return [(e.verdict, e.reason) for e in found if e.basis == "cross-run" and e.revoked is None]


def joined(desk: Desk, two: Two) -> bool:
    with desk.acting(desk.coordinator) as db:
        return edge.group_of(db, two.ours.id) == (two.ours.id, two.theirs.id)


def test_patches_of_two_hands_that_silence_each_others_proof_make_one_flaw(desk: Desk, two: Two) -> None:
    proven(desk, two.ours, MENDS, diff=True)
    other = MENDS.replace(b"strncpy(to, from, 15); to[15] = 0;", b'snprintf(to, 16, "%s", from);')
    proven(desk, two.theirs, other, diff=True)
    assert crossed(desk, two) == [("same", "2 patches silence both proofs, and none tells them apart")]
    assert joined(desk, two)
    assert desk.acts().count("duplicate.cross_ran") == 2


SNPRINTF = MENDS.replace(b"strncpy(to, from, 15); to[15] = 0;", b'snprintf(to, 16, "%s", from);')
# The next release: the flaw stands a line below, and there is more in the program.
NEXT = b"/* 1.1 */\n" + COPIES.replace(b"int main(", b"int more(void) { return 1; }\nint main(")


@pytest.mark.slow
def test_patches_for_two_releases_are_each_added_to_the_others(desk: Desk, two: Two) -> None:
    proven(desk, two.ours, MENDS, diff=True)
    proven(desk, two.theirs, SNPRINTF, diff=True, source=NEXT)
    assert crossed(desk, two) == [("same", "2 patches silence both proofs, and none tells them apart")]
    assert joined(desk, two)


@pytest.mark.slow
def test_a_patch_that_does_not_apply_to_the_others_release_is_tried_as_a_whole_and_joins_nobody(
    desk: Desk, two: Two
) -> None:
    proven(desk, two.ours, MENDS, diff=True)
    apart = COPIES.replace(b"#include <stdlib.h>\n", b"#include <stdlib.h>\n#include <stddef.h>\n")
    proven(
        desk,
        two.theirs,
        apart.replace(b"strcpy(to, from)", b"strncpy(to, from, 15); to[15] = 0"),
        source=apart,
    )
    ((verdict, why),) = crossed(desk, two)
    assert (verdict, "a release as a whole" in why) == ("likely", True)
    assert not joined(desk, two)


def test_one_release_that_silences_both_proofs_joins_nobody_and_tells_nobody(desk: Desk, two: Two) -> None:
    proven(desk, two.ours, MENDED)
    proven(desk, two.theirs, MENDED)
    ((verdict, why),) = crossed(desk, two)
    assert verdict == "likely"
    assert "a release as a whole" in why
    assert not joined(desk, two)
    with desk.owner() as db:
        assert not edge.held_by_others(db, kept.by_id(db, two.ours.id))


def test_what_an_older_rule_joined_by_a_release_is_run_again_and_what_was_told_by_it_is_put_right(
    desk: Desk, two: Two
) -> None:
    proven(desk, two.ours, MENDED)
    proven(desk, two.theirs, MENDED.replace(b"15); to[15]", b"14); to[14]"))
    with desk.owner() as db:
        rekey.rekey(db, desk.vault, two.ours.id)
        edge.add(
            db,
            two.ours.id,
            two.theirs.id,
            "same",
            "cross-run",
            score=1.0,
            reason="2 patches silence both proofs",
        )
        assert told.answer_overlap(db, desk.vault, two.theirs.id).overlaps
    assert joined(desk, two)
    with desk.owner() as db:
        rekey.rekey(db, desk.vault, two.ours.id)
        assert told.correct(db) == 0, "not before it has been run again"
    assert not joined(desk, two)
    ((verdict, why),) = runs(desk, two)
    assert verdict == "likely"
    assert why.endswith("it is run again")
    sandbox_house.boxes()
    with worker(desk):
        wait(lambda: "a release as a whole" in runs(desk, two)[0][1])
    with desk.owner() as db:
        assert (told.correct(db), told.correct(db)) == (1, 0)
        answer = overlap.answer_of(db, two.theirs.id)
        assert answer is not None
        assert not answer.overlaps
        rekey.rekey(db, desk.vault, two.ours.id)
    assert [verdict for verdict, _ in runs(desk, two)] == ["likely"], "the new rule's word stands"


def test_a_recipe_that_was_sent_after_the_judgement_is_no_fix(desk: Desk, two: Two) -> None:
    proven(desk, two.ours, MENDS, diff=True)
    proven(desk, two.theirs, MENDS.replace(b"15", b"14"), diff=True)
    with desk.owner() as db:
        raw = json.dumps(c_recipe(COPIES, COPIES)).encode()
        artefact.add(db, desk.vault, two.ours, File(kind="attachment", data=raw, name="recipe.json"))
    assert crossed(desk, two)[0][0] == "same"


def test_the_replay_runs_by_itself_and_learns_words(desk: Desk, two: Two) -> None:
    with desk.owner() as db:
        jobs.defer(db, "findings.rekey", {})
        jobs.defer(db, "findings.words", {})

    def done() -> bool:
        with desk.owner() as db:
            keyed = db.execute("select count(*) from clearway.finding_keyed").fetchone()
            return keyed == (2,) and learnt.read(db) is not None

    with worker(desk):
        wait(done)
    with desk.acting(desk.coordinator) as db:
        assert [e.verdict for e in edge.of(db, two.ours)] == ["likely"]


def test_without_a_product_nothing_public_is_suggested(desk: Desk) -> None:
    finding = desk.finding(package="", purl="", ecosystem="")
    assert public.suggest(None, finding, lambda refs: {}, None) == ()  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [b"", b"short"])
def test_counts_that_were_changed_are_refused(desk: Desk, bad: bytes) -> None:
    with desk.owner() as db:
        db.execute(
            "insert into clearway.hint_words (version, documents, counts) values (%s, 1, %s)",
            ("clearway/words/v1", bad),
        )
        with pytest.raises(Exception, match="no counts"):
            learnt.read(db)
