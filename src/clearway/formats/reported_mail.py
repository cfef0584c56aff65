"""A report as a mail, or as text with a few headers: the subject is its title, attachments are its files.

Lines such as `Product: …`, `Version: …`, `File: …`, `CWE: …` are read as fields, and sections such as `Steps to
reproduce:` as what they say; whatever else is written is the description. A JSON report of ours among the attachments
is the report, and the mail's other attachments are its files.

A mail is the most hostile of formats: it is bounded before it is parsed (`reported_mail_bounds`), and whatever the
parser raises is an error that says so and quotes nothing.
"""

from __future__ import annotations

import codecs
import email.errors
import email.header
import re
from email.message import Message
from typing import Any

import msgspec

from clearway.records.errors import ClearwayError, InputError, TooLargeError

from . import reported_mail_bounds as bounds
from ._fields import one_line
from .reported_own import is_own
from .reported_own import read as read_own
from .reported_parts import (
    MAX_FILES,
    MAX_TEXT,
    FileKind,
    Place,
    Reported,
    ReportedFile,
    Reproduction,
    as_json,
    cwe_in,
    identified,
    prose,
    severity_in,
)

FORMAT = "mail"
MAX_HEADER = 4_000  # characters of one that is decoded
MAX_NAME = 1_000  # characters of a file's name that are decoded
MAX_WORDS = 60  # encoded words in what is decoded: 75 characters each at most (RFC 2047 section 2)
MAX_RECEIVED = 30
MAX_DEPTH = 20
# The charsets that mails come in, by Python's names. Its other codecs are none of a mail's: reading one of them costs
# the square of the text (punycode), or makes it another (unicode_escape).
_CHARSETS = re.compile(
    r"(utf-(7|8|16|32)(-[bl]e)?|ascii|iso8859-\d{1,2}|cp\d{3,5}|koi8-[rtu]|gb(2312|k|18030)|big5(hkscs)?|tis-620|"
    r"euc_(jp|kr|jis_2004|jisx0213)|iso2022_(jp|kr)(_\w{1,4})?|shift_jis(_2004|x0213)?|mac-\w{1,12}|hz|johab|ptcp154|kz1048)"
)
# What the standard library's parser is known to raise on broken mails.
_RAISED = (
    LookupError, ValueError, TypeError, AttributeError, AssertionError, ArithmeticError, RuntimeError,
    NotImplementedError, email.errors.MessageError,
)  # fmt: skip
_HEAD = re.compile(rb"\A(?:From |[!-9;-~]{1,76}:)[^\n]{0,998}\n")
_FIELD = re.compile(r"^[ \t>*-]{0,8}([A-Za-z][A-Za-z /()]{1,60}?)[ \t]{0,4}:[ \t]{0,20}(\S.*)?$")
_TAG = re.compile(r"<[^<>]{0,2000}>")
_NAMES = {
    "product": "package", "package": "package", "software": "package", "component": "package", "name": "package",
    "version": "release", "release": "release", "affected version": "release", "tested version": "release",
    "ecosystem": "ecosystem", "purl": "purl", "package url": "purl",
    "file": "file", "location": "file", "place": "file", "function": "function",
    "class": "cwe", "cwe": "cwe", "weakness": "cwe", "vulnerability type": "cwe",
    "severity": "severity", "title": "title", "summary": "title",
    "cve": "ids", "id": "ids", "references": "references", "reference": "references",
}  # fmt: skip
_SECTIONS = {
    "steps": "steps", "steps to reproduce": "steps", "reproduction": "steps", "reproducer": "steps",
    "proof of concept": "steps", "poc": "steps", "how to reproduce": "steps",
    "expected": "expected", "expected behaviour": "expected", "expected behavior": "expected",
    "observed": "observed", "actual": "observed", "actual behaviour": "observed", "actual behavior": "observed",
    "impact": "observed", "description": "description", "details": "description",
    "vulnerability description": "description",
}  # fmt: skip


