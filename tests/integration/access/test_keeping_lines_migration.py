"""The step that left a witness's line to the owner can be taken back and made again."""

from __future__ import annotations

import pytest

from people import People
from steps import Steps

STATE = """select p.prosrc, has_function_privilege('clearway_app', p.oid, 'execute') from pg_proc p
where p.pronamespace = 'clearway'::regnamespace and p.proname in ('log_cosign', 'audience_label') order by p.proname"""


@pytest.mark.slow
def test_taken_back_and_made_again_the_owner_alone_keeps_lines(people: People) -> None:
    steps = Steps(people.url, "0027")

    def state() -> list[tuple[str, bool]]:
        with people.owner() as db:
            return db.execute(STATE).fetchall()

    now = state()
    assert not now[1][1]
    steps.down()
    between = state()
    assert between[1][1]
    assert all(a != b for (a, _), (b, _) in zip(now, between, strict=True))
    steps.up()
    assert state() == now
