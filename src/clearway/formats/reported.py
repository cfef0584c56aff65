"""A report of a flaw in whatever form it comes: told by its content, never by its name.

    {"schema": "urn:clearway:schema:finding:1", …}   our own; a list of them, or one a line, are several
    {"version": "2.1.0", "runs": […]}                 SARIF
    {"document": {"category": "csaf_vulnerability_report", …}, …}   CSAF's report profile
    {"product_name": …, "vul_description": …}         CERT/CC's form, as in VINCE
    Subject: …                                        a mail, with its attachments

One document is bounded before it is read. A report that can't be read is set aside with its place and reason; the
others stand. What a report says is quoted in no error.
"""

from __future__ import annotations

from typing import Any

import msgspec

from clearway.records.errors import ClearwayError, InputError, TooLargeError
from clearway.records.fleet_input import SetAside

from . import reported_csaf, reported_mail, reported_own, reported_sarif, reported_vince
from .reported_parts import (
    MAX_BYTES,
    MAX_REPORTS,
    WHITE,
    ReportDocument,
    Reported,
    as_json,
    identified,
    quiet,
)

FORMATS = (
    reported_own.FORMAT,
    reported_sarif.FORMAT,
    reported_csaf.FORMAT,
    reported_vince.FORMAT,
    reported_mail.FORMAT,
)


def read_reports(data: bytes, *, purl: str = "", place: str = "") -> ReportDocument:
    """What the document `data` reports. `purl` is the product where the document does not say which.

    Raises:
        InputError: it is of no known form, or broken as a whole.
        TooLargeError: over `MAX_BYTES`, or more than `MAX_REPORTS` reports.
    """
    if len(data) > MAX_BYTES:
        raise TooLargeError(f"more than {MAX_BYTES >> 20} MiB", where=place, mend="send it in several parts")
    if not data.strip(WHITE):
        raise InputError("the report is empty", where=place, mend="send the report itself")
    try:
        found = _read(data, purl, place)
    except ClearwayError as error:
        raise quiet(error, error.where or place) from None
    if purl:
        found = msgspec.structs.replace(found, reports=tuple(_of_product(r, purl) for r in found.reports))
    return found


def _read(data: bytes, purl: str, place: str) -> ReportDocument:
    first = data.lstrip(WHITE)[:1]
    if first == b"[":
        return _several(elements_of(data, place), place)
    if first == b"{":
        lines = lines_of(data)
        if lines:
            return _several(lines, place)
        return _of_value(data, as_json(data, place), purl, place)
    if reported_mail.is_mail(data):
        return ReportDocument(format=reported_mail.FORMAT, reports=(reported_mail.read(data, place),))
    raise InputError(
        "this is no report in a known form",
        where=place,
        mend=f"one of {', '.join(FORMATS)}: docs/howto/report-a-finding.md",
    )


def _of_value(data: bytes, value: Any, purl: str, place: str) -> ReportDocument:
    if reported_own.is_own(value):
        return ReportDocument(format=reported_own.FORMAT, reports=(reported_own.read(data, value, place),))
    if reported_sarif.is_sarif(value):
        return reported_sarif.read(data, value, purl, place)
    if reported_csaf.is_csaf(value):
        return reported_csaf.read(data, value, place)
    if reported_vince.is_vince(value):
        return ReportDocument(
            format=reported_vince.FORMAT, reports=(reported_vince.read(data, value, place),)
        )
    raise InputError(
        "this JSON is no report in a known form",
        where=place,
        mend=f'write "schema": "{reported_own.SCHEMA}", SARIF 2.1.0 or a CSAF vulnerability report',
    )


def elements_of(data: bytes, place: str) -> list[bytes]:
    """The exact bytes of each element of a JSON list."""
    as_json(data, place)  # whole and unambiguous, before it is cut
    try:
        found = [bytes(raw) for raw in msgspec.json.decode(data.lstrip(WHITE), type=list[msgspec.Raw])]
    except (msgspec.MsgspecError, RecursionError):
        raise InputError("the list can't be read", where=place) from None
    return found


def lines_of(data: bytes) -> list[bytes]:
    """The lines of JSON lines; nothing when the text is one value over several lines, or a single line."""
    lines = [line for line in data.split(b"\n", MAX_REPORTS + 1) if line.strip(WHITE)]
    if len(lines) < 2 or not all(
        line.lstrip(WHITE)[:1] == b"{" and line.rstrip()[-1:] == b"}" for line in lines[:2]
    ):
        return []
    return lines


def _several(parts: list[bytes], place: str) -> ReportDocument:
    if len(parts) > MAX_REPORTS:
        raise TooLargeError(
            f"more than {MAX_REPORTS:,} reports",
            where=place,
            mend=f"send them in calls of {MAX_REPORTS:,}; `clearway finding submit` does so by itself",
        )
    found: list[Reported] = []
    aside: list[SetAside] = []
    for n, part in enumerate(parts):
        at = f"{place}reports[{n}]"
        try:
            value = as_json(part, at)
            if not reported_own.is_own(value):
                raise InputError("no report of ours", mend="lists and lines hold reports in our own form")
            found.append(reported_own.read(part, value, at))
        except ClearwayError as error:
            told = quiet(error, error.where or at)
            aside.append(SetAside(told.where, f"{told.what} ({told.mend})" if told.mend else told.what))
    return ReportDocument(format=reported_own.FORMAT, reports=tuple(found), set_aside=tuple(aside))


def _of_product(report: Reported, purl: str) -> Reported:
    """The report with the product of `purl`, where it names none itself."""
    if report.purl or report.package:
        return report
    return msgspec.structs.replace(report, **identified(purl, "", "", report.release))
