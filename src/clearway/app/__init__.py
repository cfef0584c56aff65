"""Assembles the rooms: the command line, settings and the server. Knows everyone; nobody knows it."""
