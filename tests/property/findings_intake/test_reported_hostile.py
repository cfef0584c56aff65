"""Whatever bytes come in, they are reports or an error of ours; provenance goes through unchanged."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.formats.reported import read_reports
from clearway.records.errors import ClearwayError
from report_documents import csaf, dump, mail, own, sarif, vince

SAMPLES = [dump(own()), dump(sarif()), dump(csaf()), dump(vince()), mail()]
LEAVES = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=10)
KEYS = st.sampled_from(["a", "b", "title", "id"])
JSON = st.recursive(
    LEAVES.filter(lambda v: not isinstance(v, str) or "\0" not in v),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(SAMPLES), st.integers(0, 4_000), st.integers(0, 40), st.binary(max_size=40))
@settings(max_examples=250)
def test_a_report_with_some_bytes_changed_is_read_or_refused(
    data: bytes, at: int, cut: int, put: bytes
) -> None:
    changed = data[:at] + put + data[at + cut :]
    with contextlib.suppress(ClearwayError):
        for report in read_reports(changed).reports:
            assert report.title.isprintable()
            assert len(report.title) <= 300


@given(st.sampled_from([own(), sarif()["runs"][0], csaf(), vince()]), st.data())
@settings(max_examples=250)
def test_a_report_with_one_value_of_another_shape_is_read_or_refused(
    whole: dict[str, object], data: st.DataObject
) -> None:
    value = json.loads(json.dumps(whole))
    holder, key = value, data.draw(st.sampled_from(sorted(value)))
    while isinstance(holder[key], dict) and holder[key] and data.draw(st.booleans()):
        holder = holder[key]
        key = data.draw(st.sampled_from(sorted(holder)))
    holder[key] = data.draw(JSON)
    document = {"version": "2.1.0", "runs": [value]} if "tool" in whole else value
    with contextlib.suppress(ClearwayError):
        read_reports(dump(document))


@given(st.binary(max_size=2_000))
def test_any_mail_is_read_or_refused(body: bytes) -> None:
    with contextlib.suppress(ClearwayError):
        read_reports(b"Subject: x\n" + body)


@given(JSON, st.sampled_from([None, 1, " "]), st.booleans())
def test_provenance_goes_through_byte_for_byte(inner: object, indent: int | None, ascii_only: bool) -> None:
    block = json.dumps({"chain": inner}, indent=indent, ensure_ascii=ascii_only).encode()
    marker = b'"provenance": {"there": 1}'
    data = dump(own(provenance={"there": 1}))
    assert marker in data
    (report,) = read_reports(data.replace(marker, b'"provenance": ' + block)).reports
    assert report.provenance == block
