"""Findings: reports of one reporter each, and their sealed files."""

from alembic import op

from clearway.store.ddl import run

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# Who did it and when is never said by the caller: those columns have defaults and no right to be written.
TABLES = """
-- The public keys of the desk, with which receipts and evidence are signed. The private ones are never here.
create table clearway.desk_key (
    key_id text primary key check (key_id ~ '^[0-9a-f]{64}$'),
    public text not null check (length(public) between 1 and 4000),  -- PEM (RFC 7468)
    added timestamptz not null default clock_timestamp(),
    retired timestamptz
);
-- One report of one reporter. What stands here in clear is what lists, search and matching need; all else is sealed.
create table clearway.finding (
    finding bigint generated always as identity primary key,
    handling text not null unique
        check (handling ~ '^CWF-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$'),  -- random, in Crockford's base 32
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    person int not null default clearway.actor(),
    live boolean not null default true,  -- false: sent in test mode
    -- Of the report's bytes as they were received: the same again from the same organisation are the same finding.
    -- `part` is where the report stood in what was sent.
    digest bytea not null check (octet_length(digest) = 32),
    part text not null default '' check (length(part) <= 200),
    format text not null check (format ~ '^[a-z0-9][a-z0-9.-]{0,39}$'),
    title text not null check (length(title) between 1 and 300),
    ecosystem text not null default '' check (length(ecosystem) <= 100),
    package text not null default '' check (length(package) <= 300),
    release text not null default '' check (length(release) <= 200),
    purl text not null default '' check (length(purl) <= 2000),
    place text not null default '' check (length(place) <= 1000),
    cwe text not null default '' check (cwe ~ '^(CWE-[0-9]{1,5})?$'),
    severity text not null default ''  -- the reporter's claim
        check (severity in ('', 'none', 'low', 'medium', 'high', 'critical')),
    state text not null default 'received' check (state in
        ('received', 'incomplete', 'queued', 'validating', 'judged', 'closed', 'withdrawn')),
    state_why text not null default '' check (length(state_why) <= 2000),
    level smallint not null default 0 check (level between 0 and 6),  -- the highest of E0 to E6
    level_why text not null default '' check (length(level_why) <= 2000),
    case_id bigint,
    received timestamptz not null default clock_timestamp(),
    changed timestamptz not null default clock_timestamp(),
    version int not null default 1,
    unique (org, live, digest),
    unique (finding, org, aud)
);
create index finding_org on clearway.finding (org, finding desc);
create index finding_state on clearway.finding (state, finding);
create index finding_package on clearway.finding (ecosystem, package);
create index finding_case on clearway.finding (case_id) where case_id is not null;
-- Bytes of a finding, sealed by the vault under the finding's own key, which is not in this database.
create table clearway.artefact (
    artefact bigint generated always as identity primary key,
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    kind text not null check (kind in
        ('document', 'input', 'harness', 'source', 'patch', 'attachment', 'log', 'statement')),
    name text not null default '' check (length(name) <= 300),
    media text not null default '' check (length(media) <= 200),
    bytes bigint not null check (bytes between 0 and 67108864),
    sha256 bytea not null check (octet_length(sha256) = 32),  -- of what is sealed, in clear
    sealed bytea not null check (octet_length(sealed) between bytes and bytes + 100),
    added timestamptz not null default clock_timestamp(),
    added_by int not null default clearway.actor(),
    unique (finding, kind, sha256, name),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud) on update cascade
);
alter table clearway.artefact alter column sealed set storage external;  -- what is encrypted does not compress
create index artefact_sha256 on clearway.artefact (sha256);
"""

