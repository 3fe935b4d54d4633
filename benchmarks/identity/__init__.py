"""Our matching beside Splink, on accuracy and on speed; see ``docs/guides/benchmarks.md``.

Every contender works in a process of its own, on files that are the same for all:

- ``people``, ``problems``: records, their truth, and what a contender may know of them;
- ``ours``, ``splink_settings``, ``splink_runs``: the contenders' processes, each with its ``train``
  and its ``resolve``; ``ours.RESOLVERS`` is where another way of ours is plugged in;
- ``contenders``, ``judging``: starts them, and holds their clusters against the truth.
"""
