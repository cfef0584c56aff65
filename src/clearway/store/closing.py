"""Nobody but the owner makes temporary or large objects: both outlive the transaction that acts for somebody.

A database that somebody else owns, and functions of a server that somebody else runs, are theirs to close: the
application drops temporary objects where each transaction begins, and `clearway doctor` says what is left open.
"""

from __future__ import annotations

# For the step that does it, and for a restore: a dump has no privileges of the database itself, nor of what is not ours
# in it. Every name is given whole, so that it holds under any search path.
CLOSE = """
do $$
begin
    if exists (select from pg_catalog.pg_database
            where datname = current_database() and pg_has_role(datdba, 'usage')) then
        execute format('grant temporary on database %I to %I', current_database(), current_user);
        execute format('revoke temporary on database %I from public', current_database());
    end if;
    if (select rolsuper from pg_catalog.pg_roles where rolname = current_user) then
        revoke execute on function pg_catalog.lo_creat(integer), pg_catalog.lo_create(oid),
            pg_catalog.lo_from_bytea(oid, bytea) from public;
    end if;
end $$;
"""
