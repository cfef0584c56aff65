"""What is found by the beginning of its id is told in the order of its number."""

from alembic import op

from clearway.store.ddl import run

revision = "0084"
down_revision = "0083"
branch_labels = None
depends_on = None

BEGUN = """
-- A shorter number is a smaller one: CVE-2024-9999 before CVE-2024-10000.
create index search_doc_number on clearway.search_doc (kind, length(ref), (ref collate "C"));
-- The documents of a kind whose `ref` begins so and that the caller may see, shortest first, then as they are spelled:
-- made by the owner as `search_docs` is, and for the same reason.
create function clearway.search_begun(of_kind text, begins text, most int) returns setof bigint
    language plpgsql stable security definer set search_path = clearway, pg_temp as $$
declare bits varbit := my_bits(); part bigint[]; had int := 0;
begin
    if length(begins) not between 1 and 100 then return; end if;
    for size in length(begins) .. length(begins) + 20 loop
        select coalesce(array_agg(x.doc), '{}') into part from (
            select d.doc from search_doc d
            where d.kind = of_kind and length(d.ref) = size
                and d.ref collate "C" >= begins and d.ref collate "C" < begins || chr(1114111)
                and get_bit(bits, d.aud) = 1
            order by d.ref collate "C" limit most - had) x;
        return query select unnest(part);
        had := had + cardinality(part);
        exit when had >= most;
    end loop;
end $$;
revoke execute on function clearway.search_begun(text, text, int) from public;
grant execute on function clearway.search_begun(text, text, int) to clearway_app;
"""


def upgrade() -> None:
    run(BEGUN)


def downgrade() -> None:
    op.execute("drop function clearway.search_begun(text, text, int)")
    op.execute("drop index clearway.search_doc_number")
