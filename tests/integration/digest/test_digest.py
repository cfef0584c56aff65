"""Digests: whose is due when, what stands in them, and how they are sent, refused and tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext
from typing import Any

import pytest

from clearway.access.marking import GREEN
from clearway.app import digest, mail
from clearway.app.tasks import tasks
from clearway.app.worker import mint
from clearway.records.clock import FixedClock
from clearway.records.errors import ConfigError, InputError, UpstreamError
from digest_world import BASE, NOW, addressed, marked, run, settle
from fleet_world import Fleet
from mail_server import Letters


@pytest.mark.parametrize(
    ("rhythm", "zone", "now", "period"),
    [
        ("daily", "UTC", NOW, "2026-11-26"),
        ("daily", "UTC", NOW.replace(hour=6), "2026-11-25"),
        ("daily", "Pacific/Auckland", NOW.replace(hour=18), "2026-11-27"),
        ("daily", "America/Los_Angeles", NOW, "2026-11-25"),
        ("weekly", "UTC", NOW, "2026-W48"),
        ("weekly", "UTC", datetime(2026, 11, 30, 6, tzinfo=UTC), "2026-W48"),
        ("weekly", "UTC", datetime(2026, 11, 30, 7, tzinfo=UTC), "2026-W49"),
        ("weekly", "UTC", datetime(2027, 1, 1, 12, tzinfo=UTC), "2026-W53"),
        ("never", "UTC", NOW, ""),
        ("daily", "No/Where", NOW, "2026-11-26"),
    ],
)
def test_a_period_begins_at_seven_where_the_reader_lives(
    rhythm: str, zone: str, now: datetime, period: str
) -> None:
    assert digest.period_of(rhythm, zone, now, 7) == period


def test_each_period_is_started_once_and_only_for_who_wants_it(fleet: Fleet) -> None:
    settle(fleet.world.home, 2525)
    daily = addressed(fleet)
    weekly = addressed(fleet, fleet.people.somebody(fleet.org, "auditor"), "weekly")
    addressed(fleet, fleet.people.somebody(fleet.org, "auditor"), "never")
    fleet.people.somebody(fleet.org, "auditor")  # without an address

    def waiting() -> list[tuple[int, str]]:
        return [
            (int(row[0]), str(row[1]))
            for row in fleet.world.sql(
                """select args #>> '{args,person}', args #>> '{args,period}'
                from clearway_jobs.procrastinate_jobs where task_name = 'app.digest' order by id"""
            )
        ]

    for _ in range(2):
        run(fleet, "app.digests")
    assert waiting() == [(daily, "2026-11-26"), (weekly, "2026-W48")]
    run(fleet, "app.digests", now=NOW + timedelta(days=1))
    assert waiting()[2:] == [(daily, "2026-11-27")]


def test_without_mail_settings_nothing_is_started_or_sent(fleet: Fleet) -> None:
    person = addressed(fleet)
    run(fleet, "app.digests")
    run(fleet, "app.digest", {"person": person, "period": "x"})
    assert (
        fleet.world.sql("select 1 from clearway_jobs.procrastinate_jobs where task_name = 'app.digest'") == []
    )


def test_a_digest_of_what_is_marked_green_has_counts_and_links_and_no_names(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp())
    person = addressed(known)
    marked(known, GREEN)
    run(known, "app.digest", {"person": person, "period": "2026-11-26"})
    (letter,) = letters.kept
    assert letter["subject"] == "[TLP:GREEN] Clearway: 2 due within a week, 2 of them overdue"
    assert letter["list-unsubscribe"] == f"<{BASE}/settings/account>"
    assert letter["message-id"] == f"<digest.{person}.2026-11-26@example.org>"
    assert letter["auto-submitted"] == "auto-generated"
    assert letter["to"] == f'"operator of {known.org}" <p{person}@example.org>'.replace('"', "")
    plain = letter.get_body(("plain",))
    rich = letter.get_body(("html",))
    assert plain is not None
    assert rich is not None
    for body in (plain.get_content(), rich.get_content()):
        assert "2 due within 7 days, 2 of them overdue" in body
        assert f"{BASE}/this-week?org=water" in body
        assert f"{BASE}/settings/account" in body
        for name in ("secret-gateway", "secret-db", "django", "CVE-2026-0001"):
            assert name not in body
    assert "<script" not in rich.get_content()
    assert "src=" not in rich.get_content()


def test_names_stand_in_it_only_where_the_installation_allows_and_then_it_is_marked(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp(), details=True)
    run(known, "app.digest", {"person": addressed(known), "period": "p"})
    (letter,) = letters.kept
    assert letter["subject"].startswith("[TLP:RED]")
    body = letter.get_body(("plain",))
    assert body is not None
    assert "Update django to 4.2 on secret-" in body.get_content()


def test_a_reader_is_told_of_their_own_organisation_alone(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp(), details=True)
    other = known.another()
    run(known, "app.digest", {"person": addressed(known, other.operator, "weekly"), "period": "p"})
    (letter,) = letters.kept
    assert "nothing is due" in letter["subject"]
    assert "secret" not in letter.as_string()


def test_who_has_left_or_has_nothing_waiting_gets_no_mail(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp())
    nothing = addressed(known, known.another().operator, "daily")
    run(known, "app.digest", {"person": nothing, "period": "p"})
    gone = addressed(known)
    with known.people.owner() as db:
        db.execute("update clearway.person set active = false where person = %s", (gone,))
    run(known, "app.digest", {"person": gone, "period": "p"})
    assert letters.kept == []


def test_hostile_names_stay_text_in_headers_and_bodies(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp())
    person = addressed(known)
    with known.people.owner() as db:
        db.execute(
            "update clearway.person set name = %s where person = %s",
            ("<img src=x>\r\nBcc: evil@example.org", person),
        )
    run(known, "app.digest", {"person": person, "period": "p"})
    (letter,) = letters.kept
    assert letter["bcc"] is None
    rich = letter.get_body(("html",))
    assert rich is not None
    assert "<img" not in rich.get_content()


def test_a_bad_address_ends_the_job(known: Fleet, smtp: Callable[..., int]) -> None:
    settle(known.world.home, smtp())
    person = addressed(known)
    with known.people.owner() as db:
        db.execute("update clearway.person set email = %s where person = %s", ("a@b, c@d", person))
    with pytest.raises(InputError):
        run(known, "app.digest", {"person": person, "period": "p"})


def letter_of(settings: mail.Settings) -> Any:
    return mail.message(
        settings, to="a@example.org", name="A", subject="s", text="t", html="<p>t</p>", reference="r",
        unsubscribe=BASE, at=NOW,
    )  # fmt: skip


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_is_encrypted_and_the_server_has_to_be_who_it_should_be(
    tmp_path: Path,
    smtp: Callable[..., int],
    letters: Letters,
    tls: SSLContext,
    certificate: Path,
    security: str,
) -> None:
    port = smtp(tls_context=tls, require_starttls=True) if security == "starttls" else smtp(ssl_context=tls)
    settings = settle(tmp_path, port, security=security, ca_file=str(certificate))
    mail.send(settings, letter_of(settings))
    assert letters.encrypted == [True]
    stranger = settle(tmp_path, port, security=security)
    with pytest.raises(UpstreamError, match="certificate or encryption does not hold"):
        mail.send(stranger, letter_of(stranger))
    assert len(letters.kept) == 1


def test_a_file_of_authorities_that_is_not_there_is_named(tmp_path: Path, smtp: Callable[..., int]) -> None:
    for there in ("", "no certificate"):
        file = tmp_path / "authorities.pem"
        file.write_text(there) if there else file.unlink(missing_ok=True)
        settings = settle(tmp_path, smtp(), security="starttls", ca_file=str(file))
        with pytest.raises(ConfigError, match=r"authorities\.pem"):
            mail.send(settings, letter_of(settings))


def test_a_server_without_encryption_gets_nothing_where_it_is_asked_for(
    tmp_path: Path, smtp: Callable[..., int], letters: Letters
) -> None:
    settings = settle(tmp_path, smtp(), security="starttls")
    with pytest.raises(ConfigError, match="can't do that"):
        mail.send(settings, letter_of(settings))
    assert letters.kept == []


def test_refusals_for_good_and_for_now_are_told_apart(
    tmp_path: Path, smtp: Callable[..., int], letters: Letters
) -> None:
    settings = settle(tmp_path, smtp())
    letters.answers = ["451 later", "554 never"]
    with pytest.raises(UpstreamError, match="later \\(451\\)"):
        mail.send(settings, letter_of(settings))
    with pytest.raises(InputError, match="for good \\(554\\)"):
        mail.send(settings, letter_of(settings))
    letters.refused = {"a@example.org"}
    with pytest.raises(InputError, match="recipient for good \\(550\\)"):
        mail.send(settings, letter_of(settings))


def test_a_server_that_is_not_there_is_tried_again(tmp_path: Path) -> None:
    settings = settle(tmp_path, 1)
    with pytest.raises(UpstreamError, match="does not answer"):
        mail.send(settings, letter_of(settings))


@pytest.mark.parametrize(
    "changed",
    [
        {"host": "smtp.example.org"},
        {"base_url": "javascript:x"},
        {"sender": "nobody"},
        {"security": "ssl"},
        {"hour": 24},
        {"password_file": "missing"},
        {"colour": "red"},
    ],
    ids=[
        "unencrypted elsewhere",
        "no address",
        "no sender",
        "no such security",
        "no hour",
        "no file",
        "unknown",
    ],
)
def test_settings_that_would_not_do_are_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"mail\.toml"):
        settle(tmp_path, 25, **changed)


def test_the_password_is_in_a_file_or_the_environment_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    settings = settle(tmp_path, 25, password_file="secret", username="u")
    assert settings.password == "hunter2"
    assert "hunter2" not in repr(settings)
    monkeypatch.setenv(mail.PASSWORD_VARIABLE, "other")
    again = mail.read(tmp_path)
    assert again is not None
    assert again.password == "other"


def test_a_worker_sends_it_in_the_end_though_the_server_was_busy(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    from clearway.store.jobs import defer
    from clearway.store.jobs_worker import run_worker

    settle(known.world.home, smtp())
    letters.answers = ["451 later"]
    person = addressed(known)
    with known.people.owner() as db:
        defer(db, "app.digest", {"person": person, "period": "p"})
    stop = threading.Event()
    worker = threading.Thread(
        target=run_worker,
        args=(known.world.url, tasks(known.world.home, known.world.url, FixedClock(NOW))),
        kwargs={"concurrency": 1, "stop": stop, "mint": mint},
    )
    worker.start()
    try:
        ends = time.monotonic() + 20
        while not letters.kept and time.monotonic() < ends:
            time.sleep(0.1)
    finally:
        stop.set()
        worker.join(20)
    assert len(letters.kept) == 1
