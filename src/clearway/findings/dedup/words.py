"""How verdicts and their bases are said on pages."""

from __future__ import annotations

VERDICTS = {
    "same": "one flaw",
    "different": "two flaws",
    "contains": "one holds the other",
    "likely": "to be looked at",
    "regression": "it came back",
}
BASES = {
    "person": "said by the desk",
    "cross-run": "shown by running both fixes",
    "input": "same input",
    "stack": "same stack",
    "crash": "same crash state",
    "context": "same place in the code",
    "place": "same file and class",
    "text": "alike in words",
}
KNOWN = {"is": "is", "returns": "is the return of", "likely": "may be"}
COLOURS = {"same": "good", "likely": "soon", "regression": "overdue", "contains": "soon"}
