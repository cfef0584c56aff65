"""A CVE id is of one case, and whether one is known as another flaw's is asked where it is noted."""

from alembic import op

from clearway.store.ddl import run

revision = "0069"
down_revision = "0068"
branch_labels = None
depends_on = None

# Of two cases that have one id, whichever had it first keeps it: the other says what happened, and may ask anew. A
# document that is published already stays as it is.
DOUBLES = """
create temporary table cve_double on commit drop as
select o.case_id, o.embargo, o.cve, o.first from (
    select c.case_id, c.embargo, c.cve, row_number() over ids as place, first_value(c.handling) over ids as first
    from clearway.desk_case c left join clearway.embargo_flaw f on f.embargo = c.embargo and f.id = c.cve
    where c.cve <> '' and (c.closed is null or c.published is not null)
    window ids as (partition by c.cve order by f.named nulls last, c.case_id)) o
where o.place > 1;
update clearway.desk_case c set cve = '', cve_state = '', version = c.version + 1, cve_problem = format(
    '%s is of %s too, which had it first: ask for another, or note one', d.cve, d.first)
from cve_double d where d.case_id = c.case_id;
delete from clearway.embargo_flaw f using cve_double d, clearway.embargo e
where f.embargo = d.embargo and f.id = d.cve and e.embargo = f.embargo and e.ended_by is null;
drop table cve_double;
create unique index desk_case_cve on clearway.desk_case (cve)
    where cve <> '' and (closed is null or published is not null);
"""

# The application reads no records: it is told what is public, and the case, which every desk sees.
KNOWN = """
create function clearway.cve_elsewhere(which bigint, wanted text) returns table (what text, named text)
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare kept desk_case;
begin
    select * into kept from desk_case c where c.case_id = which;
    if kept.case_id is null or not keeps_case(kept.org) then
        raise 'a coordinator of the clearinghouse that keeps the case does that' using errcode = 'CW403';
    end if;
    return query
        (select 'case', c.handling from desk_case c
        where c.cve = wanted and c.case_id <> which and (c.closed is null or c.published is not null) limit 1)
        union all
        (select case when r.kind like 'kev%' then 'listing' else 'record' end, r.source || ' ' || r.id from record r
        where r.current and r.tlp = 'CLEAR' and r.id = wanted order by r.source limit 3)
        union all
        (select 'record', r.source || ' ' || r.id from edge e join record r using (rec)
        where e.target = wanted and e.kind = 'same' and r.current and r.tlp = 'CLEAR' and r.id <> wanted
        order by r.source, r.id limit 3)
        union all
        select 'score', 'EPSS' from epss p where p.cve = wanted;
end $$;
revoke execute on function clearway.cve_elsewhere(bigint, text) from public;
grant execute on function clearway.cve_elsewhere(bigint, text) to clearway_app;
"""


def upgrade() -> None:
    run(DOUBLES, KNOWN)


def downgrade() -> None:
    op.execute("drop function clearway.cve_elsewhere(bigint, text)")
    op.execute("drop index clearway.desk_case_cve")
