"""The kept fleet from the command line, on an embedded home with one administrator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from database import home, made_home  # noqa: F401
from fleet_world import document, osv, package
from intake_world import kev, run, write


def _json(home: Path, *words: str, code: int = 0) -> Any:  # noqa: F811
    done = run("--home", home, *words, "--json")
    assert done.returncode == code, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_fleet_is_kept_listed_compared_and_decided(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1", "pkg:pypi/attrs@24.1"))
    (added,) = _json(home, "inventory", "add", str(sbom), "--asset", "web", "--exposure", "public",
                     "--environment", "production")  # fmt: skip
    assert (added["asset"], added["components"], added["appeared"]) == ("web", 2, 1)
    (again,) = _json(home, "inventory", "add", str(sbom), "--asset", "web")
    assert again["unchanged"]
    (listed,) = _json(home, "inventory", "list")
    assert (listed["asset"]["name"], listed["open"]) == ("web", 1)
    found = _json(home, "exposure", "--due-within", "90d")
    (line,) = found["exposures"]
    assert (line["flaw"], line["asset_name"], found["counts"]["total"]) == ("CVE-2026-0001", "web", 1)
    assert len(_json(home, "exposure", "--flaw", "pysec-1")["exposures"]) == 1  # by any of its names
    set_ = _json(home, "exposure", "set", "--flaw", "CVE-2026-0001", "--to", "not_affected",
                 "--justification", "vulnerable_code_not_present")  # fmt: skip
    assert set_["changed"] == [line["exposure"]]
    assert _json(home, "exposure")["exposures"] == []
    sbom.write_bytes(document("pkg:pypi/django@4.2", "pkg:pypi/flask@3.1"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web")
    difference = _json(home, "inventory", "diff", "web")
    assert [c["name"] for c in difference["changed"]] == ["django"]
    text = run("--home", home, "inventory", "diff", "web").stdout.decode()
    assert "~ django 4.1 -> 4.2" in text
    assert "+ flask 3.1" in text
    assert "- attrs 24.1" in text


def test_who_says_done_before_the_evidence_is_told_what_is_lost(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    write(tmp_path / "kev.json", kev("2026.11.20", "CVE-2026-0001", added="2026-11-20"))
    assert run("--home", home, "ingest", tmp_path / "a.json", tmp_path / "kev.json").returncode == 0
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1"))
    _json(home, "inventory", "add", str(sbom), "--asset", "web", "--exposure", "public")
    words = ("--home", home, "exposure", "set", "--flaw", "CVE-2026-0001", "--to", "fixed")
    tried = run(*words, "--dry-run")
    assert (tried.returncode, tried.stdout) == (0, b"1 exposures would be fixed\n")
    assert b"look for traces first: 1 of them" in tried.stderr
    made = json.loads(run(*words, "--json").stdout)
    assert (len(made["changed"]), made["without_evidence"]) == (1, 1)


def test_what_no_source_speaks_of_is_said_when_it_is_added_and_shown(home: Path, tmp_path: Path) -> None:  # noqa: F811
    write(tmp_path / "a.json", osv("PYSEC-1", package("PyPI", "django", "4.2"), aliases=["CVE-2026-0001"]))
    assert run("--home", home, "ingest", tmp_path / "a.json").returncode == 0
    listed = tmp_path / "products.csv"
    listed.write_text("vendor,product,version,host\nFortinet,FortiOS,,fw-1\n")
    said = "1 component could not be judged: FortiOS ("
    for words in (("inventory", "add", str(listed)), ("inventory", "show", "fw-1")):
        done = run("--home", home, *words)
        assert done.returncode == 0, done.stderr.decode()
        assert said in done.stdout.decode()
    sbom = tmp_path / "web.cdx.json"
    sbom.write_bytes(document("pkg:pypi/django@4.1"))
    (added,) = _json(home, "inventory", "add", str(sbom), "--asset", "web")
    assert (added["appeared"], added["unjudged"]) == (1, "")
    assert _json(home, "inventory", "show", "fw-1")["unjudged"]["count"] == 1


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
    scan.write_text(rows.format("02/03/2026"))
    (done,) = _json(home, "inventory", "add", str(scan), code=10)
    assert done["ended"] == 0
    assert len(_json(home, "exposure")["exposures"]) == 2


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("inventory", "show", "nothing"), 6),
        (("exposure", "set", "1", "--to", "accepted"), 10),
        (("exposure", "set", "--to", "open"), 2),
        (("exposure", "--due-within", "soon"), 2),
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
    other = _json(home, "fleet", "setting", "--directive", "bod-22-01")
    assert other["policy"] != "cisa_60d"
