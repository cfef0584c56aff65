"""Runs hostile programs apart: no network, nothing of the host, bounded in everything."""

from .choose import backend
from .run import Backend, Bind, Enforcement, Limits, Outcome, Run

__all__ = ["Backend", "Bind", "Enforcement", "Limits", "Outcome", "Run", "backend"]
