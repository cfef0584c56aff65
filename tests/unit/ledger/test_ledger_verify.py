"""The verifier: what is wrong is found, and the first bad leaf is named."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from msgspec.structs import replace

from clearway.ledger import check, log_keys
from clearway.ledger.bundle import Bundle
from clearway.ledger.checkpoint import Epoch, of_note
from clearway.ledger.leaf import Opening, content_hash, header_hash, leaf_of
from clearway.ledger.note import Note, SigningKey, parse
from clearway.ledger.tiles import Tile
from clearway.ledger.tree_store import LogKey
from clearway.ledger.verify import verify
from clearway.ledger.verify_report import Report
from clearway.records.errors import InputError, TooLargeError
from ledger_log import KEY, MemoryLog, flipped

SIZE = 700  # three bundles, the last of them partial
BAD = 301


def log() -> MemoryLog:
    return MemoryLog.of(SIZE, batches=(100, 200, 400))


def bad(found: MemoryLog, **how: object) -> Report:
    report = verify(found, **how)  # type: ignore[arg-type]
    assert not report.ok
    assert report.reasons
    return report


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 700])
def test_a_whole_log_verifies_and_says_what_was_checked(size: int) -> None:
    found = MemoryLog.of(size)
    report = verify(found, key=KEY.public, pending=3)
    assert report.ok
    assert (report.size, report.first_bad, report.opened, report.closed) == (size, None, 2 * size, 0)
    assert (report.pinned, report.checkpoints, report.pending, report.reasons) == (True, 1, 3, ())


def test_withheld_headers_and_contents_do_not_matter_and_are_counted() -> None:
    found = log()
    found.opened[5] = Opening(6, None, None, found.opened[5].content, found.opened[5].content_salt)
    found.opened[6] = Opening(7)
    report = verify(found)
    assert (report.ok, report.opened, report.closed) == (True, 2 * SIZE - 3, 3)
    assert not report.pinned


def test_what_is_withheld_is_named_and_only_an_entry_that_says_erased_explains_it() -> None:
    found = log()
    found.opened[5] = Opening(6)
    assert verify(found).withheld == (5,)
    assert bad(found, complete=True).first_bad == 5
    explained = log()
    explained.erase(5, "header", "content")
    report = verify(explained, complete=True)
    assert (report.ok, report.withheld, report.closed, report.erased) == (True, (), 2, 2)
    explained.opened[6] = Opening(7)
    report = bad(explained, complete=True)
    assert (report.withheld, report.closed, report.erased) == ((6,), 4, 2)


def test_a_log_that_is_shorter_than_what_was_signed_here_is_found_without_a_witness() -> None:
    batches = (100, 200, 400)
    whole = MemoryLog.of(SIZE, batches=batches, salt=b"s")
    last = of_note(parse(whole.notes()[-1]))
    assert verify(whole, last=last).ok
    assert bad(MemoryLog.of(300, batches=batches[:2], salt=b"s"), last=last).first_bad == 300
    header = '{"act":"asset.added","subject":"asset/other"}'
    rewritten = MemoryLog.of(SIZE, batches=batches, salt=b"s", headers={650: header})
    assert "what was signed here" in bad(rewritten, last=last).reasons[0]


def spoil_leaf(at: int) -> Callable[[MemoryLog], None]:
    def change(found: MemoryLog) -> None:
        found.leaves[BAD] = flipped(found.leaves[BAD], at)

    return change


def spoil_opening(**parts: str | bytes) -> Callable[[MemoryLog], None]:
    def change(found: MemoryLog) -> None:
        one = found.opened[BAD]
        found.opened[BAD] = Opening(
            one.entry,
            *(
                parts.get(name, getattr(one, name))
                for name in ("header", "header_salt", "content", "content_salt")
            ),  # type: ignore[arg-type]
        )

    return change


def spoil_tile(tile: Tile, at: int) -> Callable[[MemoryLog], None]:
    def change(found: MemoryLog) -> None:
        found.tiles[tile] = flipped(found.tiles[tile], at)

    return change


def drop(found: MemoryLog) -> None:
    del found.leaves[BAD]


def insert(found: MemoryLog) -> None:
    found.leaves.insert(BAD, found.leaves[0])


def reorder(found: MemoryLog) -> None:
    found.leaves[BAD], found.leaves[BAD + 1] = found.leaves[BAD + 1], found.leaves[BAD]


def cut(found: MemoryLog) -> None:
    found.leaves[BAD] = found.leaves[BAD][:40]


def lose_bundle(found: MemoryLog) -> None:
    del found.leaves[BAD:]


EXACT: dict[str, Callable[[MemoryLog], None]] = {
    "a byte of a leaf's length": spoil_leaf(1),
    "a byte of its fixed part": spoil_leaf(5),
    "a byte of the header's commitment": spoil_leaf(20),
    "a byte of the content's commitment": spoil_leaf(80),
    "a byte of the leaf's hash in its tile": spoil_tile(Tile(0, 1), (BAD - 256) * 32 + 7),
    "a header": spoil_opening(header='{"act":"asset.removed"}'),
    "a header's salt": spoil_opening(header_salt=b"s" * 32),
    "a content": spoil_opening(content='{"n":1}'),
    "a content's salt": spoil_opening(content_salt=b"s" * 32),
    "a salt that is cut": spoil_opening(content_salt=b"s"),
    "a leaf that is dropped": drop,
    "a leaf that is put in": insert,
    "two leaves that change places": reorder,
    "a leaf that is cut": cut,
    "all leaves from there on": lose_bundle,
}


@pytest.mark.parametrize("what", EXACT)
def test_the_first_bad_leaf_is_named_when_what_is_spoilt_is(what: str) -> None:
    found = log()
    EXACT[what](found)
    report = bad(found)
    assert report.first_bad == BAD
    assert str(BAD) in report.reasons[0]


def test_a_salt_without_its_text_is_wrong_too() -> None:
    found = log()
    one = found.opened[BAD]
    found.opened[BAD] = Opening(one.entry, None, one.header_salt, one.content, one.content_salt)
    assert bad(found).first_bad == BAD


def test_of_several_bad_leaves_the_first_is_named() -> None:
    found = log()
    for at in (600, BAD, 302):
        found.leaves[at] = flipped(found.leaves[at], 50)
    assert bad(found).first_bad == BAD


def test_where_leaf_and_tile_agree_the_tile_above_tells_the_bundle() -> None:
    found = log()
    found.leaves[BAD] = flipped(found.leaves[BAD], 50)
    from clearway.ledger.leaf import leaf_hashes

    tile = found.tiles[Tile(0, 1)]
    found.tiles[Tile(0, 1)] = leaf_hashes(b"".join(found.leaves[256:512]))
    assert len(tile) == len(found.tiles[Tile(0, 1)])
    found.opened[BAD] = Opening(BAD + 1)
    report = bad(found)
    assert report.first_bad == 256
    assert "leaves 256 to 511" in report.reasons[0]


def test_a_spoilt_tile_above_is_found() -> None:
    found = log()
    spoil_tile(Tile(1, 0), 33)(found)
    assert bad(found).first_bad == 256


def test_a_missing_tile_above_is_found() -> None:
    found = log()
    del found.tiles[Tile(1, 0)]
    assert bad(found).first_bad == 0


def rewritten(found: MemoryLog) -> None:
    """Somebody with the database and the signing key changes an entry and makes all the rest fit."""
    one = found.opened[BAD]
    content = '{"n":"changed"}'
    assert one.header is not None
    assert one.header_salt is not None
    assert one.content_salt is not None
    found.opened[BAD] = Opening(one.entry, one.header, one.header_salt, content, one.content_salt)
    leaf = leaf_of(header_hash(one.header_salt, one.header), content_hash(one.content_salt, content))
    found.leaves[BAD] = len(leaf).to_bytes(2, "big") + leaf
    found.rebuild()


def test_a_log_rewritten_with_its_own_key_verifies_alone_and_is_caught_by_the_witness() -> None:
    found = log()
    kept = found.checkpoints[-1]
    rewritten(found)
    assert verify(found, key=KEY.public).ok, "nothing in the log itself tells"
    report = bad(found, key=KEY.public, witnesses=[kept])
    assert report.first_bad == 0, "a root tells that something is wrong, not which leaf"
    assert "from 0 to 699" in report.reasons[0]
    assert [w.ok for w in report.witnesses] == [False]


def test_the_newest_root_that_agrees_narrows_down_where_a_log_was_rewritten() -> None:
    found = log()
    kept = found.checkpoints
    rewritten(found)
    report = bad(found, witnesses=[kept[1], kept[2]])
    assert report.first_bad == 300
    assert [w.ok for w in report.witnesses] == [True, False]


def test_a_log_that_is_shorter_than_what_the_witness_has_seen_is_caught() -> None:
    kept = MemoryLog.of(SIZE, batches=(100, 200, 400), salt=b"s").checkpoints.pop()
    report = bad(MemoryLog.of(300, batches=(100, 200), salt=b"s"), witnesses=[kept])
    assert report.first_bad == 300
    assert "has seen 700 entries, the log has 300" in report.reasons[0]


def without_newest(found: MemoryLog) -> None:
    found.checkpoints.pop()


def without_any(found: MemoryLog) -> None:
    found.checkpoints.clear()


def with_an_altered_one(found: MemoryLog) -> None:
    newest = found.checkpoints[-1]
    found.checkpoints[-1] = Note(newest.text.replace("700", "701"), newest.signatures)


@pytest.mark.parametrize("spoil", [without_newest, without_any, with_an_altered_one])
@pytest.mark.parametrize("bundled", [False, True], ids=["on-line", "from a bundle"])
def test_a_checkpoint_that_is_gone_or_altered_makes_no_leaf_bad(
    spoil: Callable[[MemoryLog], None], bundled: bool, tmp_path: Path
) -> None:
    found = log()
    kept = found.checkpoints[-1]
    spoil(found)

    def told(**how: object) -> Report:
        if not bundled:
            return verify(found, **how)  # type: ignore[arg-type]
        with Bundle(found.write(tmp_path / "log.zip")) as bundle:
            return verify(bundle, **how)  # type: ignore[arg-type]

    for how in ({"witnesses": [kept]}, {"last": of_note(kept)}):
        report = told(**how)
        assert (report.ok, report.first_bad) == (False, None), report.reasons
        assert any("the checkpoint of 700 entries is gone or altered" in r for r in report.reasons)
        assert report.opened == 2 * SIZE, "what it covered is checked all the same"
    assert told().first_bad is None, "nor without anybody's copy"
    # What is wrong with a leaf is still told of that leaf.
    found.opened[BAD] = Opening(BAD + 1, "{}", b"s" * 32, "", b"s" * 32)
    assert told(witnesses=[kept]).first_bad == BAD


def test_two_checkpoints_that_do_not_fit_together_are_a_fork() -> None:
    found = log()
    other = MemoryLog.of(SIZE, salt=b"o")
    found.checkpoints.append(other.checkpoints[0])
    report = bad(found)
    assert report.first_bad == 300, "the last root that both have"
    assert any("has another root" in reason for reason in report.reasons)


def test_the_witness_key_must_have_signed_a_checkpoint_of_this_tree() -> None:
    witness = SigningKey("witness.example", "cosignature", b"w" * 32)
    found = log()
    bad(found, witnesses=[witness.public])
    note = found.checkpoints[1]
    found.checkpoints[1] = note.with_signatures([witness.cosign(note.text, 1_795_000_000)])
    report = verify(found, witnesses=[witness.public])
    assert report.ok
    assert [(w.name, w.size, w.time, w.ok) for w in report.witnesses] == [
        ("witness.example", 300, 1_795_000_000, True)
    ]
    forged = SigningKey("witness.example", "cosignature", b"f" * 32).cosign(note.text, 1)
    found.checkpoints[1] = Note(note.text, (*note.signatures, replace(forged, key_id=witness.public.key_id)))
    assert "does not hold" in bad(found, witnesses=[witness.public]).reasons[0]


def test_another_key_s_signature_is_none() -> None:
    found = log()
    other = SigningKey(KEY.name, "ed25519", b"o" * 32)
    assert "not signed" in bad(found, key=other.public).reasons[0]
    found.checkpoints[-1] = found.note(SIZE, other)
    assert not verify(found, key=KEY.public).ok


def test_a_forged_signature_is_found() -> None:
    found = log()
    note = found.checkpoints[-1]
    one = note.signatures[0]
    found.checkpoints[-1] = Note(note.text, (replace(one, body=flipped(one.body, 3)),))
    assert "does not hold" in bad(found, key=KEY.public).reasons[0]


def test_a_spoilt_root_in_the_checkpoint_is_found() -> None:
    found = log()
    text = found.checkpoints[-1].text
    wrong = text.replace(text.split("\n")[2], found.checkpoints[0].text.split("\n")[2])
    found.checkpoints[-1] = Note(wrong, (KEY.sign(wrong),))
    assert bad(found).first_bad == 300


def follow(found: MemoryLog, *keys: SigningKey) -> None:
    """Each key follows the one before it, which endorses it; the first is the log's own."""
    for number, (by, key) in enumerate(pairwise(keys), 2):
        found.log_keys.append(
            LogKey(
                number=number, vkey=key.public.text(), endorsement=log_keys.endorse(by, key), retired=False
            )
        )