FUNCTIONS = """
-- Whether the caller is a coordinator of a clearinghouse, who sees every finding; the owner is.
create function clearway.is_desk() returns boolean language sql stable parallel safe security definer
begin atomic
    -- The owner has no principal to ask about: `case`, since `or` may look at both sides; and a sub-select, since the
    -- planner would ask at once to know how many rows there will be.
    select case when clearway.actor() = 0 then true else exists (select from clearway.organisation o
        where o.kind = 'clearinghouse' and o.active
            and o.org = any((select clearway.my_orgs('coordinate'))::int[])) end;
end;
-- A finding that the caller may see, locked. One error for what is not there and what may not be seen.
create function clearway.locked_finding(which bigint) returns clearway.finding language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare found_one finding;
begin
    select * into found_one from finding where finding = which for update;
    if found_one.finding is null
            or (case when actor() = 0 then false else get_bit(my_bits(), found_one.aud) is distinct from 1 end) then
        raise 'no such finding' using errcode = 'CW404';
    end if;
    return found_one;
end $$;
-- The one way in which a finding changes its state; its new version.
create function clearway.move_finding(which bigint, wanted text, why text) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    f finding := locked_finding(which);
    reports boolean := case when actor() = 0 then true else f.org = any(my_orgs('submit')) end;
    new_version int;
begin
    if not coalesce(wanted = any(case f.state
            when 'received' then array['incomplete', 'queued', 'closed', 'withdrawn']
            when 'incomplete' then array['incomplete', 'queued', 'closed', 'withdrawn']
            when 'queued' then array['incomplete', 'validating', 'closed', 'withdrawn']
            when 'validating' then array['queued', 'judged', 'closed', 'withdrawn']
            when 'judged' then array['queued', 'validating', 'closed', 'withdrawn']
            when 'closed' then array['judged']
            else array[]::text[] end), false) then
        raise 'a finding that is % does not become %', f.state, wanted using errcode = 'CW409';
    end if;
    -- What a reporter may do: complete the report, and withdraw it.
    if not (case
            when wanted = 'withdrawn' then reports
            when f.state in ('received', 'incomplete') and wanted in ('incomplete', 'queued') then reports or is_desk()
            else is_desk() end) then
        raise 'that is not yours to do with this finding' using errcode = 'CW403';
    end if;
    update finding set state = wanted, state_why = left(why, 2000), changed = clock_timestamp(), version = version + 1
    where finding = which returning version into new_version;
    return new_version;
end $$;
-- What the evidence has shown. Reporters can't say it of their own findings.
create function clearway.level_finding(which bigint, reached int, why text) returns int language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    f finding := locked_finding(which);
    new_version int;
begin
    if not is_desk() then raise 'the desk alone says what is proven' using errcode = 'CW403'; end if;
    update finding set level = reached, level_why = left(why, 2000), changed = clock_timestamp(), version = version + 1
    where finding = f.finding returning version into new_version;
    return new_version;
end $$;
revoke execute on function clearway.is_desk(), clearway.locked_finding(bigint),
    clearway.move_finding(bigint, text, text), clearway.level_finding(bigint, int, text) from public;
grant execute on function clearway.is_desk(), clearway.move_finding(bigint, text, text),
    clearway.level_finding(bigint, int, text) to clearway_app;
"""

POLICIES = """
select clearway.govern('clearway.finding', 'submit');
select clearway.govern('clearway.artefact', 'submit');
-- Its audience stays: a reporter who wants a finding back withdraws it.
update clearway.governed set "right" = ''
where name in ('clearway.finding', 'finding', 'clearway.artefact', 'artefact');

revoke insert, update, delete on clearway.finding, clearway.artefact from clearway_app;
grant insert (handling, org, aud, live, digest, part, format, title, ecosystem, package, release, purl, place, cwe,
    severity, state, state_why) on clearway.finding to clearway_app;
grant update (title, ecosystem, package, release, purl, place, cwe, severity, changed, version) on clearway.finding
    to clearway_app;
grant insert (finding, org, aud, kind, name, media, bytes, sha256, sealed) on clearway.artefact to clearway_app;
create policy new on clearway.finding as restrictive for insert to clearway_app
    with check (state in ('received', 'incomplete', 'queued'));
create policy unjudged on clearway.finding as restrictive for update to clearway_app
    using (state in ('received', 'incomplete')) with check (true);
-- Logs and statements are the desk's own word, which it writes as the owner.
create policy kinds on clearway.artefact as restrictive for insert to clearway_app
    with check (kind not in ('log', 'statement'));
create policy desk on clearway.artefact for insert to clearway_app
    with check ((select clearway.is_desk()) and get_bit((select clearway.my_bits()), aud) = 1);

alter table clearway.desk_key enable row level security;
alter table clearway.desk_key force row level security;
do $$ begin
    execute format('create policy own on clearway.desk_key to %I using (true) with check (true)', current_user);
end $$;
create policy see on clearway.desk_key for select to clearway_app using (true);
grant select on clearway.desk_key to clearway_app;
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, POLICIES)


def downgrade() -> None:
    """Drops them, and with them every finding."""
    op.execute(
        "drop function clearway.level_finding(bigint, int, text), clearway.move_finding(bigint, text, text), "
        "clearway.locked_finding(bigint)"
    )
    op.execute("drop table clearway.artefact, clearway.finding, clearway.desk_key")
    op.execute("drop function clearway.is_desk()")
    op.execute(
        "delete from clearway.governed where name in "
        "('clearway.finding', 'finding', 'clearway.artefact', 'artefact')"
    )
