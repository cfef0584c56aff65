"""Who decides an appeal can be asked before it is decided, so that nobody is offered what is refused."""

from clearway.store.ddl import run, standing

revision = "0066"
down_revision = "0065"
branch_labels = None
depends_on = None

DECIDES = """
-- Whether the caller may decide the appeal, which is open: the desk that works on its finding, and of it neither who
-- gave the mark nor who appealed.
create function clearway.decides_appeal(which bigint) returns boolean language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select actor() = 0 or exists (select from mark_appeal a join finding_mark m on m.finding_mark = a.finding_mark
        where a.appeal = which and a.outcome is null and works_finding(a.finding)
            and actor() not in (m.by_person, a.by_person)) $$;
revoke execute on function clearway.decides_appeal(bigint) from public;
grant execute on function clearway.decides_appeal(bigint) to clearway_app;
"""
_BEFORE = """    select by_person into marker from finding_mark m where m.finding_mark = a.finding_mark;
    if actor() <> 0 and actor() in (marker, a.by_person) then"""
_NOW = "    if not decides_appeal(which) then"


def _with(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def upgrade() -> None:
    run(DECIDES, _with(standing("decide_appeal"), _BEFORE, _NOW))


def downgrade() -> None:
    run(
        _with(standing("decide_appeal"), _NOW, _BEFORE),
        "drop function clearway.decides_appeal(bigint)",
    )
