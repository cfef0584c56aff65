"""What is decided of a package's flaw holds however the asset's next documents write the package, and no report says
that a flaw is over which stands."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.directives import load
from clearway.directives.reports.row import ReportRow
from clearway.exposure.fleet import inventory, rematch, status
from clearway.exposure.fleet.listing import ExposureLine
from clearway.exposure.fleet.report_rows import PROVIDER
from fleet_world import DAY, Fleet, osv, package
from often import often
from steps import Steps, since, step_of

BOD = load("bod-26-04")
_NAME = "pkg:apk/alpine/musl@1.2.2-r3"
BARE = f"{_NAME}?distro=alpine-3.15"
ARCH = f"{_NAME}?arch=x86_64&distro=alpine-3.15"
SOURCE = f"{_NAME}?distro=alpine-3.15&upstream=musl-src"
FULL = f"{_NAME}?arch=x86_64&distro=alpine-3.15&upstream=musl-src"
OTHER = f"{_NAME}?arch=aarch64&distro=alpine-3.15&upstream=musl-src"
WAYS = (BARE, ARCH, SOURCE, FULL)
FLASK = "pkg:pypi/flask@2.0"
BY_NAME, BY_SOURCE, BY_BOTH = "CVE-2026-0201", "CVE-2026-0202", "CVE-2026-0203"
_numbers = count()


@pytest.fixture
def alpine(known: Fleet) -> Fleet:
    if not known.table.flaws_of("ALPINE-21"):
        name, source = (package("Alpine:v3.15", n, "1.2.3-r0") for n in ("musl", "musl-src"))
        known.ingest(
            osv("ALPINE-21", name, aliases=[BY_NAME]),
            osv("ALPINE-22", source, aliases=[BY_SOURCE]),
            osv("ALPINE-23", name, source, aliases=[BY_BOTH]),
        )
        known.follow()
    return known.another()


def standing(fleet: Fleet, which: int) -> dict[str, ExposureLine]:
    lines = [x for x in fleet.lines(asset=which) if x.name == "musl"]
    found = {x.flaw: x for x in lines}
    assert len(found) == len(lines), "a flaw of the package stands twice"
    return found


def decide(fleet: Fleet, which: int, said: str, *flaws: str, **more: object) -> None:
    exposures = [x.exposure for f, x in standing(fleet, which).items() if f in flaws]
    with fleet.owner(DAY) as db:
        status.decide(
            db, exposures,
            status.Decision(status=said, detail="as decided", **more),  # type: ignore[arg-type]
        )  # fmt: skip


def reported(fleet: Fleet, which: int) -> list[ReportRow]:
    with fleet.acting() as db:
        rows = PROVIDER.rows(db, fleet.org, BOD, DAY, since=DAY - timedelta(days=6))
        return [r for r in rows if r.asset.id == f"asset/{which}" and "musl" in r.component]


def statuses(fleet: Fleet, which: int) -> dict[str, str]:
    return {flaw: x.status for flaw, x in standing(fleet, which).items()}


@pytest.mark.parametrize(("was", "then"), [(SOURCE, FULL), (FULL, SOURCE)])
def test_a_witness_that_writes_its_package_otherwise_ends_nothing_and_loses_no_decision(
    alpine: Fleet, was: str, then: str
) -> None:
    which, first = alpine.asset("web", day=DAY), DAY - timedelta(days=9)
    alpine.upload(which, was, day=DAY, detected=first, owned=True)
    decide(alpine, which, "mitigated", BY_SOURCE, BY_BOTH)
    before = standing(alpine, which)
    taken = alpine.upload(which, then, day=DAY, owned=True)
    assert (taken.added, taken.removed, taken.appeared, taken.ended) == (0, 0, (), 0)
    after = standing(alpine, which)
    assert {f: (x.exposure, x.status, x.detected, x.first_seen) for f, x in after.items()} == {
        f: (x.exposure, "mitigated", first, x.first_seen) for f, x in before.items()
    }
    assert {x.purl for x in after.values()} != {x.purl for x in before.values()}
    assert [(r.flaw, r.status) for r in reported(alpine, which)] == [
        (BY_SOURCE, "mitigated"), (BY_BOTH, "mitigated"),
    ]  # fmt: skip


@pytest.mark.parametrize("order", [(ARCH, SOURCE), (SOURCE, ARCH)])
def test_what_was_decided_of_the_full_word_holds_for_each_witnesss_own_when_that_goes(
    alpine: Fleet, order: tuple[str, str]
) -> None:
    which = alpine.asset("web", day=DAY)
    build = f"-r{100 + next(_numbers)}"  # so that the dictionary has them in this order
    for n, purl in enumerate(order):
        alpine.upload(which, purl.replace("-r3", build), witness=f"tool-{n}", day=DAY, owned=True)
    alpine.upload(which, FULL.replace("-r3", build), witness="trivy", day=DAY, owned=True)
    decide(alpine, which, "mitigated", BY_SOURCE, BY_BOTH)
    before = standing(alpine, which)
    taken = alpine.upload(which, FLASK, witness="trivy", day=DAY, owned=True)
    assert (taken.removed, taken.ended) == (0, 0)
    after = standing(alpine, which)
    assert {f: (x.exposure, x.status) for f, x in after.items()} == {
        f: (x.exposure, "mitigated") for f, x in before.items()
    }


def test_a_flaw_that_was_over_under_the_other_name_is_no_second_line(alpine: Fleet) -> None:
    which = alpine.asset("web", day=DAY)
    alpine.upload(which, SOURCE, witness="trivy", day=DAY, owned=True)
    alpine.upload(which, FLASK, witness="trivy", day=DAY, owned=True)  # over, under the silent name
    alpine.upload(which, FULL, witness="trivy", day=DAY, owned=True)
    alpine.upload(which, SOURCE, FLASK, witness="syft", day=DAY, owned=True)
    decide(alpine, which, "mitigated", BY_SOURCE, BY_BOTH)
    before = standing(alpine, which)
    taken = alpine.upload(which, FLASK, witness="trivy", day=DAY, owned=True)  # and the full name goes
    assert (taken.removed, taken.appeared, taken.ended) == (0, (), 0)
    after = standing(alpine, which)
    assert {f: (x.exposure, x.status) for f, x in after.items()} == {
        f: (x.exposure, "mitigated") for f, x in before.items()
    }
    assert {r.status for r in reported(alpine, which)} == {"mitigated"}


def test_one_names_the_architecture_and_the_other_the_source_and_it_is_one_package(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, ARCH, witness="syft")
    assert set(standing(alpine, which)) == {BY_NAME, BY_BOTH}
    alpine.upload(which, SOURCE, witness="trivy")
    assert set(standing(alpine, which)) == {BY_SOURCE, BY_BOTH}  # as the source says, that it was built from
    with alpine.acting() as db:
        (held,) = inventory.held(db, which)
    assert sorted(held.witnesses) == ["syft", "trivy"]


def test_one_document_that_writes_a_package_twice_shows_it_once(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, *WAYS)
    assert {x.purl for x in standing(alpine, which).values()} == {FULL}


def test_a_decision_about_one_architecture_says_nothing_of_another(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, FULL)
    decide(alpine, which, "not_affected", BY_SOURCE, BY_BOTH, justification="component_not_present")
    alpine.upload(which, SOURCE)
    assert set(statuses(alpine, which).values()) == {"not_affected"}
    alpine.upload(which, OTHER)
    assert set(statuses(alpine, which).values()) == {"open"}


def test_what_was_said_to_be_fixed_and_is_seen_under_another_name_is_open(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, SOURCE)
    decide(alpine, which, "fixed", BY_SOURCE, BY_BOTH)
    alpine.upload(which, FULL)
    assert set(statuses(alpine, which).values()) == {"open"}


def test_the_word_on_one_exposure_leaves_the_decision_to_others_that_rest_on_it(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, SOURCE)
    decide(alpine, which, "mitigated", BY_SOURCE, BY_BOTH)
    alpine.upload(which, FULL, OTHER)  # now two are built from it, and it was said of either
    with alpine.acting() as db:
        lines = [x for x in alpine.lines(asset=which) if x.flaw == BY_BOTH]
        assert [x.status for x in lines] == ["mitigated", "mitigated"]
        one = next(x for x in lines if "aarch64" in x.purl)
        status.decide(db, [one.exposure], status.Decision(status="open", detail="no"))
    both = {x.purl: x.status for x in alpine.lines(asset=which) if x.flaw == BY_BOTH}
    assert both == {FULL: "mitigated", OTHER: "open"}
    alpine.upload(which, FULL, OTHER, FLASK)
    assert {x.purl: x.status for x in alpine.lines(asset=which) if x.flaw == BY_BOTH} == both


def test_a_flaw_that_is_gone_with_every_word_of_its_package_is_remediated(alpine: Fleet) -> None:
    which = alpine.asset("web", day=DAY)
    for purl in WAYS:
        alpine.upload(which, purl, day=DAY, owned=True)
    alpine.upload(which, FLASK, day=DAY, owned=True)
    assert {(r.flaw, r.status) for r in reported(alpine, which)} >= {(BY_SOURCE, "fixed"), (BY_BOTH, "fixed")}


def test_what_stood_before_this_was_kept_is_told_apart_after_the_step(fleet: Fleet) -> None:
    fleet.ingest(osv("ALPINE-22", package("Alpine:v3.15", "musl-src", "1.2.3-r0"), aliases=[BY_SOURCE]))
    fleet.follow()
    which = fleet.asset("web")
    fleet.upload(which, SOURCE, FLASK)
    decide(fleet, which, "mitigated", BY_SOURCE)
    kept = "select pv, arch, source, apart from clearway.package_version order by pv"
    before = fleet.world.sql(kept)
    assert sorted(row[1:] for row in before) == [("", "", ""), ("", "musl-src@1.2.2-r3", "")]
    steps = Steps(fleet.world.url, *since(step_of("written_anew")))
    steps.down()
    steps.up()
    assert fleet.world.sql(kept) == before
    fleet.upload(which, FULL, FLASK)
    assert statuses(fleet, which) == {BY_SOURCE: "mitigated"}


_STEP = st.one_of(
    st.tuples(st.sampled_from(["syft", "trivy", "grype"]), st.sets(st.sampled_from(WAYS), max_size=2)),
    st.tuples(
        st.sampled_from(["mitigated", "not_affected", "accepted"]),
        st.sets(st.sampled_from([BY_NAME, BY_SOURCE, BY_BOTH]), min_size=1),
    ),
)
_MORE = {
    "not_affected": {"justification": "component_not_present"},
    "accepted": {"until": DAY + timedelta(days=400)},
}


@settings(
    max_examples=often(10, 25), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=st.lists(_STEP, min_size=3, max_size=9))
def test_a_decision_holds_as_long_as_a_document_shows_the_flaw_and_no_report_says_it_is_over(
    alpine: Fleet, steps: list[tuple[str, set[str]]]
) -> None:
    which = alpine.asset(f"any-{next(_numbers)}", day=DAY)
    shown: dict[str, set[str]] = {}
    decided: dict[str, str] = {}
    for who, what in steps:
        before = standing(alpine, which)
        if who in ("syft", "trivy", "grype"):
            alpine.upload(which, FLASK, *sorted(what), witness=who, day=DAY, owned=True)
            shown[who] = what
        else:
            decide(alpine, which, who, *what, **_MORE.get(who, {}))
            decided |= dict.fromkeys(what & set(before), who)
        after = standing(alpine, which)
        seen = set().union(*shown.values())
        source = bool(seen & {SOURCE, FULL})
        assert set(after) == ({BY_SOURCE if source else BY_NAME, BY_BOTH} if seen else set())
        assert {f: x.status for f, x in after.items()} == {f: decided.get(f, "open") for f in after}
        stay = set(before) & set(after)
        assert {before[f].exposure for f in stay} == {after[f].exposure for f in stay}
        lines = reported(alpine, which)
        assert sorted((r.flaw, r.status) for r in lines if r.flaw in after) == sorted(
            (f, x.status) for f, x in after.items()
        )
    with alpine.owner() as owner:
        found = rematch.rematch(owner, alpine.table, alpine.world.home, DAY)
    assert (found.changed, found.appeared, found.ended) == (0, 0, 0)
