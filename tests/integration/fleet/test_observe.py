"""What scanners and agents saw: whose it is, since when, and what only they know."""

from __future__ import annotations

import shutil
import stat
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.table import Table
from clearway.directives import load
from clearway.exposure.fleet import asset, observe, rematch, status
from clearway.exposure.fleet.engine import DuckDb, private_folder
from clearway.exposure.fleet.report_rows import PROVIDER
from clearway.records.errors import ConflictError
from clearway.records.fleet_input import AssetIds, Detection, Observed, Witness
from clearway.records.inventory import Component
from fleet_world import DAY, Fleet, osv, package

DJANGO = Component(ecosystem="PyPI", name="django", version="4.1", purl="pkg:pypi/django@4.1")
LATELY = Component(ecosystem="PyPI", name="lately", version="4.1", purl="pkg:pypi/lately@4.1")
IMAGE = AssetIds(image_digests=("sha256:" + "a" * 64,))


def _see(fleet: Fleet, *seen: Observed, raw: bytes = b"document", day: date = DAY) -> list[observe.Seen]:
    return observe.observe(
        fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, seen, raw + str(seen).encode(), day
    )


def test_one_image_seen_by_two_scanners_under_two_names_is_one_asset(mine: Fleet) -> None:
    trivy = Observed(name="registry/web:1", format="trivy-json", ids=IMAGE, components=(DJANGO,),
                     witness=Witness(tool="trivy"))  # fmt: skip
    grype = Observed(
        name="web", format="grype-json", ids=IMAGE, components=(DJANGO,), witness=Witness(tool="grype")
    )
    (first,), (second,) = _see(mine, trivy), _see(mine, grype)
    assert (first.made, second.made, first.asset) == (True, False, second.asset)
    (line,) = mine.lines()
    assert line.asset_name == "registry/web:1"


def test_a_host_is_one_asset_in_whatever_case_its_name_is_written(mine: Fleet) -> None:
    def seen(name: str, tool: str, **more: Any) -> Observed:
        return Observed(
            name=name, format="cyclonedx", components=(DJANGO,), witness=Witness(tool=tool), **more
        )

    (first,) = _see(mine, seen("Edge01", "syft"))
    others = [*_see(mine, seen("edge01", "grype")), *_see(mine, seen("EDGE01", "trivy", exposure="public"))]
    assert [(one.asset, one.made) for one in others] == [(first.asset, False)] * 2
    (line,) = mine.lines()
    assert (line.asset_name, line.asset_exposure) == ("Edge01", "public")
    with mine.acting() as db:
        found = asset.find(db, mine.org, "eDGE01")
        assert found is not None
        assert found.asset == first.asset
    # Two that are called so each already keep their documents apart.
    other = mine.asset("edge01")
    again = [*_see(mine, seen("edge01", "osv-scanner")), *_see(mine, seen("Edge01", "osv-scanner"))]
    assert [one.asset for one in again] == [other, first.asset]
    with mine.acting() as db, pytest.raises(ConflictError, match="several assets"):
        asset.find(db, mine.org, "EDGE01")


def test_a_detection_dates_the_exposure_that_a_component_has(mine: Fleet) -> None:
    _see(mine, Observed(name="web", format="cyclonedx", components=(DJANGO,), witness=Witness(tool="syft")))
    found = Detection(asset="web", flaw="CVE-2026-0001", first_detected=date(2026, 9, 1), source="nessus")
    _see(
        mine, Observed(name="web", format="scanner-csv", detections=(found,), witness=Witness(tool="nessus"))
    )
    (line,) = mine.lines()
    assert (line.name, line.detected) == ("django", date(2026, 9, 1))


def test_a_day_of_detection_that_is_yet_to_come_counts_as_today_and_is_told(mine: Fleet) -> None:
    found = Detection(asset="web", flaw="CVE-2026-0001", first_detected=date(2031, 1, 1), source="nessus")
    (seen,) = _see(
        mine, Observed(name="web", format="scanner-csv", detections=(found,), witness=Witness(tool="nessus"))
    )
    assert [line.detected for line in mine.lines()] == [DAY]
    assert any("on a day to come, such as 2031-01-01" in told for told in seen.taken.problems)


def test_what_only_a_scanner_knows_is_an_exposure_on_its_word(mine: Fleet) -> None:
    found = Detection(asset="web", flaw="CVE-2026-0002", first_detected=date(2026, 9, 1), source="qualys",
                      title="Flask out of date", port="443/tcp")  # fmt: skip
    fixed = Detection(asset="web", flaw="CVE-2026-0001", source="qualys", state="fixed")
    (seen,) = _see(mine, Observed(name="web", format="scanner-csv", detections=(found, fixed),
                                  witness=Witness(tool="qualys")))  # fmt: skip
    (line,) = mine.lines()
    assert (line.flaw, line.ecosystem, line.name, line.basis, line.detected) == (
        "CVE-2026-0002", "reported", "Flask out of date", "reported", date(2026, 9, 1),
    )  # fmt: skip
    with mine.owner() as owner:  # a whole match leaves the scanner's word alone
        assert rematch.rematch(owner, mine.table, mine.world.home, DAY).changed == 0
    _see(mine, Observed(name="web", format="scanner-csv", witness=Witness(tool="qualys")))
    assert mine.lines() == ()
    with mine.acting() as db:
        assert asset.one(db, seen.asset).name == "web"


