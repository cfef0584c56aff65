"""Signed notes, keys and checkpoints, as C2SP writes them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from clearway.ledger import checkpoint as c
from clearway.ledger import note as n
from clearway.ledger.checkpoint import Checkpoint, Epoch
from clearway.ledger.keys import Signer, load_or_make
from clearway.ledger.memory import remember
from clearway.records.errors import ClearwayError, ConfigError, InputError, IntegrityError

# The example of the Go package golang.org/x/mod/sumdb/note.
PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
# C2SP tlog-cosignature's example of a checkpoint.
BEHIND_THE_SOFA = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
)
SEED = bytes(range(32))


def test_a_note_of_another_implementation_is_verified() -> None:
    assert n.verified(n.parse(NOTE), n.parse_key(PETER)) == 0


def test_a_note_is_written_as_it_was_read() -> None:
    assert n.parse(NOTE).render() == NOTE
    assert n.parse(BEHIND_THE_SOFA).render() == BEHIND_THE_SOFA
    assert n.parse_key(PETER).text() == PETER


def test_a_signature_that_does_not_hold_is_an_error_and_one_of_another_key_is_none() -> None:
    with pytest.raises(IntegrityError, match="PeterNeumann"):
        n.verified(n.parse(NOTE.replace("problem is", "problem was")), n.parse_key(PETER))
    other = n.SigningKey("PeterNeumann", "ed25519", SEED).public
    assert n.verified(n.parse(NOTE), other) is None


def test_the_published_checkpoint_and_its_co_signature_are_read() -> None:
    checkpoint, note = c.read(BEHIND_THE_SOFA)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20852163)
    assert checkpoint.root == base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert [s.name for s in note.signatures] == ["example.com/behind-the-sofa", "witness.example.com/w1"]
    assert int.from_bytes(note.signatures[1].body[:8], "big") == 1679315147  # the time in the standard's text
    assert n.cosigned(note.text, 1679315147).decode() == (
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n"
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    )


@pytest.mark.parametrize("kind", ["ed25519", "ml-dsa-87"])
def test_what_a_key_signs_its_public_half_verifies(kind: n.Kind) -> None:
    key = n.SigningKey("log.example", kind, SEED)
    note = n.Note("a\nb\n", (key.sign("a\nb\n"),))
    assert n.verified(n.parse(note.render()), n.parse_key(key.public.text())) == 0
    with pytest.raises(IntegrityError):
        n.verified(n.Note("a\nc\n", note.signatures), key.public)


def test_a_co_signature_says_when_and_holds_for_that_time_alone() -> None:
    key = n.SigningKey("witness.example", "cosignature", SEED)
    line = key.cosign("a\n", 1_795_000_000)
    assert n.verified(n.Note("a\n", (line,)), key.public) == 1_795_000_000
    later = n.Signature(line.name, line.key_id, (1_795_000_001).to_bytes(8, "big") + line.body[8:])
    with pytest.raises(IntegrityError):
        n.verified(n.Note("a\n", (later,)), key.public)


def test_the_same_seed_is_another_key_as_log_and_as_witness() -> None:
    ids = {n.SigningKey("x", kind, SEED).public.key_id for kind in ("ed25519", "cosignature", "ml-dsa-87")}
    assert len(ids) == 3


@pytest.mark.parametrize("kind", ["ed25519", "cosignature", "ml-dsa-87"])
def test_a_signing_key_is_kept_in_one_line(kind: n.Kind) -> None:
    key = n.SigningKey("log.example", kind, SEED)
    assert n.SigningKey.parse(key.text()).public == key.public


@pytest.mark.parametrize(
    "text",
    ["", "x", "a\n\n", "a\n\n— b\n", "a\n\n— b !!\n", "a\n\n— b AAAA\n", "a\n\n- b AAAAAAAA\n", "a\n\n— b c AAAAAAAA\n",
     "a\x00\n\n— b AAAAAAAA\n", "a\n\n— b AAAAAAAA", "a\n\n" + "— b AAAAAAAA\n" * 33,
     "a" * 300_000 + "\n\n— b AAAAAAAA\n"],
)  # fmt: skip
def test_what_is_no_note_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        n.parse(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(InputError):
        n.parse(b"\xff\n\n\xe2\x80\x94 b AAAAAAAA\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b+c",
        PETER.replace("c74f", "c74e"),
        PETER[:-8],
        PETER + "AAAA",
        "a b" + PETER[12:],
        "x+00000000+AAAA",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        n.parse_key(text)


def test_a_broken_signing_key_is_refused_without_a_word_of_it() -> None:
    text = n.SigningKey("log.example", "ed25519", SEED).text()
    secret = text.strip().rpartition("+")[2]
    for broken in (text.replace("+log", "+lag"), text[:-6], text[8:], "PRIVATE+KEY+a", ""):
        with pytest.raises(InputError) as raised:
            n.SigningKey.parse(broken)
        assert secret[:12] not in str(raised.value)


EPOCH = Epoch(number=2, old_size=9, old_root=b"r" * 32, kept=7)


@pytest.mark.parametrize("epoch", [None, EPOCH])
@pytest.mark.parametrize("extensions", [(), ("something of another",)])
def test_a_checkpoint_is_written_as_it_was_read(epoch: Epoch | None, extensions: tuple[str, ...]) -> None:
    made = Checkpoint(origin="log", size=12, root=b"x" * 32, epoch=epoch, extensions=extensions)
    assert c.of_note(n.Note(made.text())) == made


@pytest.mark.parametrize(
    "change",
    [("12\n", "012\n"), ("12\n", "-1\n"), ("12\n", "1e3\n"), ("12\n", "99999999999999999999\n"), ("12\n", ""),
     ("eHh4", "eHh"), ("log\n", "\n"), ("7\n", "10\n"), ("epoch 2", "epoch 1"), ("7\n", "7\n\nx\n")],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(change: tuple[str, str]) -> None:
    text = Checkpoint(origin="log", size=12, root=b"x" * 32, epoch=EPOCH).text()
    spoilt = text.replace(*change, 1)
    assert spoilt != text
    try:
        read = c.of_note(n.Note(spoilt))
    except InputError:
        return
    assert read.epoch is None, "a line that is no epoch is somebody else's line"
    assert change[0] in ("7\n", "epoch 2")


def test_a_key_file_is_private_and_made_once(tmp_path: Path) -> None:
    first = load_or_make(tmp_path / "ledger" / "log.key", "log", "ed25519")
    again = load_or_make(tmp_path / "ledger" / "log.key", "log", "ed25519")
    assert first.public == again.public
    assert (tmp_path / "ledger" / "log.key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700


def test_a_key_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    load_or_make(tmp_path / "log.key", "log", "ed25519")
    (tmp_path / "log.key").chmod(0o644)
    with pytest.raises(ConfigError, match="rotate"):
        load_or_make(tmp_path / "log.key", "log", "ed25519")


def test_a_key_behind_a_link_is_not_used(tmp_path: Path) -> None:
    load_or_make(tmp_path / "real.key", "log", "ed25519")
    (tmp_path / "log.key").symlink_to(tmp_path / "real.key")
    with pytest.raises(ClearwayError):
        load_or_make(tmp_path / "log.key", "log", "ed25519")


def test_the_last_signed_checkpoint_is_remembered_and_a_torn_file_says_nothing(tmp_path: Path) -> None:
    signer = Signer.of_home(tmp_path, "log")
    assert signer.last() is None
    made = Checkpoint(origin="log", size=3, root=b"x" * 32)
    remember(signer.folder, signer.sign(made))
    assert signer.last() == made
    (tmp_path / "ledger" / "signed").write_bytes(b"log\n3\n\xff")
    assert signer.last() is None


def test_the_key_of_another_log_is_not_used(tmp_path: Path) -> None:
    Signer.of_home(tmp_path, "log")
    with pytest.raises(ConfigError, match="for the log"):
        Signer.of_home(tmp_path, "another")
