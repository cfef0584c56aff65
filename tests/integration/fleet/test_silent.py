"""One package of which one witness leaves out what another says is one component, whichever came first."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clearway.exposure.fleet import inventory, rematch, status, take
from fleet_world import DAY, Fleet, osv, package
from often import often

BARE = "pkg:apk/alpine/zlib@1.2.11-r3?distro=3.15.4"
FULL = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&distro=alpine-3.15.4"
OTHER = "pkg:apk/alpine/zlib@1.2.11-r3?arch=aarch64&distro=alpine-3.15.4"
BUILT = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&upstream=zlib-src&distro=alpine-3.15.4"
APART = "pkg:apk/alpine/zlib@1.2.11-r3?arch=x86_64&upstream=other-src&distro=alpine-3.15.4"
FLASK = "pkg:pypi/flask@2.0"


@pytest.fixture
def alpine(known: Fleet) -> Fleet:
    if not known.table.flaws_of("ALPINE-1"):
        known.ingest(
            osv("ALPINE-1", package("Alpine:v3.15", "zlib", "1.2.12-r0"), aliases=["CVE-2026-0101"]),
            osv("ALPINE-2", package("Alpine:v3.15", "zlib-src", "1.2.12-r0"), aliases=["CVE-2026-0102"]),
        )
        known.follow()
    return known.another()


def shown(fleet: Fleet, which: int) -> list[tuple[str, tuple[str, ...]]]:
    with fleet.acting() as db:
        return sorted((h.purl, tuple(sorted(h.witnesses))) for h in inventory.held(db, which))


def open_on(fleet: Fleet, which: int) -> list[tuple[str, str]]:
    return sorted((x.flaw, x.purl) for x in fleet.lines(asset=which))


def test_what_trivy_leaves_out_is_one_component_with_two_witnesses_in_both_orders(alpine: Fleet) -> None:
    told = []
    for first, second in permutations([("syft", FULL), ("trivy", BARE)]):
        which = alpine.asset(f"web-{first[0]}")
        for witness, purl in (first, second):
            taken = alpine.upload(which, purl, FLASK, witness=witness)
        assert (taken.added, taken.removed, taken.appeared, taken.ended) == (0, 0, (), 0)
        told.append((shown(alpine, which), open_on(alpine, which)))
    assert told[0] == told[1]
    assert [(purl.partition("?")[0], who) for purl, who in told[0][0]] == [
        ("pkg:apk/alpine/zlib@1.2.11-r3", ("syft", "trivy")), (FLASK, ("syft", "trivy")),
    ]  # fmt: skip
    assert [flaw for flaw, _ in told[0][1]] == ["CVE-2026-0002", "CVE-2026-0101"]


def test_what_was_decided_and_since_when_stays_with_the_richer_word_and_comes_back_when_it_goes(
    alpine: Fleet,
) -> None:
    which = alpine.asset("web", day=DAY)
    first = DAY - timedelta(days=9)
    alpine.upload(which, BARE, witness="trivy", detected=first)
    (before,) = alpine.lines(asset=which)
    with alpine.acting() as db:
        status.decide(db, [before.exposure], status.Decision(status="mitigated", detail="closed"))
    alpine.upload(which, FULL, witness="syft")
    (there,) = alpine.lines(asset=which)
    assert (there.exposure, there.status, there.detected, there.first_seen) == (
        before.exposure, "mitigated", first, before.first_seen,
    )  # fmt: skip
    assert "arch=x86_64" in there.purl
    alpine.upload(which, FLASK, witness="syft")  # the richer word goes
    (back,) = [x for x in alpine.lines(asset=which) if x.flaw == before.flaw]
    assert (back.exposure, back.status, back.purl) == (before.exposure, "mitigated", before.purl)
    assert shown(alpine, which)[0][1] == ("trivy",)


def test_taking_the_silent_witness_away_leaves_the_other_whole(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, FULL, FLASK, witness="syft")
    before = open_on(alpine, which)
    alpine.upload(which, BARE, witness="trivy")
    taken = alpine.upload(which, witness="trivy")
    assert (taken.removed, taken.ended, open_on(alpine, which)) == (0, 0, before)
    assert {who for _, who in shown(alpine, which)} == {("syft",)}


def test_what_both_say_otherwise_stays_two(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, BUILT, witness="syft")
    alpine.upload(which, APART, witness="trivy")
    assert len(shown(alpine, which)) == 2
    alpine.upload(which, BARE, witness="grype")  # and nobody knows which of them this is
    assert len(shown(alpine, which)) == 3


def test_what_is_said_to_be_fixed_and_seen_by_the_silent_witness_is_open_again(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, FULL, witness="syft")
    alpine.upload(which, BARE, witness="trivy")
    with alpine.acting() as db:
        status.decide(db, [alpine.lines(asset=which)[0].exposure], status.Decision(status="fixed"))
    alpine.upload(which, BARE, FLASK, witness="trivy")
    assert {x.status for x in alpine.lines(asset=which)} == {"open"}


def test_an_earlier_day_that_the_silent_witness_states_counts(alpine: Fleet) -> None:
    which = alpine.asset("web")
    alpine.upload(which, FULL, witness="syft")
    alpine.upload(which, BARE, witness="trivy", detected=DAY - timedelta(days=4))
    assert [x.detected for x in alpine.lines(asset=which)] == [DAY - timedelta(days=4)]


def test_two_that_stood_before_become_one_with_the_next_document(
    alpine: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    which, first = alpine.asset("web"), DAY - timedelta(days=9)
    with monkeypatch.context() as before:  # as an earlier release took them
        before.setattr(take, "pairs", lambda _: {})
        alpine.upload(which, FULL, witness="syft")
        alpine.upload(which, BARE, witness="trivy", detected=first)
    twins = {x.purl: x for x in alpine.lines(asset=which)}
    assert len(twins) == 2
    silent = next(x for purl, x in twins.items() if "arch" not in purl)
    with alpine.acting() as db:
        status.decide(db, [silent.exposure], status.Decision(status="mitigated", detail="closed"))
    alpine.upload(which, FULL, FLASK, witness="syft")
    (line,) = [x for x in alpine.lines(asset=which) if x.flaw == silent.flaw]
    assert ("arch" in line.purl, line.status, line.detected) == (True, "mitigated", first)
    assert [who for purl, who in shown(alpine, which) if "zlib" in purl] == [("syft", "trivy")]


_UPLOADS = st.lists(
    st.tuples(
        st.sampled_from(["syft", "trivy", "grype"]),
        st.sets(st.sampled_from([BARE, FULL, OTHER, BUILT, APART, FLASK]), max_size=4),
    ),
    min_size=1,
    max_size=6,
)


@settings(
    max_examples=often(6, 12), deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(uploads=_UPLOADS)
def test_what_an_asset_holds_is_told_by_its_newest_documents_whatever_came_before(
    alpine: Fleet, uploads: list[tuple[str, set[str]]]
) -> None:
    newest = dict(uploads)
    one = alpine.asset(f"one-{next(_numbers)}")
    for witness, purls in uploads:
        alpine.upload(one, *sorted(purls), witness=witness)
    two = alpine.asset(f"two-{next(_numbers)}")
    for witness in sorted(newest, reverse=True):
        alpine.upload(two, *sorted(newest[witness]), witness=witness)
    assert shown(alpine, one) == shown(alpine, two)
    assert open_on(alpine, one) == open_on(alpine, two)
    with alpine.owner() as owner:
        found = rematch.rematch(owner, alpine.table, alpine.world.home, DAY)
    assert (found.changed, found.appeared, found.ended) == (0, 0, 0)


_numbers = iter(range(1_000_000))
