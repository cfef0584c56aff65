"""Events, idempotency keys and webhooks."""

from alembic import op

from clearway.store.ddl import run

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# How a reader misses nothing: numbers are drawn before their rows are seen, and a later number may commit first. So
# each transaction that emits holds, until it has ended, a shared advisory lock whose key is the last number drawn
# before its own. `event_horizon` reads the last number, then the locks: every row up to the least of them is
# committed or will never be. Only transactions that emit hold readers back; a long intake does not.
EVENTS = """
create sequence clearway.event_seq as bigint;
create table clearway.event (
    seq bigint primary key,
    kind text not null check (kind ~ '^[a-z][a-z0-9_-]*([.][a-z0-9_-]+)+$' and length(kind) <= 100),
    subject text not null check (length(subject) between 1 and 300),
    org int,
    aud clearway.audience_id not null,
    body jsonb not null default '{}' check (octet_length(body::text) <= 8192),
    at timestamptz not null default clock_timestamp()
);
create index event_at on clearway.event using brin (at);
select clearway.govern('clearway.event');
-- Events up to this number may have been deleted by age.
create table clearway.event_floor (
    one boolean primary key default true check (one),
    seq bigint not null
);
insert into clearway.event_floor (seq) values (0);

create function clearway.event_last() returns bigint language sql volatile security definer
    set search_path = clearway, pg_temp as $$
    select case when is_called then last_value else 0 end from event_seq $$;

-- Writes one event in the caller's transaction; returns its number. Whoever emits must see the audience.
create function clearway.emit(kind text, subject text, org int, aud int, body jsonb default '{}') returns bigint
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    made bigint;
    first boolean := current_setting('clearway.emitting', true) is distinct from pg_current_xact_id()::text;
begin
    if actor() is null or actor() = -1 or (actor() <> 0 and get_bit(my_bits(), emit.aud) is distinct from 1) then
        raise 'an event goes only to an audience that its author is of' using errcode = 'CW403';
    end if;
    if first then
        perform pg_advisory_xact_lock_shared(x'636c6576'::int, (event_last() & 2147483647)::int);
        perform set_config('clearway.emitting', pg_current_xact_id()::text, true);
    end if;
    made := nextval('event_seq');
    insert into event (seq, kind, subject, org, aud, body)
    values (made, emit.kind, emit.subject, emit.org, emit.aud, coalesce(emit.body, '{}'));
    -- NOTIFY takes a lock of the whole server at commit, so of several transactions that emit at once one does it
    -- for all: the woken reader sees by the locks that others are not done, and looks again. With eight writers that
    -- is some 4,700 commits a second instead of 1,000.
    if first and pg_try_advisory_xact_lock(x'636c6577'::int, 0) then
        perform pg_notify('clearway_event', '');
    end if;
    return made;
end $$;

-- Up to which number nothing more will appear, and the last number drawn. For read committed transactions: what is
-- read by the next statement is whole up to `horizon`.
create function clearway.event_horizon(out floor bigint, out horizon bigint, out last bigint)
    language plpgsql volatile security definer set search_path = clearway, pg_temp as $$
declare
    held bigint[];
    after bigint;
begin
    last := event_last();
    select array_agg(l.objid::bigint) into held from pg_locks l
    where l.locktype = 'advisory' and l.classid = x'636c6576'::int::oid and l.objsubid = 2
        and l.database = (select oid from pg_database where datname = current_database());
    after := event_last();  -- no lock's number is greater; keys carry 31 bits of it
    select least(last, min(after - (((after & 2147483647) - h + 2147483648) & 2147483647))) into horizon
    from unnest(held) h;
    select f.seq into floor from event_floor f;
end $$;
grant execute on function clearway.emit(text, text, int, int, jsonb), clearway.event_horizon() to clearway_app;
"""

