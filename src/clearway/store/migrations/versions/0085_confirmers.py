"""Who may confirm a limit, or a claim by the desk, can be asked before: nobody is offered what is refused."""

from alembic import op

from clearway.store.ddl import run

revision = "0085"
down_revision = "0084"
branch_labels = None
depends_on = None

CONFIRMS = """
-- Which of these limits the caller may confirm, as far as a second person goes.
create function clearway.confirms_limits(which int[]) returns setof int language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select l.intake_limit from intake_limit l where l.intake_limit = any(which) and l.ended is null
        and (actor() = 0 or get_bit(my_bits(), l.aud) = 1) and no_confirmer(l.intake_limit) is null $$;
-- And which claims.
create function clearway.confirms_controls(which int[]) returns setof int language sql stable security definer
    set search_path = clearway, pg_temp as $$
    select c.control from lease_control c where c.control = any(which) and c.ended is null and c.method = 'desk'
        and (actor() = 0 or (get_bit(my_bits(), c.aud) = 1 and not c.org = any(my_orgs('read'))))
        and no_second(c.person, c.hands) is null $$;
revoke execute on function clearway.confirms_limits(int[]), clearway.confirms_controls(int[]) from public;
grant execute on function clearway.confirms_limits(int[]), clearway.confirms_controls(int[]) to clearway_app;
"""


def upgrade() -> None:
    run(CONFIRMS)


def downgrade() -> None:
    op.execute("drop function clearway.confirms_limits(int[]), clearway.confirms_controls(int[])")
