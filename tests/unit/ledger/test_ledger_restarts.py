"""Restarts, held against all that was seen: what one says it kept is proved, or is said to be its opener's word."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.ledger import check
from clearway.ledger.bundle import Bundle
from clearway.ledger.checkpoint import MOST_EPOCHS, Checkpoint, Epoch, of_note, read
from clearway.ledger.note import Note
from clearway.ledger.seen import MOST, Seen, Sight, contradicts, given_up, seen, thinned, untold
from clearway.ledger.verify import verify
from clearway.ledger.witness import Witness
from clearway.records.errors import InputError, IntegrityError
from ledger_log import KEY, ORIGIN, MemoryLog

NOW = 1_795_000_000
SIZE = 700
hashes = st.binary(min_size=32, max_size=32)


def cosign(witness: Witness, log: MemoryLog, epoch: int = 0) -> int:
    text = log.checkpoints[-1].render()
    return witness.cosign(text, log.prove, KEY.public, NOW, accept_epoch=epoch)[0].size


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(tmp_path / "witness", "w.example")


def watched(witness: Witness) -> MemoryLog:
    """A log of 700 that the witness has seen at 100, 300 and 700."""
    log = MemoryLog()
    for count in (100, 200, 400):
        log.add(count)
        cosign(witness, log)
    return log


def copy_of(witness: Witness) -> Path:
    (path,) = witness.folder.glob("*.checkpoint")
    return path


# Somebody with the database and the key: forges an entry, and calls what follows an honest restore.


def test_a_restart_that_kept_everything_must_have_the_root_that_it_names(witness: Witness) -> None:
    log = watched(witness)
    last = log.checkpoints[-1]
    log.restart(SIZE, forged=[5])
    log.add(20)
    alone = verify(log, key=KEY.public)
    assert not alone.ok, "nobody else's copy is needed"
    assert "epoch 2 kept whole" in " ".join(alone.reasons)
    assert not verify(log, key=KEY.public, witnesses=[last]).ok
    for accepted in (0, 2):
        with pytest.raises(IntegrityError, match="begin"):
            cosign(witness, log, accepted)


@pytest.mark.parametrize(
    ("forged", "found"), [(5, True), (150, True), (299, True), (300, False), (500, False)]
)
def test_what_was_seen_of_before_a_restart_proves_all_that_it_reaches(
    witness: Witness, forged: int, found: bool
) -> None:
    log = watched(witness)
    log.restart(SIZE - 1, forged=[forged])
    log.add(20)
    report = verify(log, key=KEY.public, witnesses=[check.witness_of(str(copy_of(witness)))])
    assert (report.ok, report.witnesses[0].ok) == (not found, not found)
    assert report.witnesses[0].proved == {5: 0, 150: 100}.get(forged, 100 if forged < 300 else 300)
    if found:
        assert "the witness's copy" in report.reasons[0]
        with pytest.raises(IntegrityError, match="begin"):
            cosign(witness, log, 2)
    else:
        # Beyond what was seen and kept there is the opener's word alone: this is said before anybody accepts it.
        assert report.epochs[0].proved == 300
        with pytest.raises(
            IntegrityError, match="proved up to 300 by what was seen, and entries 300 to 698 rest on the word"
        ):
            cosign(witness, log)


def test_a_single_copy_that_was_given_up_is_taken_and_says_that_it_proves_nothing(tmp_path: Path) -> None:
    log = MemoryLog.of(SIZE, batches=(300, 400))
    copy, middle = log.checkpoints[-1], log.checkpoints[0]
    log.restart(SIZE - 1, forged=[5])
    report = verify(log, key=KEY.public, witnesses=[copy])
    (told,) = report.witnesses
    assert (report.ok, told.ok, told.proved, told.given_up) == (True, True, 0, 1)
    assert report.epochs[0].proved == 0
    file = tmp_path / "shown"
    with file.open("w") as out:
        check.show(report, out)
    said = file.read_text()
    assert (
        "proved up to 0 entries by what it has seen; of what it has seen, the last 1 were given up by a restore"
        in said
    )
    assert "is the word of who opened it" in said
    assert "vouches" not in said
    assert not verify(log, key=KEY.public, witnesses=[middle]).ok, "an older one finds it"


def test_a_home_holds_a_restart_to_all_that_it_has_signed() -> None:
    log = MemoryLog.of(SIZE, batches=(300, 400))
    home = Seen(origin=ORIGIN, name="", sights=tuple(Sight.of(of_note(note)) for note in log.checkpoints))
    log.restart(SIZE - 1, forged=[5])
    assert "what was signed here" in verify(log, signed_here=home).reasons[0]


# Honest restores.


def test_after_two_honest_restores_a_copy_from_before_the_first_still_fits(witness: Witness) -> None:
    log = watched(witness)
    copy = log.checkpoints[-1]
    log.restart(350)
    log.add(20)
    log.restart(360)
    log.add(5)
    for one in (copy, check.witness_of(str(copy_of(witness)))):
        report = verify(log, key=KEY.public, witnesses=[one])
        assert report.ok, report.reasons
        assert report.witnesses[0].given_up == 350
    assert [(e.epoch, e.kept, e.lost, e.proved) for e in report.epochs] == [
        (2, 350, 350, 300),
        (3, 360, 11, 300),
    ]
    with pytest.raises(IntegrityError, match=r"gone since epoch 2.*--accept-epoch 2"):
        cosign(witness, log)
    with pytest.raises(IntegrityError):
        cosign(witness, log, 4)
    assert cosign(witness, log, 3) == log.size, "the newest is more than is asked for"
    log.add(1)
    assert cosign(witness, log) == log.size, "what was accepted is not asked again"


def test_of_two_restores_that_each_lost_what_was_seen_the_second_is_to_be_accepted(witness: Witness) -> None:
    log = watched(witness)
    log.restart(650)
    assert cosign(witness, log, 2) == 651
    log.add(20)
    cosign(witness, log)
    log.restart(660)
    log.restart(200)
    with pytest.raises(
        IntegrityError, match=r"since epoch 3; entries 200.*since epoch 4; the log is proved up to 100"
    ):
        cosign(witness, log)
    for short in (2, 3):
        with pytest.raises(IntegrityError):
            cosign(witness, log, short)
    assert cosign(witness, log, 4) == 201


def test_a_copy_of_between_what_was_kept_and_what_was_given_up_fits(witness: Witness) -> None:
    log = watched(witness)
    log.add(50)  # nobody saw these
    log.restart(600)
    report = verify(log, witnesses=[check.witness_of(str(copy_of(witness)))])
    assert (report.ok, report.witnesses[0].proved, report.witnesses[0].given_up) == (True, 300, 100)
    assert cosign(witness, log, 2) == 601


def test_a_restart_that_names_less_than_was_seen_is_no_honest_one(witness: Witness) -> None:
    log = watched(witness)
    forged = MemoryLog.of(500, batches=(100, 200, 200))
    forged.leaves[:300], forged.opened[:300] = log.leaves[:300], log.opened[:300]
    forged.rebuild()
    forged.restart(400)
    copy = check.witness_of(str(copy_of(witness)))
    assert "gave up 500 entries, and 700 were seen" in " ".join(verify(forged, witnesses=[copy]).reasons)
    with pytest.raises(IntegrityError, match="gave up 500 entries, and 700 were seen"):
        cosign(witness, forged, 2)


def test_a_witness_of_a_later_epoch_than_the_log_tells_of_is_not_satisfied(witness: Witness) -> None:
    log = watched(witness)
    log.restart(SIZE)
    cosign(witness, log)
    copy = check.witness_of(str(copy_of(witness)))
    older = watched(Witness(witness.folder.with_name("other"), "o"))
    older.leaves[:], older.opened[:] = log.leaves[:SIZE], log.opened[:SIZE]
    older.rebuild()
    older.add(30)
    assert not verify(older, witnesses=[copy]).ok
    with pytest.raises(IntegrityError, match="became of epoch 2"):
        cosign(witness, older)


def test_an_epoch_that_was_seen_is_not_told_otherwise_later(witness: Witness) -> None:
    log = watched(witness)
    log.restart(650)
    cosign(witness, log, 2)
    log.epoch = Epoch(number=2, old_size=SIZE, old_root=log.chain[0].old_root, kept=10)
    log.sign()
    with pytest.raises(IntegrityError, match="another than the one seen"):
        cosign(witness, log, 2)


def test_a_witness_of_an_older_release_goes_on_with_what_it_has(witness: Witness) -> None:
    log = watched(witness)
    (file,) = witness.folder.glob("*.seen")
    file.unlink()
    assert witness.seen(ORIGIN).sights == (Sight.of(of_note(log.checkpoints[-1])),)
    log.restart(650)
    with pytest.raises(IntegrityError, match="proved up to 0"):
        cosign(witness, log)
    cosign(witness, log, 2)
    assert [s.size for s in seen(file.read_text()).sights] == [SIZE, 651]


def test_a_log_of_an_older_release_that_names_the_newest_epoch_alone_is_asked_again(witness: Witness) -> None:
    log = watched(witness)
    log.restart(350)
    log.restart(351)
    before, log.chain = log.chain, log.chain[1:]
    log.sign()
    with pytest.raises(IntegrityError, match=r"became of epoch 1.*once the log has grown"):
        cosign(witness, log, 3)
    log.chain = before
    log.add(1)
    assert cosign(witness, log, 3) == log.size


# What the log tells of its restarts.


def test_the_entry_of_a_restart_must_have_the_numbers_that_checkpoints_have() -> None:
    log = MemoryLog.of(50)
    log.restart(40)
    assert verify(log).ok
    other = MemoryLog.of(50)
    other.restart(40, told=False)
    assert "no entry tells of epoch 2" in " ".join(verify(other).reasons)
    log.epoch = Epoch(number=2, old_size=50, old_root=log.chain[0].old_root, kept=39)
    log.sign()
    assert "has other numbers" in " ".join(verify(log).reasons)


def test_older_epochs_are_those_that_checkpoints_name(tmp_path: Path) -> None:
    log = MemoryLog.of(50)
    log.restart(40)
    log.restart(41)
    path = log.write(tmp_path / "log.zip", opened=False)
    with Bundle(path) as bundle:
        assert [e.number for e in bundle.epochs()] == [2, 3]
        assert verify(bundle).ok
    second = log.chain[0]
    log.chain[0] = Epoch(number=2, old_size=50, old_root=second.old_root, kept=4)
    assert "names epoch 2 otherwise" in " ".join(verify(log).reasons)
    log.chain = log.chain[1:]
    assert "not one after the other" in " ".join(verify(log).reasons)


epochs = st.builds(
    lambda old, root, kept: (old, root, min(old, kept)), st.integers(0, 10**9), hashes, st.integers(0, 10**9)
)


@given(st.lists(epochs, max_size=MOST_EPOCHS + 5), st.integers(0, 10**12), hashes)
def test_a_checkpoint_names_its_restarts_and_is_read_as_it_was_written(
    told: list[tuple[int, bytes, int]], size: int, root: bytes
) -> None:
    chain = [Epoch(number=n, old_size=o, old_root=r, kept=k) for n, (o, r, k) in enumerate(told, 2)]
    made = Checkpoint.of(ORIGIN, size, root, chain)
    back, _ = read(Note(made.text(), (KEY.sign(made.text()),)).render())
    assert back == made
    assert back.chain == tuple(chain[-MOST_EPOCHS:])


def test_epochs_that_are_not_one_after_the_other_are_no_checkpoint() -> None:
    text = Checkpoint(
        origin=ORIGIN, size=3, root=b"r" * 32, epoch=Epoch(number=4, old_size=3, old_root=b"o" * 32, kept=1),
        before=(Epoch(number=2, old_size=3, old_root=b"o" * 32, kept=1),),
    ).text()  # fmt: skip
    with pytest.raises(InputError, match="one after the other"):
        read(Note(text, (KEY.sign(text),)).render())


# The file of what was seen.

sights = st.builds(
    lambda e, s, r: Sight(epoch=e, size=s, root=r), st.integers(1, 99), st.integers(0, 10**9), hashes
)


@given(st.lists(sights, max_size=20))
def test_what_was_seen_is_read_as_it_was_written_and_a_torn_end_costs_one_line(lines: list[Sight]) -> None:
    made = Seen(origin=ORIGIN, name="w", sights=tuple(lines))
    assert seen(made.text()) == made
    torn = made.text()[:-5]
    with pytest.raises(InputError):
        seen(torn)
    if lines:
        assert seen(torn, torn=True).sights == made.sights[:-1]


@pytest.mark.parametrize("text", ["", "x", "clearway-ledger-seen-1\n", "clearway-ledger-seen-1\n\nw\n",
                                  "clearway-ledger-seen-1\no\nw\n1 2 3\n", "clearway-ledger-seen-1\no\nw\n" + "1 2 "
                                  + "A" * 44 + "\n"])  # fmt: skip
def test_what_is_no_list_of_what_was_seen_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        seen(text)


def test_old_sights_thin_out_and_some_of_every_age_stay() -> None:
    kept = Seen(origin=ORIGIN, name="w", sights=())
    many = tuple(Sight(epoch=1, size=n, root=b"r" * 32) for n in range(5 * MOST))
    for at in range(0, len(many), MOST // 2):
        kept = Seen(origin=ORIGIN, name="w", sights=thinned((*kept.sights, *many[at : at + MOST // 2])))
        assert len(kept.sights) <= MOST
    sizes = [s.size for s in kept.sights]
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(many) - 1
    assert all(b - a <= max(1, (len(many) - a) / 2) for a, b in pairwise(sizes)), "dense where it is new"
    assert sizes[0] == 0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=6), sights)
def test_a_sight_is_kept_when_every_later_restart_kept_as_much(
    told: list[tuple[int, int]], sight: Sight
) -> None:
    sight = Sight(epoch=sight.epoch % 8 + 1, size=sight.size % 60, root=sight.root)
    chain = [
        Epoch(number=n, old_size=max(a, b), old_root=b"o" * 32, kept=min(a, b))
        for n, (a, b) in enumerate(told, 2)
    ]
    later = [e for e in chain if e.number > sight.epoch]
    gone = given_up(chain, sight)
    assert (gone is None) == all(e.kept >= sight.size for e in later)
    if gone is not None and sight.size < gone.old_size:
        assert contradicts(gone, sight) == ""
    assert untold(chain, sight) == (sight.epoch > len(chain) + 1)
    if len(later) > 1:
        assert untold(chain[:-2] + chain[-1:], sight)
