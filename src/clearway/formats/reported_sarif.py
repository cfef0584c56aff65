"""SARIF 2.1.0: each result that says "here is something" is one report.

What SARIF has no words for stands in `properties.clearway` of a result, else of its run: `affected` (or its `purl`,
`release`, `package` by themselves), `reproduction`, `ruled_out`, `provenance` as in Clearway's own report; a key that
is none of these is told, and not read. Files are the contents of `run.artifacts` that a
result attaches. A report's own bytes are a document with that one result, its rule and its files, written the same way
each time: the same result in tomorrow's scan is the same report. The block of provenance and the recipe stand in it
byte for byte (`reported_sarif_raw`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from functools import cached_property
from typing import Any
from urllib.parse import unquote

import msgspec
from msgspec import Raw

from clearway.records.errors import ClearwayError, InputError, TooLargeError
from clearway.records.fleet_input import SetAside

from ._fields import a_list, an_object, objects, one_line, text
from .reported_own import MAX_PROVENANCE, OwnMore, convert
from .reported_parts import (
    MAX_FILES,
    MAX_LINES,
    MAX_REPORTS,
    MAX_STEPS,
    FileKind,
    Place,
    ReportDocument,
    Reported,
    ReportedFile,
    Reproduction,
    RuledOut,
    Severity,
    Sizes,
    Step,
    TooMuchError,
    cwe_in,
    identified,
    prose,
    quiet,
    severity_in,
)
from .reported_sarif_raw import RawBlock, RawRun, as_sent, raw_runs, recipe_in

FORMAT = "sarif"
VERSION = "2.1.0"
_MAX_RULES = 100_000
_NOTHING: dict[str, Any] = {}  # the rule or artifact that a result does not have
_DRIVER = ("name", "fullName", "version", "semanticVersion", "organization", "product", "informationUri")
_KINDS = {"": FORMAT, "fail": FORMAT, "open": FORMAT, "review": FORMAT}
_OWN = frozenset({"affected", "purl", "package", "release", "reproduction", "ruled_out", "provenance"})
_AFFECTED = frozenset({"purl", "ecosystem", "name", "release"})
_FILE_KINDS: dict[str, FileKind] = {
    "input": "input", "reproducer": "input", "pov": "input", "harness": "harness", "patch": "patch", "source": "source",
}  # fmt: skip


_UNREAD = (
    f"a key here is none of {', '.join(sorted(_OWN))} (in `affected`: {', '.join(sorted(_AFFECTED))}) and was not "
    "read; the rest was"
)


def is_sarif(value: Any) -> bool:
    """Whether a document is SARIF, of whatever version."""
    return isinstance(value, dict) and isinstance(value.get("runs"), list) and "version" in value


def read(data: bytes, value: dict[str, Any], purl: str = "", place: str = "") -> ReportDocument:
    """The reports of the document `data`, whose JSON value is `value`; `purl` is the product where it does not say.

    Results that are no finding (passed, not applicable, suppressed, gone) and those that can't be read are set aside.

    Raises:
        InputError: another version, or no list of runs.
        TooLargeError: more results than one document may report.
    """
    if value.get("version") != VERSION:
        raise InputError("another version of SARIF", where=place or "version", mend=f"write SARIF {VERSION}")
    found: list[Reported] = []
    aside: list[SetAside] = []
    odd: list[str] = []  # blocks with keys that nobody reads
    count = 0
    size = Sizes(place)
    runs = objects(value, "runs")
    sent = raw_runs(data)
    for r, run in enumerate(runs):
        known = _Run(run, sent[r], size)
        if _unread(known.own):
            odd.append(f"{place}runs[{r}]")
        for n, result in enumerate(a_list(run, "results")):
            count += 1
            if count > MAX_REPORTS:
                raise TooLargeError(
                    f"more than {MAX_REPORTS:,} results",
                    where=place,
                    mend=f"send them in calls of {MAX_REPORTS:,}; `clearway finding submit` does so by itself",
                )
            at = f"{place}runs[{r}].results[{n}]"
            try:
                if result is None:
                    raise InputError("no finding: it is null")
                found.append(_report(known, an_object(result, "result"), known.sent.block(n), purl, at))
                if _unread(_clearway(result)):
                    odd.append(at)
            except TooMuchError:
                raise
            except ClearwayError as error:
                aside.append(SetAside(at, quiet(error, at).what))
    if odd:  # once for all: a tool writes the same keys everywhere
        more = f"; {len(odd) - 1:,} more hold such a key" if len(odd) > 1 else ""
        aside.append(SetAside(f"{odd[0]}.properties.clearway", _UNREAD + more))
    return ReportDocument(format=FORMAT, reports=tuple(found), set_aside=tuple(aside))


class _Run:
    """One run with what its results refer to, looked up once: a log may have many of each."""

    def __init__(self, run: dict[str, Any], sent: RawRun, size: Sizes) -> None:
        self.run, self.sent, self.size = run, sent, size
        self.driver = an_object(an_object(run.get("tool"), "tool").get("driver"), "tool.driver")
        self.rules = objects(self.driver, "rules")
        if len(self.rules) > _MAX_RULES:
            raise TooLargeError(f"more than {_MAX_RULES:,} rules", where="tool.driver.rules")
        self.rule_by_id = {text(rule, "id"): rule for rule in self.rules}
        self.artifacts = objects(run, "artifacts")
        self.artifact_by_uri = {
            text(an_object(a.get("location"), "location"), "uri"): a for a in reversed(self.artifacts)
        }
        self.own = _clearway(run)
        self.own_as_sent = as_sent(self.own, sent.own)
        self._written: dict[int, Raw] = {}
        self._cwe: dict[int, str] = {}
        # What each result's own document holds of the run, written once for all of them.
        self.driver_written = {n: _written(self.driver[n]) for n in _DRIVER if n in self.driver}
        self.own_written = _written({"clearway": self.own_as_sent}) if self.own else None
        origins = "versionControlProvenance"
        self.origins_written = _written(run[origins]) if origins in run else None
        names = ("name", "version", "semanticVersion", "organization")
        told = {
            "tool": {n: self.driver[n] for n in names if n in self.driver},
            "origins": objects(run, origins)[:MAX_LINES],
        }
        self.told = msgspec.json.encode({k: v for k, v in told.items() if v})

    @cached_property
    def more(self) -> OwnMore:
        """The block of the run, for results that have none."""
        return _more(self.own)

    def cwe_of(self, rule: dict[str, Any]) -> str:
        """The class that a rule's relationships name."""
        if id(rule) not in self._cwe:
            self._cwe[id(rule)] = _related_cwe(rule)
        return self._cwe[id(rule)]

    def written(self, item: dict[str, Any]) -> Raw:
        """A rule or artifact of the run as JSON: written once, for many results may refer to it."""
        found = self._written.get(id(item))
        if found is None:
            found = self._written[id(item)] = _written(item)
        return found

    def rule_of(self, result: dict[str, Any]) -> dict[str, Any]:
        """The rule of a result; {} when it has none."""
        reference = an_object(result.get("rule"), "rule")
        index = result.get("ruleIndex", reference.get("index", -1))
        if _is_index(index, self.rules):
            found: dict[str, Any] = self.rules[index]
            return found
        wanted = text(result, "ruleId") or text(reference, "id")
        # SARIF §3.27.5: a hierarchical id, whose rule may be that of a part of it.
        return self.rule_by_id.get(wanted) or self.rule_by_id.get(wanted.rpartition("/")[0], _NOTHING)

    def artifact_of(self, location: dict[str, Any]) -> dict[str, Any]:
        """The artifact at a location; {} when it is not among those of the run."""
        index = location.get("index", -1)
        if _is_index(index, self.artifacts):
            found: dict[str, Any] = self.artifacts[index]
            return found
        uri = text(location, "uri")
        return self.artifact_by_uri.get(uri, _NOTHING) if uri else _NOTHING


