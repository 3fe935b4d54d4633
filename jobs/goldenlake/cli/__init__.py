"""The command line: the only place that joins declarations, steps and adapters."""

from goldenlake.cli.app import main

__all__ = ["main"]
