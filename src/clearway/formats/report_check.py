"""What is published is first read back: the tests that CSAF demands, and our own intake. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from clearway.records.advisory import Advisory
from clearway.records.errors import InputError

from . import intake
from .report_csaf_tests import failures

if TYPE_CHECKING:
    from collections.abc import Mapping


def check(documents: Mapping[str, bytes]) -> None:
    """Reads the documents of one advisory as intake would, and tests the CSAF one; None when nothing is wrong.

    `documents` are by kind: "csaf", "osv", "cve". What passes here can be taken in and matched, but for what the
    database alone can refuse.

    Raises:
        InputError: a mandatory test of CSAF 2.1 §6.1 fails, or a document can't be read back; the place is named.
    """
    if "csaf" in documents and (wrong := failures(json.loads(documents["csaf"]))):
        raise InputError(
            f"the CSAF document breaks mandatory test {wrong[0]}",
            where="csaf",
            mend="change what it says there",
        )
    for kind, body in documents.items():
        for read in intake.decode(kind, body, kind):
            if isinstance(read, intake.Rejected):
                raise InputError(read.reason, where=read.place)
            for item in read.items:
                unread = [a.unread for a in item.affected if a.unread] if isinstance(item, Advisory) else []
                if unread and kind == "osv":
                    raise InputError(f"a range can't be read back: {unread[0]}", where=kind)
