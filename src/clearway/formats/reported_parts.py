"""What a report of a flaw says, whatever format it came in. Everything in it is a stranger's claim, and data."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any, Literal, get_args

import msgspec
from msgspec import Struct

from clearway.records.ecosystem import OSV_ECOSYSTEMS, normal_ecosystem, normal_name
from clearway.records.errors import ClearwayError, InputError, TooLargeError
from clearway.records.fleet_input import SetAside

from . import strict_json
from ._fields import one_line
from .purl import identity, parse

WHITE = b" \t\r\n\xef\xbb\xbf"  # what may stand before a document, a BOM too
MAX_BYTES = 32 << 20  # of one document, its attachments included
MAX_REPORTS = 1_000  # in one document
MAX_VALUES = 1_000_000  # of one JSON document: each is an object in memory, of a hundred bytes and more
MAX_EXPANDED = 128 << 20  # bytes of all reports of a document and their files
MAX_FILES = 200  # of one report
MAX_TEXT = 64 << 10  # characters of a description or of steps
MAX_STEPS = 200  # of a trace
MAX_LINES = 100  # of what is ruled out, of references, of ids

Role = Literal["source", "step", "sink"]
FileKind = Literal["input", "harness", "source", "patch", "attachment"]
FILE_KINDS: tuple[FileKind, ...] = get_args(FileKind)
Severity = Literal["", "none", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
_CWE = re.compile(r"CWE[-_ ]?0*([0-9]{1,5})(?![0-9])", re.IGNORECASE)
_KEPT_LINES = {"\n", "\t"}


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One point of the way that data takes from where it comes in (`source`) to where it does harm (`sink`)."""

    role: Role = "step"
    file: str = ""
    line: int = 0
    function: str = ""
    what: str = ""


class RuledOut(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A known shape of false positives, and why this is none of it."""

    shape: str
    why: str


class Place(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where in the product's code, in its parts: as one text, names with spaces can't be told apart again."""

    file: str = ""
    line: int = 0
    function: str = ""

    def __str__(self) -> str:
        """On one line: "src/parse.c:17 parse_string"."""
        at = f"{self.file}:{self.line}" if self.file and self.line > 0 else self.file
        return one_line(" ".join(filter(None, (at, self.function))), 1_000)


class ReportedFile(Struct, frozen=True, kw_only=True):
    """A file that came with a report. `name` is a label."""

    kind: FileKind
    name: str
    data: bytes
    media: str = ""


class Reproduction(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How the reporter makes it happen. `release` is the shipped release it was shown on; `recipe` is JSON, as sent."""

    release: str = ""
    steps: str = ""
    expected: str = ""
    observed: str = ""
    recipe: bytes = b""


class Reported(Struct, frozen=True, kw_only=True):
    """One report. Texts are bounded and without control characters; lines are kept where a person wrote several.

    `raw` are the report's bytes as they were received, or those of its part of a larger document; `place` says which.
    `provenance` is JSON that is handed on byte for byte: who found it, who reported it to whom, where it comes from,
    under which terms, and what others claim of it. `hops` are what each desk on the way added, as they came.
    """

    format: str
    raw: bytes
    title: str
    place: str = ""
    description: str = ""
    ecosystem: str = ""
    package: str = ""
    release: str = ""
    purl: str = ""
    at: Place = Place()
    cwe: str = ""
    severity: Severity = ""
    trace: tuple[Step, ...] = ()
    reproduction: Reproduction = Reproduction()
    ruled_out: tuple[RuledOut, ...] = ()
    ids: tuple[str, ...] = ()  # what others call it: a hint
    references: tuple[str, ...] = ()
    provenance: bytes = b""
    hops: tuple[bytes, ...] = ()
    files: tuple[ReportedFile, ...] = ()

    @property
    def where(self) -> str:
        """The place on one line: "src/parse.c:17 parse_string"."""
        return str(self.at)


class ReportDocument(Struct, frozen=True, kw_only=True):
    """All that one document says: its reports, and the parts that are none, with place and reason."""

    format: str
    reports: tuple[Reported, ...]
    set_aside: tuple[SetAside, ...] = ()


class TooMuchError(TooLargeError):
    """The reports of a document hold too much together: nothing more of it is read."""


class Sizes:
    """Bounds what the reports of one document hold together: each may hold what the document says once for all."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._bytes = 0

    def take(self, size: int) -> None:
        """Counts bytes that are about to be held, also for a report that is then set aside.

        Raises:
            TooMuchError: they are too many for one document.
        """
        self._bytes += size
        if self._bytes > MAX_EXPANDED:
            raise TooMuchError(
                f"its reports hold over {MAX_EXPANDED >> 20} MiB together, for each holds what the document says once",
                where=self._place,
                mend="send fewer reports a document",
            )


def prose(text: str, limit: int = MAX_TEXT) -> str:
    """Text of several lines: without control characters but line ends and tabs, cut at `limit`."""
    cut = text[:limit].replace("\r\n", "\n").replace("\r", "\n")
    if cut.isprintable():
        return cut.strip()
    return "".join(c if c.isprintable() or c in _KEPT_LINES else "\ufffd" for c in cut).strip()


def publishes(provenance: bytes) -> date | None:
    """The day, in UTC, on which the reporter means to publish: `embargo.until` of the provenance, as ISO 8601.

    None where it says none, or what is no date: a hint, that no gate asks for.
    """
    try:
        at = datetime.fromisoformat(msgspec.json.decode(provenance, type=_Terms).embargo.until)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC).date()
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError, OverflowError):
        return None


