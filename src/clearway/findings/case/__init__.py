"""Cases: one flaw, its parties, what was agreed, and the way to an advisory.

`states` has the three machines, after CERT/CC's Vultron: pure. `kept` is the case as it is kept, `party` who takes part
and how each stands, `talk` the embargo that is negotiated, `thread` what is said, `draft` what is to be published,
`release` the act that publishes it. `route` and `contacts` find whom to ask, `mail` runs a case with those who have no
account, `cve_id` asks a numbering authority, `rank` orders the triage queue.
"""
