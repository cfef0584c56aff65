"""PostgreSQL: the embedded server, connections, and migrations.

`server.lease(home)` yields the URL of a running database, `connect.connect(url)` opens a
connection to it, `connect.translated()` turns driver errors into `ClearwayError` children, and
`migrate.migrate(url)` brings its tables up to date. Import these modules where they are needed:
the driver costs 0.2 s to import, and commands that ask no database should not pay for it.
"""
