"""``python -m benchmarks.identity_sets [SET …]``: how right and how fast matching is.

One JSON line a set, all by one default configuration and without labels.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time

from benchmarks.identity_data import SETS, DataMissing, IdentitySet
from goldenlake.identity.matching.clustering import Decisions
from goldenlake.identity.matching.evaluation import evaluated, pair_recall
from goldenlake.identity.matching.resolution import blocked, resolve
from goldenlake.identity.matching.scoring import Scorer
from goldenlake.identity.matching.training import train

_KIB_A_MIB = 1024


def main() -> int:
    """Measure the sets that the arguments name; gives 1 where data are missing."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity_sets", description=__doc__)
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"{', '.join(SETS)}; all if none")
    given = parser.parse_args()
    unknown = [name for name in given.sets if name not in SETS]
    if unknown:
        parser.error(f"no such set: {', '.join(unknown)}")
    failed = 0
    for name in given.sets or SETS:
        try:
            print(json.dumps({"set": name} | measured(SETS[name]())), flush=True)
        except DataMissing as missing:
            print(f"{name}: {missing}", file=sys.stderr)
            failed = 1
    return failed


def measured(data: IdentitySet) -> dict[str, object]:
    """Train, then resolve all over again with the model read back from its JSON."""
    started = time.process_time()
    trained = train(data.records, data.matching, exclusive=data.exclusive)
    seconds = {"train": time.process_time() - started}
    model = type(trained.model).from_json(trained.model.to_json())

    started = time.process_time()
    scorer = Scorer.of(model, data.records)
    seconds["encode"] = time.process_time() - started
    started = time.process_time()
    decisions = Decisions(exclusive=data.exclusive)
    resolution = resolve(scorer, decisions)
    seconds["resolve"] = time.process_time() - started
    pairs = blocked(scorer, decisions)
    started = time.process_time()
    scorer.score(pairs.left, pairs.right)
    seconds["score"] = time.process_time() - started

    found = evaluated(resolution.clusters.cluster, data.person)
    return {
        "records": data.records.num_rows,
        "f1": round(found.f1, 5),
        "b3_f1": round(found.b3_f1, 5),
        "precision": round(found.precision, 5),
        "recall": round(found.recall, 5),
        "largest_cluster": found.largest,
        "blocking_recall": round(pair_recall(pairs.left, pairs.right, data.person), 5),
        "component_recall": round(pair_recall(resolution.left, resolution.right, data.person), 5),
        "pairs": len(pairs.left),
        "pairs_in_components": len(resolution.left),
        "passes": model.provenance.passes,
        "findings": [f"{each.name}: {each.subject}" for each in trained.findings],
        "cpu_seconds": {phase: round(spent, 2) for phase, spent in seconds.items()},
        "pairs_a_cpu_second": round(len(pairs.left) / max(seconds["score"], 1e-9)),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // _KIB_A_MIB,
    }


if __name__ == "__main__":
    sys.exit(main())
