"""Real SBOMs of the same images by four tools: one asset, four witnesses."""

from __future__ import annotations

import tarfile
from collections import defaultdict

import zstandard

from clearway.formats.observed import read_observed
from clearway.records.asset_identity import same_asset
from clearway.records.fleet_input import Observed
from shared import shared


def test_four_tools_that_saw_one_image_are_witnesses_of_one_asset() -> None:
    path = shared("sbom/spdx-same-image-four-tools.tar.zst")
    by_image: dict[str, list[Observed]] = defaultdict(list)
    with (
        path.open("rb") as f,
        tarfile.open(fileobj=zstandard.ZstdDecompressor().stream_reader(f), mode="r|") as tar,
    ):
        for member in tar:
            body = tar.extractfile(member)
            if body is not None and member.name.endswith(".json"):
                by_image[member.name.rpartition("-")[2]].extend(read_observed(body.read(), member.name))
    assert len(by_image) == 4
    for documents in by_image.values():
        assert len({o.witness.tool for o in documents}) == len(documents) >= 3
        for other in documents[1:]:
            assert same_asset(documents[0], other), (documents[0].witness, other.witness)
    first, second, *_ = by_image.values()
    assert not same_asset(first[0], second[0])
