"""Reports in: what a report must have, who takes how much, what is said in return, and what is told before it is sent.

submit    a document to findings, each with its receipt      gates     what a report must have; what is missing is named
receipt   what the reporter holds in hand, signed            shapes    the known shapes of false positives
public    "is this already public or fixed?"                 overlap   "do others hold it?", told after the proof fired
limit     how much a receiver takes                          record    how a reporter's findings have turned out
onward    a finding handed on, its provenance untouched      sweep     what was sent in test mode goes after a week
"""