KEYS = """
-- The answer to a request with an idempotency key, written by the transaction that did what was asked.
create table clearway.idempotency (
    person int not null,
    key_hash bytea not null check (octet_length(key_hash) = 32),
    request_hash bytea not null check (octet_length(request_hash) = 32),
    rights_hash bytea not null check (octet_length(rights_hash) = 32),
    status smallint,
    headers jsonb,
    body bytea check (octet_length(body) <= 1048576),
    at timestamptz not null default clock_timestamp(),
    primary key (person, key_hash)
);
create index idempotency_at on clearway.idempotency (at);
alter table clearway.idempotency enable row level security;
alter table clearway.idempotency force row level security;
create policy mine on clearway.idempotency to clearway_app
    using (person = (select clearway.me())) with check (person = (select clearway.me()));
do $$ begin
    execute format('create policy own on clearway.idempotency to %I using (true) with check (true)', current_user);
end $$;
grant select, insert, delete, update (status, headers, body) on clearway.idempotency to clearway_app;

-- What seals places in lists. Owner only: the program reads it when it starts, and nobody's query can.
create table clearway.cursor_key (
    id smallint primary key check (id between 0 and 255),
    key bytea not null check (octet_length(key) = 64),
    made timestamptz not null default clock_timestamp()
);
"""

WEBHOOKS = """
create table clearway.webhook (
    webhook int generated always as identity primary key,
    org int not null references clearway.organisation,
    aud clearway.audience_id not null,
    -- Whose rights decide what is delivered, at the time of each delivery.
    person int not null references clearway.person,
    url text not null check (length(url) between 8 and 2000),
    kinds text[] not null default '{}' check (cardinality(kinds) <= 50),
    label text not null default '' check (length(label) <= 200),
    active boolean not null default true,
    stopped text not null default '',  -- why it was made inactive, when nobody asked for it
    dead_in_a_row int not null default 0,
    position bigint not null default 0,  -- events up to here have their deliveries
    busy_until timestamptz,  -- one worker at a time sends to it
    created timestamptz not null default clock_timestamp(),
    version int not null default 1
);
create index webhook_org on clearway.webhook (org);
select clearway.govern('clearway.webhook', 'administer');
revoke update (person, position, busy_until, dead_in_a_row, stopped, created) on clearway.webhook from clearway_app;
create table clearway.webhook_secret (
    webhook int not null references clearway.webhook on delete cascade,
    secret bytea not null check (octet_length(secret) between 24 and 64),
    made timestamptz not null default clock_timestamp(),
    until timestamptz  -- null: the one in use; else the one before it, still signing until then
);
create unique index webhook_secret_current on clearway.webhook_secret (webhook) where until is null;
create index webhook_secret_webhook on clearway.webhook_secret (webhook);
-- A delivery has no content of its own: the event is read again, as the webhook's person, when it is sent.
create table clearway.webhook_delivery (
    delivery bigint generated always as identity primary key,
    uid uuid not null unique default gen_random_uuid(),
    webhook int not null references clearway.webhook on delete cascade,
    org int not null,
    aud clearway.audience_id not null,
    event bigint,  -- null: a test message
    state text not null default 'pending' check (state in ('pending', 'delivered', 'dead', 'withheld')),
    attempts int not null default 0,
    created timestamptz not null default clock_timestamp(),
    next_at timestamptz,
    done timestamptz,
    last_status int,
    last_error text not null default '',
    unique (webhook, event)
);
create index webhook_delivery_list on clearway.webhook_delivery (webhook, delivery desc);
create index webhook_delivery_pending on clearway.webhook_delivery (webhook, delivery) where state = 'pending';
select clearway.govern('clearway.webhook_delivery');

-- A webhook works with the rights of who makes it, or of a service that they administer; never of somebody else.
create function clearway.webhook_person() returns trigger language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    -- Two steps: to plan the second is to ask for the principal's organisations, and the owner has none.
    if actor() <> 0 then
        if new.person is distinct from me() and not exists (
                select from person p where p.person = new.person and p.kind = 'service' and p.active
                    and p.org = new.org and p.org = any(my_orgs('administer'))) then
            raise 'nothing of that name is here' using errcode = 'CW404';
        end if;
    end if;
    new.position := event_last();
    return new;
end $$;
create trigger webhook_person before insert on clearway.webhook
    for each row execute function clearway.webhook_person();

create function clearway.my_webhook(which int) returns int language plpgsql stable security definer
    set search_path = clearway, pg_temp as $$
begin
    if actor() <> 0 then
        if not exists (select from webhook w where w.webhook = which
                and get_bit(my_bits(), w.aud) = 1 and w.org = any(my_orgs('administer'))) then
            raise 'nothing of that name is here' using errcode = 'CW404';
        end if;
    elsif not exists (select from webhook w where w.webhook = which) then
        raise 'nothing of that name is here' using errcode = 'CW404';
    end if;
    return which;
end $$;
-- A new secret; the one before it goes on signing beside it for so long.
create function clearway.set_webhook_secret(which int, fresh bytea, keep interval) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    perform my_webhook(which);
    perform from webhook w where w.webhook = which for update;
    delete from webhook_secret s where s.webhook = which and s.until is not null;
    update webhook_secret s set until = clock_timestamp() + keep where s.webhook = which;
    insert into webhook_secret (webhook, secret) values (which, fresh);
end $$;
-- What an administrator may change. Made active again, it is told what happens from then on.
create function clearway.change_webhook(which int, url text, kinds text[], label text, active boolean) returns void
    language plpgsql security definer set search_path = clearway, pg_temp as $$
begin
    perform my_webhook(which);
    -- Who sends it elsewhere answers with their own sight: not with that of the person who made it.
    update webhook w set person = case when change_webhook.url <> w.url and actor() > 0 and exists (
                select from person p where p.person = w.person and p.kind = 'person')
            then actor() else w.person end,
        url = change_webhook.url, kinds = change_webhook.kinds, label = change_webhook.label,
        active = change_webhook.active,
        position = case when change_webhook.active and not w.active then event_last() else w.position end,
        stopped = case when change_webhook.active then '' else w.stopped end,
        dead_in_a_row = case when change_webhook.active then 0 else w.dead_in_a_row end,
        version = w.version + 1
    where w.webhook = which;
end $$;
-- A delivery, dead or done, once more. Returns its number.
create function clearway.redeliver(which bigint) returns bigint
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare found webhook_delivery;
begin
    select * into found from webhook_delivery d where d.delivery = which for update;
    if found.delivery is null then raise 'nothing of that name is here' using errcode = 'CW404'; end if;
    perform my_webhook(found.webhook);
    if found.state = 'pending' then raise 'it is still to be delivered' using errcode = 'CW409'; end if;
    update webhook_delivery set state = 'pending', attempts = 0, next_at = clock_timestamp(), done = null,
        last_error = '' where delivery = which;
    return which;
end $$;
create function clearway.test_webhook(which int) returns bigint
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare made bigint;
begin
    perform my_webhook(which);
    insert into webhook_delivery (webhook, org, aud, next_at)
    select w.webhook, w.org, w.aud, clock_timestamp() from webhook w where w.webhook = which
    returning delivery into made;
    return made;
end $$;
insert into clearway.job_allowed (task) values ('http.webhooks.deliver');
grant execute on function clearway.set_webhook_secret(int, bytea, interval), clearway.redeliver(bigint),
    clearway.test_webhook(int), clearway.change_webhook(int, text, text[], text, boolean) to clearway_app;
"""

