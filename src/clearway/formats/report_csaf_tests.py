"""Mandatory tests of CSAF 2.1 (§6.1) that a security advisory of ours could break, each a function of a document.

What each finds are the places that break it, empty when it holds. They run on every document before it is kept as a
draft's or released; that these agree with OASIS's own examples is tested.
https://docs.oasis-open.org/csaf/csaf/v2.1/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

# What a single version does not hold (6.1.31).
RANGE_WORDS = re.compile(r"(^|\s)(after|all|before|earlier|later|prior|versions)(\s|$)|[<>]", re.I)
_STATUS = {
    "affected": ("first_affected", "known_affected", "last_affected"),
    "not affected": ("known_not_affected",),
    "fixed": ("first_fixed", "fixed"),
    "under investigation": ("under_investigation",),
    "unknown": ("unknown",),
}


def _branches(holder: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for branch in holder.get("branches", ()):
        yield branch
        yield from _branches(branch)


def _defined(document: dict[str, Any]) -> list[str]:
    tree = document.get("product_tree", {})
    found = [b["product"]["product_id"] for b in _branches(tree) if "product" in b]
    found += [p["product_id"] for p in tree.get("full_product_names", ())]
    found += [p["full_product_name"]["product_id"] for p in tree.get("product_paths", ())]
    return found


def _named(document: dict[str, Any]) -> Iterator[str]:
    tree = document.get("product_tree", {})
    for group in tree.get("product_groups", ()):
        yield from group["product_ids"]
    for path in tree.get("product_paths", ()):
        yield path["beginning_product_reference"]
        yield from (s["next_product_reference"] for s in path["subpaths"])
    for note in document["document"].get("notes", ()):
        yield from note.get("product_ids", ())
    for v in document.get("vulnerabilities", ()):
        for ids in v.get("product_status", {}).values():
            yield from ids
        for metric in v.get("metrics", ()):
            yield from metric["products"]
        for name in (
            "remediations",
            "flags",
            "threats",
            "notes",
            "involvements",
            "ids",
            "first_known_exploitation_dates",
        ):
            for item in v.get(name, ()):
                yield from item.get("product_ids", ())


def missing_definition(document: dict[str, Any]) -> list[str]:
    """Product ids that are named and not defined (6.1.1)."""
    return sorted(set(_named(document)) - set(_defined(document)))


def defined_twice(document: dict[str, Any]) -> list[str]:
    """Product ids that are defined more than once (6.1.2)."""
    return [name for name, n in Counter(_defined(document)).items() if n > 1]


def contradicting_status(document: dict[str, Any]) -> list[str]:
    """Products that are in two groups of status (6.1.6)."""
    found = []
    for v in document.get("vulnerabilities", ()):
        status = v.get("product_status", {})
        seen: dict[str, str] = {}
        for kind, names in _STATUS.items():
            for product in {p for name in names for p in status.get(name, ())}:
                if product in seen:
                    found.append(f"{product}: {seen[product]} and {kind}")
                seen[product] = kind
    return found


def _date(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _key(number: str) -> tuple[int, ...]:
    return tuple(int(n) for n in re.split(r"[-+]", number)[0].split("."))


def history_unsorted(document: dict[str, Any]) -> list[str]:
    """Dates that go back while the revisions go up (6.1.14)."""
    history = document["document"]["tracking"]["revision_history"]
    ordered = sorted(history, key=lambda r: _key(r["number"]))
    dates = [_date(r["date"]) for r in ordered]
    return [str(d) for a, d in pairwise(dates) if d < a]


def version_is_not_latest(document: dict[str, Any]) -> list[str]:
    """The document's version where it is not the newest revision's (6.1.16)."""
    tracking = document["document"]["tracking"]
    ordered = sorted(tracking["revision_history"], key=lambda r: (_date(r["date"]), _key(r["number"])))
    latest = ordered[-1]["number"]
    version = tracking["version"]
    if tracking["status"] == "draft":
        latest, version = latest.partition("-")[0], version.partition("-")[0]
    return [] if version.partition("+")[0] == latest.partition("+")[0] else [version]


def revision_zero(document: dict[str, Any]) -> list[str]:
    """Revisions before 1 of a document that is released (6.1.18)."""
    tracking = document["document"]["tracking"]
    if tracking["status"] not in ("final", "interim"):
        return []
    return [r["number"] for r in tracking["revision_history"] if r["number"].startswith("0")]


def draft_version(document: dict[str, Any]) -> list[str]:
    """A version of a draft in a document that is none (6.1.17)."""
    tracking = document["document"]["tracking"]
    version = tracking["version"]
    draft = version == "0" or version.startswith("0.") or "-" in version.partition("+")[0]
    return [version] if draft and tracking["status"] != "draft" else []


def missing_in_history(document: dict[str, Any]) -> list[str]:
    """The major revisions where one is left out (6.1.21)."""
    history = document["document"]["tracking"]["revision_history"]
    first = _key(min(history, key=lambda r: (_date(r["date"]), _key(r["number"])))["number"])[0]
    majors = sorted({_key(r["number"])[0] for r in history})
    return [] if first in (0, 1) and majors == list(range(first, majors[-1] + 1)) else [str(majors)]


def revision_twice(document: dict[str, Any]) -> list[str]:
    """Revisions that are listed more than once (6.1.22)."""
    counted = Counter(r["number"] for r in document["document"]["tracking"]["revision_history"])
    return [number for number, n in counted.items() if n > 1]


def cve_twice(document: dict[str, Any]) -> list[str]:
    """CVE ids of more than one vulnerability (6.1.23)."""
    counted = Counter(v["cve"] for v in document.get("vulnerabilities", ()) if "cve" in v)
    return [cve for cve, n in counted.items() if n > 1]


def involvement_twice(document: dict[str, Any]) -> list[str]:
    """A party and date that are named more than once (6.1.24)."""
    found = []
    for v in document.get("vulnerabilities", ()):
        counted = Counter(
            (i["party"], i["date"]) for i in v.get("involvements", ())
            if "date" in i and not i.get("product_ids") and not i.get("group_ids")
        )  # fmt: skip
        found += [str(key) for key, n in counted.items() if n > 1]
    return found


def mixed_versioning(document: dict[str, Any]) -> list[str]:
    """The versions where whole numbers and semantic ones are mixed (6.1.30)."""
    tracking = document["document"]["tracking"]
    texts = [tracking["version"], *(r["number"] for r in tracking["revision_history"])]
    return texts if len({t.isdigit() for t in texts}) > 1 else []


def range_as_version(document: dict[str, Any]) -> list[str]:
    """A range is written as a range (6.1.31): a `product_version` holds no words or signs of one."""
    return [
        b["name"] for b in _branches(document.get("product_tree", {}))
        if b["category"] == "product_version" and RANGE_WORDS.search(b["name"])
    ]  # fmt: skip


def too_deep(document: dict[str, Any]) -> list[str]:
    """The depth of branches over 30 (6.1.34)."""

    def depth(holder: dict[str, Any]) -> int:
        return max((1 + depth(b) for b in holder.get("branches", ())), default=0)

    found = depth(document.get("product_tree", {}))
    return [str(found)] if found > 30 else []


def contradicting_remedies(document: dict[str, Any]) -> list[str]:
    """No fix and a fix for one product (6.1.35)."""
    groups = {
        g["group_id"]: g["product_ids"] for g in document.get("product_tree", {}).get("product_groups", ())
    }
    against = {
        "none_available": {"vendor_fix", "mitigation", "workaround", "optional_patch", "fix_planned", "no_fix_planned"},
        "no_fix_planned": {"vendor_fix", "fix_planned", "none_available", "optional_patch"},
        "fix_planned": {"vendor_fix", "no_fix_planned", "none_available", "optional_patch"},
        "vendor_fix": {"no_fix_planned", "fix_planned", "none_available", "optional_patch"},
        "optional_patch": {"no_fix_planned", "fix_planned", "none_available", "vendor_fix"},
    }  # fmt: skip
    found = []
    for v in document.get("vulnerabilities", ()):
        by: dict[str, set[str]] = {}
        for r in v.get("remediations", ()):
            ids = [*r.get("product_ids", ()), *(p for g in r.get("group_ids", ()) for p in groups.get(g, ()))]
            for product in ids:
                by.setdefault(product, set()).add(r["category"])
        found += [p for p, kinds in by.items() if any(kinds & against.get(k, set()) for k in kinds)]
    return found


MANDATORY: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "6.1.1": missing_definition,
    "6.1.2": defined_twice,
    "6.1.6": contradicting_status,
    "6.1.14": history_unsorted,
    "6.1.16": version_is_not_latest,
    "6.1.17": draft_version,
    "6.1.18": revision_zero,
    "6.1.21": missing_in_history,
    "6.1.22": revision_twice,
    "6.1.23": cve_twice,
    "6.1.24": involvement_twice,
    "6.1.30": mixed_versioning,
    "6.1.31": range_as_version,
    "6.1.34": too_deep,
    "6.1.35": contradicting_remedies,
}


def failures(document: dict[str, Any]) -> list[str]:
    """Which of these the document breaks, and where."""
    return [f"{name}: {place}" for name, test in MANDATORY.items() for place in test(document)]
