"""What a blob is, by its content: a record of some format, something to pass over, or unknown.

Only top-level keys are looked at, so the answer costs microseconds; whether the record is sound is for
`intake.decode`. Names decide only what content cannot: LICENSE, README, checksums.
"""

from __future__ import annotations

import re
from typing import Any, Literal, TypeVar, get_args

import msgspec

RecordKind = Literal[
    "osv", "cve", "csaf", "csaf-vex", "kev-json", "kev-csv", "epss-csv", "openvex", "cyclonedx-vex", "nvd-cpe"
]
Kind = Literal[RecordKind, "not-a-record", "inventory", "test-document", "unknown"]
RECORD_KINDS: tuple[str, ...] = get_args(RecordKind)

_Raw = msgspec.Raw
_NONE = msgspec.Raw(b"")


class Detection(msgspec.Struct, frozen=True):
    """`kind`, and for what is no record the reason in words.

    "not-a-record", "inventory" and "test-document" are skipped; "unknown" is set aside.
    """

    kind: Kind
    reason: str = ""

    @property
    def is_record(self) -> bool:
        return self.kind in RECORD_KINDS

    @property
    def is_skipped(self) -> bool:
        return not self.is_record and self.kind != "unknown"


class _Probe(msgspec.Struct):
    """Top-level keys that tell formats apart; all others are passed over."""

    id: _Raw = _NONE
    modified: _Raw = _NONE
    affected: _Raw = _NONE
    details: _Raw = _NONE
    type: _Raw = _NONE
    schema_version: _Raw = _NONE
    cve_metadata: _Raw = msgspec.field(default=_NONE, name="cveMetadata")
    document: _Raw = _NONE
    catalog_version: _Raw = msgspec.field(default=_NONE, name="catalogVersion")
    date_released: _Raw = msgspec.field(default=_NONE, name="dateReleased")
    vulnerabilities: _Raw = _NONE
    context: _Raw = msgspec.field(default=_NONE, name="@context")
    at_id: _Raw = msgspec.field(default=_NONE, name="@id")
    graph: _Raw = msgspec.field(default=_NONE, name="@graph")
    statements: _Raw = _NONE
    bom_format: _Raw = msgspec.field(default=_NONE, name="bomFormat")
    spdx_version: _Raw = msgspec.field(default=_NONE, name="spdxVersion")
    cve: _Raw = _NONE
    format: _Raw = _NONE
    schema: _Raw = msgspec.field(default=_NONE, name="$schema")
    properties: _Raw = _NONE
    definitions: _Raw = _NONE
    defs: _Raw = msgspec.field(default=_NONE, name="$defs")
    feed: _Raw = _NONE
    service: _Raw = _NONE
    canonical_url: _Raw = _NONE
    sources: _Raw = msgspec.field(default=_NONE, name="Sources")
    packages: _Raw = _NONE
    versions: _Raw = _NONE
    updated_at: _Raw = _NONE


class _Tracking(msgspec.Struct):
    id: str = ""


class _Publisher(msgspec.Struct):
    namespace: str = ""
    name: str = ""


class _Document(msgspec.Struct):
    category: str = ""
    csaf_version: str = ""
    tracking: _Tracking = msgspec.field(default_factory=_Tracking)
    publisher: _Publisher = msgspec.field(default_factory=_Publisher)


class _CveMeta(msgspec.Struct):
    cve_id: str = msgspec.field(default="", name="cveId")


class _Analysed(msgspec.Struct):
    analysis: _Raw = _NONE


