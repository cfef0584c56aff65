"""Whether what somebody calls a public flaw has the form of an id of one. Pure."""

from __future__ import annotations

import re

from clearway.records.errors import InputError

_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
_GHSA = re.compile(r"GHSA(-[23456789cfghjmpqrvwx]{4}){3}", re.ASCII)
# As the OSV schema has them: the database's prefix, and its own name for the record.
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9_]{1,39}-(?=.*[0-9])[A-Za-z0-9_.:+-]{2,150}", re.ASCII)
# A case published without another id is its flaw's: its handling id may have no digit.
_CASE = re.compile(r"(?:x_)?CWC(-[0-9A-Z]{4}){2}", re.ASCII)


def read(text: str) -> str:
    """The id as databases write it: "CVE-2024-12345", "GHSA-jm77-qphf-c4w8", or another database's.

    Raises:
        InputError: it has not the form of an id.
    """
    said = text.strip()
    upper = said.upper()
    if upper.startswith("CVE-"):
        found, form = (upper, _CVE)
    elif upper.startswith("GHSA-"):
        found, form = ("GHSA" + said[4:].lower(), _GHSA)
    else:
        found, form = (said, _OTHER)
    if not form.fullmatch(found) and not _CASE.fullmatch(found):
        raise InputError(
            "this is no id of a public flaw", where="flaw",
            mend="such as CVE-2024-12345, GHSA-jm77-qphf-c4w8 or PYSEC-2024-60",
        )  # fmt: skip
    return found
