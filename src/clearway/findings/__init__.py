"""The findings desk: from "a machine found something" to one verified case with a fix.

`kept` is the noun, a finding as it is kept; `artefact` its sealed files, `vault` what seals them, `desk_key` what
signs for the desk. The parts are `lease` (who looks at what), `intake` (reports in), `validate` (what is proven),
`dedup` (one flaw once) and `case` (to an advisory and a fix). Inside, imports run `case` > `dedup` > `validate` >
`intake` > the core.
"""
