"""Publishers that lie, truncate, drip and disappear (check 27): last good is kept, and somebody is told once."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from clearway.advisories.feeds import due, osv, place
from clearway.http import outbound_socket
from clearway.http.outbound import Pace
from clearway.store.connect import connect
from feed_world import (
    CISA,
    NOW,
    Feeds,
    cisa_layout,
    cve_layout,
    epss_scores,
    kev_catalogues,
    lines,
    osv_layout,
    zipped,
)
from intake_world import kev
from upstream import Asked, Reply, Upstream

LATER = NOW + timedelta(hours=6)
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
CVES = [f"CVE-2024-{n}" for n in range(1000, 1100)]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pauses between two tries."""
    monkeypatch.setattr(place, "_PAUSE_S", (0.0, 0.01))


def hasten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of pace that are met within a test's time; on a busy machine the good would meet them as well."""
    pace = Pace(connect_s=1, idle_s=0.4, least_bytes_s=200, window_s=0.3)
    init = outbound_socket.Budget.__init__

    def made(self: Any, deadline_s: float, _: Pace, where: str) -> None:
        init(self, deadline_s, pace, where)

    monkeypatch.setattr(outbound_socket.Budget, "__init__", made)


def changed(catalogue: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    document = json.loads(catalogue)
    change(document)
    return json.dumps(document).encode()


def catalogue(version: str = "2026.11.25", cves: list[str] = CVES) -> bytes:
    return json.dumps(kev(version, *cves)).encode()


def _garbled(document: dict[str, Any]) -> None:
    for entry in document["vulnerabilities"][:20]:
        del entry["dateAdded"]


def _released(document: dict[str, Any]) -> None:
    document["dateReleased"] = "2027-11-25T00:00:00Z"


KEV_FAULTS: dict[str, tuple[Reply, str]] = {
    "answers 500": (Reply(status=500, validators=False), "answered 500"),
    "asks for a login": (Reply(status=401, validators=False), "answered 401"),
    "is gone": (Reply(status=404, validators=False), "answered 404"),
    "sends an empty file": (Reply(b""), "empty instead of"),
    "sends a web page": (Reply(PAGE), "a web page instead of"),
    "sends another kind of JSON": (Reply(b'{"hello": [1]}'), "is no KEV catalogue"),
    "sends a list": (Reply(b"[1, 2]"), "is no KEV catalogue"),
    "sends bytes": (Reply(bytes(range(256)) * 10), "is no KEV catalogue"),
    "sends JSON that is nested without end": (Reply(b"[" * 100_000), "is no KEV catalogue"),
    "is cut short on the wire": (Reply(catalogue(), cut=500), "breaks off"),
    "is cut short at its source": (Reply(catalogue()[:5000]), "is no KEV catalogue"),
    "drips": (Reply(catalogue(), drip_s=0.02), "bytes came in"),
    "stalls": (Reply(catalogue(), drip_s=1.0), "nothing came for"),
    "lists nothing": (Reply(catalogue(cves=[])), "lists no entries at all"),
    "loses a tenth of its entries": (
        Reply(catalogue(cves=CVES[:90])),
        "lists 90 entries, and listed 100 before",
    ),
    "changes its schema": (Reply(changed(catalogue(), _garbled)), "20 of its 100 entries can't be read"),
    "serves an old state": (Reply(catalogue("2026.11.01")), "an old state is served again"),
    "comes from the future": (Reply(catalogue("2027.11.25")), "lies in the future"),
    "was released in the future": (Reply(changed(catalogue(), _released)), "2027-11-25 lies in the future"),
    "announces more than is taken": (Reply(b"x", headers={"Content-Length": "9999999999"}), "larger than"),
    "redirects inside": (
        Reply(status=302, headers={"Location": "http://169.254.169.254/latest/"}, validators=False),
        "metadata service",
    ),
    "redirects for ever": (
        Reply(status=302, headers={"Location": "/kev.json"}, validators=False),
        "redirects",
    ),
    "unpacks without end": (Reply(bytes(70 << 20), packed=True), "200 times"),
}


@pytest.mark.parametrize("fault", KEV_FAULTS)
def test_a_publisher_that_fails_replaces_nothing(
    feeds: Feeds, upstream: Upstream, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.pages["/kev.json"] = catalogue("2026.11.24")
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    before, entries = feeds.world.standing(), feeds.status("kev").entries
    reply, reason = KEV_FAULTS[fault]
    upstream.pages["/kev.json"] = reply
    with monkeypatch.context() as patch:
        if fault in ("drips", "stalls"):
            hasten(patch)
        pulled = feeds.pull("kev", LATER)
    assert reason in pulled.error
    assert pulled.alarm
    assert feeds.world.standing() == before
    found = feeds.status("kev", LATER)
    assert (found.good, found.tried, found.failing_since, found.failures) == (NOW, LATER, LATER, 1)
    assert reason in found.error
    assert found.entries == entries
    upstream.pages["/kev.json"] = catalogue("2026.11.25", [*CVES, "CVE-2024-9999"])
    assert feeds.good("kev", LATER).recovered
    assert feeds.status("kev", LATER).error == ""


def test_a_catalogue_of_tomorrow_is_taken_when_its_day_has_come(feeds: Feeds, upstream: Upstream) -> None:
    """Intake would set it aside today, and the publisher say tomorrow that nothing has changed."""
    tomorrow = LATER + timedelta(days=1)
    upstream.pages["/kev.json"] = catalogue("2026.11.24")
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    upstream.pages["/kev.json"] = catalogue(f"{tomorrow:%Y.%m.%d}", [*CVES, "CVE-2024-9999"])
    pulled = feeds.pull("kev", LATER)
    assert "lies in the future" in pulled.error
    assert feeds.status("kev", LATER).entries == 100
    assert feeds.good("kev", tomorrow).recovered
    assert feeds.status("kev", tomorrow).entries == 101


def test_somebody_is_told_once_and_again_when_it_is_well(feeds: Feeds, upstream: Upstream) -> None:
    upstream.pages["/kev.json"] = Reply(PAGE)
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    told = [feeds.pull("kev", NOW + timedelta(hours=n)).alarm for n in range(4)]
    assert told == [True, False, False, False]
    assert feeds.status("kev").failures == 4
    upstream.pages["/kev.json"] = catalogue()
    assert feeds.good("kev", LATER).recovered
    assert not feeds.good("kev", LATER).recovered
    upstream.pages["/kev.json"] = Reply(PAGE)
    assert feeds.pull("kev", LATER).alarm
    kinds = feeds.world.sql("select kind, subject, body->>'reason' from clearway.event order by seq")
    assert [k[0] for k in kinds] == ["feed.failed", "feed.recovered", "feed.failed"]
    assert kinds[0][1] == "feed/kev"
    assert "a web page" in kinds[0][2]


def test_a_feed_that_is_not_reached_becomes_stale_and_says_so_once(feeds: Feeds, upstream: Upstream) -> None:
    upstream.pages["/kev.json"] = catalogue("2026.11.24")
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    three = NOW + timedelta(days=3)
    assert feeds.status("kev", NOW + timedelta(hours=47)).stale == ""
    assert feeds.status("kev", three).stale == "last reached 2026-11-25 12:00 UTC; its limit is 2d"
    with connect(feeds.world.url, autocommit=True) as db:
        assert due.tell_stale(db, three) == ["kev"]
        assert due.tell_stale(db, three) == []
    feeds.good("kev", three)
    with connect(feeds.world.url, autocommit=True) as db:
        assert due.tell_stale(db, three) == []
        assert due.tell_stale(db, three + timedelta(days=3)) == ["kev"]


def test_less_than_before_is_taken_in_when_the_operator_says_so(feeds: Feeds, upstream: Upstream) -> None:
    upstream.pages["/kev.json"] = catalogue("2026.11.24")
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    upstream.pages["/kev.json"] = catalogue("2026.11.25", CVES[:50])
    assert "--accept-smaller" in feeds.pull("kev").error
    assert feeds.good("kev", accept_smaller=True).result == "taken"
    assert feeds.status("kev").entries == 50


def test_the_first_pull_is_measured_by_what_was_taken_in_by_hand(
    feeds: Feeds, upstream: Upstream, tmp_path: Any
) -> None:
    _, new = kev_catalogues()
    (tmp_path / "kev.json").write_bytes(new)
    feeds.world.take(tmp_path / "kev.json")
    upstream.pages["/kev.json"] = catalogue()
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    assert "lists 100 entries, and listed 1,662 before" in feeds.pull("kev").error
    assert feeds.world.meta().kev.startswith("2026.08.07")


def test_a_day_on_which_everything_is_rewritten_is_taken_in(feeds: Feeds, upstream: Upstream) -> None:
    upstream.pages["/kev.json"] = catalogue("2026.11.24")
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    rewritten = json.dumps(kev("2026.11.25", *CVES, vendorProject="Acme Inc")).encode()
    upstream.pages["/kev.json"] = rewritten
    assert feeds.good("kev", LATER).counts["changed"] == 100


def test_a_record_that_its_publisher_lists_no_more_stands(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    before = feeds.world.standing()
    upstream.put("/Go/", osv_layout(records[1:]))
    feeds.good("osv-go", LATER)
    assert feeds.world.standing() == before


def test_a_day_on_which_every_record_is_rewritten_is_one_archive_and_not_thousands_of_requests(
    feeds: Feeds, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(osv, "_WHOLE_PAYS_AT", 10)
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    upstream.put("/Go/", osv_layout([{**r, "modified": "2026-11-25T11:00:00Z"} for r in records]))
    upstream.asked.clear()
    assert feeds.good("osv-go", LATER).counts["changed"] == 20
    assert upstream.paths() == ["/Go/modified_id.csv", "/Go/all.zip"]


def test_a_record_from_the_future_is_left_out(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    changed_one = {**records[0], "modified": "2026-11-25T11:00:00Z"}
    upstream.put("/Go/", osv_layout([changed_one, *records[1:]]))
    upstream.pages[f"/Go/{records[0]['id']}.json"] = json.dumps(
        {**changed_one, "modified": "2099-01-01T00:00:00Z"}
    ).encode()
    feeds.pull("osv-go", LATER)
    assert "yet to come" in feeds.problems("osv-go")[records[0]["id"]]


def test_a_large_download_that_breaks_off_is_taken_up_in_the_same_pull(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = osv_layout(lines("osv/go.jsonl.zst", 60))
    upstream.put("/Go/", files)
    whole, tries = files["all.zip"], []

    def once_cut(asked: Asked) -> Reply:
        tries.append(asked.headers.get("range"))
        return Reply(whole, cut=20_000 if len(tries) == 1 else None)

    upstream.pages["/Go/all.zip"] = once_cut
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    assert feeds.good("osv-go").counts["new"] == 60
    assert tries == [None, "bytes=20000-"]


OSV_FAULTS: dict[str, tuple[str, Reply, str]] = {
    "an index that is a page": ("modified_id.csv", Reply(PAGE), "a web page instead of"),
    "an index of another shape": ("modified_id.csv", Reply(b"a,b,c\n1,2,3\n"), "is no list of changed records"),
    "an index that climbs": ("modified_id.csv", Reply(b"2026-11-25T00:00:00Z,../../etc/passwd\n"), "is no list of"),
    "an index cut short": ("modified_id.csv", Reply(b"2026-11-20T00:00:00Z,GO-2020-0001\n"), "lists 1 records"),
    "an index from the future": ("modified_id.csv", Reply(b"2027-11-20T00:00:00Z,GO-2020-0001\n" * 1), "yet to come"),
}  # fmt: skip


@pytest.mark.parametrize("fault", OSV_FAULTS)
def test_a_lying_osv_index_replaces_nothing(feeds: Feeds, upstream: Upstream, fault: str) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    before = feeds.world.standing()
    name, reply, reason = OSV_FAULTS[fault]
    if fault == "an index from the future":
        reply = Reply("".join(f"2027-11-20T00:00:00Z,{r['id']}\n" for r in records).encode())
    upstream.pages[f"/Go/{name}"] = reply
    assert reason in feeds.pull("osv-go", LATER).error
    assert feeds.world.standing() == before


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (PAGE, "a web page instead of"),
        (b"", "empty instead of"),
        (osv_layout([])["all.zip"], "lists no records at all"),
        (b"PK\x03\x04 and no directory", "is no whole archive"),
    ],
)
def test_a_lying_osv_archive_is_not_taken_in(
    feeds: Feeds, upstream: Upstream, body: bytes, reason: str
) -> None:
    upstream.put("/Go/", osv_layout(lines("osv/go.jsonl.zst", 20)))
    whole = upstream.pages["/Go/all.zip"]
    assert isinstance(whole, bytes)
    upstream.pages["/Go/all.zip"] = body
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    assert reason in feeds.pull("osv-go").error
    upstream.pages["/Go/all.zip"] = whole[:-400]
    assert "is no whole archive" in feeds.pull("osv-go").error
    assert feeds.world.standing() == []
    upstream.pages["/Go/all.zip"] = whole
    assert feeds.good("osv-go").counts["new"] == 20


def test_an_archive_whose_records_are_of_a_new_schema_is_refused_and_what_stood_stands(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    before = feeds.world.standing()
    broken = [{**r, "modified": "2026-11-24T00:00:00Z", "affected": 7} for r in records]
    upstream.put("/Go/", osv_layout(broken))
    pulled = feeds.pull("osv-go", LATER)
    assert (pulled.result, pulled.counts["set_aside"]) == ("refused", 20)
    assert "20 of 20 records can't be read" in pulled.error
    assert feeds.world.standing() == before


# What is made of shared data is made when it is asked for: where that is absent, one test is skipped and not all.
EPSS_FAULTS: dict[str, tuple[bytes | Callable[[], bytes], str]] = {
    "a page": (PAGE, "a web page"),
    "not packed": (b"#model_version:v1,score_date:2026-11-25\ncve,epss,percentile\n", "is no gzip file"),
    "cut short": (lambda: epss_scores(300, "2026-11-25")[:-20], "is cut short"),
    "another table": (gzip.compress(b"#a:b,score_date:2026-11-25\nx,y\n1,2\n"), "is no table of EPSS scores"),
    "no date": (gzip.compress(b"#model_version:v1\ncve,epss\nCVE-2024-1,0.1\n"), "bears no date"),
    "a bomb": (gzip.compress(bytes(80 << 20)), "unpacks to more"),
    "an old day": (lambda: epss_scores(300, "2026-11-20"), "an old state is served again"),
    "fewer": (lambda: epss_scores(100, "2026-11-25"), "lists 100 scores, and listed 300 before"),
}


@pytest.mark.parametrize("fault", EPSS_FAULTS)
def test_lying_scores_replace_nothing(feeds: Feeds, upstream: Upstream, fault: str) -> None:
    upstream.pages["/epss.csv.gz"] = epss_scores(300, "2026-11-24")
    feeds.add("epss", "epss", f"{upstream.url}/epss.csv.gz")
    feeds.good("epss")
    before = feeds.world.standing()
    body, reason = EPSS_FAULTS[fault]
    upstream.pages["/epss.csv.gz"] = body() if callable(body) else body
    assert reason in feeds.pull("epss", LATER).error
    assert feeds.world.standing() == before


def test_a_lying_cve_log_or_archive_replaces_nothing(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("vulnrichment/vulnrichment-kev.jsonl.zst", 20)
    at, oldest = "2026-11-25T10:00:00.000Z", "2026-10-26T00:00:00.000Z"
    good = cve_layout(records[:15], records[15:16], at, oldest)
    feeds.add("cve", "cve", f"{upstream.url}/", options={"baseline": "{date}_all.zip.zip"})
    for name, body, reason in (
        ("cves/deltaLog.json", PAGE, "a web page"),
        ("cves/deltaLog.json", b"[]", "is no log"),
        ("cves/deltaLog.json", b'[{"fetchTime": "soon"}]', "has no time"),
        ("2026-11-25_all.zip.zip", PAGE, "a web page"),
        ("2026-11-25_all.zip.zip", zipped({"cves.zip": b"no zip"}), "is no whole archive"),
        ("2026-11-25_all.zip.zip", zipped({}), "lists no records"),
    ):
        upstream.put("/", {**good, name: body})
        assert reason in feeds.pull("cve").error
    assert feeds.world.standing() == []
    upstream.put("/", good)
    assert feeds.good("cve").counts["new"] == 16


def test_an_index_of_documents_that_shrinks_or_is_none_replaces_nothing(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = cisa_layout(12)
    index = "csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json"
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    upstream.put("/", files)
    feeds.good("cisa")
    before = feeds.world.standing()

    def cut(document: dict[str, Any]) -> None:
        document["feed"]["entry"] = document["feed"]["entry"][:5]

    for name, body, reason in (
        (index, changed(files[index], cut), "lists 5 documents, and listed 12 before"),
        (index, PAGE, "a web page"),
        (index, b'{"feed": {"entry": []}}', "lists no documents"),
        (index, b'{"service": {}}', "is no ROLIE feed"),
        ("provider-metadata.json", PAGE, "a web page"),
        ("provider-metadata.json", b"{}", "is no provider metadata"),
    ):
        upstream.put("/", {**files, name: body})
        assert reason in feeds.pull("cisa", LATER).error
    assert feeds.world.standing() == before


def test_a_provider_that_goes_down_in_the_middle_is_left_at_once_and_gone_on_with(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = cisa_layout(20)
    upstream.put("/", files)
    names = sorted(n for n in files if n.endswith(".json") and "/2024/" in n)
    order = [e["content"]["src"].removeprefix(CISA) for e in json.loads(
        files["csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json"])["feed"]["entry"]]  # fmt: skip
    for name in order[6:]:
        for ending in ("", ".sha512"):
            upstream.pages[f"/{name}{ending}"] = Reply(
                status=503, headers={"Retry-After": "3600"}, validators=False
            )
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    pulled = feeds.pull("cisa")
    assert "answered 503" in pulled.error
    assert pulled.counts["new"] == 6  # what came before is taken in
    assert sum("/2024/" in path for path in upstream.paths()) < 12 + 8
    upstream.put("/", files)
    assert feeds.good("cisa", LATER).counts["new"] == len(names) - 6


def test_a_feed_that_addresses_the_reader_is_only_ever_shown_as_plain_text(
    feeds: Feeds, upstream: Upstream
) -> None:
    upstream.pages["/kev.json"] = Reply(
        changed(catalogue(), lambda d: [e.update(cveID="\x1b[2J\x1b]0;owned\x07<script>") for e in d["vulnerabilities"]]
    ))  # fmt: skip
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    error = feeds.pull("kev").error
    assert "\x1b" not in error
    assert "\x07" not in feeds.status("kev").error
