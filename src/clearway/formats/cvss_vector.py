"""The score that a CVSS vector means. https://www.first.org/cvss/

The `cvss` library is imported at the first vector, so only intake pays for it.
"""

from __future__ import annotations

from functools import lru_cache

_MAX_CHARS = 400  # every metric of CVSS 4.0 stated takes 225


# The 24,000 shared OSV records hold 780 distinct vectors: with the cache a record costs a microsecond.
@lru_cache(maxsize=16_384)
def score_of(vector: str) -> float | None:
    """0.0 to 10.0, or None for what is no complete vector of CVSS 2, 3.0, 3.1 or 4.0.

    Of CVSS 2 and 3 the base score. CVSS 4.0 has one score, of all the metrics that are stated ("CVSS-BT" with a
    threat metric): the rating that Bitnami prints beside its vectors is that of this score, not of the base alone.
    """
    if len(vector) > _MAX_CHARS:
        return None
    from cvss import CVSS2, CVSS3, CVSS4
    from cvss.exceptions import CVSSError

    kind = CVSS4 if vector.startswith("CVSS:4") else CVSS3 if vector.startswith("CVSS:3") else CVSS2
    try:
        return float(kind(vector).base_score)
    except (
        CVSSError,
        ArithmeticError,
        LookupError,
        ValueError,
    ):  # it means only the first; the text is hostile
        return None