GRANTS = """
revoke execute on function clearway.event_last(), clearway.emit(text, text, int, int, jsonb),
    clearway.event_horizon(), clearway.webhook_person(), clearway.my_webhook(int),
    clearway.set_webhook_secret(int, bytea, interval), clearway.redeliver(bigint), clearway.test_webhook(int),
    clearway.change_webhook(int, text, text[], text, boolean)
    from public;
"""


def upgrade() -> None:
    """Creates the tables."""
    run(EVENTS, KEYS, WEBHOOKS, GRANTS)


def downgrade() -> None:
    """Drops them."""
    op.execute(
        "drop table clearway.webhook_delivery, clearway.webhook_secret, clearway.webhook, clearway.cursor_key, "
        "clearway.idempotency, clearway.event_floor, clearway.event cascade"
    )
    op.execute("drop sequence clearway.event_seq")
    op.execute(
        "drop function clearway.event_last(), clearway.emit(text, text, int, int, jsonb), clearway.event_horizon(), "
        "clearway.webhook_person(), clearway.my_webhook(int), "
        "clearway.set_webhook_secret(int, bytea, interval), clearway.redeliver(bigint), clearway.test_webhook(int), "
        "clearway.change_webhook(int, text, text[], text, boolean)"
    )
    op.execute("delete from clearway.job_allowed where task = 'http.webhooks.deliver'")
    op.execute(
        "delete from clearway.governed where name in "
        "('clearway.event', 'clearway.webhook', 'clearway.webhook_delivery', 'event', 'webhook', 'webhook_delivery')"
    )
