"""What a desk can take back, what it can't do by mistake, and who acts in whose case."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec
import pytest

from clearway.access import clockwatch, embargo
from clearway.findings import kept as findings
from clearway.findings.case import credits, cve_id, draft, kept, party, release, talk, thread
from clearway.findings.case.kept import Case
from clearway.formats.report_advisory import Product
from clearway.records.clock import SystemClock
from clearway.records.errors import (
    ClearwayError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
)
from findings_case_world import Cases, a_draft
from people import Somebody
from site_client import Site, site


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


def released(cases: Cases, case: Case) -> None:
    with cases.acting() as db:
        one = kept.by_id(db, case.id)
        release.release(db, cases.desk.vault, one, cases.desk.home, "out", now=datetime.now(UTC))


def published(cases: Cases, *waiting: int) -> int:
    return release.publish_all(cases.desk.owner, cases.world.url, cases.world.home, waiting, SystemClock())


def armed(cases: Cases, case: Case) -> None:
    now = datetime.now(UTC)
    with cases.acting() as db:
        talk.propose(db, kept.by_id(db, case.id), now + timedelta(seconds=30), "UTC", now=now)
    with cases.acting() as db:
        talk.accept(db, kept.by_id(db, case.id), now=now)
    with cases.acting() as db:
        release.arm(
            db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, now=now, on_exploitation=True
        )


def hour_comes(cases: Cases) -> list[int]:
    """A minute later: embargoes end by their clock, and cases follow."""
    with cases.desk.owner() as db:
        embargo.carry_out(
            db, clockwatch.Reading(wall=datetime.now(UTC) + timedelta(minutes=1), boot="a", up_s=60.0)
        )
    with cases.desk.owner() as db:
        return release.settle(db)


def slipped_in(cases: Cases, case: Case) -> None:
    """A draft from before drafts were tried: its description holds a NUL."""
    data = msgspec.json.encode(msgspec.structs.replace(a_draft(), description="a\x00b"))
    sealed = cases.desk.vault.seal(case.subject, data, label="draft/1")
    with cases.desk.owner() as db:
        db.execute(
            """insert into clearway.case_draft (case_id, number, org, aud, summary, sealed, sha256)
            values (%s, 1, %s, %s, 'first', %b, %s)""",
            (case.id, case.org, case.aud, sealed, sha256(data).digest()),
        )


@pytest.mark.parametrize(
    "facts",
    [
        {"description": "a\x00b"},
        {"title": "\x1b[31mred"},
        {"products": (Product(purl="pkg:pypi/example", introduced="2.0", fixed="1.0"),)},
        {"products": (Product(purl="pkg:pypi/example", versions=("all",)),)},
    ],
    ids=["a NUL", "an escape", "reversed", "a range as a version"],
)
def test_what_could_not_be_published_is_no_draft(cases: Cases, facts: dict[str, Any]) -> None:
    case = cases.opened()
    made = msgspec.structs.replace(a_draft(), **facts)
    with pytest.raises(InputError), cases.acting() as db:
        draft.put(db, cases.desk.vault, case, made, "first")
    with cases.acting() as db:
        assert draft.listed(db, case) == []


def test_a_case_that_cant_be_published_keeps_no_other_back_and_its_next_draft_goes_out(cases: Cases) -> None:
    bad, good = cases.opened(), cases.opened()
    slipped_in(cases, bad)
    with cases.acting() as db:
        embargo.release(db, bad.embargo, "it ended elsewhere")
    cases.drafted(good)
    released(cases, good)
    with cases.desk.owner() as db:
        waiting = release.settle(db)
    assert waiting == [bad.id, good.id]
    with pytest.raises(ClearwayError):
        published(cases, *waiting)
    assert cases.again(good).published is not None
    assert cases.again(bad).published is None
    with pytest.raises(NotFoundError), cases.desk.acting(None) as db:
        release.document(db, bad.handling, "csaf")
    cases.drafted(bad)
    with cases.desk.owner() as db:
        assert published(cases, *release.settle(db)) == 1
    assert cases.again(bad).published is not None
    with cases.desk.acting(None) as db:
        document = json.loads(release.document(db, bad.handling, "csaf"))
    assert len(document["document"]["tracking"]["revision_history"]) == 1, "what was never out is no revision"


def test_published_by_two_at_once_it_is_told_once(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    released(cases, case)
    assert at_once(*(lambda: published(cases, case.id) for _ in range(3))) == [1, 1, 1]
    with cases.desk.owner() as db:
        for table, column, named in (("log_entry", "act", "subject"), ("event", "kind", "subject")):
            told = db.execute(
                f"select count(*) from clearway.{table} where {column} = 'case.published' and {named} = %s",
                (case.subject,),
            ).fetchone()
            assert told == (1,), table


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each of these came to, done in threads of their own that begin together."""
    found: list[Any] = [None] * len(acts)
    gate = threading.Barrier(len(acts))

    def run(n: int, act: Callable[[], Any]) -> None:
        gate.wait()
        try:
            found[n] = act()
        except ClearwayError as error:
            found[n] = error

    threads = [threading.Thread(target=run, args=(n, act)) for n, act in enumerate(acts)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return found


def test_of_releases_at_once_one_is_done_and_the_others_come_too_late(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    found = at_once(*(lambda: released(cases, case) for _ in range(4)))
    assert found.count(None) == 1
    assert {type(e) for e in found if e is not None} == {ConflictError}


def test_drafts_at_once_are_versions_one_after_the_other(cases: Cases) -> None:
    case = cases.opened()
    assert sorted(at_once(*(lambda: cases.drafted(case) for _ in range(3)))) == [1, 2, 3]


def test_a_finding_is_taken_out_again_and_its_reporter_with_it(cases: Cases) -> None:
    mine, other = cases.desk.finding(), cases.desk.finding(cases.desk.rival)
    with cases.acting() as db:
        case = kept.add(db, cases.house, [findings.one(db, f.handling) for f in (mine, other)])
    with cases.acting() as db:
        kept.take_out(db, case, findings.one(db, other.handling), "another flaw")
    with pytest.raises(NotFoundError), cases.acting(cases.desk.rival) as db:
        kept.one(db, case.handling)
    with cases.acting() as db:
        assert kept.findings_of(db, case) == [mine.handling]
        with pytest.raises(NotFoundError, match="not in this case"):
            kept.take_out(db, case, findings.one(db, other.handling), "again")
        assert kept.add(db, cases.house, [findings.one(db, other.handling)]).handling != case.handling
    cases.drafted(case)
    released(cases, case)
    with pytest.raises(ConflictError, match="released"), cases.acting() as db:
        kept.take_out(db, cases.again(case), findings.one(db, mine.handling), "too late")


def test_a_case_that_is_closed_gives_its_findings_back_and_takes_the_free_ones_when_opened_again(
    cases: Cases,
) -> None:
    one, two = cases.desk.finding(), cases.desk.finding()
    with cases.acting() as db:
        case = kept.add(db, cases.house, [findings.one(db, f.handling) for f in (one, two)])
    with cases.acting() as db:
        kept.close(db, case, "opened by mistake")
        assert kept.findings_of(db, case) == []
    with cases.acting() as db:
        other = kept.add(db, cases.house, [findings.one(db, two.handling)])
    with cases.acting() as db:
        kept.reopen(db, cases.again(case), "it was none")
        assert kept.findings_of(db, case) == [one.handling]
        assert kept.findings_of(db, other) == [two.handling]


def test_a_published_case_keeps_its_findings_when_it_is_closed(cases: Cases) -> None:
    case = cases.opened()
    cases.drafted(case)
    released(cases, case)
    published(cases, case.id)
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, case.id), "done")
        assert len(kept.findings_of(db, case)) == 1


