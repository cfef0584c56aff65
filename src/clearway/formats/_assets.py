"""Gathers what a document says, row by row, into assets.

Rows of one document are one asset where they state the same id of the tool's own, or else the same name of the asset. A
short host name alone is no such name: machines are cloned with theirs, so rows of different addresses stay apart.
What is gathered does not depend on the order of the rows.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from msgspec import structs

from clearway.records.errors import InputError
from clearway.records.fleet_input import (
    AssetIds,
    Detection,
    DetectionState,
    Exposure,
    FleetInput,
    Observed,
    Service,
    SetAside,
    Witness,
)
from clearway.records.inventory import Component

from . import _asset_names as names
from ._fields import one_line

MAX_CHARS = 400  # of a name, a title, an owner
_MOST_SHOWN = 4  # values of one fact in a remark
_FREE_TEXT = (
    "type",
    "environment",
    "owner",
    "os",
    "distro",
    "end_of_support",
    "exposure",
    "exposure_by",
    "exposure_since",
    "edge",
)


def _brief(value: object) -> str:
    return one_line(str(value), 60)


def _several(values: set[Any]) -> str:
    """ "A and B", "A and B and C and D and 3 more": values that differ, in their order."""
    shown = " and ".join(_brief(value) for value in sorted(values)[:_MOST_SHOWN])
    return shown + (f" and {len(values) - _MOST_SHOWN} more" if len(values) > _MOST_SHOWN else "")


class Asset:
    """One asset while its document is read."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._called: set[str] = set()  # names that it had until a later row had another spelling
        self.hostnames: set[str] = set()
        self.fqdns: set[str] = set()
        self.ips: set[str] = set()
        self._together: set[tuple[str, ...]] = set()  # addresses that one row states
        self.macs: set[str] = set()
        self.digests: set[str] = set()
        self.ids: dict[str, set[str]] = {}  # serial, hardware_uuid, cloud_id, tool_id
        self.stated: dict[str, set[Any]] = {}
        self.components: list[Component] = []
        self.services: set[Service] = set()
        self.seen: set[datetime] = set()
        self.problems: list[str] = []
        self.complete = False
        self._detections: dict[tuple[Any, ...], Detection] = {}

    def rename(self, name: str) -> None:
        """Gives it another name, which what was detected on it has too."""
        self._called.add(self.name)
        self.name = name

    def named(self, text: str) -> None:
        """Takes what stands in a column of assets: an address, a digest, a cloud id, or a name."""
        if ip := names.address(text):
            self.ips.add(ip)
        elif found := names.digests(text):
            self.digests.update(found)
        elif cloud := names.cloud_id(text):
            self.identify("cloud_id", cloud)
        else:
            hostname, fqdn = names.host(text)
            if hostname:
                self.hostnames.add(hostname)
            if fqdn:
                self.fqdns.add(fqdn)

    def at(self, addresses: tuple[str, ...]) -> None:
        """Takes the addresses that one row states."""
        self.ips.update(addresses)
        if addresses:
            self._together.add(addresses)

    def identify(self, kind: str, value: str) -> None:
        if value:
            self.ids.setdefault(kind, set()).add(value)

    def state(self, field: str, value: Any) -> None:
        """Takes one of `_FREE_TEXT`; two values for one asset are a problem of that asset, and neither is lost."""
        if isinstance(value, str):
            value = one_line(value, MAX_CHARS)
        if value:
            self.stated.setdefault(field, set()).add(value)

    def detect(self, detection: Detection) -> None:
        """Adds a detection; one seen again keeps its first and its last day."""
        key = (
            detection.flaw, detection.plugin, detection.package, detection.version, detection.purl,
            detection.port, detection.state,
        )  # fmt: skip
        known = self._detections.get(key)
        if known is not None:
            detection = structs.replace(
                min(known, detection, key=lambda d: (d.title, d.aliases, d.fixed, d.place)),
                first_detected=_pick(min, known.first_detected, detection.first_detected),
                last_seen=_pick(max, known.last_seen, detection.last_seen),
                aliases=tuple(sorted({*known.aliases, *detection.aliases})),
                fixed=tuple(sorted({*known.fixed, *detection.fixed})),
            )
        self._detections[key] = detection

    def finish(self, form: str, witness: Witness, kind: str) -> Observed:
        problems = list(self.problems)
        one: dict[str, Any] = {}
        for field in _FREE_TEXT:
            values = sorted(self.stated.get(field, ()))
            if len(values) > 1:
                if field == "exposure":
                    values = ["public"]  # the answer with the earlier due date
                if field == "edge":
                    values = ["yes"]  # the answer with the duty
                shown = _several(self.stated[field])
                problems.append(f"{self.name}: `{field}` is stated as {shown}; {_brief(values[0])} is kept")
            if values:
                one[field] = values[0]
        if "edge" in one:
            one["edge"] = one["edge"] == "yes"
        ids = {of: min(given) for of, given in self.ids.items()}
        for of, given in sorted(self.ids.items()):
            if len(given) > 1:
                problems.append(
                    f"{self.name}: `{of}` is stated as {_several(given)}; {_brief(min(given))} is kept"
                )
        if not (self.ids or self.macs or self.digests) and not self._is_linked():
            shown = ", ".join(sorted(self.ips)[:4]) + (", …" if len(self.ips) > 4 else "")
            problems.append(
                f"{self.name}: has addresses that no row states together ({shown}); it is taken as one machine"
            )
        hostname = min(self.hostnames, default="")
        detections = [
            structs.replace(d, asset=self.name) if d.asset in self._called else d
            for d in self._detections.values()
        ]
        return Observed(
            name=self.name,
            format=form,
            ids=AssetIds(
                hostname=hostname,
                fqdns=tuple(sorted(self.fqdns)),
                ips=tuple(sorted(self.ips)),
                macs=tuple(sorted(self.macs)),
                image_digests=tuple(sorted(self.digests)),
                **ids,
            ),
            components=tuple(self.components),
            detections=tuple(sorted(detections, key=_detection_order)),
            services=tuple(sorted(self.services, key=lambda s: (s.port, s.protocol, s.product))),
            complete=self.complete,
            witness=witness,
            seen=max(self.seen, default=None),
            problems=tuple(sorted(problems)),
            **{"type": kind, **one},
        )

    def _is_linked(self) -> bool:
        """Whether rows lead from each of its addresses to every other."""
        beside: dict[str, list[str]] = {}
        for row in self._together:
            for one, other in zip(row, (*row[1:], row[0]), strict=True):
                beside.setdefault(one, []).append(other)
                beside.setdefault(other, []).append(one)
        ahead = list(beside)[:1]
        while ahead:
            ahead += beside.pop(ahead.pop(), ())
        return not beside


