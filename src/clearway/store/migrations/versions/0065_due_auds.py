"""Of what due exposures are marked is asked by mails alone: pages count without that look at each row."""

from clearway.store.ddl import before, run

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

_ARGUMENTS = "date, date, int, int, int"
_OLD = "array(select distinct s.aud from seen s) from seen'"
_NEW = "case when $8 then array(select distinct s.aud from seen s) end from seen'"
_USING = "bits, most, day, firsts, mine;"


def upgrade() -> None:
    run(
        f"drop function clearway.fleet_due({_ARGUMENTS})",
        _changed(
            before("0061_letters_marked", "fleet_due"),
            ("firsts int,\n    out total", "firsts int, marked boolean default false,\n    out total"),
            (_OLD, _NEW),
            (_USING, "bits, most, day, firsts, mine, marked;"),
        ),
        _closed(f"{_ARGUMENTS}, boolean"),
    )


def downgrade() -> None:
    run(
        f"drop function clearway.fleet_due({_ARGUMENTS}, boolean)",
        before("0061_letters_marked", "fleet_due"),
        _closed(_ARGUMENTS),
    )


def _changed(text: str, *parts: tuple[str, str]) -> str:
    for old, new in parts:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def _closed(arguments: str) -> str:
    return f"""
revoke execute on function clearway.fleet_due({arguments}) from public;
grant execute on function clearway.fleet_due({arguments}) to clearway_app;
"""
