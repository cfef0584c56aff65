"""What a digest is marked when it counts nothing of a marked fleet, and what it says of old data."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from clearway.access.marking import GREEN
from clearway.app import digest
from digest_world import NOW, addressed, marked, run, settle
from fleet_world import DAY, Fleet, kev, osv, package
from mail_server import Letters


def _body(letter: Any) -> str:
    found = letter.get_body(("plain",))
    assert found is not None
    return str(found.get_content())


def _fresh(fleet: Fleet) -> None:
    """Records of yesterday, of an ecosystem and of what attackers use."""
    day = NOW - timedelta(days=1)
    record = osv("PYSEC-9", package("PyPI", "elsewhere", "4.2"), aliases=["CVE-2026-0009"])
    record["modified"] = record["published"] = day.isoformat().replace("+00:00", "Z")
    fleet.ingest(record, kev("2026.11.25", "CVE-2026-0009", added="2026-11-25"))
    fleet.follow()


def test_nothing_due_of_a_red_fleet_is_a_red_mail_that_does_not_say_so(
    fleet: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    _fresh(fleet)
    settle(fleet.world.home, smtp())
    fleet.upload(fleet.asset("quiet-1"), "pkg:pypi/attrs@24.1")
    with fleet.people.owner() as db:
        db.execute("update clearway.organisation set name = 'Riverside Clinic' where org = %s", (fleet.org,))
    run(fleet, "app.digest", {"person": addressed(fleet, rhythm="weekly"), "period": "p"})
    (letter,) = letters.kept
    assert letter["subject"] == "[TLP:RED] Clearway: your week"
    body = _body(letter)
    assert "due" not in body
    assert "Riverside" not in letter.as_string()
    assert "Nothing that is marked above" not in body
    assert "Sign in to see what waits" in body


def test_the_subject_of_a_weekly_red_mail_does_not_tell_whether_something_is_due(
    known: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    settle(known.world.home, smtp())
    run(known, "app.digest", {"person": addressed(known, rhythm="weekly"), "period": "p"})
    (letter,) = letters.kept
    assert letter["subject"] == "[TLP:RED] Clearway: your week"


def test_nothing_due_of_a_green_fleet_is_green_and_says_so(
    fleet: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    _fresh(fleet)
    settle(fleet.world.home, smtp())
    fleet.upload(fleet.asset("quiet-1"), "pkg:pypi/attrs@24.1")
    marked(fleet, GREEN)
    run(fleet, "app.digest", {"person": addressed(fleet, rhythm="weekly"), "period": "p"})
    (letter,) = letters.kept
    assert letter["subject"] == "[TLP:GREEN] Clearway: nothing is due within a week"
    assert "Nothing that we know of is due within 7 days" in _body(letter)


def test_old_data_is_told_and_has_a_daily_digest_sent(
    fleet: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    fleet.ingest(
        osv("PYSEC-1", package("PyPI", "elsewhere", "4.2"), aliases=["CVE-2026-0001"]),
        kev("2026.08.01", "CVE-2026-0001", added="2026-07-30"),
    )
    fleet.follow()
    settle(fleet.world.home, smtp())
    fleet.upload(fleet.asset("quiet-1"), "pkg:pypi/attrs@24.1", day=DAY)
    person = addressed(fleet)
    run(fleet, "app.digest", {"person": person, "period": "p"})
    marked(fleet, GREEN)
    run(fleet, "app.digest", {"person": person, "period": "q"})
    red, green = letters.kept
    # Of a marked fleet nothing is told that is made of it, such as by which sources it is judged.
    assert "The data is 117 days old (CISA's list of what attackers use" in _body(red)
    assert "Python" not in red.as_string()
    assert green["subject"] == "[TLP:GREEN] Clearway: nothing is due within a week; the data is 329 days old"
    assert "The data is 329 days old (Python Packaging Advisory Database" in _body(green)
    assert "and of 1 other source" in _body(green)


def test_data_of_today_is_not_spoken_of_and_no_daily_digest_goes_out_for_it(
    fleet: Fleet, smtp: Callable[..., int], letters: Letters
) -> None:
    _fresh(fleet)
    settle(fleet.world.home, smtp())
    fleet.upload(fleet.asset("quiet-1"), "pkg:pypi/attrs@24.1")
    run(fleet, "app.digest", {"person": addressed(fleet), "period": "p"})
    assert letters.kept == []
    with fleet.acting() as db:
        to = digest.Recipient(person=1, name="n", email="e", rhythm="daily", time_zone="UTC")
        assert digest.gather(db, to, NOW, meta=fleet.table.meta).old == ()
