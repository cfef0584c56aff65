"""Jobs of acts are started by the functions that do the act; what a job of the desk's works by is what those noted."""

from clearway.store.ddl import before, run, standing

revision = "0058"
down_revision = "0057"
branch_labels = None
depends_on = None

# Functions that do an act start its job with arguments of their own. The application starts by itself what does
# nothing that its arguments say: what is due to a webhook is sent, and who pulls a feed is asked by the task.
CLOSED = (
    "findings.validate", "findings.accept", "findings.cross", "findings.assist", "findings.case_release",
    "findings.case_cve", "app.case_letters",
)  # fmt: skip

JOBS = """
-- Puts a job into the queue; its number. `_by` is who started it, null for the program.
create function clearway.queue_job(
    _task text, _args jsonb, _queue text, _lock text, _at timestamptz, _once text, _priority int, _by int
) returns bigint language plpgsql set search_path = clearway_jobs, clearway, pg_temp as $$
declare
    _job bigint;
begin
    if _by is not null then
        if (select count(*) from (
            select from job_origin o join procrastinate_jobs j on j.id = o.job
            where o.by_person = _by and j.status = 'todo' limit 1000) waiting) >= 1000 then
            raise exception '1,000 of your jobs are waiting already' using errcode = 'CW409';
        end if;
        -- Keys of people are apart from those of the program: nobody holds up the program's own work.
        _once := 'by/' || _by || '/' || nullif(_once, '');
    end if;
    if length(_task) not between 1 and 128 or octet_length(_queue) not between 1 and 40
            or octet_length(_lock) > 200 or octet_length(_once) > 250 or octet_length(_args::text) > 65536 then
        raise exception 'a job''s task, queue, lock, key or arguments are too long' using errcode = 'CW400';
    end if;
    if jsonb_path_exists(_args, '$.**{33}') then  -- readers of JSON recurse
        raise exception 'a job''s arguments are nested over 32 deep' using errcode = 'CW400';
    end if;
    loop
        if _once <> '' then
            select id into _job from procrastinate_jobs
            where queueing_lock = _once and status = 'todo' for share;
            if found then
                return _job;
            end if;
        end if;
        insert into procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args, scheduled_at)
        values (_queue, _task, _priority, nullif(_lock, ''), nullif(_once, ''),
            jsonb_build_object('args', _args), _at)
        on conflict (queueing_lock) where status = 'todo' do nothing
        returning id into _job;
        exit when _job is not null;
    end loop;
    if _by is not null then
        insert into job_origin (job, by_person) values (_job, _by);
    end if;
    return _job;
end $$;
-- The job of an act, for the function that does it: whoever acts is noted as who started it. Not for the application.
create function clearway.start_job(_task text, _args jsonb, _lock text, _once text) returns bigint language plpgsql
    set search_path = clearway, pg_temp as $$
declare
    _me int := nullif(actor(), 0);
begin
    if _me <= 0 then raise exception 'only who is signed in may start a job' using errcode = 'CW403'; end if;
    return queue_job(_task, _args, 'default', _lock, null, _once, 0, _me);
end $$;
-- Puts a job into the queue within the caller's transaction; its number. The owner may start any task, a principal what
-- is allowed. With `_once`, a job that waits under that key stands for this one: it is locked until the caller
-- commits, so that no worker takes it before what the caller changed can be seen.
create or replace function clearway.defer_job(
    _task text, _args jsonb, _queue text, _lock text, _at timestamptz, _once text, _priority int
) returns bigint language plpgsql security definer set search_path = clearway_jobs, clearway, pg_temp as $$
declare
    _owner boolean := current_setting('role') = current_user
        or (current_setting('role') = 'none' and session_user = current_user);
    _me int;
    _own boolean;
begin
    if not _owner then
        _me := clearway.me();
        if coalesce(_me, -1) <= 0 then  -- nobody, or the public
            raise exception 'only who is signed in may start a job' using errcode = 'CW403';
        end if;
        select own into _own from job_allowed where task = _task;
        if not found then
            raise exception 'this task is not open to people: %', left(_task, 128) using errcode = 'CW403';
        end if;
        if _own and _args ->> 'person' is distinct from _me::text then
            raise exception 'this task is for oneself only: %', _task using errcode = 'CW403';
        end if;
        _priority := least(_priority, 0);
        -- A lock is kept by what waits for its hour too. It is the person's own: it holds up nobody else's work.
        if _lock <> '' then
            _at := null;
            _lock := 'by/' || _me || '/' || _lock;
        end if;
    end if;
    return queue_job(_task, _args, _queue, _lock, _at, _once, _priority, _me);
end $$;
revoke execute on function clearway.start_job(text, jsonb, text, text),
    clearway.queue_job(text, jsonb, text, text, timestamptz, text, int, int) from public;
"""
JOBS_BEFORE = """
drop function clearway.start_job(text, jsonb, text, text),
    clearway.queue_job(text, jsonb, text, text, timestamptz, text, int, int);
"""

