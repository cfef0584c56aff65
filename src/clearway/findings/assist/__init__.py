"""What a language model may draft at the desk: a summary, and which findings may be one flaw. Off by default.

A proposal is typed, bounded, kept for a while, and shown with the model's name as what nobody has checked. It changes
nothing by itself: a person takes a summary, with edits, as their own text, and merges findings by the same act as ever.
`settings` say which endpoint and which fields of which marking may go there; `outgoing` makes what is sent, `answer`
reads what comes back (both pure), `endpoint` is the call, `budget` how many, `kept` the proposals.
"""
