"""Search over everything that one may see."""

from alembic import op

from clearway.store.ddl import run

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = """
-- One document a thing that can be found. `terms` are its words as `store.search` cuts them; `path` is its page.
create table clearway.search_doc (
    doc bigint generated always as identity primary key,
    kind text not null,
    ref text not null,
    org int not null default 0,
    aud clearway.audience_id not null,
    title text not null,
    path text not null,
    terms tsvector not null,
    unique (kind, ref, org)
);
create index search_doc_terms on clearway.search_doc using gin (terms) with (fastupdate = off);
"""

FUNCTIONS = """
-- `@@` may not use its index under row-level rules: it could tell of hidden rows by its errors. So the search is made
-- by the owner, tests the audience itself, and hands back ids alone; what they say is read under the rules again. Words
-- that are in very many documents are ranked among the newest `pool` of them only.
create function clearway.search_docs(wanted tsquery, kinds text[], most int, pool int default 2000)
    returns table (doc bigint, score real) language sql stable security definer
    set search_path = clearway, pg_temp set plan_cache_mode = force_custom_plan as $$
    with mine as materialized (select my_bits() as bits), found as (
        select d.doc, d.terms from search_doc d, mine
        where d.terms @@ wanted and (kinds = '{}' or d.kind = any(kinds)) and get_bit(mine.bits, d.aud) = 1
        limit pool
    )
    select f.doc, ts_rank(f.terms, wanted) from found f order by 2 desc, 1 desc limit most $$;
-- Puts a document in place of the one before it; only for what the caller may write in `of_org`, or the owner.
create function clearway.put_doc(of_kind text, of_ref text, of_org int, of_aud int, of_title text, of_path text,
    of_terms text[]) returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if not may('operate', of_org) and not may('submit', of_org) and not may('coordinate', of_org) then
        raise 'that is not yours to write' using errcode = 'CW403';
    end if;
    if actor() <> 0 then
        if get_bit(my_bits(), of_aud) is distinct from 1 or of_path !~ '^/[^/]' then
            raise 'that is not yours to write' using errcode = 'CW403';
        end if;
    end if;
    insert into search_doc (kind, ref, org, aud, title, path, terms)
    values (of_kind, of_ref, of_org, of_aud, of_title, of_path, array_to_tsvector(of_terms))
    on conflict (kind, ref, org) do update set aud = excluded.aud, title = excluded.title, path = excluded.path,
        terms = excluded.terms;
end $$;
create function clearway.drop_doc(of_kind text, of_ref text, of_org int) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if not may('operate', of_org) and not may('submit', of_org) and not may('coordinate', of_org) then
        raise 'that is not yours to write' using errcode = 'CW403';
    end if;
    delete from search_doc where kind = of_kind and ref = of_ref and org = of_org;
end $$;
select clearway.govern('clearway.search_doc');
revoke execute on function clearway.search_docs(tsquery, text[], int, int),
    clearway.put_doc(text, text, int, int, text, text, text[]), clearway.drop_doc(text, text, int) from public;
grant execute on function clearway.search_docs(tsquery, text[], int, int),
    clearway.put_doc(text, text, int, int, text, text, text[]), clearway.drop_doc(text, text, int) to clearway_app;
"""


def upgrade() -> None:
    """Creates the documents and the search."""
    run(TABLES, FUNCTIONS)


def downgrade() -> None:
    """Drops them."""
    op.execute("delete from clearway.governed where name in ('clearway.search_doc', 'search_doc')")
    op.execute("drop function clearway.search_docs(tsquery, text[], int, int)")
    op.execute("drop function clearway.put_doc(text, text, int, int, text, text, text[])")
    op.execute("drop function clearway.drop_doc(text, text, int)")
    op.execute("drop table clearway.search_doc")
