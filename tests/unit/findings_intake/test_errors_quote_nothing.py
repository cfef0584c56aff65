"""No error quotes what a report says: what is sent here may be under embargo, and errors are logged and mailed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from clearway.formats.reported import read_reports
from clearway.formats.reported_own import with_more
from clearway.formats.reported_parts import MAX_REPORTS
from clearway.records.errors import ClearwayError
from report_documents import csaf, dump, own, sarif, vince

SECRET = "SECRETWORD"
VALUES: dict[str, Any] = {
    "a word": SECRET,
    "an apostrophe": f"it's {SECRET}",
    "two apostrophes": f"x'y'{SECRET}",
    "a double quote": f'a"b {SECRET}',
    "a backtick": f"`{SECRET}`",
    "what looks like the path of an error": f"x - at `$.{SECRET}",
    "lines": f"a\n{SECRET}\n",
    "a long one": SECRET * 9_000,
    "in a list": [SECRET],
    "as a key": {f"it's {SECRET}": {f"$.{SECRET}\n": 1}},
    "a number": 77_777_777_777,
    "a number with a fraction": 77_777_777_777.5,
}
SECRETS = (SECRET, "77777777777", "77777777777.5")
DOCUMENTS = {"own": own(hops=[{}]), "sarif": sarif(), "csaf": csaf(), "vince": vince()}


def paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from paths(inner, (*at, key))


def told(data: bytes) -> str:
    """All that is said of a document but its reports."""
    try:
        return " ".join(f"{a.place} {a.reason}" for a in read_reports(data, place="upload").set_aside)
    except ClearwayError as error:
        return f"{error.what} {error.where} {error.mend}"


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.parametrize("value", VALUES)
def test_no_value_in_any_place_of_a_report_is_quoted(name: str, value: str) -> None:
    refused = 0
    for path in paths(DOCUMENTS[name]):
        document = copy.deepcopy(DOCUMENTS[name])
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = VALUES[value]
        said = told(dump(document))
        refused += bool(said)
        assert not any(secret in said for secret in SECRETS), (path, said)
    assert refused


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize("field", ["cwe", "place", "trace", "reproduction", "ruled_out", "affected", "files"])
def test_no_value_in_a_supplement_is_quoted(field: str, value: str) -> None:
    (report,) = read_reports(dump(own())).reports
    for given in (VALUES[value], [VALUES[value]], [{"role": VALUES[value], "kind": VALUES[value]}]):
        said = ""
        try:
            with_more(report, dump({field: given}))
        except ClearwayError as error:
            said = str(error)
        assert not any(secret in said for secret in SECRETS), said


def _with(tail: str) -> bytes:
    return dump(own())[:-1] + f", {tail}}}".encode()


BROKEN = {
    "a key twice": _with(f'"{SECRET}": 1, "{SECRET}": 2'),
    "a key with an apostrophe twice": _with(f'"it\'s {SECRET}": 1, "it\'s {SECRET}": 2'),
    "a key with lines on the way to one twice": _with(f'"a\\n{SECRET}": {{"b": 1, "b": 2}}'),
    "half a surrogate pair": _with(f'"x": "{SECRET}\\ud800"'),
    "text behind it": dump(own()) + SECRET.encode(),
    "a number beyond a double": _with('"x": 77777777777e999'),
    "NaN": _with('"x": NaN'),
    "NUL": _with(f'"x": "a\\u0000{SECRET}"'),
    "no UTF-8": _with('"x": "HERE"').replace(b"HERE", SECRET.encode() + b"\xff"),
    "a broken escape": _with(f'"x": "\\q{SECRET}"'),
    "no JSON": b'{"' + SECRET.encode(),
    "too many": dump([own(title=SECRET)] * (MAX_REPORTS + 1)),
    "a mail": f"Subject: \nFrom: {SECRET}\nContent-Type: multipart/{SECRET}\n\n".encode(),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_not_be_read_is_not_quoted(name: str) -> None:
    said = told(BROKEN[name])
    assert said
    assert not any(secret in said for secret in SECRETS), said


def test_an_error_says_which_field_and_what_is_expected() -> None:
    assert json.loads(dump(own()))["severity"] == "high"
    assert told(dump(own(severity="it's so"))).startswith(
        "none of the values that may stand here upload.severity"
    )
    assert told(dump(own(title=7))).startswith("Expected `str`, got `int` upload.title")
    assert "files[0].kind" in told(dump(own(files=[{"name": "a", "kind": "- at `$.x", "text": ""}])))
