"""The witness: what it co-signs, and what it refuses to."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearway.ledger import note as n
from clearway.ledger.checkpoint import read
from clearway.ledger.note import SigningKey
from clearway.ledger.witness import Witness
from clearway.records.errors import ClearwayError, ConflictError, InputError, IntegrityError, NotFoundError
from ledger_log import KEY, ORIGIN, MemoryLog

NOW = 1_795_000_000


def cosign(witness: Witness, log: MemoryLog, *, at: int = NOW, epoch: int = 0) -> int:
    checkpoint, line = witness.cosign(
        log.checkpoints[-1].render(), log.prove, KEY.public, at, accept_epoch=epoch
    )
    note = log.checkpoints[-1].with_signatures([line])
    assert n.verified(note, witness.key.public) == at
    return checkpoint.size


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness", "witness.example")


def test_a_log_that_grows_is_co_signed_each_time_and_the_copy_is_kept(witness: Witness) -> None:
    log = MemoryLog()
    for count in (1, 5, 300, 1000):
        log.add(count)
        assert cosign(witness, log) == log.size
    assert cosign(witness, log, at=NOW + 60) == log.size, "the same size again"
    kept = witness.last(ORIGIN)
    assert kept is not None
    assert kept[0] == read(log.checkpoints[-1].render())[0]
    assert n.verified(kept[1], witness.key.public) == NOW + 60
    again = Witness(witness.folder, "another name does not matter now")
    assert again.key.public == witness.key.public


def test_a_rewritten_log_is_not_co_signed_even_with_its_own_signature(witness: Witness) -> None:
    log = MemoryLog.of(300)
    cosign(witness, log)
    other = MemoryLog.of(400, salt=b"o")
    with pytest.raises(IntegrityError, match="does not begin"):
        cosign(witness, other)
    same = MemoryLog.of(300, salt=b"o")
    with pytest.raises(IntegrityError, match="two roots"):
        cosign(witness, same)
    assert cosign(witness, log) == 300, "what it saw stands"


def test_a_log_that_shrinks_is_not_co_signed(witness: Witness) -> None:
    log = MemoryLog.of(300, batches=(200, 100))
    cosign(witness, log)
    log.checkpoints.pop()
    with pytest.raises(ConflictError, match="300 were seen"):
        cosign(witness, log)


def test_a_proof_that_proves_nothing_is_refused(witness: Witness) -> None:
    log = MemoryLog.of(300)
    cosign(witness, log)
    log.add(100)
    for proof in ([], [b"x" * 32], log.prove(299, 400)):
        with pytest.raises(IntegrityError):
            witness.cosign(log.checkpoints[-1].render(), lambda *_, p=proof: p, KEY.public, NOW)  # type: ignore[misc]


def test_what_the_log_s_key_has_not_signed_is_refused(witness: Witness) -> None:
    log = MemoryLog.of(10)
    stranger = SigningKey(ORIGIN, "ed25519", b"s" * 32)
    with pytest.raises(IntegrityError, match="not signed"):
        witness.cosign(log.note(10, stranger).render(), log.prove, KEY.public, NOW)
    with pytest.raises(NotFoundError):
        witness.cosign(
            log.checkpoints[-1].render(), log.prove, SigningKey("other", "ed25519", b"s" * 32).public, NOW
        )
    assert witness.last(ORIGIN) is None


def restarted(log: MemoryLog, kept: int, old_root: bytes = b"") -> MemoryLog:
    log.restart(kept, old_root=old_root)
    log.add(9)
    return log


def test_a_restart_that_lost_nothing_seen_is_co_signed(witness: Witness) -> None:
    log = MemoryLog.of(300, batches=(200,))
    cosign(witness, log)
    log.add(100)
    assert cosign(witness, restarted(log, 250)) == 260


def test_a_restart_that_lost_what_was_seen_needs_a_person_who_accepts_it_by_number(witness: Witness) -> None:
    log = MemoryLog.of(300)
    cosign(witness, log)
    after = restarted(log, 250)
    with pytest.raises(IntegrityError, match="--accept-epoch 2"):
        cosign(witness, after)
    with pytest.raises(IntegrityError):
        cosign(witness, after, epoch=3)
    assert cosign(witness, after, epoch=2) == 260
    after.add(5)
    assert cosign(witness, after) == 265


def test_a_restart_that_gives_up_a_tree_nobody_saw_is_refused_whoever_accepts_it(witness: Witness) -> None:
    log = MemoryLog.of(300)
    cosign(witness, log)
    with pytest.raises(IntegrityError, match="another tree"):
        cosign(witness, restarted(log, 250, b"x" * 32), epoch=2)


def test_a_witness_that_has_lost_its_memory_does_not_begin_anew(witness: Witness) -> None:
    log = MemoryLog.of(10)
    cosign(witness, log)
    (file,) = witness.folder.glob("*.checkpoint")
    file.write_bytes(b"torn")
    with pytest.raises(InputError):
        cosign(witness, log)


def test_its_files_are_private(witness: Witness) -> None:
    cosign(witness, MemoryLog.of(3))
    assert {path.stat().st_mode & 0o777 for path in witness.folder.iterdir()} == {0o600}


@pytest.mark.parametrize("text", ["", "x", "a\n\n", "\n\n\n— a AAAAAAAA\n"])
def test_what_is_no_checkpoint_is_refused(witness: Witness, text: str) -> None:
    with pytest.raises(ClearwayError):
        witness.cosign(text, lambda *_: [], KEY.public, NOW)
