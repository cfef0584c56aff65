"""Scan leases: who looks at what, so that scans do not collide and owners can say no.

`scope` reads what is to be looked at, `blind` hides it under the home's key before it is looked up, `rule` says which
activities get in each other's way, `ask` is the question and its answer, `hold` the lease that is renewed and given
back, `whose` answers "is this scan yours?", `control` keeps who has shown that a name or network is theirs (`proof`
looks, `txt` asks the DNS). What each participant can and can't learn: docs/explain/leases.md.
"""
