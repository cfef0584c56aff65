"""Whom calls to the outside and letters trust: the machine's authorities, read again when their file has changed."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from clearway.http import trusted

END = "-----END CERTIFICATE-----\n"


def test_they_are_read_once_until_their_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = Path(certifi.where()).read_text("utf-8").split(END)
    file = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    file.write_text(END.join([*some[:3], ""]))
    first = trusted.context()
    assert first.cert_store_stats()["x509_ca"] == 3
    assert trusted.context() is first
    file.write_text(END.join([*some[:2], ""]))
    assert trusted.context().cert_store_stats()["x509_ca"] == 2
    assert trusted.context().check_hostname


def test_where_the_machine_has_none_those_of_the_bundle_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    assert trusted.context().cert_store_stats()["x509_ca"] > 50


def test_those_of_a_named_file_are_trusted_alone(tmp_path: Path) -> None:
    some = Path(certifi.where()).read_text("utf-8").split(END)
    file = tmp_path / "own.pem"
    file.write_text(END.join([*some[:1], ""]))
    own = trusted.context(str(file))
    assert own.cert_store_stats()["x509_ca"] == 1
    assert trusted.context(str(file)) is own
    assert own.check_hostname
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        trusted.context(str(file))
