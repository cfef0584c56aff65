"""Whether others hold a flaw, answered by evidence: the judge of `intake.overlap`, and answers that are put right.

A finding's keys are made in the transaction of the answer, so that it does not hang on when the replay comes by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .. import kept
from ..intake import overlap
from . import at_desk, edge
from .rekey import rekey

if TYPE_CHECKING:
    import psycopg

    from ..intake.overlap import Judge, Overlap
    from ..kept import Finding
    from ..vault import Vault

    Connection = psycopg.Connection[Any]


def judge(vault: Vault) -> Judge:
    """A judge that compares the finding anew before it says."""

    def held(owner: Connection, finding: Finding) -> bool:
        _, waiting = rekey(owner, vault, finding.id)
        at_desk.start_all(owner, waiting)
        return edge.held_by_others(owner, finding)

    return held


def answer_overlap(owner: Connection, vault: Vault, number: int) -> Overlap:
    """Answers the question that the validation of a finding has asked.

    Raises:
        ForbiddenError, TooManyRequestsError: as `overlap.told`.
    """
    return overlap.told(owner, kept.by_id(owner, number), judge(vault))


def correct(owner: Connection) -> int:
    """Puts answers right that evidence has overtaken; how many."""
    denied, affirmed = edge.wrongly_denied(owner), edge.wrongly_affirmed(owner)
    for number in denied:
        overlap.correct(owner, kept.by_id(owner, number))
    for number in affirmed:
        overlap.correct(owner, kept.by_id(owner, number), held=False)
    return len(denied) + len(affirmed)
