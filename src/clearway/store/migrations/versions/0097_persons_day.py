"""A day of detection that somebody set right goes before one that documents state, wherever exposures become one."""

from clearway.store.ddl import run, standing

revision = "0097"
down_revision = "0096"
branch_labels = None
depends_on = None

# Of two days the one that somebody set (`how` 2) counts; of two such, or two others, the earlier: `(w.how = 2,
# e.detected) > (e.how = 2, w.detected)` says that w's day takes the place of e's.
UNITE = (
    (
        "Where one stands already, it has the earlier days of both",
        "Where one stands already, it has the earlier days of both, and that of detection which somebody set",
    ),
    (
        """set detected = least(x.detected, m.detected), first_seen = least(x.first_seen, m.first),
                how = case when m.detected < x.detected then m.how else x.how end, version = x.version + 1
""",
        """set first_seen = least(x.first_seen, m.first), version = x.version + 1,
                detected = case when (m.how = 2, x.detected) > (x.how = 2, m.detected) then m.detected
                    else x.detected end,
                how = case when (m.how = 2, x.detected) > (x.how = 2, m.detected) then m.how else x.how end
""",
    ),
    (
        """select g.t, e.flaw, e.via, min(e.detected) as detected, min(e.first_seen) as first,
                    (array_agg(e.how order by e.detected, e.how desc))[1] as how
""",
        """select g.t, e.flaw, e.via, min(e.first_seen) as first,
                    coalesce(min(e.detected) filter (where e.how = 2), min(e.detected)) as detected,
                    (array_agg(e.how order by (e.how = 2) desc, e.detected, e.how desc))[1] as how
""",
    ),
    (
        "and (m.detected < x.detected or m.first < x.first_seen)",
        "and ((m.how = 2, x.detected) > (x.how = 2, m.detected) or m.first < x.first_seen)",
    ),
)

# What is exposed in another version of a package, or as a scanner's word, goes on from the day that stood; `kept` says
# that somebody set it.
_STOOD = "min(o.detected) as detected"
_STOOD_SET = (
    "coalesce(min(o.detected) filter (where o.how = 2), min(o.detected)) as detected,\n"
    "                    bool_or(o.how = 2) as kept"
)
_SAME = """from stood s where{} s.flaw = an.flaw and (
                        (s.ecosystem = v.ecosystem and s.name = v.name)
                        or (s.ecosystem = ''reported'' and v.ecosystem <> ''reported''
                            and clearway.fleet_hangs(s.pv, an.pv))
                        or (s.ecosystem <> ''reported'' and v.ecosystem = ''reported''
                            and clearway.fleet_hangs(an.pv, s.pv))))"""
_REPORTED = f"""select min(s.detected) {_SAME.format("")}, ' || given || '
"""
_REPORTED_SET = f"""select coalesce(min(s.detected) filter (where s.kept), min(s.detected))
                    {_SAME.format("")}, ' || given || ',
                exists (select from stood o where o.kept) and exists (
                    select {_SAME.format(" s.kept and")}
"""  # noqa: S608 - of constants
MISSING = (
    ("was date, stated date)", "was date, stated date, kept boolean)", 1),
    ("null::date, ' || given || '\n", "null::date, ' || given || ', false\n", 1),
    ("s.detected, ' || given || '\n", "s.detected, ' || given || ', coalesce(s.kept, false)\n", 1),
    (_REPORTED, _REPORTED_SET, 1),
    (_STOOD, _STOOD_SET, 2),
)
_ARGUMENTS = "integer, text[], text[], date[]"


def _remade(name: str, *changes: tuple[str, str, int]) -> str:
    text = standing(name)
    for was, becomes, times in changes:
        assert text.count(was) == times, was
        text = text.replace(was, becomes)
    return text


def _missing(text: str) -> None:
    run(
        f"drop function clearway.fleet_missing({_ARGUMENTS})",
        text,
        f"revoke execute on function clearway.fleet_missing({_ARGUMENTS}) from public",
        f"grant execute on function clearway.fleet_missing({_ARGUMENTS}) to clearway_app",
    )


def upgrade() -> None:
    run(_remade("fleet_unite", *((was, becomes, 1) for was, becomes in UNITE)))
    _missing(_remade("fleet_missing", *MISSING))


def downgrade() -> None:
    run(_remade("fleet_unite", *((was, becomes, 1) for becomes, was in UNITE)))
    _missing(_remade("fleet_missing", *((was, becomes, n) for becomes, was, n in MISSING[::-1])))
