"""The step that added letters can be taken back and made again; who asked for none is asked for nothing."""

from __future__ import annotations

from clearway.access import person
from findings_case_world import Cases
from steps import Steps, there


def test_taken_back_and_made_again_everybody_has_asked_for_nothing(cases: Cases) -> None:
    me = cases.desk.colleague
    with cases.acting(me) as db:
        person.change(db, me.person, person.one(db, me.person).version, desk_mail="digest")
    steps = Steps(cases.desk.people.url, "0051", "0057")

    def found() -> set[tuple[str, str]]:
        with cases.desk.owner() as db:
            return there(db)

    before = found()
    steps.down()
    without = found()
    assert without < before
    assert not {name for _, name in without if "desk_news" in name}
    steps.up()
    assert found() == before
    with cases.acting(me) as db:
        assert person.one(db, me.person).desk_mail == "never"
