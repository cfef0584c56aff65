"""Two descriptions as a few numbers between 0 and 1, each with a meaning a person can check. Pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from datetime import date

from msgspec import Struct

from .learnt import Learnt
from .words import Terms

FEATURES = (
    "words", "contained", "rare", "names", "names_met", "names_lacking", "said_versions", "fixed_same", "fixed_part",
    "fixed_none", "introduced", "class_same", "class_other", "near_in_time", "far_in_time", "local", "margin",
    "short",
)  # fmt: skip


class Told(Struct, frozen=True):
    """What one record or report says of one flaw, as far as a hint looks at it."""

    text: str  # title and description
    fixed: frozenset[str] = frozenset()
    introduced: frozenset[str] = frozenset()
    dated: date | None = None
    source: str = ""  # which database says it


class Described:
    """A description, cut up and weighed once, to be compared with many."""

    __slots__ = ("contained_weight", "norm", "terms", "told", "weights")

    def __init__(self, told: Told, learnt: Learnt) -> None:
        self.told = told
        self.terms = Terms(told.text)
        self.weights = {t: (1 + math.log(n)) * learnt.idf(t) for t, n in self.terms.terms.items()}
        self.norm = math.sqrt(sum(w * w for w in self.weights.values()))
        self.contained_weight = sum(self.weights.values())


class Company:
    """The descriptions of one package: what is common among them tells nothing."""

    def __init__(self, described: Iterable[Described]) -> None:
        self.all = list(described)
        counts: dict[str, int] = {}
        for one in self.all:
            for term in one.weights:
                counts[term] = counts.get(term, 0) + 1
        most = len(self.all)
        self._idf = {t: math.log((1 + most) / (0.5 + n)) for t, n in counts.items()}
        self._unseen = math.log((1 + most) / 0.5)
        self._norms: dict[int, float] = {}
        self._best: dict[tuple[int, int], float] = {}

    def cosine(self, a: Described, b: Described) -> float:
        """The cosine of both under this package's own weights; 0 to 1."""
        less, more = (a, b) if len(a.weights) <= len(b.weights) else (b, a)
        dot = 0.0
        for term, weight in less.weights.items():
            other = more.weights.get(term)
            if other is not None:
                local = self._idf.get(term, self._unseen)
                dot += weight * other * local * local
        norms = self._norm(a) * self._norm(b)
        return min(1.0, dot / norms) if norms else 0.0

    def rival(self, a: Described, b: Described, without: Collection[Described] = ()) -> float:
        """The best cosine of `a` with another description of the package by the source of `b`, but for `without`."""
        best = 0.0
        for other in self.all:
            if other is a or other is b or other in without:
                continue
            if other.told.source == b.told.source:
                key = (id(a), id(other))
                if key not in self._best:
                    self._best[key] = self._best[(id(other), id(a))] = self.cosine(a, other)
                best = max(best, self._best[key])
        return best

    def _norm(self, one: Described) -> float:
        found = self._norms.get(id(one))
        if found is None:
            found = math.sqrt(sum((w * self._idf.get(t, self._unseen)) ** 2 for t, w in one.weights.items()))
            self._norms[id(one)] = found
        return found


def features(
    a: Described, b: Described, company: Company | None = None, without: Collection[Described] = ()
) -> tuple[float, ...]:
    """The numbers of `FEATURES` for two descriptions, the same whichever comes first.

    `company` are the descriptions of the package; `without` are of it and not to be looked at, such as what is known to
    be of the same flaw.
    """
    less, more = (a, b) if len(a.weights) <= len(b.weights) else (b, a)
    shared = [(t, w) for t, w in less.weights.items() if t in more.weights]
    dot = sum(w * more.weights[t] for t, w in shared)
    words = dot / (a.norm * b.norm) if a.norm and b.norm else 0.0
    lightest = min(a.contained_weight, b.contained_weight)
    contained = sum(min(w, more.weights[t]) for t, w in shared) / lightest if lightest else 0.0
    rare = max((w for _, w in shared), default=0.0) / 12.0
    one, other = a.terms.names, b.terms.names
    names_met = len(one & other)
    names = names_met / min(len(one), len(other)) if one and other else 0.0
    fixed, known = a.told.fixed & b.told.fixed, bool(a.told.fixed and b.told.fixed)
    local = company.cosine(a, b) if company is not None else words
    margin = (
        local - max(company.rival(a, b, without), company.rival(b, a, without))
        if company is not None
        else 0.0
    )
    margin = max(-1.0, margin)
    days = abs((a.told.dated - b.told.dated).days) if a.told.dated and b.told.dated else None
    return (
        words,
        min(1.0, contained),
        min(1.0, rare),
        names,
        min(1.0, names_met / 4),
        float(bool(one and other) and not names_met),
        _jaccard(a.terms.versions, b.terms.versions),
        float(known and a.told.fixed == b.told.fixed),
        len(fixed) / len(a.told.fixed | b.told.fixed) if known else 0.0,
        float(known and not fixed),
        _jaccard(a.told.introduced, b.told.introduced),
        _jaccard(a.terms.classes, b.terms.classes),
        float(bool(a.terms.classes and b.terms.classes) and not a.terms.classes & b.terms.classes),
        math.exp(-days / 30) if days is not None else 0.0,
        min(1.0, math.log1p(days) / 8) if days is not None else 0.5,
        local,
        margin,
        1.0 / (1 + len(less.weights) / 10),
    )


def _jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b) if a and b else 0.0
