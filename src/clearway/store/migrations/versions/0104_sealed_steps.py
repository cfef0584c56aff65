"""The steps of taking an inventory hand each other what was proved, under a seal, in place of proving it again."""

from clearway.store.ddl import changed, run

revision = "0104"
down_revision = "0103"
branch_labels = None
depends_on = None

# Numbers that rise step by step take PostgreSQL's own compression some milliseconds; `raw` is compressed already.
STORAGE = """
alter table clearway.inventory alter column raw set storage {0}, alter column added set storage {0},
    alter column removed set storage {0}, alter column appeared_as set storage {0},
    alter column ended_as set storage {0};
"""
# HMAC-SHA-256 (RFC 2104) by the installation's key: its questions begin with a person's number, so none is a seal.
SEALS = """
-- The seal of versions that the owner has looked up for somebody who showed the digest of each.
create function clearway.fleet_sealed(pvs int[]) returns bytea language sql stable
    security definer set search_path = clearway, pg_temp as $$
    select sha256(k.opad || sha256(k.ipad || 'fleet versions'::bytea || array_send(pvs))) from question_key k $$;
-- What the seal of an asset's missing exposures holds for: this transaction, until the asset's next inventory.
create function clearway.fleet_bound(which int) returns bytea language sql volatile
    security definer set search_path = clearway, pg_temp as $$
    select 'fleet exposures'::bytea || int4send(which) || xid8send(pg_current_xact_id())
        || int8send(coalesce((select max(i.inventory) from inventory i where i.asset = which), 0)) $$;
revoke execute on function clearway.fleet_sealed(int[]), clearway.fleet_bound(int) from public;
"""
NO_SEALS = "drop function clearway.fleet_sealed(int[]), clearway.fleet_bound(int)"

TAKE_OF = "integer, bytea[], text, text, text, text, bytea, bytea, integer, text[], boolean, text[], boolean, integer[]"
TAKE = (
    (
        "known integer[] DEFAULT NULL::integer[], OUT",
        "known integer[] DEFAULT NULL::integer[], seal bytea DEFAULT NULL::bytea, OUT",
    ),
    ("OUT removed integer[])", "OUT removed integer[], OUT of_org integer, OUT of_aud integer)"),
    # An asset that holds nothing yet has nothing to be gone, or seen again.
    (
        "    kept int;\nbegin\n",
        "    kept int;\n    holds boolean := exists (select from held h where h.asset = which);\nbegin\n"
        "    of_org := a.org;\n    of_aud := a.aud;\n",
    ),
    (
        "    if known is null then\n",
        "    if seal = fleet_sealed(known) then\n        pvs := known;\n        digests := null;\n"
        "    elsif known is null then\n",
    ),
    ("    if whole then\n", "    if whole and holds then\n"),
    (
        "    execute 'update clearway.held h set seen = seen | $3 "
        "where asset = $1 and seen & $3 = 0 and pv = any($2)'\n"
        "        using which, pvs, kept;\n",
        "    if holds then\n"
        "        execute 'update clearway.held h set seen = seen | $3 where asset = $1 and seen & $3 = 0\n"
        "            and pv = any($2)' using which, pvs, kept;\n"
        "    end if;\n",
    ),
)

