"""Jobs: procrastinate's tables in a schema of their own, and our steps, progress and failures beside them."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# The package's functions name its tables without a schema. Each is told where they are, so that it works in every
# session and no other schema can be put before it.
QUEUE = (Path(__file__).parent / "0004_procrastinate.sql").read_text()
BOUND = """
do $$
declare f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc where pronamespace = 'clearway_jobs'::regnamespace loop
        execute format('alter function %s set search_path = clearway_jobs, pg_temp', f);
        execute format('revoke all on function %s from public', f);
    end loop;
end $$;
"""

TABLES = """
-- The package looks for earlier jobs of the same lock through an index that begins with the job's number.
create index clearway_jobs_lock on clearway_jobs.procrastinate_jobs (lock, priority desc, id)
    where status in ('todo', 'doing') and lock is not null;

-- What a principal may start. `own`: only with the argument `person`, and only for itself. Rooms add their
-- tasks in their migrations; what is not here is the owner's alone.
create table clearway.job_allowed (
    task text primary key check (length(task) between 1 and 128),
    own boolean not null default false
);

-- Who started a job; no row for what the program started itself.
create table clearway.job_origin (
    job bigint primary key references clearway_jobs.procrastinate_jobs on delete cascade,
    by_person int not null,
    at timestamptz not null default clock_timestamp()
);
create index job_origin_person on clearway.job_origin (by_person, job);

-- The attempt that may write for a job, and how often it failed since it was started or retried by hand.
create table clearway.job_run (
    job bigint primary key references clearway_jobs.procrastinate_jobs on delete cascade,
    run uuid not null,
    failures int not null default 0,
    started timestamptz not null default clock_timestamp()
);

-- Steps that are done, each written in the transaction of its effects.
create table clearway.job_step (
    job bigint not null references clearway_jobs.procrastinate_jobs on delete cascade,
    step text not null check (length(step) between 1 and 200),
    at timestamptz not null default clock_timestamp(),
    primary key (job, step)
);

create table clearway.job_progress (
    job bigint primary key references clearway_jobs.procrastinate_jobs on delete cascade,
    done bigint not null,
    total bigint,
    what text not null,
    at timestamptz not null default clock_timestamp()
);

-- Why attempts failed, for the operator: reasons may quote what a job read.
create table clearway.job_failure (
    failure bigint generated always as identity primary key,
    job bigint not null references clearway_jobs.procrastinate_jobs on delete cascade,
    code text not null,
    reason text not null,
    at timestamptz not null default clock_timestamp()
);
create index job_failure_job on clearway.job_failure (job);

-- Loops: since when somebody has been running each, and its last failure until it works again.
create table clearway.job_loop (
    name text primary key,
    since timestamptz not null default clock_timestamp(),
    failed timestamptz,
    code text not null default '',
    reason text not null default ''
);
"""

FUNCTIONS = """
-- Puts a job into the queue within the caller's transaction; its number. The owner may start any task, a principal what
-- is allowed. With `_once`, a job that waits under that key stands for this one: it is locked until the caller
-- commits, so that no worker takes it before what the caller changed can be seen.
create function clearway.defer_job(
    _task text, _args jsonb, _queue text, _lock text, _at timestamptz, _once text, _priority int
) returns bigint language plpgsql security definer set search_path = clearway_jobs, clearway, pg_temp as $$
declare
    _owner boolean := current_setting('role') = current_user
        or (current_setting('role') = 'none' and session_user = current_user);
    _me int;
    _own boolean;
    _job bigint;
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
        if (select count(*) from (
            select from job_origin o join procrastinate_jobs j on j.id = o.job
            where o.by_person = _me and j.status = 'todo' limit 1000) waiting) >= 1000 then
            raise exception '1,000 of your jobs are waiting already' using errcode = 'CW409';
        end if;
        _priority := least(_priority, 0);
        -- A lock is kept by what waits for its hour too.
        if _lock <> '' then _at := null; end if;
        -- Keys of people are apart from those of the program: nobody holds up the program's own work.
        _once := 'by/' || _me || '/' || nullif(_once, '');
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
    if _me is not null then
        insert into job_origin (job, by_person) values (_job, _me);
    end if;
    return _job;
end $$;

-- For a worker: takes the next job and makes this attempt the one that may write. Not waited for on disk: after
-- a crash of the server the job is waiting again, and its steps still say what is done.
create function clearway.next_job(_queues varchar[], _worker bigint)
returns table (
    id bigint, status text, task_name varchar, priority int, lock text, queueing_lock text, args jsonb,
    scheduled_at timestamptz, queue_name varchar, attempts int, worker_id bigint,
    run uuid, failures int, by_person int
) language plpgsql set search_path = clearway_jobs, clearway, pg_temp
    -- The first of the queue by its index, also when thousands of rows came since the planner last counted: it
    -- would sort them all, for each job anew.
    set enable_seqscan = off set enable_sort = off set enable_bitmapscan = off
    set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    j procrastinate_jobs;
    r job_run;
begin
    j := procrastinate_fetch_job_v2(_queues, _worker);
    if j.id is null then
        return;
    end if;
    perform set_config('synchronous_commit', 'off', true);
    insert into job_run (job, run) values (j.id, gen_random_uuid())
    on conflict on constraint job_run_pkey do update set run = excluded.run, started = excluded.started
    returning job_run.* into r;
    return query select j.id, j.status::text, j.task_name, j.priority, j.lock, j.queueing_lock, j.args,
        j.scheduled_at, j.queue_name, j.attempts, j.worker_id, r.run, r.failures,
        (select o.by_person from job_origin o where o.job = j.id);
