"""What spark-submit calls: ``jobs/run.py STEP --as-of DATE …``, the same as ``goldenlake STEP``."""

from goldenlake.cli import main

if __name__ == "__main__":
    main()
