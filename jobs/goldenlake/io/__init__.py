"""The world outside the process: Spark, Delta tables, files, stores, locks."""
