"""A report and an answer of an earlier day are the same whatever comes later."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.access import audience
from clearway.access.marking import own
from clearway.directives import load
from clearway.directives.kept import reports, who
from clearway.directives.reports.remediation import RemediationReport, as_json
from clearway.exposure.fleet import asset, due, page_why, past, status
from clearway.exposure.fleet.report_rows import PROVIDER
from database import server  # noqa: F401
from fleet_world import Fleet, fleet_of, kev, osv, package
from intake_world import World, drop_database, new_database
from often import often

BOD = load("bod-26-04")
FIRST = date(2026, 11, 5)
FULL = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&upstream=zlib-src&distro=alpine-3.15.4"
ARCH = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&distro=alpine-3.15.4"
BARE = "pkg:apk/alpine/zlib@1.2.11-r3?distro=3.15.4"
FLASK = "pkg:pypi/flask@2.0"
_numbers = count()


@pytest.fixture(scope="module")
def known(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:  # noqa: F811
    url = new_database(server, "made")
    for made in fleet_of(World(url, tmp_path_factory.mktemp("past") / "home")):
        made.ingest(
            osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"]),
            osv("ALPINE-1", package("Alpine:v3.15", "zlib", "1.2.12-r0"), aliases=["CVE-2026-0101"]),
            osv("ALPINE-2", package("Alpine:v3.15", "zlib-src", "1.2.12-r0"), aliases=["CVE-2026-0102"]),
            kev("2026.11.01", "CVE-2026-0101", added="2026-10-30"),
            at=FIRST,
        )
        made.follow(date(2026, 10, 1))
        yield made
    drop_database(server, url)


def told(fleet: Fleet, day: date) -> tuple[Any, ...]:
    """All that is said of the fleet as of the end of `day`: report, replay, and why each is due when it is."""
    slug = _slug(fleet)
    with fleet.acting() as db:
        rows = [*PROVIDER.rows(db, fleet.org, BOD, day, since=day - timedelta(days=13))]
        found = reports.make(db, PROVIDER, who.organisation(db, slug), "two_week", "bod-26-04", day)
        assert isinstance(found, RemediationReport)
        there = db.execute(
            f"select e.exposure from {past.EXPOSURES} e where e.org = %(org)s and e.first_seen < %(end)s order by 1",
            {"org": fleet.org, "end": past.end_of(day)},
        ).fetchall()
        whys = [page_why.why(db, e, day, cut=True) for (e,) in there]
        shown = [due.replay(db, e, day) for (e,) in there]
    facts = [(w.then, w.shown, w.said, w.history) for w in whys]
    plain = [
        (msgspec.structs.replace(then, version_tag=0), *more) for then, *more in facts
    ]  # the tag is of today
    return rows, as_json(found), shown, plain


def _slug(fleet: Fleet) -> str:
    with fleet.owner() as db:
        row = db.execute("select slug from clearway.organisation where org = %s", (fleet.org,)).fetchone()
    assert row is not None
    return str(row[0])


def act(fleet: Fleet, day: date, which: list[int], what: tuple[Any, ...]) -> None:
    """One thing that happens on `day`."""
    kind, nth, *rest = what
    place = which[nth % len(which)]
    if kind == "upload":
        witness, purls, back = rest
        detected = day - timedelta(days=back) if back else None
        fleet.upload(place, *sorted(purls), day=day, witness=witness, detected=detected, owned=True)
        return
    with fleet.owner(day) as db:
        if kind == "decide":
            (word,) = rest
            ids = [
                r[0]
                for r in db.execute(
                    "select exposure from clearway.exposure where asset = %s and gone is null order by 1",
                    (place,),
                )
            ]
            said = {
                "open": status.Decision(status="open"),
                "mitigated": status.Decision(status="mitigated", detail="closed"),
                "fixed": status.Decision(status="fixed"),
                "accepted": status.Decision(
                    status="accepted", detail="so be it", until=day + timedelta(days=3)
                ),
            }[word]
            status.decide(db, ids[:2], said)
        elif kind == "rename":
            kept = asset.one(db, place)
            asset.change(db, place, kept.version, kept.details, name=f"renamed-{next(_numbers)}")
        elif kind == "exposed":
            asset.say_exposure(db, place, "internal", since=day, said_by="test", day=day)
        else:
            db.execute(
                "update clearway.asset set aud = %s, version = version + 1 where asset = %s",
                (audience.of(db, own(fleet.org)), place),
            )  # who reads it stays


_WAYS = st.sets(st.sampled_from([BARE, ARCH, FULL, FLASK]), max_size=3)
_ACT = st.one_of(
    st.tuples(
        st.just("upload"),
        st.integers(0, 1),
        st.sampled_from(["syft", "trivy", "grype"]),
        _WAYS,
        st.integers(0, 20),
    ),
    st.tuples(
        st.just("decide"), st.integers(0, 1), st.sampled_from(["open", "mitigated", "fixed", "accepted"])
    ),
    st.tuples(st.sampled_from(["rename", "exposed", "mark"]), st.integers(0, 1)),
)
_SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(max_examples=often(8, 20), deadline=None, suppress_health_check=_SLOW)
@given(before=st.lists(_ACT, min_size=1, max_size=4), after=st.lists(_ACT, min_size=1, max_size=5))
def test_what_is_told_of_a_day_is_the_same_after_all_that_comes_later(
    known: Fleet, before: list[tuple[Any, ...]], after: list[tuple[Any, ...]]
) -> None:
    fleet = known.another()
    which = [fleet.asset(name, day=FIRST) for name in ("web", "db")]
    fleet.upload(which[0], BARE, FLASK, day=FIRST, witness="trivy", owned=True)
    for nth, what in enumerate(before, 1):
        act(fleet, FIRST + timedelta(days=nth), which, what)
    day = FIRST + timedelta(days=len(before))
    then = told(fleet, day)
    for nth, what in enumerate(after, 1):
        act(fleet, day + timedelta(days=nth), which, what)
    assert told(fleet, day) == then


def test_a_later_union_and_an_earlier_day_change_nothing_of_the_days_before(known: Fleet) -> None:
    fleet = known.another()
    web = fleet.asset("web", day=FIRST)
    fleet.upload(web, BARE, day=FIRST, witness="trivy", owned=True)
    day = FIRST + timedelta(days=2)
    then = told(fleet, day)
    later = FIRST + timedelta(days=5)
    fleet.upload(web, ARCH, day=later, witness="syft", detected=FIRST - timedelta(days=3), owned=True)
    now = told(fleet, later)
    old, new = ({row.flaw: row for row in rows}["CVE-2026-0101"] for rows in (then[0], now[0]))
    assert ("arch=x86_64" in old.component, "arch=x86_64" in new.component) == (False, True)
    assert (old.detected, new.detected) == (FIRST, FIRST - timedelta(days=3))
    assert told(fleet, day) == then
