"""A case of which no finding stands ends no embargo; a lease is its holder's to renew; trials are no news."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

# An embargo that is armed would end with something to publish that nobody reports any more. Whoever withdraws the last
# finding that stands freezes it, in that transaction: a coordinator arms it anew, for another finding, or closes the
# case. The embargo's row is locked first by who arms and by who withdraws: of two at once the later sees the other.
HELD = """
create function clearway.case_stands(which bigint) returns boolean language sql volatile
    set search_path = clearway, pg_temp as $$
    select exists (select from finding f where f.case_id = which and f.state <> 'withdrawn') $$;

create function clearway.case_hold() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case; why constant text := 'every finding of its case is withdrawn';
begin
    select * into c from desk_case where case_id = new.case_id and closed is null and released is null;
    if c.case_id is null then return null; end if;
    perform from embargo where embargo = c.embargo for update;
    if case_stands(c.case_id) then return null; end if;
    update embargo set frozen = why, version = version + 1
    where embargo = c.embargo and ended_by is null and frozen = '' and (until is not null or on_exploitation);
    if not found then return null; end if;
    perform log_own('case.held', 'case/' || c.handling, format('{"why":%s}', to_json(why)), c.aud);
    perform event_put('case.held', 'case/' || c.handling, c.org, c.aud, jsonb_build_object('handling', c.handling));
    return null;
end $$;
create trigger case_hold after update of state on clearway.finding for each row
    when (new.state = 'withdrawn' and old.state <> 'withdrawn' and new.case_id is not null)
    execute function clearway.case_hold();

-- The same for who arms or ends the embargo itself, beside the case. The owner ends by the clock what is not frozen.
create function clearway.case_embargo() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if actor() <> 0 and exists (select from desk_case c where c.embargo = new.embargo and c.closed is null
            and c.released is null and not case_stands(c.case_id)) then
        raise 'the case has no finding that stands: what is published is of one' using errcode = 'CW409';
    end if;
    return new;
end $$;
create trigger case_embargo before update on clearway.embargo for each row
    when (new.ended_by is not null and old.ended_by is null
        or (new.until is not null or new.on_exploitation) and (new.until is distinct from old.until
            or new.on_exploitation and not old.on_exploitation or new.frozen = '' and old.frozen <> ''))
    execute function clearway.case_embargo();
revoke execute on function clearway.case_stands(bigint), clearway.case_hold(), clearway.case_embargo() from public;

-- Those that are so already.
update clearway.embargo e set frozen = 'every finding of its case is withdrawn', version = version + 1
where e.ended_by is null and e.frozen = '' and (e.until is not null or e.on_exploitation) and exists (
    select from clearway.desk_case c where c.embargo = e.embargo and c.closed is null and c.released is null
        and not exists (select from clearway.finding f where f.case_id = c.case_id and f.state <> 'withdrawn'));
"""
HELD_BEFORE = """
drop trigger case_hold on clearway.finding;
drop trigger case_embargo on clearway.embargo;
drop function clearway.case_hold(), clearway.case_embargo(), clearway.case_stands(bigint);
"""

_NEWS = """
drop trigger desk_news on clearway.event;
create trigger desk_news after insert on clearway.event for each row
    when ((new.kind in ('message.added', 'party.escalated', 'case.embargo_proposed', 'case.embargo_soon',
        'case.released', 'finding.received', 'finding.levelled'{held})
        or new.kind = 'case.moved' and new.body ->> 'act' in ('notify', 'dispute')){live})
    execute function clearway.desk_news_kept();
"""
NEWS = _NEWS.format(held=", 'case.held'", live="\n        and new.body ->> 'live' is distinct from 'false'")
NEWS_BEFORE = _NEWS.format(held="", live="")

# A coordinator reads every lease, so its fence too: they give back anybody's, and keep nobody's going.
_LOCKED = "    if l.fence <> token then raise"
_OURS = """    if not (case when actor() = 0 then true else may('submit', l.org) or may('operate', l.org) end) then
        raise 'it is its holder''s to renew: the desk gives back' using errcode = 'CW403';
    end if;
"""


def upgrade() -> None:
    text = before("0053_lease_leave", "lease_renew")
    assert text.count(_LOCKED) == 1
    run(HELD, NEWS, text.replace(_LOCKED, _OURS + _LOCKED))


def downgrade() -> None:
    op.execute(
        "update clearway.embargo set frozen = '' where frozen = 'every finding of its case is withdrawn'"
    )
    run(before("0053_lease_leave", "lease_renew"), NEWS_BEFORE, HELD_BEFORE)
