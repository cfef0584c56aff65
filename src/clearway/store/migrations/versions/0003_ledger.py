"""The log: entries, their order, tiles and checkpoints."""

from alembic import op

from clearway.store.ddl import run

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = """
-- One act. Its header (who, when, what, about what) and its content are each committed to by a salted hash; the two
-- hashes are the leaf of the tree. A part is erased by taking its columns and its salt away: the hash stays.
-- What may stand in a column is checked by log_append, once a call: a check here is prepared anew by every insert,
-- and a dozen of them cost as much as the rest of it.
create table clearway.log_entry (
    entry bigint generated always as identity primary key,
    aud clearway.audience_id not null,
    actor int,  -- 0 the system, -1 the public, else a person
    credential int,  -- the session or token, 0 for none
    act text,
    subject text,
    at timestamptz,
    header_salt bytea,
    content text,  -- canonical JSON, '' for none
    content_salt bytea,
    header_hash bytea not null,
    content_hash bytea not null,
    header_erased bigint,  -- the entry of the act that erased it
    content_erased bigint
);
create index log_entry_subject on clearway.log_entry (subject, entry);
create index log_entry_actor on clearway.log_entry (actor, entry);
create index log_entry_act on clearway.log_entry (act, entry);

-- The place of an entry in the tree, given once.
create table clearway.log_leaf (
    leaf bigint primary key,
    entry bigint not null unique
);
-- Entries below `log_state.head` that had not been seen when the batch was made: their transactions were under way,
-- or were rolled back. `xid` is the batch's: what is older than that and not there now will never be.
create table clearway.log_gap (
    entry bigint primary key,
    xid xid8 not null
) with (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0);  -- small, and always changing
-- Level -1 has the bundles of leaves, 0 the leaf hashes, and so on (C2SP tlog-tiles). Hashes don't compress.
create table clearway.log_tile (
    level smallint not null check (level between -1 and 8),
    index bigint not null,
    body bytea not null,
    primary key (level, index)
);
alter table clearway.log_tile alter column body set storage external;
create table clearway.log_checkpoint (
    size bigint primary key,
    root bytea not null check (octet_length(root) = 32),
    epoch int not null,
    note text not null,
    signed timestamptz not null default clock_timestamp()
);
create table clearway.log_cosignature (
    size bigint not null references clearway.log_checkpoint,
    name text not null,
    key_id bytea not null check (octet_length(key_id) = 4),
    line text not null check (octet_length(line) <= 8192),
    at timestamptz not null,
    primary key (size, name, key_id)
);
-- The keys that sign the log, oldest first. `endorsement` is a note in which the key before says this one follows.
create table clearway.log_key (
    number int primary key,
    vkey text not null,  -- an ML-DSA-87 key is too long for an index
    endorsement text not null default '',
    added timestamptz not null default clock_timestamp(),
    retired timestamptz
);
-- The witnesses whose co-signatures are taken.
create table clearway.log_witness (
    vkey text primary key,
    name text not null,
    entry bigint not null
);
create table clearway.log_epoch (
    number int primary key check (number >= 2),
    old_size bigint not null,
    old_root bytea not null check (octet_length(old_root) = 32),
    kept bigint not null check (kept <= old_size),
    entry bigint not null,
    opened timestamptz not null default clock_timestamp()
);
create table clearway.log_state (
    one boolean primary key default true check (one),
    origin text not null,
    head bigint not null default 0,  -- every entry up to here has a leaf or is a gap
    size bigint not null default 0
);
insert into clearway.log_state (origin) select 'clearway/' || replace(home::text, '-', '') from clearway.generation;
"""

