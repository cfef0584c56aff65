"""The steps that mark mails, and say who is no second person, can be taken back and made again."""

from __future__ import annotations

import pytest

from people import People
from steps import Steps, since, step_of

STATE = """select p.proname, pg_get_function_identity_arguments(p.oid), p.prosrc, p.prosecdef,
    has_function_privilege('clearway_app', p.oid, 'execute') from pg_proc p
where p.pronamespace = 'clearway'::regnamespace and p.proname in ('label_of', 'clauses_label', 'fleet_due', 'not_two',
    'decide_approval', 'are_two', 'makers', 'invite', 'add_credential', 'add_person', 'grant_role', 'set_client',
    'ask_approval', 'set_active', 'remark', 'brings') order by 1, 2"""

_ORDER = step_of("due_order")


@pytest.mark.parametrize(
    ("numbers", "gone"),
    [
        (["0061", "0065", _ORDER], {"label_of", "clauses_label"}),
        (["0064", *since("0077")], {"not_two", "brings"}),
        (["0065", _ORDER], set()),
        (since("0077"), {"brings"}),
    ],
    ids=["marked", "words", "asked for", "hands"],
)
def test_taken_back_and_made_again_all_is_as_it_was(
    people: People, numbers: list[str], gone: set[str]
) -> None:
    steps = Steps(people.url, *numbers)

    def state() -> dict[str, tuple[object, ...]]:
        with people.owner() as db:
            return {row[0]: row[1:] for row in db.execute(STATE)}

    now = state()
    assert now["label_of"][-1]
    assert not now["clauses_label"][-1]
    assert not now["not_two"][-1]
    steps.down()
    between = state()
    assert now.keys() - between.keys() == gone
    called = ("fleet_due", "decide_approval", "invite", "grant_role", "set_active", "remark", "ask_approval")
    assert all(between[name][-1] for name in called)
    assert not between["are_two"][-1]
    steps.up()
    assert state() == now
