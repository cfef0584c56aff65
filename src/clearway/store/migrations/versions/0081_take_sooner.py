"""An inventory reads fewer pages: what its organisation's other assets hold is known to be in use."""

from clearway.store.ddl import run, standing

revision = "0081"
down_revision = "0080"
branch_labels = None
depends_on = None

USE = (
    "insert into clearway.version_use select w.pv, $2 from unnest($1) w(pv) where not exists (\n"
    "        select from clearway.version_use u where u.pv = w.pv and u.aud = $2) on conflict do nothing'\n"
    "        using added, a.aud;"
)
# What is held has its row of `version_use`, by the transaction that made it so. Its place in the index by audience was
# touched a moment ago, when this asset's own entry was put beside it; a place in `version_use` may be read from disk.
USE_SOONER = (
    "with first as materialized (\n"
    "            select w.pv from unnest($1) w(pv) where not exists (\n"
    "                select from clearway.held h where h.aud = $2 and h.pv = w.pv and h.asset <> $3))\n"
    "        insert into clearway.version_use select w.pv, $2 from first w where not exists (\n"
    "            select from clearway.version_use u where u.pv = w.pv and u.aud = $2) on conflict do nothing'\n"
    "        using added, a.aud, which;"
)
MISSING = "integer, text[], text[], date[]"
# A due date takes the year alone of a flaw's id; so a thousand exposures have the facts of some fifty.
YEAR = "case when starts_with(f.id, ''CVE-'') then left(f.id, 9) else '''' end,"


def _taken(before: str, after: str) -> None:
    text = standing("fleet_take")
    assert text.count(before) == 1
    run(text.replace(before, after))


def _missing(*changes: tuple[str, int, str]) -> None:
    text = standing("fleet_missing")
    for before, times, after in changes:
        assert text.count(before) == times, before
        text = text.replace(before, after)
    run(
        f"drop function clearway.fleet_missing({MISSING})",
        text,
        f"revoke execute on function clearway.fleet_missing({MISSING}) from public",
        f"grant execute on function clearway.fleet_missing({MISSING}) to clearway_app",
    )


def upgrade() -> None:
    _taken(USE, USE_SOONER)
    _missing((" id text,", 1, " year text,"), (" f.id,", 3, f" {YEAR}"))


def downgrade() -> None:
    _taken(USE_SOONER, USE)
    _missing((" year text,", 1, " id text,"), (f" {YEAR}", 3, " f.id,"))
