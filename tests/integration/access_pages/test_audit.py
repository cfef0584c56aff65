"""*Audit* and *trust*: each reader's entries, their proofs, what reading leaves behind, and the whole log verified."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from access_house import House, Reader
from clearway.access import approval, audience, credential
from clearway.access.marking import GREEN_AUD, Marking, own
from clearway.ledger import append, verifying
from clearway.ledger.append import erase
from clearway.ledger.sequencer import integrate_all, signer_of
from clearway.store.connect import connect


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


def integrate(house: House, home: Path) -> None:
    with connect(house.people.url, autocommit=True) as db:
        integrate_all(db, signer_of(db, home))


def entry_of(reader: Reader, subject: str) -> int:
    """The number of the newest entry about `subject` on the page of `reader`."""
    found = re.findall(r'href="/audit/(\d+)"', reader.look(f"/audit?subject={subject}").text)
    return int(found[0])


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text))


def reads(house: House) -> list[tuple[int, str]]:
    with house.people.owner() as owner:
        return owner.execute(
            "select actor, subject from clearway.log_entry where act = 'content.read' order by entry"
        ).fetchall()


def test_each_reader_sees_the_acts_of_their_own_and_the_public_none(house: House) -> None:
    house.chief.submit("/settings/people", name="Nora New", roles=["auditor"])
    assert "person added" in house.member.look("/audit?act=person.added").text
    assert "Nora New" not in house.stranger.look("/audit").text
    with house.people.owner() as owner:
        hidden = owner.execute(
            "select max(entry) from clearway.log_entry where act = 'person.invited'"
        ).fetchone()
    assert hidden is not None
    assert house.member.look(f"/audit/{hidden[0]}").status_code == 200
    assert house.stranger.look(f"/audit/{hidden[0]}").status_code == 404
    assert house.stranger.look(f"/audit/{hidden[0]}/proof").status_code == 404
    assert house.public.look("/audit").status_code == 401


def test_who_signed_in_is_named_and_not_clearway_itself(house: House) -> None:
    member = house.member.who
    assert member is not None
    with house.people.owner() as owner:
        credential.make_session(owner, member.person, by="code", now=datetime.now(UTC))
        row = owner.execute("select name from clearway.person where person = %s", (member.person,)).fetchone()
    assert row is not None
    entry = re.search(r'href="/audit/(\d+)"', house.member.look("/audit?act=session.begun").text)
    assert entry is not None
    assert f"{row[0]}: session begun" in words(house.member.look(f"/audit/{entry[1]}"))
    assert f"session begun {row[0]}" in words(house.member.look("/audit?act=session.begun"))


def test_who_signed_in_is_filed_under_the_person_and_not_under_clearway_itself(house: House) -> None:
    member = house.member.who
    assert member is not None
    with house.people.owner() as owner:
        credential.make_session(owner, member.person, by="passkey", now=datetime.now(UTC))
    begun = r"(?s)<tbody.*session begun.*</tbody>"
    assert re.search(begun, house.member.look(f"/audit?actor={member.person}").text)
    assert not re.search(begun, house.member.look("/audit?actor=0").text)
    by_api = house.member.api("GET", f"/ledger/entries?actor={member.person}&act=session.begun").json()[
        "items"
    ]
    assert by_api
    assert {(item["actor"], item["content"]["person"]) for item in by_api} == {(0, member.person)}
    assert house.member.api("GET", "/ledger/entries?actor=0&act=session.begun").json()["items"] == []
    others = house.member.api("GET", f"/ledger/entries?actor!={member.person}&act=session.begun").json()[
        "items"
    ]
    assert not {item["entry"] for item in by_api} & {item["entry"] for item in others}


def test_the_log_as_a_file_says_how_each_entry_is_marked_and_no_number_of_an_audience(house: House) -> None:
    items = house.member.api("GET", "/ledger/entries").json()["items"]
    rows = list(csv.DictReader(io.StringIO(house.member.api("GET", "/ledger/entries.csv").text)))
    single = house.member.api("GET", f"/ledger/entries/{items[0]['entry']}").json()
    with house.people.owner() as owner:
        labels = dict(
            owner.execute(
                "select entry, substr(clearway.label_of(array[aud::int]), 5) from clearway.log_entry"
            )
        )
    assert rows
    for row in (*items, *rows, single):
        assert row["tlp"] == labels[int(row["entry"])]
        assert not {"aud", "aud_"} & {*row}
    page = house.member.look("/audit.csv")
    assert "aud" not in page.text.splitlines()[0].split(",")


def test_a_session_whose_content_was_erased_is_the_systems(house: House) -> None:
    member = house.member.who
    assert member is not None
    with house.people.owner() as owner:
        credential.make_session(owner, member.person, by="oidc", now=datetime.now(UTC))
        row = owner.execute(
            "select max(entry) from clearway.log_entry where act = 'session.begun'"
        ).fetchone()
        assert row is not None
        erase(owner, row[0], ["content"], "asked for")
    found = house.member.api("GET", "/ledger/entries?actor=0&act=session.begun").json()["items"]
    assert [item["entry"] for item in found] == [row[0]]


def test_the_api_has_what_the_page_of_the_log_has(house: House, home: Path) -> None:
    integrate(house, home)
    assert house.member.api("POST", "/ledger/verification").status_code == 403
    asked = house.auditor.api("POST", "/ledger/verification")
    assert asked.status_code == 202, asked.text
    assert asked.json()["running"]
    assert house.member.api("GET", "/ledger/verification").json()["running"] == asked.json()["running"]
    strip = house.member.api("GET", "/ledger/continuity").json()
    assert strip[0]["size"] > 0
    assert {one["holds"] for one in strip} <= {True, None}
    bundle = house.member.api("GET", "/ledger/bundle")
    assert bundle.headers["content-type"] == "application/zip"
    assert zipfile.ZipFile(BytesIO(bundle.content)).namelist()
    for path in ("verification", "continuity", "bundle"):
        assert house.public.api("GET", f"/ledger/{path}").status_code == 401


def test_a_filter_form_with_empty_fields_leads_to_the_clean_address(house: House) -> None:
    answer = house.member.look("/audit?actor=&act=person.added&subject=&since=&until=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/audit?act=person.added")
    assert house.member.look("/audit?act=person.added&since=2020-01-01").status_code == 200
    assert house.member.look("/audit?colour=red").status_code == 400


def test_an_entry_is_acknowledged_then_integrated_and_its_proof_is_computed_anew(
    house: House, home: Path
) -> None:
    house.chief.submit("/settings/lists", name="Vendors")
    number = entry_of(house.chief, "list/1")
    assert "acknowledged" in house.chief.look(f"/audit/{number}").text
    integrate(house, home)
    shown = words(house.chief.look(f"/audit/{number}"))
    assert "the log proves it" in shown
    with house.people.owner() as owner:
        owner.execute("set local session_replication_role = replica")
        owner.execute(
            'update clearway.log_entry set content = \'{"name":"Other"}\' where entry = %s', (number,)
        )
    assert "does NOT hold" in words(house.chief.look(f"/audit/{number}"))


def test_reading_marked_content_is_an_entry_and_what_everybody_may_read_is_none(house: House) -> None:
    assert house.member.who is not None
    with house.people.acting(house.chief.who) as db:
        marked = append(
            db, "note.added", "note/1", {"text": "only Water"}, aud=audience.of(db, own(house.water))
        )
        green = append(db, "note.added", "note/2", {"text": "all"}, aud=GREEN_AUD)
    for _ in range(2):
        assert "only Water" in house.member.look(f"/audit/{marked}").text
    house.stranger.look(f"/audit/{green}")
    assert reads(house) == [(house.member.who.person, f"entry/{marked}")]  # once an hour
    house.member.look("/audit.json")
    assert reads(house)[-1] == (house.member.who.person, "list/log-entries")


def test_who_lowered_a_marking_is_told_with_the_two_people_it_took(house: House, home: Path) -> None:
    with house.people.owner() as owner:
        owner.execute(
            "create table clearway.sample (sample int primary key, org int not null, aud clearway.audience_id not null)"
        )
        owner.execute("select clearway.govern('clearway.sample', 'coordinate')")
        was = audience.of(owner, own(house.water))
        wide = audience.of(owner, Marking(tlp="GREEN"))
        owner.execute("insert into clearway.sample values (1, %s, %s)", (house.water, was))
    with house.people.acting(house.desk.who) as db:
        asked = approval.ask_remark(db, "clearway.sample", 1, house.water, was, wide, "the fix is out")
    assert "wider marking" in house.chief.look("/settings/sharing").text
    assert house.chief.submit(f"/settings/approvals/{asked.approval}", verdict="approved").status_code == 303
    with house.people.acting(house.desk.who) as db:
        approval.remark(db, "clearway.sample", 1, house.water, wide, approved=asked.approval)
    integrate(house, home)
    shown = words(house.auditor.look(f"/audit/{entry_of(house.auditor, 'sample/1')}"))
    assert (
        "Coordinator of Water : marking changed" in shown or "Coordinator of Water: marking changed" in shown
    )
    assert "Coordinator of Water asked, Chief of Water agreed" in shown
    assert "the log proves it" in shown


def test_the_whole_log_is_verified_by_the_worker_and_the_answer_is_on_the_log(
    house: House, home: Path
) -> None:
    integrate(house, home)
    assert house.member.submit("/audit/log/verify").status_code == 403
    assert house.auditor.submit("/audit/log/verify").status_code == 303
    assert "Being verified" in house.member.look("/audit/log").text
    assert house.auditor.who is not None
    with house.people.owner() as owner:
        asked = owner.execute(
            "select actor from clearway.log_entry where act = %s", (verifying.ASKED,)
        ).fetchall()
    assert asked == [(house.auditor.who.person,)]
    run_jobs(house, home)
    shown = words(house.member.look("/audit/log"))
    assert "holds" in shown
    assert "Being verified" not in shown
    assert house.acts()[-1] == verifying.DONE


def test_a_changed_entry_is_found_by_the_whole_verification(house: House, home: Path) -> None:
    integrate(house, home)
    with house.people.owner() as owner:
        owner.execute("set local session_replication_role = replica")
        owner.execute("update clearway.log_entry set act = 'x.y' where entry = 3")
    house.auditor.submit("/audit/log/verify")
    run_jobs(house, home)
    shown = words(house.auditor.look("/audit/log"))
    assert "The log does not verify" in shown
    assert "does NOT hold" in shown


def run_jobs(house: House, home: Path) -> None:
    """Does what waits, as a worker does."""
    import threading

    from clearway.app.worker import joined
    from clearway.store.jobs_worker import run_worker

    tasks, _ = joined(home, house.people.url, ["clearway.ledger"])
    stop = threading.Event()
    worker = threading.Thread(target=run_worker, args=(house.people.url, tasks), kwargs={"stop": stop})
    worker.start()
    try:
        for _ in range(300):
            if house.acts()[-1] == verifying.DONE:
                break
            stop.wait(0.1)
    finally:
        stop.set()
        worker.join(20)


def test_the_page_of_trust_is_for_everybody_and_shows_what_was_signed(house: House, home: Path) -> None:
    assert "Nothing is signed here yet" in house.public.look("/trust").text
    integrate(house, home)
    shown = house.public.look("/trust")
    assert shown.status_code == 200
    key = house.public.api("GET", "/ledger/keys").json()["keys"][0]["vkey"]
    assert key in shown.text.replace("&#43;", "+")
    assert "Member of Water" not in shown.text


def test_the_download_verifies_without_the_database_and_has_no_content(house: House, home: Path) -> None:
    from clearway.ledger.check import verify_file

    integrate(house, home)
    answer = house.member.look("/audit/log/bundle")
    assert answer.headers["content-type"] == "application/zip"
    names = zipfile.ZipFile(BytesIO(answer.content)).namelist()
    assert not [name for name in names if name.startswith("opened/")]
    file = home / "log.zip"
    file.write_bytes(answer.content)
    assert verify_file(str(file), key=None, witnesses=[]).ok
    assert house.public.look("/audit/log/bundle").status_code == 401


def test_checkpoints_are_held_against_each_other(house: House, home: Path) -> None:
    integrate(house, home)
    house.chief.submit("/settings/lists", name="Vendors")
    integrate(house, home)
    assert "Does it continue?" in house.member.look("/audit/log").text
    with house.people.owner() as owner:
        owner.execute(
            "update clearway.log_checkpoint set root = sha256('x') "
            "where size = (select min(size) from clearway.log_checkpoint)"
        )
    assert "A checkpoint does not continue" in house.member.look("/audit/log").text


def test_an_audience_is_explained_to_who_is_in_it(house: House) -> None:
    with house.people.owner() as owner:
        mine = audience.of(owner, own(house.water))
    shown = words(house.member.look(f"/audit/audience/{mine}"))
    assert "Seen by members of Water" in shown
    assert "you are" in shown
    assert house.stranger.look(f"/audit/audience/{mine}").status_code == 404
