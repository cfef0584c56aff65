"""A case from its findings to what its parties see, say and agree on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from clearway.access import embargo
from clearway.findings import kept as findings
from clearway.findings.case import kept, party, states, talk, thread
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from findings_case_world import NOW, Cases
from people import Somebody

REAL = datetime.now(UTC)


def test_the_database_has_the_same_machines_as_the_code(cases: Cases) -> None:
    with cases.desk.owner() as db:
        rows = db.execute(
            "select machine, state, act, next, by_whom from clearway.case_transition"
        ).fetchall()
    assert {(m, s, a, n, tuple(sorted(by))) for m, s, a, n, by in rows} == {
        (t.machine, t.state, t.act, t.to, tuple(sorted(t.by))) for t in states.TRANSITIONS
    }


def test_a_case_is_opened_from_findings_and_its_reporter_is_a_party(cases: Cases) -> None:
    case = cases.opened()
    assert case.handling.startswith("CWC-")
    assert (case.title, case.package, case.purl) == (
        "Heap buffer overflow in parse_string", "example", "pkg:pypi/example",
    )  # fmt: skip
    with cases.acting() as db:
        (reporter,) = party.listed(db, case)
        assert (reporter.role, reporter.organisation, reporter.answer) == ("reporter", "lab", "not-asked")
        (handling,) = kept.findings_of(db, case)
        assert findings.one(db, handling).case_id == case.id
    assert {"case.opened", "case.finding_added", "party.added", "embargo.party_added"} <= set(
        cases.desk.acts()
    )


def test_nobody_sees_a_case_but_its_parties_and_the_coordinators(cases: Cases) -> None:
    case = cases.opened()
    for who in (cases.desk.rival, cases.desk.maintainer, cases.desk.operator, None):
        with pytest.raises(NotFoundError), cases.desk.acting(who) as db:
            kept.one(db, case.handling)
    vendor = cases.vendor(case)
    assert cases.again(case, cases.desk.maintainer).id == case.id
    assert cases.again(case, cases.desk.finder).id == case.id
    with cases.acting(cases.desk.maintainer) as db:
        assert kept.findings_of(db, case) == [], "never another's finding"
    with cases.acting() as db:
        party.leave(db, cases.again(case), party.one(db, case, vendor.id), "not theirs")
    with pytest.raises(NotFoundError), cases.acting(cases.desk.maintainer) as db:
        kept.one(db, case.handling)


@pytest.mark.parametrize("who", ["finder", "maintainer", "rival", "operator"])
def test_only_a_coordinator_opens_a_case(cases: Cases, who: str) -> None:
    finding = cases.desk.finding()
    with pytest.raises((ForbiddenError, NotFoundError)), cases.acting(getattr(cases.desk, who)) as db:
        kept.add(db, cases.house, [finding])


def test_a_finding_is_in_one_case(cases: Cases) -> None:
    finding = cases.desk.finding()
    with cases.acting() as db:
        kept.add(db, cases.house, [finding])
    with pytest.raises(ConflictError, match="another case"), cases.acting() as db:
        kept.add(db, cases.house, [finding])


def test_silence_is_an_answer_of_its_own_until_there_is_one(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    assert (vendor.answer, vendor.rm, vendor.vfd) == ("no-answer", "received", "Vfd")
    assert vendor.asked is not None
    with cases.acting(cases.desk.maintainer) as db:
        vendor = party.act(db, cases.again(case), party.one(db, case, vendor.id), "accept")
    assert (vendor.answer, vendor.rm) == ("affected", "accepted")
    assert vendor.answered is not None
    with cases.acting() as db:
        acts = [a.act for a in kept.history(db, cases.desk.vault, case)]
    assert acts == ["accept", "validate", "vendor-aware", "notify"], "each step is on record"


def test_a_vendor_moves_its_own_line_and_no_other(cases: Cases) -> None:
    case = cases.opened()
    vendor, other = cases.vendor(case), cases.by_mail(case)
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        party.act(db, case, party.one(db, case, other.id), "accept")
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.finder) as db:
        party.act(db, case, party.one(db, case, vendor.id), "accept")
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        kept.move(db, case, "public", "made-public")
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        db.execute("select clearway.answer_case(%s, 'no-answer', '')", (vendor.id,))


def test_an_illegal_act_is_refused_by_the_database_whoever_asks(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with pytest.raises(ConflictError, match="not done from"), cases.acting() as db:
        kept.move(db, case, "report", "close", party=vendor.id)
    with pytest.raises(ConflictError), cases.desk.owner() as db:
        kept.move(db, case, "vendor", "fix-deployed", party=vendor.id)


def test_a_dispute_needs_reasons_and_makes_the_report_invalid(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with pytest.raises(InputError, match="reasons"), cases.acting(cases.desk.maintainer) as db:
        party.act(db, case, vendor, "dispute", " ")
    with cases.acting(cases.desk.maintainer) as db:
        told = party.act(
            db, case, vendor, "dispute", "The caller must end the string.", vault=cases.desk.vault
        )
    assert (told.answer, told.rm, told.reasons(cases.desk.vault, case)) == (
        "disputed",
        "invalid",
        "The caller must end the string.",
    )


def test_a_receivers_own_limit_makes_it_wait_its_turn(cases: Cases) -> None:
    from clearway.findings.intake import limit
    from clearway.records.principal import Membership

    case = cases.opened(package="limited", purl="pkg:pypi/limited@1")
    maintains = Membership(
        org=cases.desk.vendor, slug="vendor", name="Vendor", kind="vendor", rights=("maintain",)
    )
    with cases.acting(cases.desk.maintainer) as db:
        limited = limit.put(db, maintains, "PyPI", "limited", per_week=0)
    with cases.acting() as db:
        limit.confirm(db, limited.id, holds=True)
    vendor = cases.vendor(case)
    assert (vendor.rm, vendor.answer) == ("start", "not-asked")
    assert "0 in seven days" in vendor.waits


def test_escalation_is_due_by_days_of_silence_and_ends_with_an_orphan(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with pytest.raises(ConflictError), cases.acting() as db:
        party.declare_orphan(db, case, cases.desk.vendor, "gone")
    for days, step in ((8, "remind"), (15, "another-contact"), (31, "escalate"), (46, "unreachable")):
        with cases.acting() as db:
            vendor = party.take_step(db, case, vendor, step, REAL + timedelta(days=days))  # type: ignore[arg-type]
        with pytest.raises(ConflictError, match="not due"), cases.acting() as db:
            party.take_step(db, case, vendor, step, REAL + timedelta(days=days))  # type: ignore[arg-type]
    with cases.acting() as db:
        patcher = party.declare_orphan(db, cases.again(case), cases.desk.lab, "the repository is archived")
    assert (patcher.role, patcher.organisation, patcher.rm) == ("patcher", "lab", "received")
    assert cases.again(case).orphan == "the repository is archived"


def test_a_date_is_proposed_in_a_zone_answered_by_each_party_and_agreed(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    now = datetime.now(UTC)
    until = (now + timedelta(days=30)).replace(tzinfo=None, microsecond=0)
    with cases.acting(cases.desk.maintainer) as db:
        made = talk.propose(db, case, until, "Europe/Berlin", now=now, party=vendor.id)
    assert made.until.utcoffset() == timedelta(0)
    assert made.zone == "Europe/Berlin"
    assert made.until != until.replace(tzinfo=UTC), "the zone counts"
    with pytest.raises(ConflictError, match="another proposal"), cases.acting(cases.desk.finder) as db:
        talk.propose(db, cases.again(case), until, "UTC", now=now)
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.finder) as db:
        talk.consent(db, case, made, vendor.id, "agrees")
    with cases.acting(cases.desk.finder) as db:
        (reporter,) = [p for p in party.listed(db, case) if p.role == "reporter"]
        told = talk.consent(db, case, made, reporter.id, "disagrees", "too long", vault=cases.desk.vault)
        shown = talk.shown(db, cases.desk.vault, case)
    assert [c.said for c in told.consents] == ["disagrees"]
    assert shown is not None
    assert [(c.said, c.why) for c in shown.consents] == [("disagrees", "too long")]
    with pytest.raises((ForbiddenError, ConflictError)), cases.acting(cases.desk.maintainer) as db:
        talk.accept(db, cases.again(case), now=now)
    with cases.acting() as db:
        case = talk.accept(db, cases.again(case), now=now)
    assert (case.em, case.until, case.zone) == ("active", made.until, "Europe/Berlin")
    with cases.acting() as db:
        assert embargo.one(db, case.embargo).until is None, "an agreed day ends nothing by itself"


def test_a_public_flaw_leaves_no_time_to_be_agreed_on(cases: Cases) -> None:
    case = cases.opened()
    with cases.acting() as db:
        kept.move(db, case, "public", "attacks-observed", "seen in the wild", vault=cases.desk.vault)
    with pytest.raises(ConflictError, match="can only end"), cases.acting() as db:
        talk.propose(db, cases.again(case), NOW + timedelta(days=30), "UTC", now=NOW)


@pytest.mark.parametrize(
    ("until", "zone", "place"),
    [
        (NOW - timedelta(hours=1), "UTC", "until"),
        (NOW + timedelta(days=400), "UTC", "until"),
        (NOW + timedelta(days=9), "Mars/Olympus", "zone"),
        (NOW + timedelta(days=9), "../../etc/passwd", "zone"),
        (NOW + timedelta(days=9), "localtime", "zone"),
        (NOW + timedelta(days=9), "posix/UTC", "zone"),
        (datetime(2027, 3, 28, 2, 30), "Europe/Berlin", "until"),
        (datetime(2027, 10, 31, 2, 30), "Europe/Berlin", "until"),
    ],
)
def test_a_date_that_is_none_is_refused(until: datetime, zone: str, place: str) -> None:
    with pytest.raises(InputError) as told:
        talk.checked(until, zone, NOW)
    assert told.value.where == place


def test_a_proposal_whose_hour_has_passed_is_refused_and_not_agreed(cases: Cases) -> None:
    case = cases.opened()
    now = datetime.now(UTC)
    with cases.acting() as db:
        talk.propose(db, case, now + timedelta(seconds=6), "UTC", now=now)
    with pytest.raises(ConflictError, match="has passed") as told, cases.acting() as db:
        talk.accept(db, cases.again(case), now=now + timedelta(seconds=6))
    assert "propose a later one" in told.value.mend
    again = cases.again(case)
    assert (again.em, again.until) == ("proposed", None)
    with cases.acting() as db:
        assert talk.refuse(db, again).em == "none"
    with cases.acting() as db:
        talk.propose(db, cases.again(case), now + timedelta(days=2), "UTC", now=now)
    with cases.acting() as db:
        assert talk.accept(db, cases.again(case), now=now).em == "active"


def test_a_thread_of_one_party_is_for_it_and_the_coordinators_alone(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    desk = cases.desk
    with cases.acting() as db:
        every = thread.add(db, cases.desk.vault, case, "The flaw")
        own = thread.add(db, cases.desk.vault, case, "Your fix", to=vendor.id)
        thread.say(db, desk.vault, case, every, "Welcome all.")
        thread.say(db, desk.vault, case, own, "How is the fix?")

    def seen(who: Somebody) -> list[int]:
        with cases.acting(who) as db:
            return [t.id for t in thread.listed(db, case)]

    assert seen(desk.maintainer) == [every.id, own.id]
    assert seen(desk.finder) == [every.id]
    with cases.acting(desk.maintainer) as db:
        thread.say(db, desk.vault, case, own, "Nearly <b>done</b>.", speaker=vendor.id)
        assert [m.text for m in thread.read(db, desk.vault, case, own)] == [
            "How is the fix?",
            "Nearly <b>done</b>.",
        ]
    with pytest.raises(ForbiddenError), cases.acting(desk.maintainer) as db:
        thread.say(db, desk.vault, case, own, "as the desk")
    with cases.acting(desk.finder) as db:
        (reporter,) = [p for p in party.listed(db, case) if p.role == "reporter"]
    with pytest.raises(ForbiddenError), cases.acting(desk.maintainer) as db:
        thread.say(db, desk.vault, case, every, "as another", speaker=reporter.id)
    with desk.owner() as db:
        for (sealed,) in db.execute("select sealed from clearway.case_message"):
            assert b"fix" not in bytes(sealed), "a copy of the database holds no talk"
    assert "content.read" in desk.acts()


def test_a_closed_case_stands_still(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with cases.acting() as db:
        case = kept.close(db, cases.again(case), "a duplicate")
    with pytest.raises(ConflictError), cases.acting() as db:
        kept.move(db, case, "report", "validate", party=vendor.id)
    with pytest.raises(ConflictError), cases.acting() as db:
        thread.add(db, cases.desk.vault, case, "more")
