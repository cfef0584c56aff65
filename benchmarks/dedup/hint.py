"""How well the text hint tells pairs of one flaw from pairs of two flaws of one package, beside its yardsticks.

Five folds by package: each pair is scored by weights that were fitted without its package. Two companies: `full` has
all records of the package, so that a description's true partner competes with a false one; `alone` leaves out all
that is known to be of either flaw, the case in which nobody else has described it. `rewritten` are pairs whose texts
share less than a fifth of their four-word runs: what copying alone does not find. As many negatives as positives there,
three times as many in `all`.
"""

from __future__ import annotations

import argparse
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearway.findings.dedup.hint.compare import FEATURES, Company, Described, features
from clearway.findings.dedup.hint.learnt import Learnt
from clearway.findings.dedup.hint.words import Terms

from .._measure import goal, shared_data
from .pairs import SEED, Pair, World, load

FOLDS = 5
RIDGE = 0.3
Rows = list[tuple[float, ...]]


def run() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rows and goals; goals are skipped where the shared data is absent."""
    data = shared_data()
    if data is None:
        skipped = [
            (f"{name}: {what}", limit) for name in _ROWS for what, limit in ((_AUC, 0.94), (_RECALL, 0.70))
        ]
        return [], [goal(text, limit, None, "", least=True) for text, limit in skipped]
    world = load(data / "osv")
    alone, full = numbers(world)
    truth = [p.same for p in world.pairs]
    fold = _folds(world.pairs)
    copied = [_copied(world, p) for p in world.pairs]
    fitted = []
    for k in range(FOLDS):
        others = [i for i, f in enumerate(fold) if f != k]
        fitted.append(fit([alone[i] for i in others], [truth[i] for i in others]))
    scores = {
        "mix, full company": [_mixed(fitted[f], x) for f, x in zip(fold, full, strict=True)],
        "mix, alone": [_mixed(fitted[f], x) for f, x in zip(fold, alone, strict=True)],
        "TF-IDF": [x[FEATURES.index("words")] for x in alone],
        "TF-IDF of the package": [x[FEATURES.index("local")] for x in alone],
        "versions": [x[FEATURES.index("fixed_part")] for x in alone],
    }
    rows = []
    for name, chosen in (("all", _all(world.pairs)), ("rewritten", _rewritten(truth, copied))):
        for method, said in scores.items():
            pairs = [(said[i], truth[i]) for i in chosen]
            auc, recall = measured(pairs)
            rows.append(
                {"row": f"hint, {name}: {method}", "pairs": len(pairs), "of_one_flaw": sum(t for _, t in pairs),
                 "auc": round(auc, 4), "recall_at_p95": round(recall, 4)}
            )  # fmt: skip
    best: dict[Any, dict[str, Any]] = {row["row"]: row for row in rows}
    goals = []
    for name in _ROWS:
        goals.append(goal(f"{name}: {_AUC}", 0.94, best[name]["auc"], "", least=True))
        goals.append(goal(f"{name}: {_RECALL}", 0.70, best[name]["recall_at_p95"], "", least=True))
    return rows, goals


_ROWS = ("hint, all: mix, alone", "hint, rewritten: mix, alone")
_AUC = "area under the curve"
_RECALL = "recall at precision 0.95"


def numbers(world: World) -> tuple[Rows, Rows]:
    """The numbers of each pair, alone and in full company."""
    learnt = Learnt()
    for record in world.records:
        learnt.add(Terms(record.told.text).terms)
    used = {n for p in world.pairs for n in (p.one, p.other)} | {
        n for ns in world.by_package.values() for n in ns
    }
    described = {n: Described(world.records[n].told, learnt) for n in used}
    company = {name: Company(described[n] for n in ns) for name, ns in world.by_package.items()}
    of_flaw: dict[int, list[Described]] = defaultdict(list)
    for n in used:
        of_flaw[world.flaw[n]].append(described[n])
    alone, full = [], []
    for p in world.pairs:
        a, b = described[p.one], described[p.other]
        partners = of_flaw[world.flaw[p.one]] + of_flaw[world.flaw[p.other]]
        alone.append(features(a, b, company.get(p.package), partners))
        full.append(features(a, b, company.get(p.package)))
    return alone, full


def fit(rows: Rows, truth: Sequence[bool], steps: int = 12) -> list[float]:
    """The weights of a logistic regression with a ridge, the bias last (Newton's method)."""
    size = len(rows[0]) + 1
    weights = [0.0] * size
    for _ in range(steps):
        slope = [RIDGE * w for w in weights]
        curve = [[RIDGE * (i == j) for j in range(size)] for i in range(size)]
        for row, same in zip(rows, truth, strict=True):
            x = (*row, 1.0)
            p = 1 / (
                1 + math.exp(-max(-30.0, min(30.0, sum(w * v for w, v in zip(weights, x, strict=True)))))
            )
            bent = p * (1 - p)
            for i, v in enumerate(x):
                slope[i] += (p - same) * v
                if v:
                    line, scaled = curve[i], bent * v
                    for j in range(i, size):
                        line[j] += scaled * x[j]
        for i in range(size):
            for j in range(i):
                curve[i][j] = curve[j][i]
        weights = [w - d for w, d in zip(weights, _solved(curve, slope), strict=True)]
    return weights


def measured(pairs: Sequence[tuple[float, bool]]) -> tuple[float, float]:
    """The area under the ROC curve, and the highest recall at a precision of 0.95 or more."""
    order = sorted(pairs, key=lambda p: p[0])
    positives = sum(t for _, t in pairs)
    rank_sum, i = 0.0, 0
    while i < len(order):
        j = i
        while j < len(order) and order[j][0] == order[i][0]:
            j += 1
        rank_sum += (i + j + 1) / 2 * sum(t for _, t in order[i:j])
        i = j
    auc = (rank_sum - positives * (positives + 1) / 2) / (positives * (len(pairs) - positives))
    best, found, seen = 0.0, 0, 0
    for n, (value, same) in enumerate(reversed(order)):
        found, seen = found + same, seen + 1
        last = n + 1 == len(order) or order[len(order) - n - 2][0] != value
        if last and found / seen >= 0.95:
            best = found / positives
    return auc, best


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    size = len(right)
    rows = [[*line, value] for line, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(size):
            if r != i and rows[r][i]:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def _mixed(weights: list[float], row: tuple[float, ...]) -> float:
    return sum(w * x for w, x in zip(weights, (*row, 1.0), strict=True))


def _folds(pairs: Sequence[Pair]) -> list[int]:
    """A fold for each pair, all of one package in one; the largest packages first, so that the folds are alike."""
    count: dict[str, int] = defaultdict(int)
    for p in pairs:
        count[p.package] += 1
    load_of = [0] * FOLDS
    chosen: dict[str, int] = {}
    for name, n in sorted(count.items(), key=lambda c: (-c[1], c[0])):
        chosen[name] = load_of.index(min(load_of))
        load_of[chosen[name]] += n
    return [chosen[p.package] for p in pairs]


def _copied(world: World, pair: Pair) -> float:
    a, b = (_runs(world.records[n].told.text) for n in (pair.one, pair.other))
    return len(a & b) / max(1, min(len(a), len(b)))


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return set(zip(words, words[1:], words[2:], words[3:], strict=False))


def _all(pairs: Sequence[Pair]) -> list[int]:
    return list(range(len(pairs)))


def _rewritten(truth: Sequence[bool], copied: Sequence[float]) -> list[int]:
    positives = [i for i, same in enumerate(truth) if same and copied[i] < 0.2]
    negatives = [i for i, same in enumerate(truth) if not same]
    return positives + random.Random(SEED).sample(  # noqa: S311
        negatives, min(len(positives), len(negatives))
    )


def main() -> None:
    """Prints the rows; with `--fit` the weights from all pairs, to be put into `hint/mix.py`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fit", metavar="OSV_FOLDER", type=Path)
    args = parser.parse_args()
    if args.fit is None:
        for row in run()[0]:
            print(row)
        return
    world = load(args.fit)
    alone, _ = numbers(world)
    *weights, bias = fit(alone, [p.same for p in world.pairs])
    print(f"BIAS = {bias:.4f}")
    for name, weight in zip(FEATURES, weights, strict=True):
        print(f"    {weight:.4f},  # {name}")


if __name__ == "__main__":
    main()
