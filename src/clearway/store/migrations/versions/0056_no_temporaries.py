"""Nobody but the owner makes temporary or large objects: both outlive the transaction that acts for somebody."""

from clearway.store.closing import CLOSE
from clearway.store.ddl import run

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

OPEN = """
do $$
begin
    if exists (select from pg_database where datname = current_database() and pg_has_role(datdba, 'usage')) then
        execute format('grant temporary on database %I to public', current_database());
    end if;
    if (select rolsuper from pg_roles where rolname = current_user) then
        grant execute on function lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) to public;
    end if;
end $$;
"""


def upgrade() -> None:
    run(CLOSE)


def downgrade() -> None:
    run(OPEN)