FUNCTIONS = """
-- The header as canonical JSON (RFC 8785). Its texts have no control characters, so two escapes are all there are.
create function clearway.log_header(act text, actor int, at timestamptz, credential int, subject text) returns text
    language sql stable parallel safe
begin atomic
    select '{"act":' || to_json(act)::text || ',"actor":' || actor || ',"at":"'
        || to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') || '","credential":' || credential
        || ',"subject":' || to_json(subject)::text || '}';
end;
-- Writes one entry. Who acts and when is found here, not told. `salts` are 64 random bytes of the caller's, for header
-- and content; a caller who gave poor ones would only bare what it knows itself.
create function clearway.log_append(
    wanted_act text, wanted_subject text, wanted_content text, wanted_aud int, salts bytea default null)
    returns bigint language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    who int := 0;
    by_credential int := 0;
    moment timestamptz := clock_timestamp();
    salt_h bytea;
    salt_c bytea;
    made bigint;
begin
    -- As actor() tells it, with the credential looked up once.
    if current_setting('role') = 'clearway_app' or session_user = 'clearway_login' then
        by_credential := my_credential();
        who := coalesce((select person from credential where credential = by_credential), -1);
        by_credential := case when who > 0 then by_credential else 0 end;
    end if;
    if not exists (select from audience where aud = wanted_aud) then
        raise 'no such audience' using errcode = 'CW400';
    end if;
    if octet_length(wanted_content) between 1 and 65536 then
        perform wanted_content::json;  -- what can't be read would spoil every list
    end if;
    if wanted_act !~ '^[a-z][a-z0-9_-]*([.][a-z][a-z0-9_-]*)+$' or length(wanted_act) > 64 then
        raise 'an act is a verb in the past with its room before it: asset.added' using errcode = 'CW400';
    end if;
    if wanted_subject ~ '[[:cntrl:]]' or length(wanted_subject) not between 1 and 400 then
        raise 'a subject has 1 to 400 characters, none of them a control character' using errcode = 'CW400';
    end if;
    if octet_length(wanted_content) > 65536 then
        raise 'a content has 64 KiB at most' using errcode = 'CW400';
    end if;
    if num_nulls(wanted_act, wanted_subject, wanted_content) > 0 then
        raise 'an entry has an act, a subject and a content' using errcode = 'CW400';
    end if;
    -- Before an entry has its number this transaction has its own: the sequencer tells by it whether an entry that it
    -- does not see can still come.
    perform pg_current_xact_id();
    if salts is null then
        -- 244 random bits, made two texts of which neither tells of the other.
        salts := sha512(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    elsif octet_length(salts) <> 64 then
        raise 'two salts have 64 bytes' using errcode = 'CW400';
    end if;
    salt_h := substr(salts, 1, 32);
    salt_c := substr(salts, 33, 32);
    insert into log_entry (aud, actor, credential, act, subject, at, header_salt, content, content_salt,
        header_hash, content_hash)
    values (wanted_aud, who, by_credential, wanted_act, wanted_subject, moment, salt_h, wanted_content, salt_c,
        sha256('clearway/header/1:'::bytea || salt_h
            || convert_to(log_header(wanted_act, who, moment, by_credential, wanted_subject), 'UTF8')),
        sha256('clearway/content/1:'::bytea || salt_c || convert_to(wanted_content, 'UTF8')))
    returning entry into made;
    return made;
end $$;
-- Entries are never changed but to erase a part of one, and never deleted.
create function clearway.log_entry_stays() returns trigger language plpgsql set search_path = clearway, pg_temp as $$
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
    return new;
end $$;
create trigger log_entry_stays before update or delete on clearway.log_entry
    for each row execute function clearway.log_entry_stays();
create trigger log_entry_stays_whole before truncate on clearway.log_entry
    for each statement execute function clearway.log_entry_stays();
-- Takes a witness's signature line for a checkpoint; whether it holds is checked before, and again by every reader.
create function clearway.log_cosign(of_size bigint, by_name text, by_key bytea, signed_line text, said timestamptz)
    returns void language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    if not exists (select from log_witness w where w.name = by_name)
        or not exists (select from log_checkpoint c where c.size = of_size) then
        raise 'no such checkpoint or witness' using errcode = 'CW404';
    end if;
    insert into log_cosignature (size, name, key_id, line, at) values (of_size, by_name, by_key, signed_line, said)
    on conflict (size, name, key_id) do nothing;
end $$;
"""

RIGHTS = """
select clearway.govern('clearway.log_entry');
-- The tree is public: it holds hashes that tell nothing without their salts.
do $$
declare t text;
begin
    foreach t in array array['log_leaf', 'log_tile', 'log_checkpoint', 'log_cosignature', 'log_key', 'log_witness',
            'log_epoch', 'log_state', 'log_gap'] loop
        execute format('alter table clearway.%I enable row level security', t);
        execute format('alter table clearway.%I force row level security', t);
        execute format('create policy own on clearway.%I to %I using (true) with check (true)', t, current_user);
        execute format('create policy see on clearway.%I for select to clearway_app using (true)', t);
        execute format('grant select on clearway.%I to clearway_app', t);
    end loop;
end $$;
revoke execute on function clearway.log_header(text, int, timestamptz, int, text),
    clearway.log_append(text, text, text, int, bytea), clearway.log_entry_stays(),
    clearway.log_cosign(bigint, text, bytea, text, timestamptz) from public;
grant execute on function clearway.log_append(text, text, text, int, bytea),
    clearway.log_header(text, int, timestamptz, int, text),
    clearway.log_cosign(bigint, text, bytea, text, timestamptz) to clearway_app;
"""


def upgrade() -> None:
    """Creates the log."""
    run(TABLES, FUNCTIONS, RIGHTS)


def downgrade() -> None:
    """Drops the log with all its entries."""
    op.execute("delete from clearway.governed where name in ('clearway.log_entry', 'log_entry')")
    op.execute(
        "drop function clearway.log_cosign(bigint, text, bytea, text, timestamptz), "
        "clearway.log_append(text, text, text, int, bytea), "
        "clearway.log_header(text, int, timestamptz, int, text)"
    )
    op.execute(
        "drop table clearway.log_state, clearway.log_epoch, clearway.log_witness, clearway.log_key, "
        "clearway.log_cosignature, clearway.log_checkpoint, clearway.log_tile, clearway.log_gap, "
        "clearway.log_leaf, clearway.log_entry"
    )
    op.execute("drop function clearway.log_entry_stays()")
