"""Runs hostile programs apart: no network, nothing of the host, bounded in everything."""
