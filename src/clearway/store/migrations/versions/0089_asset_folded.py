"""An asset is found by its name whatever the case, as host names are compared (RFC 4343)."""

from clearway.store.ddl import run

revision = "0089"
down_revision = "0088"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run("create index asset_org_folded on clearway.asset (org, lower(name))")


def downgrade() -> None:
    run("drop index clearway.asset_org_folded")