_probe = msgspec.json.Decoder(_Probe)
_T = TypeVar("_T")
# Reserved for documentation and tests: RFC 2606 and RFC 6761 names; the TCs' own test series.
_EXAMPLE_HOST = re.compile(
    r"^[a-z]+://(?:[\w-]+\.)*(?:example\.(?:com|net|org)|(?:example|test|invalid))(?:[:/?#]|$)", re.IGNORECASE
)
# CVE began in 1999: the years before it, 29xx and 9xxx stand in examples of the CVE schema and of others.
_TEST_ID = re.compile(
    r"(?:TEST|EXAMPLE|DUMMY|FAKE)-|OASIS_CSAF_TC|OASIS: #/"
    r"|CVE-(?:0\d{3}|1[0-8]\d\d|19[0-8]\d|199[0-8]|29\d\d|9\d{3})-",
    re.IGNORECASE,
)
_TEST_VEX_ID = re.compile(r"^https://openvex\.dev/(?:docs|test)/example", re.IGNORECASE)
_DIGEST_LINE = re.compile(rb"[0-9a-fA-F]{32,128}(?:\s|$)")
_PLAIN_NAMES = frozenset(
    (
        "license",
        "licence",
        "copying",
        "notice",
        "readme",
        "changelog",
        "authors",
        "contributing",
        "codeowners",
    )
)
_PLAIN_SUFFIXES = (
    ".md", ".txt", ".rst", ".html", ".htm", ".css", ".pdf", ".asc", ".sig", ".sha256", ".sha512", ".pub",
    ".license", ".gitignore", ".adoc",
)  # fmt: skip


def detect(data: bytes, name: str = "") -> Detection:
    """What `data` is. `name` is its file name or place; it helps with files that are not JSON.

    Never raises: what can't be read is "unknown" with the reason.
    """
    found = _by_content(data, name)
    if found.kind == "unknown":
        from .observed import fleet_kind

        kind = fleet_kind(data, name)
        if kind:
            return Detection("inventory", f"what an agent or scanner saw of a fleet ({kind}), no advisory")
    return found


def _by_content(data: bytes, name: str) -> Detection:
    head = data[:4096].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"{"):
        return _json(data)
    if not head:
        return Detection("unknown", "empty")
    if head.startswith(b"["):
        return _list(data)
    return _other(head, name)


def _json(data: bytes) -> Detection:
    try:
        probe = _probe.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        return Detection("unknown", f"not readable JSON: {e}")
    except RecursionError:
        return Detection("unknown", "JSON nested too deep")
    return _record(probe) or _skipped(probe) or Detection("unknown", "JSON of no known format")


def _record(probe: _Probe) -> Detection | None:
    if _has(probe.cve_metadata):
        cve = _part(probe.cve_metadata, _CveMeta()).cve_id
        return _tested(Detection("cve"), cve)
    if _has(probe.document):
        return _csaf(_part(probe.document, _Document()))
    if _text(probe.context).startswith("https://openvex.dev/ns"):
        if not _has(probe.statements):
            return Detection("not-a-record", "an OpenVEX context without statements")
        document_id = _text(probe.at_id)
        if _TEST_VEX_ID.match(document_id) or _EXAMPLE_HOST.match(document_id):
            return Detection("test-document", f"an example by its id {document_id}")
        return Detection("openvex")
    if _has(probe.bom_format):
        return _cyclonedx(probe)
    if _has(probe.spdx_version) or (_has(probe.graph) and b"spdx.org" in bytes(probe.context)):
        return Detection("inventory", "an SPDX document: give it to `clearway match`")
    if _has(probe.vulnerabilities):
        if _has(probe.catalog_version) or _has(probe.date_released):
            return Detection("kev-json")
        if _text(probe.format) == "NVD_CVE":
            return Detection("nvd-cpe")
    if _has(probe.cve) and bytes(probe.cve).startswith(b"{"):
        return Detection("nvd-cpe")
    if _has(probe.id) and (_has(probe.affected) or _has(probe.schema_version) or _is_text_only_osv(probe)):
        return _tested(Detection("osv"), _text(probe.id))
    return None


def _is_text_only_osv(probe: _Probe) -> bool:
    return _has(probe.modified) and _has(probe.details) and not _has(probe.type)  # STIX objects have a type


