"""How an exposure was includes which version it was of, since when it was known, and whose word its day was."""

from clearway.store.ddl import before, run

revision = "0092"
down_revision = "0091"
branch_labels = None
depends_on = None

COLUMNS = """
alter table clearway.exposure_history add column pv int, add column how smallint, add column first_seen timestamptz;
-- What was before is not known any more: from here on it does not change.
update clearway.exposure_history h set pv = e.pv, how = e.how, first_seen = e.first_seen
from clearway.exposure e where e.exposure = h.exposure;
alter table clearway.exposure_history alter column pv set not null, alter column how set not null,
    alter column first_seen set not null;
"""

KEEP = """
create or replace function clearway.keep_exposure_history() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    -- EXECUTE: a plan that was cached for one row must not meet a million (reference: markings, trap 4)
    execute 'insert into clearway.exposure_history (exposure, until, aud, gone, flaw, detected, due, clock, decision,
            accepted_until, status, verdict, pv, how, first_seen)
        select o.exposure, (select clearway.fleet_now()), o.aud, o.gone, o.flaw, o.detected, o.due, o.clock, o.decision,
            o.until, o.status, o.verdict, o.pv, o.how, o.first_seen
        from before o join after n using (exposure)
        where (o.gone, o.flaw, o.detected, o.due, o.clock, o.decision, o.until, o.status, o.verdict, o.pv, o.how,
                o.first_seen)
            is distinct from
            (n.gone, n.flaw, n.detected, n.due, n.clock, n.decision, n.until, n.status, n.verdict, n.pv, n.how,
                n.first_seen)
        on conflict (exposure, until) do nothing';
    return null;
end $$;
"""


def upgrade() -> None:
    """Keeps in the history all that a report of an earlier day shows."""
    run(COLUMNS, KEEP)


def downgrade() -> None:
    """As it was: of these the present alone."""
    run(before("0005_fleet", "keep_exposure_history"))
    run("alter table clearway.exposure_history drop column pv, drop column how, drop column first_seen")