def test_an_armed_case_that_is_closed_is_disarmed_so_that_no_embargo_ends_with_nothing_published(
    cases: Cases,
) -> None:
    case = cases.opened()
    cases.drafted(case)
    armed(cases, case)
    with cases.acting() as db:
        kept.close(db, kept.by_id(db, case.id), "a duplicate")
    assert case.id not in hour_comes(cases)
    with cases.acting() as db:
        held = embargo.one(db, case.embargo)
    assert (held.ended_by, held.until, held.on_exploitation) == (None, None, False)
    assert "embargo.disarmed" in cases.desk.acts()


@pytest.fixture(scope="module")
def elsewhere(cases: Cases) -> Somebody:
    """Coordinates for another clearinghouse."""
    people = cases.desk.people
    return people.somebody(people.org(f"other-{id(cases)}", "clearinghouse"), "coordinator")


def acts_of_the_desk(cases: Cases, case: Case, vendor: int) -> dict[str, Callable[[Any], object]]:
    vault, home, now = cases.desk.vault, cases.desk.home, datetime.now(UTC)
    return {
        "draft": lambda db: draft.put(db, vault, case, a_draft(), "theirs"),
        "arm": lambda db: release.arm(db, vault, case, home, now=now),
        "release": lambda db: release.release(db, vault, case, home, "now", now=now),
        "observe": lambda db: release.observe(db, vault, case, home, "made-public", "seen", now=now),
        "close": lambda db: kept.close(db, case, "theirs"),
        "cve": lambda db: cve_id.assign(db, case, "CVE-2026-55555"),
        "decide": lambda db: talk.accept(db, case, now=now),
        "propose": lambda db: talk.propose(db, case, now + timedelta(days=3), "UTC", now=now),
        "thread": lambda db: thread.add(db, cases.desk.vault, case, "ours"),
        "private thread": lambda db: thread.add(db, cases.desk.vault, case, "ours", to=vendor),
        "party": lambda db: party.add(db, case, role="vendor", member=cases.desk.water),
        "mail party": lambda db: party.add(db, case, role="vendor", name="x", email="x@example.org"),
        "leave": lambda db: party.leave(db, case, party.one(db, case, vendor), "theirs"),
        "act": lambda db: party.act(db, case, party.one(db, case, vendor), "accept"),
        "answer": lambda db: party.answer(db, case, party.one(db, case, vendor), "affected"),
        "take": lambda db: kept.take(db, case, findings.one(db, cases.desk.finding().handling)),
        "take out": lambda db: kept.take_out(
            db, case, findings.one(db, kept.findings_of(db, case)[0]), "theirs"
        ),
        "sql": lambda db: db.execute("select clearway.move_case(%s, null, 'case', 'close', 'x')", (case.id,)),
        "sql embargo": lambda db: db.execute(
            "select clearway.move_case(%s, null, 'embargo', 'terminate', 'x')", (case.id,)
        ),
    }


