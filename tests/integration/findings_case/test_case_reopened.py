"""A closed case is opened again by a coordinator with a reason: it stands where it stood, and what is out stays out."""

from __future__ import annotations

import pytest

from clearway.findings.case import draft, kept, party
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from clearway.store.connect import translated
from findings_case_world import Cases, a_draft


def closed(cases: Cases) -> kept.Case:
    case = cases.opened()
    cases.vendor(case)
    with cases.acting() as db:
        return kept.close(db, cases.again(case), "nobody answers")


def test_it_goes_on_where_it_stood_and_the_history_says_why(cases: Cases) -> None:
    case = closed(cases)
    with pytest.raises(ConflictError), cases.acting() as db:
        kept.close(db, case, "again")
    with pytest.raises(ConflictError, match="closed"), cases.acting() as db:
        draft.put(db, cases.desk.vault, case, a_draft(), "First")
    with cases.acting() as db:
        opened = kept.reopen(db, case, "a vendor has answered after all")
        assert opened.closed is None
        assert (opened.em, opened.pxa, opened.version) == (case.em, case.pxa, case.version + 1)
        first, second = kept.history(db, cases.desk.vault, opened)[:2]
    assert [(a.machine, a.act, a.was, a.now, a.why) for a in (first, second)] == [
        ("case", "reopen", "closed", "open", "a vendor has answered after all"),
        ("case", "close", "open", "closed", "nobody answers"),
    ]
    assert [a for a in cases.desk.acts() if a in ("case.closed", "case.reopened")][-2:] == [
        "case.closed", "case.reopened",
    ]  # fmt: skip
    assert cases.drafted(case) == 1


@pytest.mark.parametrize("why", ["", "  "])
def test_without_a_reason_it_stays_closed(cases: Cases, why: str) -> None:
    case = closed(cases)
    with pytest.raises(InputError, match="why"), cases.acting() as db:
        kept.reopen(db, case, why)
    with pytest.raises(InputError, match="why"), translated(), cases.acting() as db:
        db.execute("select clearway.move_case(%s, null, 'case', 'reopen', %s)", (case.id, why))
    assert cases.again(case).closed is not None


def test_an_open_case_is_not_opened(cases: Cases) -> None:
    with pytest.raises(ConflictError), cases.acting() as db:
        kept.reopen(db, cases.opened(), "why not")


@pytest.mark.parametrize("who", ["maintainer", "finder", "operator"])
def test_nobody_but_a_coordinator_opens_or_closes_it(cases: Cases, who: str) -> None:
    case = closed(cases)
    with pytest.raises((ForbiddenError, NotFoundError)), cases.acting(getattr(cases.desk, who)) as db:
        kept.reopen(db, case, "it is ours")
    with cases.acting() as db:
        case = kept.reopen(db, case, "it goes on")
    with pytest.raises((ForbiddenError, NotFoundError)), cases.acting(getattr(cases.desk, who)) as db:
        kept.close(db, case, "we are done")
    assert cases.again(case).closed is None


def test_a_report_that_a_vendor_has_closed_is_received_anew(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with cases.acting(cases.desk.maintainer) as db:
        for act in ("accept", "close"):
            vendor = party.act(db, cases.again(case), vendor, act)
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        party.act(db, case, vendor, "reopen", "we think again", vault=cases.desk.vault)
    with pytest.raises(InputError), cases.acting() as db:
        party.act(db, case, vendor, "reopen")
    with cases.acting() as db:
        vendor = party.act(
            db, cases.again(case), vendor, "reopen", "the fix does not hold", vault=cases.desk.vault
        )
    assert vendor.rm == "received"
    with cases.acting(cases.desk.maintainer) as db:
        assert party.act(db, cases.again(case), vendor, "accept").rm == "accepted"


def test_what_was_made_public_stays_so(cases: Cases) -> None:
    case = cases.opened()
    with cases.acting() as db:
        case = kept.move(db, case, "public", "attacks-observed", "seen in a honeypot", vault=cases.desk.vault)
        case = kept.move(db, case, "embargo", "terminate", "it can't hold", vault=cases.desk.vault)
        case = kept.reopen(db, kept.close(db, case, "done"), "more is known")
    assert (case.em, case.pxa) == ("exited", "pxA")
    with pytest.raises(ConflictError), cases.acting() as db:
        kept.move(db, case, "embargo", "propose")
