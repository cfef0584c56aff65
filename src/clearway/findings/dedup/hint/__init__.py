"""A hint for a person: how likely two descriptions are of one flaw. It merges nothing, and decides nothing.

`words` cuts a description into terms, `learnt` knows how rare each is, `compare` turns two descriptions into a few
numbers, and `mix` turns those into one score. Plain Python: no model is loaded, and no text is kept.
"""