def test_keys_are_followed_from_the_pinned_one_by_endorsements() -> None:
    found = log()
    second = SigningKey(KEY.name, "ed25519", b"2" * 32)
    third = SigningKey(KEY.name, "ml-dsa-87", b"3" * 32)
    stranger = SigningKey(KEY.name, "ed25519", b"4" * 32)
    follow(found, KEY, second, third)
    found.key = second
    found.checkpoints.append(found.note(SIZE))
    report = verify(found, key=KEY.public)
    assert report.ok
    assert len(report.keys) == 3
    assert not verify(found, key=stranger.public).ok
    found.key = stranger
    found.log_keys.append(
        LogKey(
            number=4,
            vkey=stranger.public.text(),
            endorsement=log_keys.endorse(stranger, stranger),
            retired=False,
        )
    )
    found.checkpoints.append(found.note(SIZE))
    assert not verify(found, key=KEY.public).ok, "who endorses himself is not endorsed"
    found.log_keys[-1] = replace(found.log_keys[-1], endorsement=log_keys.endorse(KEY, second))
    assert "about another key" in bad(found, key=KEY.public).reasons[0]


def test_a_newer_key_of_the_chain_is_taken_and_what_was_signed_before_it_is_said() -> None:
    found = log()
    second = SigningKey(KEY.name, "ed25519", b"2" * 32)
    third = SigningKey(KEY.name, "ed25519", b"3" * 32)
    follow(found, KEY, second, third)
    found.key = third
    found.add(5)
    for key, older in ((KEY, 0), (second, 3), (third, 3)):
        report = verify(found, key=key.public, own=third.public)
        assert (report.ok, report.older, report.pinned) == (True, older, True), report.reasons
    # The older key proves nothing on its own: what it alone has signed is not believed, and no leaf by it.
    found.key = KEY
    found.add(5)
    assert "not signed by the log's key" in bad(found, key=third.public).reasons[0]
    assert verify(found, key=KEY.public).ok


