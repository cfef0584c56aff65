"""A kept answer is given again to who still sees all that they saw when it was kept."""

from clearway.store.ddl import run

revision = "0108"
down_revision = "0107"
branch_labels = None
depends_on = None


def upgrade() -> None:
    run(
        """
-- The audiences whose rows the person saw as the work was done, what the work itself added among them.
alter table clearway.idempotency add column sight varbit;
grant update (sight) on clearway.idempotency to clearway_app;
-- Whether the caller sees the rows of each of these audiences still. Answers without them are of the step before.
create function clearway.sees_still(kept varbit) returns boolean language sql stable parallel safe security definer
begin atomic
    select coalesce(
        (kept & substring(m.bits || repeat('0', greatest(0, length(kept) - length(m.bits)))::varbit
            from 1 for length(kept))) = kept,
        false)
    from (select clearway.my_bits() as bits) m;
end;
revoke all on function clearway.sees_still(varbit) from public;
grant execute on function clearway.sees_still(varbit) to clearway_app;
"""
    )


def downgrade() -> None:
    run(
        "drop function clearway.sees_still(varbit)",
        "alter table clearway.idempotency drop column sight",
    )
