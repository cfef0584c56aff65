"""Properties of purls and of the names inside ecosystems."""

from __future__ import annotations

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from clearway.formats.distro import release_of
from clearway.formats.purl import Purl, canonical, identity, parse, to_text, with_epoch
from clearway.records.ecosystem import OSV_ECOSYSTEMS, base, normal_ecosystem, normal_name
from clearway.records.errors import InputError

words = st.text(min_size=1, max_size=12).filter(lambda s: s.isprintable() and "/" not in s and s.strip())
segments = words.filter(lambda s: s not in (".", ".."))
types = st.sampled_from(["npm", "generic", "deb", "golang", "maven", "rpm", "pypi", "x-y.z"])
keys = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_", min_size=1, max_size=8).filter(
    lambda s: not s[0].isdigit()
)
purls = st.builds(
    Purl,
    types,
    st.lists(segments, max_size=3).map("/".join),
    words,
    st.one_of(st.just(""), words),
    st.dictionaries(keys, words, max_size=3),
    st.lists(segments, max_size=3).map("/".join),
)


# What is no purl is filtered out, and how much of it comes first is luck.
lucky = settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])


@lucky
@given(purls)
def test_what_is_printed_reads_back_the_same(purl: Purl) -> None:
    assert parse(to_text(purl)) == purl


@lucky
@given(purls)
def test_packageurl_reads_what_we_print_as_we_meant_it(purl: Purl) -> None:
    try:
        ours = canonical(purl)
    except InputError:
        return
    theirs = PackageURL.from_string(to_text(ours))
    assume(
        ours.version == ours.version.strip()
    )  # it takes spaces away that are encoded, of which the standard says nothing
    assert (theirs.type, theirs.version or "", theirs.subpath or "") == (
        ours.type,
        ours.version,
        ours.subpath,
    )
    assert theirs.qualifiers == ours.qualifiers


@given(st.one_of(st.text(max_size=60), st.text("pkg:/@?#%&=.a1-", max_size=40).map(lambda s: f"pkg:{s}")))
def test_any_text_is_a_purl_or_refused(text: str) -> None:
    try:
        purl = parse(text)
    except InputError:
        return
    assert purl.name
    ecosystem, _, _ = identity(purl)
    assert ecosystem == normal_ecosystem(ecosystem)


@given(st.sampled_from(sorted(OSV_ECOSYSTEMS)), st.text(max_size=30))
def test_a_normal_name_is_its_own_normal_name(ecosystem: str, name: str) -> None:
    once = normal_name(ecosystem, name)
    assert normal_name(ecosystem, once) == once


@given(st.text(max_size=40))
def test_a_normal_ecosystem_keeps_its_base_and_is_normal(text: str) -> None:
    once = normal_ecosystem(text)
    assert normal_ecosystem(once) == once or text.endswith(":LTS:LTS")
    assert base(once) == base(text)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_any_distribution_text_gives_some_release_or_none(
    namespace: str, distro: str, document: str, version: str
) -> None:
    assert isinstance(release_of(namespace, distro, document, version), str)


@given(st.text(max_size=10), st.text("0123456789", max_size=3))
def test_an_epoch_is_never_doubled(version: str, epoch: str) -> None:
    once = with_epoch(version, epoch)
    assert with_epoch(once, epoch) == once
