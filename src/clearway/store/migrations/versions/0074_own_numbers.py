"""Files and validations have a number within their finding: a number of the whole desk counts what others report."""

from clearway.store.ddl import run

revision = "0074"
down_revision = "0073"
branch_labels = None
depends_on = None

COLUMNS = """
alter table clearway.artefact add column nth int;
alter table clearway.validation add column nth int;
alter table clearway.artefact disable trigger user;
alter table clearway.validation disable trigger user;
update clearway.artefact a set nth = n.nth from (select artefact,
    row_number() over (partition by finding order by artefact)::int as nth from clearway.artefact) n
where n.artefact = a.artefact;
update clearway.validation v set nth = n.nth from (select validation,
    row_number() over (partition by finding order by validation)::int as nth from clearway.validation) n
where n.validation = v.validation;
alter table clearway.artefact enable trigger user;
alter table clearway.validation enable trigger user;
alter table clearway.artefact alter column nth set not null, add unique (finding, nth);
alter table clearway.validation alter column nth set not null, add unique (finding, nth);
"""

# One at a time for a finding: who adds to it waits for who added before. Others' findings are not waited for, but by
# the chance that two share the lower half of their number.
NUMBERED = """
create function clearway.numbered_in_finding() returns trigger language plpgsql
    security definer set search_path = clearway, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtext('clearway.numbered_in_finding'), (new.finding & 2147483647)::int);
    if tg_table_name = 'artefact' then
        select coalesce(max(a.nth), 0) + 1 into new.nth from artefact a where a.finding = new.finding;
    else
        select coalesce(max(v.nth), 0) + 1 into new.nth from validation v where v.finding = new.finding;
    end if;
    return new;
end $$;
create trigger numbered before insert on clearway.artefact for each row
    execute function clearway.numbered_in_finding();
create trigger numbered before insert on clearway.validation for each row
    execute function clearway.numbered_in_finding();
revoke execute on function clearway.numbered_in_finding() from public;
"""


def upgrade() -> None:
    """Numbers what is there, and what comes."""
    run(COLUMNS, NUMBERED)


def downgrade() -> None:
    """Takes the numbers away."""
    run(
        "drop trigger numbered on clearway.artefact; drop trigger numbered on clearway.validation",
        "drop function clearway.numbered_in_finding()",
        "alter table clearway.artefact drop column nth; alter table clearway.validation drop column nth",
    )
