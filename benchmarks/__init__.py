"""Measurements on larger data; see ``docs/guides/benchmarks.md``. Nothing here asserts a time."""
