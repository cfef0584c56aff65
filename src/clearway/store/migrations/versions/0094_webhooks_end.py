"""Barring ends a person's webhooks for good, and what they had others' rights post to."""

from clearway.store.ddl import run, standing

revision = "0094"
down_revision = "0093"
branch_labels = None
depends_on = None

ENDED = """
-- `set_by` chose where it posts: of a service's webhook, another than its `person`. What has `ended` stays so.
alter table clearway.webhook add set_by int references clearway.person, add ended timestamptz,
    add constraint webhook_ended check (ended is null or not active);

-- Whoever makes one, or sends one elsewhere, and whose rights it takes, are not barred meanwhile: barring waits for it,
-- or it for that.
create function clearway.webhook_set_by() returns trigger language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if tg_op = 'INSERT' or new.url is distinct from old.url or new.person is distinct from old.person then
        new.set_by := case when actor() > 0 then actor() else new.person end;
        if (select count(*) from (select from person p where p.person in (new.person, new.set_by) and p.active
                order by p.person for share) held) <> cardinality(sorted(array[new.person, new.set_by])) then
            raise 'nothing of that name is here' using errcode = 'CW404';
        end if;
    end if;
    return new;
end $$;
create trigger webhook_set_by before insert or update on clearway.webhook
    for each row execute function clearway.webhook_set_by();

-- Ends the webhooks that work with the rights of `who`, or post to where they chose. What was still to be sent is not.
create function clearway.end_webhooks(who int) returns void language plpgsql security definer
    set search_path = clearway, pg_temp as $$
declare gone webhook;
begin
    for gone in select * from webhook w where (w.person = who or w.set_by = who) and w.ended is null
            order by w.webhook for update loop
        update webhook set active = false, ended = clock_timestamp(), version = version + 1,
            stopped = 'who it worked for, or who chose its address, was barred: make another'
        where webhook = gone.webhook;
        update webhook_delivery set state = 'withheld', done = clock_timestamp(), next_at = null
        where webhook = gone.webhook and state = 'pending';
        perform log_put('webhook.ended', 'webhook/' || gone.webhook, '{"barred":' || who || '}',
            make_audience(array[make_clause(array[group_of('staff', gone.org)], false)]));
    end loop;
end $$;
revoke execute on function clearway.webhook_set_by(), clearway.end_webhooks(int) from public;
insert into clearway.log_act (act, app) values ('webhook.ended', false);
"""

# Those that were there: who last chose the address, as the log has it, or else their person.
KEPT = """
update clearway.webhook w set set_by = coalesce((
    select e.actor from (
        select l.entry, l.actor, l.content::jsonb ->> 'url' as url,
            lag(l.content::jsonb ->> 'url') over (order by l.entry) as was
        from clearway.log_entry l where l.subject = 'webhook/' || w.webhook
            and l.act in ('webhook.added', 'webhook.changed') and l.content <> '') e
    join clearway.person p on p.person = e.actor and p.kind = 'person'
    where e.url is distinct from e.was order by e.entry desc limit 1), w.person);
select clearway.end_webhooks(p.person) from clearway.person p where not p.active;
"""

# A webhook that has ended is read and removed; every other act on it is refused in the one place that all ask.
_ANSWER = "    return which;\n"
_REFUSED = """    if exists (select from webhook w where w.webhook = which and w.ended is not null) then
        raise 'it has ended, for who it worked for, or who chose its address, was barred: make another'
            using errcode = 'CW409';
    end if;
"""
_BARS = "    if not is_active then\n        update credential"
_ENDS = "    if not is_active then perform end_webhooks(who); end if;\n"
_SET = "    update person set active = is_active, version = version + 1 where person = who"
# In the order in which who changes one takes them.
_HELD = "    perform from webhook w where w.person = who or w.set_by = who order by w.webhook for update;\n"


def _with(name: str, *places: tuple[str, str]) -> str:
    text = standing(name)
    for old, new in places:
        assert text.count(old) == 1, (name, old)
        text = text.replace(old, new)
    return text


def upgrade() -> None:
    """Adds the end, and ends what belongs to who is barred now."""
    run(
        ENDED,
        _with("my_webhook", (_ANSWER, _REFUSED + _ANSWER)),
        _with(
            "set_active",
            (_SET, _HELD + _SET),
            (_BARS, _ENDS + _BARS),
        ),
        KEPT,
    )


def downgrade() -> None:
    """Takes it back; what has ended stays inactive."""
    run(
        _with("my_webhook", (_REFUSED, "")),
        _with("set_active", (_HELD, ""), (_ENDS, "")),
        "drop trigger webhook_set_by on clearway.webhook",
        "drop function clearway.webhook_set_by(), clearway.end_webhooks(int)",
        "alter table clearway.webhook drop constraint webhook_ended, drop set_by, drop ended",
        "delete from clearway.log_act where act = 'webhook.ended'",
    )
