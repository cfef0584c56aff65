"""A lookup says itself whether comparing keys judges its version, and one index has all that a record asks of it."""

from clearway.store.ddl import run

revision = "0103"
down_revision = "0102"
branch_labels = None
depends_on = None

# A version never changes, so what is said of it twice can't come apart.
PLAIN = """
alter table clearway.lookup add column plain boolean not null default true;
update clearway.lookup l set plain = false from clearway.package_version v where v.pv = l.pv and not v.plain;
alter table clearway.lookup alter column plain drop default;
drop index clearway.lookup_key;
create index lookup_key on clearway.lookup (package, key) include (pv, unless, plain);
create index lookup_odd on clearway.lookup (package) where not plain;
"""
BACK = """
drop index clearway.lookup_odd;
drop index clearway.lookup_key;
create index lookup_key on clearway.lookup (package, key);
alter table clearway.lookup drop column plain;
"""


def upgrade() -> None:
    run(PLAIN)


def downgrade() -> None:
    run(BACK)
