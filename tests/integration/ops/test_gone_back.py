"""A database that its server's own tools have restored: nothing in it ends by itself before somebody has looked."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clearway import ledger
from clearway.access import embargo, restored, tasks
from clearway.access.local import ensure_house
from clearway.app import cli
from clearway.app.worker import joined
from clearway.http import webhook_store
from clearway.ledger import memory, sequencer
from clearway.ledger import tree_store as tree
from clearway.ledger.checkpoint import Checkpoint, Epoch
from clearway.store.connect import connect
from clearway.store.server import URL_VARIABLE
from intake_world import World


@pytest.fixture
def armed(world: World, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Two embargoes of the house, one due in a moment and one on exploitation; the log is signed."""
    monkeypatch.setenv(URL_VARIABLE, world.url)
    now = datetime.now(UTC)
    with connect(world.url, autocommit=True) as db, db.transaction():
        house, _ = ensure_house(db)
        by_hour, by_news = (embargo.add(db, house, name).embargo for name in ("hour", "news"))
        embargo.arm(db, by_hour, now + timedelta(seconds=1), now=now)
        embargo.arm(db, by_news, None, now=now, on_exploitation=True)
        db.execute("select pg_sleep(1.1)")
    integrated(world)
    return by_hour, by_news


def integrated(world: World) -> sequencer.Signer:
    with connect(world.url, autocommit=True) as db:
        signer = sequencer.signer_of(db, world.home)
        sequencer.integrate_all(db, signer)
    return signer


def states(world: World, which: tuple[int, int]) -> list[tuple[str, bool]]:
    with connect(world.url) as db:
        found = [embargo.one(db, number) for number in which]
    return [(one.frozen, one.ended_by is not None) for one in found]


def signed_further(world: World, size: int, epoch: Epoch | None = None) -> None:
    """As if so many entries more, or under that epoch, had been signed here before the database went back."""
    signer = integrated(world)
    with connect(world.url) as db:
        now = tree.head(db)
    memory.remember(
        signer.folder,
        signer.sign(Checkpoint(origin=now.origin, size=now.size + size, root=b"r" * 32, epoch=epoch)),
    )


def look(world: World) -> None:
    tasks.embargoes(lambda: connect(world.url), world.home)


def test_an_epoch_freezes_what_would_end_by_itself_with_its_reason(
    world: World, armed: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main(["--home", str(world.home), "ledger", "epoch", "--reason", "back to 02:00", "--json"]) == 0
    )
    assert json.loads(capsys.readouterr().out)["ended"]["embargoes"] == 2
    look(world)
    why = "restored (back to 02:00): look whether it was postponed, disarmed or ended since"
    assert states(world, armed) == [(why, False)] * 2
    with connect(world.url) as db:
        acts = db.execute("select act from clearway.log_entry order by entry desc limit 4").fetchall()
    assert acts == [("ledger.epoch_opened",), ("restore.voided",), ("embargo.frozen",), ("embargo.frozen",)]


def test_before_an_epoch_is_opened_what_was_signed_here_tells_that_the_database_went_back(
    world: World, armed: tuple[int, int]
) -> None:
    signed_further(world, 3)
    with connect(world.url) as db:
        house, first = ensure_house(db)
        hook = webhook_store.add(
            db, org=house, aud=0, person=first, url="https://a.example", kinds=(), label=""
        )
    look(world)
    assert [(text.startswith("restored (its log has "), ended) for text, ended in states(world, armed)] == [
        (True, False)
    ] * 2
    with connect(world.url) as db:
        assert webhook_store.one(db, hook[0].webhook)[0].stopped.startswith("restored: look")
    with connect(world.url) as db:
        before = db.execute("select count(*) from clearway.log_entry").fetchone()
    look(world)
    with connect(world.url) as db:
        assert db.execute("select count(*) from clearway.log_entry").fetchone() == before, "told once"


def test_a_database_from_before_the_last_restore_has_gone_back_though_its_log_is_longer(
    world: World, armed: tuple[int, int]
) -> None:
    signed_further(world, -1, Epoch(number=2, old_size=2, old_root=b"r" * 32, kept=1))
    look(world)
    assert [
        (text.startswith("restored (its log is of epoch 1"), ended) for text, ended in states(world, armed)
    ] == [(True, False)] * 2


def test_a_log_that_goes_on_freezes_nothing(world: World, armed: tuple[int, int]) -> None:
    with connect(world.url) as db:
        ledger.append(db, "asset.added", "asset/1", aud=0)
        assert restored.gone_back(db, world.home) == ""
        assert restored.gone_back(db, Path(world.home / "no such folder")) == ""
    look(world)
    assert states(world, armed) == [("", True), ("", False)]


def test_a_coordinator_who_has_looked_arms_it_again(world: World, armed: tuple[int, int]) -> None:
    with connect(world.url, autocommit=True) as db, db.transaction():
        assert embargo.freeze_armed(db, restored.words("(x)")) == 2
        embargo.arm(db, armed[0], datetime.now(UTC) + timedelta(seconds=1), now=datetime.now(UTC))
        db.execute("select pg_sleep(1.1)")
    look(world)
    assert [ended for _, ended in states(world, armed)] == [True, False]


def test_the_worker_looks_at_its_own_home(world: World) -> None:
    _, loops = joined(world.home, world.url)
    assert loops["access.embargoes"].run.keywords == {"home": world.home}  # type: ignore[attr-defined]
