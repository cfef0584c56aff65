"""What is asked about a thing with a marking is for who sees the thing, and for who asked."""

from clearway.store.ddl import run

revision = "0093"
down_revision = "0092"
branch_labels = None
depends_on = None

# Why somebody wants another marking says something about the thing.
SEEN = """
-- Whether the caller sees the thing with a marking that is named so ("asset/17"), where there is one.
create function clearway.sees_subject(subject text) returns boolean language plpgsql stable
    security definer set search_path = clearway, pg_temp as $$
declare
    rule governed;
    found int;
begin
    select * into rule from governed g where split_part(subject, '/', 1) in (g.kind, g.name, 'clearway.' || g.name)
    order by g.kind is null limit 1;
    if rule.name is null or split_part(subject, '/', 2) !~ '^[0-9]{1,18}$' then return true; end if;
    execute format('select aud::int from clearway.%I where %I = $1', regexp_replace(rule.name, '^clearway[.]', ''),
        rule.key_column) into found using split_part(subject, '/', 2)::bigint;
    return found is null or actor() = 0 or coalesce(get_bit(my_bits(), found) = 1, false);
end $$;
revoke execute on function clearway.sees_subject(text) from public;
grant execute on function clearway.sees_subject(text) to clearway_app;
drop policy see on clearway.approval;
create policy see on clearway.approval for select to clearway_app using (
    org = any((select clearway.my_orgs('read'))::int[])
    and (kind not in ('marking', 'remark') or asked_by = (select clearway.me()) or clearway.sees_subject(subject)));
"""


def upgrade() -> None:
    run(SEEN)


def downgrade() -> None:
    run(
        "drop policy see on clearway.approval",
        "create policy see on clearway.approval for select to clearway_app using ("
        "org = any((select clearway.my_orgs('read'))::int[]))",
        "drop function clearway.sees_subject(text)",
    )
