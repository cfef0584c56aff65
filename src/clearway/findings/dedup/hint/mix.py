"""The numbers of `compare` as one score: a logistic mix. Pure.

The weights were fitted by `benchmarks/dedup/hint.py --fit` on pairs of public records from ten databases (PyPA, PSF,
GitHub, Go, Bitnami, RustSec, EEF, Haskell, Drupal, CRAN; alias gives the truth); how well they do on packages that they
were not fitted on is what `clearway bench dedup` prints.
"""

from __future__ import annotations

import math
from collections.abc import Collection

from .compare import Company, Described, features

VERSION = "clearway/hint/v1"
BIAS = -2.4328
# In the order of `compare.FEATURES`.
WEIGHTS: tuple[float, ...] = (
    1.2640,  # words
    0.0084,  # contained
    0.4632,  # rare
    0.4301,  # names
    -1.8820,  # names_met
    -0.0600,  # names_lacking
    -0.4244,  # said_versions
    -0.5635,  # fixed_same
    2.1708,  # fixed_part
    -1.9506,  # fixed_none
    0.7786,  # introduced
    1.2101,  # class_same
    -1.4311,  # class_other
    2.4225,  # near_in_time
    -1.6059,  # far_in_time
    6.2233,  # local
    5.8162,  # margin
    2.9030,  # short
)  # fmt: skip


def score(
    a: Described, b: Described, company: Company | None = None, without: Collection[Described] = ()
) -> float:
    """How likely both describe one flaw, 0 to 1, the same whichever comes first. It is a hint: it merges nothing."""
    return mixed(features(a, b, company, without))


def mixed(numbers: tuple[float, ...]) -> float:
    """The score of the numbers of `compare.FEATURES`."""
    total = BIAS + sum(w * x for w, x in zip(WEIGHTS, numbers, strict=True))
    return 1.0 / (1.0 + math.exp(-max(-40.0, min(40.0, total))))
