"""What was cut of a record's words on what is affected is said to be more than is kept, so nobody reads it as all."""

from clearway.store.ddl import run

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

# Twenty products of a record were kept, and five hundred versions of a list. What has as many may have had more: how a
# release stands with it is unknown, unless it is affected by what is kept.
MORE = """
update clearway.finding_known k set affected = k.affected || '[{"more": true}]'
where not k.affected @> '[{"more": true}]' and octet_length(k.affected::text) <= 1048000
    and (jsonb_array_length(k.affected) >= 20 or exists (select from jsonb_array_elements(k.affected) b
        where jsonb_array_length(coalesce(b -> 'versions', '[]')) >= 500));
"""
MORE_BEFORE = """
update clearway.finding_known k set affected = (
    select coalesce(jsonb_agg(b order by n), '[]') from jsonb_array_elements(k.affected) with ordinality e (b, n)
    where not b ? 'more')
where k.affected @> '[{"more": true}]';
"""


def upgrade() -> None:
    run(MORE)


def downgrade() -> None:
    run(MORE_BEFORE)
