"""Signatures over exact bytes, which version stood when, and what an authority sees."""

from __future__ import annotations

import base64
import shutil
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from clearway import directives
from clearway.directives.acknowledgement import Acknowledgement, Addressed, acknowledged_on, addressed_on
from clearway.directives.compliance import SharedReport, compliance, compliance_csv
from clearway.directives.duties import duties, read_duties
from clearway.directives.files import parse
from clearway.directives.issue import (
    Issue,
    Key,
    in_force,
    order_of,
    read_private_key,
    read_public_key,
    read_signature,
    sign,
    verify,
)
from clearway.directives.reports.counts import count
from clearway.directives.reports.period import later, quarter_of
from clearway.directives.reports.remediation import as_json
from clearway.records.errors import InputError, IntegrityError, NotFoundError, TooLargeError
from published import validated

DOCUMENT = (Path(directives.__file__).parent / "data" / "bod-26-04.json").read_bytes()
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key()
KEY = Key(PUBLIC.public_bytes(Encoding.Raw, PublicFormat.Raw))
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_what_was_signed_verifies_and_says_by_which_key() -> None:
    signed = verify(DOCUMENT, sign(DOCUMENT, PRIVATE).signature, [Key(bytes(32)), KEY])
    assert (signed.key, signed.directive.id) == (KEY.id, "bod-26-04")


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(DOCUMENT + b"\n", id="a newline more"),
        pytest.param(DOCUMENT.replace(b'"days": 14', b'"days": 41'), id="another number"),
        pytest.param(DOCUMENT.replace(b"  ", b" ", 1), id="the same JSON, other bytes"),
    ],
)
def test_one_changed_byte_is_noticed(spoilt: bytes) -> None:
    with pytest.raises(IntegrityError, match="signed by none"):
        verify(spoilt, sign(DOCUMENT, PRIVATE).signature, [KEY])


def test_nothing_that_is_not_signed_is_parsed() -> None:
    with pytest.raises(IntegrityError):
        verify(b"[" * 100_000, bytes(64), [KEY])
    with pytest.raises(TooLargeError):
        verify(b" " * (1 << 20) + b" ", bytes(64), [KEY])
    with pytest.raises(InputError, match="not a directive"):
        sign(b"{}", PRIVATE)
    with pytest.raises(InputError, match="not a directive"):
        verify(b"{}", PRIVATE.sign(b"{}"), [KEY])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_verifies_the_same_signature(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(PEM)
    (tmp_path / "doc.json").write_bytes(DOCUMENT)
    (tmp_path / "sig").write_bytes(sign(DOCUMENT, PRIVATE).signature)
    words = "pkeyutl -verify -pubin -inkey key.pem -rawin -in doc.json -sigfile sig"
    subprocess.run(["openssl", *words.split()], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    "data",
    [PEM, base64.b64encode(KEY.raw), KEY.raw.hex().encode(), b"\n" + PEM + b"\n"],
    ids=["PEM", "base64", "hexadecimal", "space around"],
)
def test_a_public_key_is_read(data: bytes) -> None:
    assert read_public_key(data, "k") == KEY


_EC = generate_private_key(SECP256R1())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"\xff" * 40,
        base64.b64encode(bytes(31)),
        b"x" * 100_000,
        _EC.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    ],
)
def test_what_is_no_public_key_is_refused(data: bytes) -> None:
    with pytest.raises(InputError, match="not an Ed25519 public key"):
        read_public_key(data, "k")


def test_a_private_key_is_read_and_an_encrypted_or_foreign_one_refused() -> None:
    plain = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read_private_key(plain, "k").private_bytes_raw() == bytes(range(32))
    locked = PRIVATE.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    other = _EC.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for data in (locked, other, PEM, b"", b"\xff"):
        with pytest.raises(InputError, match="not an Ed25519 private key"):
            read_private_key(data, "k")


def test_a_signature_is_raw_or_base64() -> None:
    raw = bytes(range(64))
    assert read_signature(raw, "s") == read_signature(base64.b64encode(raw) + b"\n", "s") == raw
    for data in (b"", b"?", base64.b64encode(raw[:63]), raw + b"x"):
        with pytest.raises(InputError, match="not an Ed25519 signature"):
            read_signature(data, "s")


ONE, TWO, THREE = date(2026, 12, 1), date(2027, 1, 1), date(2027, 2, 1)


def test_the_version_of_a_day_is_the_last_issued_by_then() -> None:
    issues = [
        Issue(directive="d", version="2", issued=TWO, begins=TWO, revoked=THREE),
        Issue(directive="d", version="1", issued=ONE, begins=ONE),
        Issue(directive="e", version="9", issued=THREE, begins=THREE),
    ]
    assert in_force(issues, "d", date(2026, 12, 31)).version == "1"
    assert in_force(issues, "d", TWO).version == "2"
    assert in_force(issues, "d", THREE).version == "1"  # a revocation brings back what was superseded
    with pytest.raises(NotFoundError, match="revoked"):
        in_force([Issue(directive="d", version="1", issued=ONE, begins=ONE, revoked=TWO)], "d", TWO)
    with pytest.raises(NotFoundError, match="no version"):
        in_force(issues, "d", date(2026, 11, 30))