def _csaf(document: _Document) -> Detection | None:
    if not document.csaf_version and not document.tracking.id:
        return None
    if document.publisher.name.lower().startswith("example company"):
        return Detection("test-document", f"an example by its publisher {document.publisher.name}")
    if _EXAMPLE_HOST.match(document.publisher.namespace):
        return Detection("test-document", f"an example by its publisher {document.publisher.namespace}")
    kind: Kind = "csaf-vex" if document.category.lower() == "csaf_vex" else "csaf"
    return _tested(Detection(kind), document.tracking.id)


def _tested(otherwise: Detection, record_id: str) -> Detection:
    if _TEST_ID.match(record_id):
        return Detection("test-document", f"a test or example by its id {record_id[:80]}")
    return otherwise


def _cyclonedx(probe: _Probe) -> Detection:
    analysed: list[_Analysed] = []
    if _has(probe.vulnerabilities):
        try:
            analysed = msgspec.json.decode(probe.vulnerabilities, type=list[_Analysed])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            analysed = []
    if any(_has(item.analysis) for item in analysed):
        return Detection("cyclonedx-vex")
    return Detection("inventory", "a CycloneDX document without analyses: give it to `clearway match`")


def _skipped(probe: _Probe) -> Detection | None:
    for found, reason in (
        (_has(probe.schema) or _has(probe.defs) or _has(probe.properties), "a JSON schema"),
        (_has(probe.feed), "a ROLIE feed: an index of documents"),
        (_has(probe.service), "a ROLIE service document"),
        (_has(probe.canonical_url), "provider metadata"),
        (_has(probe.sources), "a VEX repository's manifest"),
        (_has(probe.updated_at) and _has(probe.packages), "a VEX repository's index"),
        (_has(probe.versions) and not _has(probe.id), "a VEX repository's description"),
        (bytes(probe.context).startswith(b"{"), "a JSON-LD context"),
    ):
        if found:
            return Detection("not-a-record", reason)
    return None


def _list(data: bytes) -> Detection:
    try:
        msgspec.json.decode(data, type=list[_Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as e:
        return Detection("unknown", f"not readable JSON: {e}")
    except RecursionError:
        return Detection("unknown", "JSON nested too deep")
    return Detection("unknown", "a JSON list; give records one by one or as JSON lines")


def _other(head: bytes, name: str) -> Detection:
    line = head.split(b"\n", 1)[0].strip()
    columns = [cell.strip().strip(b'"') for cell in line.split(b",")]
    if line.startswith(b"#model_version:") or (b"cve" in columns and b"epss" in columns):
        return Detection("epss-csv")
    if b"cveID" in columns and b"dateAdded" in columns:
        return Detection("kev-csv")
    if head.startswith((b"-----BEGIN PGP", b"-----BEGIN SSH SIGNATURE")):
        return Detection("not-a-record", "a signature or key")
    if _DIGEST_LINE.match(line):
        return Detection("not-a-record", "a checksum")
    if head.startswith((b"SPDXVersion:", b"##")) and b"SPDXVersion:" in head:
        return Detection("inventory", "an SPDX document: give it to `clearway match`")
    base = name.replace("!", "/").rpartition("/")[2].lower()
    if base.partition(".")[0] in _PLAIN_NAMES or base.endswith(_PLAIN_SUFFIXES) or base == "changes.csv":
        return Detection("not-a-record", "text about the data, or an index of it")
    if head.startswith(b"<"):
        return _markup(head)
    return Detection("unknown", "neither JSON nor a known CSV")


def _markup(head: bytes) -> Detection:
    if b"cyclonedx.org" in head or b"spdx.org" in head:
        return Detection("inventory", "an SBOM in XML: give it to `clearway match`")
    if b"<html" in head.lower() or b"<!doctype html" in head.lower():
        return Detection("not-a-record", "a web page")
    return Detection("unknown", "XML; advisories are read as JSON")


def _has(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in (b"", b"null")


def _part(raw: msgspec.Raw, default: _T) -> _T:
    """`raw` as the type of `default`; `default` itself when it does not fit."""
    try:
        return msgspec.json.decode(raw, type=type(default))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return default


def _text(raw: msgspec.Raw) -> str:
    value: Any = _part(raw, "")
    return value if isinstance(value, str) else ""
