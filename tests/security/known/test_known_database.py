"""What one session of the database can see of another: never the key of who acts there."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from clearway.store.principal import acting_once
from people import People


def _activity(people: People) -> list[str]:
    """The text of every statement of every session, as a superuser sees it."""
    with psycopg.connect(people.url, autocommit=True) as db:
        rows = db.execute("select pid, query, application_name from pg_stat_activity").fetchall()
    return [" ".join(str(part) for part in row) for row in rows]


@pytest.mark.parametrize("way", ["pool", "command"])
def test_no_statement_of_another_session_holds_a_principals_key(people: People, a: int, way: str) -> None:
    """A key stands for its holder: who reads it out of the list of statements acts as them."""
    who = people.somebody(a, "operator")
    inside, done = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def work() -> None:
        acting: Any = people.acting(who) if way == "pool" else acting_once(people.url, who.key)
        try:
            with acting:
                inside.set()  # the last statement of this session is the one that set the principal
                done.wait(20)
        except BaseException as error:  # noqa: BLE001  reported below
            failed.append(error)
            inside.set()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        assert inside.wait(20)
        shown = _activity(people)
    finally:
        done.set()
        thread.join(20)
    assert failed == []
    assert any("set_config" in text for text in shown)  # it was looked at the right time
    assert not [text for text in shown if who.key in text]


def test_a_failing_statement_puts_no_key_into_an_error(people: People, a: int) -> None:
    who = people.somebody(a, "operator")
    with pytest.raises(Exception, match="nowhere") as caught, people.acting(who) as db:
        db.execute("select * from clearway.nowhere")
    error: BaseException | None = caught.value
    while error is not None:
        assert who.key not in str(error)
        error = error.__cause__
