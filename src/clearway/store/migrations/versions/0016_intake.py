"""How reports come in: what was sent, receipts, gates, receivers' limits, marks and appeals."""

from alembic import op

from clearway.store.ddl import run

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

# Who did it and when is never said by the caller: those columns have defaults and no right to be written.
TABLES = """
-- One document as it was sent. The bytes of one that holds several reports are kept here, sealed; those of a single
-- report are its finding's own.
create table clearway.submission (
    submission bigint generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    person int not null default clearway.actor(),
    live boolean not null,
    format text not null check (length(format) between 1 and 40),
    digest bytea not null check (octet_length(digest) = 32),
    bytes bigint not null check (bytes between 0 and 67108864),
    seal text not null default '' check (length(seal) <= 100),  -- the vault's subject of `sealed`
    sealed bytea check (octet_length(sealed) <= 67108964),
    reports int not null,
    set_aside int not null,
    received timestamptz not null default clock_timestamp()
);
alter table clearway.submission alter column sealed set storage external;
create index submission_org on clearway.submission (org, received desc);
-- What the reporter holds in hand: a DSSE envelope, as it was given out.
create table clearway.finding_receipt (
    finding bigint primary key,
    org int not null,
    aud clearway.audience_id not null,
    submission bigint not null references clearway.submission,
    envelope text not null check (length(envelope) <= 20000),
    made timestamptz not null default clock_timestamp(),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
create index finding_receipt_submission on clearway.finding_receipt (submission);
-- What a report must have before anybody's time is spent on it. `what` is in the desk's words, never the report's.
create table clearway.finding_gate (
    finding bigint not null,
    gate text not null check (gate ~ '^[a-z][a-z-]{1,39}$'),
    org int not null,
    aud clearway.audience_id not null,
    state text not null check (state in ('met', 'missing', 'waits')),
    what text not null default '' check (length(what) <= 2000),
    primary key (finding, gate),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
-- How much of a product a receiver takes. It counts once a coordinator has confirmed that the product is its own.
create table clearway.intake_limit (
    intake_limit int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    ecosystem text not null default '' check (length(ecosystem) <= 100),
    package text not null check (length(package) between 1 and 300),
    per_reporter int check (per_reporter between 0 and 100000),  -- reports of one organisation in seven days
    per_week int check (per_week between 0 and 100000),  -- reports handed on to the receiver in seven days
    min_level smallint not null default 0 check (min_level between 0 and 6),  -- of what is handed on
    note text not null default '' check (length(note) <= 500),
    set_at timestamptz not null default clock_timestamp(),
    set_by int not null default clearway.actor(),
    confirmed timestamptz,
    confirmed_by int,
    ended timestamptz,
    version int not null default 1
);
create unique index intake_limit_one on clearway.intake_limit (org, ecosystem, package) where ended is null;
create index intake_limit_product on clearway.intake_limit (ecosystem, package) where ended is null;
-- How a finding counts for its reporter, as a coordinator has said. The reporter may appeal; while an appeal is open,
-- and after one that was granted, it does not count.
create table clearway.finding_mark (
    finding bigint primary key,
    org int not null,
    aud clearway.audience_id not null,
    mark text not null check (mark in ('valid', 'known', 'duplicate', 'invalid')),
    why text not null default '' check (length(why) <= 2000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
create table clearway.mark_appeal (
    appeal bigint generated always as identity primary key,
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    why text not null check (length(why) between 1 and 4000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    outcome text check (outcome in ('granted', 'refused')),
    reason text not null default '' check (length(reason) <= 4000),
    decided timestamptz,
    decided_by int,
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
create unique index mark_appeal_open on clearway.mark_appeal (finding) where outcome is null;
-- Whether the asker's flaw is one that others hold under embargo: asked for once its own reproducer has fired here.
create table clearway.overlap_answer (
    finding bigint primary key,
    org int not null,
    aud clearway.audience_id not null,
    held boolean not null,
    asked timestamptz not null default clock_timestamp(),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
create index overlap_answer_org on clearway.overlap_answer (org, asked);
"""

