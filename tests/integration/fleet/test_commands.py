"""The kept fleet from the command line, on an embedded home with one administrator."""

from __future__ import annotations

import argparse
import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from clearway.directives.issue import sign
from clearway.exposure.fleet import commands, commands_inventory, commands_take
from clearway.formats.archive import Blob, Refused, walk
from clearway.formats.observed import read_fleet
from clearway.store.connect import connect
from clearway.store.server import lease
from database import made_home  # noqa: F401
from database import running_home as home  # noqa: F401
from fleet_world import document, osv, package
from intake_world import kev, write
from intake_world import run_here as run


def _json(home: Path, *words: str, code: int = 0) -> Any:  # noqa: F811
    done = run("--home", home, *words, "--json")
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)


def _parsed(home: Path, *words: str) -> argparse.Namespace:  # noqa: F811
    parser = argparse.ArgumentParser(prog="clearway")
    commands.add_commands(parser.add_subparsers(dest="command"))
    args = parser.parse_args(words)
    args.home = home
    return args


def test_a_fleet_is_kept_listed_compared_and_decided(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1"))
    (added,) = _json(home, "inventory", "add", str(sbom), "--asset", "web", "--exposure", "public",
                     "--environment", "production")  # fmt: skip
    assert (added["asset"], added["components"], added["appeared"]) == ("web", 2, 1)
    (tmp_path / "same.cdx.json").symlink_to(sbom)
    for once_more in ([], [str(sbom)], [f"{tmp_path}/./web.cdx.json", str(tmp_path / "same.cdx.json")]):
        (again,) = _json(home, "inventory", "add", str(sbom), *once_more, "--asset", "web")
        assert again["unchanged"]
    (listed,) = _json(home, "inventory", "list")
    assert (listed["asset"]["name"], listed["open"], listed["asset"]["tlp"]) == ("web", 1, "RED")
    assert not {"aud", "org", "version"} & {*listed["asset"]}
    found = _json(home, "exposure", "--due-within", "90d")
    (line,) = found["exposures"]
    assert (line["flaw"], line["asset_name"], found["counts"]["total"]) == ("CVE-2026-0001", "web", 1)
    assert line["tlp"] == "RED"
    assert not {"aud", "org", "pv", "version_tag"} & {*line}
    shown = _json(home, "inventory", "show", "web")
    assert shown["asset"]["tlp"] == "RED"
    assert not {"aud", "org", "version"} & {*shown["asset"]}
    assert not [c for c in shown["components"] if "pv" in c]
    assert len(_json(home, "exposure", "--flaw", "pysec-1")["exposures"]) == 1  # by any of its names
    set_ = _json(home, "exposure", "set", "--flaw", "CVE-2026-0001", "--to", "not_affected",
                 "--justification", "vulnerable_code_not_present")  # fmt: skip
    assert set_["changed"] == [line["exposure"]]
    assert _json(home, "exposure")["exposures"] == []
    opened = _json(home, "exposure", "set", "--flaw", "CVE-2026-0001", "--to", "open")
    assert opened["changed"] == [line["exposure"]]
    both = run("--home", home, "exposure", "set", str(line["exposure"]), "99999", "--to", "not_affected",
               "--justification", "vulnerable_code_not_present")  # fmt: skip
    assert (both.returncode, both.stdout) == (10, b"1 exposure is not_affected now\n")
    assert b"exposure/99999: no such exposure that stands; passed over" in both.stderr
    sbom.write_bytes(document("pkg:pypi/django@4.2", "pkg:pypi/flask@3.1"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web")
    difference = _json(home, "inventory", "diff", "web")
    assert [c["name"] for c in difference["changed"]] == ["django"]
    assert not [c for c in (*difference["added"], *difference["removed"]) if "pv" in c]
    text = run("--home", home, "inventory", "diff", "web").stdout.decode()
    assert "~ django 4.1 -> 4.2" in text
    assert "+ flask 3.1" in text
    assert "- attrs 24.1" in text


def test_what_vex_silences_is_said_when_its_inventory_is_added(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    purl, sbom, vex = "pkg:pypi/django@4.1", tmp_path / "web.cdx.json", tmp_path / "vex.json"
    sbom.write_bytes(document(purl))
    statement = {"vulnerability": {"name": "CVE-2026-0001"}, "products": [{"@id": purl}],
                 "status": "not_affected", "justification": "component_not_present"}  # fmt: skip
    write(vex, {"@context": "https://openvex.dev/ns/v0.2.0", "@id": "urn:acme:vex-7", "version": 1,
                "author": "acme", "timestamp": "2026-01-01T00:00:00Z", "statements": [statement]})  # fmt: skip
    words = ("inventory", "add", str(sbom), "--asset", "web", "--apply-vex", str(vex))
    (added,) = _json(home, *words)
    assert [(s["document"], s["exposures"]) for s in added["silenced"]] == [("urn:acme:vex-7", 1)]
    told = run("--home", home, *words).stdout.decode()
    assert "1 not affected by VEX (" in told
    assert "urn:acme:vex-7" in told
    assert "1 not affected by its VEX" in run("--home", home, "inventory", "diff", "web").stdout.decode()


def test_who_says_done_before_the_evidence_is_told_what_is_lost(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    write(tmp_path / "kev.json", kev("2026.11.20", "CVE-2026-0001", added="2026-11-20"))
    assert run("--home", home, "ingest", tmp_path / "a.json", tmp_path / "kev.json").returncode == 0
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web", "--exposure", "public")
    words = ("--home", home, "exposure", "set", "--flaw", "CVE-2026-0001", "--to", "fixed")
    tried = run(*words, "--dry-run")
    assert (tried.returncode, tried.stdout) == (0, b"1 exposure would be fixed\n")
    assert b"look for traces first: 1 of them" in tried.stderr
    made = json.loads(run(*words, "--json").stdout)
    assert (len(made["changed"]), made["without_evidence"]) == (1, 1)


def test_what_no_source_speaks_of_is_said_when_it_is_added_and_shown(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    listed = tmp_path / "products.csv"
    listed.write_text("vendor,product,version,host\nFortinet,FortiOS,,fw-1\n")
    said = "1 component could not be judged: Fortinet FortiOS ("
    for words in (("inventory", "add", str(listed)), ("inventory", "show", "fw-1")):
        done = run("--home", home, *words)
        assert done.returncode == 0, done.stderr.decode()
        assert said in done.stdout.decode()
    bounds = tmp_path / "bounds.csv"
    bounds.write_text(
        "vendor,product,version,host\nFortinet,FortiOS,<7.2.8,fw-2\nFortinet,FortiOS,7.2.7 or earlier,fw-2\n"
    )
    (added,) = _json(home, "inventory", "add", str(bounds))
    assert added["unjudged"].startswith(
        "2 components could not be judged: Fortinet FortiOS <7.2.8 ('<7.2.8' is a bound, "
    )
    matched = run("--home", home, "match", str(bounds))
    assert b"is a bound, not a version" in matched.stdout
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1"))
    (added,) = _json(home, "inventory", "add", str(sbom), "--asset", "web")
    assert (added["appeared"], added["unjudged"]) == (1, "")
    assert _json(home, "inventory", "show", "fw-1")["unjudged"]["count"] == 1
    told = run("--home", home, "inventory", "diff", "fw-1").stdout.decode()
    assert said in told
    sbom.write_bytes(document("pkg:pypi/django@4.3"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web")
    told = run("--home", home, "inventory", "diff", "web").stdout.decode()
    assert "0 new exposures, 1 ended" in told
    assert "  ended: CVE-2026-0001 in django 4.1" in told
    assert _json(home, "inventory", "diff", "web")["over"][0]["flaw"] == "CVE-2026-0001"


def test_what_is_listed_and_shown_is_on_the_log_with_who_read_it(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    run("--home", home, "ingest", tmp_path / "a.json")
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web")
    _json(home, "inventory", "list")
    assert run("--home", home, "inventory", "list", "--csv").returncode == 0
    _json(home, "inventory", "show", "web")
    _json(home, "inventory", "diff", "web")
    _json(home, "exposure", "--asset", "web")
    assert run("--home", home, "exposure", "list", "--csv", "--flaw", "CVE-2026-0001").returncode == 0
    (line,) = _json(home, "exposure", "list")["exposures"]
    _json(home, "exposure", "replay", str(line["exposure"]), "--as-of", f"{datetime.now(UTC):%F}")
    with lease(home) as url, connect(url) as db:
        rows = db.execute(
            """select e.subject, e.content, p.name
            from clearway.log_entry e join clearway.person p on p.person = e.actor
            where e.act = 'content.read' order by e.entry"""
        ).fetchall()
    assert [row[0] for row in rows] == [
        "list/assets", "list/assets", "asset/1", "inventory/1", "list/exposures", "list/exposures", "list/exposures",
        f"exposure/{line['exposure']}",
    ]  # fmt: skip
    assert len({row[2] for row in rows}) == 1
    filtered = json.loads(rows[4][1])
    assert (filtered["route"], filtered["filters"], filtered["rows"]) == (
        "clearway exposure",
        ["asset_name"],
        1,
    )
    assert "CVE-2026-0001" not in "".join(str(row[1]) for row in rows)  # what was asked for is a digest


def test_what_can_not_be_read_is_set_aside_and_the_rest_lands(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    run("--home", home, "ingest", tmp_path / "a.json")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "web.cdx.json").write_bytes(document("pkg:pypi/django@4.1"))
    (folder / "broken.json").write_bytes(b"{")
    done = run("--home", home, "inventory", "watch", str(folder), "--once")
    assert done.returncode == 10
    assert b"set aside" in done.stderr
    assert len(_json(home, "inventory", "list")) == 1


def test_rows_that_were_set_aside_end_with_10_and_take_nothing_away(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    run("--home", home, "ingest", tmp_path / "a.json")
    scan = tmp_path / "scan.csv"
    rows = "asset,cve,first_detected\nsc,CVE-2026-0001,2026-11-01\nsc,CVE-2026-0002,{}\n"
    scan.write_text(rows.format("2026-11-01"))
    assert _json(home, "inventory", "add", str(scan))[0]["appeared"] == 2
    for day in ("02/03/2026", "1998-01-02"):
        scan.write_text(rows.format(day))
        (done,) = _json(home, "inventory", "add", str(scan), code=10)
        assert done["ended"] == 0
    assert len(_json(home, "exposure")["exposures"]) == 2


def test_files_of_one_call_about_one_asset_do_not_end_each_other(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(
        tmp_path / "a.json",
        osv("PYSEC-1", package("PyPI", "django", "4.2")),
    )
    write(tmp_path / "b.json", osv("PYSEC-2", package("PyPI", "flask", "3.0")))
    run("--home", home, "ingest", tmp_path / "a.json", tmp_path / "b.json")
    for part, text in (("a", "django==4.1\n"), ("b", "flask==2.0\n")):
        (tmp_path / "repo" / part).mkdir(parents=True)
        (tmp_path / "repo" / part / "requirements.txt").write_text(text)
    words = ("inventory", "add", str(tmp_path / "repo"), "--asset", "web-77")
    for _ in range(2):
        assert [a["ended"] for a in _json(home, *words)] == [0, 0]
        assert len(_json(home, "exposure")["exposures"]) == 2
    (tmp_path / "repo" / "b" / "requirements.txt").write_text("flask==3.0\n")
    assert sum(a["ended"] for a in _json(home, *words)) == 1


def test_a_log_of_many_hosts_is_one_document(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    run("--home", home, "ingest", tmp_path / "a.json")
    log = Path(__file__).parents[2] / "fixtures" / "fleet" / "osqueryd.results.log"
    added = {a["asset"]: a for a in _json(home, "inventory", "add", str(log), code=10)}
    expected = {o.name: len(o.components) for o in read_fleet(log.read_bytes(), log.name).observed}
    assert {name: a["components"] for name, a in added.items()} == expected
    assert {a["removed"] for a in added.values()} == {0}
    lines = tmp_path / "software.jsonl"
    rows = [{"DisplayName": n, "DisplayVersion": "1.0", "ComputerName": "PCJ"} for n in ("Firefox", "Chrome")]
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (one,) = _json(home, "inventory", "add", str(lines))
    assert (one["asset"], one["components"], one["removed"]) == ("PCJ", 2, 0)
    # What no reader knows as a whole is a document a line.
    lines.write_bytes(document("pkg:pypi/django@4.1") + b"\n" + document("pkg:pypi/flask@2.0") + b"\n")
    assert sum(a["components"] for a in _json(home, "inventory", "add", str(lines))) == 2


def test_a_watched_folder_is_read_as_a_folder_that_is_added(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    run("--home", home, "ingest", tmp_path / "a.json")
    outside = tmp_path / "outside.cdx.json"
    outside.write_bytes(document("pkg:pypi/django@4.1"))
    folder = tmp_path / "drop"
    (folder / "deep").mkdir(parents=True)
    (folder / "link.cdx.json").symlink_to(outside)
    (folder / "up").symlink_to(tmp_path)
    (folder / ".part.cdx.json").write_bytes(document("pkg:pypi/idna@3.6"))
    with zipfile.ZipFile(folder / "deep" / "all.zip", "w") as archive:
        archive.writestr("inner.cdx.json", document("pkg:pypi/flask@2.0"))
    with (folder / "large.json").open("wb") as sparse:
        sparse.truncate(3 << 30)
    done = run("--home", home, "inventory", "watch", str(folder), "--once")
    assert done.returncode == 10
    assert b"larger than 256 MiB" in done.stderr
    assert [x["asset"]["name"] for x in _json(home, "inventory", "list")] == ["all.zip!inner.cdx"]


def _two(home: Path, tmp_path: Path) -> None:  # noqa: F811
    """Advisories on django below 4.2 and flask below 3.0."""
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    write(tmp_path / "b.json", osv("PYSEC-2", package("PyPI", "flask", "3.0")))
    assert run("--home", home, "ingest", tmp_path / "a.json", tmp_path / "b.json").returncode == 0


def _open(home: Path) -> list[tuple[str, str]]:  # noqa: F811
    return sorted((x["asset_name"], x["flaw"]) for x in _json(home, "exposure")["exposures"])


def test_two_machines_whose_sboms_have_one_file_name_stay_two(home: Path, tmp_path: Path) -> None:  # noqa: F811
    _two(home, tmp_path)
    hosts, purls = tmp_path / "hosts", {"web-11": "pkg:pypi/django@4.1", "web-12": "pkg:pypi/flask@2.0"}
    for host, purl in purls.items():
        (hosts / host).mkdir(parents=True)
        subject = {"component": {"type": "application", "name": "shop"}}
        (hosts / host / "bom.json").write_bytes(document(purl, metadata=subject))
        (hosts / host / "requirements.txt").write_text("attrs==24.1\n")
        (hosts / host / "scan.cdx.json").write_bytes(document(purl))
    named = {f"{host}{end}" for host in purls for end in ("", "/shop", "/scan.cdx")}
    assert {a["asset"] for a in _json(home, "inventory", "add", str(hosts))} == named
    found = _open(home)
    assert found == [(f"web-1{n}/{what}", f"PYSEC-{n}") for n in (1, 2) for what in ("scan.cdx", "shop")]
    (one,) = _json(home, "inventory", "add", str(hosts / "web-11" / "bom.json"))
    assert (one["asset"], one["unchanged"]) == ("web-11/shop", True)
    both = [str(hosts / host / "scan.cdx.json") for host in purls]
    assert all(a["unchanged"] for a in _json(home, "inventory", "add", *both))
    assert run("--home", home, "inventory", "watch", str(hosts), "--once").returncode == 0
    assert _open(home) == found
    assert {x["asset"]["name"] for x in _json(home, "inventory", "list")} == named


def test_two_machines_stay_two_whose_folders_are_called_alike(home: Path, tmp_path: Path) -> None:  # noqa: F811
    _two(home, tmp_path)
    purls = {"web1": "pkg:pypi/django@4.1", "web2": "pkg:pypi/flask@2.0"}
    for host, purl in purls.items():
        for folder in (tmp_path / host / "src", tmp_path / "sites" / host / "m1"):
            folder.mkdir(parents=True)
            (folder / "bom.json").write_bytes(document(purl))
        (one,) = _json(home, "inventory", "add", str(tmp_path / host / "src" / "bom.json"))
        assert (one["asset"], one["ended"]) == (f"{host}/src", 0)
    added = _json(home, "inventory", "add", str(tmp_path / "sites"))
    assert {a["asset"] for a in added} == {"web1/m1", "web2/m1"}
    assert run("--home", home, "inventory", "watch", str(tmp_path / "sites"), "--once").returncode == 0
    assert _open(home) == [(f"web{n}/{end}", f"PYSEC-{n}") for n in (1, 2) for end in ("m1", "src")]


def test_a_watched_folder_of_dated_files_ends_what_is_over_at_each_start(home: Path, tmp_path: Path) -> None:  # noqa: F811
    _two(home, tmp_path)
    folder, row = tmp_path / "drop", "web,CVE-2026-000{},2026-11-01\n"
    folder.mkdir()
    for day, flaws in (("2026-11-01", "12"), ("2026-11-08", "1")):
        listed = "".join(map(row.format, flaws))
        (folder / f"found-{day}.csv").write_text(f"asset,cve,first_detected\n{listed}")
        for _ in range(2):
            done = run("--home", home, "inventory", "watch", str(folder), "--once")
            assert done.returncode == 0, done.stderr.decode()
            assert _open(home) == [("web", f"CVE-2026-000{n}") for n in flaws]
    (folder / "found-2026-11-09.csv").write_text(
        "asset,cve,first_detected\n" + row.replace("web", "db").format(3)
    )
    done = run("--home", home, "inventory", "watch", str(folder), "--once")
    assert b"\n1 asset of earlier files found.csv is not in this one: web; nothing of it ends" in done.stdout
    (folder / "found-2026-11-09.csv").unlink()
    done = run("--home", home, "inventory", "watch", str(folder), "--once")
    assert b"passed over: found-2026-11-01.csv is older than found-2026-11-08.csv" in done.stdout
    old = str(folder / "found-2026-11-01.csv")
    (one,) = _json(home, "inventory", "add", old, code=10)
    assert (one["unchanged"], len(one["passed_over"]), one["appeared"]) == (True, 1, 0)
    (one,) = _json(home, "inventory", "add", old, "--again")
    assert (one["passed_over"], one["appeared"]) == ([], 1)


def test_a_named_document_that_is_older_ends_the_command_with_10_beside_others_too(
    home: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    _two(home, tmp_path)
    new, old = tmp_path / "n1.json", tmp_path / "n0.json"
    for path, day, purl in (
        (new, "2026-11-05", "pkg:pypi/django@4.1"),
        (old, "2026-10-01", "pkg:pypi/flask@2.0"),
    ):
        path.write_bytes(document(purl, metadata={"timestamp": f"{day}T00:00:00Z"}))
    add = ("inventory", "add", "--asset", "web")
    _json(home, *add, str(new))
    _json(home, *add, str(old), "--again")
    (one,) = _json(home, *add, str(old), str(new), code=10)
    assert one["unchanged"]
    assert one["passed_over"] == [
        "n1.json was taken in before, and one of 2026-10-01 00:00 was put in its place"
    ]
    assert _open(home) == [("web", "PYSEC-2")]


def test_a_machine_in_next_weeks_archive_is_the_same_machine(home: Path, tmp_path: Path) -> None:  # noqa: F811
    _two(home, tmp_path)
    for day, purl in (("2026-11-01", "pkg:pypi/django@4.1"), ("2026-11-08", "pkg:pypi/django@4.2")):
        packed = tmp_path / f"sb-{day}.zip"
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("host-77.cdx.json", document(purl))
            archive.writestr("web-1/bom.json", document(purl))
        added = _json(home, "inventory", "add", str(packed))
        assert {a["asset"] for a in added} == {"sb.zip!host-77.cdx", "web-1"}
    assert sum(a["ended"] for a in added) == 2
    assert _open(home) == []


def test_a_list_of_assets_is_whole_however_many_there_are(
    home: Path,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2")))
    run("--home", home, "ingest", tmp_path / "a.json")
    listed = tmp_path / "assets.csv"
    listed.write_text("asset,owner\n" + "".join(f"m{n},ops\n" for n in range(5)))
    assert run("--home", home, "inventory", "add", str(listed)).returncode == 0
    monkeypatch.setattr(commands_inventory, "_PAGE", 2)
    for form in ("--json", "--csv"):
        assert commands_inventory.run_list(_parsed(home, "inventory", "list", form)) == 0
        out = capsys.readouterr().out
        if form == "--json":
            assert [x["asset"]["name"] for x in json.loads(out)] == [f"m{n}" for n in range(5)]
        else:
            assert [row["name"] for row in csv.DictReader(io.StringIO(out))] == [f"m{n}" for n in range(5)]


def test_a_file_that_vanishes_or_can_not_be_read_ends_no_watch(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "sub").mkdir()
    found = commands_take._files(str(tmp_path))
    first, _ = next(found)
    assert first == str(tmp_path / "a.json")
    (tmp_path / "sub").rmdir()
    assert list(found) == []
    assert [type(x) for x in walk([tmp_path / "a.json"], links=False)] == [Blob]
    (tmp_path / "a.json").rename(tmp_path / "b.json")
    (tmp_path / "a.json").symlink_to("b.json")
    (refused,) = walk([tmp_path / "a.json"], links=False)
    assert isinstance(refused, Refused)
    assert refused.reason == "a symbolic link"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inventory", "show", "nothing"), 6),
        (("exposure", "set", "1", "--to", "accepted"), 10),
        (("exposure", "set", "--to", "open"), 2),
        (("exposure", "set", "1", "--to", "accepted", "--detail", "x", "--until", "2020-01-01"), 10),
        (("exposure", "--due-within", "soon"), 2),
        (("exposure", "set", "1", "--flaw", "CVE-2026-0001", "--to", "fixed"), 2),
        (("exposure", "set", "1", "--status", "open", "--to", "fixed"), 2),
        (("exposure", "set", "1", "--to", "fixed"), 6),
        (("exposure", "set", "1", "--to", "fixed", "--dry-run"), 6),
        (("exposure", "set", "99999999999999999999", "--to", "fixed"), 2),
        (("exposure", "replay", "99999999999999999999", "--as-of", "2026-01-01"), 2),
    ],
)
def test_a_mistake_has_its_exit_code(home: Path, words: tuple[str, ...], code: int) -> None:  # noqa: F811
    done = run("--home", home, *words)
    assert done.returncode == code, done.stderr.decode()


def test_what_a_setting_does_not_name_stays_and_another_directive_begins_anew(home: Path) -> None:  # noqa: F811
    chosen = _json(home, "fleet", "setting", "--retier", "restart_at_tier_change")
    assert chosen["retier"] == "restart_at_tier_change"
    policy = _json(home, "fleet", "setting", "--policy", "cisa_60d")
    assert (policy["policy"], policy["retier"]) == ("cisa_60d", "restart_at_tier_change")
    named = _json(home, "fleet", "setting", "--directive", policy["directive"], "--retier", "original_start")
    assert (named["policy"], named["retier"]) == ("cisa_60d", "original_start")
    assert _json(home, "fleet", "setting") == {**named, "dated": 0}
    other = _json(home, "fleet", "setting", "--directive", _imported(home))
    assert (other["policy"], other["retier"]) == ("fedramp_assume_automatable", "restart_at_tier_change")


def test_a_directive_that_is_revoked_is_not_chosen(home: Path) -> None:  # noqa: F811
    done = run("--home", home, "fleet", "setting", "--directive", "bod-22-01")
    assert done.returncode == 2
    assert "was revoked on 2026-06-10 by bod-26-04" in done.stderr.decode()
    assert "choose bod-26-04" in done.stderr.decode()
    assert _json(home, "fleet", "setting")["directive"] == "bod-26-04"


def _imported(home: Path) -> str:  # noqa: F811
    """Takes over a directive with the shipped one's table, and its policies and options the other way round."""
    made = json.loads((files("clearway.directives") / "data" / "bod-26-04.json").read_bytes())
    made |= {"id": "nca-1", "policies": made["policies"][1:], "revokes": []}
    made["clock"]["retier"].reverse()
    private = Ed25519PrivateKey.generate()
    document = json.dumps(made).encode()
    (home / "nca.json").write_bytes(document)
    (home / "nca.json.sig").write_bytes(sign(document, private).signature)
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    (home / "nca.key").write_bytes(public.hex().encode())
    done = run("--home", home, "directive", "import", home / "nca.json", "--key", home / "nca.key")
    assert done.returncode == 0, done.stderr.decode()
    return "nca-1"