def is_mail(data: bytes) -> bool:
    """Whether `data` begins like a mail: a header, and text."""
    head = data[:4_096].replace(b"\r\n", b"\n")
    return bool(_HEAD.match(head)) and re.search(rb"(?im)^(subject|from|title):", head) is not None


def read(data: bytes, place: str = "") -> Reported:
    """The report of a mail.

    Raises:
        InputError: it can't be read, or has no words.
        TooLargeError: more parts, headers or attachments than any mail has.
    """
    try:
        mail = bounds.parsed(data, place)
        body, files = _parts(mail, place)
        subject = _header(mail, "Subject")
        told = _provenance(mail)
    except ClearwayError:
        raise
    except RecursionError:
        raise TooLargeError("parts within parts without end", where=place or "mail") from None
    except _RAISED:
        raise InputError(
            "the mail can't be read", where=place or "mail", mend="send the report as JSON"
        ) from None
    inner = _own_report(files, place)
    if inner is not None:
        report, rest = inner
        return msgspec.structs.replace(
            report, raw=data, place=place, provenance=report.provenance or told, files=(*report.files, *rest)
        )
    return _report(data, body, subject, files, told, place)


def _parts(mail: Message, place: str) -> tuple[str, list[ReportedFile]]:
    """The text, and what is attached."""
    texts: list[str] = []
    pages: list[str] = []
    files: list[ReportedFile] = []
    todo: list[tuple[Message, int]] = [(mail, 0)]
    while todo:
        part, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise TooLargeError(f"parts deeper than {MAX_DEPTH} levels", where=place or "mail")
        if (
            part.is_multipart()
        ):  # asked first: the payload of any other would be decoded, by whatever it says it is
            inner: Any = part.get_payload()
            todo += [(one, depth + 1) for one in reversed(inner) if isinstance(one, Message)]
            continue
        name = _name(part)
        kind = part.get_content_type()
        if (
            not name
            and kind in ("text/plain", "text/html")
            and part.get_content_disposition() != "attachment"
        ):
            (texts if kind == "text/plain" else pages).append(_text(part))
            continue
        if len(files) >= MAX_FILES:
            raise TooLargeError(f"more than {MAX_FILES} attachments", where=place or "mail")
        body = part.get_payload(decode=True)
        if isinstance(body, bytes) and body:
            files.append(ReportedFile(kind=_kind(name), name=name, data=body, media=one_line(kind, 200)))
    return "\n\n".join(texts) or _TAG.sub(" ", "\n".join(pages)[: 4 * MAX_TEXT]), files


def _text(part: Message) -> str:
    body = part.get_payload(decode=True)
    if not isinstance(body, bytes):
        return ""
    # No more bytes than can become what is read of a body.
    charset = part.get_content_charset() or "utf-8"
    return body[: 16 * MAX_TEXT].decode(charset if _known(charset) else "utf-8", "replace")


def _known(charset: str) -> bool:
    """Whether mails are written in a charset of that name."""
    try:
        name = codecs.lookup(charset).name if charset.isascii() and len(charset) <= 40 else ""
    except (LookupError, ValueError):
        return False
    return _CHARSETS.fullmatch(name) is not None


def _name(part: Message) -> str:
    """The file's name without folders: it is a label, and never where something is written."""
    found = part.get_filename() or ""
    return one_line(_decoded(str(found)[:MAX_NAME]).replace("\\", "/").rpartition("/")[2])


def _kind(name: str) -> FileKind:
    low = name.lower()
    if low.endswith((".patch", ".diff")):
        return "patch"
    stem = low.rpartition(".")[0] or low
    if stem.startswith(("poc", "proof", "crash", "repro", "testcase", "input")):
        return "input"
    return "harness" if stem.startswith(("harness", "fuzz")) else "attachment"


