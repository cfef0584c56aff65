"""A list is known by its file: the first that shows what a list without one has shown takes that one's place."""

from clearway.store.ddl import run, standing

revision = "0070"
down_revision = "0069"
branch_labels = None
depends_on = None

BY_WITNESS = "i.asset = which and i.witness = fleet_take.witness limit 1;"
# Until now all lists of one format were one witness of an asset. Which file its newest was is told by what it shows: a
# package that both name. Else the other file's stays until that one comes.
BY_FILE = """i.asset = which and i.witness = fleet_take.witness
        -- A place is its newest witness's.
        and not exists (select from inventory o where o.asset = which and o.slot = i.slot and o.current
            and o.witness <> fleet_take.witness) limit 1;
    if bit is null and starts_with(fleet_take.witness, fleet_take.format || ' ') then
        select i.slot into bit from inventory i
        where i.asset = which and i.current and i.witness = fleet_take.format and exists (
            select from held h join package_version v on v.pv = h.pv
            join package_version n on n.ecosystem = v.ecosystem and n.name = v.name
            where h.asset = which and h.seen >> i.slot & 1 = 1 and n.pv = any(pvs)) limit 1;
    end if;"""


def _changed(before: str, after: str) -> None:
    text = standing("fleet_take")
    assert text.count(before) == 1, before
    run(text.replace(before, after))


def upgrade() -> None:
    """Lets a list that goes by its file go on from one that went by its format."""
    _changed(BY_WITNESS, BY_FILE)


def downgrade() -> None:
    """Puts it back."""
    _changed(BY_FILE, BY_WITNESS)
