"""How long things are kept, and legal holds that stop their deletion."""

from alembic import op

from clearway.store.ddl import run

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = """
-- Days after which rows of a kind are deleted (owner only); null: kept for ever. What each kind is stands in
-- `clearway.app.retention`. Nothing on the log is ever among them: to erase a part of an entry is an act of its own.
create table clearway.retention (
    kind text primary key,
    days int check (days between 1 and 36500),
    changed timestamptz not null default clock_timestamp()
);
insert into clearway.retention (kind, days) values
    ('sign-ins', 1), ('invitations', 90), ('sessions', 90), ('tokens', 730),
    ('intake-runs', 365), ('set-aside', 365), ('inventories', 730);

-- A legal hold (owner only): while it is not lifted, nothing of the organisation's is deleted by age, or nothing about
-- the one subject. Rows stay when it is lifted. To place and to lift one are acts on the log.
create table clearway.hold (
    hold int generated always as identity primary key,
    org int not null references clearway.organisation,
    subject text not null default '' check (length(subject) <= 300),  -- '': all that is the organisation's
    reason text not null check (length(reason) between 1 and 1000),
    placed timestamptz not null default clock_timestamp(),
    placed_by bigint not null,  -- the entry of the act
    lifted timestamptz,
    lifted_by bigint,
    check ((lifted is null) = (lifted_by is null))
);
create index hold_standing on clearway.hold (org, subject) where lifted is null;
"""

FUNCTIONS = """
create function clearway.held(of_org int, variadic subjects text[]) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select exists (select from hold h
        where h.lifted is null and h.org = of_org and (h.subject = '' or h.subject = any(subjects))) $$;
-- Of a person: any of their organisations is held, or they are themselves.
create function clearway.held_person(which int) returns boolean language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select exists (select from hold h where h.lifted is null and (
        h.subject = 'person/' || which or (h.subject = '' and h.org in (
            select m.org from membership m where m.person = which
            union select p.org from person p where p.person = which)))) $$;
-- Whoever deletes by age passes over what is held: no job can forget to ask.
create function clearway.held_stays() returns trigger language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if exists (select from hold h where h.lifted is null and h.org = old.org
            and (h.subject = '' or h.subject = old.subject)) then
        return null;
    end if;
    return old;
end $$;
create trigger held_stays before delete on clearway.event for each row execute function clearway.held_stays();
revoke execute on function clearway.held(int, text[]), clearway.held_person(int), clearway.held_stays() from public;
"""


def upgrade() -> None:
    """Creates the terms, the holds, and what heeds them."""
    run(TABLES, FUNCTIONS)


def downgrade() -> None:
    """Drops them; nothing is held any more."""
    op.execute("drop trigger held_stays on clearway.event")
    op.execute("drop function clearway.held_stays(), clearway.held_person(int), clearway.held(int, text[])")
    op.execute("drop table clearway.hold, clearway.retention")
