"""What anybody could call and the desk alone needs: the next number of an act, and the constructors of spans."""

from clearway.store.ddl import before, run

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

_SPANS = """clearway.path_span(text, text), clearway.path_span(text, text, text), clearway.path_span_multirange(),
    clearway.path_span_multirange(clearway.path_span), clearway.path_span_multirange(clearway.path_span[])"""


def upgrade() -> None:
    run(
        """
create or replace function clearway.next_edge_act() returns bigint language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if not is_desk() then raise 'the desk says what is one flaw' using errcode = 'CW403'; end if;
    return nextval('clearway.finding_edge_acts');
end $$;
"""
    )
    # A range type brings functions that everybody may execute; spans are made by the tables' owner alone.
    run(f"revoke execute on function {_SPANS} from public")


def downgrade() -> None:
    run(before("0018_dedup", "next_edge_act"))
    run(f"grant execute on function {_SPANS} to public")
