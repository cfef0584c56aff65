"""A flaw that one scanner names by its plugin or package, and another bare, is one exposure with the earlier day."""

from __future__ import annotations

from datetime import date

import pytest

from clearway.exposure.fleet import observe
from clearway.records.fleet_input import AssetIds, Detection, Observed, Witness
from fleet_world import DAY, Fleet, osv, package
from steps import Steps, since, step_of

FLAW = "CVE-2026-88888"
FIRST, LATER = date(2026, 11, 2), date(2026, 11, 4)
BARE = Detection(asset="rev-1", flaw=FLAW, first_detected=FIRST)
PLUGIN = Detection(asset="rev-1", flaw=FLAW, plugin="777", title="OpenSSL old", first_detected=LATER)
PACKAGE = Detection(asset="rev-1", flaw=FLAW, package="openssl", version="1.0", first_detected=LATER)


@pytest.fixture(autouse=True)
def _loaded(fleet: Fleet) -> None:
    fleet.ingest(osv("PYSEC-9", package("PyPI", "other", "1")))


def _tell(fleet: Fleet, file: str, *found: Detection) -> None:
    seen = Observed(name="rev-1", format="scanner-csv", ids=AssetIds(serial="SERIAL-1"), detections=found,
                    witness=Witness(tool=file))  # fmt: skip
    observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, [seen], f"{file} {found}".encode(), DAY
    )


@pytest.mark.parametrize("more", [PLUGIN, PACKAGE], ids=["plugin", "package"])
@pytest.mark.parametrize("order", [("bare", "more"), ("more", "bare")], ids=" then ".join)
def test_the_two_are_one_line_with_the_earlier_day(
    fleet: Fleet, order: tuple[str, ...], more: Detection
) -> None:
    said = {"bare": BARE, "more": more}
    for file in order:
        _tell(fleet, file, said[file])
    (line,) = fleet.lines()
    assert (line.name, line.detected) == (more.package or more.title, FIRST)


def test_when_what_names_more_goes_the_bare_word_is_a_line_again(fleet: Fleet) -> None:
    _tell(fleet, "bare", BARE)
    _tell(fleet, "more", PLUGIN)
    other = Detection(
        asset="rev-1", flaw="CVE-2026-99999", plugin="778", title="Another", first_detected=LATER
    )
    _tell(fleet, "more", other)
    lines = {line.flaw: line for line in fleet.lines()}
    assert (lines[FLAW].name, lines[FLAW].detected) == (FLAW, FIRST)
    assert sorted(lines) == [FLAW, "CVE-2026-99999"]


def test_two_plugins_stay_two_lines_and_two_assets_too(fleet: Fleet) -> None:
    second = Detection(asset="rev-1", flaw=FLAW, plugin="900", title="Other library", first_detected=LATER)
    _tell(fleet, "more", PLUGIN, second)
    _tell(fleet, "bare", BARE)
    assert sorted((line.name, line.detected) for line in fleet.lines()) == [
        ("OpenSSL old", FIRST),
        ("Other library", FIRST),
    ]


def test_the_step_gives_what_stands_the_earlier_day_and_goes_down_and_up(fleet: Fleet) -> None:
    steps = Steps(fleet.world.url, *since(step_of("bare_words")))
    text = "select pg_get_functiondef(oid) from pg_proc where proname = 'fleet_missing'"
    before = fleet.world.sql(text)
    steps.down()
    assert fleet.world.sql(text) != before
    _tell(fleet, "bare", BARE)
    _tell(fleet, "more", PLUGIN)
    assert len(fleet.lines()) == 2
    steps.up()
    assert fleet.world.sql(text) == before
    assert {line.detected for line in fleet.lines()} == {FIRST}
    assert fleet.world.sql("select count(*) from clearway.fleet_ruling") == [(1,)]  # to be dated anew
    _tell(fleet, "more", PLUGIN, Detection(asset="rev-1", flaw="CVE-2026-99999", first_detected=LATER))
    assert sorted((line.flaw, line.name, line.detected) for line in fleet.lines()) == [
        (FLAW, "OpenSSL old", FIRST),
        ("CVE-2026-99999", "CVE-2026-99999", LATER),
    ]
