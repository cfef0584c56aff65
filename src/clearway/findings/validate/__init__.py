"""Validation: what a reproducer shows, in levels E0 to E6, each a statement that a third party can re-run.

recipe     what is built, what is run on it, and what counts as firing
drive      our harness: runs a proof that is data, inside the box
crash      a sanitizer's report to one crash state
oracle     from outcomes to "fires", "silent" or neither
level      the ladder: which level follows from which observations
check      what a recipe may not say               files, wheel, build, tools   targets, built without a network
program    how C is compiled, as a script          debian                       source packages, unpacked and not run
trial      one proof on one build                  judge                        all levels of one proof and one patch
variants   E4: what still fires, a second build    mutate, fuzz                 by mutation, and by libFuzzer
statement  signed, one a level                     validation, at_desk          what the desk asked for, and keeps
"""
