"""An invented world: what CRM, shops, web, ERP and others would drop each day, with the truth.

Everything is a function of :class:`SampleOptions`. No person, number or address is real;
e-mails lie on reserved domains (RFC 2606), network addresses in reserved ranges.
"""

from goldenlake.sample.drops import arrived
from goldenlake.sample.generator import OnProgress, generate
from goldenlake.sample.options import SampleOptions, SampleSummary

__all__ = ["OnProgress", "SampleOptions", "SampleSummary", "arrived", "generate"]
