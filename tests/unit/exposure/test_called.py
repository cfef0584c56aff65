"""What a component is called: by its vendor too, where it has one."""

from __future__ import annotations

import pytest

from clearway.exposure.fleet.version import named


@pytest.mark.parametrize(
    ("vendor", "name", "called"),
    [
        pytest.param("Fortinet", "FortiOS", "Fortinet FortiOS", id="the vendor stands before the product"),
        pytest.param("", "openssl", "openssl", id="a package has none"),
        pytest.param("VMware", "vmware vCenter", "vmware vCenter", id="which is not said twice"),
        pytest.param("Citrix", "Citrixware", "Citrix Citrixware", id="but in a word of its own"),
    ],
)
def test_what_a_component_is_called(vendor: str, name: str, called: str) -> None:
    assert named(vendor, name) == called
