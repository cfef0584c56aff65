"""What says of an erasure, or of a restart of the log, stays: without it the log would not verify any more."""

from clearway.store.ddl import before, run

revision = "0078"
down_revision = "0077"
branch_labels = None
depends_on = None

STAYS = """
create or replace function clearway.log_entry_stays() returns trigger language plpgsql
    set search_path = clearway, pg_temp as $$
begin
    if tg_op <> 'UPDATE' or new.entry <> old.entry or new.header_hash <> old.header_hash
        or new.content_hash <> old.content_hash
        or (new.act is not null and (new.actor, new.credential, new.act, new.subject, new.at, new.header_salt)
            is distinct from (old.actor, old.credential, old.act, old.subject, old.at, old.header_salt))
        or (new.content is not null and (new.content, new.content_salt)
            is distinct from (old.content, old.content_salt))
        or num_nulls(new.actor, new.credential, new.act, new.subject, new.at, new.header_salt) not in (0, 6)
        or num_nulls(new.content, new.content_salt) not in (0, 2)
        or (new.act is null) <> (new.header_erased is not null)
        or (new.content is null) <> (new.content_erased is not null)
    then
        raise 'the log is append-only' using errcode = 'CW403';
    end if;
    -- Who took a part away, and what a restart gave up, is said here alone.
    if old.act in ('ledger.erased', 'ledger.epoch_opened')
        and (new.act is null or new.content is null and old.content is not null) then
        raise 'what says of an erasure or a restart stays' using errcode = 'CW403';
    end if;
    return new;
end $$;
"""


def upgrade() -> None:
    """Holds those entries."""
    run(STAYS)


def downgrade() -> None:
    """As it was: any entry's parts may be erased."""
    run(before("0003_ledger", "log_entry_stays"))
