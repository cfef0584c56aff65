"""CSAF distributors as section 7 of the standard has them, and such as lie: pages, service documents, aggregators."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import zstandard

from clearway.advisories.feeds import csaf_index, place
from clearway.advisories.feeds.csaf_provider import Aggregator, host
from clearway.advisories.feeds.pull import pull
from clearway.http import outbound_socket
from clearway.http.outbound import Pace
from clearway.records.clock import FixedClock
from feed_world import NOW, Feeds
from intake_world import World
from proxy import proxying
from shared import shared
from upstream import Asked, Reply, Upstream

LATER = NOW + timedelta(hours=6)
AT = "2026-11-24T00:00:00Z"
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pauses between two tries."""
    monkeypatch.setattr(place, "_PAUSE_S", (0.0, 0.01))


def document(identifier: str, namespace: str = "https://acme.dev", label: str = "CLEAR") -> bytes:
    product = {"product_id": "P", "name": "x", "product_identification_helper": {"purl": "pkg:pypi/x@1.0"}}
    version = {"category": "product_version", "name": "1.0", "product": product}
    named = {"category": "product_name", "name": "x", "branches": [version]}
    return json.dumps({
        "document": {
            "category": "csaf_security_advisory", "csaf_version": "2.0", "title": identifier,
            "distribution": {"tlp": {"label": label}},
            "publisher": {"category": "vendor", "name": "ACME", "namespace": namespace},
            "tracking": {"id": identifier, "status": "final", "version": "1", "current_release_date": AT,
                         "initial_release_date": AT,
                         "revision_history": [{"date": AT, "number": "1", "summary": "x"}]},
        },
        "product_tree": {"branches": [{"category": "vendor", "name": "ACME", "branches": [named]}]},
        "vulnerabilities": [{"cve": "CVE-2026-7777", "product_status": {"known_affected": ["P"]}}],
    }).encode()  # fmt: skip


def entry(url: str, at: str = AT) -> dict[str, Any]:
    return {"link": [{"rel": "self", "href": url}, {"rel": "hash", "href": f"{url}.sha512"}], "updated": at}


def feed(entries: list[dict[str, Any]], onward: str = "") -> bytes:
    link = [{"rel": "self", "href": "x"}, *([{"rel": "next", "href": onward}] if onward else [])]
    return json.dumps({"feed": {"updated": AT, "link": link, "entry": entries}}).encode()


def metadata(namespace: str = "https://acme.dev", **distribution: Any) -> bytes:
    return json.dumps({
        "canonical_url": "https://acme.dev/provider-metadata.json", "metadata_version": "2.1", "last_updated": AT,
        "role": "csaf_provider", "publisher": {"category": "vendor", "name": "ACME", "namespace": namespace},
        "distributions": [distribution],
    }).encode()  # fmt: skip


def with_hash(url: str, body: bytes) -> dict[str, bytes]:
    return {url: body, f"{url}.sha512": hashlib.sha512(body).hexdigest().encode()}


def paged(base: str, sizes: list[int]) -> dict[str, bytes]:
    """A provider under `base` whose feed has a page for each of `sizes`."""
    files = {f"{base}provider-metadata.json": metadata(rolie={"feeds": [{"url": f"{base}feed-1.json"}]})}
    number = 0
    for at, size in enumerate(sizes, 1):
        names = [f"{base}2026/a-{number + n}.json" for n in range(size)]
        for n, name in enumerate(names):
            files |= with_hash(name, document(f"A-{number + n}"))
        number += size
        onward = f"feed-{at + 1}.json" if at < len(sizes) else ""
        files[f"{base}feed-{at}.json"] = feed([entry(name) for name in names], onward)
    return files


def ids(world: World) -> set[str]:
    return {str(row[0]) for row in world.sql("select id from clearway.record where current")}


