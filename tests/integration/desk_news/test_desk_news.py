"""Letters about cases and findings: who gets them, what may stand in them, and that none is lost or told twice."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from clearway.access import audience, person
from clearway.access.marking import CLEAR, GREEN, Marking, Tlp
from clearway.app import desk_news, mail
from clearway.app.cli import main
from clearway.app.tasks import tasks
from clearway.app.worker import mint
from clearway.findings import kept as findings
from clearway.findings.case import kept, party, release, talk, thread
from clearway.findings.case import tasks as case_tasks
from clearway.findings.case.kept import Case
from clearway.records.clock import FixedClock
from clearway.records.errors import InputError, UpstreamError
from findings_case_world import Cases
from mail_server import Letters
from people import Somebody
from site_client import site

BASE = "https://clearway.example.org"
NOW = datetime.now(UTC)


class AJob:
    """What a task needs of a job."""

    stopping = False

    def __init__(self, cases: Cases) -> None:
        self.cases, self.owner = cases, cases.desk.owner

    def acting(self, whom: int) -> Any:
        with self.owner() as db:
            key = mint(db, whom)
        return self.cases.desk.people.pool.acting(key)


class Post:
    """A desk whose letters go to a server here."""

    def __init__(self, cases: Cases, letters: Letters, port: int) -> None:
        self.cases, self.letters, self.port = cases, letters, port
        self.settled()

    def settled(self, *more: str) -> None:
        lines = [
            'host = "127.0.0.1"', f"port = {self.port}", 'security = "none"', f'base_url = "{BASE}"',
            'sender = "Clearway <desk@example.org>"', *more,
        ]  # fmt: skip
        (self.cases.desk.home / "mail.toml").write_text("\n".join(lines))

    def asks(self, who: Somebody, rhythm: str = "at-once") -> Somebody:
        """Gives somebody an address, and has them ask for letters themselves."""
        with self.cases.desk.owner() as db:
            db.execute(
                "update clearway.person set email = %s, time_zone = 'UTC' where person = %s",
                (f"p{who.person}@example.org", who.person),
            )
        with self.cases.acting(who) as db:
            person.change(db, who.person, person.one(db, who.person).version, desk_mail=rhythm)
        return who

    def run(self, now: datetime = NOW) -> list[Any]:
        """The letters that one run of the task sends."""
        before = len(self.letters.kept)
        spec: Any = tasks(self.cases.desk.home, self.cases.world.url, FixedClock(now))["app.desk_news"]
        spec.run(AJob(self.cases), {})
        return self.letters.kept[before:]

    def waiting(self) -> int:
        with self.cases.desk.owner() as db:
            row = db.execute("select count(*) from clearway.desk_news_letter where failed = ''").fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture
def post(cases: Cases, smtp: tuple[Letters, int]) -> Post:
    with cases.desk.owner() as db:
        db.execute("update clearway.person set desk_mail = 'never', email = '' where desk_mail <> 'never'")
    return Post(cases, *smtp)


def says(cases: Cases, case: Case, text: str = "A secret word", who: Somebody | None = None) -> None:
    with cases.acting() as db:
        found = kept.by_id(db, case.id)
        threads = thread.listed(db, found) or [thread.add(db, cases.desk.vault, found, "Questions")]
    with cases.acting(who) as db:
        found = kept.one(db, case.handling)
        speaker = None
        if who is not None:
            speaker = next(p.id for p in party.listed(db, found) if p.member == who.org)
        thread.say(db, cases.desk.vault, found, threads[0], text, speaker=speaker)


def body(letter: Any) -> str:
    return str(letter.get_body(("plain",)).get_content())


def test_a_member_who_asks_is_told_of_a_message_by_a_handling_id_and_a_link_alone(
    cases: Cases, post: Post
) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.maintainer)
    says(cases, case)
    (letter,) = post.run()
    assert (
        letter["to"]
        == f"{letter['to'].addresses[0].display_name} <p{cases.desk.maintainer.person}@example.org>"
    )
    assert letter["subject"] == f"[TLP:RED] Clearway: news of {case.handling}"  # it is under embargo
    assert letter["list-unsubscribe"] == f"<{BASE}/settings/account>"
    assert f"{BASE}/cases/{case.handling}" in body(letter)
    whole = post.letters.raw[-1].decode()
    for word in ("secret word", "Heap buffer", "example 1.2", "a new message", "parse_string", "Questions"):
        assert word not in whole
    assert post.run() == []  # told once


def test_who_asked_for_nothing_or_has_no_rights_or_did_it_themselves_gets_nothing(
    cases: Cases, post: Post
) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.rival)  # is of no such case
    post.asks(cases.desk.coordinator)
    says(cases, case)
    assert post.run() == []
    says(cases, case, who=cases.desk.maintainer)
    (letter,) = post.run()
    assert letter["to"].addresses[0].addr_spec == f"p{cases.desk.coordinator.person}@example.org"


def test_what_a_reader_may_no_longer_see_when_it_is_sent_is_not_told(cases: Cases, post: Post) -> None:
    case = cases.opened()
    made = cases.vendor(case)
    post.asks(cases.desk.maintainer)
    says(cases, case)
    with cases.acting() as db:
        party.leave(db, kept.by_id(db, case.id), made, "not theirs after all")
    assert post.run() == []
    assert post.waiting() == 0


def test_a_thread_of_another_party_is_told_to_the_coordinators_alone(cases: Cases, post: Post) -> None:
    case = cases.opened()
    cases.vendor(case)
    with cases.acting() as db:
        lab = next(p for p in party.listed(db, kept.by_id(db, case.id)) if p.member == cases.desk.lab)
        apart = thread.add(db, cases.desk.vault, kept.by_id(db, case.id), "With the reporter", to=lab.id)
    post.asks(cases.desk.maintainer)
    post.asks(cases.desk.finder)
    with cases.acting() as db:
        thread.say(db, cases.desk.vault, kept.by_id(db, case.id), apart, "For you alone")
    (letter,) = post.run()
    assert letter["to"].addresses[0].addr_spec == f"p{cases.desk.finder.person}@example.org"


def test_asked_disputed_received_and_levelled_are_news(cases: Cases, post: Post) -> None:
    case = cases.opened()
    post.asks(cases.desk.coordinator)
    post.asks(cases.desk.finder, "at-once")
    with cases.acting() as db:  # by the coordinator: news for the reporter's organisation
        made = party.add(db, kept.by_id(db, case.id), role="vendor", member=cases.desk.vendor)
        party.ask(db, kept.by_id(db, case.id), made)
        finding = findings.by_id(db, db.execute("select max(finding) from clearway.finding").fetchone()[0])  # type: ignore[index]
        findings.set_level(db, finding, 1, "it fires")
    (letter,) = post.run()
    assert letter["subject"] == "[TLP:RED] Clearway: news of cases and findings"  # and not of how many
    assert f"{BASE}/findings/{finding.handling}" in body(letter)
    with cases.acting(cases.desk.maintainer) as db:
        found = kept.one(db, case.handling)
        mine = next(p for p in party.listed(db, found) if p.member == cases.desk.vendor)
        party.act(db, found, mine, "dispute", "it is meant so", vault=cases.desk.vault)
    letters = {one["to"].addresses[0].addr_spec: body(one) for one in post.run()}
    assert set(letters) == {f"p{w.person}@example.org" for w in (cases.desk.coordinator, cases.desk.finder)}
    assert all("dispute" not in text and "meant so" not in text for text in letters.values())


def test_an_embargo_that_ends_soon_is_told_once_and_its_end_names_the_advisory(
    cases: Cases, post: Post
) -> None:
    case = cases.opened()
    cases.vendor(case)
    cases.drafted(case)
    with cases.acting() as db:
        found = kept.by_id(db, case.id)
        talk.propose(db, found, NOW + timedelta(days=2), "UTC", now=NOW)
        talk.accept(db, kept.by_id(db, case.id), now=NOW)
    post.asks(cases.desk.maintainer)
    with cases.desk.owner() as db:
        assert case_tasks.tell_soon(db, NOW) == 1
        assert case_tasks.tell_soon(db, NOW) == 0
    (letter,) = post.run()
    assert case.handling in body(letter)
    assert "within three days" not in body(letter)
    with cases.acting() as db:
        release.release(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, "fixed", now=NOW)
    (letter,) = post.run()
    assert cases.again(case).title not in body(letter)  # a reporter's words, for its parties
    assert "the embargo has ended" in body(letter)


def test_a_title_in_a_letter_is_the_published_documents_and_there_is_none_before(
    cases: Cases, post: Post
) -> None:
    case = cases.opened(title="INTERNAL: customer Acme was hit through parse_string")
    cases.vendor(case)
    cases.drafted(case)
    post.asks(cases.desk.maintainer)
    with cases.acting() as db:
        release.release(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, "fixed", now=NOW)
    (first,) = post.run()
    assert "the embargo has ended" in body(first)
    assert case.handling in body(first).splitlines()  # it is not published yet
    assert release.publish(cases.desk.owner, cases.world.url, cases.world.home, case.id, FixedClock(NOW))
    says(cases, case)
    (later,) = post.run()
    assert f"{case.handling}: Heap buffer overflow in parse_string" in body(later).splitlines()
    assert b"INTERNAL" not in b"".join(post.letters.raw)
    assert b"Acme" not in b"".join(post.letters.raw)


def received(cases: Cases, finding: findings.Finding, times: int = 1) -> None:
    """As if so many receipts were given out for it."""
    with cases.acting(cases.desk.finder) as db:
        db.execute(
            "select clearway.emit('finding.received', %s, %s, %s) from generate_series(1, %s)",
            (finding.subject, finding.org, finding.aud, times),
        )


@pytest.mark.parametrize("rhythm", ["at-once", "digest"])
def test_however_many_receipts_come_after_it_a_dispute_is_told_and_each_thing_named(
    cases: Cases, post: Post, rhythm: str
) -> None:
    case = cases.opened()
    cases.vendor(case)
    day = NOW.replace(hour=9)
    post.asks(cases.desk.coordinator, rhythm)
    assert post.run(day) == []
    with cases.acting(cases.desk.maintainer) as db:
        found = kept.one(db, case.handling)
        mine = next(p for p in party.listed(db, found) if p.member == cases.desk.vendor)
        party.act(db, found, mine, "dispute", "it is meant so", vault=cases.desk.vault)
    reported = [cases.desk.finding() for _ in range(30)]
    for finding in reported:
        received(cases, finding)
    received(cases, reported[0], 700)
    (letter,) = post.run(day + timedelta(days=1))
    assert "news of cases and findings" in letter["subject"]
    lines = body(letter).splitlines()
    assert next(line for line in lines if line.startswith("CW")) == case.handling
    assert all(finding.handling in body(letter) for finding in reported)
    assert "and of others:" in body(letter)
    assert "701" not in body(letter)
    assert post.run(day + timedelta(days=2)) == []


def test_what_a_letter_does_not_name_is_said_cases_before_findings(
    cases: Cases, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk_news, "MOST_NAMED", 3)
    post.asks(cases.desk.coordinator)
    opened = [cases.opened() for _ in range(4)]
    for case in opened:
        cases.vendor(case)
    for finding in [cases.desk.finding() for _ in range(5)]:
        received(cases, finding)
    for case in opened:
        with cases.acting(cases.desk.maintainer) as db:
            found = kept.one(db, case.handling)
            mine = next(p for p in party.listed(db, found) if p.member == cases.desk.vendor)
            party.act(db, found, mine, "dispute", "it is meant so", vault=cases.desk.vault)
    (letter,) = post.run()
    assert "news of cases and findings" in letter["subject"]
    assert f"and of more cases that are not named here: {BASE}/cases" in body(letter)
    assert f"and of more findings that are not named here: {BASE}/findings" in body(letter)


def test_trials_are_no_news(cases: Cases, post: Post) -> None:
    post.asks(cases.desk.coordinator)
    post.asks(cases.desk.colleague)
    trial = cases.desk.finding(live=False)
    with cases.acting(cases.desk.finder) as db:
        findings.announce(db, trial, "finding.received")
    received(cases, trial)  # and an event that does not say so
    with cases.acting() as db:
        findings.set_level(db, trial, 1, "it fires")
    assert post.run() == []


def test_the_events_that_are_kept_are_those_that_letters_look_for(cases: Cases) -> None:
    with cases.desk.owner() as db:
        row = db.execute(
            "select pg_get_triggerdef(oid) from pg_trigger where tgname = 'desk_news' "
            "and tgrelid = 'clearway.event'::regclass"
        ).fetchone()
    assert row is not None
    named = set(re.findall(r"'([a-z_.]+)'", row[0]))
    assert named == {*desk_news.KINDS, *desk_news.ACTS, "case.moved", "act", "live", "false"}


def test_once_a_day_all_news_are_in_one_letter_from_the_hour_on(cases: Cases, post: Post) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.maintainer, "digest")
    day = NOW.replace(hour=9)
    assert post.run(day) == []
    for _ in range(3):
        says(cases, case)
    assert post.run(day) == []
    assert post.run(day + timedelta(hours=21)) == []  # six in the morning
    (letter,) = post.run(day + timedelta(hours=22))
    assert "something new" in body(letter)
    assert post.run(day + timedelta(hours=23)) == []
    assert post.run(day + timedelta(days=2)) == []  # nothing new


def test_who_ends_the_letters_gets_none_that_waits(cases: Cases, post: Post) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.maintainer)
    says(cases, case)
    with cases.desk.owner() as db:
        assert desk_news.start(db, NOW, 7) == 1
    post.asks(cases.desk.maintainer, "never")
    assert post.waiting() == 0
    assert post.run() == []
    post.asks(cases.desk.maintainer)
    assert post.run() == []  # only what comes from now on


def test_a_letter_cut_off_between_the_servers_word_and_ours_comes_again_as_the_same(
    cases: Cases, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.maintainer)
    says(cases, case)

    class KilledError(BaseException):
        pass

    really = mail.send

    def and_dies(settings: mail.Settings, letter: Any) -> None:
        really(settings, letter)
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(mail, "send", and_dies)
        with pytest.raises(KilledError):
            post.run()
    says(cases, case)  # what comes in between is another letter's
    again, other = post.run()
    first = post.letters.kept[0]
    assert again["message-id"] == first["message-id"] != other["message-id"]
    assert body(again) == body(first)
    assert post.run() == []


def test_a_server_that_puts_off_is_tried_later_and_one_that_refuses_ends_that_letter_alone(
    cases: Cases, post: Post
) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.asks(cases.desk.maintainer)
    post.asks(cases.desk.finder)
    says(cases, case)
    post.letters.answers = ["451 come again", "250 OK"]  # the second is taken and kept by nobody
    with pytest.raises(UpstreamError):
        post.run()
    assert post.waiting() == 1
    assert post.run() == []
    assert len(post.run(NOW + timedelta(minutes=2))) == 1
    post.letters.refused = {f"p{cases.desk.finder.person}@example.org"}
    says(cases, case)
    assert len(post.run()) == 1
    assert post.waiting() == 0
    with cases.desk.owner() as db:
        told = {one.person: one for one in desk_news.schedule(db, NOW, 7)}
    assert told[cases.desk.finder.person].failed == 1
    assert told[cases.desk.maintainer.person].failed == 0


def test_details_name_what_happened_only_up_to_amber(cases: Cases, post: Post) -> None:
    case = cases.opened()
    cases.vendor(case)
    post.settled("details = true")
    post.asks(cases.desk.maintainer)
    says(cases, case)
    (letter,) = post.run()
    assert letter["subject"].startswith("[TLP:RED]")
    assert "a new message" not in body(letter)  # a case under embargo is RED
    assert "Heap buffer" not in body(letter)


def opened_to(cases: Cases, finding: findings.Finding, tlp: Tlp) -> findings.Finding:
    """The finding with another marking, as two people would have given it."""
    with cases.desk.owner() as db:
        marking = CLEAR if tlp == "CLEAR" else GREEN if tlp == "GREEN" else Marking(tlp=tlp, org=finding.org)
        aud = audience.of(db, marking)
        db.execute("update clearway.finding set aud = %s where finding = %s", (aud, finding.id))
        return findings.by_id(db, finding.id)


@pytest.mark.parametrize(
    ("tlp", "plain_mail", "with_details"),
    [
        ("CLEAR", "GREEN", "AMBER"),
        ("GREEN", "GREEN", "AMBER"),
        ("AMBER", "AMBER", "AMBER"),
        ("AMBER+STRICT", "AMBER+STRICT", "AMBER+STRICT"),
        ("RED", "RED", "RED"),
    ],
)
def test_a_letter_is_marked_as_the_strictest_of_what_it_tells_and_counts_only_what_may_travel(
    cases: Cases, post: Post, tlp: Tlp, plain_mail: Tlp, with_details: Tlp
) -> None:
    post.asks(cases.desk.colleague)
    for details, expected in ((False, plain_mail), (True, with_details)):
        post.settled(f"details = {str(details).lower()}")
        one = opened_to(cases, cases.desk.finding(), "GREEN")
        other = opened_to(cases, cases.desk.finding(), tlp)
        for finding in (one, other):
            received(cases, finding)
        (letter,) = post.run()
        travels = expected in ("GREEN", "AMBER")[: 1 + details]
        much = "2 cases and findings" if travels else "cases and findings"
        assert letter["subject"] == f"[TLP:{expected}] Clearway: news of {much}"
        said = body(letter)
        assert said.splitlines()[0] == f"TLP:{expected}"
        assert one.handling in said
        assert other.handling in said
        assert said.count("it is received") == 1 + travels
        assert said.count("something new") == 1 - travels


def test_a_published_case_is_told_under_the_marking_that_it_was_released_to(cases: Cases, post: Post) -> None:
    case = cases.opened()
    cases.vendor(case)
    cases.drafted(case)
    post.asks(cases.desk.maintainer)
    with cases.acting() as db:
        release.release(db, cases.desk.vault, kept.by_id(db, case.id), cases.desk.home, "fixed", now=NOW)
    (letter,) = post.run()
    assert letter["subject"] == f"[TLP:GREEN] Clearway: news of {case.handling}"
    says(cases, case)  # a thread stays its parties'
    (letter,) = post.run()
    assert letter["subject"] == f"[TLP:RED] Clearway: news of {case.handling}"


def test_only_oneself_chooses_and_only_what_there_is(cases: Cases, post: Post) -> None:
    mine = cases.desk.maintainer
    with cases.acting(mine) as db, pytest.raises(InputError):
        person.change(db, mine.person, person.one(db, mine.person).version, desk_mail="hourly")
    with cases.acting(mine) as db:
        assert person.one(db, mine.person).desk_mail == "never"
    for whose in (cases.desk.finder, cases.desk.coordinator):
        with cases.acting(mine) as db, pytest.raises(Exception, match=r"nobody"):
            person.change(db, whose.person, 1, desk_mail="at-once")


def test_page_api_and_command_change_the_same_setting(
    cases: Cases, post: Post, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    me = cases.desk.maintainer

    def chosen() -> str:
        with cases.acting(me) as db:
            return person.one(db, me.person).desk_mail

    with site(cases.desk.home, cases.world.url) as pages:
        shown = pages.page(me.cookie, "/settings/account")
        assert "Mail about cases and findings" in shown
        version = re.search(r'name="version" value="(\d+)"', shown)
        assert version is not None
        pages.post(
            me.cookie, "/settings/account",
            version=version[1], name="Maintainer", time_zone="UTC", digest="never", desk_mail="digest",
        )  # fmt: skip
        assert chosen() == "digest"
        path = f"/api/v1/people/{me.person}"
        found = pages.http.get(path, headers={"Authorization": f"Bearer {me.secret}"})
        assert found.json()["desk_mail"] == "digest"
        changed = pages.http.patch(
            path,
            json={"desk_mail": "at-once"},
            headers={"Authorization": f"Bearer {me.secret}", "If-Match": found.headers["etag"]},
        )
        assert (changed.status_code, chosen()) == (200, "at-once")
    monkeypatch.setenv("CLEARWAY_TOKEN", me.secret)
    monkeypatch.setenv("CLEARWAY_DATABASE_URL", cases.world.url)
    home = str(cases.desk.home)
    assert main(["--home", home, "digest", "mine", "--desk-mail", "never", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["desk_mail"] == chosen() == "never"


NEWS = desk_news.News(handling="CWC-7Q4K-9M2X", path="/cases/CWC-7Q4K-9M2X")


@given(name=st.text(max_size=200), title=st.text(max_size=300))
def test_no_name_and_no_title_breaks_out_of_a_line_or_adds_a_header(name: str, title: str) -> None:
    settings = mail.Settings(host="127.0.0.1", sender="Clearway <desk@example.org>", base_url=BASE)
    to = desk_news.Reader(name=name, email="ada@clinic.example")
    made = desk_news.letter_of(
        settings, desk_news.Told(found=(replace(NEWS, title=title),)), to, UUID(int=7), NOW
    )
    raw = made.as_bytes()
    head, _, _ = raw.partition(b"\r\n\r\n")
    named = [line.split(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in (b" ", b"\t")]
    assert sorted(named) == sorted(
        [b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"auto-submitted",
         b"mime-version", b"content-type"]
    )  # fmt: skip
    assert made["message-id"] == "<news.00000000-0000-0000-0000-000000000007@example.org>"
    assert f"{BASE}{NEWS.path}" in made.get_body(("plain",)).get_content()  # type: ignore[union-attr]
