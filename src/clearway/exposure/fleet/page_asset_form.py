"""The forms of the pages of an asset: what may be said of it, read from a form and put back into one."""

from __future__ import annotations

from datetime import date
from typing import Any

from litestar.datastructures import UploadFile
from msgspec import Struct

from clearway.http.pages import Form
from clearway.records.errors import ClearwayError, InputError

from . import asset as assets
from .page_asked import day_in

EXPOSED = {"public": "From the internet", "internal": "From inside only", "unknown": "Nobody has said"}
ENVIRONMENTS = {
    "production": "Production",
    "development": "Development or test",
    "unknown": "Nobody has said",
}


class Edited(Struct, frozen=True):
    """The form of an asset's details."""

    version: int = 0
    name: str = ""
    owner: str = ""
    sub_organisation: str = ""
    environment: str = "unknown"
    kind: str = ""
    edge: str = ""
    end_of_support: str = ""
    eos_listed: str = ""
    identifiers: str = ""
    addresses: str = ""
    names: str = ""
    decommissioned: str = ""


class Exposing(Struct, frozen=True):
    """The form of how exposed an asset is."""

    exposure: str = ""
    since: str = ""
    said_by: str = ""


def document(data: dict[str, Any]) -> tuple[bytes, str]:
    """What was uploaded or pasted, and its name. Raises InputError for nothing."""
    file = data.get("file")
    if isinstance(file, UploadFile):
        body = file.file.read()
        if body:
            return body, (file.filename or "")[-200:]
    pasted = text(data, "text")
    if pasted.strip():
        return pasted.encode("utf-8", "replace"), "pasted.txt"
    raise InputError("choose a file, or paste a list", where="file")


def text(data: dict[str, Any], name: str) -> str:
    """A text field as it came, "" where it is none."""
    value = data.get(name, "")
    return value if isinstance(value, str) else ""


def exposed(word: str) -> assets.Exposed:
    """One of the three words. Raises InputError for any other."""
    if word not in EXPOSED:
        raise InputError("choose one", where="exposure")
    return word  # type: ignore[return-value]  # one of the three


def details(data: Edited) -> assets.Details:
    """What the form says of the asset. Raises InputError for a day that is none."""
    return assets.Details(
        owner=data.owner.strip(),
        sub_organisation=data.sub_organisation.strip(),
        environment=data.environment,  # type: ignore[arg-type]  # checked there
        kind=data.kind.strip(),
        edge=data.edge == "yes",
        end_of_support=day_in(data.end_of_support, "end_of_support"),
        eos_listed={"yes": True, "no": False}.get(data.eos_listed),
        identifiers=_lines(data.identifiers),
        addresses=_lines(data.addresses),
        names=_lines(data.names),
        decommissioned=day_in(data.decommissioned, "decommissioned"),
    )


def _lines(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def as_form(kept: assets.Asset) -> dict[str, str]:
    """The fields of `Edited` as they stand, each as text."""
    d = kept.details

    def iso(day: date | None) -> str:
        return "" if day is None else day.isoformat()

    return {
        "version": str(kept.version),
        "name": kept.name,
        "owner": d.owner,
        "sub_organisation": d.sub_organisation,
        "environment": d.environment,
        "kind": d.kind,
        "edge": "yes" if d.edge else "",
        "end_of_support": iso(d.end_of_support),
        "eos_listed": {True: "yes", False: "no"}.get(d.eos_listed, "") if d.eos_listed is not None else "",
        "identifiers": "\n".join(d.identifiers),
        "addresses": "\n".join(d.addresses),
        "names": "\n".join(d.names),
        "decommissioned": iso(d.decommissioned),
    }


def wrong(values: dict[str, str], error: ClearwayError) -> Form:
    """What was typed, and what is wrong: beside the field where it is one of them."""
    told = f"{error.what}: {error.mend}" if error.mend else error.what
    field = error.where.removeprefix("query.")
    return Form(values, {field if field in values or field == "file" else "": told})