def test_a_document_whose_file_is_not_named_by_its_id_is_left_out_unless_the_operator_lets_it_in(
    feeds: Feeds, upstream: Upstream
) -> None:
    good, odd = "/acme/2026/rhsa-2026_0001.json", "/acme/2026/rev-6.json"
    files = with_hash(good, document("RHSA-2026:0001")) | with_hash(odd, document("REV-99"))
    files["/acme/provider-metadata.json"] = metadata(rolie={"feeds": [{"url": "/acme/feed.json"}]})
    files["/acme/feed.json"] = feed([entry(good), entry(odd)])
    upstream.put("", files)
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    assert feeds.good("acme").counts["new"] == 1
    assert ids(feeds.world) == {"RHSA-2026:0001"}
    (problem,) = feeds.problems("acme").values()
    assert problem.startswith("holds REV-99, whose file is rev-99.json")
    feeds.add("any", "csaf", f"{upstream.url}/acme/provider-metadata.json", options={"any-name": "yes"})
    assert feeds.good("any").counts["new"] == 1
    assert ids(feeds.world) == {"RHSA-2026:0001", "REV-99"}


# ROLIE feeds in pages, several feeds, service documents


def test_a_feed_in_pages_is_read_to_its_end_and_a_change_behind_the_first_page_is_seen(
    feeds: Feeds, upstream: Upstream
) -> None:
    upstream.put("", paged("/acme/", [3, 3, 2]))
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    assert feeds.good("acme").counts["new"] == 8
    assert feeds.status("acme").entries == 8
    upstream.asked.clear()
    assert feeds.good("acme", LATER).result == "unchanged"
    assert sum("feed-" in path for path in upstream.paths()) == 3
    upstream.put("", with_hash("/acme/2026/late.json", document("LATE")))
    upstream.put("", paged("/acme/", [3, 3, 2]))
    last = json.loads(paged("/acme/", [3, 3, 2])["/acme/feed-3.json"])
    last["feed"]["entry"].append(entry("/acme/2026/late.json"))
    upstream.pages["/acme/feed-3.json"] = json.dumps(last).encode()
    again = feeds.good("acme", LATER)
    assert (again.counts["new"], feeds.status("acme").entries) == (1, 9)
    assert "LATE" in ids(feeds.world)