def to(
    org: int, slug: str, since: date = ONE, until: date | None = None, standing: str = "binding"
) -> Addressed:
    return Addressed(org=org, slug=slug, name=slug, standing=standing, since=since, until=until)  # type: ignore[arg-type]


def test_who_is_addressed_follows_the_days() -> None:
    entries = [to(1, "a", until=TWO, standing="advisory"), to(1, "a", TWO), to(2, "b", THREE)]
    assert {o: e.standing for o, e in addressed_on(entries, ONE).items()} == {1: "advisory"}
    assert {o: e.standing for o, e in addressed_on(entries, TWO).items()} == {1: "binding"}
    assert set(addressed_on(entries, THREE)) == {1, 2}
    notes = [
        Acknowledgement(org=1, version="1", by="x", on=TWO),
        Acknowledgement(org=1, version="1", by="y", on=ONE),
    ]
    assert acknowledged_on(notes, "1", ONE)[1].by == "y"
    assert acknowledged_on(notes, "2", THREE) == {}


COUNTS = count([("3D", "overdue"), ("3D", "overdue"), ("3D", "due")], ["3D"])


def on(day: int) -> date:
    return date(2026, 12, day)


def shared(org: int, kind: str, as_of: date, received: date | None = None) -> SharedReport:
    return SharedReport(org=org, kind=kind, as_of=as_of, received=received or as_of, counts=COUNTS)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reports", "as_of", "punctuality", "days_late"),
    [
        pytest.param([], on(14), "not_due", 0, id="the first is due seven days after the duty begins"),
        pytest.param([], on(15), "not_shared", 1, id="then none was shared"),
        pytest.param([], on(25), "not_shared", 11, id="and that is so many days ago"),
        pytest.param([shared(1, "seven_day", on(1))], on(14), "on_time", 0, id="who reports early is due no sooner"),
        pytest.param([shared(1, "seven_day", on(1))], on(16), "late", 2, id="and is late like others"),
        pytest.param([shared(1, "seven_day", on(13))], on(20), "on_time", 0, id="the seventh day"),
        pytest.param([shared(1, "seven_day", on(13))], on(22), "late", 2, id="two days late"),
        pytest.param(
            [shared(1, "seven_day", on(13)), shared(1, "seven_day", on(20), on(23))],
            on(22), "late", 2, id="what came later was not there yet",
        ),
        pytest.param([shared(1, "overdue", on(20))], on(20), "not_shared", 6, id="another report"),
        pytest.param([shared(2, "seven_day", on(20))], on(20), "not_shared", 6, id="another's"),
    ],
)  # fmt: skip
def test_when_a_report_is_late(
    reports: list[SharedReport], as_of: date, punctuality: str, days_late: int
) -> None:
    asked = duties("bod-26-04").reports
    view = compliance("bod-26-04", "1", asked, [to(1, "a", date(2026, 6, 10))], [], reports, as_of=as_of)
    (line,) = (r for r in view.organisations[0].reports if r.kind == "seven_day")
    assert (line.punctuality, line.days_late) == (punctuality, days_late)


def test_from_whom_a_directive_is_advice_no_report_is_due() -> None:
    asked = duties("bod-26-04").reports
    given = [shared(2, "seven_day", on(13))]
    who = [to(1, "a", ONE, standing="advisory"), to(2, "b", ONE, standing="advisory"), to(3, "c", ONE)]
    view = compliance("bod-26-04", "1", asked, who, [], given, as_of=date(2027, 6, 1))
    silent, sharing, bound = view.organisations
    assert {(r.punctuality, r.next_due, r.days_late) for r in silent.reports} == {("not_asked", None, 0)}
    (line,) = (r for r in sharing.reports if r.kind == "seven_day")
    assert (line.punctuality, line.last, line.next_due) == ("not_asked", on(13), None)
    assert sharing.counts == COUNTS, "what it shares is seen all the same"
    assert {r.punctuality for r in bound.reports} == {"not_shared"}
    assert (view.late, view.not_shared) == (0, 1)
    validated("directive-compliance", as_json(view))
    rows = [row.split(",") for row in compliance_csv(view).decode().splitlines()]
    assert {row[rows[0].index("next_due")] for row in rows if "advisory" in row} == {""}


