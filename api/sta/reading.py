"""Entities of a source as JSON, with all that is expanded: one request, over one state of the source."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from api.sta import links
from api.sta.children import Children, few_by_parent, many_by_parent
from api.sta.deadline import NARROW, Deadline
from api.sta.errors import NotFoundError, TooManyError
from api.sta.json_texts import Texts, numbers, quote
from api.sta.layout import Piece, Rows, member, objects, unknown
from api.sta.model import ENTITY_SETS, EntitySet, ToOne
from api.sta.options import Expansion, Options
from api.sta.selection import Selection, select
from api.sta.source import EntitySource, Scope
from api.sta.sql import parameter, separated, sql
from api.sta.statements import Statements
from api.sta.target import ALIAS, Target, child_scope

MOST_ROWS = 100_000
"""Entities read for one answer, expanded ones too."""
MOST_CHARACTERS = 32 << 20
"""Of one answer: an entity that is read once can be shown in many."""
_ANY = Scope()


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a collection. `rows` have the selection's columns; `place`: options that the next page has."""

    selection: Selection
    rows: Sequence[tuple[Any, ...]]
    count: int | None
    place: Sequence[tuple[str, str]] | None


class Reading:
    """Reads for one request. `base`: the service root's address, without a slash at its end."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        source: EntitySource,
        base: str,
        deadline: Deadline | None = None,
    ) -> None:
        self.statements = Statements(connection, source)
        self.base = base
        self._deadline = deadline
        self._left = MOST_ROWS

    def page(self, target: Target, options: Options) -> Page:
        """One page of a collection."""
        selection = select(self.statements, target.entity_set, options, target.scope)
        if self._deadline is not None and selection.reads_everything:
            self._deadline.reads_everything()
        from_ = self.statements.table(target.entity_set, selection.scope)
        rows = self.statements.rows(
            sql(
                "SELECT ", selection.columns(), " FROM ", from_, f" AS {ALIAS} WHERE ",
                selection.where(target.condition), " ORDER BY ", selection.order(), " LIMIT ",
                parameter(selection.top + 1), " OFFSET ", parameter(selection.skip),
            )
        )  # fmt: skip
        more = len(rows) > selection.top
        rows = rows[: selection.top]
        self._take(len(rows))
        count = None
        if options.count:
            last = not more and selection.behind is None and (rows or not selection.skip)
            count = selection.skip + len(rows) if last else self._count(target, selection)
        place = place_behind(selection, options, rows) if more and rows else None
        return Page(selection, rows, count, place)

    def objects(self, entity_set: EntitySet, options: Options, page: Page) -> Rows:
        """A page's rows as JSON objects, with what is expanded."""
        return self._objects(entity_set, options, page.selection, page.rows)

    def entity(self, target: Target, options: Options) -> str:
        """One entity as a JSON object; raises NotFoundError where it has gone."""
        own = replace(options, filter=None)  # a filter is for many
        texts = self._by_id(target.entity_set, [target.id or 0], own, target.scope)
        if not texts:
            raise NotFoundError(f"there is no {target.path}")
        return next(iter(texts.values()))

    def entities(self, entity_set: EntitySet, ids: Sequence[int], options: Options) -> dict[int, str]:
        """Entities with these ids as JSON objects, by id; those that there are."""
        return self._by_id(entity_set, ids, options)

    def _objects(
        self, entity_set: EntitySet, options: Options, selection: Selection, rows: Sequence[tuple[Any, ...]]
    ) -> Rows:
        expanded: list[Piece] = []
        for each in options.expand:
            expanded += self._expanded(entity_set, selection, rows, each)
        return objects(selection.shown, rows, self.base, expanded)

    def _expanded(
        self,
        entity_set: EntitySet,
        selection: Selection,
        rows: Sequence[tuple[Any, ...]],
        expansion: Expansion,
    ) -> list[Piece]:
        link = entity_set.links.get(expansion.link)
        if link is None:
            raise unknown(entity_set, expansion.link, "$expand")
        target, options = ENTITY_SETS[link.target], expansion.options
        if isinstance(link, ToOne):
            at = selection.shown.to_one[link.name]
            ids = [row[at] for row in rows]
            texts = self._by_id(target, [each for each in dict.fromkeys(ids) if each is not None], options)
            found_texts = [texts.get(each) for each in ids]
            self._bound(found_texts)
            return member(link.name, found_texts)
        parents = [row[0] for row in rows]
        inner = select(self.statements, target, options, child_scope(entity_set, link, parents))
        by_parent = many_by_parent if target.name == "Observations" else few_by_parent
        found = by_parent(self.statements, link, inner, parents, self._left, counted=bool(options.count))
        self._take(len(found.rows))
        made = self._objects(target, options, inner, found.rows)
        shown = {each: made.joined(*span) for each, span in found.spans.items()}
        lists = [shown.get(each, "") for each in parents]
        self._bound(lists)
        pieces: list[Piece] = []
        if options.count:
            pieces += [f',"{link.name}@iot.count":', numbers([found.counts.get(each, 0) for each in parents])]
        pieces += [f',"{link.name}":[', lists, "]"]
        path, query = f"{self.base}/{entity_set.name}", links.query_of(links.pairs_of(options))
        query = f"{query}&" if query else ""
        nexts: Texts = [
            None
            if (place := _place_of(options, inner, found, each)) is None
            else quote(f"{path}({each})/{link.name}?{query}{links.query_of(place)}")
            for each in parents
        ]
        return [*pieces, *member(f"{link.name}@iot.nextLink", nexts)]

    def _bound(self, texts: Sequence[str | None]) -> None:
        if sum(len(each) for each in texts if each is not None) > MOST_CHARACTERS:
            raise TooManyError(
                f"this is more than {MOST_CHARACTERS >> 20} MB in one answer", NARROW, option="$expand"
            )

    def _by_id(
        self, entity_set: EntitySet, ids: Sequence[int], options: Options, scope: Scope = _ANY
    ) -> dict[int, str]:
        """Entities with these ids as JSON objects."""
        options = replace(options, orderby=(), skip=0, top=None, skip_token=None)
        selection = select(self.statements, entity_set, options, replace(scope, ids=ids))
        from_ = self.statements.table(entity_set, replace(selection.scope, limit=None))
        wanted = separated(", ", [parameter(each) for each in ids])
        if len(ids) > 1:
            wanted = sql("SELECT value FROM json_each(", parameter(f"[{','.join(numbers(ids))}]"), ")")
        condition = sql(f"{ALIAS}.id IN (", wanted, ")")
        rows = self.statements.rows(
            sql(
                "SELECT ", separated(", ", selection.shown.columns), " FROM ", from_, f" AS {ALIAS} WHERE ",
                selection.where(condition),
            )
        )  # fmt: skip
        self._take(len(rows))
        made = self._objects(entity_set, options, selection, rows)
        return {row[0]: text for row, text in zip(rows, made, strict=True)}

    def _count(self, target: Target, selection: Selection) -> int:
        if selection.filter is None and target.entity_set.name == "Observations":
            known = self.statements.count(selection.everything)
            if known is not None:
                return known
        from_ = self.statements.table(target.entity_set, selection.everything)
        condition = selection.where(target.condition, page=False)
        counted = self.statements.rows(sql("SELECT count(*) FROM ", from_, f" AS {ALIAS} WHERE ", condition))
        return int(counted[0][0])

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise TooManyError(
                f"this is more than {MOST_ROWS} entities in one answer", NARROW, option="$expand"
            )


def _place_of(
    options: Options, selection: Selection, found: Children, parent: int
) -> Sequence[tuple[str, str]] | None:
    if parent not in found.more:
        return None
    start, end = found.spans[parent]
    return place_behind(selection, options, found.rows[start:end])


def place_behind(
    selection: Selection, options: Options, rows: Sequence[tuple[Any, ...]]
) -> Sequence[tuple[str, str]]:
    """Options that lead to what follows these rows."""
    token = selection.token(rows[-1])
    if token is not None:
        return [("$skiptoken", token)]
    before = [] if options.skip_token is None else [("$skiptoken", options.skip_token)]
    return [*before, ("$skip", str(options.skip + len(rows)))]