def _is_index(value: Any, items: list[Any]) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(items)


def _report(known: _Run, result: dict[str, Any], sent: RawBlock, purl: str, place: str) -> Reported:
    _is_a_finding(result)
    rule = known.rule_of(result)
    # First of all, since it is what is counted: all that follows takes time by what it holds.
    raw = _alone(known, rule, result, sent)
    mine = _clearway(result)
    own = {**known.own_as_sent, **as_sent(mine, sent)} if mine else known.own_as_sent
    more = _more({**known.own, **mine}) if mine else known.more
    said = text(an_object(result.get("message"), "message"), "text")
    short = text(an_object(rule.get("shortDescription"), "shortDescription"), "text")
    file, line, function = _where(next(iter(objects(result, "locations")), {}))
    made = more.reproduction
    named = {**_product(known.own), **_product(mine)}
    product = identified(
        named.get("purl") or purl, named.get("ecosystem", ""), named.get("name", ""), named.get("release", "")
    )
    return Reported(
        format=FORMAT,
        raw=raw,
        place=place,
        title=one_line(short or said or text(rule, "name") or text(result, "ruleId"), 300) or "A result",
        description=prose(said),
        **product,
        at=Place(file=file, line=line, function=function),
        cwe=_cwe(known, rule, result),
        severity=_severity(rule, result),
        trace=_trace(result),
        reproduction=Reproduction(
            release=one_line(made.release, 200),
            steps=prose(made.steps),
            expected=prose(made.expected),
            observed=prose(made.observed),
            recipe=recipe_in(own),
        ),
        ruled_out=tuple(
            RuledOut(shape=one_line(o.shape, 60), why=prose(o.why, 2_000)) for o in more.ruled_out
        ),
        references=tuple(r for r in (one_line(text(rule, "helpUri"), 2_000),) if r),
        provenance=_provenance(known, own),
        files=tuple(_files(known, result)),
    )


