"""One flaw, one case: which findings are the same, with the reasons, and every step reversible.

`keys` says what of a finding can be compared, `cascade` what two findings' keys suggest, `silence` what patches and
proofs prove of each other, `cluster` which findings are one then. `edge` keeps what was found, and what persons said;
`public` compares with what is public already. A `hint` merges nothing.
"""
