"""Layouts against bytes that no publisher would send: a reason comes out and no surprise."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.advisories.feeds import catalogues, csaf, cve, osv
from clearway.advisories.feeds.feed import Feed
from clearway.advisories.feeds.layout import Ask, Outcome, Pull
from clearway.advisories.feeds.place import Folder, Staging
from clearway.records.errors import ClearwayError
from feed_world import cve_layout, osv_layout
from intake_world import kev
from intake_world import osv as osv_record

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RECORDS = [osv_record(f"GO-2024-{n}") for n in range(1000, 1004)]
CVES = [
    {"dataType": "CVE_RECORD", "cveMetadata": {"cveId": f"CVE-2024-{n}", "state": "PUBLISHED"}}
    for n in (1234, 1235)
]
DOCUMENT = {"document": {"publisher": {"namespace": "https://acme.test"}, "tracking": {"id": "a-1"},
                         "distribution": {"tlp": {"label": "WHITE"}}}}  # fmt: skip
METADATA = {"canonical_url": "x", "publisher": {"namespace": "https://acme.test"}, "distributions": [
    {"rolie": {"feeds": [{"url": "feed.json", "tlp_label": "WHITE"}]}}]}  # fmt: skip
FEED = {"feed": {"updated": "2026-11-24T00:00:00Z", "entry": [
    {"updated": "2026-11-24T00:00:00Z", "link": [{"rel": "self", "href": "a-1.json"}]}]}}  # fmt: skip
ENTRY = FEED["feed"]["entry"]  # type: ignore[index]
PARTY = {"metadata": {"publisher": {"namespace": "https://acme.test"}, "url": "one/provider-metadata.json"}}
FILES: dict[str, tuple[Callable[[Ask], Pull], dict[str, bytes]]] = {
    "osv": (osv.pull, osv_layout(RECORDS)),
    "cve": (cve.pull, {
        **cve_layout(CVES[:1], CVES[1:], "2026-11-25T10:00:00.000Z", "2026-10-26T00:00:00.000Z"),
        "cves.zip": cve_layout(CVES[:1], CVES[1:], "", "")["2026-11-25_all.zip.zip"],
    }),
    "kev": (catalogues.pull_kev, {"it": json.dumps(kev("2026.11.24", "CVE-2024-1000")).encode()}),
    "epss": (catalogues.pull_epss, {
        "it": gzip.compress(b"#model_version:v1,score_date:2026-11-24\ncve,epss,percentile\nCVE-2024-1,0.1,0.2\n")}),
    "file": (catalogues.pull_file, {"it": b"\n".join(json.dumps(r).encode() for r in RECORDS)}),
    "csaf": (csaf.pull, {"provider-metadata.json": json.dumps(METADATA).encode(),
                         "feed.json": json.dumps(FEED).encode(), "a-1.json": json.dumps(DOCUMENT).encode()}),
    "csaf in pages": (csaf.pull, {
        "provider-metadata.json": json.dumps({**METADATA, "distributions": [
            {"rolie": {"feeds": [], "services": ["service.json"]}}]}).encode(),
        "service.json": json.dumps({"service": {"workspace": [{"collection": [{"href": "feed.json"}]}]}}).encode(),
        "feed.json": json.dumps({"feed": {"entry": ENTRY, "link": [{"rel": "next", "href": "more.json"}]}}).encode(),
        "more.json": json.dumps({"feed": {"entry": []}}).encode(), "a-1.json": json.dumps(DOCUMENT).encode()}),
    "csaf in a directory": (csaf.pull, {
        "provider-metadata.json": json.dumps({**METADATA, "distributions": [{"directory_url": "list"}]}).encode(),
        "list/changes.csv": b'"2026/a-1.json","2026-11-24T00:00:00Z"\n', "list/index.txt": b"2026/a-1.json\n",
        "list/2026/a-1.json": json.dumps(DOCUMENT).encode()}),
    "csaf of an aggregator": (csaf.pull, {
        "aggregator.json": json.dumps({"csaf_providers": [PARTY]}).encode(),
        "one/provider-metadata.json": json.dumps(METADATA).encode(),
        "feed.json": json.dumps(FEED).encode(), "a-1.json": json.dumps(DOCUMENT).encode()}),
}  # fmt: skip


def pulled(layout: str, files: dict[str, bytes], dated: str = "") -> tuple[Outcome | None, int]:
    """What a layout comes to on these files, and how many it hands over."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "from"
        for name, body in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        single = list(files) == ["it"]
        feed = Feed(name="x", layout=layout, url=str(root / "it" if single else root), dated=dated)  # type: ignore[arg-type]
        staging = Staging(Path(folder) / "to")
        ask = Ask(feed=feed, place=Folder(feed, staging), staging=staging, now=NOW)
        run, handed = FILES[layout][0](ask), 0
        while True:
            try:
                batch = next(run)
            except StopIteration as end:
                return end.value, handed
            assert all(path.parent == staging.folder and path.exists() for path in batch.paths)
            handed += len(batch.paths)


