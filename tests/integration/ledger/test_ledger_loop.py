"""The sequencer in the worker."""

from __future__ import annotations

import time
from pathlib import Path

from clearway.app.worker import Beside
from clearway.ledger import append, entries
from clearway.ledger.keys import FOLDER, LOG_KEY
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.ledger.tasks import loops
from clearway.store.connect import connect


def test_the_worker_integrates_within_moments(shared_url: str, tmp_path: Path) -> None:
    with connect(shared_url, autocommit=True) as db, Beside(shared_url, tmp_path):
        for _ in range(2):
            entry = append(db, "asset.added", "asset/1", aud=0)
            ends = time.monotonic() + 20
            while entries.one(db, entry).state != "integrated":
                assert time.monotonic() < ends
                time.sleep(0.01)


def test_a_home_without_the_key_of_a_signed_log_does_not_lead(shared_url: str, tmp_path: Path) -> None:
    with connect(shared_url, autocommit=True) as db:
        append(db, "asset.added", "asset/1", aud=0)
        known = db.execute("select from clearway.log_key").fetchone() is not None
        if not known:
            integrate_all(db, signer_of(db, tmp_path / "first"))
    assert loops(tmp_path / "other", shared_url) == {}
    assert not (tmp_path / "other" / FOLDER / LOG_KEY).exists()
