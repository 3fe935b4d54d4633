"""Frozen models of everything under ``conf/``, and their loader; no Spark."""
