"""What was said to be fixed, had gone, and is seen again is open, as what was still there when somebody looked."""

from clearway.store.ddl import run, standing

revision = "0095"
down_revision = "0094"
branch_labels = None
depends_on = None

# The exposure of what had gone stands again only after this, and would have found the word that it was fixed.
TAKE = (
    """        update decision d set ended = fleet_now(), ended_why = 'still seen by ' || fleet_take.witness
        from exposure e where e.asset = which and e.gone is null and e.status = 2 and e.pv = any(pvs)
            and d.decision = e.decision returning e.exposure)
    update exposure e set status = 0, decision = null, until = null, version = e.version + 1
    from again where e.exposure = again.exposure;
""",
    """        update decision d set ended = fleet_now(), ended_why = 'still seen by ' || fleet_take.witness
        where d.asset = which and d.ended is null and d.status = 2 and (d.pv = any(pvs) or exists (
            select from exposure e where e.asset = which and e.gone is null and e.status = 2 and e.pv = any(pvs)
                and e.decision = d.decision))
        returning d.decision)
    update exposure e set status = 0, decision = null, until = null, version = e.version + 1
    from again where e.asset = which and e.gone is null and e.decision = again.decision;
""",
)
UNITE = (
    """            update decision d set ended = fleet_now(), ended_why = 'still seen by ' || i.witness
            from exposure e, inventory i where e.asset = which and e.gone is null and e.status = 2
                and e.pv = any(places) and d.decision = e.decision
                and i.inventory = fleet_unite.document and i.asset = which
            returning e.exposure)
        update exposure e set status = 0, decision = null, until = null, version = e.version + 1
        from again where e.exposure = again.exposure;
""",
    """            update decision d set ended = fleet_now(), ended_why = 'still seen by ' || i.witness
            from inventory i where i.inventory = fleet_unite.document and i.asset = which
                and d.asset = which and d.ended is null and d.status = 2 and (d.pv = any(places) or exists (
                    select from exposure e where e.asset = which and e.gone is null and e.status = 2
                        and e.pv = any(places) and e.decision = d.decision))
            returning d.decision)
        update exposure e set status = 0, decision = null, until = null, version = e.version + 1
        from again where e.asset = which and e.gone is null and e.decision = again.decision;
""",
)


def _changed(name: str, before: str, after: str) -> str:
    text = standing(name)
    assert text.count(before) == 1, name
    return text.replace(before, after)


def upgrade() -> None:
    run(_changed("fleet_take", *TAKE), _changed("fleet_unite", *UNITE))


def downgrade() -> None:
    run(_changed("fleet_take", *TAKE[::-1]), _changed("fleet_unite", *UNITE[::-1]))
