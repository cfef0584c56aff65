"""Pulling feeds in the true layouts of their publishers, from real data on a real server, into a real database."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clearway.advisories.feeds import due, left_out, runs, status, store
from clearway.advisories.feeds.standing import of_home
from clearway.records.clock import FixedClock
from clearway.records.errors import ConflictError, NotFoundError
from clearway.store.connect import connect
from feed_world import (
    CISA,
    NOW,
    Feeds,
    as_files,
    cisa_layout,
    cve_layout,
    epss_scores,
    gocsaf_layout,
    kev_catalogues,
    lines,
    osv_layout,
)
from intake_world import World
from upstream import Reply, Upstream

LATER = NOW + timedelta(hours=1)


def count(world: World, source: str = "") -> int:
    return int(
        world.sql("select count(*) from clearway.record where current and %s in ('', source)", source)[0][0]
    )


# OSV


def test_osv_is_taken_whole_and_then_by_what_changed(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("osv/go.jsonl.zst", 60)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    first = feeds.good("osv-go")
    assert (first.result, first.counts["new"], first.counts["set_aside"]) == ("taken", 60, 0)
    assert upstream.paths() == ["/Go/modified_id.csv", "/Go/all.zip"]
    assert count(feeds.world) == 60

    upstream.asked.clear()
    again = feeds.good("osv-go", LATER)
    assert (again.result, again.size_bytes, again.counts) == ("unchanged", 0, {})
    assert upstream.paths() == ["/Go/modified_id.csv"]

    upstream.asked.clear()
    newer = [
        {**records[3], "modified": "2026-11-24T00:00:00Z", "summary": "changed"},
        *records[:3],
        *records[4:],
    ]
    upstream.put("/Go/", osv_layout(newer))
    third = feeds.good("osv-go", LATER)
    assert "/Go/all.zip" not in upstream.paths()
    assert f"/Go/{records[3]['id']}.json" in upstream.paths()
    assert third.counts["changed"] == 1
    found = feeds.status("osv-go", LATER)
    assert (found.entries, found.dated, found.good, found.stale) == (60, "2026-11-24T00:00:00Z", LATER, "")


def test_an_osv_record_that_is_another_or_a_page_is_left_out_and_tried_again(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    changed = [{**r, "modified": "2026-11-24T00:00:00Z"} for r in records[:4]]
    upstream.put("/Go/", osv_layout(changed + records[4:]))
    a, b, c, d = (r["id"] for r in changed)
    upstream.pages[f"/Go/{a}.json"] = b"<!DOCTYPE html><html>Sign in</html>"
    upstream.pages[f"/Go/{b}.json"] = json.dumps(changed[2]).encode()
    upstream.pages[f"/Go/{c}.json"] = Reply(status=404, validators=False)
    pulled = feeds.good("osv-go", LATER)
    assert pulled.counts["changed"] == 1
    assert feeds.problems("osv-go") == {a: "a web page instead of the record", b: f"holds {c} instead",
                                        c: "answered 404"}  # fmt: skip
    assert feeds.status("osv-go", LATER).set_aside == 3
    with connect(feeds.world.url, autocommit=True) as db:
        assert ("answered 404", 1) in left_out(db, "osv-go")
    assert count(feeds.world) == 20  # what they said before stands
    upstream.put("/Go/", osv_layout(changed + records[4:]))
    mended = feeds.good("osv-go", LATER)
    assert (mended.counts["changed"], feeds.problems("osv-go")) == (3, {})
    assert d


def test_an_osv_record_of_the_very_second_of_the_last_pull_is_not_missed(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = [{**r, "modified": "2026-11-24T00:00:00Z"} for r in lines("osv/go.jsonl.zst", 21)]
    upstream.put("/Go/", osv_layout(records[:20]))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    upstream.put("/Go/", osv_layout(records))
    feeds.good("osv-go", LATER)
    assert count(feeds.world) == 21


def test_an_osv_record_later_within_the_second_of_the_last_pull_is_not_missed(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 21)
    last = {**records[20], "modified": "2026-11-20T10:00:00.500Z"}
    records = [*records[:19], {**records[19], "modified": "2026-11-20T10:00:00Z"}]
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    upstream.put("/Go/", osv_layout([*records, last]))  # as a text, "….500Z" sorts before "…Z"
    assert feeds.good("osv-go", LATER).counts["new"] == 1
    assert feeds.status("osv-go", LATER).dated == "2026-11-20T10:00:00.500Z"


def test_an_osv_record_that_is_listed_late_under_an_older_time_is_fetched(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 23)
    records = [{**r, "modified": f"2026-11-20T10:{at:02}:00Z"} for at, r in enumerate(records)]
    upstream.put("/Go/", osv_layout(records[2:22]))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    changed = {
        **records[5],
        "modified": "2026-11-20T10:20:30Z",
        "summary": "changed",
    }  # before the newest of before
    upstream.put("/Go/", osv_layout([*records[:5], changed, *records[6:22]]))
    upstream.asked.clear()
    pulled = feeds.good("osv-go", LATER)
    assert (pulled.counts["new"], pulled.counts["changed"]) == (2, 1)
    assert "/Go/all.zip" not in upstream.paths()
    assert count(feeds.world) == 22


def test_what_an_osv_archive_lacks_of_its_index_is_fetched_by_itself(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    newer = {**records[0], "modified": "2026-11-24T00:00:00Z", "summary": "changed"}
    upstream.put("/Go/", osv_layout([newer, *records[1:]]))
    upstream.pages["/Go/all.zip"] = osv_layout(records[:19])["all.zip"]  # of yesterday
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    pulled = feeds.good("osv-go")
    assert (pulled.counts["new"], pulled.counts["changed"], count(feeds.world)) == (20, 1, 20)


def test_an_osv_record_that_intake_has_no_use_for_is_told_with_its_reason_and_fetched_once(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = [{**r, "modified": "2026-11-20T10:00:00Z"} for r in lines("osv/go.jsonl.zst", 20)]
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    test = {**records[0], "id": "TEST-2026-1", "modified": "2020-01-01T00:00:00Z"}
    upstream.put("/Go/", osv_layout([*records, test]))
    pulled = feeds.good("osv-go", LATER)
    assert pulled.counts["skipped"] == 1
    assert any("TEST-2026-1" in note and "a test or example by its id" in note for note in pulled.notes)
    index = upstream.pages["/Go/modified_id.csv"]
    assert isinstance(index, bytes)
    upstream.pages["/Go/modified_id.csv"] = index + b"\n"  # another file that lists the same
    upstream.asked.clear()
    feeds.good("osv-go", LATER)
    assert "/Go/TEST-2026-1.json" not in upstream.paths()


def test_osv_records_that_bear_other_times_than_their_index_are_not_fetched_one_by_one_for_ever(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 120)
    listed = osv_layout([{**r, "modified": "2026-11-20T10:00:00Z"} for r in records])["modified_id.csv"]
    listed = listed.replace(b"2026-11-20T10:00:00Z", b"2026-11-21T10:00:00Z", 1)
    upstream.put("/Go/", {**osv_layout(records), "modified_id.csv": listed})
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    feeds.good("osv-go")
    assert len([path for path in upstream.paths() if path.endswith(".json")]) == 50  # enough to see it
    upstream.pages["/Go/modified_id.csv"] = listed + b"\n"
    upstream.asked.clear()
    feeds.good("osv-go", LATER)
    assert len([path for path in upstream.paths() if path.endswith(".json")]) == 1  # of the very last second


def test_osv_records_that_are_listed_and_nowhere_are_told_and_keep_no_other_from_being_taken_in(
    feeds: Feeds, upstream: Upstream
) -> None:
    records = lines("osv/go.jsonl.zst", 40)
    upstream.put("/Go/", osv_layout(records))
    upstream.pages["/Go/all.zip"] = osv_layout(records[:37])["all.zip"]
    for record in records[37:]:
        upstream.pages[f"/Go/{record['id']}.json"] = Reply(status=404, validators=False)
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    assert feeds.good("osv-go").counts["new"] == 37
    assert set(feeds.problems("osv-go").values()) == {"answered 404"}
    upstream.put("/Go/", osv_layout(records))
    assert feeds.good("osv-go", LATER).counts["new"] == 3


# KEV and EPSS


def test_kev_is_replaced_by_the_newer_catalogue(feeds: Feeds, upstream: Upstream) -> None:
    old, new = kev_catalogues()
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    upstream.pages["/kev.json"] = Reply(old, headers={"Last-Modified": "Mon, 25 Aug 2025 10:00:00 GMT"})
    assert feeds.good("kev").counts["new"] == 1404
    assert feeds.good("kev", LATER).result == "unchanged"
    upstream.pages["/kev.json"] = new
    feeds.good("kev", LATER)
    assert count(feeds.world, "cisa-kev") == 1662
    assert feeds.world.meta().kev.startswith("2026.08.07")
    found = feeds.status("kev", LATER)
    assert (found.dated, found.entries) == ("2026-08-07", 1662)
    assert "newest date is 2026-08-07" in found.stale  # it answers, and stands still since August


def test_epss_is_taken_in_daily(feeds: Feeds, upstream: Upstream) -> None:
    feeds.add("epss", "epss", f"{upstream.url}/epss/")
    upstream.pages["/epss/epss_scores-current.csv.gz"] = Reply(
        status=302, headers={"Location": "epss_scores-2026-11-24.csv.gz"}, validators=False
    )
    upstream.pages["/epss/epss_scores-2026-11-24.csv.gz"] = epss_scores(300, "2026-11-24")
    assert feeds.good("epss").counts["new"] == 300
    upstream.pages["/epss/epss_scores-2026-11-24.csv.gz"] = epss_scores(305, "2026-11-25")
    assert feeds.good("epss", LATER).counts["changed"] == 300
    assert feeds.world.sql("select count(*), min(dated) from clearway.epss") == [(305, "2026-11-25")]


# CVE


def test_cve_begins_with_the_archive_and_goes_on_with_the_log(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("vulnrichment/vulnrichment-kev.jsonl.zst", 30)
    at = "2026-11-25T10:00:00.000Z"
    upstream.put("/list/", cve_layout(records[:20], records[20:22], at, "2026-10-26T00:00:00.000Z"))
    feeds.add("cve", "cve", f"{upstream.url}/list/", options={"baseline": "{date}_all.zip.zip"})
    first = feeds.good("cve")
    assert first.counts["new"] == 22
    assert feeds.good("cve", LATER).result == "unchanged"
    upstream.asked.clear()
    upstream.put("/list/", cve_layout(records[:20], records[22:25], "2026-11-25T11:00:00.000Z", at))
    assert feeds.good("cve", LATER).counts["new"] == 3
    assert not any("all.zip" in path for path in upstream.paths())
    upstream.put(
        "/list/", cve_layout(records, records[25:26], "2026-12-30T11:00:00.000Z", "2026-12-01T00:00:00.000Z")
    )
    upstream.pages["/list/2026-12-30_all.zip.zip"] = upstream.pages["/list/2026-11-25_all.zip.zip"]
    after = NOW + timedelta(days=35)
    assert feeds.good("cve", after).counts["new"] == 5  # the log no longer reaches back: everything again
    assert count(feeds.world) == 30


def test_a_change_of_a_cve_that_the_log_lists_late_is_fetched(feeds: Feeds, upstream: Upstream) -> None:
    records = lines("vulnrichment/vulnrichment-kev.jsonl.zst", 24)
    at = "2026-11-25T10:00:00Z"
    files = cve_layout(records[:20], records[20:21], at, "2026-10-26T00:00:00.000Z")
    upstream.put("/list/", files)
    feeds.add("cve", "cve", f"{upstream.url}/list/", options={"baseline": "{date}_all.zip.zip"})
    feeds.good("cve")
    log = json.loads(files["cves/deltaLog.json"])
    for number, late in enumerate(("2026-11-25T09:00:00.000Z", "2026-11-25T10:00:00.500Z"), 21):
        more = cve_layout([], records[number : number + 1], late, late)
        log.insert(0, json.loads(more["cves/delta.json"]))
        upstream.put("/list/", {k: v for k, v in more.items() if k.startswith("cves/2")})
    upstream.pages["/list/cves/deltaLog.json"] = json.dumps(log).encode()
    upstream.pages["/list/cves/delta.json"] = json.dumps(log[0]).encode()
    assert feeds.good("cve", LATER).counts["new"] == 2
    assert feeds.status("cve", LATER).dated == "2026-11-25T10:00:00.500Z"


# CSAF


def test_a_csaf_provider_is_followed_by_its_rolie_feed(feeds: Feeds, upstream: Upstream) -> None:
    files = cisa_layout(12)
    upstream.put("/csaf/", files)
    feeds.add("cisa", "csaf", f"{upstream.url}/csaf/provider-metadata.json",
              mirrors=((CISA, f"{upstream.url}/csaf/"),))  # fmt: skip
    first = feeds.good("cisa")
    assert (first.counts["new"], first.counts["set_aside"]) == (12, 0)
    assert count(feeds.world, "csaf:cisa.gov") == 12
    assert upstream.connections <= 2  # one after another
    upstream.asked.clear()
    assert feeds.good("cisa", LATER).result == "unchanged"
    assert len(upstream.paths()) == 2  # metadata and feed

    feed = json.loads(files["csaf_files/OT/white/cisa-csaf-ot-feed-tlp-white.json"])
    entry = feed["feed"]["entry"][0]
    entry["updated"] = "2026-11-24T00:00:00.000000Z"
    upstream.put(
        "/csaf/csaf_files/OT/white/", {"cisa-csaf-ot-feed-tlp-white.json": json.dumps(feed).encode()}
    )
    upstream.asked.clear()
    feeds.good("cisa", LATER)
    documents = [path for path in upstream.paths() if "/2024/" in path]
    assert len(documents) == 2  # the document and its hash


def test_a_document_whose_hash_does_not_hold_is_left_out(feeds: Feeds, upstream: Upstream) -> None:
    files = cisa_layout(5)
    name = sorted(n for n in files if n.endswith("-01.json"))[0]
    upstream.put("/", {**files, name: files[name].replace(b"CISA", b"C1SA", 1)})
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    pulled = feeds.good("cisa")
    assert pulled.counts["new"] == 4
    assert feeds.problems("cisa") == {CISA + name: "its sha512 is another than its hash file says"}
    upstream.put("/", files)
    assert feeds.good("cisa", LATER).counts["new"] == 1
    assert feeds.problems("cisa") == {}


def test_a_provider_with_a_directory_is_read_by_changes_csv(feeds: Feeds, upstream: Upstream) -> None:
    files = cisa_layout(6)
    metadata = json.loads(files["provider-metadata.json"])
    metadata["distributions"] = [{"directory_url": f"{CISA}csaf_files/OT/white/"}]
    upstream.put("/", {**files, "provider-metadata.json": json.dumps(metadata).encode()})
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    assert feeds.good("cisa").counts["new"] == 6  # its changes.csv repeats the directory's path in each line
    assert feeds.good("cisa", LATER).result == "unchanged"


def test_a_directory_with_an_index_without_times_is_followed_by_its_hashes(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = cisa_layout(4)
    metadata = json.loads(files["provider-metadata.json"])
    metadata["distributions"] = [{"directory_url": f"{CISA}csaf_files/OT/white/"}]
    names = sorted(n for n in files if n.endswith(".json") and "/2024/" in n)
    index = "".join(n.removeprefix("csaf_files/OT/white/") + "\n" for n in names).encode()
    del files["csaf_files/OT/white/changes.csv"]
    files |= {"csaf_files/OT/white/index.txt": index, "provider-metadata.json": json.dumps(metadata).encode()}
    upstream.put("/", files)
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    assert feeds.good("cisa").counts["new"] == 4
    upstream.asked.clear()
    again = feeds.good("cisa", LATER)
    assert (again.result, feeds.status("cisa").changed) == ("unchanged", NOW)
    assert sum(path.endswith(".sha512") for path in upstream.paths()) == 4
    assert not [path for path in upstream.paths() if "/2024/" in path and path.endswith(".json")]
    later = {"tracking__current_release_date": "2026-11-24T00:00:00Z"}
    upstream.put("/", csaf_with(files, names[0], **later))
    assert feeds.good("cisa", LATER).counts["changed"] == 1
    climbing = index + b"../../../secret.json\n"
    upstream.put("/", {"csaf_files/OT/white/index.txt": climbing})
    assert "leads out of it" in feeds.pull("cisa", LATER).error


@pytest.mark.parametrize("kind", ["directory", "rolie"])
def test_gocsafs_providers_are_found_by_security_txt_and_their_signatures_hold(
    feeds: Feeds, upstream: Upstream, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upstream.put("/", gocsaf_layout(kind, upstream.url))
    feeds.add("acme", "csaf", f"{upstream.url}/")
    pulled = feeds.pull("acme")
    assert "/.well-known/csaf/provider-metadata.json" in upstream.paths()
    assert "/security.txt" in upstream.paths()
    # Its one document is an example by its publisher, which intake passes over: so there is nothing to take in.
    assert (pulled.result, pulled.counts["skipped"]) == ("refused", 1)
    assert "no record" in pulled.error
    assert feeds.problems("acme") == {}  # hash and signature held


def test_signatures_are_verified_against_the_providers_keys_alone(
    feeds: Feeds, upstream: Upstream, tmp_path: Path
) -> None:
    from clearway.advisories.feeds.openpgp import Keyring, available

    if not available():
        pytest.skip("no gpg")
    files = gocsaf_layout("directory", upstream.url)
    as_files(tmp_path, files)
    ring = Keyring(tmp_path / "ring")
    allowed = ring.add(tmp_path / "openpgp/pubkey.asc")
    assert allowed == {"A8914CA2F11139C6A69A0018FB3CD9B15DE61596"}
    document = tmp_path / "white/avendor-advisory-0004.json"
    signature = tmp_path / "white/avendor-advisory-0004.json.asc"
    assert ring.refusal(document, signature, allowed) == ""
    assert "does not list" in ring.refusal(document, signature, {"0" * 40})
    assert "does not list" in Keyring(tmp_path / "empty").refusal(document, signature, allowed)
    document.write_bytes(document.read_bytes() + b" ")
    assert ring.refusal(document, signature, allowed) == "the signature is of another text"
    signature.write_bytes(b"no signature")
    assert ring.refusal(document, signature, allowed) == "no signature in its signature file"


def test_pinned_keys_refuse_what_is_not_signed_with_them(feeds: Feeds, upstream: Upstream) -> None:
    files = cisa_layout(3)
    upstream.put("/", files)
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),),
              options={"keys": "A8914CA2F11139C6A69A0018FB3CD9B15DE61596"})  # fmt: skip
    pulled = feeds.pull("cisa")
    assert pulled.result == "refused"
    assert "none of 3 documents can be used" in pulled.error
    assert count(feeds.world) == 0


def csaf_with(files: dict[str, bytes], name: str, **changes: Any) -> dict[str, bytes]:
    """`files` with one document changed, and its hash with it."""
    import hashlib

    document = json.loads(files[name])
    for key, value in changes.items():
        where = document["document"]
        *path, last = key.split("__")
        for step in path:
            where = where[step]
        where[last] = value
    body = json.dumps(document).encode()
    return {**files, name: body, f"{name}.sha512": hashlib.sha512(body).hexdigest().encode()}


def test_a_provider_speaks_only_for_itself_and_never_wider_than_its_feed(
    feeds: Feeds, upstream: Upstream
) -> None:
    files = cisa_layout(4)
    a, b = sorted(n for n in files if n.endswith(".json") and "/2024/" in n)[:2]
    files = csaf_with(files, a, publisher__namespace="https://www.redhat.com")
    files = csaf_with(files, b, distribution__tlp__label="AMBER")
    metadata = json.loads(files["provider-metadata.json"])
    upstream.put("/", files)
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    assert feeds.good("cisa").counts["new"] == 3
    assert feeds.problems("cisa") == {CISA + a: "speaks as redhat.com, and the provider is cisa.gov"}
    assert feeds.world.sql("select count(*) from clearway.record where tlp = 'AMBER'") == [(1,)]

    metadata["distributions"][0]["rolie"]["feeds"][0]["tlp_label"] = "AMBER"
    upstream.pages["/provider-metadata.json"] = json.dumps(metadata).encode()
    feeds.add(
        "amber", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),)
    )
    assert "left out, as labelled TLP:AMBER" in feeds.pull("amber").error
    feeds.add("let-in", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),),
              options={"tlp": "AMBER"})  # fmt: skip
    feeds.pull("let-in")
    wider = [p for p in feeds.problems("let-in").values() if "wider than its feed" in p]
    assert len(wider) == 2  # those of TLP:WHITE; the amber one is fine


def test_another_publisher_at_the_same_address_is_refused(feeds: Feeds, upstream: Upstream) -> None:
    files = cisa_layout(3)
    upstream.put("/", files)
    feeds.add("cisa", "csaf", f"{upstream.url}/provider-metadata.json", mirrors=((CISA, f"{upstream.url}/"),))
    feeds.good("cisa")
    upstream.put(
        "/",
        {"provider-metadata.json": files["provider-metadata.json"].replace(b'cisa.gov/"', b'evil.example/"')},
    )
    pulled = feeds.pull("cisa", LATER)
    assert pulled.result == "refused"
    assert "speaks as evil.example, and as cisa.gov before" in pulled.error


# A single file, folders, and manners


def test_a_single_file_of_any_format_is_a_feed(feeds: Feeds, upstream: Upstream) -> None:
    from shared import shared

    upstream.pages["/drupal.jsonl.zst"] = shared("osv/drupal.jsonl.zst").read_bytes()
    feeds.add("drupal", "file", f"{upstream.url}/drupal.jsonl.zst")
    assert feeds.good("drupal").counts["new"] == 529
    assert feeds.good("drupal", LATER).result == "unchanged"
    assert feeds.status("drupal").entries == 529


def test_a_folder_that_was_carried_here_is_a_feed_in_the_same_layout(feeds: Feeds, tmp_path: Path) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    folder = as_files(tmp_path / "carried" / "Go", osv_layout(records))
    feeds.add("osv-go", "osv", f"{folder}/")
    assert feeds.good("osv-go").counts["new"] == 20
    assert feeds.good("osv-go", LATER).result == "unchanged"
    csaf = as_files(tmp_path / "carried" / "cisa", cisa_layout(4))
    feeds.add("cisa", "csaf", str(csaf), mirrors=((CISA, f"{csaf}/"),))
    assert feeds.good("cisa").counts["new"] == 4
    _, new = kev_catalogues()
    (tmp_path / "kev.json").write_bytes(new)
    feeds.add("kev", "kev", str(tmp_path / "kev.json"))
    assert feeds.good("kev").counts["new"] == 1662


def test_a_folder_gives_nothing_from_outside_of_it(feeds: Feeds, tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_bytes(b"{}")
    folder = as_files(tmp_path / "carried", cisa_layout(3))
    metadata = json.loads((folder / "provider-metadata.json").read_bytes())
    feed = metadata["distributions"][0]["rolie"]["feeds"][0]
    for trick in ("../secret.json", f"file://{secret}", str(secret), "https://elsewhere.example/feed.json"):
        feed["url"] = trick
        (folder / "provider-metadata.json").write_text(json.dumps(metadata))
        name = f"t{abs(hash(trick))}"
        feeds.add(name, "csaf", str(folder))
        assert feeds.pull(name).error
    (folder / "link.json").symlink_to(secret)
    feed["url"] = "link.json"
    (folder / "provider-metadata.json").write_text(json.dumps(metadata))
    feeds.add("link", "csaf", str(folder))
    assert "leads out of" in feeds.pull("link").error


def test_a_killed_pull_goes_on_and_nothing_is_remembered_too_early(
    feeds: Feeds, upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = lines("osv/go.jsonl.zst", 20)
    upstream.put("/Go/", osv_layout(records))
    feeds.add("osv-go", "osv", f"{upstream.url}/Go/")
    from clearway.advisories.keep import Keeper

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "take_in", killed)
        with pytest.raises(KeyboardInterrupt):
            feeds.pull("osv-go")
    assert feeds.status("osv-go").good is None
    assert feeds.world.sql("select result, error from clearway.feed_run") == [
        ("failed", "it was interrupted")
    ]
    assert feeds.good("osv-go", LATER).counts["new"] == 20


def test_a_feed_is_pulled_by_one_at_a_time(feeds: Feeds, upstream: Upstream) -> None:
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    with connect(feeds.world.url, autocommit=True) as db:
        store.lock(db, "kev")
        with pytest.raises(ConflictError, match="being pulled already"):
            feeds.pull("kev")
    with pytest.raises(NotFoundError):
        feeds.pull("other")


def test_retry_after_is_honoured_by_the_next_pulls(feeds: Feeds, upstream: Upstream) -> None:
    upstream.pages["/kev.json"] = Reply(status=429, headers={"Retry-After": "7200"}, validators=False)
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    assert "answered 429" in feeds.pull("kev").error
    assert upstream.paths() == ["/kev.json"]
    found = feeds.status("kev")
    assert found.not_before == NOW + timedelta(hours=2)
    assert not due.is_due(found, NOW + timedelta(hours=1, minutes=59))


def test_how_feeds_stand_can_be_read_without_a_database_and_by_who_is_signed_in(
    feeds: Feeds, upstream: Upstream
) -> None:
    old, _ = kev_catalogues()
    upstream.pages["/kev.json"] = old
    feeds.add("kev", "kev", f"{upstream.url}/kev.json")
    feeds.good("kev")
    with connect(feeds.world.url, autocommit=True) as db:
        assert of_home(feeds.world.home, NOW) == status(db, FixedClock(NOW))
        person = db.execute(
            "insert into clearway.person (kind, name) values ('person', 'a') returning person"
        ).fetchone()
        assert person is not None
        key, public = "ab" * 32, None
        db.execute(
            """insert into clearway.credential (public_id, key_hash, person, kind, expires)
            values ('x', sha256(decode(%s, 'hex')), %s, 'session', 'infinity')""",
            (key, person[0]),
        )
        from clearway.store.principal import PUBLIC, set_principal

        public = PUBLIC
        for who, seen in ((key, 1), (public, 0)):
            with db.transaction():
                set_principal(db, who)
                assert len(store.status(db, NOW)) == seen
                assert [run.counts["new"] for run in runs(db, "kev")] == [1404] * seen
                assert left_out(db, "kev") == ()
        import psycopg

        def address() -> None:
            with db.transaction():
                set_principal(db, key)
                db.execute("select url from clearway.feed")

        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            address()
