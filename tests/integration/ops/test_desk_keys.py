"""No backup holds the desk's keys; with the file of keys, and only with it, a restored desk opens what is sealed."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ops_program import clearway

from clearway.findings import artefact, kept, keyring
from clearway.findings.artefact import File
from clearway.findings.desk_key import DeskKey
from clearway.findings.intake import submit, sweep
from clearway.findings.lease.blind import BlindKey
from clearway.findings.vault import Vault
from clearway.formats import age
from clearway.records.errors import ConflictError, InputError, IntegrityError, NotFoundError
from clearway.store.connect import connect
from findings_world import Desk, Template
from report_documents import dump, own

PASSPHRASE = "twelve or more of them"
REPRODUCER = b"\x7fCWV: an input that nobody may read"


@pytest.fixture(scope="module")
def template(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Template]:
    made = Template(server, tmp_path_factory.mktemp("template") / "home")
    yield made
    made.close()


@pytest.fixture
def desk(template: Template, tmp_path: Path) -> Iterator[Desk]:
    for made, _ in template.copy(tmp_path / "desk" / "home"):
        BlindKey.of_home(made.home)
        yield made


def reported(desk: Desk, *, live: bool = True) -> str:
    """The handling id of a finding with a reproducer."""
    with desk.acting(desk.finder) as db:
        (taken,) = submit.submit(db, desk.tools, desk.lab, dump(own()), live=live).taken
    with desk.owner() as db:
        (number,) = db.execute(
            "select finding from clearway.finding where handling = %s", (taken.handling,)
        ).fetchone() or (0,)

        artefact.add(db, desk.vault, kept.by_id(db, number), File(kind="input", data=REPRODUCER, name="poc"))
    return taken.handling


def opened(url: str, home: Path, handling: str) -> bytes:

    with connect(url) as db:
        finding = kept.one(db, handling)
        (poc,) = [a for a in artefact.listed(db, finding.id, "input") if a.name == "poc"]
        return artefact.read(db, Vault.of_home(home), poc, logged=False)


@pytest.mark.slow
def test_backup_and_keys_restored_elsewhere_open_a_reproducer_and_neither_alone_does(
    desk: Desk, empty_database: Callable[[], str], tmp_path: Path
) -> None:
    handling = reported(desk)
    trial = reported(desk, live=False)
    url = desk.people.url
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    saved, keys = tmp_path / "one.backup", tmp_path / "desk.age"
    said = clearway(desk.home, url, "backup", str(saved))
    assert said.returncode == 0, said.stderr
    assert "not in it: the keys of the findings desk" in said.stdout
    assert "clearway finding keys export" in said.stdout
    done = clearway(
        desk.home, url, "finding", "keys", "export", str(keys), "--passphrase-file", str(secret), "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["keys"] == 2
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    for file in (saved.read_bytes(), keys.read_bytes()):
        for key in (desk.vault.key(name) for name in desk.vault.names()):
            assert key not in file
        assert b"PRIVATE KEY" not in file
    # What happens after both copies: a trial is over, and its key is destroyed.
    with desk.owner() as db:
        db.execute("update clearway.finding set received = received - interval '8 days' where not live")
        assert sweep.trials(db, desk.vault) == 1
    after = tmp_path / "two.backup"
    assert clearway(desk.home, url, "backup", str(after)).returncode == 0
    assert desk.acts().count("desk.keys_exported") == 1

    fresh, other = tmp_path / "fresh", empty_database()
    said = clearway(fresh, other, "restore", str(after))
    assert said.returncode == 0, said.stderr
    assert "clearway finding keys import" in said.stdout
    with pytest.raises(NotFoundError, match="not here"):
        opened(other, fresh, handling)
    wrong = tmp_path / "wrong"
    wrong.write_text("another passphrase")
    refused = clearway(fresh, other, "finding", "keys", "import", str(keys), "--passphrase-file", str(wrong))
    assert refused.returncode == 9, refused.stderr
    done = clearway(
        fresh, other, "finding", "keys", "import", str(keys), "--passphrase-file", str(secret), "--json"
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "added": 1, "there": 0, "destroyed": 0, "needless": 1, "files": ["desk/desk.key", "leases/blind.key"],
    }  # fmt: skip
    assert opened(other, fresh, handling) == REPRODUCER
    assert DeskKey.of_home(fresh, make=False).public.key_id == desk.key.public.key_id
    assert not (Vault.of_home(fresh)._path(f"finding/{trial}")).exists(), "nothing here needs it"
    again = clearway(
        fresh, other, "finding", "keys", "import", str(keys), "--passphrase-file", str(secret), "--json"
    )
    assert json.loads(again.stdout)["added"] == 0


def test_what_was_destroyed_here_does_not_come_back_from_an_older_file(desk: Desk) -> None:
    kept_one, gone = reported(desk), reported(desk)
    now = datetime.now(UTC)
    assert kept_one == gone  # the same bytes are one finding
    with desk.acting(desk.finder) as db:
        (other,) = submit.submit(db, desk.tools, desk.lab, dump(own(title="Another"))).taken
    before = keyring.collected(desk.home, now)
    assert desk.vault.destroy(f"finding/{other.handling}")
    with desk.owner() as db:
        wanted = keyring.needed(db)
    taken = keyring.put(desk.home, before, wanted)
    assert (taken.added, taken.destroyed, taken.there) == (0, 1, 1)
    assert not desk.vault.destroy(f"finding/{other.handling}")
    later = keyring.collected(desk.home, now)
    assert len(later.destroyed) == 1
    elsewhere = desk.home.parent / "elsewhere"
    assert keyring.put(elsewhere, before, wanted).added == 2, "an older copy knows of no destruction"
    assert keyring.put(elsewhere, later, wanted).destroyed == 0
    third = desk.home.parent / "third"
    keyring.put(third, later, wanted)
    assert keyring.put(third, before, wanted).destroyed == 1, "a newer file has told of it"


def test_another_key_here_is_never_overwritten(desk: Desk) -> None:
    reported(desk)
    keys = keyring.collected(desk.home, datetime.now(UTC))
    other = desk.home.parent / "other"
    DeskKey.of_home(other)
    with desk.owner() as db:
        wanted = keyring.needed(db)
    with pytest.raises(ConflictError, match="another key"):
        keyring.put(other, keys, wanted)
    assert Vault.of_home(other).names() == [], "nothing is written where one of them is another"


@pytest.mark.parametrize(
    ("what", "error"),
    [
        (lambda f: f[:-1], IntegrityError),
        (lambda f: f[:200] + bytes([f[200] ^ 1]) + f[201:], IntegrityError),
        (lambda f: b"age-encryption.org/v1\n", InputError),
        (lambda f: b"", InputError),
        (lambda f: age.encrypt(b"{}", passphrase=PASSPHRASE, work=4), InputError),
        (lambda f: age.encrypt(b"[" * 10_000, passphrase=PASSPHRASE, work=4), InputError),
    ],
)
def test_a_file_that_was_changed_or_is_none_brings_nothing(
    desk: Desk, what: Callable[[bytes], bytes], error: type[Exception]
) -> None:
    file = keyring.encrypted(keyring.collected(desk.home, datetime.now(UTC)), passphrase=PASSPHRASE, work=4)
    assert keyring.opened(file, passphrase=PASSPHRASE).desk
    with pytest.raises(error):
        keyring.opened(what(file), passphrase=PASSPHRASE)


def test_a_short_passphrase_and_a_home_without_keys_are_refused(desk: Desk, tmp_path: Path) -> None:
    keys = keyring.collected(desk.home, datetime.now(UTC))
    with pytest.raises(InputError, match="short"):
        keyring.encrypted(keys, passphrase="eleven char")
    with pytest.raises(NotFoundError):
        keyring.collected(tmp_path / "nothing", datetime.now(UTC))
    said = clearway(tmp_path / "nothing", desk.people.url, "finding", "keys", "export", str(tmp_path / "x"))
    assert said.returncode == 6, said.stderr
    assert not (tmp_path / "x").exists()


def test_nobody_is_asked_where_nobody_is(desk: Desk, tmp_path: Path) -> None:
    said = clearway(desk.home, desk.people.url, "finding", "keys", "export", str(tmp_path / "x"))
    assert (said.returncode, (tmp_path / "x").exists()) == (2, False), said.stderr