def endless(asked: Asked) -> Reply:
    """Each page lists a document that no other does, and a next page."""
    number = int(asked.path.partition("=")[2] or 0)
    return Reply(feed([entry(f"/acme/2026/e-{number}.json")], f"/acme/feed-1.json?page={number + 1}"))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("leads back to the first", "lead in a circle"),
        ("leads to itself", "lead in a circle"),
        ("repeats one page under other names", "go on and list nothing more"),
        ("never ends", "does not end"),
        ("lists more than any provider has", "lists more than 40 documents"),
        ("loses a page", "answered 404"),
        ("has a page that is cut short", "breaks off"),
        ("has a web page for a page", "a web page instead of"),
        ("has a page of another kind", "is no ROLIE feed"),
        ("has entries that can't be read", "entries can't be read"),
        ("drips a page", "bytes came in"),
        ("leads inside", "metadata service"),
        ("leads to what is no address", "names what is no address"),
        ("loses all of its last pages", "lists 3 documents, and listed 8 before"),
    ],
)  # fmt: skip
def test_pages_that_lie_replace_nothing(
    feeds: Feeds, upstream: Upstream, fault: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csaf_index, "MOST_PAGES", 30)
    monkeypatch.setattr(csaf_index, "MOST_DOCUMENTS", 40)
    good = paged("/acme/", [3, 3, 2])
    upstream.put("", good)
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    feeds.good("acme")
    before = feeds.world.standing()

    first = [entry(f"/acme/2026/a-{n}.json") for n in range(3)]
    new = [entry("/acme/2026/new.json")]
    upstream.put("", with_hash("/acme/2026/new.json", document("NEW")))
    second, third = "/acme/feed-2.json", "/acme/feed-3.json"
    lies: dict[str, dict[str, Any]] = {
        "leads back to the first": {third: feed(new, "feed-1.json")},
        "leads to itself": {third: feed(new, "feed-3.json#again")},
        "repeats one page under other names": {third: feed(first, "feed-3.json?again=1")},
        "never ends": {"/acme/feed-1.json": endless}
        | {f"/acme/feed-1.json?page={n}": endless for n in range(40)},
        "lists more than any provider has": {
            third: feed([entry(f"/acme/2026/m-{n}.json") for n in range(60)])
        },
        "loses a page": {second: Reply(status=404, validators=False)},
        "has a page that is cut short": {second: Reply(good[second] + b" ", cut=60)},
        "has a web page for a page": {second: PAGE},
        "has a page of another kind": {second: b'{"service": {"workspace": []}}'},
        "has entries that can't be read": {second: feed([*new, {"link": "x"}])},  # type: ignore[list-item]
        "drips a page": {second: Reply(good[second] + b" ", drip_s=0.02)},
        "leads inside": {third: feed(new, "http://169.254.169.254/latest/")},
        "leads to what is no address": {third: feed(new, "http://[::1")},
        "loses all of its last pages": {"/acme/feed-1.json": feed(first)},
    }
    upstream.pages.update(lies[fault])
    with monkeypatch.context() as patch:
        if fault == "drips a page":  # a bound that is met within a test's time
            pace = Pace(connect_s=1, idle_s=0.4, least_bytes_s=200, window_s=0.3)
            init = outbound_socket.Budget.__init__
            patch.setattr(
                outbound_socket.Budget, "__init__", lambda self, s, _, where: init(self, s, pace, where)
            )
        pulled = feeds.pull("acme", LATER)
    assert reason in pulled.error
    assert feeds.world.standing() == before
    assert feeds.status("acme", LATER).error
    upstream.put("", good)
    upstream.pages.pop("/acme/2026/new.json")
    assert feeds.good("acme", LATER).result in ("taken", "unchanged")


def test_a_feed_of_a_million_entries_is_refused_and_takes_no_room(
    feeds: Feeds, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csaf_index, "PAGE_BYTES", 8 << 20)  # the bounds that hold are tried in the slow test
    monkeypatch.setattr(csaf_index, "LIST_BYTES", 8 << 20)
    names = [f"2026/a-{n:07}.json" for n in range(1_000_000)]
    upstream.put("", {
        "/acme/provider-metadata.json": metadata(rolie={"feeds": [{"url": "/acme/feed.json"}]}),
        "/acme/feed.json": b'{"feed":{"entry":[' + b",".join(
            b'{"link":[{"rel":"self","href":"%s"}]}' % n.encode() for n in names) + b"]}}",
        "/list/provider-metadata.json": metadata(directory={"url": "/list/", "tlp_label": "CLEAR"}),
        "/list/changes.csv": "".join(f'"{n}","{AT}"\n' for n in names).encode(),
    })  # fmt: skip
    for name in ("acme", "list"):
        feeds.add(name, "csaf", f"{upstream.url}/{name}/provider-metadata.json")
        assert "larger than" in feeds.pull(name).error
        left = feeds.world.home / "feeds" / name
        assert sum(f.stat().st_size for f in left.rglob("*") if f.is_file()) < 16 << 20
    assert feeds.world.standing() == []


