"""Evidence for findings: what the desk has tried, how far it went, and each level's statement."""

from alembic import op

from clearway.store.ddl import run

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = """
-- One trial of a finding's proof, with the fix that its recipe names or with a patch of its own.
create table clearway.validation (
    validation bigint generated always as identity primary key,
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    asked timestamptz not null default clock_timestamp(),
    asked_by int not null default clearway.actor(),
    upto smallint not null check (upto between 1 and 5),
    seconds int not null check (seconds between 0 and 3600),  -- for the variants of E4
    patch bigint references clearway.artefact on delete set null,  -- a patch of the target in place of the recipe's fix
    vouched text[] not null default '{}' check (cardinality(vouched) <= 200),  -- SHA-256: published, says the desk
    state text not null default 'waiting' check (state in ('waiting', 'running', 'done', 'failed')),
    doing text not null default '' check (length(doing) <= 200),
    done int not null default 0,
    total int not null default 0,
    begun timestamptz,
    ended timestamptz,
    attempts int not null default 0,
    level smallint check (level between 0 and 6),
    why text not null default '' check (length(why) <= 2000),
    recipe text not null default '' check (recipe ~ '^([0-9a-f]{64})?$'),  -- SHA-256 of what was judged
    crash text not null default '' check (length(crash) <= 100),  -- key of the crash state
    crash_state text not null default '' check (length(crash_state) <= 2000),
    vulnerable text not null default '' check (length(vulnerable) <= 64),  -- digests of the builds
    patched text not null default '' check (length(patched) <= 64),
    environment text not null default '' check (length(environment) <= 64),
    log bigint references clearway.artefact on delete set null,
    version int not null default 1,
    unique (validation, finding, org, aud),
    foreign key (finding, org, aud) references clearway.finding (finding, org, aud)
        on update cascade on delete cascade  -- trials go after a week
);
create index validation_finding on clearway.validation (finding, validation desc);
create unique index validation_open on clearway.validation (finding) where state in ('waiting', 'running');
-- One level of it. `why` is in our words and quotes nothing of the report or of a program.
create table clearway.validation_step (
    validation bigint not null,
    level smallint not null check (level between 0 and 6),
    finding bigint not null,
    org int not null,
    aud clearway.audience_id not null,
    result text not null check (result in ('met', 'failed', 'not_tried')),
    why text not null default '' check (length(why) <= 2000),
    times int not null default 0,
    of_runs int not null default 0,
    statement bigint references clearway.artefact on delete set null,
    at timestamptz not null default clock_timestamp(),
    by_person int not null default 0,  -- of E6: who accepted it
    primary key (validation, level),
    foreign key (validation, finding, org, aud)
        references clearway.validation (validation, finding, org, aud) on update cascade on delete cascade
);
create index validation_step_finding on clearway.validation_step (finding);
"""

FUNCTIONS = """
-- The desk asks for a trial; its number. One at a time for a finding.
create function clearway.ask_validation(which bigint, wanted int, given_s int, with_patch bigint, known text[])
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    f finding := locked_finding(which);
    made bigint;
begin
    if not is_desk() then raise 'the desk asks for validations' using errcode = 'CW403'; end if;
    if exists (select from validation v where v.finding = f.finding and v.state in ('waiting', 'running')) then
        raise 'it is being validated already' using errcode = 'CW409';
    end if;
    if with_patch is not null and not exists (select from artefact a
            where a.artefact = with_patch and a.finding = f.finding and a.kind = 'patch') then
        raise 'the finding has no such patch' using errcode = 'CW404';
    end if;
    insert into validation (finding, org, aud, upto, seconds, patch, vouched)
    values (f.finding, f.org, f.aud, wanted, given_s, with_patch, known) returning validation into made;
    return made;
end $$;
revoke execute on function clearway.ask_validation(bigint, int, int, bigint, text[]) from public;
grant execute on function clearway.ask_validation(bigint, int, int, bigint, text[]) to clearway_app;
"""

POLICIES = """
select clearway.govern('clearway.validation');
select clearway.govern('clearway.validation_step');
insert into clearway.job_allowed (task) values ('findings.validate'), ('findings.accept');
-- What only the desk's own jobs say.
insert into clearway.log_act (act, app) values
    ('validation.asked', true), ('validation.accepting', true), ('validation.judged', false),
    ('validation.accepted', false)
on conflict do nothing;
"""


def upgrade() -> None:
    """Creates the tables and their rules."""
    run(TABLES, FUNCTIONS, POLICIES)


def downgrade() -> None:
    """Drops them."""
    op.execute("drop function clearway.ask_validation(bigint, int, int, bigint, text[])")
    op.execute("drop table clearway.validation_step, clearway.validation")
    op.execute("delete from clearway.job_allowed where task in ('findings.validate', 'findings.accept')")
    op.execute("delete from clearway.log_act where act like 'validation.%%' and act <> 'validation.*'")
    op.execute(
        "delete from clearway.governed where regexp_replace(name, '^clearway[.]', '') in "
        "('validation', 'validation_step')"
    )
