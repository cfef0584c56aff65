"""Reporters whose findings in a case are all withdrawn: they take no part in it any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import kept, party

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[Any]


def sweep(owner: Connection) -> int:
    """Lets them leave; how many. Whoever was made a reporter by hand, without a finding, stays."""
    rows = owner.execute(
        """select p.case_id, p.party from clearway.case_party p join clearway.desk_case c using (case_id)
        where p.role = 'reporter' and p.left_at is null and p.member is not null and c.closed is null
            and exists (select from clearway.finding f where f.case_id = p.case_id and f.org = p.member
                and f.state = 'withdrawn')
            and not exists (select from clearway.finding f where f.case_id = p.case_id and f.org = p.member
                and f.state <> 'withdrawn')
        order by p.party limit 200"""
    ).fetchall()
    for case_id, number in rows:
        case = kept.by_id(owner, case_id)
        party.leave(owner, case, party.one(owner, case, number), "what it reported is withdrawn")
    return len(rows)
