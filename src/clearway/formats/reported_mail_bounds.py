"""What a mail may cost to read. The standard library's parser is asked for nothing that these bounds have not passed.

That parser has places where its time grows with the square of what a stranger sends: the parameters of a `Content-Type`
(for each `;` it counts the quotes before it), the lines below parts within parts (each is held against the boundary of
every part around it), and the headers of a part, which are walked anew for each of its inner parts. So each of these is
counted while it is parsed, where the parser hands it over for the first time, and the mail is refused beyond.
"""

from __future__ import annotations

import email
import email.errors
import email.message
from email._policybase import Compat32
from typing import TYPE_CHECKING, Any

from clearway.records.errors import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LINES = 600_000  # 32 MiB in base64 have 440,000
MAX_BOUNDARIES = 2_000  # lines that may begin a part
MAX_PARTS = 2_000
MAX_HEADERS = 20_000  # of all parts together
MAX_HEADERS_OF_PART = 1_000
MAX_HEADER = 64 << 10  # characters of one, folded lines included
MAX_STRUCTURED = 4_000  # of one that says what a part is: Content-Type, Content-Disposition
MAX_PARAMETERS = 64  # of such a one; a long name comes in pieces (RFC 2231 section 3)
MAX_LINE_CHECKS = 5_000_000  # lines times parts within parts
# Characters times parameters, of all such headers: what asking for their parameters costs, in characters looked at.
MAX_WORK = 4_000_000
_MEND = "send large files in base64, or JSON"


class _Meter:
    """Counts what one mail holds."""

    def __init__(self, data: bytes, place: str) -> None:
        self._place = place
        lines = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n") + 1
        self._below(lines, MAX_LINES, "lines")
        self._below(data.count(b"\n--") + data.count(b"\r--"), MAX_BOUNDARIES, "parts")
        self._composites = min(100, max(8, MAX_LINE_CHECKS // lines))
        self._parts = self._headers = self._of_part = self._composite = self._work = 0

    def part(self) -> None:
        """One part more begins."""
        self._parts += 1
        self._of_part = 0
        self._below(self._parts, MAX_PARTS, "parts")

    def header(self, lines: Sequence[str]) -> None:
        """One header more, as its lines stand in the mail."""
        self._headers += 1
        self._of_part += 1
        self._below(self._headers, MAX_HEADERS, "headers")
        self._below(self._of_part, MAX_HEADERS_OF_PART, "headers in one part")
        size = sum(map(len, lines))
        self._below(size, MAX_HEADER, "characters in one header")
        name = lines[0].partition(":")[0].lower()
        if not name.startswith("content-"):
            return
        parameters = sum(line.count(";") for line in lines)
        self._below(size, MAX_STRUCTURED, "characters in a header that says what a part is")
        self._below(parameters, MAX_PARAMETERS, "parameters in one header")
        self._work += size * (parameters + 1)
        self._below(self._work, MAX_WORK, "characters in the headers that say what parts are")
        value = "".join(lines).lower()
        if name == "content-type" and ("multipart/" in value or "message/" in value):
            self._composite += 1
            self._below(self._composite, self._composites, "parts that hold parts, for so many lines")

    def _below(self, count: int, bound: int, what: str) -> None:
        if count > bound:
            raise TooLargeError(f"more than {bound:,} {what}", where=self._place or "mail", mend=_MEND)


class _Metered(Compat32):
    """The parser's policy that reads headers as they stand, and shows each to the meter first."""

    meter: Any = None

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        self.meter.header(sourcelines)
        return super().header_source_parse(sourcelines)

    def register_defect(self, obj: Any, defect: Any) -> None:
        """Nobody asks for them, and a mail may have one a line."""


def parsed(data: bytes, place: str = "") -> email.message.Message:
    """The mail in `data`.

    Raises:
        TooLargeError: it has more parts, headers, parameters or lines than any mail has.
        RecursionError, and what else the standard library's parser raises on broken mails.
    """
    meter = _Meter(data, place)

    def part(policy: Any) -> email.message.Message:
        meter.part()
        return email.message.Message(policy=policy)

    # A factory of messages is called with its policy; the type stubs know of none.
    return email.message_from_bytes(data, part, policy=_Metered(meter=meter))  # type: ignore[arg-type,call-arg]
