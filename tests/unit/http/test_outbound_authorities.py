"""Whom calls to the outside trust: the machine's authorities, read again when their file has changed."""

from __future__ import annotations

from pathlib import Path

import certifi
import pytest

from clearway.http.outbound import _trusting

END = "-----END CERTIFICATE-----\n"


def test_they_are_read_once_until_their_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    some = Path(certifi.where()).read_text("utf-8").split(END)
    file = tmp_path / "authorities.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    file.write_text(END.join([*some[:3], ""]))
    first = _trusting()
    assert first.cert_store_stats()["x509_ca"] == 3
    assert _trusting() is first
    file.write_text(END.join([*some[:2], ""]))
    assert _trusting().cert_store_stats()["x509_ca"] == 2
    assert _trusting().check_hostname


def test_where_the_machine_has_none_those_of_the_bundle_are_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    assert _trusting().cert_store_stats()["x509_ca"] > 50
