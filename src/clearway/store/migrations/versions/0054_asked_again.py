"""Evidence that was lowered or taken back comes back by a trial that a coordinator asks for with a reason."""

from clearway.store.ddl import run

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

COLUMN = """
-- Why it is tried again. Without a reason a repeat confirms what holds and raises nothing that was lowered.
alter table clearway.validation add column again_why text not null default '' check (length(again_why) <= 2000);
"""

FUNCTION = """
-- As before, with a reason.
create function clearway.ask_validation(which bigint, wanted int, given_s int, with_patch bigint, known text[],
    reason text) returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made bigint;
begin
    made := ask_validation(which, wanted, given_s, with_patch, known);
    update validation v set again_why = left(btrim(coalesce(reason, '')), 2000) where v.validation = made;
    return made;
end $$;
revoke execute on function clearway.ask_validation(bigint, int, int, bigint, text[], text) from public;
grant execute on function clearway.ask_validation(bigint, int, int, bigint, text[], text) to clearway_app;
"""


def upgrade() -> None:
    run(COLUMN, FUNCTION)


def downgrade() -> None:
    run(
        "drop function clearway.ask_validation(bigint, int, int, bigint, text[], text)",
        "alter table clearway.validation drop column again_why",
    )
