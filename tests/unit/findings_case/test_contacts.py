"""security.txt and security policies: what they say is read, whatever else is in them."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.findings.case import contacts
from clearway.records.errors import InputError

NOW = datetime(2026, 11, 26, tzinfo=UTC)
# RFC 9116 §2.6 has one of this form.
TXT = b"""# Our security address
Contact: mailto:security%40example.org
Contact: https://example.org/report
Contact: tel:+1-201-555-0123
Expires: 2027-01-01T00:00:00Z
Encryption: https://example.org/key.txt
Preferred-Languages: en, es
Policy: https://example.org/policy
"""


def test_a_file_of_the_standard_is_read() -> None:
    said = contacts.read_security_txt(TXT, "https://example.org/.well-known/security.txt")
    assert [(c.email, c.url) for c in said.contacts] == [
        ("security@example.org", ""),
        ("", "https://example.org/report"),
    ]
    assert not said.expired(NOW)
    assert said.expired(datetime(2027, 1, 1, tzinfo=UTC))
    assert said.policy == "https://example.org/policy"
    assert said.languages == "en, es"


@pytest.mark.parametrize(
    ("text", "expired"),
    [
        (b"Contact: mailto:a@example.org\n", True),  # does not say when
        (b"Contact: mailto:a@example.org\nExpires: soon\n", True),
        (
            b"Contact: mailto:a@example.org\nExpires: 2027-01-01T00:00:00Z\nExpires: 2028-01-01T00:00:00Z\n",
            True,
        ),
        (b"CONTACT: a@example.org\r\nexpires: 2027-06-01T00:00:00+02:00\r\n", False),
    ],
)
def test_a_file_without_one_valid_end_is_not_relied_on(text: bytes, expired: bool) -> None:
    assert contacts.read_security_txt(text, "x").expired(NOW) is expired


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xfe", b"<html>not found</html>", b"Contact: javascript:alert(1)"]
)
def test_what_names_no_contact_is_none(data: bytes) -> None:
    with pytest.raises(InputError):
        contacts.read_security_txt(data, "x")


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with suppress(InputError):
        contacts.read_security_txt(data, "x")
    contacts.read_policy(data, "x")


def test_a_policy_names_its_addresses_once() -> None:
    text = b"Mail security@example.org or <security@example.org>, not user@localhost or @handle."
    assert [c.email for c in contacts.read_policy(text, "x")] == ["security@example.org"]


def test_where_a_repository_keeps_its_policy() -> None:
    found = contacts.places("", "https://github.com/owner/name.git")
    assert found[0] == "https://raw.githubusercontent.com/owner/name/HEAD/SECURITY.md"
    assert contacts.places("Example.org.")[0] == "https://example.org/.well-known/security.txt"


@pytest.mark.parametrize(
    ("domain", "repository"),
    [
        ("localhost", ""), ("127.0.0.1", ""), ("a b.org", ""), ("example.org/../x", ""), ("example.org:22", ""),
        ("", "http://github.com/a/b"), ("", "https://github.com/a"), ("", "https://github.com/../.."),
        ("", "https://internal/a/b"), ("", "https://[::bad"), ("", "https://github.com@evil.org/a/b"),
    ],
)  # fmt: skip
def test_what_is_no_domain_or_repository_is_not_asked(domain: str, repository: str) -> None:
    with pytest.raises(InputError):
        contacts.places(domain, repository)


SIGNATURE = b"""-----BEGIN PGP SIGNATURE-----

iHUEARYIAB0WIQ
-----END PGP SIGNATURE-----
"""
INSIDE = b"Contact: mailto:in@example.org\nExpires: 2027-01-01T00:00:00Z\n"
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + INSIDE + SIGNATURE


@pytest.mark.parametrize(
    "data",
    [
        SIGNED,
        b"\xef\xbb\xbf" + SIGNED,
        b"Contact: mailto:before@example.org\n" + SIGNED,
        SIGNED + b"Contact: mailto:after@example.org\nExpires: 2028-01-01T00:00:00Z\n",
        SIGNED.replace(b"Hash: SHA256", b"Contact: mailto:header@example.org"),
        SIGNED.replace(b"iHUE", b"Contact: mailto:armour@example.org\niHUE"),
        SIGNED.replace(
            b"Contact: mailto:in", b"- Contact: mailto:in"
        ),  # dash-escaped, as RFC 9580 §7.1 has it
        SIGNED.replace(b"\n", b"\r\n"),
    ],
)
def test_of_a_signed_file_what_is_signed_alone_counts(data: bytes) -> None:
    said = contacts.read_security_txt(data, "x")
    assert [(c.email, c.signed) for c in said.contacts] == [("in@example.org", True)]
    assert said.signed
    assert said.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert "signed" in said.contacts[0].why


@pytest.mark.parametrize(
    "data",
    [
        SIGNED + SIGNED,
        SIGNED.replace(SIGNATURE, b""),
        INSIDE + SIGNATURE,
        SIGNED.replace(b"-----END PGP SIGNATURE-----", b""),
        SIGNATURE + SIGNED,
        b"-----BEGIN PGP SIGNED MESSAGE-----\n" + INSIDE + SIGNATURE,
    ],
)
def test_a_file_whose_frame_is_broken_is_not_relied_on(data: bytes) -> None:
    with pytest.raises(InputError, match="frame"):
        contacts.read_security_txt(data, "x")


def test_an_address_counts_once_and_a_byte_order_mark_hides_none() -> None:
    data = b"\xef\xbb\xbf" + b"Contact: mailto:a@example.org\n" * 9 + b"Contact: A@EXAMPLE.org\n" * 9
    data += b"Contact: https://example.org/report\n" * 9 + b"Contact: mailto:b@example.org\n"
    said = contacts.read_security_txt(data, "x")
    assert [c.email or c.url for c in said.contacts] == [
        "a@example.org",
        "https://example.org/report",
        "b@example.org",
    ]
    assert not any(c.signed for c in said.contacts)
