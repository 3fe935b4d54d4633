"""goldenlake: a batch lakehouse customer-data platform."""

__version__ = "0.1.0"
