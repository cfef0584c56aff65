"""Every form of a report says the same of one flaw; what can't be read is set aside, and quoted in no error."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from clearway.formats.reported import read_reports
from clearway.formats.reported_parts import Reported
from clearway.records.errors import InputError, TooLargeError
from report_documents import CANARY, PROOF, csaf, dump, mail, own, sarif, vince


def one(data: bytes, **more: Any) -> Reported:
    document = read_reports(data, **more)
    assert document.set_aside == ()
    (report,) = document.reports
    return report


DOCUMENTS = {
    "clearway-finding": dump(own()),
    "sarif": dump(sarif()),
    "csaf-vulnerability-report": dump(csaf()),
    "mail": mail(),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_form_says_product_class_place_and_description(name: str) -> None:
    report = one(DOCUMENTS[name])
    assert report.format == name
    assert (report.ecosystem, report.package, report.release) == ("PyPI", "example", "1.7.15")
    assert report.cwe == "CWE-125"
    assert report.severity == "high"
    assert CANARY in report.description
    assert report.title
    if name != "csaf-vulnerability-report":
        assert report.where.startswith("src/parse.c")
        assert PROOF in [f.data for f in report.files if f.kind == "input"]


def test_certs_form_names_a_product_without_an_ecosystem() -> None:
    report = one(dump(vince()))
    assert (report.ecosystem, report.package, report.release) == ("", "example", "1.7.15")
    assert report.reproduction.steps == "feed poc.json to parse()"
    assert report.ids == ("LAB-1", "CVE-2026-99999")
    assert [f.data for f in report.files] == [PROOF]
    assert json.loads(report.provenance)["contact_org"] == "Lab"


def test_a_trace_has_its_source_and_its_sink() -> None:
    for data in (DOCUMENTS["clearway-finding"], DOCUMENTS["sarif"]):
        assert [step.role for step in one(data).trace] == ["source", "sink"]


def test_provenance_is_kept_byte_for_byte() -> None:
    odd = b'{ "finders" : [ {"name":"\\u00e9\\u0301  X"} ], "n": 1.0e2, "z":1,"a":2 }'
    data = dump(own()).replace(json.dumps(own()["provenance"]).encode(), odd)
    assert one(data).provenance == odd


def test_the_recipe_is_kept_as_it_was_sent() -> None:
    data = dump(own()).replace(b'{"title": "poc"}', b'{"b":1,   "a":[1.50]}')
    assert one(data).reproduction.recipe == b'{"b":1,   "a":[1.50]}'


def test_a_list_and_lines_are_several_reports_and_the_bad_ones_are_set_aside_with_their_place() -> None:
    good, bad = own(), own(cwe="nonsense")
    for data in (
        dump([good, bad, own(title="Another")]),
        b"\n".join(map(dump, (good, bad, own(title="Another")))),
    ):
        document = read_reports(data)
        assert [r.title for r in document.reports] == [good["title"], "Another"]
        assert [r.place for r in document.reports] == ["reports[0]", "reports[2]"]
        (aside,) = document.set_aside
        assert aside.place == "reports[1].cwe"
        assert "nonsense" not in aside.reason


def test_the_same_result_of_tomorrows_scan_is_the_same_report() -> None:
    today = one(dump(sarif()))
    tomorrow = one(
        dump(sarif(invocations=[{"executionSuccessful": True, "endTimeUtc": "2026-11-21T10:00:00Z"}]))
    )
    assert today.raw == tomorrow.raw
    again = one(today.raw)
    assert (again.title, again.where, again.cwe, again.files) == (
        today.title,
        today.where,
        today.cwe,
        today.files,
    )
    assert again.raw == today.raw


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "pass"},
        {"baselineState": "absent"},
        {"suppressions": [{"kind": "inSource"}]},
    ],
    ids=["it passed", "it is gone", "it was suppressed"],
)
def test_a_result_that_is_no_finding_is_set_aside(change: dict[str, Any]) -> None:
    document = sarif(2)
    document["runs"][0]["results"][0].update(change)
    read = read_reports(dump(document))
    assert len(read.reports) == 1
    assert "no finding" in read.set_aside[0].reason


def test_a_product_is_named_beside_a_document_that_does_not_say_it() -> None:
    bare = sarif(properties={})
    assert one(dump(bare)).package == ""
    assert one(dump(bare), purl="pkg:npm/left-pad@1.0.0").package == "left-pad"
    assert one(dump(sarif()), purl="pkg:npm/left-pad@1.0.0").package == "example"


@pytest.mark.parametrize("where", ["run", "result"])
def test_a_sarif_log_names_its_product_as_our_own_report_does(where: str) -> None:
    document = sarif(properties={})
    run = document["runs"][0]
    holder = run if where == "run" else run["results"][0]
    holder["properties"] = {"clearway": {"affected": {"purl": "pkg:pypi/tornado@6.4.1"}}}
    found = one(dump(document))
    assert (found.purl, found.package, found.release) == ("pkg:pypi/tornado@6.4.1", "tornado", "6.4.1")
    holder["properties"] = {
        "clearway": {"affected": {"ecosystem": "PyPI", "name": "Tornado", "release": "6.4"}}
    }
    found = one(dump(document))
    assert (found.ecosystem, found.package, found.release) == ("PyPI", "tornado", "6.4")


def test_what_a_result_says_of_its_product_goes_before_its_run() -> None:
    document = sarif(properties={"clearway": {"purl": "pkg:pypi/example@1"}})
    document["runs"][0]["results"][0]["properties"] = {
        "clearway": {"affected": {"purl": "pkg:npm/left-pad@2"}}
    }
    assert one(dump(document)).purl == "pkg:npm/left-pad@2"


@pytest.mark.parametrize("block", [{"prul": "pkg:pypi/x@1"}, {"affected": {"version": "1"}}])
def test_a_key_that_nobody_reads_is_told_once_and_not_quoted(block: dict[str, Any]) -> None:
    document = sarif(3)
    for result in document["runs"][0]["results"][1:]:
        result["properties"] = {"clearway": block}
    read = read_reports(dump(document))
    assert len(read.reports) == 3
    (told,) = read.set_aside
    assert told.place == "runs[0].results[1].properties.clearway"
    assert "was not read" in told.reason
    assert "1 more" in told.reason
    assert "prul" not in told.reason


def test_an_advisory_is_no_report() -> None:
    document = csaf()
    document["document"]["category"] = "csaf_security_advisory"
    with pytest.raises(InputError, match="clearway ingest"):
        read_reports(dump(document))


def test_a_csaf_vulnerability_without_a_known_affected_product_is_set_aside() -> None:
    document = csaf()
    document["vulnerabilities"].append({"title": "Other", "cve": "CVE-2026-1"})
    read = read_reports(dump(document))
    assert [r.place for r in read.reports] == ["vulnerabilities[0]"]
    assert [a.place for a in read.set_aside] == ["vulnerabilities[1]"]


def test_names_of_attachments_lose_their_folders() -> None:
    assert [f.name for f in one(mail()).files] == ["poc.json", "fix.patch"]
    assert [f.kind for f in one(mail()).files] == ["input", "patch"]


def test_a_report_of_ours_in_a_mail_is_the_report() -> None:
    from email.message import EmailMessage

    made = EmailMessage()
    made["Subject"], made["From"] = "see the attachment", "a@b.example"
    made.set_content("hello")
    made.add_attachment(dump(own()), maintype="application", subtype="json", filename="report.json")
    made.add_attachment(b"more", maintype="application", subtype="octet-stream", filename="core.txt")
    report = one(made.as_bytes())
    assert report.title == own()["title"]
    assert [f.name for f in report.files] == ["poc.json", "core.txt"]


BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "white space": b" \n\t ",
    "no known form": b"hello",
    "half of a JSON text": dump(own())[:-20],
    "keys twice": dump(own())[:-1] + f', "{CANARY}": 1, "{CANARY}": 2}}'.encode(),
    "NUL": dump(own(title="a\0b")),
    "another version": dump(own(schema="urn:clearway:schema:finding:99")),
    "a value that is none of the list": dump(own(severity=CANARY)),
    "a wrong type": dump(own(title={CANARY: 1})),
    "a purl that is none": dump(own(affected={"purl": f"pkg:{CANARY}"})),
    "a file that is not base64": dump(own(files=[{"name": CANARY, "data": CANARY}])),
    "a file with another hash": dump(own(files=[{"name": "x", "text": CANARY, "sha256": "0" * 64}])),
    "deep": b'{"schema":"urn:clearway:schema:finding:1","provenance":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    "a role that is none": dump(own(trace=[{"role": CANARY}])),
    "SARIF of another version": dump({"version": CANARY, "runs": []}),
    "a CSAF without vulnerabilities": dump({**csaf(), "vulnerabilities": []}),
    "a mail without words": b"Subject:\nFrom: a@b.example\n\n\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_not_be_read_is_an_error_that_quotes_nothing(name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_reports(BROKEN[name], place="upload")
    assert CANARY not in str(caught.value)
    assert caught.value.where


def test_too_many_results_are_refused_and_not_cut() -> None:
    few = sarif()
    few["runs"][0]["results"] *= 1_001
    with pytest.raises(TooLargeError):
        read_reports(dump(few))


def test_a_mail_of_a_million_parts_or_headers_is_refused_before_it_is_parsed() -> None:
    for bomb in (
        b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\n" * 100_000,
        b"Subject: x\n" + b"a:b\n" * 200_000 + b"\n",
    ):
        with pytest.raises(TooLargeError):
            read_reports(bomb)


def test_a_mail_with_parts_within_parts_ends_as_an_error_of_ours() -> None:
    lines = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(900))
    with pytest.raises(InputError):
        read_reports(b"Subject: x\nFrom: a\n" + lines)


def test_words_in_html_lose_their_tags() -> None:
    data = b"Subject: x\nContent-Type: text/html\n\n<p>one <script>two</script></p>"
    assert "<" not in one(data).description


def test_a_header_in_an_unknown_charset_is_kept_as_written() -> None:
    assert one(b"Subject: =?nonsense?B?AAAA?=\nFrom: a@b.example\n\nbody").title


def test_base64_in_a_file_is_taken_whole() -> None:
    body = bytes(range(256))
    report = one(dump(own(files=[{"name": "x", "kind": "input", "data": base64.b64encode(body).decode()}])))
    assert report.files[0].data == body


def test_a_log_whose_results_each_hold_a_large_file_is_refused_before_memory_is() -> None:
    log = sarif(500)
    log["runs"][0]["artifacts"][0]["contents"] = {"text": "A" * (1 << 20)}
    with pytest.raises(TooLargeError, match="together"):
        read_reports(dump(log))


def test_a_csaf_report_with_a_large_tree_and_many_vulnerabilities_is_refused() -> None:
    document = csaf()
    document["document"]["notes"] = [{"category": "other", "text": "A" * (1 << 20)}]
    document["vulnerabilities"] *= 500
    with pytest.raises(TooLargeError, match="together"):
        read_reports(dump(document))


def test_a_log_of_many_artifacts_and_rules_is_read() -> None:
    log = sarif(300)
    run = log["runs"][0]
    run["artifacts"] = [{"location": {"uri": f"f{n}"}} for n in range(50_000)]
    run["tool"]["driver"]["rules"] += [{"id": f"r{n}"} for n in range(50_000)]
    for result in run["results"]:
        result["attachments"] = [{"artifactLocation": {"uri": f"f{49_000 + n}"}} for n in range(100)]
    assert len(read_reports(dump(log)).reports) == 300


def test_a_result_that_is_null_is_set_aside_and_the_others_are_read() -> None:
    document = sarif()
    document["runs"][0]["results"].insert(0, None)
    read = read_reports(dump(document))
    assert len(read.reports) == 1
    assert [(one.place, one.reason) for one in read.set_aside] == [
        ("runs[0].results[0]", "no finding: it is null")
    ]