def test_another_clearinghouse_sees_a_case_and_acts_in_it_by_a_plain_no(
    cases: Cases, elsewhere: Somebody
) -> None:
    case = cases.opened()
    vendor = cases.vendor(case)
    cases.drafted(case)
    now = datetime.now(UTC)
    for name, act in acts_of_the_desk(cases, cases.again(case), vendor.id).items():
        if name == "decide":
            with cases.acting() as db:
                talk.propose(db, kept.by_id(db, case.id), now + timedelta(days=9), "UTC", now=now)
        before = cases.again(case)
        with pytest.raises(ForbiddenError), cases.acting(elsewhere) as db:  # noqa: PT012 - names what was done
            act(db)
            pytest.fail(f"{name} was done")
        assert cases.again(case) == before, name
        if name == "decide":
            with cases.acting() as db:
                talk.refuse(db, kept.by_id(db, case.id))
    with cases.acting(elsewhere) as db:
        assert kept.one(db, case.handling).handling == case.handling
        assert draft.read(db, cases.desk.vault, case).title == a_draft().title


def test_another_clearinghouse_that_is_a_party_proposes_as_one(cases: Cases, elsewhere: Somebody) -> None:
    case, now = cases.opened(), datetime.now(UTC)
    with cases.acting() as db:
        made = party.add(db, case, role="coordinator", member=elsewhere.org)
    with cases.acting(elsewhere) as db:
        talk.propose(db, case, now + timedelta(days=3), "UTC", now=now, party=made.id)
    with pytest.raises(ForbiddenError), cases.acting(elsewhere) as db:
        talk.accept(db, cases.again(case), now=now)


def test_a_vendor_with_a_fix_has_accepted_the_report(cases: Cases) -> None:
    case = cases.opened()
    made = cases.vendor(case)
    with cases.acting(cases.desk.maintainer) as db:
        after = party.act(
            db, case, party.one(db, case, made.id), "fix-ready", "in 1.2.4", vault=cases.desk.vault
        )
        acts = [a.act for a in reversed(kept.history(db, cases.desk.vault, case)) if a.party == made.id]
    assert (after.rm, after.vfd, after.answer) == ("accepted", "VFd", "fixed")
    assert acts[-3:] == ["validate", "accept", "fix-ready"]


def test_reading_the_draft_is_on_the_log_from_the_page_and_the_api(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cases.drafted(case)

    def read() -> int:
        with cases.desk.owner() as db:
            ((n,),) = db.execute(
                """select count(*)::int from clearway.log_entry e where e.act = 'content.read'
                and e.subject = %s or e.content like %s""",
                (f"{case.subject}/draft", f"%{case.handling}/draft%"),
            ).fetchall()
        return int(n)

    assert read() == 0
    shown = served.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}")
    assert "read beyond its buffer" in shown
    assert read() == 1
    assert "read beyond its buffer" in served.page(cases.desk.finder.cookie, f"/cases/{case.handling}/draft")
    assert read() == 2


