"""What a stranger sends is read in time that grows with its size, and in memory that is bounded before it is taken.

Work is counted and not timed: calls that Python makes, and characters that the parser of mails is given to look at.
"""

from __future__ import annotations

import email.message
import sys
from collections.abc import Callable
from typing import Any

import pytest

from clearway.formats import reported_mail_bounds as bounds
from clearway.formats import reported_parts
from clearway.formats.reported import read_reports
from clearway.records.errors import ClearwayError, TooLargeError
from report_documents import csaf, dump, mail, own, sarif

SUBJECT = b"Subject: a flaw\n"
PARTS = SUBJECT + b"Content-Type: multipart/mixed; boundary=b\n\n"
NESTED = b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"


def calls(data: bytes) -> int:
    """How many calls reading `data` makes, of Python's functions and of those in C."""
    count = 0

    def counted(_frame: Any, event: str, _what: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        read_reports(data)
    except ClearwayError:
        pass
    finally:
        sys.setprofile(None)
    return count


def _notes(n: int) -> bytes:
    document = csaf()
    document["document"]["notes"] = [{"category": "other", "text": "x"}] * n
    document["vulnerabilities"] *= n
    return dump(document)


def _origins(n: int) -> bytes:
    log = sarif(n)
    log["runs"][0]["versionControlProvenance"] = [{"repositoryUri": "x"}] * n
    log["runs"][0]["tool"]["driver"]["rules"][0]["relationships"] = [{}] * n
    return dump(log)


GROWING: dict[str, Callable[[int], bytes]] = {
    "headers": lambda n: SUBJECT + b"a: b\n" * n + b"\nhi",
    "lines that continue nothing": lambda n: b"Subject: x\n\n" + b" y\n" * n,
    "parts": lambda n: PARTS + b"--b\n\nx\n" * n,
    "blocks of a delivery status": lambda n: (
        SUBJECT + b"Content-Type: message/delivery-status\n\n" + b"a: b\n\n" * n
    ),
    "mails within mails": lambda n: SUBJECT + b"Content-Type: message/rfc822\n\n" * n,
    "lines below parts within parts": lambda n: (
        SUBJECT + b"".join(NESTED % (i, i) for i in range(min(n, 100))) + b"x\n" * 300 * n
    ),
    "notes of each vulnerability": _notes,
    "what a run says of each result": _origins,
    "steps": lambda n: dump(own(trace=own()["trace"] * min(n, 100))),
    "reports": lambda n: dump([own(title=f"{i}") for i in range(n)]),
}


@pytest.mark.parametrize("name", GROWING)
def test_ten_times_as_much_is_at_most_some_ten_times_the_work(name: str) -> None:
    few, many = calls(GROWING[name](20)), calls(GROWING[name](200))
    assert many <= 14 * few + 2_000, f"{few:,} calls, then {many:,}"


def test_lines_below_parts_within_parts_are_refused_before_each_is_held_against_each_boundary() -> None:
    data = SUBJECT + b"".join(NESTED % (n, n) for n in range(90)) + b"x\n" * 200_000
    assert calls(data) < 100_000


PARAMETERS: dict[str, bytes] = {
    "one header of quoted semicolons": SUBJECT + b'Content-Type: text/plain; a="' + b";" * 12_000 + b"\n\nhi",
    "the same over folded lines": SUBJECT + b'Content-Type: text/plain; a="' + b";\n " * 6_000 + b"\n\nhi",
    "a part's disposition": PARTS
    + b'--b\nContent-Disposition: attachment; a="'
    + b";" * 12_000
    + b"\n\nhi\n--b--\n",
    "pieces of a name": SUBJECT
    + b"Content-Disposition: attachment; "
    + b"".join(b"filename*%d=a;" % n for n in range(3_000))
    + b"\n\nhi",
    "many parts of each a little": PARTS
    + (b'--b\nContent-Type: text/plain; a="' + b";" * 60 + b'"' * 1_000 + b"\n\nhi\n") * 400,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_parser_of_mails_is_not_given_parameters_that_cost_the_square_of_their_length(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = 0
    real = email.message._parseparam  # type: ignore[attr-defined]

    def parse(text: str) -> list[str]:
        nonlocal looked_at
        looked_at += len(text) * (text.count(";") + 1)
        return list(real(text))

    monkeypatch.setattr(email.message, "_parseparam", parse)
    with pytest.raises(TooLargeError):
        read_reports(PARAMETERS[name])
    assert looked_at <= 8 * bounds.MAX_WORK


@pytest.mark.parametrize(
    "data",
    [
        SUBJECT + b"\n" + b"\r" * (bounds.MAX_LINES + 1),
        SUBJECT + b"Content-Type: multipart/mixed; boundary=b\r\r" + b"--b\r\r" * (bounds.MAX_BOUNDARIES + 1),
        SUBJECT + b"X: " + b"y" * bounds.MAX_HEADER + b"\n\nhi",
        SUBJECT + b"a: b\n" * bounds.MAX_HEADERS_OF_PART + b"\nhi",
    ],
    ids=[
        "lines that end in a carriage return alone",
        "parts that begin after one",
        "one long header",
        "many headers",
    ],
)
def test_what_no_mail_has_is_refused(data: bytes) -> None:
    with pytest.raises(TooLargeError):
        read_reports(data)


@pytest.mark.parametrize("charset", ["punycode", "idna", "unicode_escape", "rot13", "nonsense", "x" * 5_000])
def test_a_text_in_what_is_no_charset_of_mails_reads_as_utf_8(charset: str) -> None:
    data = SUBJECT + f"Content-Type: text/plain; charset={charset}\n\nxn--abc caf\u00e9 \\x41".encode()
    if len(charset) > 4_000:
        with pytest.raises(TooLargeError):
            read_reports(data)
        return
    assert read_reports(data).reports[0].description == "xn--abc caf\u00e9 \\x41"


@pytest.mark.parametrize(
    ("charset", "text"),
    [("iso-8859-1", "caf\u00e9"), ("windows-1252", "\u201cq\u201d"), ("koi8-r", "\u0434\u0430"),
     ("gb2312", "\u4f60"), ("iso-2022-jp", "\u65e5"), ("shift_jis", "\u65e5"), ("euc-kr", "\ud55c"),
     ("big5", "\u4f60"), ("utf-16", "x\u00e9")],
)  # fmt: skip
def test_a_text_in_a_charset_of_mails_is_read(charset: str, text: str) -> None:
    data = SUBJECT + f"Content-Type: text/plain; charset={charset}\n".encode()
    data += b"Content-Transfer-Encoding: base64\n\n" + _base64(text.encode(charset))
    assert read_reports(data).reports[0].description == text


def _base64(data: bytes) -> bytes:
    import base64

    return base64.encodebytes(data)


def test_a_mail_of_many_attachments_with_long_names_is_read() -> None:
    from email.message import EmailMessage

    made = EmailMessage()
    made["Subject"], made["From"] = "many files", "a@b.example"
    made["X-Scanned"] = "y" * 20_000
    made.set_content("see them")
    for n in range(150):
        made.add_attachment(
            b"x" * 99, maintype="application", subtype="octet-stream", filename=f"{n} " + "\u00e9" * 90
        )
    (report,) = read_reports(made.as_bytes()).reports
    assert report.files[149].name == "149 " + "\u00e9" * 90


VALUES: dict[str, bytes] = {
    "lists": b"[],",
    "objects": b"{},",
    "numbers": b"0,",
    "texts": b'"",',
    "escaped quotes between": b'"\\"",[],',
    "backslashes between": b'"\\\\",[],',
}


@pytest.mark.parametrize("name", VALUES)
def test_more_values_than_fit_are_refused_before_they_are_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reported_parts.strict_json, "loads", _never)
    many = VALUES[name] * (reported_parts.MAX_VALUES + 1)
    with pytest.raises(TooLargeError, match="values"):
        read_reports(dump(own())[:-1] + b', "x": [' + many + b"0]}")


def _never(*_: Any) -> Any:
    raise AssertionError("decoded")


def test_commas_and_brackets_in_texts_are_no_values() -> None:
    text = ",[{" * reported_parts.MAX_VALUES + '"' + "," * 9 + "\\"
    assert (
        read_reports(dump(own(files=[{"name": "a", "text": text}]))).reports[0].files[0].data == text.encode()
    )


def test_results_that_are_set_aside_count_for_what_they_hold() -> None:
    log = sarif(900)
    run = log["runs"][0]
    run["artifacts"] = [{"contents": {"text": "A" * (1 << 20)}}, {"contents": {"binary": "!"}}]
    for result in run["results"]:
        result["attachments"] = [{"artifactLocation": {"index": n}} for n in (0, 1)]
    with pytest.raises(TooLargeError, match="together"):
        read_reports(dump(log))


def test_a_result_that_names_one_file_often_is_refused_before_it_is_put_together() -> None:
    log = sarif()
    log["runs"][0]["artifacts"] = [{"contents": {"text": "A" * (1 << 20)}}]
    log["runs"][0]["results"][0]["attachments"] = [{"artifactLocation": {"index": 0}}] * 200
    with pytest.raises(TooLargeError, match="together"):
        read_reports(dump(log))


def test_vulnerabilities_that_are_set_aside_count_for_what_they_hold() -> None:
    document = csaf()
    document["document"]["title"] = "A" * (1 << 20)
    document["vulnerabilities"] = [{"product_status": {}}] * 500
    with pytest.raises(TooLargeError, match="together"):
        read_reports(dump(document))


def test_an_ordinary_mail_stays_far_below_each_bound() -> None:
    meter = bounds._Meter(mail(), "")
    assert meter._composites == 100
    assert read_reports(mail()).reports