def _more(own: dict[str, Any]) -> OwnMore:
    found: OwnMore = convert(
        {k: v for k, v in own.items() if k in ("reproduction", "ruled_out")}, OwnMore, ""
    )
    return found


def _written(value: Any) -> Raw:
    """JSON of a value that is the same each time."""
    return Raw(msgspec.json.encode(value, order="sorted"))


def _is_a_finding(result: dict[str, Any]) -> None:
    if text(result, "kind") not in _KINDS:
        raise InputError("no finding: its kind says that nothing is wrong")
    if text(result, "baselineState") == "absent":
        raise InputError("no finding: it is gone since the baseline")
    states = [text(s, "status") or "accepted" for s in objects(result, "suppressions")]
    if states and all(state == "accepted" for state in states):
        raise InputError("no finding: it was suppressed in the tool")


def _clearway(holder: dict[str, Any]) -> dict[str, Any]:
    return an_object(an_object(holder.get("properties"), "properties").get("clearway"), "properties.clearway")


def _product(block: dict[str, Any]) -> dict[str, str]:
    """What a block says of the product, by the names in `affected`; a name by itself goes before."""
    affected = an_object(block.get("affected"), "properties.clearway.affected")
    alone = {"purl": text(block, "purl"), "name": text(block, "package"), "release": text(block, "release")}
    return {n: said for n in sorted(_AFFECTED) if (said := alone.get(n) or text(affected, n))}


def _unread(block: dict[str, Any]) -> bool:
    """Whether a block of ours holds a key that nobody reads."""
    affected = block.get("affected")
    return not (block.keys() <= _OWN and (not isinstance(affected, dict) or affected.keys() <= _AFFECTED))


def _where(location: dict[str, Any]) -> tuple[str, int, str]:
    physical = an_object(location.get("physicalLocation"), "physicalLocation")
    uri = text(an_object(physical.get("artifactLocation"), "artifactLocation"), "uri")
    line = an_object(physical.get("region"), "region").get("startLine")
    logical = next(iter(objects(location, "logicalLocations")), {})
    function = text(logical, "fullyQualifiedName") or text(logical, "name")
    known = isinstance(line, int) and not isinstance(line, bool) and 0 < line < 10_000_000
    return one_line(unquote(uri[:2_000])), line if known else 0, one_line(function)  # type: ignore[return-value]


def _trace(result: dict[str, Any]) -> tuple[Step, ...]:
    """The first flow of the result: its first location is the source, its last one the sink."""
    for flow in objects(result, "codeFlows"):
        for thread in objects(flow, "threadFlows"):
            steps = []
            for at in objects(thread, "locations")[:MAX_STEPS]:
                location = an_object(at.get("location"), "location")
                file, line, function = _where(location)
                what = text(an_object(location.get("message"), "message"), "text")
                steps.append(Step(file=file, line=line, function=function, what=one_line(what, 2_000)))
            if len(steps) > 1:
                steps[0] = msgspec.structs.replace(steps[0], role="source")
                steps[-1] = msgspec.structs.replace(steps[-1], role="sink")
                return tuple(steps)
    return ()


def _cwe(known: _Run, rule: dict[str, Any], result: dict[str, Any]) -> str:
    for taxon in objects(result, "taxa"):
        component = an_object(taxon.get("toolComponent"), "toolComponent")
        if text(component, "name").upper() in ("CWE", ""):
            number = text(taxon, "id").removeprefix("CWE-")
            if number.isascii() and number.isdigit() and len(number) <= 5:
                return f"CWE-{int(number)}"
    for holder in (result, rule):
        properties = an_object(holder.get("properties"), "properties")
        named = [properties.get("cwe"), *a_list(properties, "tags")[:MAX_LINES]]
        for word in (str(one) for one in named if isinstance(one, str | list)):
            if found := cwe_in(word):
                return found
    return known.cwe_of(rule) or cwe_in(text(result, "ruleId"))


