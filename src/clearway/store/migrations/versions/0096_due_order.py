"""Of what is due within the week the strictest is read first, and not what has been due for longest."""

from clearway.store.ddl import run, standing

revision = "0096"
down_revision = "0095"
branch_labels = None
depends_on = None

# All that a plan counts is due by its end. How strict the clock is (its tier's rank) says what can wait within that,
# then whether attackers use the flaw; the day decides among equals.
_ONE = (
    "e.aud::int as aud from clearway.exposure e",
    "e.aud::int as aud, e.clock, e.flaw from clearway.exposure e",
)
_FIRST = (
    "(array_agg(exposure order by at, exposure))[1:$6]",
    "(array_agg(exposure order by c.rank desc, used.flaw is null, at, exposure))[1:$6]",
)
_FROM = (
    "then array(select distinct s.aud from seen s) end from seen'",
    "then array(select distinct s.aud from seen s) end from seen join clearway.clock c using (clock)\n"
    "        left join (select f.flaw from clearway.flaw f\n"
    "            where coalesce(f.kev, ''-infinity''::date) > ''-infinity'') used on used.flaw = seen.flaw'",
)


def upgrade() -> None:
    run(_changed(_ONE, _FIRST, _FROM))


def downgrade() -> None:
    run(_changed(*((new, old) for old, new in (_ONE, _FIRST, _FROM))))


def _changed(*parts: tuple[str, str]) -> str:
    text = standing("fleet_due")
    for old, new in parts:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