def test_a_key_that_only_says_it_came_before_proves_nothing() -> None:
    second = SigningKey(KEY.name, "ed25519", b"2" * 32)
    forger = SigningKey(KEY.name, "ed25519", b"f" * 32)
    found = log()
    endorsed = log_keys.endorse(forger, second)
    found.log_keys = [
        LogKey(number=1, vkey=forger.public.text(), endorsement="", retired=True),
        LogKey(number=2, vkey=second.public.text(), endorsement=endorsed, retired=False),
    ]
    found.checkpoints = [found.note(SIZE, forger)]
    assert "no checkpoint signed by the log's key" in " ".join(bad(found, key=second.public).reasons)


def test_the_key_that_signs_here_must_be_one_of_the_log() -> None:
    other = SigningKey(KEY.name, "ed25519", b"o" * 32)
    assert "signs here" in bad(log(), own=other.public).reasons[0]


def test_a_restart_that_lost_entries_says_so_and_the_witness_holds_it_to_that() -> None:
    found = log()
    seen = found.checkpoints[-1]
    found.restart(300)  # the backup had 300 entries; the log goes on from there
    found.add(20)
    report = verify(found, witnesses=[seen])
    assert report.ok, report.reasons
    assert [(e.epoch, e.old_size, e.kept, e.lost) for e in report.epochs] == [(2, SIZE, 300, 400)]
    found.add(600)  # larger than before, and another tree
    assert verify(found, witnesses=[seen]).ok
    found.epoch = Epoch(number=2, old_size=SIZE, old_root=b"x" * 32, kept=300)
    found.sign()
    assert not verify(found, witnesses=[seen]).ok, "it gives up a tree that nobody saw"