class Assets:
    """All assets of one document, and the rows set aside."""

    def __init__(self, form: str, witness: Witness, kind: str = "host") -> None:
        self.form = form
        self.witness = witness
        self.kind = kind
        self.set_aside: list[SetAside] = []
        self.passed_over = 0
        self.described: set[tuple[str, ...]] = set()  # what rows said of an asset: most rows repeat it
        self._assets: dict[tuple[str, str], Asset] = {}

    def get(self, name: str, key: str = "") -> Asset:
        """The asset with that key (its name where none is given), new at its first mention."""
        name = names.undotted(one_line(name, MAX_CHARS)) or one_line(key, MAX_CHARS) or "(unprintable name)"
        slot = ("key", key) if key else ("name", name.casefold())
        found = self._assets.get(slot)
        if found is None:
            found = self._assets[slot] = Asset(name)
        elif name and name < found.name:
            found.rename(name)  # of two spellings the same one, whichever row comes first
        return found

    def refuse(self, place: str, error: InputError | str) -> None:
        if isinstance(error, InputError):
            error = f"{error.what} ({error.mend})" if error.mend else error.what
        self.set_aside.append(SetAside(place, error))

    def finish(self) -> FleetInput:
        for asset in self._assets.values():
            asset.complete = (
                asset.complete and not self.set_aside
            )  # what was set aside may be what is missing
        found = [asset.finish(self.form, self.witness, self.kind) for asset in self._assets.values()]
        found.sort(key=lambda o: (o.name, o.ids.tool_id, o.ids.ips, o.ids.fqdns))
        return FleetInput(
            format=self.form,
            observed=tuple(found),
            set_aside=tuple(self.set_aside),
            passed_over=self.passed_over,
        )