def _header(mail: Message, name: str) -> str:
    found = mail.get(name)
    return "" if found is None else one_line(_decoded(str(found)[:MAX_HEADER]), 300)


def _decoded(text: str) -> str:
    """`text` with its encoded words read; as it stands where they can't be, or are more than any header has."""
    if text.count("=?") > MAX_WORDS:
        return text
    try:
        words = email.header.decode_header(text)
        if not all(_known(charset) for _, charset in words if charset):
            return text
        return str(email.header.make_header(words))
    except (LookupError, ValueError, email.errors.HeaderParseError):
        return text


def _provenance(mail: Message) -> bytes:
    told: dict[str, Any] = {
        name: said
        for name, header in (("from", "From"), ("date", "Date"), ("message_id", "Message-ID"), ("to", "To"))
        if (said := _header(mail, header))
    }
    received = [one_line(str(r)[:MAX_HEADER], 1_000) for r in (mail.get_all("Received") or [])[:MAX_RECEIVED]]
    return msgspec.json.encode({**told, **({"received": received} if received else {})})


def _own_report(files: list[ReportedFile], place: str) -> tuple[Reported, list[ReportedFile]] | None:
    for n, file in enumerate(files):
        if file.name.lower().endswith(".json") and b"urn:clearway:schema:finding" in file.data[:4_096]:
            value = as_json(file.data, f"{place}attachments[{n}]")
            if is_own(value):
                return read_own(file.data, value, f"{place}attachments[{n}]"), files[:n] + files[n + 1 :]
    return None


def _report(
    data: bytes, body: str, subject: str, files: list[ReportedFile], told: bytes, place: str
) -> Reported:
    fields, sections = _read_body(body[: 4 * MAX_TEXT])
    title = one_line(subject or fields.get("title", "") or sections["description"], 300)
    if not title:
        raise InputError(
            "the mail has no subject and no text", where=place or "mail", mend="write what was found"
        )
    release = one_line(fields.get("release", ""), 200)
    recipe = next((f.data for f in files if f.name.lower() == "recipe.json"), b"")
    return Reported(
        format=FORMAT,
        raw=data,
        place=place,
        title=title,
        description=prose(sections["description"]),
        **identified(
            fields.get("purl", ""),
            fields.get("ecosystem", ""),
            fields.get("package", ""),
            fields.get("release", ""),
        ),
        at=Place(file=one_line(fields.get("file", "")), function=one_line(fields.get("function", ""))),
        cwe=cwe_in(fields.get("cwe", "") or subject),
        severity=severity_in(fields.get("severity", "")),
        reproduction=Reproduction(
            release=release,
            steps=prose(sections["steps"]),
            expected=prose(sections["expected"]),
            observed=prose(sections["observed"]),
            recipe=recipe,
        ),
        ids=tuple(filter(None, (one_line(i, 100) for i in fields.get("ids", "").split(",")[:20]))),
        references=tuple(r for r in (one_line(fields.get("references", ""), 2_000),) if r),
        provenance=told,
        files=tuple(f for f in files if f.data is not recipe),
    )


def _read_body(body: str) -> tuple[dict[str, str], dict[str, str]]:
    """Fields by their meaning, the first of each; and the text by section."""
    fields: dict[str, str] = {}
    sections: dict[str, list[str]] = {"description": [], "steps": [], "expected": [], "observed": []}
    now = "description"
    for line in body.splitlines():
        found = _FIELD.match(line) if len(line) <= 2_000 else None
        name = " ".join(found[1].lower().split()) if found else ""
        if found and name in _SECTIONS:
            now = _SECTIONS[name]
            sections[now].append(found[2] or "")
        elif found and name in _NAMES and found[2]:
            fields.setdefault(_NAMES[name], found[2].strip())
            now = "description"
        else:
            sections[now].append(line)
    return fields, {name: "\n".join(lines).strip() for name, lines in sections.items()}