end $$;

-- For a worker: ends its attempt, or has the job wait until `_again`; false when the job was taken from it.
create function clearway.end_job(_job bigint, _worker bigint, _status text, _again timestamptz)
returns boolean language plpgsql set search_path = clearway_jobs, clearway, pg_temp as $$
begin
    perform from procrastinate_jobs
    where id = _job and worker_id = _worker and status = 'doing' for update;
    if not found then
        return false;
    end if;
    if _again is null then
        perform procrastinate_finish_job_v1(_job, _status::procrastinate_job_status, false);
    else
        perform procrastinate_retry_job_v2(_job, _again, null, null, null);
    end if;
    return true;
end $$;

-- For a task, in the transaction of the step's effects: 1 to do it, 0 when it was done, -1 when another attempt
-- has taken over. `_run` is a secret of the attempt. Of two attempts at once, the second waits for the first.
create function clearway.claim_step(_job bigint, _run uuid, _step text)
returns int language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if not exists (select from job_run where job = _job and run = _run) then
        return -1;
    end if;
    insert into job_step (job, step) values (_job, _step) on conflict do nothing;
    return case when found then 1 else 0 end;
end $$;

create function clearway.job_state(_status clearway_jobs.procrastinate_job_status, _failures int)
returns text language sql immutable parallel safe as $$
    select case _status::text
        when 'todo' then case when coalesce(_failures, 0) = 0 then 'waiting' else 'retrying' end
        when 'doing' then 'running'
        when 'succeeded' then 'done'
        when 'failed' then 'dead'
        else 'cancelled' end $$;

-- The caller's own jobs, newest first. The reason of a failure is left out: it may quote rows above the
-- caller's marking; its code is not.
create function clearway.my_jobs(_job bigint, _before bigint, _most int)
returns table (
    job bigint, task text, state text, deferred timestamptz, starts timestamptz, failures int,
    done bigint, total bigint, what text, told timestamptz, code text
) language sql stable security definer set search_path = clearway_jobs, clearway, pg_temp as $$
    select o.job, j.task_name::text, job_state(j.status, r.failures), o.at, j.scheduled_at,
        coalesce(r.failures, 0), p.done, p.total, coalesce(p.what, ''), p.at,
        coalesce((select f.code from job_failure f where f.job = o.job order by f.failure desc limit 1), '')
    from job_origin o join procrastinate_jobs j on j.id = o.job
        left join job_run r on r.job = o.job left join job_progress p on p.job = o.job
    where o.by_person = (select clearway.me()) and (_job is null or o.job = _job)
        and (_before is null or o.job < _before)
    order by o.job desc limit least(_most, 1000) $$;

-- Takes back a job of the caller's own (the owner: any); false when it is not theirs or has ended. One that runs
-- is told to stop and loses its open transactions.
create function clearway.cancel_job(_job bigint)
returns boolean language plpgsql security definer set search_path = clearway_jobs, clearway, pg_temp as $$
declare
    _owner boolean := current_setting('role') = current_user
        or (current_setting('role') = 'none' and session_user = current_user);
begin
    if not _owner then
        perform from job_origin where job = _job and by_person = clearway.me();
        if not found then
            return false;
        end if;
    end if;
    return procrastinate_cancel_job_v1(_job, true, false) is not null;
end $$;

revoke execute on function
    clearway.defer_job(text, jsonb, text, text, timestamptz, text, int), clearway.next_job(varchar[], bigint),
    clearway.end_job(bigint, bigint, text, timestamptz), clearway.claim_step(bigint, uuid, text),
    clearway.job_state(clearway_jobs.procrastinate_job_status, int),
    clearway.my_jobs(bigint, bigint, int), clearway.cancel_job(bigint)
    from public;
grant execute on function
    clearway.defer_job(text, jsonb, text, text, timestamptz, text, int), clearway.claim_step(bigint, uuid, text),
    clearway.my_jobs(bigint, bigint, int), clearway.cancel_job(bigint)
    to clearway_app;
"""


def upgrade() -> None:
    """Creates the queue and what stands beside it."""
    run = op.get_bind().exec_driver_sql
    run("create schema clearway_jobs")
    run("select set_config('search_path', 'clearway_jobs, public', true)")
    # As the driver's own: its text has percent signs, which are not places for parameters.
    op.get_bind().connection.cursor().execute(QUEUE)
    run("select set_config('search_path', 'clearway, public', true)")
    for part in (BOUND.replace("%", "%%"), TABLES, FUNCTIONS.replace("%", "%%")):
        run(part)


def downgrade() -> None:
    """Drops it, and with it every job that has not run."""
    op.execute("drop function clearway.cancel_job, clearway.my_jobs, clearway.claim_step, clearway.end_job")
    op.execute("drop function clearway.next_job, clearway.defer_job, clearway.job_state")
    op.execute(
        "drop table clearway.job_loop, clearway.job_failure, clearway.job_progress, clearway.job_step, "
        "clearway.job_run, clearway.job_origin, clearway.job_allowed"
    )
    op.execute("drop schema clearway_jobs cascade")
