"""Mail about cases and findings to members who ask for it: who does, what may be told, and letters on their way."""

from alembic import op

from clearway.store.ddl import run

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

SETTING = """
alter table clearway.person add column desk_mail text not null default 'never'
    check (desk_mail in ('never', 'at-once', 'digest'));
grant select (desk_mail), update (desk_mail) on clearway.person to clearway_app;
-- For which end of its embargo a case's members were told that it is near.
alter table clearway.desk_case add column soon_told timestamptz;
"""

TABLES = """
-- What may be told by mail: numbers of events, and who caused them. Owner only, as all here; what a reader sees of an
-- event is decided by the event's own audience, when a letter is made.
create table clearway.desk_news (
    seq bigint primary key,
    by_person int not null,
    at timestamptz not null default clock_timestamp()
);
create index desk_news_at on clearway.desk_news (at);
-- Up to which event a person's letters reach.
create table clearway.desk_news_reader (
    person int primary key references clearway.person on delete cascade,
    seq bigint not null,
    period text not null default ''
);
-- A letter on its way: the events that it may tell of are fixed before it is made, and so is its Message-ID.
create table clearway.desk_news_letter (
    letter uuid primary key default gen_random_uuid(),
    person int not null references clearway.person on delete cascade,
    after bigint not null,
    upto bigint not null,
    made timestamptz not null default clock_timestamp(),
    tries int not null default 0,
    next_try timestamptz,
    failed text not null default ''
);
create index desk_news_letter_due on clearway.desk_news_letter (tries, made) where failed = '';
"""

FUNCTIONS = """
create function clearway.desk_news_kept() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    insert into desk_news (seq, by_person) values (new.seq, actor());
    return null;
end $$;
create trigger desk_news after insert on clearway.event for each row
    when (new.kind in ('message.added', 'party.escalated', 'case.embargo_proposed', 'case.embargo_soon',
        'case.released', 'finding.received', 'finding.levelled')
        or new.kind = 'case.moved' and new.body ->> 'act' in ('notify', 'dispute'))
    execute function clearway.desk_news_kept();

-- Who asks for letters is told of what comes from then on; who wants none has none waiting.
create function clearway.desk_news_follow() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    if new.desk_mail = 'never' then
        delete from desk_news_letter where person = new.person;
        delete from desk_news_reader where person = new.person;
    else
        insert into desk_news_reader (person, seq)
        values (new.person, (select coalesce(max(seq), 0) from desk_news)) on conflict do nothing;
    end if;
    return null;
end $$;
create trigger desk_news after update of desk_mail on clearway.person for each row
    when (new.desk_mail <> old.desk_mail) execute function clearway.desk_news_follow();
revoke execute on function clearway.desk_news_kept(), clearway.desk_news_follow() from public;
"""


def upgrade() -> None:
    run(SETTING, TABLES, FUNCTIONS)


def downgrade() -> None:
    op.execute("drop trigger desk_news on clearway.person")
    op.execute("drop trigger desk_news on clearway.event")
    op.execute("drop function clearway.desk_news_kept(), clearway.desk_news_follow()")
    op.execute("drop table clearway.desk_news_letter, clearway.desk_news_reader, clearway.desk_news")
    op.execute("alter table clearway.desk_case drop column soon_told")
    op.execute("alter table clearway.person drop column desk_mail")