def test_an_epoch_that_the_checkpoint_does_not_name_is_found() -> None:
    found = log()
    found.epoch = Epoch(number=2, old_size=SIZE, old_root=found.root(SIZE), kept=SIZE)
    assert "another epoch" in bad(found).reasons[0]


def test_an_empty_log_has_nothing_to_verify_and_says_so() -> None:
    report = bad(MemoryLog())
    assert (report.size, report.first_bad) == (0, None)


@pytest.mark.parametrize("opened", [True, False])
def test_a_bundle_says_the_same_as_the_log_it_was_made_of(tmp_path: Path, opened: bool) -> None:
    found = log()
    path = found.write(tmp_path / "log.zip", opened=opened)
    report = check.verify_file(str(path), key=KEY.public.text(), witnesses=[])
    assert report.ok
    assert (report.size, report.checkpoints) == (SIZE, 3)
    assert (report.opened, report.closed) == ((2 * SIZE, 0) if opened else (0, 2 * SIZE))
    with Bundle(path) as bundle:
        assert bundle.manifest.opened is opened


@pytest.mark.parametrize("what", EXACT)
def test_a_spoilt_bundle_names_the_same_leaf(tmp_path: Path, what: str) -> None:
    found = log()
    EXACT[what](found)
    report = check.verify_file(str(found.write(tmp_path / "log.zip")), key=None, witnesses=[])
    assert (report.ok, report.first_bad) == (False, BAD)


