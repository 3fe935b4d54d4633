"""Who belongs to which audience, and how that changed: all segments in one pass over the events."""

from goldenlake.transforms.segments.membership import memberships
from goldenlake.transforms.segments.movement import follow_merges, movements

__all__ = ["follow_merges", "memberships", "movements"]
