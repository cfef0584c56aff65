"""Lists: every filter, sort and page agree with a plain reading of everything that is visible."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from clearway.exposure.fleet import due, listing, setting, status, week
from clearway.exposure.fleet.wanted import FACETS, Filter
from clearway.records.errors import UsageError
from fleet_world import DAY, Fleet

ALL = ("pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", "pkg:pypi/attrs@23.1", "pkg:pypi/idna@3.6")


@pytest.fixture
def filled(mine: Fleet) -> Fleet:
    for n in range(6):
        exposure = ("public", "internal", "unknown")[n % 3]
        asset = mine.asset(
            f"host-{n}", exposure, day=DAY - timedelta(days=n), kind="server" if n % 2 else "laptop"
        )
        mine.upload(asset, *ALL[: 2 + n % 3], day=DAY - timedelta(days=n), owned=True)
    first = mine.lines()[0]
    with mine.acting() as db:
        status.decide(db, [first.exposure], status.Decision(status="mitigated"))
    return mine


def _paged(
    fleet: Fleet, wanted: Filter, sort: Any, limit: int, who: Any = None
) -> list[listing.ExposureLine]:
    found: list[listing.ExposureLine] = []
    after = None
    while True:
        with fleet.acting(who) as db:
            page = listing.page(db, wanted, sort, after, limit)
        found += page.lines
        assert len(page.lines) <= limit
        if page.after is None:
            return found
        after = page.after


_KEYS: dict[str, Any] = {
    "due": lambda x: (x.due or date.max, x.exposure),
    "severity": lambda x: -(x.severity if x.severity is not None else -1),
    "epss": lambda x: -(x.epss or -1),
    "kev": lambda x: -(x.kev or date.min).toordinal(),
    "name": lambda x: (x.name, x.exposure),
}


@pytest.mark.parametrize("sort", list(_KEYS))
@pytest.mark.parametrize("limit", [1, 4, 500])
def test_pages_in_a_row_are_the_whole_list_in_order(filled: Fleet, sort: str, limit: int) -> None:
    found = _paged(filled, Filter(), sort, limit)
    everything = filled.lines(sort="name")
    assert sorted(x.exposure for x in found) == sorted(x.exposure for x in everything)
    keys = [_KEYS[sort](x) for x in found]
    assert keys == sorted(keys)


@pytest.mark.parametrize(
    "wanted",
    [
        {"yes": {"status": ("open",)}},
        {"no": {"status": ("open",)}},
        {"yes": {"exposure": ("public", "internal")}, "no": {"kind": ("laptop",)}},
        {"yes": {"severity": ("critical",)}},
        {"no": {"kev": ("yes",)}},
        {"yes": {"kev": ("yes",)}},
        {"yes": {"ecosystem": ("PyPI",), "verdict": ("affected",)}},
        {"name": "dj*"},
        {"name": "flask"},
        {"asset_name": "host-1"},
        {"flaw": "CVE-2026-0002"},
        {"due_to": DAY},
        {"due_from": DAY},
    ],
    ids=str,
)
def test_a_filter_shows_what_it_says_in_every_sort(filled: Fleet, wanted: dict[str, Any]) -> None:
    def fits(x: listing.ExposureLine) -> bool:
        value = {
            "status": x.status, "verdict": x.verdict, "exposure": x.asset_exposure, "kind": x.kind, "tier": x.tier,
            "environment": x.environment, "ecosystem": x.ecosystem, "kev": "yes" if x.kev else "no",
            "severity": "unrated" if x.severity is None else "critical" if x.severity >= 9 else "low",
        }  # fmt: skip
        return (
            all(value[f] in v for f, v in wanted.get("yes", {}).items())
            and all(value[f] not in v for f, v in wanted.get("no", {}).items())
            and (not wanted.get("name") or x.name.startswith(wanted["name"].rstrip("*")))
            and wanted.get("asset_name", x.asset_name) == x.asset_name
            and wanted.get("flaw", x.flaw) == x.flaw
            and (x.due or date.max) <= wanted.get("due_to", date.max)
            and (x.due or date.min) >= wanted.get("due_from", date.min)
        )

    expected = sorted(x.exposure for x in filled.lines() if fits(x))
    assert expected
    for sort in _KEYS:
        assert sorted(x.exposure for x in _paged(filled, Filter(**wanted), sort, 3)) == expected, sort
    with filled.acting() as db:
        counts = listing.counts(db, Filter(**wanted))
    assert (counts.total, counts.exact) == (len(expected), True)
    for facet in FACETS:
        assert sum(counts.facets[facet].values()) == len(expected), facet


def test_who_sees_many_audiences_gets_the_same_lists(filled: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    few = {s: [x.exposure for x in _paged(filled, Filter(), s, 4)] for s in _KEYS}
    monkeypatch.setattr(listing, "HINT", 0)
    assert {s: [x.exposure for x in _paged(filled, Filter(), s, 4)] for s in _KEYS} == few


def test_an_unknown_word_is_refused(filled: Fleet) -> None:
    with filled.acting() as db:
        for wrong in (Filter(yes={"colour": ("red",)}), Filter(yes={"status": ("asleep",)})):
            with pytest.raises(UsageError):
                listing.page(db, wrong)
        with pytest.raises(UsageError):
            listing.page(db, Filter(), "size")  # type: ignore[arg-type]
        with pytest.raises(UsageError):
            listing.page(db, Filter(), limit=501)
        with pytest.raises(UsageError):
            listing.page(db, Filter(), after=("2026-01-01",))


def test_this_week_names_the_upgrades_that_end_most_of_what_is_due(filled: Fleet) -> None:
    with filled.acting() as db:
        plan = week.plan(db, DAY, org=filled.org)
        asked = week.plan(db, DAY, org=filled.org, marked=True)
        held = db.execute("select distinct aud::int from clearway.exposure").fetchall()
    assert plan.auds == ()
    assert (asked.due, asked.overdue, asked.steps) == (plan.due, plan.overdue, plan.steps)
    assert asked.auds
    assert {*asked.auds} <= {aud for (aud,) in held}
    assert plan.steps
    dues = [s.due for s in plan.steps]
    assert dues == sorted(dues, key=lambda d: d or date.max)
    by_name = {s.name: s for s in plan.steps}
    assert {n: s.to for n, s in by_name.items()}.items() <= {
        "django": "4.2",
        "flask": "3.0",
        "idna": "3.7",
        "attrs": "24.2",
    }.items()
    assert plan.due >= plan.overdue


def test_every_day_replays_as_it_was_shown(mine: Fleet) -> None:
    days = [date(2026, 11, d) for d in (2, 5, 9, 14, 20)]
    asset = mine.asset("web", "unknown", day=days[0])
    mine.upload(asset, *ALL, day=days[0], owned=True)
    from clearway.exposure.fleet import asset as assets

    shown: dict[tuple[int, date], tuple[Any, ...]] = {}
    acts = [("internal", days[1]), ("public", days[2]), ("internal", days[4])]
    for day in days:
        with mine.owner(day) as owner:
            for word, since in acts:
                if since == day:
                    assets.say_exposure(owner, asset, word, since, "scan", day=day)  # type: ignore[arg-type]
            if day == days[3]:
                setting.choose(owner, mine.org, due.Setting(retier="restart_at_tier_change"), day)
        for x in mine.lines():
            shown[x.exposure, day] = (x.due, x.tier, x.rule_basis, x.status)
    assert len({v[0] for v in shown.values()}) > 3
    with mine.acting() as db:
        for (exposure, day), expected in shown.items():
            found = due.replay(db, exposure, day)
            assert (found.due, found.tier, found.basis, "open") == expected, (exposure, day)
            assert (found.again.due, found.again.decision.code) == expected[:2], (exposure, day)


def test_an_exposure_said_beforehand_counts_from_its_day(mine: Fleet) -> None:
    from clearway.exposure.fleet import asset as assets
    from clearway.exposure.fleet import follow

    asset = mine.asset("web", "internal", day=DAY)
    mine.upload(asset, ALL[0], day=DAY, owned=True)
    (before,) = mine.lines()
    with mine.owner(DAY) as owner:
        _, moved = assets.say_exposure(owner, asset, "public", DAY + timedelta(days=7), "plan", day=DAY)
        assert moved == 0
        assert follow.tick(owner, DAY + timedelta(days=6)) == 0
        assert follow.tick(owner, DAY + timedelta(days=7)) == 1
    (after,) = mine.lines()
    assert before.due is not None
    assert after.due is not None
    assert after.due < before.due


@pytest.mark.parametrize("counted", [100_000, 2], ids=["counted whole", "counting stopped"])
def test_the_week_is_what_the_list_shows_to_its_reader(
    filled: Fleet, monkeypatch: pytest.MonkeyPatch, counted: int
) -> None:
    monkeypatch.setattr(week, "_COUNTED", counted)
    monkeypatch.setattr(listing, "_COUNTED", counted)
    day = DAY + timedelta(days=20)
    facets = {"status": ("open",), "verdict": ("affected",)}
    for who in (filled.operator, filled.another().operator):
        for org in (None, filled.org):
            with filled.acting(who) as db:
                plan = week.plan(db, day, org=org, days=10, most=100)
                soon = Filter(org=org, due_to=day + timedelta(days=10), yes=facets)
                lines = listing.page(db, soon, limit=500).lines
            late = [x for x in lines if x.due is not None and x.due < day]
            assert sorted(e for s in plan.steps for e in s.exposures) == sorted(x.exposure for x in lines)
            assert {(s.name, s.due, s.tier) for s in plan.steps} <= {(x.name, x.due, x.tier) for x in lines}
            if plan.exact:
                assert (plan.due, plan.overdue) == (len(lines), len(late))
            else:
                assert plan.due == counted < len(lines)
