"""What the database has of a scope, and what it can't tell from it."""

from __future__ import annotations

import stat
from ipaddress import ip_network
from pathlib import Path

import pytest

from clearway.findings.lease.blind import FOLDER, KEY, BlindKey, CryptoPan
from clearway.findings.lease.scope import parse
from clearway.records.errors import ConfigError

# The key of the sample that its authors published with the scheme, and four of its addresses.
SAMPLE_KEY = bytes.fromhex(
    "1522178d33a4cf80130a5b1649907d10d8988f83797965276257 4c2d2a842202".replace(" ", "")
)
SAMPLES = {
    "128.11.68.132": "135.242.180.132",
    "129.118.74.4": "134.136.186.123",
    "130.132.252.244": "133.68.164.234",
    "141.223.7.43": "141.167.8.160",
}


@pytest.mark.parametrize(("plain", "hidden"), SAMPLES.items())
def test_addresses_are_hidden_as_the_authors_of_crypto_pan_do(plain: str, hidden: str) -> None:
    assert CryptoPan(SAMPLE_KEY, 4).network(ip_network(plain)) == ip_network(hidden)


def test_another_home_hides_the_same_scope_otherwise(tmp_path: Path) -> None:
    one, other = BlindKey.of_home(tmp_path / "a"), BlindKey.of_home(tmp_path / "b")
    for text in ("pkg:pypi/requests", "192.0.2.0/24", "www.example.org"):
        assert one.target(parse(text)) != other.target(parse(text))
        assert one.target(parse(text)) == BlindKey.of_home(tmp_path / "a").target(parse(text))


def test_nothing_of_a_name_is_in_what_is_kept(tmp_path: Path) -> None:
    hidden = BlindKey.of_home(tmp_path).target(parse("git+https://git.example.org/team/tool#src/net/**"))
    assert hidden.path is not None
    assert len(hidden.path) == 17 * 3
    assert not any(word in hidden.path for word in ("git", "example", "team", "tool", "src", "net"))


def test_the_same_folder_of_two_repositories_has_no_step_in_common(tmp_path: Path) -> None:
    key = BlindKey.of_home(tmp_path)
    a = key.path("repo", ("git.example.org/t/x", "src"))
    b = key.path("repo", ("git.example.org/t/y", "src"))
    assert not set(a.split("/")[:-1]) & set(b.split("/")[:-1])


def test_steps_that_join_to_the_same_text_are_told_apart(tmp_path: Path) -> None:
    key = BlindKey.of_home(tmp_path)
    assert key.path("pkg", ("a", "bc")) != key.path("pkg", ("ab", "c"))
    assert key.path("pkg", ("a",)) != key.path("repo", ("a",))


def test_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    BlindKey.of_home(tmp_path)
    path = tmp_path / FOLDER / KEY
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="read by others"):
        BlindKey.of_home(tmp_path)


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / FOLDER).mkdir()
    path = tmp_path / FOLDER / KEY
    path.write_bytes(b"short")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="no blinding key"):
        BlindKey.of_home(tmp_path)
