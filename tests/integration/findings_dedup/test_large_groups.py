"""A flaw that very many report alike: it is seen, opened, split and merged as any other."""

from __future__ import annotations

import pytest

from clearway.findings import kept
from clearway.findings.case import kept as cases
from clearway.findings.dedup import edge
from clearway.findings.dedup.rekey import rekey
from findings_dedup_world import fired, replay
from findings_world import Desk

MANY = 110  # each with each is more than five thousand edges


def test_identical_reports_are_one_flaw_whatever_their_number(desk: Desk) -> None:
    found = [fired(desk, desk.finding(desk.rival if n % 2 else None)) for n in range(12)]
    replay(desk)
    everybody = tuple(f.id for f in found)
    with desk.owner() as db:
        (edges,) = db.execute(
            "select count(*) from clearway.finding_edge where verdict = 'same' and revoked is null"
        ).fetchone()
        assert edges == 1 + 2 * 10, "each with the first of either organisation, not each with each"
        for f in (found[0], found[5], found[11]):
            assert edge.group_of(db, f.id) == everybody
            assert edge.held_by_others(db, f)
        rekey(db, desk.vault, found[0].id)
        assert edge.group_of(db, found[11].id) == everybody, "made anew, the first one keeps them together"


@pytest.fixture
def clique(desk: Desk) -> list[kept.Finding]:
    """As they were joined before: each with each."""
    found = [desk.finding(state="queued") for _ in range(MANY)]
    with desk.owner() as db:
        db.execute(
            """insert into clearway.finding_edge (one, other, aud, verdict, basis, score, reason)
            select a.finding, b.finding, a.aud, 'same', 'input', 1, 'the same input' from clearway.finding a
            join clearway.finding b on a.finding < b.finding where a.finding >= %s""",
            (found[0].id,),
        )
    return found


@pytest.mark.slow
def test_a_flaw_with_very_many_edges_is_split_merged_and_opened(
    desk: Desk, clique: list[kept.Finding]
) -> None:
    with desk.acting(desk.coordinator) as db:
        assert len(edge.group_of(db, clique[3].id)) == MANY
        edge.split(db, clique[3], "another function")
        assert edge.group_of(db, clique[3].id) == (clique[3].id,)
        assert len(edge.group_of(db, clique[4].id)) == MANY - 1
        edge.merge(db, [clique[3], clique[9]], "the same after all")
        case = cases.add(db, desk.people.house, [clique[0]], along=True)
        assert len(cases.findings_of(db, case)) == MANY
