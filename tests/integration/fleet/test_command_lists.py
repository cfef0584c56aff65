"""The lists of the fleet's pages from the command line, as CSV and as text, with each of the pages' filters."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clearway.exposure.fleet import commands, listing
from clearway.exposure.fleet.api_asset_list import AssetItem
from clearway.exposure.fleet.api_lists import ExposureItem
from clearway.records.errors import NotFoundError, UsageError
from clearway.store.server import lease
from database import home, made_home  # noqa: F401
from fleet_world import document, osv, package
from intake_world import kev, run_here, write

Said = Callable[..., str]
ONE, TWO, CMD = "CVE-2026-0001", "CVE-2026-0002", "'=cmd()"  # which no spreadsheet runs
EVERY = [(name, flaw) for name in (CMD, "db", "lab") for flaw in (ONE, TWO)]


@pytest.fixture
def said(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Said]:  # noqa: F811
    """What a command prints, over two flaws on three machines, of which one is called as a spreadsheet would run it."""
    records = (
        osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=[ONE]),
        osv("PYSEC-2", package("PyPI", "flask", "3.1"), aliases=[TWO]),
    )
    found = [write(tmp_path / f"{n}.json", record) for n, record in enumerate(records)]
    found.append(write(tmp_path / "kev.json", kev("2026.11.20", ONE, added="2026-11-20")))
    table = tmp_path / "assets.csv"
    table.write_text("asset,owner,environment,exposure,edge device\n=cmd(),web team,production,public,yes\n"
                     "db,data team,production,internal,no\nlab,data team,development,internal,no\n")  # fmt: skip
    sbom = tmp_path / "all.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1", "pkg:pypi/flask@3.0"))

    def printed(*words: str) -> str:
        parser = argparse.ArgumentParser(prog="clearway")
        commands.add_commands(parser.add_subparsers(dest="command"))
        args = parser.parse_args(words)
        args.home = home
        assert args.func(args) == 0
        return capsys.readouterr().out

    with lease(home):
        assert run_here("--home", home, "ingest", *found).returncode == 0
        printed("inventory", "add", str(table))
        for name in ("=cmd()", "db", "lab"):
            printed("inventory", "add", str(sbom), "--asset", name)
        yield printed


def rows(said: Said, *words: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said(*words, "--csv"))))


def exposures(said: Said, *words: str) -> list[tuple[str, str]]:
    return sorted((row["asset_name"], row["flaw"]) for row in rows(said, "exposure", "list", *words))


def assets(said: Said, *words: str) -> list[str]:
    return [row["name"] for row in rows(said, "inventory", "list", *words)]


def test_the_lists_of_the_pages_are_written_as_csv_with_each_of_their_filters(said: Said) -> None:
    assert exposures(said) == EVERY
    assert exposures(said, "--not-kev", "yes", "--not-environment", "development") == [
        (CMD, TWO),
        ("db", TWO),
    ]
    assert exposures(said, "--environment", "production", "--exposure", "internal") == [
        ("db", ONE),
        ("db", TWO),
    ]
    assert exposures(said, "--exposure", "public", "--exposure", "internal", "--kev", "yes") == [
        (CMD, ONE), ("db", ONE), ("lab", ONE),
    ]  # fmt: skip
    assert exposures(said, "--asset", "d*", "--flaw", "pysec-2") == [("db", TWO)]
    assert exposures(said, "--name", "fla*", "--not-exposure", "public") == [("db", TWO), ("lab", TWO)]
    assert exposures(said, "--due-to", "2000-01-01") == []
    assert exposures(said, "--not-severity", "unrated") == []
    assert said("exposure", "list", "--kev", "no", "--severity", "unrated").endswith("3 of 3\n")
    asked = json.loads(said("exposure", "list", "--asset", "db", "--json"))
    assert (len(asked["exposures"]), asked["counts"]["total"]) == (2, 2)
    assert assets(said) == [CMD, "db", "lab"]
    assert assets(said, "--owner", "data team", "--not-environment", "production") == ["lab"]
    assert assets(said, "--edge", "yes") == assets(said, "--not-owner", "data team") == [CMD]
    assert assets(said, "--decommissioned", "no", "--exposure", "internal") == ["db", "lab"]
    assert (assets(said, "--name", "d"), assets(said, "--name", "d*")) == ([], ["db"])
    (row,) = rows(said, "inventory", "list", "--name", "db")
    assert (row["owner"], row["components"], row["open"], row["tlp"]) == ("data team", "2", "2", "RED")
    assert (*row,) == AssetItem.__struct_fields__


def test_what_is_open_is_listed_unless_something_is_said_of_statuses(said: Said) -> None:
    reason = ("--justification", "component_not_present")
    said("exposure", "set", "--asset", "lab", "--to", "not_affected", *reason)
    assert exposures(said) == exposures(said, "--not-suppressed") == EVERY[:4]
    assert exposures(said, "--status", "all") == EVERY
    assert exposures(said, "--suppressed") == exposures(said, "--not-status", "open") == EVERY[4:]
    assert exposures(said, "--gone") == []


def test_a_csv_is_whole_however_many_pages_it_has_and_one_without_lines_has_its_header(
    said: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "MOST", 2)
    for words, count in (((), 6), (("--limit", "3"), 3), (("--asset", "none"), 0)):
        text = said("exposure", "list", "--csv", "--sort", "name", *words)
        head, *lines = csv.reader(io.StringIO(text))
        assert tuple(head) == ExposureItem.__struct_fields__
        assert len({line[0] for line in lines}) == len(lines) == count


def test_what_is_no_filter_and_who_is_not_there_is_refused(said: Said) -> None:
    for words in (("--severity", "terrible"), ("--csv", "--json")):
        with pytest.raises(SystemExit):
            said("exposure", "list", *words)
    with pytest.raises(UsageError):
        said("exposure", "list", "--limit", "0")
    for words in (
        ("exposure", "list", "--org", "elsewhere"),
        ("inventory", "list", "--not-org", "elsewhere"),
    ):
        with pytest.raises(NotFoundError):
            said(*words)
