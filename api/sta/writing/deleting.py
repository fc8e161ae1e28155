"""Deleted entities, and those that cannot be without them: OGC 18-088, section 10.4."""

from collections.abc import Collection

from api.sta.model import ENTITY_SETS, Between, EntitySet, ToMany
from api.sta.writing import placing
from api.sta.writing.work import Work, between


def remove(work: Work, entity_set: EntitySet, ids: Collection[int]) -> None:
    """Delete entities of one set."""
    if not ids:
        return
    if entity_set.name == "Observations":
        for id_ in ids:
            work.shrunk.add(int(work.value(entity_set, id_, "datastream_id") or 0))
    if entity_set.name == "Locations":
        past = work.paired(between("Locations", "HistoricalLocations"), ids)
        remove(work, ENTITY_SETS["HistoricalLocations"], past)
        placing.forget_features(work, locations=ids)
    if entity_set.name == "FeaturesOfInterest":
        placing.forget_features(work, features=ids)
    for link in entity_set.links.values():
        if isinstance(link, Between):
            work.unpair(link, ids)
        elif isinstance(link, ToMany):
            _remove_children(work, link, ids)
    work.delete(entity_set.table, "id", ids)


def _remove_children(work: Work, link: ToMany, ids: Collection[int]) -> None:
    target = ENTITY_SETS[link.target]
    if target.name != "Observations":
        remove(work, target, work.children(link, ids))
        return
    # there may be very many of them, and nothing depends on one
    if link.column != "datastream_id":
        work.shrunk |= set(work.children(link, ids, "datastream_id"))
    work.delete(target.table, link.column, ids)
