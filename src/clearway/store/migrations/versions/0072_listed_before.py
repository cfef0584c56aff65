"""A listing that is older than what was armed ends nothing and is told; a case follows its embargo at once."""

from alembic import op

from clearway.store.ddl import run

revision = "0072"
down_revision = "0071"
branch_labels = None
depends_on = None

LISTED = """
-- The day of a listing as exploited that was there before the flaw was named or the embargo armed: it ended nothing.
alter table clearway.embargo_flaw add column listed date;
create function clearway.case_listed() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case;
begin
    for c in select * from desk_case where embargo = new.embargo and closed is null and released is null loop
        perform log_own('case.listed_before', 'case/' || c.handling,
            format('{"flaw":%s,"listed":%s}', to_json(new.id), to_json(new.listed::text)), c.aud);
        perform event_put('case.listed_before', 'case/' || c.handling, c.org, c.aud,
            jsonb_build_object('handling', c.handling));
    end loop;
    return null;
end $$;
create trigger case_listed after update of listed on clearway.embargo_flaw for each row
    when (new.listed is not null and old.listed is null) execute function clearway.case_listed();
"""

# At the end of the transaction: an act of the case itself has said by then that it is released, and starts its own job.
ENDED = """
create function clearway.case_ended() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare its constant text := 'cron/findings.case_settle';  -- the key of its runs by the clock: one at a time
begin
    if exists (select from desk_case where embargo = new.embargo and closed is null and released is null) then
        perform queue_job('findings.case_settle', '{}', 'default', its, null, its, 0, null);
    end if;
    return null;
end $$;
create constraint trigger case_ended after update on clearway.embargo deferrable initially deferred for each row
    when (new.ended_by is not null and old.ended_by is null) execute function clearway.case_ended();
revoke execute on function clearway.case_listed(), clearway.case_ended() from public;
"""

_HELD, _BEFORE = "'case.held'::text", "'case.held'::text, 'case.listed_before'::text"


def _news(old: str, new: str) -> str:
    """The trigger that keeps what coordinators get letters of, made anew with another list of events."""
    text = str(
        op.get_bind()
        .exec_driver_sql(
            "select pg_get_triggerdef(oid) from pg_trigger "
            "where tgname = 'desk_news' and tgrelid = 'clearway.event'::regclass"
        )
        .scalar_one()
    )
    assert text.count(old) == 1
    return f"drop trigger desk_news on clearway.event; {text.replace(old, new)}"


def upgrade() -> None:
    run(LISTED, ENDED, _news(_HELD, _BEFORE))


def downgrade() -> None:
    run(
        _news(_BEFORE, _HELD),
        "drop trigger case_ended on clearway.embargo; drop trigger case_listed on clearway.embargo_flaw",
        "drop function clearway.case_ended(), clearway.case_listed()",
        "alter table clearway.embargo_flaw drop column listed",
    )