FUNCTIONS = """
-- A coordinator says that a product is the receiver's, or that a limit does not count; the limit's new version.
create function clearway.confirm_limit(which int, holds boolean) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare new_version int;
begin
    if not is_desk() then raise 'a coordinator confirms limits' using errcode = 'CW403'; end if;
    update intake_limit l set confirmed = case when holds then clock_timestamp() end,
        confirmed_by = case when holds then actor() end,
        ended = case when holds then l.ended else clock_timestamp() end, version = version + 1
    where intake_limit = which and ended is null returning version into new_version;
    if new_version is null then raise 'no such limit' using errcode = 'CW404'; end if;
    return new_version;
end $$;
-- A coordinator other than who gave the mark decides an appeal.
create function clearway.decide_appeal(which bigint, verdict text, because text) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare a mark_appeal; marker int;
begin
    if not is_desk() then raise 'a coordinator decides appeals' using errcode = 'CW403'; end if;
    select * into a from mark_appeal where appeal = which for update;
    if a.appeal is null then raise 'no such appeal' using errcode = 'CW404'; end if;
    if a.outcome is not null then raise 'the appeal is decided' using errcode = 'CW409'; end if;
    select by_person into marker from finding_mark where finding = a.finding;
    if actor() <> 0 and marker = actor() then
        raise 'somebody else than who gave the mark decides' using errcode = 'CW403';
    end if;
    update mark_appeal set outcome = verdict, reason = left(because, 4000), decided = clock_timestamp(),
        decided_by = actor() where appeal = which;
    return a.finding;
end $$;
-- How many reports of a product the caller's organisation has sent in the last seven days: its own alone.
create function clearway.sent_lately(of_org int, of_ecosystem text, of_package text) returns bigint language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select count(*) from finding f where f.org = of_org and f.live and f.ecosystem = of_ecosystem
        and f.package = of_package and f.state not in ('received', 'withdrawn')
        and f.received > clock_timestamp() - interval '7 days'
        and case when actor() = 0 then true else f.org = any((select my_orgs('submit'))::int[]) end $$;
revoke execute on function clearway.confirm_limit(int, boolean), clearway.decide_appeal(bigint, text, text),
    clearway.sent_lately(int, text, text) from public;
grant execute on function clearway.confirm_limit(int, boolean), clearway.decide_appeal(bigint, text, text),
    clearway.sent_lately(int, text, text) to clearway_app;
"""

POLICIES = """
select clearway.govern('clearway.submission', 'submit');
select clearway.govern('clearway.finding_receipt', 'submit');
select clearway.govern('clearway.finding_gate', 'submit');
select clearway.govern('clearway.intake_limit', 'maintain');
select clearway.govern('clearway.finding_mark');
select clearway.govern('clearway.mark_appeal', 'submit');
select clearway.govern('clearway.overlap_answer');
update clearway.governed set "right" = '' where regexp_replace(name, '^clearway[.]', '') in
    ('submission', 'finding_receipt', 'finding_gate', 'intake_limit', 'mark_appeal');

revoke insert, update, delete on clearway.submission, clearway.finding_receipt, clearway.finding_gate,
    clearway.intake_limit, clearway.mark_appeal from clearway_app;
grant insert (org, aud, live, format, digest, bytes, seal, sealed, reports, set_aside) on clearway.submission
    to clearway_app;
grant insert (finding, org, aud, submission, envelope) on clearway.finding_receipt to clearway_app;
grant insert (finding, gate, org, aud, state, what), update (state, what) on clearway.finding_gate to clearway_app;
grant insert (org, aud, ecosystem, package, per_reporter, per_week, min_level, note),
    update (ended, version) on clearway.intake_limit to clearway_app;
grant insert (finding, org, aud, mark, why), update (mark, why) on clearway.finding_mark to clearway_app;
grant insert (finding, org, aud, why) on clearway.mark_appeal to clearway_app;
-- Marks are the desk's.
create policy desk_adds on clearway.finding_mark for insert to clearway_app
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);
create policy desk_changes on clearway.finding_mark for update to clearway_app
    using ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1)
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);
-- An appeal is against a mark that is there.
create policy against on clearway.mark_appeal as restrictive for insert to clearway_app
    with check (exists (select from clearway.finding_mark m where m.finding = mark_appeal.finding));
insert into clearway.log_act (act, app) values ('intake.*', true) on conflict do nothing;
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, POLICIES)


_TABLES = (
    "overlap_answer",
    "mark_appeal",
    "finding_mark",
    "intake_limit",
    "finding_gate",
    "finding_receipt",
    "submission",
)


def downgrade() -> None:
    """Drops them."""
    op.execute(
        "drop function clearway.sent_lately(int, text, text), clearway.decide_appeal(bigint, text, text), "
        "clearway.confirm_limit(int, boolean)"
    )
    op.execute(f"drop table {', '.join(f'clearway.{table}' for table in _TABLES)}")
    names = ", ".join(f"'{table}'" for table in _TABLES)
    op.execute(f"delete from clearway.governed where regexp_replace(name, '^clearway[.]', '') in ({names})")  # noqa: S608
    op.execute("delete from clearway.log_act where act = 'intake.*'")
