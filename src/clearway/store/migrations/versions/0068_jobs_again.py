"""A job that is to wait again, while another waits under its key: one of them does the work of both."""

from clearway.store.ddl import before, run

revision = "0068"
down_revision = "0067"
branch_labels = None
depends_on = None

FUNCTIONS = """
-- Has a job that runs, or is dead, wait until `_at`; its own number. Of a key (`once`) one job waits at most: where
-- another one does by now, with the same task and arguments, that one's number, and the first is ended, for whoever
-- waits stands for it. Its steps are not handed over: the other was asked for after they were done, by an act that may
-- have changed what they read. Where the work is another (a key that two tasks use), the first waits without a key.
create function clearway.job_again(_job bigint, _at timestamptz) returns bigint language plpgsql
    set search_path = clearway_jobs, clearway, pg_temp as $$
declare
    j procrastinate_jobs;
    other procrastinate_jobs;
begin
    select * into strict j from procrastinate_jobs where id = _job and status in ('doing', 'failed') for update;
    loop
        if j.queueing_lock is not null and not (j.status = 'doing' and j.abort_requested) then
            select * into other from procrastinate_jobs
            where queueing_lock = j.queueing_lock and status = 'todo' and id <> _job for share;
            if found and other.task_name = j.task_name
                    and other.args - 'timestamp' = j.args - 'timestamp' then  -- the hour of what runs by the clock
                if other.scheduled_at > _at then
                    update procrastinate_jobs set scheduled_at = _at where id = other.id;
                end if;
                if j.status = 'doing' then
                    insert into job_failure (job, code, reason) values (_job, 'handed-over',
                        'job ' || other.id || ' waits under the same key and does its work');
                    perform procrastinate_finish_job_v1(_job, 'aborted', false);
                end if;
                return other.id;
            elsif found then
                update procrastinate_jobs set queueing_lock = null where id = _job;
                j.queueing_lock := null;
            end if;
        end if;
        begin
            perform procrastinate_retry_job_v2(_job, _at, null, null, null);
            return _job;
        exception when unique_violation then  -- another came to wait meanwhile: looked at again
            null;
        end;
    end loop;
end $$;
revoke execute on function clearway.job_again(bigint, timestamptz) from public;

-- For a worker: ends its attempt, or has the job wait until `_again`; false when the job was taken from it.
create or replace function clearway.end_job(_job bigint, _worker bigint, _status text, _again timestamptz)
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
        perform job_again(_job, _again);
    end if;
    return true;
end $$;
"""


def upgrade() -> None:
    run(FUNCTIONS)


def downgrade() -> None:
    run(before("0004_jobs", "end_job"), "drop function clearway.job_again(bigint, timestamptz)")
