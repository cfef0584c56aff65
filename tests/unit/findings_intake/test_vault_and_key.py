"""What is sealed opens for its subject and label alone; the desk's key signs, and its file is its owner's alone."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearway.findings.desk_key import DeskKey, PublicKey, opened, payload_of, public_key, public_keys
from clearway.findings.vault import OVERHEAD_BYTES, Vault
from clearway.records.errors import ConfigError, InputError, IntegrityError, NotFoundError

TYPE = "application/vnd.example+json"


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault.of_home(tmp_path)


def test_what_is_sealed_opens_and_shows_nothing(vault: Vault) -> None:
    sealed = vault.seal("finding/A", b"the proof", label="input/1")
    assert b"proof" not in sealed
    assert len(sealed) == len(b"the proof") + OVERHEAD_BYTES
    assert vault.open("finding/A", sealed, label="input/1") == b"the proof"
    assert vault.seal("finding/A", b"the proof", label="input/1") != sealed


@given(data=st.binary(max_size=300), at=st.integers(0, 1_000), bit=st.integers(0, 7))
@settings(max_examples=60)
def test_a_single_bit_that_is_changed_is_noticed(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int, bit: int
) -> None:
    vault = Vault(tmp_path_factory.getbasetemp() / "one-vault")
    sealed = bytearray(vault.seal("finding/A", data, label="x"))
    sealed[at % len(sealed)] ^= 1 << bit
    with pytest.raises(IntegrityError):
        vault.open("finding/A", bytes(sealed), label="x")


@pytest.mark.parametrize(
    ("subject", "label"),
    [("finding/B", "input/1"), ("finding/A", "input/2")],
    ids=["another subject", "another label"],
)
def test_sealed_bytes_do_not_open_elsewhere(vault: Vault, subject: str, label: str) -> None:
    sealed = vault.seal("finding/A", b"x", label="input/1")
    vault.seal("finding/B", b"y", label="input/1")
    with pytest.raises(IntegrityError):
        vault.open(subject, sealed, label=label)


@pytest.mark.parametrize("sealed", [b"", b"CWV1", b"x" * 100])
def test_bytes_that_were_never_sealed_are_refused(vault: Vault, sealed: bytes) -> None:
    vault.seal("finding/A", b"x", label="l")
    with pytest.raises(IntegrityError):
        vault.open("finding/A", sealed, label="l")


def test_without_its_key_nothing_opens_and_the_error_says_where_keys_are(
    vault: Vault, tmp_path: Path
) -> None:
    sealed = vault.seal("finding/A", b"x", label="l")
    with pytest.raises(NotFoundError, match="vault/"):
        Vault.of_home(tmp_path / "another").open("finding/A", sealed, label="l")
    assert vault.destroy("finding/A") is True
    assert vault.destroy("finding/A") is False
    with pytest.raises(NotFoundError):
        vault.open("finding/A", sealed, label="l")


def test_keys_are_their_owners_alone_and_their_names_tell_nothing(vault: Vault) -> None:
    vault.seal("finding/CWF-7Q4K-9M2X", b"x", label="l")
    (key,) = vault.folder.rglob("*.key")
    assert key.stat().st_mode & 0o077 == 0
    assert key.parent.stat().st_mode & 0o077 == 0
    assert "7Q4K" not in str(key.relative_to(vault.folder))
    assert list(vault.folder.rglob(".new.*")) == []
    key.chmod(0o644)
    with pytest.raises(ConfigError, match="read by others"):
        vault.seal("finding/CWF-7Q4K-9M2X", b"x", label="l")
    key.chmod(0o600)
    key.write_bytes(b"short")
    with pytest.raises(ConfigError, match="no key of the vault"):
        vault.seal("finding/CWF-7Q4K-9M2X", b"x", label="l")


def test_many_who_seal_for_one_subject_at_once_have_one_key(vault: Vault) -> None:
    sealed: list[bytes] = []
    begin = threading.Barrier(8)

    def work() -> None:
        begin.wait()
        sealed.append(vault.seal("finding/A", b"x", label="l"))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [vault.open("finding/A", one, label="l") for one in sealed] == [b"x"] * 8


def test_an_envelope_is_dsse_and_verifies_with_the_public_key_alone(tmp_path: Path) -> None:
    key = DeskKey.of_home(tmp_path)
    envelope = key.envelope(TYPE, b'{"a":1}')
    assert json.loads(envelope).keys() == {"payload", "payloadType", "signatures"}
    assert opened(envelope, [public_key(key.public.public)], TYPE) == (b'{"a":1}', key.public)
    assert DeskKey.of_home(tmp_path).public == key.public
    assert payload_of(envelope) == (TYPE, b'{"a":1}')


def test_the_signature_covers_type_and_payload(tmp_path: Path) -> None:
    key = DeskKey.of_home(tmp_path)
    envelope = json.loads(key.envelope(TYPE, b"one"))
    for changed in ({"payloadType": TYPE + "x"}, {"payload": "dHdv"}):
        with pytest.raises(IntegrityError):
            opened(
                json.dumps({**envelope, **changed}).encode(), [key.public], changed.get("payloadType", TYPE)
            )


_SIGNED = b'{"keyid":"a","sig":"YQ=="}'
BROKEN = [
    b"",
    b"[]",
    b"{}",
    b"[" * 9_999,
    b'{"payload":"!","payloadType":"x","signatures":[{"keyid":"a","sig":"b"}]}',
    b'{"payload":"YQ==","payloadType":"x","signatures":[]}',
    b'{"payload":"YQ==","payloadType":"x","signatures":[' + _SIGNED + b"," + _SIGNED + b"]}",
]


@pytest.mark.parametrize("data", BROKEN)
def test_what_is_no_envelope_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError):
        opened(data, [DeskKey.of_home(tmp_path).public], TYPE)


@pytest.mark.parametrize(
    "pem", ["", "nonsense", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "x" * 99_999]
)
def test_what_is_no_key_is_refused(pem: str) -> None:
    with pytest.raises(InputError):
        public_key(pem)


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
        s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo
    )  # fmt: skip
    with pytest.raises(InputError, match="Ed25519"):
        public_key(pem.decode())


def test_a_key_that_claims_anothers_id_is_refused(tmp_path: Path) -> None:
    key, other = DeskKey.of_home(tmp_path / "a"), DeskKey.of_home(tmp_path / "b")
    envelope = key.envelope(TYPE, b"x")
    with pytest.raises(InputError, match="not its own"):
        opened(envelope, [PublicKey(key_id=key.public.key_id, public=other.public.public)], TYPE)


def test_a_desk_key_that_others_can_read_or_that_is_missing_is_not_used(tmp_path: Path) -> None:
    DeskKey.of_home(tmp_path)
    file = tmp_path / "desk" / "desk.key"
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        DeskKey.of_home(tmp_path)
    file.chmod(0o600)
    file.write_text("nonsense")
    with pytest.raises(ConfigError, match="no Ed25519 key"):
        DeskKey.of_home(tmp_path)
    with pytest.raises(ConfigError, match="no key of the desk"):
        DeskKey.of_home(tmp_path / "empty", make=False)


def test_a_file_may_hold_every_key_that_signs_or_has_signed(tmp_path: Path) -> None:
    known = [DeskKey.of_home(tmp_path / name).public for name in ("old", "new")]
    pem = "".join(key.public for key in known).encode()
    answer = json.dumps({"keys": [{"key_id": k.key_id, "public": k.public, "retired": None} for k in known]})
    for data in (pem, b"# the desk's\r\n" + pem, answer.encode()):
        assert [key.key_id for key in public_keys(data)] == [key.key_id for key in known]
    envelope = DeskKey.of_home(tmp_path / "old").envelope("text/x", b"said")
    assert opened(envelope, public_keys(pem), "text/x")[1].key_id == known[0].key_id
    for data in (b"", b"{}", b'{"keys": []}', b"no key", pem * 51, pem[:40], b'{"keys": [{"public": "x"}]}'):
        with pytest.raises(InputError):
            public_keys(data)
