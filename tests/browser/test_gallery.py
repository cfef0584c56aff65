"""Every component in a real browser: both themes, both widths, with and without script."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from harness import PHONE, WIDE, Screen

from live_server import Live

Screens = Callable[..., Screen]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_every_component_passes_axe_and_fits_its_width(
    screens: Screens, gallery: Live, width: int, theme: Any
) -> None:
    screen = screens(gallery.url, width=width, theme=theme)
    screen.open("/gallery?marked=1&wrong=1&tier=3D&tier!=60D")
    screen.shot("gallery")
    screen.fits()
    screen.axe()
