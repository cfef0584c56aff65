"""One package version asked about: the records that affirm, the verdict, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.records.ecosystem import OSV_ECOSYSTEMS, normal_ecosystem, normal_name
from clearway.records.errors import InputError, TooLargeError

from .identity import Identity
from .judge import coverage, home_repository, judge

if TYPE_CHECKING:
    from clearway.advisories.table import Table


def ask(table: Table, ecosystem: str, name: str, version: str, *, purl: str = "") -> dict[str, Any]:
    """`ecosystem`, `name` and `version` as asked, `ids`, `verdict` and `reasons`.

    `affected` when a record affirms; `not_affected` only where a loaded source covers the
    ecosystem and every record about the package clears the version; else `unknown`.

    Raises:
        InputError: the purl can't be read.
    """
    answer: dict[str, Any] = {"ecosystem": ecosystem, "name": name, "version": version}
    unstated = ""
    if purl:
        asked, unstated = _of_purl(table, purl, version)
        answer = {"purl": purl, "ecosystem": asked.ecosystem, "name": asked.name, "version": asked.version}
    else:
        ecosystem = normal_ecosystem(_spelled(ecosystem))
        asked = Identity(ecosystem, normal_name(ecosystem, name), version)
    judged = judge(table, *asked)
    affirming = [s for s in judged.statements if s.verdict == "affected"]
    unsure = [s for s in judged.statements if s.verdict == "unknown"]
    known = coverage(table, asked.ecosystem, asked.name)
    if affirming:
        verdict = "affected"
        reasons = [f"{s.record} ({s.source}): {s.reason}" for s in affirming]
    elif judged.problem:
        verdict, reasons = "unknown", [judged.problem]
    elif unsure:
        verdict = "unknown"
        reasons = [f"{s.record} ({s.source}): {s.reason}" for s in unsure]
    elif not known.covered:
        verdict, reasons = "unknown", [known.reason]
    elif unstated and not judged.named:
        verdict, reasons = "unknown", [unstated]
    else:
        verdict = "not_affected"
        spoken = (
            f"{len(judged.statements) + len(judged.clear)} records about it"
            if judged.named
            else "no record about it"
        )
        place = home_repository(asked.ecosystem, asked.name) or asked.ecosystem
        reasons = [f"{spoken}; {place} is covered by {', '.join(_aged(table, known.sources))}"]
    flaws = dict.fromkeys(f for s in affirming for f in table.flaws_of(s.record) or (s.record,))
    return {
        **answer,
        "ids": list(dict.fromkeys(s.record for s in affirming)),
        "flaws": list(flaws),
        "verdict": verdict,
        "reasons": reasons,
    }


def _of_purl(table: Table, purl: str, version: str) -> tuple[Identity, str]:
    """What a purl is to be looked up as, as a component of an inventory is; and why silence would say nothing."""
    from clearway.formats.component import Gathering

    from .identity import identities, unnamed_source

    gathering = Gathering()
    gathering.add(purl, "", version, "")
    (component,) = gathering.finish()
    if component.problem:
        raise InputError(component.problem, where=purl[:80], mend="write pkg:type/namespace/name@version")
    found, _ = identities(table, component)
    if not found:
        return Identity("", component.name, component.version), ""
    return found[-1], "" if component.source_name else unnamed_source(component.ecosystem)


def _aged(table: Table, sources: tuple[str, ...]) -> list[str]:
    """Sources with the date of their newest record, or of their intake where records bear none."""
    notes = {n.source: n for n in table.meta.sources}
    return [f"{s} (as of {(notes[s].newest or notes[s].received)[:10]})" for s in sources if s in notes]


def _spelled(ecosystem: str) -> str:
    """The ecosystem as OSV spells it, whatever the case: "pypi" is PyPI."""
    name, colon, release = ecosystem.partition(":")
    if name in OSV_ECOSYSTEMS:
        return ecosystem
    folded = name.casefold()
    return next((e for e in OSV_ECOSYSTEMS if e.casefold() == folded), name) + colon + release


def ask_line(table: Table, line: bytes | None, place: str) -> dict[str, Any]:
    """The answer to one JSON line; for a line that can't be read, `verdict` unknown and `error`.

    A blank line is one that can't be read, so that answers stay beside their lines.
    """
    from clearway.formats.strict_json import loads

    asked: Any = {}
    try:
        if line is None:
            raise TooLargeError("the line is longer than 1 MiB", where=place, mend="write one package a line")
        if not line.strip():
            raise InputError("the line is blank", where=place, mend="write one package a line")
        asked = loads(line, place)
        if not isinstance(asked, dict):
            raise InputError("not a JSON object", where=place, mend='write {"ecosystem", "name", "version"}')
        fields = {k: asked.get(k, "") for k in ("ecosystem", "name", "version", "purl")}
        for field, value in fields.items():
            if not isinstance(value, str):
                raise InputError(f"{field} is not text", where=place, mend="write it in quotes")
        if not fields["purl"] and not (fields["ecosystem"] and fields["name"]):
            raise InputError("no package named", where=place, mend="give ecosystem and name, or purl")
        return ask(table, fields["ecosystem"], fields["name"], fields["version"], purl=fields["purl"])
    except InputError as error:
        known = asked if isinstance(asked, dict) else {}
        echoed = {
            k: v if isinstance(v := known.get(k), str) else "" for k in ("ecosystem", "name", "version")
        }
        # a defect of the purl names the purl; the line is what the asker can go to
        where = (
            error.where if error.where.startswith(place) else ": ".join(filter(None, (place, error.where)))
        )
        return {
            **({"purl": known["purl"]} if isinstance(known.get("purl"), str) else {}),
            **echoed,
            "ids": [],
            "flaws": [],
            "verdict": "unknown",
            "reasons": [error.what],
            "error": str(InputError(error.what, where=where, mend=error.mend)),
        }
