"""What a report lacks is named, and nothing else is asked."""

from __future__ import annotations

from typing import Any

import pytest

from clearway.findings.intake import gates, limit, releases, shapes
from clearway.findings.intake.gates import Gate
from clearway.formats.reported import read_reports
from clearway.formats.reported_parts import publishes
from report_documents import CANARY, csaf, dump, mail, own, sarif, vince


def lacking(data: bytes) -> list[str]:
    (report,) = read_reports(data).reports
    return [gate.gate for gate in gates.missing(gates.judge(report))]


def test_a_whole_report_lacks_nothing() -> None:
    assert lacking(dump(own())) == []


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"affected": {"name": "example"}}, ["product", "release"]),
        ({"trace": []}, ["trace"]),
        ({"trace": own()["trace"][:1]}, ["trace"]),
        ({"trace": [{"role": "source", "what": "x"}, {"role": "sink", "what": "y"}]}, ["trace"]),
        ({"ruled_out": []}, ["ruled-out"]),
        ({"ruled_out": [{**r, "why": "no"} for r in own()["ruled_out"]]}, ["ruled-out"]),
        ({"reproduction": {"release": "1.0", "steps": "short"}}, ["reproduction"]),
        (
            {"files": [], "reproduction": {"release": "1.0", "steps": "a long list of steps to take"}},
            ["reproduction"],
        ),
        ({"reproduction": {"release": "1.0", "steps": "a long list of steps to take"}}, []),
        ({"files": [], "reproduction": {"release": "1.0", "recipe": {"a": 1}}}, []),
        (
            {
                "files": [{"name": "recipe.json", "kind": "attachment", "data": "e30="}],
                "reproduction": {"release": "1.0", "steps": "see the recipe that is attached"},
            },
            [],
        ),
    ],
    ids=[
        "a name without an ecosystem and a release",
        "no trace",
        "no sink",
        "a trace without places",
        "nothing ruled out",
        "ruled out without a sentence",
        "steps that are none",
        "steps without an input",
        "steps with an input",
        "a recipe",
        "a recipe as a file",
    ],
)
def test_what_is_missing_is_named(change: dict[str, Any], names: list[str]) -> None:
    changed = own(**change)
    if names == ["product", "release"]:
        changed["reproduction"] = {**changed["reproduction"], "release": ""}
    assert lacking(dump(changed)) == names


ECOSYSTEMS = {"PyPI": "pkg:pypi/example", "npm": "pkg:npm/example", "Go": "pkg:golang/example.org/m", "GIT": "",
    "Debian": "pkg:deb/debian/example", "Maven": "pkg:maven/org.example/m", "": "", "AlmaLinux": "pkg:rpm/almalinux/x",
    "crates.io": "pkg:cargo/example"}  # fmt: skip


def of_release(shown_on: str, stated: str = "", ecosystem: str = "PyPI") -> list[str]:
    """The gates that a report lacks, shown on a release, whose product states one."""
    affected = {"ecosystem": ecosystem, "name": "example", "release": stated}
    if ECOSYSTEMS[ecosystem]:
        affected["purl"] = ECOSYSTEMS[ecosystem]
    changed = own(affected=affected)
    changed["reproduction"]["release"] = shown_on
    return [name for name in lacking(dump(changed)) if name != "product"]


@pytest.mark.parametrize("ecosystem", ECOSYSTEMS)
@pytest.mark.parametrize(
    "release",
    [
        "main", "HEAD", "master", "latest", "nightly", "git abc", "0123456789abcdef" * 2 + "01234567", "commit:1", "*",
        "abc1234", "deadbeef", "ABC1234", "HEAD~3", "HEAD^", "origin/main", "origin/v2", "refs/heads/main",
        "refs/heads/v2", "main branch", "latest release", "release latest", "-", "--", "none", "tbd", "TBD", "edge",
        "nightly-2024-01-01", "unknown", "n/a", "?", "all versions", "every version since 1.0", "branch 2.x", "~1",
        "today", "trunk@123", "main-2", "latest (1.2.3)",
    ],
)  # fmt: skip
def test_what_moves_or_was_not_shipped_is_no_release(release: str, ecosystem: str) -> None:
    assert of_release(release, ecosystem=ecosystem) == ["release"]