MISSING_OF = "integer, text[], text[], date[]"
_FACTS = ("year", "kev", "kev_due", "automatable", "impact", "ssvc_dated", "was", "stated", "kept")
_OF_EACH = ", ".join(f"m.{fact}" for fact in _FACTS)
# A thousand exposures have some fifty times the same facts: a row for each, with the exposures that have them.
_HEAD = "    return query execute '\n"
_ALIKE = f"""{_HEAD}            select g.pvs, g.flaws, g.verdicts, sha256($4 || sha256($3
                    || array_send(g.pvs) || array_send(g.flaws) || array_send(g.verdicts))),
                {_OF_EACH.replace("m.", "g.")}
            from (select array_agg(m.pv) as pvs, array_agg(m.flaw) as flaws, array_agg(m.verdict) as verdicts,
                {_OF_EACH} from (
"""  # noqa: S608 - of constants
_END = ") as m (pv, flaw, verdict, " + ", ".join(_FACTS) + f") group by {_OF_EACH}) g'"
MISSING = (
    (
        "TABLE(pv integer, flaw integer, verdict smallint, ",
        "TABLE(pvs integer[], flaws integer[], verdicts smallint[], seal bytea, ",
        1,
    ),
    (
        "declare\n",
        "declare\n    k question_key := (select q from question_key q);\n"
        "    inside bytea := k.ipad || fleet_bound(which);\n",
        1,
    ),
    (_HEAD, _ALIKE, 3),
    ("' using which, told;", f"{_END} using which, told, inside, k.opad;", 2),
    ("'\n            using which, told;", f"{_END}\n            using which, told, inside, k.opad;", 1),
)

EXPOSE_WAS = "integer, bigint, integer[], integer[], smallint[], date[], smallint[], date[], integer[]"
EXPOSE_IS = f"{EXPOSE_WAS}, integer[], bytea[]"
EXPOSE = (
    ("clocks integer[], OUT", "clocks integer[], sizes integer[], seals bytea[], OUT"),
    (
        "begin\n",
        """    inside bytea := fleet_bound(which);
begin
    -- What is missing, and that it is, `fleet_missing` has sealed.
    if cardinality(pvs) <> coalesce((select sum(s) from unnest(sizes) s), 0)
        or exists (select from unnest(sizes) s where (s > 0) is not true) or exists (
            select from (
                select g.seal, sum(g.size) over (order by g.nth) as upto, g.size
                from unnest(sizes, seals) with ordinality as g(size, seal, nth)) x, question_key k
            where x.seal is distinct from sha256(k.opad || sha256(k.ipad || inside
                || array_send(pvs[x.upto - x.size + 1:x.upto]) || array_send(flaws[x.upto - x.size + 1:x.upto])
                || array_send(verdicts[x.upto - x.size + 1:x.upto])))) then
        raise 'these are not the exposures that the asset lacks' using errcode = 'CW409';
    end if;
""",
    ),
    (
        """ as g(pv, flaw, verdict, detected, how, due, clock)
        join clearway.held h on h.asset = $1 and h.pv = g.pv
        join clearway.answer an on an.pv = g.pv and an.flaw = g.flaw and an.verdict = g.verdict
""",
        " as g(pv, flaw, verdict, detected, how, due, clock)\n",
    ),
    ("    execute 'with over as (\n", "    went := '{}';\n    if stood then\n    execute 'with over as (\n"),
    ("    ended := cardinality(went);\n", "    end if;\n    ended := cardinality(went);\n"),
)


def _remade(name: str, was: str, becomes: str, *changes: tuple[str, str, int]) -> None:
    text = changed(name, *changes)
    run(
        f"drop function clearway.{name}({was})",
        text,
        f"revoke execute on function clearway.{name}({becomes}) from public",
        f"grant execute on function clearway.{name}({becomes}) to clearway_app",
    )


def upgrade() -> None:
    run(STORAGE.format("external"), SEALS)
    _remade("fleet_take", TAKE_OF, f"{TAKE_OF}, bytea", *((was, is_, 1) for was, is_ in TAKE))
    _remade("fleet_missing", MISSING_OF, MISSING_OF, *MISSING)
    _remade("fleet_expose", EXPOSE_WAS, EXPOSE_IS, *((was, is_, 1) for was, is_ in EXPOSE))


def downgrade() -> None:
    _remade("fleet_expose", EXPOSE_IS, EXPOSE_WAS, *((was, is_, 1) for is_, was in EXPOSE[::-1]))
    _remade("fleet_missing", MISSING_OF, MISSING_OF, *((was, is_, n) for is_, was, n in MISSING[::-1]))
    _remade("fleet_take", f"{TAKE_OF}, bytea", TAKE_OF, *((was, is_, 1) for is_, was in TAKE[::-1]))
    run(NO_SEALS, STORAGE.format("extended"))