# Who accepts a validation, in which words; the job that signs reads them here.
EVIDENCE = """
alter table clearway.validation
    add column accept_by int,
    add column accept_name text not null default '' check (length(accept_name) <= 200),
    add column accept_why text not null default '' check (length(accept_why) <= 2000),
    add column accept_asked timestamptz;
create function clearway.accept_validation(which bigint, number bigint, name text, reason text) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare f finding := locked_finding(which);
begin
    perform check_works(f.finding, 'the desk accepts evidence');
    if coalesce(btrim(name), '') = '' or coalesce(btrim(reason), '') = '' then
        raise 'say who accepts it, and why' using errcode = 'CW400';
    end if;
    update validation v set accept_by = actor(), accept_name = left(btrim(name), 200),
        accept_why = left(btrim(reason), 2000), accept_asked = clock_timestamp()
    where v.validation = number and v.finding = f.finding and v.state = 'done' and v.level in (4, 5)
        and v.revoked is null;
    if not found then raise 'what is accepted has reached E4, and stands' using errcode = 'CW409'; end if;
    perform start_job('findings.accept', jsonb_build_object('validation', number), 'finding/' || f.handling, '');
end $$;
create or replace function clearway.ask_validation(which bigint, wanted int, given_s int, with_patch bigint,
    known text[], reason text) returns bigint language plpgsql security definer
    set search_path = clearway, pg_temp as $$
declare
    f finding := locked_finding(which);
    made bigint;
begin
    made := ask_validation(which, wanted, given_s, with_patch, known);
    update validation v set again_why = left(btrim(coalesce(reason, '')), 2000) where v.validation = made;
    perform start_job('findings.validate', jsonb_build_object('validation', made), 'finding/' || f.handling, '');
    return made;
end $$;
-- Without its job a trial would wait for ever.
revoke execute on function clearway.ask_validation(bigint, int, int, bigint, text[]) from clearway_app;
-- Asks for each of two findings' fixes to be tried on the other's proof; the number of the job.
create function clearway.ask_cross(one bigint, other bigint) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare
    a finding := locked_finding(least(one, other));
    b finding := locked_finding(greatest(one, other));
begin
    if one = other then raise 'a finding is itself' using errcode = 'CW400'; end if;
    perform check_works(a.finding, 'the desk says what is one flaw'),
        check_works(b.finding, 'the desk says what is one flaw');
    return start_job('findings.cross', jsonb_build_object('one', a.finding, 'other', b.finding), '',
        format('cross %s %s', a.finding, b.finding));
end $$;
revoke execute on function clearway.accept_validation(bigint, bigint, text, text), clearway.ask_cross(bigint, bigint)
    from public;
grant execute on function clearway.accept_validation(bigint, bigint, text, text), clearway.ask_cross(bigint, bigint)
    to clearway_app;
"""
EVIDENCE_BEFORE = """
drop function clearway.accept_validation(bigint, bigint, text, text), clearway.ask_cross(bigint, bigint);
grant execute on function clearway.ask_validation(bigint, int, int, bigint, text[]) to clearway_app;
alter table clearway.validation drop column accept_by, drop column accept_name, drop column accept_why,
    drop column accept_asked;
"""

