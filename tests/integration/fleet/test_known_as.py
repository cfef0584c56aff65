"""An asset is found by whatever it is known by, wherever one asks for it by name."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from clearway.exposure.fleet import asset, called, commands, observe
from clearway.records.fleet_input import AssetIds, Detection, Observed, Witness
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401
from fleet_world import DAY, Fleet, osv, package
from intake_world import run_here as run
from intake_world import write

NESSUS = """<?xml version="1.0"?>
<NessusClientData_v2><Report name="r"><ReportHost name="10.0.0.5"><HostProperties>
<tag name="host-ip">10.0.0.5</tag>{more}</HostProperties>
<ReportItem port="443" svc_name="www" protocol="tcp" severity="3" pluginID="777" pluginName="OpenSSL old">
<cve>{cve}</cve></ReportItem></ReportHost></Report></NessusClientData_v2>"""


def _seen(name: str, ids: AssetIds, flaw: str = "CVE-2026-0001", form: str = "nessus") -> Observed:
    found = Detection(asset=name, flaw=flaw)
    return Observed(name=name, format=form, ids=ids, detections=(found,), witness=Witness(tool="nessus"))


def _observe(fleet: Fleet, *seen: Observed, raw: bytes = b"1", file: str = "") -> list[observe.Seen]:
    return [*observe.observe(fleet.people.pool, fleet.operator.key, fleet.table, fleet.org, [*seen], raw, DAY,
                             file=file)]  # fmt: skip


@pytest.fixture(autouse=True)
def _loaded(request: pytest.FixtureRequest) -> None:
    if "fleet" in request.fixturenames:
        request.getfixturevalue("fleet").ingest(osv("PYSEC-9", package("PyPI", "other", "1")))


def test_a_host_that_its_first_report_names_in_full_is_called_so(fleet: Fleet) -> None:
    ids = AssetIds(fqdns=("nes.corp.example",), ips=("10.0.0.5",))
    (made,) = _observe(fleet, _seen("10.0.0.5", ids))
    assert (made.name, made.made) == ("nes.corp.example", True)
    (again,) = _observe(fleet, _seen("10.0.0.5", ids, "CVE-2026-0002"), raw=b"2")
    assert (again.asset, again.made) == (made.asset, False)
    with fleet.acting() as db:
        for text in ("nes.corp.example", "NES.corp.example.", "10.0.0.5", f"asset/{made.asset}"):
            assert [one.asset for one in called.meant(db, text)] == [made.asset], text
        assert called.meant(db, "10.0.0.6") == ()


def test_what_a_list_calls_by_its_address_stays_called_so(fleet: Fleet) -> None:
    ids = AssetIds(fqdns=("nes.corp.example",), ips=("10.0.0.5",))
    (made,) = _observe(fleet, _seen("10.0.0.5", ids, form="scanner-csv"))
    assert made.name == "10.0.0.5"
    with fleet.acting() as db:
        assert [one.name for one in called.meant(db, "nes.corp.example")] == ["10.0.0.5"]


def test_a_name_that_is_anothers_own_means_that_one(fleet: Fleet) -> None:
    first = fleet.asset("web", names=("web.example",))
    other = fleet.asset("web.example")
    with fleet.acting() as db:
        assert [one.asset for one in called.meant(db, "web.example")] == [other]
        kept = asset.one(db, other)
        asset.change(db, other, kept.version, kept.details, name="gone")
        assert [one.asset for one in called.meant(db, "web.example")] == [first]


def _json(home: Path, *words: str) -> Any:  # noqa: F811
    done = run("--home", home, *words, "--json")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.slow
def test_every_command_finds_an_asset_by_its_address_and_by_its_full_name(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-9", package("PyPI", "other", "1")))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    scan = tmp_path / "net.nessus"
    full = '<tag name="host-fqdn">nes.corp.example</tag>'
    scan.write_text(NESSUS.format(cve="CVE-2026-77001", more=full))
    (made,) = _json(home, "inventory", "add", str(scan))
    assert made["asset"] == "nes.corp.example"
    for name in ("nes.corp.example", "10.0.0.5"):
        assert _json(home, "inventory", "show", name)["asset"]["name"] == "nes.corp.example"
        assert [x["asset"]["name"] for x in _json(home, "inventory", "list", "--name", name)] == [
            "nes.corp.example"
        ]
        for words in (("exposure",), ("exposure", "list")):
            found = _json(home, *words, "--asset", name)
            assert (found["counts"]["total"], len(found["exposures"])) == (1, 1), (words, name)
        assert _json(home, "exposure", "set", "--asset", name, "--to", "fixed", "--dry-run")["matched"] == 1
    (again,) = _json(home, "inventory", "add", str(scan), "--asset", "10.0.0.5")
    assert again["asset"] == "nes.corp.example"
    assert _json(home, "exposure", "--asset", "10.0.0.6")["counts"]["total"] == 0
    assert _json(home, "exposure", "--asset", "nes*")["counts"]["total"] == 1


@pytest.mark.slow
def test_a_name_of_several_is_told_with_all_that_have_it(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-9", package("PyPI", "other", "1")))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    rows = "asset,ip,cve,first_detected\n{},10.9.9.9,CVE-2026-77002,2026-11-02\n"
    for name in ("one", "two"):
        (tmp_path / f"{name}.csv").write_text(rows.format(name))
        _json(home, "inventory", "add", str(tmp_path / f"{name}.csv"))
    assert _json(home, "exposure", "--asset", "10.9.9.9")["counts"]["total"] == 2  # each line names its own
    for words in (
        ("inventory", "show", "10.9.9.9"),
        ("exposure", "set", "--asset", "10.9.9.9", "--to", "fixed"),
    ):
        done = run("--home", home, *words)
        assert done.returncode != 0
        said = done.stderr.decode()
        assert "names several assets" in said, said
        assert [name for name in ("(one)", "(two)") if name not in said] == [], said
    assert _json(home, "exposure", "--asset", "10.9.9.9")["counts"]["total"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ("inventory", "add", "f.json", "--asset", ""),
        ("exposure", "set", "--flaw", "CVE-2026-1", "--asset", " ", "--to", "fixed"),
        ("exposure", "--flaw", ""),
        ("exposure", "list", "--name", ""),
        ("inventory", "list", "--name", ""),
    ],
)
def test_an_empty_name_is_no_default(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser(prog="clearway")
    commands.add_commands(parser.add_subparsers(dest="command"))
    with pytest.raises(SystemExit) as stopped:
        parser.parse_args(words)
    assert stopped.value.code == 2
    assert "is empty: give a name, or leave it out" in capsys.readouterr().err
