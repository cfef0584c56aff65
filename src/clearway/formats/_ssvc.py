"""CISA's SSVC decision points, in every spelling that its publishers use."""

from __future__ import annotations

from typing import Any

from clearway.records.advisory import Ssvc

_VALUES = {
    "exploitation": {
        "none": "none", "n": "none", "poc": "poc", "public poc": "poc", "public_poc": "poc", "p": "poc",
        "active": "active", "a": "active",
    },
    "automatable": {"no": "no", "n": "no", "false": "no", "yes": "yes", "y": "yes", "true": "yes"},
    "technicalimpact": {"partial": "partial", "p": "partial", "total": "total", "t": "total"},
}  # fmt: skip
_NAMES = {
    "e": "exploitation",
    "a": "automatable",
    "ti": "technicalimpact",
    "exploitationstatus": "exploitation",
}


def read_ssvc(cve: str, content: Any, source: str) -> Ssvc | None:
    """The decision in `content`; None when it holds none of the three points.

    Read alike: a list of one-key objects ("Technical Impact", "technicalImpact"; "None", "none"), the same as
    one object (NVD `ssvcData`), and SSVC 2.0 `selections` with keys and values by letter.
    """
    if not isinstance(content, dict):
        return None
    inner = content.get("ssvcData")
    if isinstance(inner, dict):
        content = inner
    found: dict[str, str] = {}
    for name, value in _pairs(content):
        point = "".join(c for c in name.lower() if c.isalnum())
        point = _NAMES.get(point, point)
        known = _VALUES.get(point)
        if known is not None and isinstance(value, str | bool):
            found.setdefault(point, known.get(str(value).strip().lower(), ""))
    if not any(found.values()):
        return None
    return Ssvc(
        cve=cve,
        exploitation=found.get("exploitation", ""),
        automatable=found.get("automatable", ""),
        technical_impact=found.get("technicalimpact", ""),
        dated=_text(content.get("timestamp")),
        source=source,
        role=_text(content.get("role")),
        version=_text(content.get("version")) or _text(content.get("schemaVersion")),
    )


def _pairs(content: dict[str, Any]) -> list[tuple[str, Any]]:
    options = content.get("options", content.get("selections"))
    if isinstance(options, dict):
        return list(options.items())
    if not isinstance(options, list):
        return list(content.items())
    pairs: list[tuple[str, Any]] = []
    for option in options:
        if not isinstance(option, dict):
            continue
        values = option.get("values")
        if (
            isinstance(values, list) and values
        ):  # {"name": "Exploitation", "key": "E", "values": [{"key": "A"}]}
            first = values[0]
            value = (first.get("name") or first.get("key")) if isinstance(first, dict) else first
            pairs.append((_text(option.get("name")) or _text(option.get("key")), value))
        else:
            pairs.extend(option.items())
    return pairs


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