def test_a_seven_day_report_meets_the_two_week_duty_and_quarters_have_until_their_end() -> None:
    asked = duties("bod-26-04").reports
    given = [shared(1, "seven_day", date(2026, 12, 20)), shared(1, "addresses", date(2026, 11, 3))]
    view = compliance(
        "bod-26-04", "1", asked, [to(1, "a", date(2026, 6, 10))], [], given, as_of=date(2027, 3, 31)
    )
    lines = {r.kind: r for r in view.organisations[0].reports}
    assert (lines["two_week"].last, lines["two_week"].next_due) == (date(2026, 12, 20), date(2027, 1, 3))
    assert (lines["addresses"].punctuality, lines["addresses"].next_due) == ("on_time", date(2027, 3, 31))
    after = compliance("bod-26-04", "1", asked, [to(1, "a")], [], given, as_of=date(2027, 4, 1))
    assert {r.kind: r.punctuality for r in after.organisations[0].reports}["addresses"] == "late"


def test_what_is_revoked_becomes_no_later_than_it_was() -> None:
    asked = duties("bod-26-04").reports
    given = [shared(1, "seven_day", on(13))]
    for as_of in (on(23), date(2027, 6, 1)):
        view = compliance("bod-26-04", "1", asked, [to(1, "a", ONE)], [], given, as_of=as_of, revoked=on(23))
        (line,) = (r for r in view.organisations[0].reports if r.kind == "seven_day")
        assert (view.revoked, line.punctuality, line.days_late) == (on(23), "late", 2)
        validated("directive-compliance", as_json(view))
    before = compliance("bod-26-04", "1", asked, [], [], given, as_of=on(22), revoked=on(23))
    assert before.revoked is None


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("1.9", "1.10"),
        ("1.0", "1.0.1"),
        ("2026-06-10", "2026-12-01"),
        ("1", "2 (corrected)"),
        ("1.0a", "1.0b"),
    ],
)
def test_versions_are_ordered_by_their_numbers(lower: str, higher: str) -> None:
    assert order_of(lower) < order_of(higher)


def test_the_view_is_by_its_schema_and_sums_only_what_was_shared() -> None:
    notes = [Acknowledgement(org=1, version="1", by="x", on=ONE)]
    view = compliance(
        "bod-26-04", "1", duties("bod-26-04").reports, [to(1, "=a"), to(2, "b")], notes,
        [shared(1, "seven_day", TWO)], as_of=THREE,
    )  # fmt: skip
    validated("directive-compliance", as_json(view))
    assert (view.addressed, view.acknowledged, view.late, view.not_shared) == (2, 1, 1, 2)
    assert view.counts == COUNTS
    assert view.organisations[1].counts == {}
    lines = compliance_csv(view).decode().splitlines()
    assert len(lines) == 1 + 2 * 3
    assert ",'=a," in lines[1]


def test_duties_are_data_and_a_bad_file_says_so() -> None:
    assert [step.to_hours for step in duties("bod-26-04").triage] == [2, 24, 24, 24, 48, 72]
    with pytest.raises(NotFoundError, match="no duties known"):
        duties("../bod-26-04")
    for data in (b"[" * 100_000, b"{}", b"\xff"):
        with pytest.raises(InputError, match="not a file of duties"):
            read_duties(data, "x")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"url": "javascript:alert(1)"}, "no web address"),
        ({"clock": {"starts": ["moonrise"], "retier": ["original_start"]}}, "the clock starts with"),
        ({"clock": {"starts": [], "retier": ["original_start"]}}, "the clock starts with"),
        ({"days": -1}, "-1 days"),
        ({"days": 10**15}, "days"),
        ({"code": "3D\n<b>"}, "can't name"),
        ({"code": "x" * 61}, "can't name"),
        ({"twice": True}, "twice"),
    ],
    ids=["a script for an address", "an event nobody knows", "nothing starts it", "days before the start",
         "beyond the calendar", "markup for a tier", "a name beyond what is shown", "a policy twice"],
)  # fmt: skip
def test_a_signature_is_no_reason_to_take_a_table_that_nobody_can_date_by(
    wrong: dict[str, Any], said: str
) -> None:
    made = msgspec.json.decode((Path(directives.__file__).parent / "data" / "bod-26-04.json").read_bytes())
    if "days" in wrong:
        made["outcomes"][1]["days"] = wrong["days"]
    elif "code" in wrong:
        made["outcomes"].append({"code": wrong["code"], "name": "x", "days": 1})
    elif "twice" in wrong:
        made["policies"].append(made["policies"][0])
    else:
        made |= wrong
    with pytest.raises(InputError, match=said):
        parse(msgspec.json.encode(made), "directive")


def test_the_calendars_ends_are_days_like_others() -> None:
    assert quarter_of(date.max)[1].last == date.max
    assert later(date.max, 1) == date.max
    assert later(date.min, -1) == date.min
    assert later(date(2026, 12, 31), 1) == date(2027, 1, 1)
