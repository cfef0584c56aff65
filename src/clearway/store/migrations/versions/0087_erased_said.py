"""A part of an entry goes only with an entry that says so of exactly this entry and this part."""

from alembic import op

from clearway.store.ddl import run, standing

revision = "0087"
down_revision = "0086"
branch_labels = None
depends_on = None

SAID = """
-- Whether an entry says that this part of that one was erased. It names the part's hash too, but for those from before.
create function clearway.log_says_erased(told bigint, of_entry bigint, part text, digest bytea) returns boolean
    language sql stable set search_path = clearway, pg_temp as $$
    select exists (select from log_entry e where e.entry = told and e.act = 'ledger.erased'
        and e.subject = 'entry/' || of_entry and e.content::jsonb -> 'entry' = to_jsonb(of_entry)
        and e.content::jsonb -> 'parts' ? part
        and (not e.content::jsonb ? 'hashes'
            or e.content::jsonb -> 'hashes' ->> part = encode(digest, 'hex'))) $$;
revoke execute on function clearway.log_says_erased(bigint, bigint, text, bytea) from public;
"""
_LAST = "    return new;\n"
_HELD = f"""    -- The word for one part, or for one entry, does not do for another; and whose word it is stays.
    if new.header_erased is distinct from old.header_erased and (old.header_erased is not null
            or not log_says_erased(new.header_erased, old.entry, 'header', old.header_hash))
        or new.content_erased is distinct from old.content_erased and (old.content_erased is not null
            or not log_says_erased(new.content_erased, old.entry, 'content', old.content_hash)) then
        raise 'an entry says first that exactly this part of this entry is erased' using errcode = 'CW403';
    end if;
{_LAST}"""


def _with(old: str, new: str) -> str:
    text = standing("log_entry_stays")
    assert text.count(old) == 1
    return text.replace(old, new)


def upgrade() -> None:
    """Holds what says of an erasure against the part that goes."""
    run(SAID, _with(_LAST, _HELD))


def downgrade() -> None:
    """As it was: any entry's number does."""
    run(_with(_HELD, _LAST))
    op.execute("drop function clearway.log_says_erased(bigint, bigint, text, bytea)")
