"""Public data about flaws: intake, alias groups, and the compiled table that answers without a database.

`intake` keeps every source's record byte for byte in PostgreSQL; `groups` derives which ids
mean one flaw; `claims` turns a record into version intervals; `compile` writes them to one
read-only file and `table` reads it. Only `intake`, `compile` and `store` need the database.
"""
