"""Loops and jobs of the assembled whole: the search's documents, digests by mail, and retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clearway.http import webhook_delivery
from clearway.records.clock import Clock, SystemClock
from clearway.records.errors import ConfigError
from clearway.store.apart import run_apart
from clearway.store.jobs import Job, Loop, Spec, Tasks, defer
from clearway.store.jobs_retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import psycopg

    from clearway.store.jobs import Job

    Connect = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]


def tasks(home: Path, url: str, clock: Clock | None = None) -> dict[str, Spec]:
    """The tasks, for the home whose mail settings they follow."""
    at = clock or SystemClock()

    def digests(job: Job, args: dict[str, Any]) -> None:
        """Starts the digest of each person for whom a new period has begun; each period once."""
        from . import digest, mail

        settings = mail.read(home)
        if settings is None:
            return
        with job.owner() as db:
            for to, period in digest.due(db, at.now(), settings.hour):
                if digest.claim(db, to.person, period):
                    defer(db, "app.digest", {"person": to.person, "period": period})

    def one(job: Job, args: dict[str, Any]) -> None:
        """Reads what waits for one person under their own rights, and mails it."""
        from clearway.advisories.table import Table

        from . import digest, mail

        settings = mail.read(home)
        if settings is None:
            return
        with job.owner() as db:
            to = digest.recipient(db, int(args["person"]))
        if to is None:  # has left, or wants none any more
            return
        meta = Table.meta_of_home(home)
        with job.acting(to.person) as db:
            found = digest.gather(db, to, at.now(), details=settings.details, meta=meta)
        if to.rhythm == "daily" and not found.anything:
            return
        with job.step("sent") as todo:  # a crash in between sends it again, under the same Message-ID
            if todo:
                digest.sent(settings, found, to, str(args["period"]), at.now())

    def case_letters(job: Job, args: dict[str, Any]) -> None:
        """Sends the letters of cases to those who have no account; without mail settings they wait."""
        from clearway.findings.case import mail as case_mail
        from clearway.findings.vault import Vault

        from . import mail

        settings = mail.read(home)
        if settings is None:
            return

        def post(letter: case_mail.Letter) -> None:
            made = mail.message(
                settings, to=letter.to, name=letter.name, subject=letter.subject, text=letter.text,
                html=case_mail.as_html(letter.text), reference=letter.reference, unsubscribe=letter.stop, at=at.now(),
            )  # fmt: skip
            made["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
            mail.send(settings, made)

        case_mail.send_waiting(job.owner, Vault.of_home(home), settings.base_url, post, at.now)

    def news(job: Job, args: dict[str, Any]) -> None:
        """Letters about cases and findings to members who asked for them; without mail settings nothing waits."""
        from . import desk_news, mail

        settings = mail.read(home)
        if settings is None:
            return
        with job.owner() as db:
            desk_news.start(db, at.now(), settings.hour)
        desk_news.send_waiting(settings, job.owner, job.acting, at.now, lambda: job.stopping)

    return {
        "app.case_letters": Spec(case_letters, Retry(attempts=12), cron="*/5 * * * *"),
        "app.desk_news": Spec(news, cron="* * * * *"),
        "app.digests": Spec(digests, cron="*/10 * * * *"),
        "app.digest": Spec(one, Retry(attempts=12)),
    }


def loops(home: Path, url: str) -> dict[str, Loop]:
    """The loops, for the home whose table is followed."""

    def flaws(connect: Connect) -> None:
        from clearway.advisories.table import Table

        from . import indexing

        try:
            table = Table.of_home(home)
        except ConfigError:  # before the first intake
            return
        try:
            if indexing.waits_long(connect, table):
                run_apart(indexing.follow_flaws_of, home, url)
            else:
                indexing.follow_flaws(connect, table)
        finally:
            table.close()

    def kept(connect: Connect) -> None:
        from . import indexing

        indexing.follow_kept(connect)

    return {
        "app.search_flaws": Loop("", 10.0, flaws),
        "app.search_kept": Loop("clearway_event", 30.0, kept),
    }


def keep_terms(job: Job, _: dict[str, Any]) -> None:
    """Deletes what is over its term (`app.retention`)."""
    from . import retention

    retention.carry_out(job.owner, lambda: job.stopping)


def _told(*read: Any) -> Callable[[], None]:
    from clearway.ledger.reading import tell_events  # with the web framework, which a worker may never need

    return tell_events(*read)


TASKS: Tasks = {
    "app.retention": Spec(keep_terms, cron="41 3 * * *"),
    webhook_delivery.TASK: webhook_delivery.delivering(_told),
}
