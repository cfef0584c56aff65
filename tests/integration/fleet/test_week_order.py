"""Of all that is due by the week's end, first comes what can wait least: the strictest tier, then what is attacked."""

from __future__ import annotations

from datetime import date

from clearway.exposure.fleet import week
from fleet_world import DAY, Fleet, kev, osv, package

LONG_AGO = date(2026, 3, 1)


def _plan(fleet: Fleet) -> list[tuple[str, str, bool, date | None]]:
    with fleet.acting() as db:
        return [(s.name, s.tier, s.kev, s.due) for s in week.plan(db, DAY, org=fleet.org).steps]


def test_what_is_attacked_comes_before_what_has_been_due_for_longer_however_much_that_is(
    fleet: Fleet,
) -> None:
    many = [package("PyPI", f"old{n}", "2") for n in range(510)]
    fleet.ingest(
        *(osv(f"PYSEC-{n}", p, aliases=[f"CVE-2026-{1000 + n}"]) for n, p in enumerate(many)),
        osv("PYSEC-9999", package("PyPI", "django", "4.2"), aliases=["CVE-2026-9999"]),
        kev("2026.11.20", "CVE-2026-9999", added="2026-11-20"),
    )  # fmt: skip
    old = fleet.asset("old", "internal", day=LONG_AGO)
    fleet.upload(old, *(f"pkg:pypi/old{n}@1" for n in range(510)), day=LONG_AGO, owned=True)
    fleet.upload(fleet.asset("web", "public", day=DAY), "pkg:pypi/django@4.1", day=DAY, owned=True)
    first, second, *_ = _plan(fleet)
    assert first[0] == "django"
    assert first[2]
    assert second[3] is not None
    assert first[3] is not None
    assert second[3] < first[3]
    with fleet.acting() as db:
        assert week.plan(db, DAY, org=fleet.org).due == 511


def test_a_step_is_as_urgent_as_the_strictest_of_its_tiers_and_named_by_its_first_date() -> None:
    late, soon = date(2026, 11, 30), date(2026, 11, 26)
    line = week.Line(1, 1, "web", "public", "CVE-2026-1", "PyPI", "django", "4.1", soon, "60D", False, ["4.2"], False,
        0, DAY, b"", 1)  # fmt: skip
    strict = line._replace(exposure=2, flaw="CVE-2026-2", due=late, tier="3DF", kev=True, rank=5)
    step = week._step([strict, line], DAY)
    assert (step.tier, step.due, step.exposures, step.rank, step.kev) == ("60D", soon, (1, 2), 5, True)
    other = week._step([line._replace(name="flask", tier="14D", rank=3, due=DAY)], DAY)
    assert sorted([other, step], key=week._urgency) == [step, other]
