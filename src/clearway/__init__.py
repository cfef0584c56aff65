"""Clearway: an open clearinghouse for software vulnerabilities found by machines."""

__version__ = "0.1.0"
