"""FIRST's EPSS scores, CSV (https://www.first.org/epss/data_stats), line by line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from clearway.records.advisory import Epss
from clearway.records.errors import InputError

from ._fields import a_date, one_line

_CVE = re.compile(rb"CVE-\d{4}-\d{4,19}")
_DATE_IN_NAME = re.compile(r"(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)(?!\d)", re.ASCII)


class Row(Struct, frozen=True):
    """One line: its number, its exact bytes without the line end, and its score or what is wrong with it."""

    line: int
    raw: bytes
    epss: Epss | None
    problem: str = ""


def read_csv(data: bytes, name: str = "") -> tuple[str, Iterator[Row]]:
    """(score date, rows). The date is the header comment's `score_date`, else the one in the file's name, else "".

    Raises:
        InputError: its header lacks `cve` or `epss`, or states a date that is none.
    """
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    at, model, dated = 0, "", ""
    if lines[0].startswith(b"#"):
        stated = dict(
            part.partition(":")[::2]
            for part in lines[0][1:]
            .decode("ascii", "replace")
            .strip()
            .split(",")  # "#model_version:…,score_date:…"
        )
        model, dated = one_line(stated.get("model_version", ""), 40), stated.get("score_date", "")
        dated = a_date(dated, "score_date").isoformat() if dated else ""
        at = 1
    header = lines[at].strip().split(b",") if at < len(lines) else []
    if b"cve" not in header or b"epss" not in header:
        raise InputError("the header lacks cve or epss", mend="fetch the scores again")
    found = _DATE_IN_NAME.findall(name)
    if not dated and found:
        dated = "-".join(found[-1])
    columns = (header.index(b"cve"), header.index(b"epss"))
    percentile = header.index(b"percentile") if b"percentile" in header else -1
    return dated, _rows(lines, at + 1, len(header), columns, percentile, dated, model)


def _rows(
    lines: list[bytes],
    first: int,
    width: int,
    columns: tuple[int, int],
    percentile: int,
    dated: str,
    model: str,
) -> Iterator[Row]:
    of_cve, of_score = columns
    for at in range(first, len(lines)):
        raw = lines[at].removesuffix(b"\r")
        if not raw:
            continue
        cells = raw.split(b",")
        if len(cells) != width:
            yield Row(at + 1, raw, None, f"{len(cells)} cells, the header has {width}")
            continue
        cve = cells[of_cve]
        if not _CVE.fullmatch(cve):
            yield Row(at + 1, raw, None, f"no CVE id: {one_line(cve.decode('utf-8', 'replace'), 40)}")
            continue
        try:
            score = float(cells[of_score])
            rank = float(cells[percentile]) if percentile >= 0 else None
        except ValueError:
            yield Row(at + 1, raw, None, "a score is no number")
            continue
        if not (0.0 <= score <= 1.0 and (rank is None or 0.0 <= rank <= 1.0)):
            yield Row(at + 1, raw, None, "a score is not between 0 and 1")
            continue
        yield Row(
            at + 1, raw, Epss(cve=cve.decode(), probability=score, percentile=rank, dated=dated, model=model)
        )
