"""Who is told and when, whose silence counts, whose words stand: parties of a case as they come, speak and go."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from clearway.access import embargo
from clearway.findings.case import draft, escalate, kept, party, talk, tasks, thread
from clearway.findings.case import settings as setting
from clearway.records.errors import ClearwayError, ConflictError, ForbiddenError, InputError, NotFoundError
from findings_case_world import Cases
from people import Somebody
from site_client import Site, site, words

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def sees(cases: Cases, case: kept.Case, who: Somebody) -> bool:
    try:
        cases.again(case, who)
    except NotFoundError:
        return False
    return True


def test_a_vendor_reads_the_case_once_it_is_asked_and_not_before(cases: Cases, served: Site) -> None:
    case = cases.opened()
    vendor = cases.vendor(case, asked=False)
    maintainer = cases.desk.maintainer
    assert not sees(cases, case, maintainer)
    served.api(maintainer.secret, "GET", f"/api/v1/cases/{case.handling}", 404)
    with cases.acting(maintainer) as db:
        told = db.execute(
            "select count(*) from clearway.event where subject = %s", (case.subject,)
        ).fetchone()
        assert told == (0,)
    with cases.acting() as db:
        party.ask(db, cases.again(case), vendor)
    assert sees(cases, case, maintainer)
    with cases.acting() as db:
        party.leave(db, cases.again(case), party.one(db, case, vendor.id), "not theirs")
    assert not sees(cases, case, maintainer)


def test_a_vendor_that_waits_its_turn_reads_nothing_until_it_comes(cases: Cases) -> None:
    from clearway.findings.intake import limit
    from clearway.records.principal import Membership

    maintains = Membership(
        org=cases.desk.vendor, slug="vendor", name="Vendor", kind="vendor", rights=("maintain",)
    )
    with cases.acting(cases.desk.maintainer) as db:
        limited = limit.put(db, maintains, "PyPI", "waits", per_week=0)
    with cases.acting() as db:
        limit.confirm(db, limited.id, holds=True)
    case = cases.opened(package="waits", purl="pkg:pypi/waits@1")
    assert cases.vendor(case).waits
    assert not sees(cases, case, cases.desk.maintainer)
    with cases.acting(cases.desk.maintainer) as db:
        limit.end(db, limited.id)
    tasks.take_turns(cases.desk.owner)
    assert sees(cases, case, cases.desk.maintainer)


def test_an_organisation_that_reports_and_maintains_keeps_what_either_gives_it(cases: Cases) -> None:
    case = cases.opened()
    with cases.acting() as db:
        as_reporter = party.add(db, case, role="reporter", member=cases.desk.vendor)
        as_vendor = party.add(db, cases.again(case), role="vendor", member=cases.desk.vendor)
    assert sees(cases, case, cases.desk.maintainer), "as a reporter"
    with cases.acting() as db:
        party.leave(db, cases.again(case), as_reporter, "by mistake")
    assert not sees(cases, case, cases.desk.maintainer), "as a vendor it was not asked"
    with cases.acting() as db:
        party.ask(db, cases.again(case), as_vendor)
    assert sees(cases, case, cases.desk.maintainer)


def test_nobody_is_let_into_a_case_beside_its_status_matrix(cases: Cases, served: Site) -> None:
    case = cases.opened()
    with pytest.raises(ConflictError, match="add one there"), cases.acting() as db:
        embargo.set_party(db, case.embargo, org=cases.desk.water)
    with pytest.raises(ConflictError, match="add one there"), cases.acting() as db:
        embargo.set_party(db, case.embargo, person=cases.desk.operator.person)
    assert not sees(cases, case, cases.desk.operator)
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.finder) as db:
        db.execute("select clearway.case_door(%s, %s)", (case.id, cases.desk.water))
    with pytest.raises(NotFoundError), cases.acting(cases.desk.rival) as db:
        db.execute("select clearway.case_door(%s, %s)", (case.id, cases.desk.rival_org))


@pytest.mark.parametrize(
    ("acts", "answer"),
    [
        (("invalidate",), "not-affected"),
        (("validate",), "investigating"),
        (("defer",), "investigating"),
        (("invalidate", "close"), "not-affected"),
        (("invalidate", "accept"), "affected"),
        (("fix-ready",), "fixed"),
    ],
)
def test_whatever_a_vendor_does_it_is_silent_no_more(
    cases: Cases, acts: tuple[str, ...], answer: str
) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    for act in acts:
        with cases.acting(cases.desk.maintainer) as db:
            vendor = party.act(db, cases.again(case), party.one(db, case, vendor.id), act)
    assert vendor.answer == answer
    assert vendor.answered is not None
    with cases.desk.owner() as db:
        db.execute(
            "update clearway.case_party set asked = now() - interval '46 days' where party = %s", (vendor.id,)
        )
    with cases.acting() as db:
        vendor = party.one(db, case, vendor.id)
        assert escalate.due(vendor.standing, NOW) == ""
        with pytest.raises(ConflictError):
            party.declare_orphan(db, case, cases.desk.water, "nobody is there")


def test_what_the_desk_does_in_a_vendors_name_ends_no_silence(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with cases.acting() as db:
        assert party.act(db, cases.again(case), vendor, "validate").answer == "no-answer"


def test_a_vendor_that_answers_late_makes_the_product_no_orphan(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with cases.desk.owner() as db:
        db.execute("update clearway.case_party set step = 'unreachable' where party = %s", (vendor.id,))
    with cases.acting(cases.desk.maintainer) as db:
        party.answer(db, cases.again(case), party.one(db, case, vendor.id), "investigating")
    with pytest.raises(ConflictError, match="may still answer"), cases.acting() as db:
        party.declare_orphan(db, cases.again(case), cases.desk.water, "nobody is there")


def test_a_vendor_that_comes_back_is_unreachable_no_longer_and_its_product_no_orphan(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    for days, step in ((46, "remind"), (54, "unreachable")):
        with cases.acting() as db:
            vendor = party.take_step(db, case, vendor, step, NOW + timedelta(days=days))  # type: ignore[arg-type]
    with cases.acting() as db:
        party.declare_orphan(db, cases.again(case), cases.desk.water, "nobody is there")
    with cases.acting(cases.desk.maintainer) as db:
        vendor = party.act(db, cases.again(case), party.one(db, case, vendor.id), "accept")
    assert (vendor.step, vendor.reminded, vendor.answer) == ("", None, "affected")
    assert cases.again(case).orphan == ""
    with cases.desk.owner() as db:
        told = db.execute(
            "select count(*) from clearway.event where subject = %s and kind = 'case.orphan_ended'",
            (case.subject,),
        ).fetchone()
    assert told == (1,)


@pytest.mark.parametrize("role", ["reporter", "coordinator", "operator"])
def test_who_has_no_product_in_the_case_moves_no_vendors_machine(cases: Cases, role: str) -> None:
    case = cases.opened()
    with cases.acting() as db:
        other = party.add(db, case, role=role, member=cases.desk.water)
    for act in ("vendor-aware", "fix-ready", "dispute", "validate", "accept"):
        with pytest.raises(InputError, match=f"in the role of {role}"), cases.acting() as db:
            party.act(db, cases.again(case), other, act, "it is meant so", vault=cases.desk.vault)
    with pytest.raises(InputError, match=f"in the role of {role}"), cases.acting() as db:
        party.answer(db, cases.again(case), other, "disputed", "it is meant so", vault=cases.desk.vault)
    for sql in (
        "select clearway.move_case(%(case)s, %(party)s, 'vendor', 'vendor-aware', '')",
        "select clearway.move_case(%(case)s, %(party)s, 'report', 'notify', '')",
        "select clearway.answer_case(%(party)s, 'disputed', 'it is meant so')",
    ):
        with pytest.raises(InputError, match=f"in the role of {role}"), cases.acting() as db:
            db.execute(sql, {"case": case.id, "party": other.id})


def test_a_dispute_of_who_is_no_vendor_stands_in_no_document(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with cases.acting(cases.desk.maintainer) as db:
        party.answer(db, cases.again(case), vendor, "disputed", "it is meant so", vault=cases.desk.vault)
    with cases.desk.owner() as db:  # as one could be kept before
        db.execute(
            """update clearway.case_party set answer = 'disputed', answer_why = 'and so do we', answered = now()
            where case_id = %s and role = 'reporter'""",
            (case.id,),
        )
    cases.drafted(case)
    made = documents(cases, case)
    assert [d["party"] for d in made["osv"]["database_specific"]["disputed_by"]] == ["Vendor"]
    assert "and so do we" not in json.dumps(made)


def documents(cases: Cases, case: kept.Case) -> dict[str, Any]:
    publisher = setting.read(cases.desk.home).publisher
    with cases.acting() as db:
        made = draft.advisory(db, cases.desk.vault, cases.again(case), publisher, NOW)
    return {kind: json.loads(body) for kind, body in draft.documents(made).items()}


def test_a_dispute_travels_with_the_record_though_its_party_has_left(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    vendor = cases.vendor(case)
    with cases.acting(cases.desk.maintainer) as db:
        party.answer(
            db, cases.again(case), party.one(db, case, vendor.id), "disputed", "Works as documented.",
            vault=cases.desk.vault,
        )  # fmt: skip
    with cases.acting() as db:
        party.leave(db, cases.again(case), party.one(db, case, vendor.id), "left in anger")
    made = documents(cases, case)
    assert "Works as documented." in json.dumps(made["csaf"])
    assert "Works as documented." in json.dumps(made["osv"])
    statuses = [i["status"] for i in made["csaf"]["vulnerabilities"][0]["involvements"]]
    assert statuses == ["completed", "disputed"]


def test_two_vendors_of_one_second_are_both_in_the_record(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    for number in range(3):
        cases.by_mail(case, f"v{number}@example.org")
    with cases.desk.owner() as db:
        db.execute("update clearway.case_party set asked = %s where case_id = %s", (NOW, case.id))
    involved = documents(cases, case)["csaf"]["vulnerabilities"][0]["involvements"]
    assert [i["summary"] for i in involved[1:]] == ["A maintainer; A maintainer; A maintainer"]


def test_who_reports_and_maintains_speaks_in_the_thread_of_either(cases: Cases, served: Site) -> None:
    case = cases.opened()
    both = cases.desk.people.somebody(cases.desk.vendor, "maintainer", "finder")
    with cases.acting() as db:
        reporter = party.add(db, case, role="reporter", member=cases.desk.vendor)
    vendor = cases.vendor(case)
    at = f"/cases/{case.handling}/threads"
    for number in (reporter.id, vendor.id):
        with cases.acting() as db:
            own = thread.add(db, cases.desk.vault, cases.again(case), "Yours", to=number)
        served.api(both.secret, "POST", f"/api/v1{at}/{own.id}/messages", 201, {"text": "by API"})
        served.post(both.cookie, f"{at}/{own.id}", text="by page")
        with cases.acting() as db:
            assert {m.party for m in thread.read(db, cases.desk.vault, case, own)} == {number}


def test_a_coordinator_beside_the_desk_is_not_asked_and_has_no_button(cases: Cases, served: Site) -> None:
    case = cases.opened()
    with cases.acting() as db:
        made = party.add(db, case, role="coordinator", member=cases.desk.water)
    with pytest.raises(InputError, match="a coordinator is not asked"), cases.acting() as db:
        party.ask(db, cases.again(case), made)
    shown = words(served.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}"))
    assert "Ask it" not in shown


def test_parties_learn_nothing_of_other_reports(cases: Cases) -> None:
    one, other = cases.desk.finding(), cases.desk.finding(cases.desk.rival)
    with cases.acting() as db:
        case = kept.add(db, cases.house, [one, other])
    for who, foreign in ((cases.desk.finder, other), (cases.desk.rival, one)):
        with cases.acting(who) as db:
            said = db.execute(
                "select act, content::text from clearway.log_entry where subject = %s", (case.subject,)
            ).fetchall()
            told = db.execute(
                "select kind from clearway.event where subject = %s", (case.subject,)
            ).fetchall()
        assert foreign.handling not in str(said)
        assert [a for a, _ in said].count("case.finding_added") == 1
        assert [k for (k,) in told].count("case.finding_added") == 1
    with cases.acting() as db:
        said = db.execute(
            "select content::text from clearway.log_entry where subject = %s", (case.subject,)
        ).fetchall()
    assert one.handling in str(said)
    assert other.handling in str(said)


def test_mail_addresses_of_the_directory_are_for_coordinators(cases: Cases, served: Site) -> None:
    for given in ({"email": "quiet@example.org"}, {"organisation": cases.desk.vendor}):
        served.api(
            cases.desk.coordinator.secret, "POST", "/api/v1/cases/routes", 201, {"pattern": "hush", **given}
        )
    shown = served.api(cases.desk.coordinator.secret, "GET", "/api/v1/cases/routes").json()["routes"]
    mailed = next(r for r in shown if r["email"] == "quiet@example.org")
    for who in (cases.desk.finder, cases.desk.operator, cases.desk.maintainer):
        told = served.api(who.secret, "GET", "/api/v1/cases/routes").text
        assert "quiet@example.org" not in told
        assert "hush" in told, "whom of those here one asks"
        with cases.acting(who) as db:
            logged = db.execute(
                "select count(*) from clearway.log_entry where subject = %s", (f"route/{mailed['id']}",)
            ).fetchone()
        assert logged == (0,)
    left = served.api(cases.desk.coordinator.secret, "POST", f"/api/v1/cases/routes/{mailed['id']}/end")
    assert "quiet@example.org" not in left.text


BARE = """insert into clearway.case_proposal (case_id, org, aud, party, until, zone)
    values (%s, %s, %s, %s, now() + interval '1 day', 'UTC')"""


def test_sql_with_a_partys_key_jams_no_embargo(cases: Cases) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    with pytest.raises((ClearwayError, psycopg.Error)), cases.acting(cases.desk.maintainer) as db:
        db.execute(BARE, (case.id, case.org, case.aud, vendor.id))
    # a move without a proposal behind it is no dead end either
    with cases.acting(cases.desk.maintainer) as db:
        db.execute("select clearway.move_case(%s, null, 'embargo', 'propose', '')", (case.id,))
    with cases.acting() as db:
        assert talk.refuse(db, cases.again(case)).em == "none"
    with cases.acting(cases.desk.maintainer) as db:
        db.execute("select clearway.move_case(%s, null, 'embargo', 'propose', '')", (case.id,))
    with cases.acting(cases.desk.maintainer) as db:
        talk.propose(db, cases.again(case), NOW + timedelta(days=9), "UTC", now=NOW, party=vendor.id)
    with cases.acting() as db:
        assert talk.accept(db, cases.again(case), now=NOW).em == "active"


@pytest.mark.parametrize("kind", ["released", "asked", "link", "reminded", "joined"])
def test_sql_with_a_partys_key_sends_no_letter_that_is_not_its_own(cases: Cases, kind: str) -> None:
    case = cases.opened()
    cases.vendor(case)
    cases.by_mail(case)
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        db.execute("select clearway.queue_letters(%s, %s, null, null)", (case.id, kind))


def test_no_letter_says_under_embargo_that_it_has_ended(cases: Cases) -> None:
    case = cases.opened()
    cases.by_mail(case)
    with pytest.raises(ConflictError, match="not ended"), cases.acting() as db:
        db.execute("select clearway.queue_letters(%s, 'released', null, null)", (case.id,))
