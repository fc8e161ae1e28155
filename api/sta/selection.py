"""What selects a page of entities: what is shown, which of them, in which order, from where on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from api.sta import seek
from api.sta.expression import Path
from api.sta.layout import ID, Layout, layout
from api.sta.model import EntitySet
from api.sta.options import Options
from api.sta.seek import Key
from api.sta.source import Scope
from api.sta.sql import Sql, separated, sql
from api.sta.statements import Statements
from api.sta.target import ALIAS

DEFAULT_TOP = 100
_MOST = 1_000
_MOST_OBSERVATIONS = 10_000
_ID = Key(Sql(f"{ALIAS}.id"), nullable=False)
_TIME = Key(Sql(f"{ALIAS}.phenomenon_begin"), nullable=False)


@dataclass(frozen=True, slots=True)
class Selection:
    """Entities to select. `filter` None: all of them; `behind`: keys of the row that the page follows.

    `scope`: which Observations the page needs; `everything`: which are counted.
    """

    shown: Layout
    keys: Sequence[Key]
    filter: Sql | None
    scope: Scope
    everything: Scope
    top: int
    skip: int
    behind: Sequence[Any] | None
    _columns: Sequence[Sql] = field(init=False)
    _keys_at: Sequence[int] = field(init=False)

    def __post_init__(self) -> None:
        """Put the columns together once, for any number of rows."""
        shown = self.shown.columns
        behind_them = (each.value for each in self.keys if each.value not in shown)
        object.__setattr__(self, "_columns", [*shown, *behind_them])
        object.__setattr__(self, "_keys_at", [self._columns.index(each.value) for each in self.keys])

    @property
    def entity_set(self) -> EntitySet:
        """What is selected."""
        return self.shown.entity_set

    @property
    def reads_everything(self) -> bool:
        """That all Observations are looked through for a page, whatever and whenever they are of."""
        if self.entity_set.name != "Observations" or (
            self.filter is None and self.keys[0].value == _ID.value
        ):
            return False
        return self.scope == Scope(id_above=self.scope.id_above, id_below=self.scope.id_below)

    def columns(self) -> Sql:
        """What to select: the layout's columns, then those of keys that are not among them."""
        return separated(", ", self._columns)

    def order(self) -> Sql:
        """What stands behind ORDER BY."""
        return seek.order(self.keys)

    def where(self, condition: Sql, *, page: bool = True) -> Sql:
        """What holds for the rows wanted; without what the page adds, for all that the page is of."""
        parts = [condition]
        if self.filter is not None:
            parts.append(sql("(", self.filter, ")"))
        if page and self.behind is not None:
            parts.append(seek.behind(self.keys, self.behind))
        return separated(" AND ", parts)

    def key_values(self, row: Sequence[Any]) -> Sequence[Any]:
        """The keys of a selected row."""
        return [row[at] for at in self._keys_at]

    def token(self, row: Sequence[Any]) -> str | None:
        """Token of the page that follows a row; None where it can have none."""
        return seek.token(self.key_values(row))


def select(statements: Statements, entity_set: EntitySet, options: Options, scope: Scope) -> Selection:
    """What the options select of a set, of which the Observations wanted are in the scope."""
    observations = entity_set.name == "Observations"
    condition = None
    if options.filter is not None:
        condition = statements.filter(options.filter, entity_set)
        if observations:
            scope = overlap(scope, statements.scope(options.filter, entity_set))
    top = DEFAULT_TOP if options.top is None else options.top
    top = min(top, _MOST_OBSERVATIONS if observations else _MOST)
    keys = _keys(statements, entity_set, options, one_datastream=len(scope.datastreams or ()) == 1)
    behind = None
    if options.skip_token is not None:
        behind = seek.values_of(options.skip_token, len(keys))
    everything = scope
    if observations:
        scope = _bounded(scope, keys, behind)
        if condition is None and _is_by_time(keys, statements):
            # one tells whether there are more; the last row of the page before, and the interval that ends
            # where that begins, may come again
            scope = replace(
                scope,
                limit=top + options.skip + (1 if behind is None else 3),
                newest_first=keys[0].descending,
                by_id=keys[0].value == _ID.value,
            )
    shown = layout(entity_set, options, statements.source, ALIAS)
    return Selection(shown, keys, condition, scope, everything, top, options.skip, behind)


def overlap(one: Scope, other: Scope) -> Scope:
    """Observations in both scopes; limits are left out."""

    def both(mine: Sequence[int] | None, theirs: Sequence[int] | None) -> Sequence[int] | None:
        if mine is None or theirs is None:
            return theirs if mine is None else mine
        known = set(theirs)
        return [each for each in mine if each in known]

    def tightest(choose: Callable[[list[int]], int], *bounds: int | None) -> int | None:
        known = [each for each in bounds if each is not None]
        return choose(known) if known else None

    return Scope(
        datastreams=both(one.datastreams, other.datastreams),
        begin_us=tightest(max, one.begin_us, other.begin_us),
        end_us=tightest(min, one.end_us, other.end_us),
        ids=both(one.ids, other.ids),
        features=both(one.features, other.features),
        id_above=tightest(max, one.id_above, other.id_above),
        id_below=tightest(min, one.id_below, other.id_below),
    )


def _keys(
    statements: Statements, entity_set: EntitySet, options: Options, *, one_datastream: bool
) -> Sequence[Key]:
    """Keys that tell any two rows apart: the id comes last."""
    keys: list[Key] = []
    for each in options.orderby:
        if isinstance(each.key, Path) and each.key.segments == (ID,):
            return [*keys, replace(_ID, descending=each.descending)]
        if entity_set.name == "Observations" and each.key == Path(("phenomenonTime",), each.key.at):
            keys.append(replace(_TIME, descending=each.descending))
        else:
            keys.append(Key(statements.key(each.key, entity_set), each.descending))
    if (
        not keys
        and one_datastream
        and statements.source.ids_follow_time
        and entity_set.name == "Observations"
    ):
        keys.append(_TIME)
    return [*keys, replace(_ID, descending=bool(keys) and keys[-1].descending)]


def _is_by_time(keys: Sequence[Key], statements: Statements) -> bool:
    if keys[0].value == _TIME.value:
        return len(keys) == 2 and keys[0].descending == keys[1].descending  # noqa: PLR2004 - the time and the id
    return keys[0].value == _ID.value and statements.source.ids_follow_time


def _bounded(scope: Scope, keys: Sequence[Key], behind: Sequence[Any] | None) -> Scope:
    """The scope without what was on the pages before."""
    if behind is None or not isinstance(behind[0], int):
        return scope
    first, descending = keys[0].value, keys[0].descending
    if first == _ID.value:
        return overlap(scope, Scope(id_below=behind[0]) if descending else Scope(id_above=behind[0]))
    if first == _TIME.value:
        return overlap(scope, Scope(end_us=behind[0]) if descending else Scope(begin_us=behind[0]))
    return scope
