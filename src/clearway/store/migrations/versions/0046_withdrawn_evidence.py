"""Evidence that the desk takes back: a validation is revoked with a reason, and counts for nothing from then on."""

from clearway.store.ddl import run

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

COLUMNS = """
-- Kept as it was, with who took it back and why: its statements are out in the world.
alter table clearway.validation
    add column revoked timestamptz,
    add column revoked_by int not null default 0,
    add column revoked_why text not null default '' check (length(revoked_why) <= 2000),
    add constraint validation_revoked check ((revoked is null) = (revoked_why = ''));
"""

FUNCTIONS = """
-- The desk takes validations of one finding back; those that it took back now.
create function clearway.revoke_validations(which bigint, numbers bigint[], reason text) returns bigint[]
    language plpgsql security definer set search_path = clearway, pg_temp as $$
declare
    f finding := locked_finding(which);
    taken bigint[];
begin
    if not is_desk() then raise 'the desk takes evidence back' using errcode = 'CW403'; end if;
    with revoked as (
        update validation v set revoked = clock_timestamp(), revoked_by = actor(), revoked_why = left(reason, 2000),
            version = v.version + 1
        where v.finding = f.finding and v.validation = any(numbers) and v.revoked is null returning v.validation)
    select array_agg(r.validation order by r.validation) into taken from revoked r;
    if taken is null then raise 'no such evidence stands' using errcode = 'CW409'; end if;
    return taken;
end $$;
revoke execute on function clearway.revoke_validations(bigint, bigint[], text) from public;
grant execute on function clearway.revoke_validations(bigint, bigint[], text) to clearway_app;
insert into clearway.log_act (act, app, needs) values
    ('validation.revoked', true, '{coordinate}'), ('validation.unvouched', true, '{coordinate}')
on conflict do nothing;
"""


def upgrade() -> None:
    run(COLUMNS, FUNCTIONS)


def downgrade() -> None:
    run(
        "delete from clearway.log_act where act in ('validation.revoked', 'validation.unvouched')",
        "drop function clearway.revoke_validations(bigint, bigint[], text)",
        "alter table clearway.validation drop column revoked, drop column revoked_by, drop column revoked_why",
    )
