"""Properties of the fleet's readers: they answer or refuse, whatever the bytes, and the order of rows tells nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from clearway.formats import _asset_names as names
from clearway.formats._when import moment
from clearway.formats.observed import READERS, fleet_kind, read_fleet, read_observed
from clearway.formats.scanner_csv import flaws_in
from clearway.records.asset_identity import identity_keys, same_asset
from clearway.records.errors import ClearwayError
from clearway.records.fleet_input import AssetIds, Observed, Witness

FLEET = Path(__file__).resolve().parents[2] / "fixtures" / "fleet"
SAMPLES = [path.read_bytes() for path in sorted(FLEET.iterdir())]


def attempt(data: bytes) -> None:
    try:
        found = read_fleet(data, "x")
    except ClearwayError as e:
        assert e.what  # noqa: PT017
        return
    for one in found.observed:
        assert one.name
        assert one.name.isprintable()
        for detection in one.detections:
            assert detection.flaw
            assert detection.asset == one.name or one.format == "osquery"


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for head in (
        b"",
        b"asset,cve\n",
        b"Name,Version,ProviderName\n",
        b"asset,owner\n",
        b"<nmaprun>",
        b"[",
        b"{",
        b"\xff\xfe",
    ):
        attempt(head + data)


@settings(max_examples=300)
@given(
    st.sampled_from(SAMPLES),
    st.lists(
        st.tuples(st.integers(0, 20_000), st.integers(0, 40), st.binary(max_size=6)), min_size=1, max_size=4
    ),
)
def test_a_document_with_any_damage_is_read_or_refused(
    data: bytes, damage: list[tuple[int, int, bytes]]
) -> None:
    for at, cut, put in damage:
        at %= len(data) + 1
        data = data[:at] + put + data[at + cut :]
    attempt(data)


def test_of_two_spellings_of_an_assets_name_its_detections_have_the_one_that_is_kept() -> None:
    (sample,) = (s for s in SAMPLES if s.startswith(b"asset.display_fqdn"))
    for at in range(len(sample)):
        attempt(sample[:at] + b"\t" + sample[at:])


KEYS = [
    "SchemaVersion", "ArtifactName", "ArtifactType", "Metadata", "OS", "Family", "Name", "ImageID", "RepoDigests",
    "Results",
    "Packages", "Vulnerabilities", "VulnerabilityID", "VendorIDs", "PkgIdentifier", "PURL", "CreatedAt", "ClusterName",
    "Resources", "matches", "ignoredMatches", "vulnerability", "id", "relatedVulnerabilities", "artifact", "name",
    "version", "purl", "cpes", "source", "target", "descriptor", "timestamp", "distro", "results", "packages",
    "package",
    "ecosystem", "vulnerabilities", "groups", "ids", "aliases", "fix", "versions", "security_advisory", "ghsa_id",
    "created_at", "dependency", "repository", "hostIdentifier", "columns", "action", "snapshot", "diffResults", "added",
    "unixTime", "counter", "decorations", "deb_packages", "programs", "system_info", "os_version",
    "interface_addresses",
    "interface_details", "address", "mac", "interface", "hardware_serial", "DisplayName", "DisplayVersion", "Publisher",
    "Sources", "PackageIdentifier", "WinGetVersion", "data", "path", "identifier", "platform", "codename",
]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**14), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=6),
    st.sampled_from(["CVE-2021-44228", "pkg:npm/a@1", "sha256:" + "ab" * 32, "10.0.0.1", "2024-01-02",
                     "deb_packages", "added"]),
)  # fmt: skip
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=5)
    ),
    max_leaves=25,
)
STARTS: list[dict[str, Any]] = [
    {"SchemaVersion": 2, "ArtifactName": "a", "Results": []},
    {"ClusterName": "c", "Resources": []},
    {"matches": [], "source": {}},
    {"results": [], "experimental_config": {}},
    {"Sources": [], "WinGetVersion": "1"},
    {"hostIdentifier": "h", "columns": {}},
    {"deb_packages": []},
    {"DisplayName": "a", "DisplayVersion": "1"},
]


@settings(max_examples=300)
@given(st.sampled_from(STARTS), st.dictionaries(st.sampled_from(KEYS), documents, max_size=6), st.booleans())
def test_fields_of_any_type_are_read_or_refused(
    start: dict[str, Any], fields: dict[str, Any], listed: bool
) -> None:
    value = {**start, **fields}
    attempt(json.dumps([value] if listed else value).encode())


cells = st.sampled_from(
    ["a", "b.corp.example", "10.0.0.1", "8.8.8.8", "", "CVE-2024-0001", "CVE-2024-0002 CVE-2024-0003",
     "2024-01-02", "05/13/2024", "01/02/2024", "public", "internal", "sometimes", "open", "fixed", "x,y", 'q"q', "=1+1",
     "\u200b\x1b"]
)  # fmt: skip
HEADER = ["asset", "cve", "first_detected", "exposure", "ip", "state", "owner"]


def as_csv(rows: list[list[str]]) -> bytes:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [HEADER, *rows]]
    return "\n".join(quoted).encode()


def facts(data: bytes) -> tuple[set[Observed], set[str]]:
    found = read_fleet(data, "x.csv")
    bare = {
        structs.replace(o, detections=tuple(structs.replace(d, place="") for d in o.detections))
        for o in found.observed
    }
    return bare, {aside.reason for aside in found.set_aside}


@given(st.lists(st.lists(cells, min_size=7, max_size=7), max_size=6), st.randoms(use_true_random=False))
def test_the_order_of_rows_tells_nothing(rows: list[list[str]], random: Any) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert facts(as_csv(rows)) == facts(as_csv(shuffled))


@given(st.lists(st.lists(cells, min_size=7, max_size=7), max_size=6))
def test_every_flaw_of_every_row_lands_or_the_row_is_set_aside(rows: list[list[str]]) -> None:
    found = read_fleet(as_csv(rows), "x.csv")
    detected = {d.flaw for o in found.observed for d in o.detections}
    aside = {a.place for a in found.set_aside}
    for number, row in enumerate(rows, 2):
        assert f"line {number}" in aside or set(flaws_in(row[1])) <= detected


hosts = st.sampled_from(["", "web", "localhost", "db"])
ids = st.builds(
    AssetIds,
    hostname=hosts,
    fqdns=st.sampled_from(
        [(), ("web.corp.example",), ("localhost.localdomain",), ("ip-10-0-0-1.ec2.internal",)]
    ),
    ips=st.sampled_from([(), ("10.0.0.1",), ("8.8.8.8",), ("10.0.0.1", "8.8.8.8"), ("fe80::1",)]),
    macs=st.sampled_from([(), ("00:0d:3a:45:64:7f",), ("02:42:ac:11:00:02",)]),
    serial=st.sampled_from(["", "AAAA1", "BBBB2"]),
    cloud_id=st.sampled_from(["", "i-1", "i-2"]),
    image_digests=st.sampled_from([(), ("sha256:a",), ("sha256:a", "sha256:b")]),
    tool_id=st.sampled_from(["", "7"]),
)
seen = st.builds(
    Observed,
    name=st.just("x"),
    format=st.just("f"),
    ids=ids,
    witness=st.builds(Witness, tool=st.sampled_from(["", "nmap"])),
)


@given(seen, seen)
def test_sameness_is_symmetric_and_what_is_the_same_shares_a_key(a: Observed, b: Observed) -> None:
    answer = same_asset(a, b)
    assert answer == same_asset(b, a)
    if answer.same:
        assert answer.by
        assert set(identity_keys(a.ids, a.witness.tool)) & set(identity_keys(b.ids, b.witness.tool))


private = st.sampled_from(
    ["10.0.0.1", "192.168.1.1", "172.16.0.9", "fd00::7", "fe80::1", "127.0.0.1", "169.254.1.1"]
)


@given(st.lists(private, max_size=4, unique=True), hosts, hosts)
def test_private_addresses_and_a_host_name_never_make_one_asset(ips: list[str], one: str, other: str) -> None:
    a = Observed(name="a", format="f", ids=AssetIds(ips=tuple(sorted(ips)), hostname=one))
    b = Observed(name="b", format="f", ids=AssetIds(ips=tuple(sorted(ips)), hostname=other))
    assert not same_asset(a, b)


@given(st.text(max_size=60))
def test_names_and_dates_of_any_text_are_canonical_or_nothing(text: str) -> None:
    hostname, fqdn = names.host(text)
    assert names.host(fqdn or hostname) == (hostname, fqdn)
    assert names.address(names.address(text)) == names.address(text)
    assert names.mac(names.mac(text)) == names.mac(text)
    names.serial(text), names.hardware_uuid(text), names.cloud_id(text), names.digests(text)
    try:
        moment(text, "x")
    except ClearwayError as e:
        assert e.mend  # noqa: PT017


def test_every_sample_is_read_by_the_reader_that_its_content_names() -> None:
    kinds = {fleet_kind(data) for data in SAMPLES}
    assert kinds - {""} == set(READERS)
    for data in SAMPLES:
        assert read_observed(data, "x")
