"""Which findings are one flaw: keys, edges with their reasons, and what is public already."""

from alembic import op

from clearway.store.ddl import run

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

TABLES = """
-- What of a finding can be compared: every candidate, versioned. The desk's job writes them, anew when a rule changes.
create table clearway.finding_key (
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    kind text not null check (kind in ('input', 'stack', 'crash', 'context', 'place')),
    version text not null check (length(version) between 1 and 60),
    value text not null check (value ~ '^[0-9a-f]{32}$'),
    at timestamptz not null default clock_timestamp(),
    primary key (finding, kind, version, value),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade on delete cascade
);
create index finding_key_value on clearway.finding_key (value, kind, version);
-- What the keys of a finding were made from: which rules, which version of the finding.
create table clearway.finding_keyed (
    finding bigint primary key references clearway.finding on delete cascade,
    rules text not null check (length(rules) <= 60),
    facts int not null,
    at timestamptz not null default clock_timestamp()
);
-- What is said of two findings. Never changed and never deleted: revoked, with who and why. Directed for `contains`
-- (`one` contains `other`) and `regression` (`one` is the return of `other`); else `one` is the lesser number.
create table clearway.finding_edge (
    edge bigint generated always as identity primary key,
    one bigint not null references clearway.finding on delete cascade,
    other bigint not null references clearway.finding on delete cascade,
    aud clearway.audience_id not null,  -- the meet of both
    verdict text not null check (verdict in ('same', 'different', 'contains', 'likely', 'regression')),
    basis text not null check (basis in
        ('person', 'cross-run', 'input', 'stack', 'crash', 'context', 'place', 'text')),
    score real not null check (score between 0 and 1),
    reason text not null check (length(reason) between 1 and 2000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    act bigint,  -- edges that one act of a person made have one number
    revoked timestamptz,
    revoked_by int,
    revoked_why text not null default '' check (length(revoked_why) <= 2000),
    revoked_act bigint,  -- the act that revoked it: undone, it says so again
    check (one <> other),
    check (verdict in ('contains', 'regression') or one < other),
    check ((revoked is null) = (revoked_by is null))
);
create unique index finding_edge_standing on clearway.finding_edge (one, other, verdict, basis) where revoked is null;
create index finding_edge_other on clearway.finding_edge (other);
create index finding_edge_act on clearway.finding_edge (act) where act is not null;
create sequence clearway.finding_edge_acts;
-- "This is CVE-…, fixed in 1.2.3": what a person said, or what public records suggest, revoked like an edge.
create table clearway.finding_known (
    known bigint generated always as identity primary key,
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    flaw text not null check (length(flaw) between 1 and 200),
    verdict text not null check (verdict in ('is', 'likely', 'returns')),
    fixed text[] not null default '{}' check (cardinality(fixed) <= 20),
    score real not null check (score between 0 and 1),
    reason text not null check (length(reason) between 1 and 2000),
    at timestamptz not null default clock_timestamp(),
    by_person int not null default clearway.actor(),
    revoked timestamptz,
    revoked_by int,
    revoked_why text not null default '' check (length(revoked_why) <= 2000),
    check ((revoked is null) = (revoked_by is null)),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade on delete cascade
);
create unique index finding_known_standing on clearway.finding_known (finding, flaw, verdict) where revoked is null;
-- How often terms occur in public records: counts in hashed buckets, no word.
create table clearway.hint_words (
    version text primary key check (length(version) <= 60),
    documents bigint not null,
    counts bytea not null check (octet_length(counts) <= 1048576),
    at timestamptz not null default clock_timestamp()
);
"""

