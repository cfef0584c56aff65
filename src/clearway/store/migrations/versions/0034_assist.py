"""What a model drafts at the desk: proposals, each for who may see all that it was made from, and an endpoint's use."""

from alembic import op

from clearway.store.ddl import run

revision = "0034"
down_revision = "0032"
branch_labels = None
depends_on = None

TABLES = """
-- One request to the model and what came of it. What it says is sealed like the report it was made from.
create table clearway.assist_proposal (
    proposal bigint generated always as identity primary key,
    kind text not null check (kind in ('summary', 'duplicates')),
    finding bigint references clearway.finding on delete cascade,  -- trials go after a week
    case_id bigint,
    subject text not null check (length(subject) between 1 and 60),  -- "finding/CWF-…", whose key seals it
    org int not null,
    aud clearway.audience_id not null,  -- the meet of all that it is made from
    given bigint[] not null default '{}' check (cardinality(given) <= 20),  -- findings beside it, as they are told
    state text not null default 'waiting' check (state in
        ('waiting', 'running', 'proposed', 'failed', 'accepted', 'discarded', 'expired')),
    why text not null default '' check (length(why) <= 500),  -- in our words
    model text not null default '' check (length(model) <= 200),
    endpoint text not null default '' check (length(endpoint) <= 600),
    fields text[] not null default '{}',
    sent timestamptz,
    sent_sha256 bytea check (octet_length(sent_sha256) = 32),  -- of the request's body, the last time
    sent_bytes int not null default 0,
    attempts int not null default 0,
    tokens int not null default 0,
    sealed bytea check (octet_length(sealed) <= 200000),  -- what it proposes
    taken bytea check (octet_length(taken) <= 100000),  -- what a person made of it
    asked timestamptz not null default clock_timestamp(),
    asked_by int not null default clearway.actor(),
    expires timestamptz not null default clock_timestamp() + interval '14 days',
    decided timestamptz,
    decided_by int,
    version int not null default 1,
    check ((finding is null) <> (case_id is null)),
    check ((decided is null) = (decided_by is null))
);
create unique index assist_proposal_open on clearway.assist_proposal (subject, kind)
    where state in ('waiting', 'running');
create index assist_proposal_subject on clearway.assist_proposal (subject, proposal desc);
create index assist_proposal_finding on clearway.assist_proposal (finding);
create index assist_proposal_ends on clearway.assist_proposal (expires) where state in ('proposed', 'failed');
-- What an endpoint has had today, and whether it rests because it failed.
create table clearway.assist_endpoint (
    endpoint text primary key check (length(endpoint) between 1 and 600),
    day date not null,
    requests int not null default 0,
    tokens bigint not null default 0,
    failures int not null default 0,  -- in a row
    rests_until timestamptz not null default '-infinity'
);
"""

FUNCTIONS = """
-- The desk asks; the number. Its audience is the meet of all that the model is to be told of.
create function clearway.ask_assist(wanted text, of_finding bigint, of_case bigint, beside bigint[])
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    auds int[];
    whose int;
    about text;
    other bigint;
    made bigint;
begin
    if not is_desk() then raise 'the desk asks the model' using errcode = 'CW403'; end if;
    if cardinality(beside) > 20 then raise 'too many findings beside it' using errcode = 'CW400'; end if;
    if of_finding is not null then
        select array[f.aud::int], f.org, 'finding/' || f.handling into auds, whose, about
        from locked_finding(of_finding) f;
    else
        select array[c.aud::int], c.org, 'case/' || c.handling into auds, whose, about from locked_case(of_case) c;
    end if;
    foreach other in array beside loop
        auds := auds || (select f.aud::int from finding f where f.finding = other
            and (actor() = 0 or get_bit(my_bits(), f.aud) = 1));
    end loop;
    if array_position(auds, null) is not null then raise 'no such finding' using errcode = 'CW404'; end if;
    if exists (select from assist_proposal p
            where p.subject = about and p.kind = wanted and p.state in ('waiting', 'running')) then
        raise 'the model is at it already' using errcode = 'CW409';
    end if;
    insert into assist_proposal (kind, finding, case_id, subject, org, aud, given)
    values (wanted, of_finding, of_case, about, whose,
        meet(array(select distinct a from unnest(auds) a order by a)), beside)
    returning proposal into made;
    return made;
end $$;
-- A person takes a summary as their own text, or puts a proposal away.
create function clearway.decide_assist(which bigint, outcome text, own_text bytea) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare p assist_proposal;
begin
    if not is_desk() then raise 'the desk decides on a proposal' using errcode = 'CW403'; end if;
    select * into p from assist_proposal where proposal = which for update;
    if p.proposal is null or (case when actor() = 0 then false else get_bit(my_bits(), p.aud) is distinct from 1 end)
    then raise 'no such proposal' using errcode = 'CW404'; end if;
    if outcome = 'accepted' then
        if p.state <> 'proposed' or p.expires <= clock_timestamp() then
            raise 'it is not proposed any more' using errcode = 'CW409';
        end if;
        if p.kind <> 'summary' or own_text is null then
            raise 'what is taken is a summary, with its text' using errcode = 'CW400';
        end if;
        -- One stands for a subject: the newest.
        update assist_proposal set state = 'discarded', taken = null, version = version + 1
        where subject = p.subject and kind = 'summary' and state = 'accepted';
    elsif outcome = 'discarded' then
        if p.state not in ('proposed', 'failed', 'accepted') then
            raise 'there is nothing to put away' using errcode = 'CW409';
        end if;
    else
        raise 'it is accepted or discarded' using errcode = 'CW400';
    end if;
    update assist_proposal set state = outcome, sealed = null, decided = clock_timestamp(), decided_by = actor(),
        taken = case when outcome = 'accepted' then own_text end, version = version + 1
    where proposal = which;
end $$;
revoke execute on function clearway.ask_assist(text, bigint, bigint, bigint[]),
    clearway.decide_assist(bigint, text, bytea) from public;
grant execute on function clearway.ask_assist(text, bigint, bigint, bigint[]),
    clearway.decide_assist(bigint, text, bytea) to clearway_app;
"""

RULES = """
select clearway.govern('clearway.assist_proposal');
-- What nobody has checked is for the desk; what a person took is for all whom it is marked for.
create policy checked on clearway.assist_proposal as restrictive for select to clearway_app
    using (state = 'accepted' or (select clearway.is_desk()));
alter table clearway.assist_endpoint enable row level security;
alter table clearway.assist_endpoint force row level security;
do $$ begin
    execute format('create policy own on clearway.assist_endpoint to %I using (true) with check (true)', current_user);
end $$;
insert into clearway.job_allowed (task) values ('findings.assist');
-- What was sent and what came back is the desk's jobs' own word.
insert into clearway.log_act (act, app) values
    ('assist.asked', true), ('assist.accepted', true), ('assist.discarded', true),
    ('assist.sent', false), ('assist.proposed', false), ('assist.failed', false);
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, RULES)


def downgrade() -> None:
    """Drops them; what a person took over into a case's draft stays there."""
    op.execute(
        "drop function clearway.ask_assist(text, bigint, bigint, bigint[]), "
        "clearway.decide_assist(bigint, text, bytea)"
    )
    op.execute("drop table clearway.assist_proposal, clearway.assist_endpoint")
    op.execute("delete from clearway.job_allowed where task = 'findings.assist'")
    run("delete from clearway.log_act where act like 'assist.%'")
    op.execute(
        "delete from clearway.governed where regexp_replace(name, '^clearway[.]', '') = 'assist_proposal'"
    )