@pytest.mark.parametrize("layout", FILES)
def test_the_files_as_they_are_are_handed_over(layout: str) -> None:
    outcome, handed = pulled(layout, FILES[layout][1])
    assert handed >= 1
    assert outcome is not None
    assert outcome.entries >= 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["feed", "entry", "link", "href", "document", "publisher", "vulnerabilities",
                                       "cveID", "fetchTime", "new", "cveId", "distributions", "rolie", "url", "service",
                                       "workspace", "collection", "csaf_providers", "metadata", "mirrors"]), inner,
                      max_size=4),
    max_leaves=12,
)  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, dict[str, bytes], str]:
    """A layout with one file spoilt: other bytes, other JSON, cut, or with bytes changed inside."""
    layout = draw(st.sampled_from(sorted(FILES)))
    files = dict(FILES[layout][1])
    name = draw(st.sampled_from(sorted(files)))
    body = files[name]
    way = draw(st.sampled_from(("bytes", "json", "cut", "flip", "gone")))
    if way == "bytes":
        body = draw(st.binary(max_size=300))
    elif way == "json":
        body = json.dumps(draw(JSON)).encode()
    elif way == "cut":
        body = body[: draw(st.integers(0, len(body)))]
    elif way == "flip":
        at = draw(st.integers(0, max(0, len(body) - 1)))
        body = body[:at] + draw(st.binary(min_size=1, max_size=8)) + body[at + draw(st.integers(0, 8)) :]
    files[name] = body
    if way == "gone" and len(files) > 1:
        del files[name]
    return layout, files, draw(st.sampled_from(("", "2026-11-01T00:00:00Z", "2027-01-01")))


@settings(max_examples=300)
@given(spoilt())
def test_whatever_lies_in_the_files_a_reason_comes_out(case: tuple[str, dict[str, bytes], str]) -> None:
    layout, files, dated = case
    try:
        pulled(layout, files, dated)
    except ClearwayError as error:
        reason = error.what
    else:
        return
    assert reason


def test_an_archive_within_an_archive_may_be_damaged_anywhere() -> None:
    files = dict(FILES["cve"][1])
    whole = files["cves.zip"]
    refused = 0
    for at in range(len(whole)):
        files["cves.zip"] = whole[:at] + b"\0\1\0\1\1\1\1"[: len(whole) - at] + whole[at + 7 :]
        with suppress(ClearwayError):
            pulled("cve", files)
            continue
        refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "a\x00b",
        "x" * 500,
        "ü",
        "%2e%2e%2f",
        "con\nname",
    ],
)
def test_a_staged_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    staging = Staging(tmp_path / "to")
    path = staging.path(name)
    assert path.parent == staging.folder
    assert path.name not in ("", ".", "..")
    path.write_bytes(b"x")
    assert len(path.name) < 200


def test_two_long_names_are_two_files(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "to")
    assert staging.path("a" * 400 + "1") != staging.path("a" * 400 + "2")
