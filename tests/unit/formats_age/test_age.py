"""Files that age opens: vectors made by other implementations, and whatever is written comes back or is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.formats import age, bech32
from clearway.records.errors import ClearwayError, InputError, IntegrityError, TooLargeError

# The format's own example of a pair of keys (C2SP, age.md).
IDENTITY = "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX"
RECIPIENT = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
# Written by rage (pyrage 1.4.0) for that recipient, with a stanza of another kind beside it, as the format allows.
BY_RAGE = """
YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IFgyNTUxOSBOMDVqeEErQU1scVBUWDVoNjUrcEg4N1Zy
dGY5N0x3UEl2cDlKaFY3UlF3CllmZkxLYjNnL2U3cm5Yang1cHBGMGZtdTZyamxlUnJ6RUtqVkZr
V1VRQXMKLT4gaVlsLWdyZWFzZSB8UmxqZD4yJCBgRiFhJXd2ClY3Z04veEQ2Sjc0MDhRb3dENVgv
WWVFR2c4azc1NklUckY0L2JMdXVYYjJOU2cKLS0tIHJEUGZQL1JpVmJ5WnNmNDZURUx1WXl6NnVU
aVJFT0UxWWxvQ2Z0bFBDWWcKarMMOyJLCPcdO3tlWKq9F1qQB4DqyJoQVgITEmIVX7d6XA4ifily
B/Cqa1LgXlI=
"""


def test_the_formats_own_pair_of_keys_belongs_together() -> None:
    private = bech32.decode(IDENTITY, "age-secret-key-", 32, "x")
    assert private == b"\x42" * 32
    public = X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()
    assert bech32.encode(public, "age") == RECIPIENT
    assert bech32.decode(RECIPIENT, "age", 32, "x") == public


def test_what_another_implementation_has_written_opens() -> None:
    assert age.decrypt(base64.b64decode(BY_RAGE), identities=[IDENTITY]) == b"written by rage"


@given(st.integers(0, 3), st.integers(-2, 2), st.booleans())
@settings(deadline=None, max_examples=30)
def test_what_is_written_comes_back_around_the_ends_of_chunks(chunks: int, off: int, wrapped: bool) -> None:
    data = b"\xa5" * max(0, chunks * 65_536 + off)
    how = {"recipients": [RECIPIENT]} if wrapped else {"passphrase": "p"}
    file = age.encrypt(data, work=2, **how)  # type: ignore[arg-type]
    opened = {"identities": [IDENTITY]} if wrapped else {"passphrase": "p"}
    assert age.decrypt(file, **opened) == data  # type: ignore[arg-type]


FILE = age.encrypt(b"x" * 70_000, recipients=[RECIPIENT])


@given(st.integers(0, len(FILE) - 1), st.integers(1, 255))
@settings(deadline=None)
def test_one_changed_byte_anywhere_opens_nothing(at: int, by: int) -> None:
    changed = FILE[:at] + bytes([FILE[at] ^ by]) + FILE[at + 1 :]
    with pytest.raises((InputError, IntegrityError)):
        age.decrypt(changed, identities=[IDENTITY])


@given(st.integers(0, len(FILE) - 1))
@settings(deadline=None)
def test_a_file_that_breaks_off_opens_nothing(end: int) -> None:
    with pytest.raises((InputError, IntegrityError)):
        age.decrypt(FILE[:end], identities=[IDENTITY])


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_place(data: bytes) -> None:
    with pytest.raises(ClearwayError) as caught:
        age.decrypt(b"age-encryption.org/v1\n-> " + data, identities=[IDENTITY], passphrase="p")
    assert caught.value.where


def test_another_key_or_passphrase_does_not_open_it() -> None:
    other = bech32.encode(X25519PrivateKey.generate().private_bytes_raw(), "age-secret-key-").upper()
    with pytest.raises(IntegrityError, match="not for this key"):
        age.decrypt(FILE, identities=[other])
    assert age.decrypt(FILE, identities=[other, IDENTITY]).startswith(b"x")
    under = age.encrypt(b"x", passphrase="right", work=2)
    with pytest.raises(IntegrityError):
        age.decrypt(under, passphrase="wrong")
    with pytest.raises(IntegrityError):
        age.decrypt(under, identities=[IDENTITY])


def test_many_may_be_recipients_and_each_opens_it_alone() -> None:
    made = [X25519PrivateKey.generate() for _ in range(3)]
    publics = [bech32.encode(k.public_key().public_bytes_raw(), "age") for k in made]
    file = age.encrypt(b"for three", recipients=publics)
    for key in made:
        text = bech32.encode(key.private_bytes_raw(), "age-secret-key-").upper()
        assert age.decrypt(file, identities=[text]) == b"for three"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        RECIPIENT[:-1],
        RECIPIENT[:-1] + "q",
        RECIPIENT.replace("z", "Z", 1),
        IDENTITY,
        "age1" + "q" * 300,
    ],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        age.encrypt(b"x", recipients=[text])


@pytest.mark.parametrize(
    "how", [{}, {"recipients": [RECIPIENT], "passphrase": "p"}, {"recipients": [RECIPIENT] * 101}]
)
def test_a_file_is_for_recipients_or_under_a_passphrase(how: dict[str, object]) -> None:
    with pytest.raises(InputError):
        age.encrypt(b"x", **how)  # type: ignore[arg-type]


def test_a_passphrase_that_would_take_an_hour_is_not_tried() -> None:
    head = (
        b"age-encryption.org/v1\n-> scrypt "
        + b"A" * 22
        + b" 40\n"
        + b"A" * 43
        + b"\n--- "
        + b"A" * 43
        + b"\n"
    )
    with pytest.raises(InputError, match="rounds"):
        age.decrypt(head + b"\0" * 40, passphrase="p")


def test_what_is_too_large_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(age, "MAX_BYTES", 10)
    with pytest.raises(TooLargeError):
        age.encrypt(b"x" * 11, passphrase="p")
    with pytest.raises(TooLargeError):
        age.decrypt(b"x" * 100_000, passphrase="p")
