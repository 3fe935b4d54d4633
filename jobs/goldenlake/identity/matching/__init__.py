"""Probabilistic matching without Spark: arrays of records in, match weights and clusters out."""