def test_a_table_that_was_renewed_meanwhile_is_read_anew_and_no_conflict_of_the_senders(mine: Fleet) -> None:
    old = mine.table
    mine.ingest(osv("PYSEC-2026-9", package("PyPI", "lately", "4.2")))
    mine.follow()
    web = Observed(name="web", format="cyclonedx", components=(LATELY,), witness=Witness(tool="syft"))
    observe.observe(mine.people.pool, mine.operator.key, old, mine.org, [web], b"document", DAY)
    assert [line.flaw for line in mine.lines()] == ["PYSEC-2026-9"]


def test_a_home_whose_table_stays_older_is_told_so_after_a_while(
    mine: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observe, "_AGAIN_S", (0.0, 0.01))
    copy = tmp_path / "table"
    shutil.copytree(mine.table.path.parent, copy)
    old = Table.open(copy / mine.table.path.name)
    mine.ingest(osv("PYSEC-2026-10", package("PyPI", "lately", "4.2")))
    mine.follow()
    web = Observed(name="web", format="cyclonedx", components=(LATELY,), witness=Witness(tool="syft"))
    with pytest.raises(ConflictError, match="renewed meanwhile"):
        observe.observe(mine.people.pool, mine.operator.key, old, mine.org, [web], b"document", DAY)
    assert mine.lines() == ()


def test_a_document_states_exposure_and_who_said_so(mine: Fleet) -> None:
    seen = Observed(name="web", format="asset-list", exposure="public", exposure_by="assets.csv",
                    exposure_since=date(2026, 8, 1), components=(DJANGO,))  # fmt: skip
    (made,) = _see(mine, seen)
    with mine.acting() as db:
        (said,) = asset.exposures_said(db, made.asset)
    assert (said.exposure, said.since, said.said_by) == ("public", date(2026, 8, 1), "assets.csv")


def test_reports_show_the_fleet_as_it_was_known_on_a_day(mine: Fleet) -> None:
    first = DAY - timedelta(days=10)
    web = mine.asset("web", "internal", day=first, environment="production", edge=True)
    mine.upload(web, "pkg:pypi/django@4.1", "pkg:pypi/flask@2.0", day=first, owned=True)
    mine.upload(web, "pkg:pypi/django@4.2", "pkg:pypi/flask@2.0", day=DAY - timedelta(days=3), owned=True)
    with mine.acting() as db:
        status.decide(
            db, [mine.lines()[0].exposure],
            status.Decision(status="not_affected", justification="component_not_present"),
        )  # fmt: skip
    directive = load("bod-26-04")
    with mine.acting() as db:
        early = list(PROVIDER.rows(db, mine.org, directive, first, since=first))
        late = {r.flaw: r for r in PROVIDER.rows(db, mine.org, directive, date(2027, 1, 1), since=first)}
        before = list(PROVIDER.rows(db, mine.org, directive, first - timedelta(days=1), since=first))
        (tags,) = PROVIDER.assets(db, mine.org, first)
    assert before == []
    assert sorted((r.flaw, r.status) for r in early) == [("CVE-2026-0001", "open"), ("CVE-2026-0002", "open")]
    assert late["CVE-2026-0001"].remediated_at == DAY - timedelta(days=3)
    assert late["CVE-2026-0002"].status == "not_affected"
    assert (tags.name, tags.exposure, tags.environment, tags.edge_device) == (
        "web",
        "internal",
        "production",
        True,
    )
    with mine.acting() as db:
        shown = {x.flaw: x.due for x in mine.lines(gone=True)}
        assert shown["CVE-2026-0001"] == next(r.due for r in early if r.flaw == "CVE-2026-0001")


def test_files_of_a_whole_match_are_private_and_gone_afterwards(mine: Fleet, tmp_path: Path) -> None:
    mine.upload(mine.asset("web"), "pkg:pypi/django@4.1")
    modes: list[tuple[str, int]] = []

    class Watching(DuckDb):
        def rows(self, folder: Path):  # type: ignore[no-untyped-def]
            modes.append((folder.name, stat.S_IMODE(folder.stat().st_mode)))
            modes.extend((p.name, stat.S_IMODE(p.stat().st_mode)) for p in folder.iterdir() if p.is_file())
            yield from super().rows(folder)

    with mine.owner() as owner:
        rematch.rematch(owner, mine.table, tmp_path, DAY, engine=Watching())
    assert {m for _, m in modes} == {0o700, 0o600}
    assert len(modes) == 8
    assert list((tmp_path / "fleet").iterdir()) == []
    (tmp_path / "fleet" / "run-left-by-a-kill").mkdir()
    with private_folder(tmp_path) as folder:
        assert [p.name for p in (tmp_path / "fleet").iterdir()] == [folder.name]