def test_what_a_bundle_says_beyond_the_log_is_refused(tmp_path: Path) -> None:
    """A byte behind a tile, or a word of `log.json` that nobody reads, would stand in a file that verifies."""
    path = log().write(tmp_path / "log.zip")
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    wide = [name for name in parts if name.startswith("tile/")]
    assert {name.split("/")[1] for name in wide} == {"entries", "0", "1"}
    longer = {name: (parts[name] + b"\n", TooLargeError) for name in wide}
    misspelt = {"log.json": (parts["log.json"].replace(b'"witnesses"', b'"witnesres"'), InputError)}
    for number, (name, (body, error)) in enumerate({**longer, **misspelt}.items()):
        changed = tmp_path / f"{number}.zip"
        with zipfile.ZipFile(changed, "w") as file:
            for part, data in parts.items():
                file.writestr(part, body if part == name else data)
        with pytest.raises(error):
            check.verify_file(str(changed), key=None, witnesses=[])


def test_the_same_log_makes_the_same_bundle(tmp_path: Path) -> None:
    found = log()
    first = found.write(tmp_path / "a.zip").read_bytes()
    assert found.write(tmp_path / "b.zip").read_bytes() == first


def test_witness_and_key_are_taken_from_files(tmp_path: Path) -> None:
    found = log()
    bundle = found.write(tmp_path / "log.zip")
    (tmp_path / "copy").write_text(found.checkpoints[1].render())
    (tmp_path / "key").write_text(KEY.public.text() + "\n")
    report = check.verify_file(str(bundle), key=str(tmp_path / "key"), witnesses=[str(tmp_path / "copy")])
    assert report.ok
    assert [(w.size, w.ok) for w in report.witnesses] == [(300, True)]
