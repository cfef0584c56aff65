"""What is kept of directives in the database: keys, versions, addresses, acknowledgements, reports, triages.

Every function takes the caller's transaction first, hands back records, and writes an act's entry in the log in the
same transaction. What the caller may not see is not there: NotFoundError.
"""
