"""Letters of cases that are late, lost or refused: nobody is told by them, nobody else waits, and the desk sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from clearway.findings.case import kept, mail, party, talk, thread
from clearway.findings.case.mail import Letter
from clearway.records.errors import (
    ConflictError,
    ForbiddenError,
    InputError,
    TooManyRequestsError,
    UpstreamError,
)
from findings_case_world import Cases
from site_client import Site, site, words

NOW = datetime.now(UTC)
NEXT = re.compile(r'action="(/case-mail/[\w-]+)/answer"')


@pytest.fixture(scope="module")
def served(cases: Cases) -> Iterator[Site]:
    with site(cases.desk.home, cases.world.url) as made:
        yield made


class Server:
    """What the mail server takes, by address; `late` and `refused` are the addresses that it puts off or refuses."""

    def __init__(self, cases: Cases) -> None:
        self.cases = cases
        self.late: set[str] = set()
        self.refused: set[str] = set()
        self.tried: list[str] = []
        self.taken: list[Letter] = []

    def post(self, letter: Letter) -> None:
        self.tried.append(letter.to)
        if letter.to in self.refused:
            raise InputError("the mail server refuses the recipient for good (550)", where="mail")
        if letter.to in self.late:
            raise UpstreamError("the mail server asks to send the recipient later (451)", where="mail")
        self.taken.append(letter)

    def run(self, at: datetime = NOW) -> tuple[int, int]:
        desk = self.cases.desk
        return mail.send_waiting(desk.owner, desk.vault, "http://clearway.local", self.post, lambda: at)

    def to(self) -> list[str]:
        return [letter.to for letter in self.taken]


@pytest.fixture
def post(cases: Cases) -> Server:
    with cases.desk.owner() as db:  # of other tests
        db.execute("update clearway.case_letter set failed = 'of another test' where sent is null")
    return Server(cases)


def standing(cases: Cases, case: kept.Case, number: int) -> tuple[str, str, str, bool]:
    with cases.acting() as db:
        now = party.one(db, case, number)
    return now.rm, now.vfd, now.answer, now.asked is not None


def test_a_vendor_is_told_when_its_letter_was_sent_and_not_before(cases: Cases, post: Server) -> None:
    case = cases.opened()
    asked = cases.by_mail(case, told=False)
    assert standing(cases, case, asked.id) == ("start", "vfd", "not-asked", False)
    with cases.acting() as db:
        assert mail.letters_of(db, case) == {asked.id: "waits"}
    assert post.run() == (1, 0)
    assert standing(cases, case, asked.id) == ("received", "Vfd", "no-answer", True)
    with cases.acting() as db:
        assert mail.letters_of(db, case) == {}


def test_a_letter_that_is_refused_tells_nobody_and_is_shown_to_the_desk(
    cases: Cases, post: Server, served: Site
) -> None:
    case = cases.opened()
    asked = cases.by_mail(case, "gone@example.org", told=False)
    post.refused.add("gone@example.org")
    assert post.run() == (0, 1)
    assert standing(cases, case, asked.id) == ("start", "vfd", "not-asked", False)
    assert "party.letter_failed" in cases.desk.acts()
    path = f"/cases/{case.handling}"
    assert "refuses the recipient for good (550)" in words(served.page(cases.desk.coordinator.cookie, path))
    told = served.api(cases.desk.finder.secret, "GET", f"/api/v1{path}").json()
    assert {p["letter"] for p in told["parties"]} == {""}, "letters are the coordinators'"
    with cases.acting(cases.desk.finder) as db:
        logged = db.execute(
            "select count(*) from clearway.log_entry where act = 'party.letter_failed' and subject = %s",
            (case.subject,),
        ).fetchone()
    assert logged == (0,)
    # another address, and it is asked again
    at = f"/api/v1{path}/parties/{asked.id}"
    served.api(cases.desk.coordinator.secret, "POST", f"{at}/contacts", 200, {"email": "found@example.org"})
    served.api(cases.desk.coordinator.secret, "POST", f"{at}/acts", 200, {"act": "ask"})
    assert post.run() == (1, 0)
    assert post.to() == ["found@example.org"]
    assert standing(cases, case, asked.id)[0] == "received"


def test_a_slow_mailbox_holds_up_no_other_letter(cases: Cases, post: Server) -> None:
    case = cases.opened()
    cases.by_mail(case, "slow@example.org", told=False)
    cases.by_mail(case, "quick@example.org", told=False)
    cases.by_mail(cases.opened(), "other@example.org", told=False)
    post.late.add("slow@example.org")
    with pytest.raises(UpstreamError):
        post.run()
    assert post.to() == ["quick@example.org", "other@example.org"]
    post.late.clear()
    assert post.run(NOW + timedelta(seconds=59)) == (0, 0), "it waits a minute"
    assert post.run(NOW + timedelta(seconds=61)) == (1, 0)


def test_a_letter_is_tried_for_over_a_day_and_then_given_up(cases: Cases, post: Server) -> None:
    case = cases.opened()
    asked = cases.by_mail(case, "never@example.org", told=False)
    post.late.add("never@example.org")
    at = NOW
    for _ in range(mail.MAX_TRIES):
        with pytest.raises(UpstreamError):
            post.run(at)
        last, at = at, at + mail.MOST_WAIT
    assert post.run(at) == (0, 0)
    assert last - NOW > timedelta(days=1)
    with cases.acting() as db:
        assert mail.letters_of(db, case)[asked.id].startswith("failed: ")


def test_a_server_that_answers_nobody_is_left_alone_until_the_next_run(cases: Cases, post: Server) -> None:
    case = cases.opened()
    for number in range(mail.MOST_FAULTS + 2):
        cases.by_mail(case, f"m{number}@example.org", told=False)
        post.late.add(f"m{number}@example.org")
    with pytest.raises(UpstreamError):
        post.run()
    assert len(post.tried) == mail.MOST_FAULTS


def test_a_letter_for_a_closed_case_is_not_sent(cases: Cases, post: Server) -> None:
    case = cases.opened()
    asked = cases.by_mail(case, told=False)
    with cases.acting() as db:
        kept.close(db, cases.again(case), "not ours")
    assert post.run() == (0, 0)
    assert post.taken == []
    assert standing(cases, case, asked.id)[0] == "start"


def test_who_takes_part_by_mail_alone_gets_letters_in_every_role(cases: Cases, post: Server) -> None:
    case = cases.opened()
    with cases.acting() as db:
        for role in ("reporter", "coordinator"):
            party.add(db, case, role=role, name=role, email=f"{role}@example.org")
    assert post.run() == (2, 0)
    assert sorted(post.to()) == ["coordinator@example.org", "reporter@example.org"]
    with cases.acting() as db:
        talk.propose(db, cases.again(case), NOW + timedelta(days=20), "UTC", now=NOW)
    assert post.run() == (2, 0)


def test_a_reporter_by_mail_speaks_and_agrees_and_answers_for_no_product(
    cases: Cases, post: Server, served: Site
) -> None:
    case = cases.opened()
    with cases.acting() as db:
        made = party.add(db, case, role="reporter", name="R", email="r@example.org")
    with cases.desk.owner() as db:
        token = mail.make_link(db, cases.desk.vault, made.id, datetime.now(UTC))
    shown = served.http.post(f"/case-mail/{token}")
    assert "We are not affected" not in shown.text
    refused = served.http.post(f"{NEXT.search(shown.text)[1]}/answer", data={"act": "accept", "text": "x"})  # type: ignore[index]
    assert refused.status_code == 422
    done = served.http.post(f"{NEXT.search(refused.text)[1]}/answer", data={"text": "Hello"})  # type: ignore[index]
    assert "Sent. Thank you." in done.text


def opened(cases: Cases, served: Site, case: kept.Case, email: str = "m@example.org") -> tuple[int, str]:
    """A party by mail, and the path of the form on its page."""
    made = cases.by_mail(case, email)
    with cases.desk.owner() as db:
        token = mail.make_link(db, cases.desk.vault, made.id, datetime.now(UTC))
    found = NEXT.search(served.http.post(f"/case-mail/{token}").text)
    assert found is not None
    return made.id, found[1]


def test_words_by_mail_are_read_by_the_coordinators_alone(cases: Cases, served: Site) -> None:
    case = cases.opened()
    cases.vendor(case)
    with cases.acting() as db:
        talk.propose(db, cases.again(case), NOW + timedelta(days=20), "UTC", now=NOW)
    acts = ("investigating", "accept", "fix-ready", "not-affected", "disagrees")
    for number, act in enumerate(acts):
        _, form = opened(cases, served, case, f"m{number}@example.org")
        done = served.http.post(f"{form}/answer", data={"act": act, "text": "in confidence: 0x41"})
        assert "Sent. Thank you." in done.text, act
    for who in (cases.desk.finder, cases.desk.maintainer):
        assert "in confidence" not in served.api(who.secret, "GET", f"/api/v1/cases/{case.handling}").text
        assert "in confidence" not in served.page(who.cookie, f"/cases/{case.handling}")
        with cases.acting(who) as db:
            said = db.execute(
                "select content::text from clearway.log_entry where subject = %s", (case.subject,)
            ).fetchall()
        assert said
        assert "in confidence" not in str(said)
    shown = served.page(cases.desk.coordinator.cookie, f"/cases/{case.handling}")
    assert shown.count("in confidence") == len(acts)


def test_the_reasons_of_a_dispute_by_mail_travel_with_the_record(cases: Cases, served: Site) -> None:
    case = cases.opened()
    number, form = opened(cases, served, case)
    served.http.post(f"{form}/answer", data={"act": "dispute", "text": "It is documented."})
    with cases.acting(cases.desk.finder) as db:
        assert party.one(db, case, number).reasons(cases.desk.vault, case) == "It is documented."


def test_a_link_is_renewed_at_its_own_address_also_after_the_letters_stopped(
    cases: Cases, served: Site, post: Server
) -> None:
    case = cases.opened()
    made = cases.by_mail(case, "first@example.org", told=False)
    post.run()
    link = re.search(r"/case-mail/(?!stop)([\w-]+)", post.taken[-1].text)
    assert link is not None
    with cases.acting() as db:
        party.reach(db, cases.again(case), party.one(db, case, made.id), "second@example.org")
        with pytest.raises(ConflictError):
            party.reach(db, cases.again(case), party.one(db, case, made.id), "second@example.org")
    with cases.desk.owner() as db:
        mail.stop(db, cases.desk.vault, mail.stop_token(cases.desk.vault, made.id), NOW)
        assert mail.queue_all(db, case, "said", only=made.id) == 0
    served.http.post(f"/case-mail/{link[1]}/again")
    assert post.run() == (1, 0)
    assert post.to() == ["first@example.org", "first@example.org"]
    renewed = re.search(r"/case-mail/(?!stop)([\w-]+)", post.taken[-1].text)
    assert renewed is not None
    form = NEXT.search(served.http.post(f"/case-mail/{renewed[1]}").text)
    assert form is not None
    served.http.post(f"{form[1]}/again")
    assert post.run() == (1, 0)
    assert post.to()[-1] == "first@example.org", "the page's own link is of the same address"


def test_only_a_coordinator_adds_an_address_and_only_by_mail(cases: Cases, served: Site) -> None:
    case = cases.opened()
    vendor, mailed = cases.vendor(case), cases.by_mail(case)
    at = f"/api/v1/cases/{case.handling}/parties"
    for who, number, status in (
        (cases.desk.maintainer, mailed.id, 403),
        (cases.desk.coordinator, vendor.id, 400),
    ):
        served.api(who.secret, "POST", f"{at}/{number}/contacts", status, {"email": "x@example.org"})
    served.post(
        cases.desk.coordinator.cookie,
        f"/cases/{case.handling}/parties/{mailed.id}/contacts",
        email="y@example.org",
    )
    with cases.acting() as db:
        assert [a for a, _ in party.contacts(db, mailed.id)] == ["y@example.org", "security@example.org"]
    with pytest.raises(ForbiddenError), cases.acting(cases.desk.maintainer) as db:
        party.reach(db, case, mailed, "z@example.org")


def test_a_form_behind_a_link_is_taken_where_the_browser_says_only_the_origin(
    cases: Cases, served: Site
) -> None:
    _, form = opened(cases, served, cases.opened())
    page = served.http.get(form)
    assert page.headers["referrer-policy"] == "same-origin", (
        "its own forms then have an origin, others learn nothing"
    )
    sent = {"origin": "http://clearway.local", "host": "clearway.local"}
    assert served.http.post(f"{form}/answer", data={"text": "Hello"}, headers=sent).status_code == 200


def test_a_party_says_so_much_in_a_day(cases: Cases, served: Site) -> None:
    case = cases.opened()
    number, form = opened(cases, served, case)
    with cases.acting() as db:
        own = thread.add(db, cases.desk.vault, case, "With them", to=number)
    vault = cases.desk.vault
    with cases.desk.owner() as db:
        for _ in range(thread.MAX_BYTES // 20_000):
            thread.say(db, vault, case, own, "z" * 20_000, speaker=number)
        with pytest.raises(TooManyRequestsError):
            thread.say(db, vault, case, own, "z", speaker=number)
    refused = served.http.post(f"{form}/answer", data={"text": "more"})
    assert refused.status_code == 422
    assert "much for one day" in refused.text
    with cases.acting() as db:
        assert thread.say(db, vault, case, own, "the desk is not bound")
    other = cases.vendor(case)
    with cases.acting() as db:
        second = thread.add(db, cases.desk.vault, case, "With vendor", to=other.id)
    with cases.acting(cases.desk.maintainer) as db:
        for _ in range(thread.MAX_MESSAGES):
            thread.say(db, vault, case, second, "x", speaker=other.id)
        with pytest.raises(TooManyRequestsError):
            thread.say(db, vault, case, second, "x", speaker=other.id)


def test_a_long_thread_is_read_page_by_page(cases: Cases, served: Site) -> None:
    case = cases.opened()
    vault = cases.desk.vault
    with cases.acting() as db:
        long = thread.add(db, cases.desk.vault, case, "Long")
        for n in range(45):
            thread.say(db, vault, case, long, f"message number {n:03}")
    path, seen = f"/cases/{case.handling}", []
    at = path
    for _ in range(3):
        shown = served.page(cases.desk.coordinator.cookie, at)
        seen += sorted(set(re.findall(r"message number (\d{3})", shown)), reverse=True)
        older = re.search(r'href="([^"]+before=\d+)"', shown)
        at = older[1].replace("&amp;", "&") if older else ""
    assert [int(n) for n in seen] == list(range(44, -1, -1))
    assert at == ""
    first = served.api(cases.desk.finder.secret, "GET", f"/api/v1{path}/threads/{long.id}").json()["messages"]
    before = served.api(
        cases.desk.finder.secret, "GET", f"/api/v1{path}/threads/{long.id}?before={first[10]['id']}"
    ).json()["messages"]
    assert before == first[:10]