def exposure_of(text: str) -> Exposure:
    """ "public", "internal" or "" from a cell.

    Raises:
        InputError: it is neither, nor a word for not knowing.
    """
    from .product_list import EXPOSURES

    found = EXPOSURES.get(text.strip().lower())
    if found is None:
        raise InputError(
            f"exposure {one_line(text, 40)!r} is neither public nor internal",
            mend="write public, internal or unknown",
        )
    return "public" if found == "public" else "internal" if found == "internal" else ""


_YES = frozenset(("yes", "y", "true", "1", "x"))
_NO = frozenset(("no", "n", "false", "0"))


def edge_of(text: str) -> str:
    """ "yes", "no" or "" from a cell.

    Raises:
        InputError: it is neither, nor a word for not knowing.
    """
    word = text.strip().lower()
    if word in _YES:
        return "yes"
    if word in _NO:
        return "no"
    if word in ("", "unknown", "n/a", "-", "?"):
        return ""
    raise InputError(f"edge {one_line(text, 40)!r} is neither yes nor no", mend="write yes, no or unknown")


_OPEN = frozenset(
    ("open", "active", "new", "reopened", "re-opened", "resurfaced", "vulnerable", "affected", "confirmed", "unfixed",
     "existing", "persisted", "detected", "in progress", "fix deferred", "will not fix", "end of life", "to fix")
)  # fmt: skip
_FIXED = frozenset(("fixed", "remediated", "resolved", "closed", "patched", "mitigated", "done"))
_DISMISSED = frozenset(
    ("dismissed", "auto dismissed", "ignored", "suppressed", "accepted", "risk accepted", "false positive", "disabled",
     "not affected", "excepted", "wont fix", "tolerable risk")
)  # fmt: skip


def state_of(text: str) -> DetectionState:
    """What a tool's word for a state means; "" for a word that is not known, which is to be read as open."""
    word = text.strip().lower().replace("_", " ")
    if word in _OPEN:
        return "open"
    if word in _FIXED:
        return "fixed"
    return "dismissed" if word in _DISMISSED else ""


def flaw_of(own: str, others: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """(flaw, aliases) of a tool's advisory id and the ids it gives beside it: the CVE where there is exactly one."""
    every = tuple(dict.fromkeys(i for i in (own, *others) if i))
    cves = [i for i in every if i.startswith("CVE-")]
    flaw = own if own.startswith("CVE-") or len(cves) != 1 else cves[0]
    return flaw, tuple(sorted(i for i in every if i != flaw))


def distro_of(os: str) -> str:
    """ "debian-12" from what a tool writes of an operating system ("Debian GNU/Linux 12 (bookworm)"); "" for none."""
    from .distro import names_release, release_of

    text = one_line(os, 200).rpartition(" on ")[2].replace(" release ", " ")
    return release_of("", "", text).lower().replace(":", "-") if text and names_release(text) else ""


def _pick(choose: Any, a: date | None, b: date | None) -> date | None:
    found = [d for d in (a, b) if d is not None]
    return choose(found) if found else None


def _detection_order(d: Detection) -> tuple[str, ...]:
    return (d.flaw, d.plugin, d.package, d.version, d.purl, d.port, d.state)