FUNCTIONS = """
-- One edge, by the desk; its number, or that of the same one which stands already.
create function clearway.add_finding_edge(first bigint, second bigint, said text, by_what text, how_much real, why text,
    part_of bigint default null) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a finding; b finding; made bigint; l bigint; r bigint;
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    if first = second then raise 'a finding is itself' using errcode = 'CW400'; end if;
    if actor() <> 0 and by_what <> 'person' then
        raise 'what is found by running is written by the desk''s jobs' using errcode = 'CW403';
    end if;
    -- Locked in one order, whichever was named first.
    perform locked_finding(least(first, second));
    perform locked_finding(greatest(first, second));
    select * into a from finding where finding = first;
    select * into b from finding where finding = second;
    if a.live <> b.live then raise 'a trial is no real report''s duplicate' using errcode = 'CW409'; end if;
    if said in ('contains', 'regression') then l := first; r := second;
    else l := least(first, second); r := greatest(first, second); end if;
    select e.edge into made from finding_edge e
    where e.one = l and e.other = r and e.verdict = said and e.basis = by_what and e.revoked is null;
    if made is not null then return made; end if;
    insert into finding_edge (one, other, aud, verdict, basis, score, reason, act)
    values (l, r, meet(array[a.aud::int, b.aud::int]), said, by_what, how_much, why, part_of) returning edge into made;
    return made;
end $$;
create function clearway.revoke_finding_edge(which bigint, why text, part_of bigint default null)
    returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
declare e finding_edge;
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    select * into e from finding_edge where edge = which for update;
    if e.edge is null or (case when actor() = 0 then false else get_bit(my_bits(), e.aud) is distinct from 1 end) then
        raise 'no such edge' using errcode = 'CW404';
    end if;
    if e.revoked is not null then raise 'it was revoked already' using errcode = 'CW409'; end if;
    update finding_edge set revoked = clock_timestamp(), revoked_by = actor(), revoked_why = left(why, 2000),
        revoked_act = part_of
    where edge = which;
end $$;
create function clearway.add_finding_known(which bigint, name text, said text, fixes text[], how_much real, why text)
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which); made bigint;
begin
    if not is_desk() then raise 'the desk says what is public' using errcode = 'CW403'; end if;
    select k.known into made from finding_known k
    where k.finding = which and k.flaw = name and k.verdict = said and k.revoked is null;
    if made is not null then return made; end if;
    insert into finding_known (finding, org, aud, flaw, verdict, fixed, score, reason)
    values (f.finding, f.org, f.aud, name, said, fixes, how_much, why) returning known into made;
    return made;
end $$;
create function clearway.revoke_finding_known(which bigint, why text) returns void language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare k finding_known;
begin
    if not is_desk() then raise 'the desk says what is public' using errcode = 'CW403'; end if;
    select * into k from finding_known where known = which for update;
    if k.known is null or (case when actor() = 0 then false else get_bit(my_bits(), k.aud) is distinct from 1 end) then
        raise 'no such statement' using errcode = 'CW404';
    end if;
    if k.revoked is not null then raise 'it was revoked already' using errcode = 'CW409'; end if;
    update finding_known set revoked = clock_timestamp(), revoked_by = actor(), revoked_why = left(why, 2000)
    where known = which;
end $$;
create function clearway.next_edge_act() returns bigint language sql security definer
    set search_path = clearway, pg_temp as $$ select nextval('clearway.finding_edge_acts') $$;
"""

RIGHTS = """
revoke execute on function clearway.add_finding_edge(bigint, bigint, text, text, real, text, bigint),
    clearway.revoke_finding_edge(bigint, text, bigint), clearway.next_edge_act(),
    clearway.add_finding_known(bigint, text, text, text[], real, text), clearway.revoke_finding_known(bigint, text)
    from public;
grant execute on function clearway.add_finding_edge(bigint, bigint, text, text, real, text, bigint),
    clearway.revoke_finding_edge(bigint, text, bigint), clearway.next_edge_act(),
    clearway.add_finding_known(bigint, text, text, text[], real, text), clearway.revoke_finding_known(bigint, text)
    to clearway_app;
select clearway.govern('clearway.finding_key');
select clearway.govern('clearway.finding_edge');
select clearway.govern('clearway.finding_known');
insert into clearway.job_allowed (task) values ('findings.cross');
insert into clearway.log_act (act, app) values ('duplicate.*', true) on conflict do nothing;
"""

CLOSED = """
alter table clearway.finding_keyed enable row level security;
alter table clearway.finding_keyed force row level security;
alter table clearway.hint_words enable row level security;
alter table clearway.hint_words force row level security;
do $$ begin
    execute format('create policy own on clearway.finding_keyed to %I using (true) with check (true)', current_user);
    execute format('create policy own on clearway.hint_words to %I using (true) with check (true)', current_user);
end $$;
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, RIGHTS, CLOSED)


def downgrade() -> None:
    """Drops them; findings stay, each alone."""
    op.execute(
        "drop function clearway.add_finding_edge(bigint, bigint, text, text, real, text, bigint), "
        "clearway.revoke_finding_edge(bigint, text, bigint), clearway.next_edge_act(), "
        "clearway.add_finding_known(bigint, text, text, text[], real, text), "
        "clearway.revoke_finding_known(bigint, text)"
    )
    op.execute(
        "drop table clearway.hint_words, clearway.finding_known, clearway.finding_edge, clearway.finding_keyed, "
        "clearway.finding_key"
    )
    op.execute("drop sequence clearway.finding_edge_acts")
    op.execute("delete from clearway.job_allowed where task = 'findings.cross'")
    op.execute(
        "delete from clearway.governed where regexp_replace(name, '^clearway[.]', '') in "
        "('finding_key', 'finding_edge', 'finding_known')"
    )