@pytest.mark.slow
def test_a_million_entries_within_the_bounds_of_size_are_counted_and_refused(
    feeds: Feeds, upstream: Upstream
) -> None:
    names = [f"2026/a-{n:07}.json" for n in range(1_000_000)]
    upstream.put("", {
        "/acme/provider-metadata.json": metadata(rolie={"feeds": [{"url": "/acme/feed.json"}]}),
        "/acme/feed.json": b'{"feed":{"entry":[' + b",".join(
            b'{"link":[{"rel":"self","href":"%s"}]}' % n.encode() for n in names) + b"]}}",
        "/list/provider-metadata.json": metadata(directory={"url": "/list/", "tlp_label": "CLEAR"}),
        "/list/changes.csv": "".join(f'"{n}","{AT}"\n' for n in names).encode(),
        "/index/provider-metadata.json": metadata(directory={"url": "/index/", "tlp_label": "CLEAR"}),
        "/index/index.txt": "\n".join(names).encode(),
    })  # fmt: skip
    for name in ("acme", "list", "index"):
        feeds.add(name, "csaf", f"{upstream.url}/{name}/provider-metadata.json")
        assert "lists more than 500,000 documents" in feeds.pull(name).error
    assert feeds.world.standing() == []


def test_of_several_feeds_one_that_fails_is_told_and_the_others_are_taken_in(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = with_hash("/acme/a.json", document("A")) | with_hash("/acme/b.json", document("B"))
    files["/acme/provider-metadata.json"] = metadata(
        rolie={"feeds": [{"url": "/acme/gone.json"}, {"url": "/acme/one.json"}, {"url": "/acme/two.json"}]}
    )
    files |= {
        "/acme/one.json": feed([entry("/acme/a.json")]),
        "/acme/two.json": feed([entry("/acme/b.json")]),
    }
    upstream.put("", files)
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    pulled = feeds.pull("acme")
    assert (pulled.result, pulled.counts["new"]) == ("failed", 2)
    assert "answered 404" in pulled.error
    assert "/acme/gone.json" in feeds.status("acme").error
    upstream.put(
        "", {**with_hash("/acme/c.json", document("C")), "/acme/gone.json": feed([entry("/acme/c.json")])}
    )
    assert feeds.good("acme", LATER).counts["new"] == 1
    assert ids(feeds.world) == {"A", "B", "C"}


def test_feeds_that_only_a_service_document_names_are_read_under_its_label(
    feeds: Feeds, upstream: Upstream
) -> None:
    def collection(href: str, *labels: str) -> dict[str, Any]:
        category = [{"scheme": "urn:ietf:params:rolie:category:information-type", "term": "csaf"}]
        category += [{"scheme": "https://www.first.org/tlp/", "term": label} for label in labels]
        return {"title": href, "href": href, "categories": {"category": category}}

    files = with_hash("/acme/a.json", document("A")) | with_hash("/acme/b.json", document("B"))
    files |= with_hash("/acme/r.json", document("R", label="RED"))
    files["/acme/provider-metadata.json"] = metadata(rolie={
        "feeds": [{"url": "/acme/one.json", "tlp_label": "CLEAR"}],
        "services": ["/acme/service.json", "/acme/gone.json", "/acme/page.json"]})  # fmt: skip
    files["/acme/service.json"] = json.dumps({"service": {"workspace": [
        {"title": "open", "collection": [collection("one.json"), collection("two.json")]},
        {"title": "closed", "collection": [collection("red.json", "RED")]}]}}).encode()  # fmt: skip
    files |= {"/acme/one.json": feed([entry("/acme/a.json")]), "/acme/two.json": feed([entry("/acme/b.json")]),
              "/acme/red.json": feed([entry("/acme/r.json")]), "/acme/page.json": PAGE}  # fmt: skip
    upstream.put("", files)
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    pulled = feeds.good("acme")
    assert ids(feeds.world) == {"A", "B"}
    assert "/acme/red.json" not in upstream.paths()
    assert sum("a service document is not used" in note for note in pulled.notes) == 2
    assert any("TLP:RED" in note for note in pulled.notes)


def test_what_a_directory_lists_in_index_txt_alone_is_taken_in_once_and_said(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = with_hash("/acme/2026/a.json", document("A")) | with_hash("/acme/2026/b.json", document("B"))
    files["/acme/provider-metadata.json"] = metadata(directory={"url": "/acme/", "tlp_label": "CLEAR"})
    files |= {
        "/acme/changes.csv": f'"2026/a.json","{AT}"\n'.encode(),
        "/acme/index.txt": b"2026/a.json\r\n2026/b.json\r\n",
    }
    upstream.put("", files)
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    pulled = feeds.good("acme")
    assert pulled.counts["new"] == 2
    assert any("1 documents stand in index.txt and not in changes.csv" in note for note in pulled.notes)
    upstream.asked.clear()
    assert feeds.good("acme", LATER).result == "unchanged"
    assert "/acme/2026/b.json" not in upstream.paths()
    upstream.pages["/acme/index.txt"] = PAGE  # a server that answers every address with its page
    upstream.pages["/acme/changes.csv"] = f'"2026/a.json","{AT}"\n"2026/b.json","{AT}"\n'.encode()
    again = feeds.good("acme", LATER)
    assert any("its index.txt is not used" in note for note in again.notes)


def test_a_provider_that_is_maintained_no_more_is_told_of(feeds: Feeds, upstream: Upstream) -> None:
    files = paged("/acme/", [1])
    told = json.loads(files["/acme/provider-metadata.json"])
    upstream.put("", files)
    upstream.pages["/acme/provider-metadata.json"] = json.dumps(
        {**told, "maintained_until": "2026-06-30T00:00:00Z"}
    ).encode()
    feeds.add("acme", "csaf", f"{upstream.url}/acme/provider-metadata.json")
    assert any("maintained until 2026-06-30" in note for note in feeds.good("acme").notes)


# Aggregators


def aggregator(*parties: dict[str, Any], publishers: tuple[dict[str, Any], ...] = ()) -> bytes:
    return json.dumps({
        "aggregator": {"category": "aggregator", "name": "Example", "namespace": "https://aggregator.dev"},
        "aggregator_version": "2.1", "canonical_url": "https://aggregator.dev/aggregator.json", "last_updated": AT,
        "csaf_providers": list(parties), "csaf_publishers": list(publishers),
    }).encode()  # fmt: skip


def party(name: str, url: str, *mirrors: str) -> dict[str, Any]:
    publisher = {"category": "vendor", "name": name, "namespace": f"https://{name}.dev"}
    told = {"last_updated": AT, "role": "csaf_provider", "url": url, "publisher": publisher}
    return {"metadata": told, "mirrors": list(mirrors)}


def provider(name: str, base: str, count: int = 1) -> dict[str, bytes]:
    """A provider of one feed with so many documents."""
    urls = [f"{base}{name}-{n}.json" for n in range(count)]
    files = {f"{base}provider-metadata.json": metadata(f"https://{name}.dev", rolie={
        "feeds": [{"url": f"{base}feed.json", "tlp_label": "CLEAR"}]}),
        f"{base}feed.json": feed([entry(url) for url in urls])}  # fmt: skip
    for n, url in enumerate(urls):
        files |= with_hash(url, document(f"{name}-{n}", f"https://{name}.dev"))
    return files


def test_every_party_of_an_aggregator_is_pulled_and_one_that_fails_is_read_at_its_mirror(
    feeds: Feeds, upstream: Upstream
) -> None:
    u = upstream.url
    upstream.put(
        "", provider("one", "/one/", 2) | provider("two", "/agg/two/", 3) | provider("pub", "/agg/pub/")
    )
    upstream.put("", {"/agg/aggregator.json": aggregator(
        party("one", f"{u}/one/provider-metadata.json"),
        party("two", f"{u}/two/provider-metadata.json", f"{u}/agg/two/provider-metadata.json"),
        publishers=(party("pub", f"{u}/pub/provider-metadata.json", f"{u}/agg/pub/provider-metadata.json"),),
    )})  # fmt: skip
    feeds.add("all", "csaf", f"{u}/agg/aggregator.json")
    pulled = feeds.good("all")
    assert ids(feeds.world) == {"one-0", "one-1", "two-0", "two-1", "two-2", "pub-0"}
    assert "two.dev: read at a mirror, as its own address fails: answered 404" in pulled.notes
    assert "/pub/provider-metadata.json" not in upstream.paths()
    assert feeds.status("all").entries == 6
    assert feeds.good("all", LATER).result == "unchanged"


def test_the_operator_says_which_parties_and_whether_mirrors_alone(feeds: Feeds, upstream: Upstream) -> None:
    u = upstream.url
    upstream.put("", provider("one", "/one/") | provider("one", "/agg/one/") | provider("two", "/two/"))
    upstream.put("", {"/agg/aggregator.json": aggregator(
        party("one", f"{u}/one/provider-metadata.json", f"{u}/agg/one/provider-metadata.json"),
        party("two", f"{u}/two/provider-metadata.json"),
    )})  # fmt: skip
    feeds.add("some", "csaf", f"{u}/agg/aggregator.json", options={"providers": "one.dev", "from": "mirrors"})
    feeds.good("some")
    assert ids(feeds.world) == {"one-0"}
    assert all(path.startswith("/agg/") for path in upstream.paths())
    feeds.add("none", "csaf", f"{u}/agg/aggregator.json", options={"providers": "other.dev"})
    assert "lists none of the wanted providers" in feeds.pull("none").error


def test_parties_that_lie_are_left_out_and_tried_again_and_the_others_are_taken_in(
    feeds: Feeds, upstream: Upstream
) -> None:
    u = upstream.url
    good = provider("good", "/good/")
    upstream.put(
        "", good | provider("other", "/other/") | provider("mute", "/mute/") | provider("loop", "/loop/")
    )
    upstream.put("", provider("forged", "/forged/"))
    upstream.pages["/mute/provider-metadata.json"] = Reply(PAGE)
    upstream.pages["/forged/forged-0.json"] = document("forged-0", "https://good.dev")
    upstream.pages["/forged/forged-0.json.sha512"] = Reply(status=404, validators=False)
    upstream.pages["/loop/feed.json"] = feed([entry("/loop/loop-0.json")], "feed.json")
    listing = aggregator(
        party("posing", f"{u}/other/provider-metadata.json"),  # another's metadata under this name
        party("itself", f"{u}/agg/aggregator.json"),
        party("mute", f"{u}/mute/provider-metadata.json"),
        party("loop", f"{u}/loop/provider-metadata.json"),
        party("inside", "http://169.254.169.254/provider-metadata.json"),
        party("bare", ""),
        party("good", f"{u}/good/provider-metadata.json"),
    )
    upstream.put("", {"/agg/aggregator.json": listing})
    feeds.add("all", "csaf", f"{u}/agg/aggregator.json")
    feeds.good("all")
    assert ids(feeds.world) == {"good-0"}
    reasons = "\n".join(feeds.problems("all").values())
    for reason in ("speaks as other.dev, and is listed as posing.dev", "itself: is no provider metadata",
                   "mute: a web page instead of", "loop: its pages lead in a circle", "metadata service"):  # fmt: skip
        assert reason in reasons
    assert feeds.status("all").set_aside == 5

    upstream.put("", provider("mute", "/mute/") | provider("loop", "/loop/"))
    upstream.put("", {"/agg/aggregator.json": aggregator(
        party("mute", f"{u}/mute/provider-metadata.json"), party("loop", f"{u}/loop/provider-metadata.json"),
        party("good", f"{u}/good/provider-metadata.json"))})  # fmt: skip
    feeds.good("all", LATER)
    assert ids(feeds.world) == {"good-0", "mute-0", "loop-0"}
    assert feeds.problems("all") == {}


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        (b'{"csaf_providers": []}', "lists no provider at all"),
        (b'{"csaf_providers": {}}', "is no list of providers"),
        (b'{"csaf_providers": [{"metadata": 1}]}', "is no list of providers"),
        (b'{"csaf_providers": [', "is no provider metadata"),
        (aggregator(*(party(f"p{n}", f"https://p{n}.dev/x.json") for n in range(1_001))), "more than 1,000"),
        (aggregator(party("a", "http://10.0.0.1/x.json"), party("b", "http://[")), "none of its 2 providers"),
        (aggregator(*(party(f"p{n}", "http://10.0.0.1/x.json") for n in range(20))), "none of its 1 providers"),
        (Reply(aggregator(party("a", "http://10.0.0.1/x.json")), cut=90), "breaks off"),
    ],
    ids=["nobody", "no list", "no party", "cut at its source", "too many", "all fail", "one twenty times", "cut"],
)  # fmt: skip
def test_a_list_that_is_none_replaces_nothing(
    feeds: Feeds, upstream: Upstream, listing: bytes | Reply, reason: str
) -> None:
    upstream.pages["/agg/aggregator.json"] = listing
    feeds.add("all", "csaf", f"{upstream.url}/agg/aggregator.json")
    assert reason in feeds.pull("all").error
    assert feeds.world.standing() == []