CASES = """
-- The job that follows what the keeper of a case has done: its documents, or its CVE id. It reads the case's own row.
create function clearway.start_case_job(which bigint, what text) returns bigint language plpgsql
    security definer set search_path = clearway, pg_temp as $$
declare c desk_case := locked_case(which);
begin
    if not keeps_case(c.org) then raise 'another clearinghouse keeps this case' using errcode = 'CW403'; end if;
    if what = 'release' and c.released is not null then
        return start_job('findings.case_release', jsonb_build_object('case', c.case_id), 'case ' || c.handling,
            'case ' || c.handling);
    elsif what = 'cve' and c.cve_state = 'requested' then
        return start_job('findings.case_cve', jsonb_build_object('case', c.case_id), '', 'cve ' || c.handling);
    end if;
    raise 'there is nothing to do for this case' using errcode = 'CW409';
end $$;
revoke execute on function clearway.start_case_job(bigint, text) from public;
grant execute on function clearway.start_case_job(bigint, text) to clearway_app;
"""

_QUEUED = "    get diagnostics made = row_count;\n"
_LETTERS = f"""{_QUEUED}    if made > 0 then
        perform start_job('app.case_letters', jsonb_build_object(), 'app.case_letters', 'app.case_letters');
    end if;
"""

# What a model is to draft of a case, or of a finding in one, is its keeper's to ask for and to decide on.
_ASKED = "    if of_finding is not null then\n"
_ASKED_OF = """    if of_finding is not null then
        perform check_works(of_finding, 'the desk asks the model');
"""
_OF_CASE = "from locked_case(of_case) c;\n"
_KEPT = f"""{_OF_CASE}        if not keeps_case(whose) then
            raise 'another clearinghouse keeps this case' using errcode = 'CW403';
        end if;
"""
# The endpoint is one, and so is its budget: one request at a time.
_MADE = "    returning proposal into made;\n"
_STARTED = f"""{_MADE}    perform start_job('findings.assist', jsonb_build_object('proposal', made), 'assist', '');
"""
_FOUND = "    if outcome = 'accepted' then\n"
_DECIDES = f"""    if p.finding is not null then
        perform check_works(p.finding, 'the desk decides on a proposal');
    elsif not exists (select from desk_case c where c.case_id = p.case_id and keeps_case(c.org)) then
        raise 'another clearinghouse keeps this case' using errcode = 'CW403';
    end if;
{_FOUND}"""

# A lock that nobody can take but through the function: any role may take an advisory one, and keep it.
ONE_LOCK = """
create table clearway.flaw_lock (one boolean primary key default true check (one));
insert into clearway.flaw_lock default values;
alter table clearway.flaw_lock enable row level security;
alter table clearway.flaw_lock force row level security;
do $$ begin
    execute format('create policy own on clearway.flaw_lock to %I using (true) with check (true)', current_user);
end $$;
"""
_ADVISORY = "perform pg_advisory_xact_lock(hashtextextended('clearway flaws', 0));"
_ROW = "perform from flaw_lock for update;"


def _with(text: str, *changes: tuple[str, str]) -> str:
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def upgrade() -> None:
    run(JOBS, EVIDENCE, CASES, ONE_LOCK)
    run(
        _with(standing("queue_letters"), (_QUEUED, _LETTERS)),
        _with(before("0034_assist", "ask_assist"), (_ASKED, _ASKED_OF), (_OF_CASE, _KEPT), (_MADE, _STARTED)),
        _with(before("0034_assist", "decide_assist"), (_FOUND, _DECIDES)),
        _with(before("0055_one_case", "hold_flaws"), (_ADVISORY, _ROW)),
        f"delete from clearway.job_allowed where task in {CLOSED}",  # noqa: S608 - of constants
    )


def downgrade() -> None:
    run(
        f"insert into clearway.job_allowed (task) select unnest(array{list(CLOSED)})",
        before("0055_one_case", "hold_flaws"),
        "drop table clearway.flaw_lock",
        before("0034_assist", "decide_assist"),
        before("0034_assist", "ask_assist"),
        _with(standing("queue_letters"), (_LETTERS, _QUEUED)),
        "drop function clearway.start_case_job(bigint, text)",
        before("0054_asked_again", "ask_validation"),
        EVIDENCE_BEFORE,
        before("0004_jobs", "defer_job"),
        JOBS_BEFORE,
    )
