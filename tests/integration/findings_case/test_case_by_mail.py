"""A whole case by mail alone: letters without content, links that open once, and one click to stop."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from clearway.app import tasks as app_tasks
from clearway.findings.case import draft, kept, mail, party, release, talk
from clearway.findings.case.kept import Case
from clearway.records.clock import SystemClock
from clearway.records.errors import (
    ConflictError,
    InputError,
    NotFoundError,
    TooManyRequestsError,
)
from findings_case_world import Cases, a_draft
from mail_server import Letters
from site_client import Site, site, words

LINK = re.compile(r"http://clearway\.local(/case-mail/(?!stop)[\w-]+)")
STOP = re.compile(r"http://clearway\.local(/case-mail/stop/[\w-]+)")


@pytest.fixture
def letters() -> Iterator[tuple[Letters, int]]:
    handler = Letters()
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port = trial.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield handler, port
    finally:
        controller.stop()


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


class AJob:
    """What a task needs of a job."""

    def __init__(self, cases: Cases) -> None:
        self.owner = cases.desk.owner
        self.stopping = False


def sent(cases: Cases, port: int) -> None:
    """Sends what waits, as the worker would."""
    (cases.desk.home / "mail.toml").write_text(
        f'host = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        'sender = "Clearway <desk@example.org>"\nbase_url = "http://clearway.local"\n'
    )
    spec: Any = app_tasks.tasks(cases.desk.home, cases.world.url)["app.case_letters"]
    spec.run(AJob(cases), {})


def last(handler: Letters) -> tuple[str, str, str]:
    """(text, link, stop) of the newest letter."""
    body = handler.kept[-1].get_body(("plain",))
    assert body is not None
    text = body.get_content()
    return text, LINK.search(text)[1], STOP.search(text)[1]  # type: ignore[index]


def open_link(served: Site, path: str) -> tuple[str, str]:
    """The page behind a link that is opened, and the path of its next form."""
    shown = served.http.post(path, headers={"accept": "text/html"})
    assert shown.status_code == 200, words(shown.text)
    found = re.search(r'action="(/case-mail/[\w-]+)/answer"', shown.text)
    return shown.text, found[1] if found else ""


def test_a_case_runs_by_mail_alone(cases: Cases, served: Site, letters: tuple[Letters, int]) -> None:
    handler, port = letters
    case = cases.opened(title="Overflow in a secret place")
    cases.drafted(case)
    mailed = cases.by_mail(case)
    assert mailed.answer == "no-answer"
    sent(cases, port)
    text, link, _ = last(handler)
    letter = handler.kept[-1]
    assert letter["To"].addresses[0].addr_spec == "security@example.org"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for secret in ("secret place", "example package", "parse_string", "pkg:"):
        assert secret not in letter.as_string(), "nothing under embargo lies in other people's systems"
    assert case.handling in text
    # RFC 8058 §3.1, as it is on the wire: a URI in angle brackets, of which nothing is encoded or folded away.
    (header,) = re.findall(rb"^List-Unsubscribe: (.*)\r$", handler.raw[-1], re.MULTILINE)
    assert re.fullmatch(rb"<http://clearway\.local/case-mail/stop/[\w-]+>", header)
    assert max(len(line) for line in handler.raw[-1].split(b"\r\n")) <= 998  # RFC 5322 §2.1.1
    looked = served.page("", link)
    assert "secret place" not in looked, "who only looks sees nothing"
    assert "Open it" in served.page("", link), "and uses nothing up"
    shown, onward = open_link(served, link)
    assert "secret place" in shown
    assert "used, or has expired" in words(served.http.post(link, headers={"accept": "text/html"}).text)
    # accepts, with a word; the page that answers carries the next link
    done = served.http.post(f"{onward}/answer", data={"act": "accept", "text": "Thank you, <b>we</b> look."})
    assert done.status_code == 200
    assert "Thank you, &lt;b&gt;we&lt;/b&gt; look." in done.text
    with cases.acting() as db:
        now = party.one(db, case, mailed.id)
        assert (now.answer, now.rm) == ("affected", "accepted")
    again = served.http.post(f"{onward}/answer", data={"act": "fix-ready"})
    assert "used, or has expired" in words(again.text)
    # a day is proposed: a letter; agreed by its link
    with cases.acting() as db:
        talk.propose(
            db, cases.again(case), datetime.now(UTC) + timedelta(days=20), "UTC", now=datetime.now(UTC)
        )
    sent(cases, port)
    _, link, _ = last(handler)
    _, onward = open_link(served, link)
    served.http.post(f"{onward}/answer", data={"act": "agrees", "text": ""})
    with cases.acting() as db:
        proposal = talk.opened(db, case)
        assert proposal is not None
        assert [(c.party, c.said) for c in proposal.consents] == [(mailed.id, "agrees")]
    # the end: the advisory is public
    with cases.acting() as db:
        release.release(
            db, cases.desk.vault, cases.again(case), cases.desk.home, "fixed", now=datetime.now(UTC)
        )
    release.publish(cases.desk.owner, cases.world.url, cases.world.home, case.id, SystemClock())
    sent(cases, port)
    assert "is public" in last(handler)[0]
    assert {"party.read_by_mail", "party.answered_by_mail", "case.published"} <= set(cases.desk.acts())


def test_one_click_stops_the_letters_for_good(
    cases: Cases, served: Site, letters: tuple[Letters, int]
) -> None:
    handler, port = letters
    case = cases.opened()
    mailed = cases.by_mail(case)
    sent(cases, port)
    _, _, stop = last(handler)
    assert "Stop all letters" in served.page("", stop), "looking stops nothing"
    # As a mail program does it: RFC 8058, without cookies, referrer or form token.
    answer = served.http.post(stop, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    with cases.acting() as db:
        assert party.one(db, case, mailed.id).stopped is not None
        assert mail.queue_all(db, case, "said") == 0
    before = len(handler.kept)
    sent(cases, port)
    assert len(handler.kept) == before
    assert served.http.post(stop, data={}).status_code == 200, "again is no fault"


def test_a_new_link_goes_to_the_same_address_and_not_without_end(
    cases: Cases, served: Site, letters: tuple[Letters, int]
) -> None:
    handler, port = letters
    case = cases.opened()
    cases.by_mail(case, "one@example.org")
    sent(cases, port)
    _, link, _ = last(handler)
    open_link(served, link)
    token = link.rpartition("/")[2]
    served.http.post(f"{link}/again")
    sent(cases, port)
    assert handler.kept[-1]["To"].addresses[0].addr_spec == "one@example.org"
    assert last(handler)[1] != link
    with cases.desk.owner() as db:
        found = mail.look(db, cases.desk.vault, token, datetime.now(UTC))
        for _ in range(mail.MOST_LINKS):
            mail.make_link(db, cases.desk.vault, found.party, datetime.now(UTC))
    for _ in range(mail.MOST_LINKS - 1):  # one was asked for above; links that pages carry count for nothing
        with cases.desk.owner() as db:
            mail.ask_again(db, cases.desk.vault, token, datetime.now(UTC))
            db.execute("update clearway.case_letter set failed = 'lost' where sent is null")
    with pytest.raises(TooManyRequestsError), cases.desk.owner() as db:
        mail.ask_again(db, cases.desk.vault, token, datetime.now(UTC))


@pytest.mark.parametrize("token", ["", "x", "A" * 75, "../../etc", "é" * 40, "A" * 300])
def test_a_link_that_is_none_of_ours_opens_nothing(cases: Cases, token: str) -> None:
    with cases.desk.owner() as db:
        for act in (mail.look, mail.stop):
            with pytest.raises(NotFoundError):
                act(db, cases.desk.vault, token, datetime.now(UTC))


def a_link(cases: Cases) -> tuple[Case, party.Party, str]:
    case = cases.opened()
    mailed = cases.by_mail(case)
    with cases.desk.owner() as db:
        return case, mailed, mail.make_link(db, cases.desk.vault, mailed.id, datetime.now(UTC))


def test_a_copy_of_the_database_makes_no_links(cases: Cases, tmp_path: Path) -> None:
    from clearway.findings.vault import Vault

    _, mailed, token = a_link(cases)
    with cases.desk.owner() as db:
        forged = mail.make_link(db, Vault.of_home(tmp_path), mailed.id, datetime.now(UTC))
        with pytest.raises(NotFoundError):
            mail.look(db, cases.desk.vault, forged, datetime.now(UTC))
        assert mail.look(db, cases.desk.vault, token, datetime.now(UTC)).party == mailed.id
        with pytest.raises(NotFoundError):
            mail.stop(db, cases.desk.vault, token, datetime.now(UTC))
        with pytest.raises(NotFoundError):
            mail.look(db, cases.desk.vault, mail.stop_token(cases.desk.vault, mailed.id), datetime.now(UTC))


def test_a_link_opens_once_and_expires_and_dies_with_its_party(cases: Cases) -> None:
    case, mailed, token = a_link(cases)
    now = datetime.now(UTC)
    with pytest.raises(ConflictError), cases.desk.owner() as db:
        mail.look(db, cases.desk.vault, token, now + timedelta(days=31), use=True)
    with cases.desk.owner() as db:
        mail.look(db, cases.desk.vault, token, now, use=True)
    with pytest.raises(ConflictError), cases.desk.owner() as db:
        mail.look(db, cases.desk.vault, token, now, use=True)
    with cases.acting() as db:
        party.leave(db, cases.again(case), mailed, "wrong address")
    with pytest.raises(NotFoundError), cases.desk.owner() as db:
        mail.look(db, cases.desk.vault, token, now)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b",
        "a@b\nBcc: c@d",
        "a b@c",
        "a@b@c",
        "<a@b>",
        "a@-b",
        "a@b..c",
        "a,b@c",
        "x" * 65 + "@a",
        "ä@example.org",
        ".a@example.org",
        "a.@example.org",
    ],
)
def test_what_is_no_address_gets_no_letter(text: str) -> None:
    with pytest.raises(InputError):
        mail.checked_address(text)


def test_drafts_are_shown_behind_a_link_and_not_in_a_letter(cases: Cases, served: Site) -> None:
    case, _, token = a_link(cases)
    with cases.acting() as db:
        draft.put(db, cases.desk.vault, kept.by_id(db, case.id), a_draft(title="A drafted title"), "first")
    shown, _ = open_link(served, f"/case-mail/{token}")
    assert "A drafted title" in shown
