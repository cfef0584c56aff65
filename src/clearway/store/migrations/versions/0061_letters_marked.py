"""A mail is marked as what it counts: the marking of several rows at once, and which were counted."""

from clearway.store.ddl import before, run

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

# The words of `audience_label` (0012, 0027) for clauses that no audience need have; a test holds that the two agree.
LABEL = """
create function clearway.clauses_label(wanted int[]) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select case
        when wanted = '{}' then 'TLP:CLEAR'
        when exists (select from clause c where c.clause = any(wanted) and c.embargo and c.released_by is null)
            then 'TLP:RED'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(wanted) and not c.embargo and g.kind in ('list', 'staff', 'person', 'auditors')
                and not exists (select from grp d where d.grp = any(c.grps) and d.kind = 'desk'))
            then 'TLP:RED'
        when (select count(*) from clause c where c.clause = any(wanted) and not c.embargo and c.clause <> 1) > 1
            then 'TLP:RED'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(wanted) and g.kind = 'clients') then 'TLP:AMBER'
        when exists (select from clause c join grp g on g.grp = any(c.grps)
            where c.clause = any(wanted) and g.kind = 'staff') then 'TLP:AMBER+STRICT'
        when exists (select from clause c where c.clause = any(wanted) and not c.embargo
            and not exists (select from grp g where g.grp = any(c.grps) and g.kind = 'community')) then 'TLP:RED'
        when exists (select from clause c where c.clause = any(wanted) and not c.embargo) then 'TLP:GREEN'
        else 'TLP:CLEAR' end $$;
-- The label of what is made of rows with these audiences, which is that of their meet, made or not. Null where the
-- caller is not of one of them: nobody learns by it how strictly something is marked that they don't see.
create function clearway.label_of(auds int[]) returns text language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select case
        when exists (select from unnest(auds) w where w is null or w not between 0 and 65535
            or (actor() <> 0 and get_bit(my_bits(), w) = 0)
            or not exists (select from audience a where a.aud = w)) then null
        else clauses_label(absorbed(array(
            select distinct c from audience a, unnest(a.clauses) c where a.aud = any(auds)))) end $$;
revoke execute on function clearway.clauses_label(int[]), clearway.label_of(int[]) from public;
grant execute on function clearway.label_of(int[]) to clearway_app;
"""

# As 0013 has it; `auds` are the audiences of what was counted, from the same look at the table.
DUE = """
drop function clearway.fleet_due(date, date, int, int, int);
create function clearway.fleet_due(
    until date, day date, of_org int, most int, firsts int,
    out total bigint, out late bigint, out first bigint[], out auds int[])
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare
    bits varbit := case when actor() = 0 then null else my_bits() end;
    mine int[] := case when actor() = 0 then null else my_audiences(64) end;
    wanted constant text := 'e.gone is null and e.status = 0 and e.verdict = 1
        and coalesce(e.due, ''infinity''::date) <= $1 and ($2 is null or e.org = $2)
        and (e.via = 0 or not exists (
            select from clearway.exposure p where p.asset = e.asset and p.pv = e.pv and p.flaw = e.flaw and p.via = 0
                and p.gone is null and p.verdict = 1 and ($3 is null or get_bit($3, p.aud) = 1)))';
    one constant text := 'select e.exposure, e.due as at, e.aud::int as aud from clearway.exposure e where ';
    walk text := one || wanted;
begin
    if mine is not null then
        walk := 'select x.* from unnest($7::int[]) m(aud) cross join lateral (' || one || 'e.aud = m.aud and '
            || wanted || ' order by coalesce(e.due, ''infinity''::date), e.exposure limit $4) x';
    elsif bits is not null then
        walk := walk || ' and get_bit($3, e.aud) = 1';
    end if;
    execute 'with seen as materialized (' || walk || ' limit $4)
        select count(*), count(*) filter (where at < $5), (array_agg(exposure order by at, exposure))[1:$6],
            array(select distinct s.aud from seen s) from seen'
        into total, late, first, auds using until, of_org, bits, most, day, firsts, mine;
end $$;
revoke execute on function clearway.fleet_due(date, date, int, int, int) from public;
grant execute on function clearway.fleet_due(date, date, int, int, int) to clearway_app;
"""


def upgrade() -> None:
    run(LABEL, DUE)


def downgrade() -> None:
    run(
        "drop function clearway.fleet_due(date, date, int, int, int)",
        before("0013_fleet_more", "fleet_due"),
        """
revoke execute on function clearway.fleet_due(date, date, int, int, int) from public;
grant execute on function clearway.fleet_due(date, date, int, int, int) to clearway_app;
drop function clearway.label_of(int[]), clearway.clauses_label(int[]);
""",
    )