def _related_cwe(rule: dict[str, Any]) -> str:
    for relation in objects(rule, "relationships"):
        target = an_object(relation.get("target"), "target")
        number = text(target, "id").removeprefix("CWE-")
        is_cwe = text(an_object(target.get("toolComponent"), "toolComponent"), "name").upper() == "CWE"
        if is_cwe and number.isascii() and number.isdigit() and len(number) <= 5:
            return f"CWE-{int(number)}"
    return ""


def _severity(rule: dict[str, Any], result: dict[str, Any]) -> Severity:
    for holder in (result, rule):
        score = an_object(holder.get("properties"), "properties").get("security-severity")
        try:
            number = float(score) if isinstance(score, str | int | float) else -1.0
        except ValueError:
            number = -1.0
        # GitHub's bands: a CVSS score
        for least, word in ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low")):
            if least <= number <= 10.0:
                return word  # type: ignore[return-value]
    level = text(result, "level") or text(
        an_object(rule.get("defaultConfiguration"), "configuration"), "level"
    )
    return severity_in(level)


def _provenance(known: _Run, own: dict[str, Any]) -> bytes:
    """What the document says of where it comes from; its own block of provenance stands for itself, as it came."""
    if isinstance(own.get("provenance"), Raw):
        if len(own["provenance"]) > MAX_PROVENANCE:
            raise InputError(f"a block of provenance of more than {MAX_PROVENANCE >> 10} KiB")
        return bytes(own["provenance"])
    return known.told


def _files(known: _Run, result: dict[str, Any]) -> Iterator[ReportedFile]:
    attached = objects(result, "attachments")
    if len(attached) > MAX_FILES:
        raise TooLargeError(f"more than {MAX_FILES} attachments")
    for attachment in attached:
        location = an_object(attachment.get("artifactLocation"), "artifactLocation")
        artifact = known.artifact_of(location)
        contents = an_object(artifact.get("contents"), "contents")
        binary, plain = text(contents, "binary"), text(contents, "text")
        known.size.take(len(binary) or len(plain))
        try:
            body = base64.b64decode(binary, validate=True) or plain.encode()
        except (binascii.Error, ValueError):
            raise InputError("an attachment is not base64") from None
        if body:
            uri = text(location, "uri") or text(an_object(artifact.get("location"), "location"), "uri")
            roles = [r for r in a_list(artifact, "roles") if isinstance(r, str)]
            said = text(an_object(attachment.get("description"), "description"), "text").strip().lower()
            kind = next((_FILE_KINDS[w] for w in (said, *roles) if w in _FILE_KINDS), None) or _by_name(uri)
            yield ReportedFile(
                kind=kind,
                name=one_line(unquote(uri[:2_000])),
                data=body,
                media=one_line(text(artifact, "mimeType"), 200),
            )


def _by_name(name: str) -> FileKind:
    return "patch" if name.lower().endswith((".patch", ".diff")) else "attachment"


def _alone(known: _Run, rule: dict[str, Any], result: dict[str, Any], sent: RawBlock) -> bytes:
    """A document of this one result: what tells of the scan as a whole, such as its time, is left out.

    Raises:
        TooMuchError: the reports of the document hold too much together.
    """
    attached = objects(result, "attachments")[:MAX_FILES]
    locations = [an_object(a.get("artifactLocation"), "artifactLocation") for a in attached]
    wanted = [known.written(known.artifact_of(location)) for location in locations]
    held = sum(map(len, wanted))
    known.size.take(held)  # before they are put together: one result may name one large file many times
    alone = {
        k: v
        for k, v in result.items()
        if k not in ("ruleIndex", "rule", "guid", "correlationGuid", "attachments")
    }
    if mine := _clearway(result):
        alone["properties"] = {**alone["properties"], "clearway": as_sent(mine, sent)}
    if rule:
        alone["ruleIndex"] = 0
    if attached:
        alone["attachments"] = [
            {**a, "artifactLocation": {**location, "index": n}}
            for n, (a, location) in enumerate(zip(attached, locations, strict=True))
        ]
    rules = {"rules": [known.written(rule)]} if rule else {}
    made = {
        "tool": {"driver": {**known.driver_written, **rules}},
        "results": [alone],
        "artifacts": wanted or None,
        "properties": known.own_written,
        "versionControlProvenance": known.origins_written,
    }
    made = {name: value for name, value in made.items() if value is not None}
    written = msgspec.json.encode({"version": VERSION, "runs": [made]}, order="sorted")
    known.size.take(len(written) - held)
    return written
