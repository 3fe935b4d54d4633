"""Landed files to records as text: one module a format, one shape for all of them.

``contract`` says what is looked for and what a reader yields; ``distributed`` runs readers on
Spark's workers. No reader needs Spark.
"""
