"""Every desk reads every finding; one that is in a case is worked on by the house that keeps the case alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clearway.access import embargo
from clearway.findings import artefact
from clearway.findings import kept as findings
from clearway.findings.artefact import File
from clearway.findings.assist import kept as assist
from clearway.findings.case import kept, release, talk
from clearway.findings.dedup import at_desk, edge, public
from clearway.findings.intake import record
from clearway.findings.kept import Finding
from clearway.findings.validate import validation
from clearway.records.errors import ConflictError, ForbiddenError
from clearway.store.connect import translated
from findings_case_world import Cases
from findings_dedup_world import fired
from people import Somebody


@pytest.fixture(scope="module")
def elsewhere(cases: Cases) -> Somebody:
    """Coordinates for another clearinghouse."""
    people = cases.desk.people
    return people.somebody(people.org(f"second-{id(cases)}", "clearinghouse"), "coordinator")


class Kept:
    """A case of one house with two findings that were merged, validated, said to be public, and marked."""

    def __init__(self, cases: Cases) -> None:
        desk = cases.desk
        self.first = fired(desk, desk.finding(state="queued"))
        self.twin = desk.finding(desk.rival, state="queued")
        self.free = desk.finding(state="queued")
        with cases.acting() as db:
            self.act = edge.merge(db, [self.first, self.twin], "one loop")
            self.case = kept.add(db, cases.house, [self.first, self.twin])
            self.known = public.say(db, self.first, "CVE-2026-0001", [], "the same lines")
            self.edge = edge.of(db, self.first)[0].id
            self.proposals = [
                assist.ask(db, "summary", finding=self.first), assist.ask(db, "summary", case=self.case),
            ]  # fmt: skip
            self.validation = validation.listed(db, self.first.id)[0].id


@pytest.fixture(scope="module")
def stood(cases: Cases) -> Kept:
    return Kept(cases)


def _file(db: Any, cases: Cases, one: Finding) -> None:
    artefact.add(db, cases.desk.vault, one, File(kind="attachment", data=b"{}", name="recipe.json"))


ACTS: dict[str, Callable[[Any, Cases, Kept], object]] = {
    "merge": lambda db, c, k: edge.merge(db, [k.free, k.twin], "theirs"),
    "split": lambda db, c, k: edge.split(db, k.twin, "theirs"),
    "keep apart": lambda db, c, k: edge.apart(db, k.free, k.twin, "theirs"),
    "undo": lambda db, c, k: edge.undo(db, k.act, "theirs"),
    "revoke an edge": lambda db, c, k: edge.revoke(db, k.first, k.edge, "theirs"),
    "say known": lambda db, c, k: public.say(db, k.first, "CVE-2026-0002", [], "theirs"),
    "take known back": lambda db, c, k: public.take_back(db, k.first, k.known, "theirs"),
    "validate": lambda db, c, k: validation.ask(db, k.twin),
    "accept": lambda db, c, k: validation.accept(db, k.first, k.validation, "A", "theirs"),
    "revoke a validation": lambda db, c, k: validation.revoke(db, k.first, k.validation, "theirs"),
    "mark": lambda db, c, k: record.give(db, k.first, "invalid", "theirs"),
    "level": lambda db, c, k: findings.set_level(db, k.first, 3, "theirs"),
    "close": lambda db, c, k: findings.move(db, k.first, "closed", "theirs"),
    "try both": lambda db, c, k: at_desk.ask(db, k.first, k.twin),
    "take out": lambda db, c, k: kept.take_out(db, k.case, k.twin, "theirs"),
    "put in": lambda db, c, k: kept.take(db, k.case, k.free),
    "accept by SQL": lambda db, c, k: db.execute(
        "select clearway.accept_validation(%s, %s, 'A', 'theirs')", (k.first.id, k.validation)
    ),
    "ask the model": lambda db, c, k: assist.ask(db, "summary", finding=k.first),
    "ask the model of the case": lambda db, c, k: assist.ask(db, "summary", case=k.case),
    "put a draft of the model away": lambda db, c, k: assist.discard(db, assist.one(db, k.proposals[0])),
    "put one of the case away": lambda db, c, k: assist.discard(db, assist.one(db, k.proposals[1])),
    "take a draft by SQL": lambda db, c, k: db.execute(
        "select clearway.decide_assist(%s, 'accepted', 'x')", (k.proposals[0],)
    ),
    "ask for its CVE id by SQL": lambda db, c, k: db.execute(
        "select clearway.start_case_job(%s, 'cve')", (k.case.id,)
    ),
    "add a file": lambda db, c, k: _file(db, c, k.first),
}


@pytest.mark.parametrize("what", list(ACTS))
def test_what_is_in_a_case_of_one_house_is_not_another_houses_to_work_on(
    cases: Cases, stood: Kept, elsewhere: Somebody, what: str
) -> None:
    with cases.acting(elsewhere) as db:
        assert findings.one(db, stood.first.handling).case_id == stood.case.id, "it is read"
    with pytest.raises(ForbiddenError), translated(), cases.acting(elsewhere) as db:
        ACTS[what](db, cases, stood)


def test_what_is_in_no_case_is_every_desks(cases: Cases, elsewhere: Somebody) -> None:
    one, other = cases.desk.finding(state="queued"), cases.desk.finding(cases.desk.rival, state="queued")
    with cases.acting(elsewhere) as db:
        act = edge.merge(db, [one, other], "one loop")
        edge.undo(db, act, "two loops")
        public.say(db, one, "CVE-2026-0003", [], "the same lines")
        validation.ask(db, one)


def test_a_reporter_withdraws_what_is_in_any_case(cases: Cases) -> None:
    case = cases.opened()
    with cases.acting() as db:
        (handling,) = kept.findings_of(db, case)
    with cases.acting(cases.desk.finder) as db:
        assert findings.move(db, findings.one(db, handling), "withdrawn", "wrong").state == "withdrawn"


def test_the_last_finding_of_a_case_whose_end_is_armed_stays_until_it_is_disarmed(cases: Cases) -> None:
    one, other = cases.desk.finding(), cases.desk.finding()
    now = datetime.now(UTC)
    with cases.acting() as db:
        case = kept.add(db, cases.house, [one, other])
    cases.drafted(case)
    with cases.acting() as db:
        talk.propose(db, kept.by_id(db, case.id), now + timedelta(days=3), "UTC", now=now)
        talk.accept(db, kept.by_id(db, case.id), now=now)
        release.arm(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, now=now)
        kept.take_out(db, case, one, "another flaw")
    with pytest.raises(ConflictError, match=r"armed.*disarm it first"), translated(), cases.acting() as db:
        kept.take_out(db, case, other, "another flaw")
    with cases.acting() as db:
        embargo.arm(db, case.embargo, None, now=now)
        kept.take_out(db, case, other, "another flaw")
        assert kept.findings_of(db, case) == []
        with pytest.raises(ConflictError, match="no finding"):
            release.arm(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, now=now)
