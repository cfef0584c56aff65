"""Reports in the shape of CERT/CC's form, as VINCE exports and takes them: one flat object of the form's fields.

Attachments stand under `attachments`, each with `filename` and `content` in base64; VINCE itself keeps them apart.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ._fields import objects, one_line
from .reported_own import OwnFile, convert, files_of
from .reported_parts import MAX_FILES, MAX_LINES, Place, Reported, Reproduction, cwe_in, identified, prose

FORMAT = "vince"
_TELLING = ("vul_description", "vul_exploit", "vrf_id")
# What goes on to others as it was said: who reports, who was told, what is planned, what others call it.
_PROVENANCE = (
    "vrf_id", "contact_name", "contact_org", "contact_email", "share_release", "credit_release", "coord_status",
    "vendor_name", "multiplevendors", "other_vendors", "comm_attempt", "first_contact", "vendor_communication",
    "vul_public", "public_references", "vul_exploited", "exploit_references", "vul_disclose", "disclosure_plans",
    "tracking", "date_submitted", "vul_discovery",
)  # fmt: skip


def is_vince(value: Any) -> bool:
    """Whether a document has the form's fields."""
    return isinstance(value, dict) and "product_name" in value and any(name in value for name in _TELLING)


def read(data: bytes, value: dict[str, Any], place: str = "") -> Reported:
    """The report. Fields of another type than text read as they would be printed.

    Raises:
        InputError: the attachments are no list of files.
    """
    product, version = _said(value, "product_name", 300), _said(value, "product_version", 200)
    purl = _said(value, "purl", 2_000)
    description = prose(
        "\n\n".join(filter(None, (_text(value, "vul_description"), _text(value, "vul_impact"))))
    )
    told = {name: value[name] for name in _PROVENANCE if value.get(name) not in (None, "", [], {})}
    return Reported(
        format=FORMAT,
        raw=data,
        place=place,
        title=_said(value, "title", 300) or one_line(f"{product or 'Unnamed product'}: {description}", 160),
        description=description,
        **identified(purl, _said(value, "ecosystem", 100), product, version),
        at=Place(file=_said(value, "vul_location", 300)),
        cwe=cwe_in(_text(value, "cwe") or _text(value, "vul_description")),
        reproduction=Reproduction(
            release=version,
            steps=prose(_text(value, "vul_exploit")),
            observed=prose(_text(value, "vul_impact")),
        ),
        ids=tuple(filter(None, (one_line(i, 100) for i in _text(value, "tracking").split(",")[:MAX_LINES]))),
        references=tuple(
            one_line(r, 2_000)
            for name in ("public_references", "exploit_references")
            for r in _text(value, name).split()[:MAX_LINES]
        ),
        provenance=msgspec.json.encode(told),
        files=_files(value, place),
    )


def _files(value: dict[str, Any], place: str) -> Any:
    given = objects(value, "attachments")[: MAX_FILES + 1]
    made = [{"name": f.get("filename", "attachment"), "data": f.get("content", "")} for f in given]
    return files_of(tuple(convert(f, OwnFile, f"{place}attachments[{n}]") for n, f in enumerate(made)), place)


def _text(value: dict[str, Any], name: str) -> str:
    found = value.get(name)
    if isinstance(found, str):
        return found
    if isinstance(found, list):
        return ", ".join(item for item in found if isinstance(item, str))
    return "" if found is None or isinstance(found, dict) else str(found)


def _said(value: dict[str, Any], name: str, limit: int) -> str:
    return one_line(_text(value, name), limit)