def test_a_party_whose_documents_are_of_another_kind_does_not_stop_the_next(
    feeds: Feeds, upstream: Upstream
) -> None:
    u = upstream.url
    upstream.put("", provider("bad", "/bad/", 4) | provider("good", "/good/"))
    for n in range(4):  # sound to look at, and nothing that intake can read
        body = json.loads(document(f"bad-{n}", "https://bad.dev"))
        body["product_tree"] = "none"
        upstream.put("", with_hash(f"/bad/bad-{n}.json", json.dumps(body).encode()))
    parties = [party(name, f"{u}/{name}/provider-metadata.json") for name in ("bad", "good")]
    upstream.put("", {"/agg/aggregator.json": aggregator(*parties)})
    feeds.add("all", "csaf", f"{u}/agg/aggregator.json")
    feeds.good("all")
    assert ids(feeds.world) == {"good-0"}
    assert any("can't be read" in reason for reason in feeds.problems("all").values())


@pytest.mark.parametrize("version", ["2.0", "2.1"])
def test_the_standards_own_examples_of_aggregators_are_read(version: str) -> None:
    with shared("conformance/oasis-csaf-tests.tar.zst").open("rb") as file:
        data = zstandard.ZstdDecompressor().stream_reader(file).read()
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        part = tar.extractfile(f"csaf_{version}/examples/aggregator/example-03-aggregator.json")
        assert part is not None
        found = msgspec.json.decode(part.read(), type=Aggregator)
    assert [host(p.metadata.publisher.namespace) for p in found.csaf_providers] == [
        "psirt.example.com",
        "cert.example",
    ]
    assert [len(p.mirrors) for p in found.csaf_providers + found.csaf_publishers] == [1, 1, 1]


def test_a_feed_is_pulled_through_the_operators_proxy(feeds: Feeds, upstream: Upstream) -> None:
    upstream.put("", paged("/acme/", [2, 1]))
    feeds.add("acme", "csaf", "http://psirt.acme.invalid/acme/provider-metadata.json")
    with proxying() as proxy:
        proxy.routes["psirt.acme.invalid"] = upstream.port
        through = {"CLEARWAY_FEEDS_PROXY": proxy.url}  # no network of this machine is opened
        pulled = pull(feeds.world.url, feeds.world.home, "acme", FixedClock(NOW), environment=through)
        assert pulled.error == ""
        assert pulled.counts["new"] == 3
        assert all(line.startswith("GET http://psirt.acme.invalid/acme/") for line in proxy.asked)
        asked = len(proxy.asked)
        feeds.add("inside", "csaf", f"{upstream.url}/acme/provider-metadata.json")
        pulled = pull(feeds.world.url, feeds.world.home, "inside", FixedClock(NOW), environment=through)
        assert "loopback" in pulled.error
        assert len(proxy.asked) == asked
