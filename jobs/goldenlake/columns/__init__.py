"""The business vocabulary: pure functions from columns to columns."""