def test_every_act_of_a_case_is_on_its_page(cases: Cases, served: Site) -> None:
    case, stray = cases.opened(), cases.desk.finding(cases.desk.rival)
    made, mailed = cases.vendor(case), cases.by_mail(case)
    cases.drafted(case)
    with cases.acting() as db:
        kept.take(db, kept.by_id(db, case.id), findings.one(db, stray.handling))
    at, desk = f"/cases/{case.handling}", cases.desk.coordinator.cookie
    shown = served.page(desk, at)
    for act in (
        "/observations",
        "/orphan",
        f"/findings/{stray.handling}/removal",
        "/standing",
        "/draft",
        "/cve",
    ):
        assert f"{at}{act}" in shown, act
    theirs = served.page(cases.desk.maintainer.cookie, at)
    assert 'name="answer" value="not-affected"' in theirs
    assert 'value="leave"' not in theirs
    served.post(
        cases.desk.maintainer.cookie, f"{at}/parties/{made.id}", answer="not-affected", why="Not built in."
    )
    served.post(desk, f"{at}/findings/{stray.handling}/removal", why="another flaw")
    served.post(desk, f"{at}/orphan", 422, patcher="vendor", why="nobody")
    served.post(desk, f"{at}/orphan", 422, patcher="no-such-house", why="nobody")
    served.post(desk, f"{at}/proposals", until="2027-02-01T09:00", zone="UTC")
    served.post(desk, f"{at}/consent", party=str(mailed.id), said="agrees", why="by telephone")
    served.post(desk, f"{at}/consent", 422, party="x", said="agrees")
    served.post(desk, f"{at}/decision", outcome="accept")
    served.post(desk, f"{at}/arm", on_exploitation="yes")
    served.post(desk, f"{at}/cve", 422)
    served.post(desk, f"{at}/parties/{mailed.id}", act="leave")
    served.post(desk, f"{at}/observations", 422, act="nonsense")
    served.post(desk, f"{at}/observations", act="attacks-observed", why="seen in traffic")
    with cases.acting() as db:
        after = kept.by_id(db, case.id)
        assert (after.em, after.pxa, after.cve_state) == ("exited", "PxA", "")
        assert [p.answer for p in party.listed(db, after) if p.id == made.id] == ["not-affected"]
        assert mailed.id not in [p.id for p in party.listed(db, after)]
        assert stray.handling not in kept.findings_of(db, after)


def test_another_clearinghouse_is_shown_no_form_of_the_desk(
    cases: Cases, served: Site, elsewhere: Somebody
) -> None:
    case = cases.opened()
    cases.vendor(case)
    shown = served.page(elsewhere.cookie, f"/cases/{case.handling}")
    assert "<form" not in shown.partition("<h1>")[2].partition("</main>")[0]
    served.post(elsewhere.cookie, f"/cases/{case.handling}/standing", 403, why="theirs")


def test_the_document_is_served_where_its_own_reference_says(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cases.drafted(case)
    path = f"/csaf/{case.handling.lower()}.json"
    assert served.http.get(path).status_code == 404
    released(cases, case)
    published(cases, case.id)
    answer = served.http.get(path)
    assert answer.status_code == 200
    (own,) = [r["url"] for r in answer.json()["document"]["references"] if r["category"] == "self"]
    assert own == f"https://clearing.example.org{path}"
    assert served.http.get(f"/csaf/{case.handling}.json").status_code == 404, "one address each"


@pytest.mark.parametrize(
    ("block", "names"),
    [
        (b'{"finders":[{"name":"A. Finder"},{"name":"B"},{"name":"A. Finder"}]}', ("A. Finder", "B")),
        (b'{"finders":["A. Finder"]}', ("A. Finder",)),
        (b'{"finders":[{"name":" "},{"mail":"x"},7,null]}', ()),
        (b'{"finders":[{"name":"a\\u001b[31mb"}]}', ("a\ufffd[31mb",)),
        (b'{"finders":"A"}', ()),
        (b'["finders"]', ()),
        (b"no json", ()),
        (b"", ()),
    ],
)
def test_finders_are_named_as_the_report_credits_them(block: bytes, names: tuple[str, ...]) -> None:
    assert credits.named(block) == names