@pytest.mark.parametrize(
    ("release", "ecosystem"),
    [
        ("1.2.dev", "PyPI"), ("1.3.0-SNAPSHOT", "Maven"), ("1.2-git", ""), ("v2-main", "npm"), ("12-CURRENT", ""),
        ("1.2 (all platforms)", "PyPI"), ("OpenSSL_1_1_1w", "PyPI"), ("1.2.3, 1.2.4", "npm"), ("bookworm", "Debian"),
        ("v1.2.3/extra", "npm"), ("gitlab-16.1", "PyPI"),
    ],
)  # fmt: skip
def test_what_is_no_version_of_its_ecosystem_is_no_release(release: str, ecosystem: str) -> None:
    assert of_release(release, ecosystem=ecosystem) == ["release"]


@pytest.mark.parametrize(
    ("release", "ecosystem"),
    [
        ("1.7.15", "PyPI"), ("2024.11", "PyPI"), ("v1", "PyPI"), ("1.0rc1", "PyPI"), ("1.0.0", "npm"),
        ("13.0.0-canary.5", "npm"), ("3.0.11-1~deb12u2", "Debian"), ("1.2+git20240101-1", "Debian"),
        ("1.2.3-4.el8", "AlmaLinux"), ("5.3.39", "Maven"), ("v1.2.3", "Go"), ("sdk/core/v1.2.3", "Go"),
        ("v0.0.0-20240101000000-0123456789ab", "Go"), ("1.0.0", "crates.io"),
        ("1.2.3", ""), ("v1", ""), ("12-RELEASE", ""), ("gitlab-16.1", ""), ("OpenSSL_1_1_1w", ""), ("REL_15_2", ""),
        ("jdk-21+35", ""), ("R136a1", ""), ("RELEASE.2024-01-01T00-00-00Z", ""), ("refs/tags/v1.2.3", ""),
        ("3.4 SP1", ""), ("20240101", ""), ("255", ""),
    ],
)  # fmt: skip
def test_a_version_that_was_shipped_is_one(release: str, ecosystem: str) -> None:
    assert of_release(release, ecosystem=ecosystem) == []


@pytest.mark.parametrize("commit", ["0123456789abcdef0123456789abcdef01234567", "ab" * 32, "AB" * 20])
def test_a_full_commit_hash_counts_beside_the_release_that_holds_it(commit: str) -> None:
    assert of_release(commit, "1.7.15") == []
    for stated in ("", "main", commit):
        assert of_release(commit, stated) == ["release"]
    assert of_release(commit[:12], "1.7.15") == ["release"], "part of a hash is not looked up"


def test_what_is_said_of_a_release_says_how_to_mend_it_and_quotes_nothing() -> None:
    for shown_on, word in (("", "give a version"), ("main", "moves"), ("ab" * 20, "beside the full hash"),
        ("abc1234", "part of a commit"), ("1.2.3.x.y", "its ecosystem writes"), ("-", "such as 1.2.3")):  # fmt: skip
        said = releases.wrong(shown_on, "", "PyPI")
        assert word in said
        assert not shown_on or shown_on not in said.split()


def test_shapes_are_asked_by_class() -> None:
    assert "debug-build" in {s.key for s in shapes.asked_of("CWE-787")}
    assert "debug-build" not in {s.key for s in shapes.asked_of("CWE-22")}
    assert "resource-bound" in {s.key for s in shapes.asked_of("CWE-1333")}
    assert len(shapes.asked_of("")) == len(shapes.SHAPES)


