"""OSV-Scanner's JSON report: packages by lock file or image, each with the OSV records that match it."""

from __future__ import annotations

from typing import Any

from clearway.records.ecosystem import normal_name
from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness
from clearway.records.inventory import Component

from ._assets import Asset, Assets, flaw_of
from ._fields import one_line
from ._scan_json import entry, items, line, lines, load, obj


def read(data: bytes, place: str) -> FleetInput:
    """One asset, named as the document is: the report says which lock files it read, not whose they are. Two reports
    of one name are of one repository where these lie in one folder.

    The tool groups records of one flaw, and a group is one detection. The report bears no date.

    Raises:
        InputError: not JSON, or another format; TooLargeError: over a bound of `_scan_json`.
    """
    report = load(data, place)
    if not isinstance(report, dict) or not isinstance(report.get("results"), list):
        raise InputError(
            "is not an OSV-Scanner report", where=place, mend="scan with `osv-scanner --format json`"
        )
    found = Assets("osv-scanner-json", Witness(tool="osv-scanner"), kind="")
    asset = found.get(place)
    asset.state("type", "container image" if report.get("image_metadata") else "repository")
    if not report.get("image_metadata"):
        asset.identify("tool_id", _root(report["results"]))
    asset.state("os", line(obj(report.get("image_metadata")).get("os")))
    for index, result in enumerate(report["results"]):
        where = f"results[{index}]"
        try:
            one = entry(result, where)
        except InputError as e:
            found.refuse(where, e)
            continue
        for number, package in enumerate(items(one.get("packages"))):
            spot = f"{where}.packages[{number}]"
            try:
                _package(entry(package, spot), line(obj(one.get("source")).get("path")), spot, asset)
            except InputError as e:
                found.refuse(spot, e)
    return found.finish()


def _root(results: list[Any]) -> str:
    """The folder that all lock files lie in, "" where the report names no absolute path or they share none."""
    paths = {line(obj(obj(r).get("source")).get("path"), 1_000).replace("\\", "/") for r in results}
    folders = [p.rpartition("/")[0].split("/") for p in sorted(paths - {""}) if "/" in p[:4]]
    shared: list[str] = []
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared.append(parts[0])
    return one_line("/".join(shared), 200) if any(shared) else ""


def _package(one: dict[str, Any], path: str, where: str, asset: Asset) -> None:
    package = obj(one.get("package"))
    ecosystem, name = line(package.get("ecosystem"), 100), line(package.get("name"))
    version, commit = line(package.get("version"), 1000), line(package.get("commit"), 64)
    if not name and not commit:
        raise InputError("names no package", mend="export the report again")
    asset.components.append(
        Component(
            ecosystem=ecosystem,
            name=normal_name(ecosystem, name) if ecosystem else name,
            version=version,
            commit=commit,
            place=f"{where} {path}".strip(),
        )
    )
    fixes = {
        line(obj(v).get("id"), 200): _fixed(obj(v), ecosystem, name)
        for v in items(one.get("vulnerabilities"))
    }
    groups = [
        (lines(obj(g).get("ids"), 200), lines(obj(g).get("aliases"), 200)) for g in items(one.get("groups"))
    ]
    grouped = {i for ids, _ in groups for i in ids}
    for vulnerability in items(one.get("vulnerabilities")):
        own = line(obj(vulnerability).get("id"), 200)
        if own and own not in grouped:
            groups.append(((own,), lines(obj(vulnerability).get("aliases"), 200)))
    for ids, aliases in groups:
        if not ids:
            continue
        flaw, others = flaw_of(min(ids), (*ids, *aliases))
        asset.detect(
            Detection(
                asset=asset.name,
                flaw=flaw,
                aliases=others,
                source="osv-scanner",
                package=name,
                version=version,
                fixed=tuple(sorted({v for i in ids for v in fixes.get(i, ())})),
                state="open",
                place=where,
            )
        )


def _fixed(vulnerability: dict[str, Any], ecosystem: str, name: str) -> tuple[str, ...]:
    return tuple(
        version
        for affected in items(vulnerability.get("affected"))
        if obj(obj(affected).get("package")).get("name") == name
        and obj(obj(affected).get("package")).get("ecosystem") == ecosystem
        for ranged in items(obj(affected).get("ranges"))
        if obj(ranged).get("type") != "GIT"
        for event in items(obj(ranged).get("events"))
        if (version := line(obj(event).get("fixed"), 200))
    )
