"""What a review of the kept fleet found: names that are taken by assets that the caller may not see."""

from clearway.store.ddl import run

revision = "0026"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(
        """
-- Which of these names assets of the organisation have, also those hidden from the caller: a name is one asset's alone,
-- and whoever adds one must get one that is free.
create function clearway.fleet_taken(which int, wanted text[]) returns setof text language plpgsql stable
    security definer set search_path = clearway, pg_temp as $$
begin
    if not may('operate', which) or cardinality(wanted) > 10000 then return; end if;
    return query select a.name from asset a where a.org = which and a.name = any(wanted);
end $$;
revoke execute on function clearway.fleet_taken(int, text[]) from public;
grant execute on function clearway.fleet_taken(int, text[]) to clearway_app;
"""
    )


def downgrade() -> None:
    run("drop function clearway.fleet_taken(int, text[]);")
