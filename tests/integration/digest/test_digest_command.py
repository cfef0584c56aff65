"""`clearway digest`: an operator tries the mail settings and sees when whose digest goes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearway.app import digest
from clearway.app.cli import main
from clearway.store.server import URL_VARIABLE
from fleet_world import Fleet
from mail_server import Letters


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def settle(home: Path, port: int, **more: str) -> None:
    lines = {"host": "127.0.0.1", "security": "none", "sender": "Clearway <clearway@example.org>",
             "base_url": "https://clearway.example.org", **more}  # fmt: skip
    text = "\n".join([f"port = {port}", *(f"{key} = {value!r}" for key, value in lines.items())])
    (home / "mail.toml").write_text(text)


def test_a_test_message_arrives_and_says_nothing(
    home: Path, smtp: Callable[..., int], letters: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    settle(home, smtp())
    assert main(["--home", str(home), "digest", "test", "ada@clinic.example"]) == 0
    (letter,) = letters.kept
    assert (letter["to"], letter["subject"]) == ("ada@clinic.example", "[TLP:CLEAR] Clearway: mail arrives")
    assert "has taken a message" in capsys.readouterr().out


def test_what_is_wrong_with_mail_is_told_by_its_exit_code(
    home: Path, smtp: Callable[..., int], letters: Letters, capsys: pytest.CaptureFixture[str]
) -> None:
    def code(address: str = "ada@clinic.example") -> int:
        return main(["--home", str(home), "digest", "test", address])

    assert code() == 3
    assert "no mail settings" in capsys.readouterr().err
    assert main(["--home", str(home), "digest", "status"]) == 3
    settle(home, 9)
    assert code() == 8
    assert "does not answer" in capsys.readouterr().err
    settle(home, smtp(), security="starttls")
    assert code() == 3  # it has no encryption though it should
    settle(home, smtp())
    for bad in ("no address", "ada", "ada@clinic.example\nBcc: all@example.org", ""):
        assert code(bad) == 2
    letters.refused.add("gone@clinic.example")
    assert code("gone@clinic.example") == 10
    letters.answers.append("451 come again")
    assert code() == 8
    assert letters.kept == []


def test_who_gets_which_digest_is_shown_with_the_hour_of_the_next(
    fleet: Fleet,
    smtp: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settle(fleet.world.home, smtp())
    monkeypatch.setenv(URL_VARIABLE, fleet.world.url)
    words = ["--home", str(fleet.world.home), "digest", "status"]
    assert main(words) == 0
    assert "nobody has chosen a digest" in capsys.readouterr().out
    person = fleet.operator.person
    with fleet.people.owner() as db:
        db.execute(
            "update clearway.person set email = 'a@b.example', digest = 'weekly' where person = %s", (person,)
        )
    assert main(words) == 0
    assert "none yet" in capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["from_hour"] == 7
    (one,) = found["people"]
    assert (one["person"], one["rhythm"], one["last"]) == (person, "weekly", "")
    assert datetime.fromisoformat(one["next"]) > datetime.now(UTC)


ZONES = st.sampled_from(
    ["UTC", "Pacific/Auckland", "America/Los_Angeles", "Asia/Kathmandu", "Europe/Berlin", "No/Where"]
)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    ZONES,
    st.sampled_from(["daily", "weekly"]),
    st.integers(0, 23),
)
def test_the_next_period_begins_when_it_is_said_to(now: datetime, zone: str, rhythm: str, hour: int) -> None:
    begins = digest.next_period(rhythm, zone, now, hour)
    slack = timedelta(hours=1, minutes=1)  # a day on which clocks are put forward or back
    assert now - slack < begins <= now + timedelta(days=8)
    this = digest.period_of(rhythm, zone, now, hour)
    assert digest.period_of(rhythm, zone, begins + slack, hour) != this
    if begins - slack > now:
        assert digest.period_of(rhythm, zone, begins - slack, hour) == this


def test_an_organisation_without_an_asset_is_not_told_that_nothing_is_due(fleet: Fleet) -> None:
    to = digest.Recipient(
        person=fleet.operator.person, name="A", email="a@b.example", rhythm="weekly", time_zone="UTC"
    )
    now = datetime(2026, 11, 26, 9, tzinfo=UTC)
    with fleet.people.pool.acting(fleet.operator.key) as db:
        before = digest.text_of(digest.gather(db, to, now), "https://clearway.example.org")
    assert "nothing can be said" in before
    assert "Nothing that we know of is due" not in before
    fleet.asset("one")
    with fleet.people.pool.acting(fleet.operator.key) as db:
        after = digest.text_of(digest.gather(db, to, now, details=True), "https://clearway.example.org")
    assert "Nothing that we know of is due" in after
