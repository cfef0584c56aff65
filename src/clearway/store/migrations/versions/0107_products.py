"""A list by a product's name asks the products alone."""

from clearway.store.ddl import run

revision = "0107"
down_revision = "0106"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("create index package_version_product on clearway.package_version (pv) where ecosystem = 'vendor'")


def downgrade() -> None:
    run("drop index clearway.package_version_product")
