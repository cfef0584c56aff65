"""A witness's line is kept by the owner alone, once it was checked; an audience of the desk alone is TLP:RED."""

from alembic import op

from clearway.store.ddl import before, run

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

# What is left here of clauses that hold opens for the desk or a few, or else for everybody who is signed in.
_GREEN = "        when 1 = any(a.clauses) then 'TLP:GREEN'\n"
_RIGHTLY = """        when exists (select from clause c where c.clause = any(a.clauses) and not c.embargo
            and not exists (select from grp g where g.grp = any(c.grps) and g.kind = 'community')) then 'TLP:RED'
        when exists (select from clause c where c.clause = any(a.clauses) and not c.embargo) then 'TLP:GREEN'
"""
# The database can't check a signature. Who calls this has; so what it kept of that witness before, which may be false,
# makes room.
_NOTHING = "on conflict (size, name, key_id) do nothing;"
_REPLACE = "on conflict (size, name, key_id) do update set line = excluded.line, at = excluded.at;"
_SIGNATURE = "clearway.log_cosign(bigint, text, bytea, text, timestamptz)"


def upgrade() -> None:
    run(_changed("log_cosign", _NOTHING, _REPLACE), _changed("audience_label", _GREEN, _RIGHTLY))
    op.execute(f"revoke execute on function {_SIGNATURE} from clearway_app")


def downgrade() -> None:
    run(before("0012_lowering", "log_cosign"), before("0012_lowering", "audience_label"))
    op.execute(f"grant execute on function {_SIGNATURE} to clearway_app")


def _changed(name: str, old: str, new: str) -> str:
    text = before("0012_lowering", name)
    assert text.count(old) == 1
    return text.replace(old, new)
