"""Dependabot's alerts as GitHub's REST API lists them, of one repository or of an organisation.

An alert's `created_at` is the day on which the flaw was first detected there.
"""

from __future__ import annotations

from typing import Any

from clearway.records.errors import InputError
from clearway.records.fleet_input import Detection, FleetInput, Witness

from . import _when
from ._assets import Assets, flaw_of, state_of
from ._scan_json import items, line, load, obj, row_problem
from .packages import purl_of

# GitHub's ecosystems (securityAdvisory, SecurityAdvisoryEcosystem) -> purl types.
_PURL_TYPES = {
    "pip": "pypi",
    "npm": "npm",
    "maven": "maven",
    "rubygems": "gem",
    "nuget": "nuget",
    "composer": "composer",
    "go": "golang",
    "rust": "cargo",
    "pub": "pub",
    "actions": "githubactions",
    "erlang": "hex",
    "swift": "swift",
}
_PATHED = frozenset(("npm", "maven", "composer", "golang", "githubactions", "swift"))


def read(data: bytes, place: str) -> FleetInput:
    """An asset for each repository, a detection for each alert. Alerts name packages without installed versions.

    Raises:
        InputError: not a JSON list; TooLargeError: over a bound of `_scan_json`.
    """
    alerts = load(data, place, by_row=True)
    if not isinstance(alerts, list):
        raise InputError("is not a list of alerts", where=place, mend="give the API's answer as it is")
    found = Assets("dependabot-json", Witness(tool="dependabot"), kind="repository")
    for index, alert in enumerate(alerts):
        where = f"[{index}]"
        try:
            if problem := row_problem(alert, "an alert is not an object"):
                raise InputError(problem, mend="export the report again")
            _alert(alert, where, place, found)
        except InputError as e:
            found.refuse(where, e)
    return found.finish()


def _alert(alert: dict[str, Any], where: str, document: str, found: Assets) -> None:
    advisory = obj(alert.get("security_advisory"))
    own = line(advisory.get("ghsa_id"), 100)
    listed = tuple(line(obj(i).get("value"), 100) for i in items(advisory.get("identifiers")))
    flaw, aliases = flaw_of(own, (line(advisory.get("cve_id"), 100), *listed))
    if not flaw:
        raise InputError("names no advisory", mend="give the API's answer as it is")
    created = _when.first_detected(_when.moment(line(alert.get("created_at")), "created_at"), "created_at")
    updated = _when.moment(line(alert.get("updated_at")), "updated_at")
    vulnerability = obj(alert.get("security_vulnerability"))
    dependency = obj(alert.get("dependency"))
    package = obj(dependency.get("package")) or obj(vulnerability.get("package"))
    asset = found.get(_repository(alert) or document)
    if updated:
        asset.seen.add(updated)
    asset.detect(
        Detection(
            asset=asset.name,
            flaw=flaw,
            aliases=aliases,
            first_detected=created,
            last_seen=updated.date() if updated else created,
            source="dependabot",
            plugin=line(alert.get("number"), 20),
            title=line(advisory.get("summary")),
            package=line(package.get("name")),
            purl=_purl(line(package.get("ecosystem"), 40).lower(), line(package.get("name"))),
            fixed=tuple(
                v for v in [line(obj(vulnerability.get("first_patched_version")).get("identifier"), 100)] if v
            ),
            state=state_of(line(alert.get("state"))) or "open",
            place=line(dependency.get("manifest_path")) or where,
        )
    )


def _purl(ecosystem: str, name: str) -> str:
    """The purl without version of a package as GitHub names it; "" for an ecosystem that purl has no type for."""
    kind = _PURL_TYPES.get(ecosystem, "")
    if not kind or not name:
        return ""
    namespace, _, short = (
        name.rpartition(":" if kind == "maven" else "/") if kind in _PATHED else ("", "", name)
    )
    return purl_of(kind, namespace, short or name, "")


def _repository(alert: dict[str, Any]) -> str:
    """ "owner/name", from the alert or from its address."""
    named = line(obj(alert.get("repository")).get("full_name"))
    if named:
        return named
    path = line(alert.get("html_url"), 500).partition("://")[2].split("/")
    return "/".join(path[1:3]) if len(path) > 3 else ""
