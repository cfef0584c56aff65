"""Which assets a list had the last time is asked by its name, whatever else the organisation keeps."""

from clearway.store.ddl import run

revision = "0102"
down_revision = "0101"
branch_labels = None
depends_on = None

# Not by `current`: a column of an index costs each inventory that is replaced a new place in all of them.
LISTS = """
create index inventory_lists on clearway.inventory (org, witness, asset)
    where format in ('product-list', 'scanner-csv')
"""


def upgrade() -> None:
    run(LISTS)


def downgrade() -> None:
    run("drop index clearway.inventory_lists")
