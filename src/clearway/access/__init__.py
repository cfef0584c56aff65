"""Organisations, people and their tokens; who may see what, and who may do what."""
