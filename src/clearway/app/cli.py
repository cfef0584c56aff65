"""The `clearway` command."""
