"""BOD 26-04's sixteen rows by name, and a directive file that contradicts itself."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from clearway.directives import Fact, decide, load, names
from clearway.directives import files as directive_files
from clearway.records.errors import InputError, NotFoundError, UsageError

BOD = load("bod-26-04")


def inputs(exposed: str, kev: str, automatable: str, impact: str) -> dict[str, Fact]:
    values = {"exposed": exposed, "kev": kev, "automatable": automatable, "impact": impact}
    return {point: Fact(point=point, value=value) for point, value in values.items()}


ROWS = [
    (1, "exposed and listed and automatable and total", "yes yes yes total", "3DF", 3),
    (2, "exposed and listed and automatable and partial", "yes yes yes partial", "3D", 3),
    (3, "exposed and listed and not automatable and total", "yes yes no total", "3DF", 3),
    (4, "exposed and listed and not automatable and partial", "yes yes no partial", "14D", 14),
    (5, "exposed and unlisted and automatable and total", "yes no yes total", "3D", 3),
    (6, "exposed and unlisted and automatable and partial", "yes no yes partial", "14D", 14),
    (7, "exposed and unlisted and not automatable and total", "yes no no total", "14D", 14),
    (8, "exposed and unlisted and not automatable and partial", "yes no no partial", "60D", 60),
    (9, "internal and listed and automatable and total", "no yes yes total", "3DF", 3),
    (10, "internal and listed and automatable and partial", "no yes yes partial", "14D", 14),
    (11, "internal and listed and not automatable and total", "no yes no total", "14D", 14),
    (12, "internal and listed and not automatable and partial", "no yes no partial", "14D", 14),
    (13, "internal and unlisted and automatable and total", "no no yes total", "60D", 60),
    (14, "internal and unlisted and automatable and partial", "no no yes partial", "60D", 60),
    (15, "internal and unlisted and not automatable and total", "no no no total", "FSU", None),
    (16, "internal and unlisted and not automatable and partial", "no no no partial", "FSU", None),
]


@pytest.mark.parametrize(
    ("number", "values", "code", "days"),
    [pytest.param(n, v, c, d, id=f"row {n}: {name}") for n, name, v, c, d in ROWS],
)
@pytest.mark.parametrize("policy", ["cisa_60d", "fedramp_assume_automatable", "strict_incomplete"])
def test_a_row_with_all_values_known_is_the_same_under_every_policy(
    number: int, values: str, code: str, days: int | None, policy: str
) -> None:
    decision = decide(BOD, inputs(*values.split()), policy)
    assert (decision.row, decision.code, decision.days) == (number, code, days)
    assert decision.rows == (number,)
    assert decision.forensic_triage == (code == "3DF")
    assert decision.basis == "published"


def test_forensic_triage_is_listed_and_total_and_exposed_or_automatable() -> None:
    for _, _, values, code, _ in ROWS:
        exposed, kev, automatable, impact = values.split()
        wanted = kev == "yes" and impact == "total" and "yes" in (exposed, automatable)
        assert (code == "3DF") == wanted


def test_two_directives_ship_and_the_older_is_revoked_by_the_newer() -> None:
    assert names() == ("bod-22-01", "bod-26-04")
    old = load("bod-22-01")
    assert (old.revoked, old.revoked_by) == (BOD.published, BOD.id)
    assert old.id in BOD.revokes
    assert [phase.since for phase in BOD.effective][-1] == date(2026, 12, 7)


def test_an_unknown_name_says_which_names_there_are() -> None:
    with pytest.raises(NotFoundError, match=r"bod-22-01, bod-26-04"):
        load("../bod-26-04")
    with pytest.raises(UsageError, match="cisa_60d"):
        decide(BOD, {}, "cisa_90d")


def _data() -> dict[str, object]:
    path = Path(directive_files.__file__).parent / "data" / "bod-26-04.json"
    found: dict[str, object] = json.loads(path.read_bytes())
    return found


def _broken(change: str) -> bytes:
    data = _data()
    rows = data["rows"]
    assert isinstance(rows, list)
    if change == "a row is missing":
        rows.pop()
    elif change == "a row is repeated":
        rows[1] = rows[0]
    elif change == "a code is unknown":
        rows[3]["code"] = "4D"
    elif change == "a row lacks a point":
        del rows[3]["when"]["kev"]
    elif change == "a value is unknown":
        rows[3]["when"]["kev"] = "maybe"
    elif change == "business days":
        data["calendar"] = "business_days"
    elif change == "no policy":
        data["policies"] = []
    elif change == "a policy assumes an unknown value":
        data["policies"] = [{"id": "x", "assume": [{"point": "kev", "value": "maybe", "basis": "b"}]}]
    elif change == "a default names an unknown point":
        data["policies"] = [{"id": "x", "default": {"when": {"cvss": "9"}, "missing": [], "code": "3D"}}]
    return json.dumps(data).encode()


@pytest.mark.parametrize(
    "change",
    [
        "a row is missing",
        "a row is repeated",
        "a code is unknown",
        "a row lacks a point",
        "a value is unknown",
        "business days",
        "no policy",
        "a policy assumes an unknown value",
        "a default names an unknown point",
    ],
)
def test_a_directive_file_is_refused_where(change: str) -> None:
    directive_files.parse(json.dumps(_data()).encode(), "sound.json")
    with pytest.raises(InputError):
        directive_files.parse(_broken(change), "broken.json")


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"id": 1}'])
def test_bytes_that_are_no_directive_are_refused_with_their_place(data: bytes) -> None:
    with pytest.raises(InputError, match=r"broken\.json"):
        directive_files.parse(data, "broken.json")
