"""A token, session or code that is being made waits for what ends its maker's right to it, and that for it."""

from __future__ import annotations

from collections.abc import Sequence

from clearway.store.ddl import run, standing

revision = "0098"
down_revision = "0097"
branch_labels = None
depends_on = None

HELD = """
-- Until the end of the transaction nobody bars `who` or the caller, takes a role from them, signs them out or ends the
-- credential that asks: what is judged after this holds when the transaction commits. Whoever was first is waited for.
-- With `comes_in` the row of `who` is to be written too.
create function clearway.hold_maker(who int, comes_in boolean) returns void language plpgsql security definer
    set search_path = clearway, pg_temp as $$
begin
    if comes_in then
        perform from person p where p.person = who for no key update;
    else
        perform from person p where p.person in (who, actor()) order by p.person for share;
    end if;
    if actor() > 0 then perform from credential c where c.credential = my_credential() for share; end if;
end $$;
revoke execute on function clearway.hold_maker(int, boolean) from public;
"""

# What comes of one that was made meanwhile is known to the next statement alone.
_ENDED = (
    ("declare n int;\n", "declare n int; ended int := 0;\n"),
    ("    with recursive child", "    loop\n    with recursive child"),
    (
        "    get diagnostics n = row_count;\n    return n;\n",
        "    get diagnostics n = row_count;\n    ended := ended + n;\n    exit when n = 0;\n    end loop;\n"
        "    return ended;\n",
    ),
)
_PLACES = (
    (
        "add_credential",
        "begin\n    select * into target",
        "begin\n    perform hold_maker(who, add_credential.kind = 'session');\n    select * into target",
    ),
    (
        "invite",
        "begin\n    select p.* into target",
        "begin\n    perform hold_maker(who, false);\n    select p.* into target",
    ),
    (
        "revoke_role",
        "    delete from membership where",
        "    perform from person p where p.person = who for no key update;\n    delete from membership where",
    ),
    (
        "sign_out",
        "    if not is_whole() then\n",
        "    perform from person p where p.person = actor() for no key update;\n    if not is_whole() then\n",
    ),
)


def upgrade() -> None:
    run(HELD, _with("end_children", *_ENDED), *(_with(name, place) for name, *place in _PLACES))


def downgrade() -> None:
    run(
        _with("end_children", *(pair[::-1] for pair in _ENDED)),
        *(_with(name, place[::-1]) for name, *place in _PLACES),
        "drop function clearway.hold_maker(int, boolean)",
    )


def _with(name: str, *places: Sequence[str]) -> str:
    text = standing(name)
    for old, new in places:
        assert text.count(old) == 1, (name, old)
        text = text.replace(old, new)
    return text