class _Embargo(Struct, frozen=True):
    until: str = ""


class _Terms(Struct, frozen=True):
    embargo: _Embargo = _Embargo()


def cwe_in(text: str) -> str:
    """The first CWE id that `text` names, as "CWE-787"; "" when it names none."""
    found = _CWE.search(text[:2_000])
    return f"CWE-{int(found[1])}" if found else ""


def severity_in(text: str) -> Severity:
    """A severity by its word, "" for any other word."""
    word = text.strip().lower()
    word = {
        "moderate": "medium",
        "important": "high",
        "error": "high",
        "warning": "medium",
        "note": "low",
    }.get(word, word)
    return next((s for s in SEVERITIES if s == word), "")


def identified(purl: str, ecosystem: str, package: str, release: str) -> dict[str, Any]:
    """`purl`, `ecosystem`, `package` and `release` of a product, from its purl where there is one, spelled as OSV does.

    Raises:
        InputError: the purl can't be read; what it says is not quoted.
    """
    found = {
        "purl": one_line(purl, 2_000),
        "ecosystem": one_line(ecosystem, 100),
        "package": one_line(package, 300),
        "release": one_line(release, 200),
    }
    if purl:
        try:
            if len(purl) > 2_000:
                raise InputError("a purl of thousands of characters")
            known, name, version = identity(parse(purl.strip()))
        except InputError:
            raise InputError(
                "the purl can't be read", where="purl", mend="write pkg:type/namespace/name@version"
            ) from None
        found["ecosystem"] = one_line(known, 100) or found["ecosystem"]
        found["package"] = one_line(name, 300) or found["package"]
        found["release"] = found["release"] or one_line(version, 200)
    if found["ecosystem"]:
        found["ecosystem"] = normal_ecosystem(_spelled(found["ecosystem"]))
        found["package"] = normal_name(found["ecosystem"], found["package"])
    return found


def _spelled(ecosystem: str) -> str:
    """The ecosystem as OSV spells it, whatever the case: "pypi" is PyPI."""
    name, colon, release = ecosystem.partition(":")
    if name in OSV_ECOSYSTEMS:
        return ecosystem
    folded = name.casefold()
    return next((e for e in OSV_ECOSYSTEMS if e.casefold() == folded), name) + colon + release


def as_json(data: bytes, place: str) -> Any:
    """The value of a JSON text; what it says is quoted in no error.

    Raises:
        InputError: it is no JSON, or readers would differ in what it says.
        TooLargeError: it holds more than `MAX_VALUES` values.
    """
    try:
        _few_values(data)
        value = strict_json.loads(data, place)
        strict_json.refuse_nul(value, data, place)
    except ClearwayError as error:
        raise quiet(error, place) from None
    return value


def _few_values(data: bytes) -> None:
    """Passes for JSON of at most `MAX_VALUES` values: each but the first of its list or object follows a comma.

    Counted before anything is decoded: 30 MiB of `[]` are 1.4 GiB in memory.
    """
    if _opened(data) <= MAX_VALUES:
        return
    # Commas in texts count for nothing: what stands in quotes is cut out, escaped ones first.
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 4 * MAX_VALUES or _opened(b"".join(bare.split(b'"')[::2])) > MAX_VALUES:
        raise TooLargeError(f"more than {MAX_VALUES:,} values", mend="send it in several parts")


def _opened(data: bytes) -> int:
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def quiet(error: ClearwayError, place: str) -> InputError:
    """The same error without words of the report: what is sent here may be under embargo, and errors are logged."""
    kind = TooLargeError if isinstance(error, TooLargeError) else InputError
    what = next((said for part, said in _QUOTING if part in error.what), error.what)
    return kind(what, where=place, mend=error.mend)


# Errors of `strict_json` that say what they met, and what is said in place of it.
_QUOTING = (
    (" occurs twice in ", "a key occurs twice in one object"),
    (" is beyond a double", "a number is beyond a double"),
    ("invalid UTF-8", "it is not UTF-8"),
)
