"""What is read is told once for each audience, and an audience that comes later is told of all the same."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from clearway.access import audience
from clearway.access.marking import Marking, own
from clearway.ledger import reading
from clearway.ledger.questions import text_of
from clearway.ledger.reading import MOST_AUDIENCES, Note, tell_events
from people import People, Somebody


@pytest.fixture
def reader(people: People) -> Somebody:
    return people.somebody(people.org("water"), "operator", "coordinator")


def told(people: People, subject: str) -> list[tuple[int, dict[str, Any]]]:
    with people.owner() as owner:
        rows = owner.execute(
            "select aud::int, content from clearway.log_entry where act = 'content.read' and subject = %s "
            "order by entry",
            (subject,),
        ).fetchall()
    return [(aud, msgspec.json.decode(content) if content else {}) for aud, content in rows]


def auds(people: People, reader: Somebody, count: int) -> list[int]:
    from clearway.access import recipients

    found = []
    with people.acting(reader) as db:
        for n in range(count):
            made = recipients.add(db, reader.org, f"list {n}")
            recipients.set_member(db, made.list, person=reader.person)
            found.append(audience.of(db, Marking(tlp="RED", org=reader.org, recipients=made.list)))
    return found


def live(people: People, reader: Somebody, question: str, *read: int) -> None:
    with people.acting(reader) as db:
        done = tell_events(db, reader.key, "/api/v1/events/live", question, read)
    done()


def test_a_stream_tells_each_audience_once_whenever_it_first_brings_it(
    people: People, reader: Somebody
) -> None:
    one, other = auds(people, reader, 2)
    for batch in ([one, one], [one], [one, other], [other, other, other], [0, 1]):
        live(people, reader, "kind=asset", *batch)
    assert [(aud, content["rows"]) for aud, content in told(people, "list/events")] == [(one, 2), (other, 1)]
    assert {content["route"] for _, content in told(people, "list/events")} == {"/api/v1/events/live"}


def test_a_list_that_comes_to_show_another_audience_is_told_again(people: People, reader: Somebody) -> None:
    one, other = auds(people, reader, 2)
    for shown in ([one], [one], [one, other]):
        with people.acting(reader) as db:
            note = Note(db, reader.key, route="/api/v1/assets")
            note.listed("assets", "status=open&limit=5", shown)
        reading._remember(note.made)
    assert [aud for aud, _ in told(people, "list/assets")] == [one, *sorted((one, other))]


def test_figures_of_a_question_do_not_stand_for_its_rows(people: People, reader: Somebody) -> None:
    (one,) = auds(people, reader, 1)
    for tell in ("counted", "listed", "counted", "listed"):
        with people.acting(reader) as db:
            note = Note(db, reader.key, route="/exposure")
            getattr(note, tell)("exposures", "status=open", [one, one])
        reading._remember(note.made)
    assert [content.get("rows") for _, content in told(people, "list/exposures")] == [None, 2]


def test_beyond_sixteen_audiences_the_rest_is_one_entry_for_who_sees_all_of_them_with_their_rows(
    people: People, reader: Somebody
) -> None:
    many = sorted(auds(people, reader, MOST_AUDIENCES + 3))
    with people.acting(reader) as db:
        Note(db, reader.key, route="/assets").listed("assets", "", [*many, *many])
        rest = audience.meet(db, many[MOST_AUDIENCES - 1 :])
    entries = told(people, "list/assets")
    assert len(entries) == MOST_AUDIENCES
    assert {aud: content["rows"] for aud, content in entries}[rest] == 8
    assert sum(content["rows"] for _, content in entries) == 2 * len(many)


def test_what_everybody_may_read_is_no_reading(people: People, reader: Somebody) -> None:
    with people.acting(reader) as db:
        note = Note(db, reader.key, route="/assets")
        note.listed("assets", "name=x", [0, 1, 1])
        assert note("asset/1", [0, 1]) is False
        assert note("asset/2", [audience.of(db, own(reader.org))]) is True
    assert told(people, "list/assets") == []
    assert told(people, "asset/1") == []


def test_the_text_of_a_question_is_one_for_all_orders_of_its_filters_and_another_for_other_values() -> None:
    assert text_of("assets", [("b", "2"), ("a", "1&x")]) == "assets?a=1%26x&b=2"
    assert text_of("assets", [("a", "1"), ("x", "")]) != text_of("assets", [("a", "1&x=")])
