"""An inventory is taken in: what is exposed, what a second one changes, who sees it."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.exposure.fleet import inventory, listing
from clearway.records.errors import ConflictError, ForbiddenError, InputError, NotFoundError
from fleet_world import DAY, Fleet, osv, package
from often import often

DJANGO = osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"])
FLASK = osv("PYSEC-2", package("PyPI", "flask", "3.0"), aliases=["CVE-2026-0002"])


def test_an_inventory_finds_its_advisories(fleet: Fleet) -> None:
    fleet.ingest(DJANGO, FLASK)
    web = fleet.asset("web")
    taken = fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@3.1", "pkg:pypi/attrs@24.1")
    assert (taken.components, taken.added, taken.removed, len(taken.appeared)) == (3, 3, 0, 1)
    (line,) = fleet.lines()
    assert (line.flaw, line.name, line.version, line.verdict, line.status) == (
        "CVE-2026-0001", "django", "4.1", "affected", "open",
    )  # fmt: skip
    assert (line.fixed, line.records, line.detected) == (("4.2",), ("PYSEC-1",), DAY)


def test_the_same_bytes_twice_change_nothing(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    first = fleet.upload(web, "pkg:pypi/django@4.1")
    again = fleet.upload(web, "pkg:pypi/django@4.1")
    assert again.unchanged
    assert again.inventory == first.inventory
    with fleet.acting() as db:
        assert len(inventory.of_asset(db, web)) == 1


def test_an_upgrade_ends_what_it_fixes_and_shows_the_difference(fleet: Fleet) -> None:
    fleet.ingest(DJANGO, FLASK)
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/attrs@23.1")
    taken = fleet.upload(web, "pkg:pypi/django@4.2", "pkg:pypi/flask@2.0")
    assert (len(taken.appeared), taken.ended) == (1, 1)
    assert fleet.flaws() == [("web", "flask@2.0", "CVE-2026-0002")]
    with fleet.acting() as db:
        difference = inventory.difference(db, taken.inventory)
    assert [(c.name, c.before, c.after) for c in difference.changed] == [("django", ("4.1",), ("4.2",))]
    assert [h.name for h in difference.added] == ["flask"]
    assert [h.name for h in difference.removed] == ["attrs"]
    assert fleet.flaws(gone=True) == [("web", "django@4.1", "CVE-2026-0001")]


def test_an_upgrade_to_another_affected_version_is_no_new_detection(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web", day=date(2026, 11, 1))
    fleet.upload(web, "pkg:pypi/django@4.0", day=date(2026, 11, 1), owned=True)
    fleet.upload(web, "pkg:pypi/django@4.1", day=date(2026, 11, 20), owned=True)
    (line,) = fleet.lines()
    assert (line.version, line.detected) == ("4.1", date(2026, 11, 1))


def test_a_flaw_that_comes_back_after_it_was_gone_is_a_new_detection(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web", day=date(2026, 11, 1))
    for day, version in ((1, "4.1"), (5, "4.2"), (20, "4.1")):
        at = date(2026, 11, day)
        fleet.upload(web, f"pkg:pypi/django@{version}", day=at, owned=True)
    (line,) = fleet.lines()
    assert line.detected == date(2026, 11, 20)


def test_a_scanner_says_when_it_first_saw_a_flaw(fleet: Fleet) -> None:
    fleet.ingest(DJANGO, FLASK)
    web = fleet.asset("web")
    seen = {("CVE-2026-0001", ""): date(2026, 10, 3)}
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", first_detected=seen)
    assert {x.flaw: x.detected for x in fleet.lines()} == {
        "CVE-2026-0001": date(2026, 10, 3),
        "CVE-2026-0002": DAY,
    }


def test_a_detection_in_the_future_is_refused(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    with pytest.raises(InputError, match="future"):
        fleet.upload(web, "pkg:pypi/django@4.1", detected=date(2027, 1, 1))


def test_several_scanners_of_one_asset_are_witnesses_and_their_disagreement_is_kept(fleet: Fleet) -> None:
    fleet.ingest(DJANGO, FLASK)
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1", witness="syft")
    fleet.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", witness="trivy")
    with fleet.acting() as db:
        shown = {h.name: h.witnesses for h in inventory.held(db, web)}
        assert shown == {"django": ("syft", "trivy"), "attrs": ("syft",), "flask": ("trivy",)}
        assert [h.name for h in inventory.disputed(db, web)] == ["attrs", "flask"]
    taken = fleet.upload(web, "pkg:pypi/attrs@24.1", witness="syft")
    assert taken.removed == 0  # the other still shows django
    assert len(fleet.lines()) == 2
    assert fleet.upload(web, "pkg:pypi/attrs@24.2", witness="trivy").ended == 2


def test_two_tools_purls_of_one_package_are_one_component(fleet: Fleet) -> None:
    fleet.ingest(osv("DLA-1", package("Debian:12", "openssl", "3.0.11-1")))
    web = fleet.asset("web")
    a = "pkg:deb/debian/libssl3@3.0.9-1?arch=amd64&distro=debian-12&upstream=openssl"
    b = "pkg:deb/debian/libssl3@3.0.9-1?distro=debian-12.4&upstream=openssl&arch=amd64"
    fleet.upload(web, a, witness="syft")
    taken = fleet.upload(web, b, witness="trivy")
    assert taken.added == 0
    assert len(fleet.lines()) == 1


def test_an_inventory_comes_back_byte_for_byte(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    taken = fleet.upload(web, "pkg:pypi/django@4.1")
    from fleet_world import document

    with fleet.acting() as db:
        assert inventory.raw(db, taken.inventory) == document("pkg:pypi/django@4.1")


def test_hostile_texts_are_kept_and_break_nothing(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    long = "x" * 5_000
    taken = fleet.upload(
        web, "pkg:pypi/a%00b@1", f"pkg:pypi/{long}@1", f"pkg:npm/left-pad@{long}", "pkg:npm/%F0%9F%92%A3@1",
        "not a purl", "pkg:pypi/django@4.1",
    )  # fmt: skip
    assert taken.components == 6
    assert [x.name for x in fleet.lines()] == ["django"]


def test_another_organisation_sees_nothing_and_changes_nothing(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    taken = fleet.upload(web, "pkg:pypi/django@4.1")
    other = fleet.people.somebody(fleet.people.org("bank"), "operator")
    assert fleet.lines(other) == ()
    with fleet.acting(other) as db:
        for table in ("asset", "held", "exposure", "inventory", "package_version", "answer", "decision"):
            row = db.execute(f"select count(*) from clearway.{table}").fetchone()
            assert row == (0,), table
        with pytest.raises(NotFoundError):
            listing.one(db, taken.appeared[0])
    with pytest.raises(NotFoundError), fleet.acting(other) as db:
        db.execute(
            "select clearway.fleet_take(%s, '{}', 'x', 'x', 'x', '', %s, '', 0, '{}', true, '{}', false)",
            (web, b"0" * 32),
        )


def test_a_reader_of_the_organisation_sees_and_may_not_write(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    fleet.upload(web, "pkg:pypi/django@4.1")
    auditor = fleet.people.somebody(fleet.org, "auditor")
    assert len(fleet.lines(auditor)) == 1
    from clearway.exposure.fleet import prepare, take
    from clearway.formats.inventory import read_inventory
    from fleet_world import document

    data = document("pkg:pypi/django@4.0")
    with fleet.owner() as owner:
        prepared = prepare.one(owner, fleet.table, read_inventory(data, "x"), DAY)
    with pytest.raises(ForbiddenError), fleet.acting(auditor) as db:
        take.take(db, web, prepared, data, day=DAY)


def test_an_act_is_on_the_log_or_has_not_happened(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    web = fleet.asset("web")
    taken = fleet.upload(web, "pkg:pypi/django@4.1")
    rows = fleet.world.sql("select act, subject from clearway.log_entry where act like 'inventory.%%'")
    assert rows == [("inventory.taken", f"inventory/{taken.inventory}")]
    with fleet.owner() as owner:
        owner.execute("alter function clearway.log_append rename to gone")
    from clearway.records.errors import ClearwayError

    with pytest.raises(ClearwayError):
        fleet.upload(web, "pkg:pypi/django@4.2")
    assert fleet.world.sql("select count(*) from clearway.inventory") == [(1,)]
    assert fleet.world.sql("select count(*) from clearway.exposure where gone is null") == [(1,)]


def test_a_version_is_taken_by_who_knows_its_digest_and_its_number_alone_opens_nothing(fleet: Fleet) -> None:
    fleet.ingest(DJANGO)
    fleet.upload(fleet.asset("web"), "pkg:pypi/django@4.1", "pkg:pypi/flask@3.1")
    (django, pv), (flask, other) = fleet.world.sql(
        "select digest, pv from clearway.package_version order by name"
    )
    another = fleet.another()
    theirs = another.asset("db")

    def taken(digests: list[bytes], numbers: list[int] | None) -> list[int]:
        with another.acting() as db:
            row = db.execute(
                """select added from clearway.fleet_take(
                    %s, %s, 'x', 'x', 'x', '', %s, '', 1, '{}', true, '{}', false, known => %s)""",
                (theirs, digests, b"0" * 32, numbers),
            ).fetchone()
        assert row is not None
        return list(row[0])

    wrong = [([django, flask], [other, pv]), ([django], [other]), ([b"0" * 32], [pv])]
    wrong += [([django, django], [pv, pv]), ([django], []), ([django, flask], [pv])]
    for digests, numbers in wrong:
        with pytest.raises(ConflictError, match="not in the dictionary"):
            taken(digests, numbers)
    assert taken([], [pv]) == []
    with another.acting() as db:
        assert db.execute("select count(*) from clearway.package_version").fetchone() == (0,)
    assert taken([django], [pv]) == [pv]
    assert taken([flask], None) == [other]  # as a process of the release before asks


_HELD = st.sets(st.sampled_from(["django@4.1", "flask@2.0", "attrs@23.1", "idna@3.6"]))


@settings(max_examples=often(20, 200))
@given(st.lists(st.tuples(st.integers(0, 2), _HELD), max_size=8))
def test_whoever_looks_for_the_holders_of_a_version_finds_each(
    known: Fleet, uploads: list[tuple[int, set[str]]]
) -> None:
    """`version_use` names each audience that holds a version."""
    one, other = known.another(), known.another()
    places = [(one, one.asset("a")), (one, one.asset("b")), (other, other.asset("c"))]
    for which, held in uploads:
        fleet, asset = places[which]
        fleet.upload(asset, *(f"pkg:pypi/{name}" for name in sorted(held)), owned=True)
    missing = """select from clearway.held h where not exists (
        select from clearway.version_use u where u.pv = h.pv and u.aud = h.aud)"""
    assert not known.world.sql(missing)
    for which, (fleet, asset) in enumerate(places):
        newest = next((held for w, held in reversed(uploads) if w == which), set())
        judged = {f"{line.name}@{line.version}" for line in fleet.lines() if line.asset == asset}
        assert judged == newest
