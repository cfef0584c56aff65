"""The settings of the assistance: off without them, and mistakes are told where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from clearway.findings.assist import settings as setting
from clearway.records.errors import ConfigError

GOOD = 'url = "https://models.example.org/v1"\nmodel = "small-1"\n'


@pytest.fixture(autouse=True)
def _no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(setting.KEY_VARIABLE, raising=False)


def written(home: Path, text: str) -> Path:
    (home / setting.FILE).write_text(text)
    return home


def test_without_the_file_it_is_off(tmp_path: Path) -> None:
    assert setting.known(tmp_path) is None
    with pytest.raises(ConfigError, match="off"):
        setting.read(tmp_path)


def test_by_default_an_endpoint_is_outside_and_is_sent_nothing(tmp_path: Path) -> None:
    found = setting.read(written(tmp_path, GOOD))
    assert not found.inside
    assert [found.fields(tlp) for tlp in setting.TLP] == [()] * 5
    assert found.origin == "https://models.example.org"


def test_fields_are_those_of_that_marking_alone_in_one_order(tmp_path: Path) -> None:
    text = GOOD + '[send]\n"AMBER+STRICT" = ["description", "title"]\nRED = ["product"]\n'
    found = setting.read(written(tmp_path, text))
    assert found.fields("AMBER+STRICT") == ("title", "description")
    assert found.fields("RED") == ("product",)
    assert found.fields("AMBER") == found.fields("GREEN") == found.fields("CLEAR") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param('model = "m"\n', "url", id="no address"),
        pytest.param(
            'url = "http://models.example.org/v1"\nmodel = "m"\n', "https", id="outside without TLS"
        ),
        pytest.param('url = "ftp://x/v1"\nmodel = "m"\n', "ftp", id="another scheme"),
        pytest.param(
            'url = "https://u:p@x/v1"\nmodel = "m"\n', "user or password", id="a password in the address"
        ),
        pytest.param('url = "https://x/v1?key=1"\nmodel = "m"\n', "query", id="a query"),
        pytest.param('url = "https://x/v1"\nmodel = "a b"\n', "model", id="a model's name with a space"),
        pytest.param(GOOD + 'key = "sk-1"\n', "key", id="a key in the file itself"),
        pytest.param(GOOD + '[send]\nPURPLE = ["title"]\n', "send", id="no such marking"),
        pytest.param(GOOD + '[send]\nRED = ["finder"]\n', "send", id="no such field"),
        pytest.param(GOOD + "timeout_s = 0\n", "timeout_s", id="no time"),
        pytest.param(GOOD + 'allow = "everywhere"\n', "network", id="no network"),
        pytest.param(GOOD + 'place = "near"\n', "place", id="neither inside nor outside"),
        pytest.param("url = \n", "can't be used", id="no TOML"),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        setting.read(written(tmp_path, text))
    assert said in str(caught.value)
    assert "sk-1" not in str(caught.value)


def test_the_key_comes_from_the_environment_or_a_closed_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = setting.read(written(tmp_path, GOOD + 'key_file = "k"\n'))
    with pytest.raises(ConfigError, match="can't be read"):
        setting.key(tmp_path, found)
    file = tmp_path / "k"
    file.write_text("sk-file\n")
    file.chmod(0o644)
    with pytest.raises(ConfigError, match="by others") as caught:
        setting.key(tmp_path, found)
    assert "sk-file" not in str(caught.value)
    file.chmod(0o600)
    assert setting.key(tmp_path, found) == "sk-file"
    file.write_text("sk-file\nx-admin: yes\n")
    with pytest.raises(ConfigError, match="no key"):  # no header of its own
        setting.key(tmp_path, found)
    monkeypatch.setenv(setting.KEY_VARIABLE, "sk-environment")
    assert setting.key(tmp_path, found) == "sk-environment"
    assert "sk" not in repr(found)


def test_an_endpoint_that_needs_no_key_is_sent_none(tmp_path: Path) -> None:
    assert setting.key(tmp_path, setting.read(written(tmp_path, GOOD))) == ""