@pytest.mark.parametrize(
    ("place", "test_code"),
    [
        ("tests/test_parse.c:1 main", True),
        ("src/fuzz/harness.c", True),
        ("lib/foo_test.go:3", True),
        ("examples/demo.py", True),
        ("src\\tests\\a.c", True),
        ("src/parse.c:17 test", False),
        ("contest/winner.py", False),
        ("src/latest/a.c", False),
        ("attestation/verify.py", False),
    ],
)
def test_test_code_is_told_by_its_folder_or_file(place: str, test_code: bool) -> None:
    assert shapes.looks_like_test_code(place) is test_code


@pytest.mark.parametrize(
    "data", [dump(own(cwe="CWE-1", ruled_out=[])), dump(sarif()), dump(csaf()), dump(vince()), mail()]
)
def test_what_a_gate_says_quotes_nothing_of_the_report(data: bytes) -> None:
    (report,) = read_reports(data).reports
    for gate in gates.judge(report):
        assert CANARY not in gate.what
        assert report.title not in gate.what


def test_a_summary_names_what_is_missing() -> None:
    asked = (Gate(gate="trace", state="missing", what="x"), Gate(gate="product", state="met"))
    assert gates.summary(asked) == "missing: from source to sink"
    assert gates.summary(asked[1:]) == ""


@pytest.mark.parametrize(
    ("verdict", "fixed", "state", "what"),
    [
        ("is", ("1.2.4",), "public", "it is CVE-2026-1, fixed in 1.2.4"),
        ("is", (), "public", "it is CVE-2026-1"),
        (
            "returns",
            ("1.2.4", "2.0.1"),
            "met",
            "CVE-2026-1, fixed in 1.2.4, 2.0.1, fires here again: no duplicate of it",
        ),
    ],
)
def test_what_the_desk_has_said_is_public_is_a_gate(
    verdict: str, fixed: tuple[str, ...], state: str, what: str
) -> None:
    gate = gates.known("CVE-2026-1", verdict, fixed)
    assert (gate.gate, gate.state, gate.what) == ("known", state, what)
    assert gates.missing([gate]) == ()


@pytest.mark.parametrize(
    ("said", "day"),
    [
        (b"", None),
        (b"{}", None),
        (b"[]", None),
        (b"\xff", None),
        (b"[" * 5_000, None),
        (b'{"embargo": {"until": null}}', None),
        (b'{"embargo": {"until": 7}}', None),
        (b'{"embargo": {"until": "soon"}}', None),
        (b'{"embargo": "2026-12-24"}', None),
        (b'{"embargo": {"until": "2026-12-24"}}', "2026-12-24"),
        (b'{"embargo": {"until": "2026-12-24T09:00"}}', "2026-12-24"),
        (b'{"embargo": {"until": "2026-12-24T23:30:00-05:00"}}', "2026-12-25"),
        (b'{"embargo": {"until": "0001-01-01T00:00:00+14:00"}}', None),
    ],
)
def test_the_day_of_publication_is_read_or_left_out(said: bytes, day: str | None) -> None:
    found = publishes(said)
    assert (found.isoformat() if found else None) == day


def _limit(**more: Any) -> limit.Limit:
    from datetime import UTC, datetime

    return limit.Limit(
        **{
            "id": 1, "organisation": "vendor", "ecosystem": "PyPI", "package": "example", "per_reporter": None,
            "per_week": None, "min_level": 0, "note": "", "set_at": datetime.now(UTC), "confirmed": None, "version": 1,
            **more,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "level", "handed_on", "now"),
    [
        ({}, 0, 1_000, True),
        ({"per_week": 3}, 0, 2, True),
        ({"per_week": 3}, 6, 3, False),
        ({"per_week": 0}, 6, 0, False),
        ({"min_level": 2}, 1, 0, False),
        ({"min_level": 2}, 2, 0, True),
    ],
)
def test_what_is_handed_on_is_within_the_receivers_limits(
    of: dict[str, int], level: int, handed_on: int, now: bool
) -> None:
    passing = limit.passes(_limit(**of), level=level, handed_on=handed_on)
    assert passing.now is now
    assert bool(passing.why) is not now
