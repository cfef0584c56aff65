"""What a receiver takes of its product holds whoever asks, at once or in turn, and for that product alone."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import pytest

from clearway.findings.case import party, tasks
from clearway.findings.intake import limit, submit
from clearway.records.errors import InputError
from clearway.records.principal import Membership
from findings_case_world import Cases
from report_documents import dump, own


def limited(cases: Cases, package: str, ecosystem: str = "PyPI", **most: int) -> limit.Limit:
    maintains = Membership(
        org=cases.desk.vendor, slug="vendor", name="Vendor", kind="vendor", rights=("maintain",)
    )
    with cases.acting(cases.desk.maintainer) as db:
        made = limit.put(db, maintains, ecosystem, package, **most)
    with cases.acting() as db:
        limit.confirm(db, made.id, holds=True)
    return made


def about(cases: Cases, package: str, ecosystem: str = "PyPI") -> tuple[Any, party.Party]:
    case = cases.opened(package=package, ecosystem=ecosystem, purl="")
    return case, cases.vendor(case, asked=False)


def beside(first: Callable[[Any], Any], second: Callable[[Any], Any], acting: Callable[[], Any]) -> list[Any]:
    """What both say, the second begun while the first has done its work and is not yet committed."""

    def other() -> Any:
        with acting() as db:
            return second(db)

    with ThreadPoolExecutor(1) as pool:
        with acting() as db:
            one = first(db)
            begun = pool.submit(other)
            wait([begun], timeout=0.4)
        return [one, begun.result(timeout=20)]


def test_two_cases_asked_at_once_do_not_pass_a_receivers_week(cases: Cases) -> None:
    limited(cases, "at-once", per_week=1)
    asking = [about(cases, "at-once") for _ in range(2)]

    def ask(n: int) -> Callable[[Any], Any]:
        return lambda db: party.ask(db, *asking[n])

    told = beside(ask(0), ask(1), cases.acting)
    assert [p.rm for p in told] == ["received", "start"]
    assert told[1].waits == "the receiver takes 1 in seven days"


def test_two_documents_at_once_do_not_pass_a_reporters_share(cases: Cases) -> None:
    limited(cases, "share-at-once", per_reporter=1)
    desk = cases.desk

    def send(title: str) -> Callable[[Any], Any]:
        data = dump(own(title=title, affected={"purl": "pkg:pypi/share-at-once@1.2.3"}))
        return lambda db: submit.submit(db, desk.tools, desk.finder.org, data).taken[0]

    told = beside(send("One"), send("Two"), lambda: desk.acting(desk.finder))
    assert [t.missing for t in told] == [(), ()]
    with desk.acting(desk.finder) as db:
        waiting = db.execute(
            """select count(*) from clearway.finding_gate g join clearway.finding f using (finding)
            where f.package = 'share-at-once' and g.gate = 'turn' and g.state = 'waits'"""
        ).fetchone()
    assert waiting == (1,)


def test_a_limit_counts_what_was_asked_about_its_own_product_alone(cases: Cases) -> None:
    for _ in range(2):
        case, vendor = about(cases, "another")
        with cases.acting() as db:
            assert party.ask(db, case, vendor).rm == "received"
    limited(cases, "its-own", per_week=1)
    case, vendor = about(cases, "its-own")
    with cases.acting() as db:
        assert party.ask(db, case, vendor).waits == ""
    case, vendor = about(cases, "its-own")
    with cases.acting() as db:
        assert party.ask(db, case, vendor).waits != ""
    tasks.take_turns(cases.desk.owner)
    with cases.acting() as db:
        assert party.one(db, case, vendor.id).rm == "start"


def test_a_limit_for_a_system_holds_for_each_of_its_releases_together(cases: Cases) -> None:
    limited(cases, "Curl", "debian", per_week=1)
    said = []
    for release in ("Debian:12", "Debian:13"):
        case, vendor = about(cases, "curl", release)
        with cases.acting() as db:
            said.append(party.ask(db, case, vendor).rm)
    assert said == ["received", "start"]


def test_a_limit_is_written_as_reports_are_and_names_an_ecosystem_that_there_is(cases: Cases) -> None:
    made = limited(cases, "Some_Package.Name", "pypi", per_week=0)
    assert (made.ecosystem, made.package) == ("PyPI", "some-package-name")
    with pytest.raises(InputError, match="no such ecosystem"):
        limited(cases, "x", "Nope", per_week=0)


def test_a_limit_from_before_holds_as_it_was_meant(cases: Cases) -> None:
    made = limited(cases, "from-before", per_week=0)
    with cases.desk.owner() as db:
        db.execute(
            "update clearway.intake_limit set ecosystem = 'pypi', package = 'From_Before' where intake_limit = %s",
            (made.id,),
        )
    case, vendor = about(cases, "from-before")
    with cases.acting() as db:
        assert party.ask(db, case, vendor).waits == "the receiver takes 0 in seven days"
