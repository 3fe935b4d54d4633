"""Whose a record of a system is by now that was found by the id alone under which it was sent.

Somebody may have given it another key there, or merged it into another record. It leaves all the
same, for who was sent under the old key may have said no, and nobody else would take it out; but
not where it bears the key of somebody who stays by the ledger: it leaves with that one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from goldenlake.ports import Batch


def is_anothers(key: str, bears: Collection[str]) -> bool:
    """Whether keys are borne, and this one is none of them."""
    return bool(bears) and key.casefold() not in {each.casefold() for each in bears}


def staying(batch: Batch, bears: Mapping[str, Collection[str]]) -> set[str]:
    """Of the keys of a batch those whose record is by now that of somebody else who stays.

    ``bears`` says by key of the batch which keys are borne by what was found by its id.
    """
    others = {key: borne for key, borne in bears.items() if is_anothers(key, borne)}
    if not others:
        return set()
    stay = batch.who_stays({each for borne in others.values() for each in borne})
    return {key for key, borne in others.items() if not stay.isdisjoint(borne)}
