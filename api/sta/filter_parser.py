"""$filter and $orderby to expressions: the grammar of OData 4 as far as SensorThings 1.1 takes it.

Precedence, tightest first: `-` | mul div mod | add sub | gt ge lt le in | eq ne | not | and | or. So
`not result lt 1` is not(result lt 1), as servers of the standard read it. Operators, functions, null, true and
false may be written in any case. `$it/result` is `result`. OGC 18-088, section 9.3.3.5.
"""

import difflib
from collections.abc import Mapping
from types import MappingProxyType

from api.sta.errors import BadRequestError
from api.sta.expression import Binary, Call, Expression, In, Negative, Not, Path
from api.sta.filter_lexer import Token, TokenKind, tokenize
from api.sta.model import ENTITY_SETS
from api.sta.options import Order

MAX_LENGTH = 8192
"""Characters of an option's text."""
MAX_NESTING = 50
"""Parentheses, calls, not and - within one another; brackets of $expand."""
MAX_HEIGHT = 100
"""Levels of an expression's tree: whoever walks it may recurse."""

_ONE, _TWO, _THREE = frozenset({1}), frozenset({2}), frozenset({3})
FUNCTIONS: Mapping[str, frozenset[int]] = MappingProxyType(
    dict.fromkeys(("now", "mindatetime", "maxdatetime"), frozenset({0}))
    | dict.fromkeys(("length", "tolower", "toupper", "trim", "round", "floor", "ceiling"), _ONE)
    | dict.fromkeys(("year", "month", "day", "hour", "minute", "second"), _ONE)
    | dict.fromkeys(("fractionalseconds", "date", "time", "totaloffsetminutes", "geo.length"), _ONE)
    | dict.fromkeys(("substringof", "contains", "endswith", "startswith", "indexof", "concat"), _TWO)
    | dict.fromkeys(("geo.distance", "geo.intersects"), _TWO)
    | dict.fromkeys(("st_equals", "st_disjoint", "st_touches", "st_within", "st_overlaps"), _TWO)
    | dict.fromkeys(("st_crosses", "st_intersects", "st_contains"), _TWO)
    | dict.fromkeys(("before", "after", "meets", "during", "overlaps", "starts", "finishes"), _TWO)
    | {"substring": frozenset({2, 3}), "st_relate": _THREE}
)
"""Functions of $filter in lower case, with the numbers of arguments they take.

`before` to `finishes` compare times and intervals; they are an addition that FROST-Server has, too.
"""

_OR, _AND, _EQUALITY, _RELATION, _SUM, _PRODUCT = range(1, 7)
_OPERATORS = (
    {"or": _OR, "and": _AND}
    | dict.fromkeys(("eq", "ne"), _EQUALITY)
    | dict.fromkeys(("gt", "ge", "lt", "le", "in"), _RELATION)
    | dict.fromkeys(("add", "sub"), _SUM)
    | dict.fromkeys(("mul", "div", "mod"), _PRODUCT)
)
_MEANT_OPERATOR = {
    "equals": "write eq",
    "is": "write eq",
    "plus": "write add",
    "minus": "write sub",
    "times": "write mul",
    "like": "write contains(name, 'part'), startswith(...) or endswith(...)",
    "contains": "write contains(name, 'part')",
    "between": "write result ge 1 and result le 2",
    "has": "write eq, or in with a list",
    "asc": "an order belongs to $orderby",
    "desc": "an order belongs to $orderby",
}
_MEANT_FUNCTION = {
    "any": "a path through many entities already means: any of them",
    "all": "a path through many entities means: any of them; use not for the opposite",
    "lower": "did you mean tolower?",
    "upper": "did you mean toupper?",
    "ceil": "did you mean ceiling?",
    "distance": "did you mean geo.distance?",
    "st_distance": "did you mean geo.distance?",
    "st_length": "did you mean geo.length?",
    "geo.within": "did you mean st_within?",
}
_LINKS = frozenset(link for entity_set in ENTITY_SETS.values() for link in entity_set.links)


def parse_filter(text: str, *, option: str = "$filter", offset: int = 0) -> Expression:
    """Text of a $filter, percent-decoded. `offset`: where it begins in the text of `option`, for positions.

    Raises BadRequestError with `at`, `option` and mostly a hint.
    """
    parser = _parser(text, option, offset)
    expression = parser.expression()
    parser.end()
    return expression


def parse_orderby(text: str, *, option: str = "$orderby", offset: int = 0) -> tuple[Order, ...]:
    """Text of an $orderby: expressions with commas between, each perhaps followed by asc or desc.

    Raises BadRequestError as parse_filter does.
    """
    parser = _parser(text, option, offset)
    orders = [parser.order()]
    while parser.comma():
        orders.append(parser.order())
    parser.end(order=True)
    return tuple(orders)


def path_segments(word: str) -> tuple[str, ...]:
    """`Datastream/id` as ("Datastream", "@iot.id"): the id of an entity, but not a key `id` in properties."""
    segments = word.split("/")
    if segments[0] == "$it" and len(segments) > 1:
        del segments[0]
    for index, segment in enumerate(segments):
        if segment == "id":
            segments[index] = "@iot.id"
        if segment not in _LINKS:
            break
    return tuple(segments)


def check_text(text: str, option: str, offset: int = 0) -> None:
    """Raises BadRequestError for a text that is empty, too long or not storable as UTF-8."""
    if not text.strip():
        raise BadRequestError(f"{option} is empty", at=offset, option=option)
    if len(text) > MAX_LENGTH:
        raise BadRequestError(
            f"{option} is longer than {MAX_LENGTH} characters",
            "ask in several requests, or with in (...) instead of many or",
            at=offset + MAX_LENGTH,
            option=option,
        )
    for at, each in enumerate(text):
        if "\ud800" <= each <= "\udfff":
            raise BadRequestError("this is no character", at=offset + at, option=option)


def _parser(text: str, option: str, offset: int) -> "_Parser":
    check_text(text, option, offset)
    return _Parser(tokenize(text, option=option, offset=offset), option)


class _Parser:
    def __init__(self, tokens: list[Token], option: str) -> None:
        self._tokens = tokens
        self._option = option
        self._index = 0

    def expression(self) -> Expression:
        found = self._expression(_OR, 0)
        self._check_height(found)
        return found

    def order(self) -> Order:
        key = self.expression()
        word = self._next.text.lower() if self._next.kind is TokenKind.WORD else ""
        if word in ("asc", "desc"):
            self._index += 1
        return Order(key, descending=word == "desc")

    def comma(self) -> bool:
        return self._take(",") is not None

    def end(self, *, order: bool = False) -> None:
        token = self._next
        if token.kind is TokenKind.END:
            return
        if token.text == ")":
            raise self._error("this ) has no (", token)
        if order:
            raise self._error(f"expected asc, desc, a comma or the end, not {_shown(token)}", token)
        raise self._error(
            f"expected an operator or the end, not {_shown(token)}", token, _operator_hint(token, self._before)
        )

    @property
    def _next(self) -> Token:
        return self._tokens[self._index]

    @property
    def _before(self) -> Token:
        return self._tokens[self._index - 1]

    def _take(self, mark: str) -> Token | None:
        token = self._next
        if token.kind is not TokenKind.MARK or token.text != mark:
            return None
        self._index += 1
        return token

    def _operator(self) -> str:
        word = self._next.text.lower() if self._next.kind is TokenKind.WORD else ""
        return word if word in _OPERATORS else ""

    def _expression(self, least: int, depth: int) -> Expression:
        left = self._operand(depth)
        while (operator := self._operator()) and _OPERATORS[operator] >= least:
            token = self._next
            self._index += 1
            if operator == "in":
                left = In(left, self._list(token, depth), token.at)
            elif operator in ("and", "or"):
                left = self._chain(left, operator, token, depth)
            else:
                right = self._expression(_OPERATORS[operator] + 1, depth)
                left = Binary(operator, left, right, token.at)
        return left

    def _chain(self, first: Expression, operator: str, token: Token, depth: int) -> Expression:
        """All of `a or b or c ...`, as a balanced tree: hundreds of them are no deep one."""
        operands, positions = [first], [token.at]
        while True:
            operands.append(self._expression(_OPERATORS[operator] + 1, depth))
            if self._operator() != operator:
                return _balanced(operator, operands, positions)
            positions.append(self._next.at)
            self._index += 1

    def _operand(self, depth: int) -> Expression:
        token = self._next
        if depth > MAX_NESTING:
            raise self._too_deep(token)
        self._index += 1
        if token.literal is not None:
            return token.literal
        if token.kind is TokenKind.MARK and token.text == "-":
            return Negative(self._operand(depth + 1), token.at)
        if token.kind is TokenKind.MARK and token.text == "(":
            inner = self._expression(_OR, depth + 1)
            self._close(token)
            return inner
        if token.kind is TokenKind.WORD:
            word = token.text.lower()
            if word == "not":
                return Not(self._expression(_EQUALITY, depth + 1), token.at)
            if self._next.kind is TokenKind.MARK and self._next.text == "(" and word not in _OPERATORS:
                return self._call(token, depth)
            if word not in _OPERATORS and word != "$it":
                return Path(path_segments(token.text), token.at)
        raise self._error(
            f"expected a value, a property or a function, not {_shown(token)}", token, _value_hint(token)
        )

    def _call(self, name: Token, depth: int) -> Call:
        function = name.text.lower()
        counts = FUNCTIONS.get(function)
        if counts is None:
            raise self._error(f"there is no function {name.text}", name, _function_hint(function))
        opening = self._next
        self._index += 1
        arguments: list[Expression] = []
        if not self._take(")"):
            arguments.extend(self._arguments(opening, depth))
        if len(arguments) not in counts:
            wanted = " or ".join(str(each) for each in sorted(counts))
            raise self._error(
                f"{function} takes {wanted} argument{'' if counts == _ONE else 's'}, not {len(arguments)}", name
            )
        return Call(function, tuple(arguments), name.at)

    def _list(self, name: Token, depth: int) -> tuple[Expression, ...]:
        opening = self._take("(")
        if opening is None:
            raise self._error(
                f"expected a list behind in, not {_shown(self._next)}", self._next, f"{name.text} ('a', 'b')"
            )
        return tuple(self._arguments(opening, depth))

    def _arguments(self, opening: Token, depth: int) -> list[Expression]:
        found = [self._expression(_OR, depth + 1)]
        while self._take(","):
            found.append(self._expression(_OR, depth + 1))
        self._close(opening, or_comma=True)
        return found

    def _close(self, opening: Token, *, or_comma: bool = False) -> None:
        if self._take(")"):
            return
        token = self._next
        wanted = "an operator, a comma or )" if or_comma else "an operator or )"
        if token.kind is TokenKind.END:
            hint = f"the ( at position {opening.at} is never closed"
        else:
            hint = _operator_hint(token, self._before)
        raise self._error(f"expected {wanted}, not {_shown(token)}", token, hint)

    def _check_height(self, expression: Expression) -> None:
        level = [expression]
        for _ in range(MAX_HEIGHT):
            level = [below for each in level for below in _operands(each)]
            if not level:
                return
        raise BadRequestError(
            "too many operators hang on one another", "shorten it", at=level[0].at, option=self._option
        )

    def _too_deep(self, token: Token) -> BadRequestError:
        return self._error(f"nested deeper than {MAX_NESTING} levels", token, "take out parentheses")

    def _error(self, message: str, token: Token, hint: str = "") -> BadRequestError:
        return BadRequestError(message, hint, at=token.at, option=self._option)


def _operands(expression: Expression) -> tuple[Expression, ...]:
    match expression:
        case Not() | Negative():
            return (expression.operand,)
        case Binary():
            return expression.left, expression.right
        case In():
            return expression.operand, *expression.options
        case Call():
            return expression.arguments
    return ()


def _balanced(operator: str, operands: list[Expression], positions: list[int]) -> Expression:
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) + 1) // 2
    left = _balanced(operator, operands[:middle], positions[: middle - 1])
    right = _balanced(operator, operands[middle:], positions[middle:])
    return Binary(operator, left, right, positions[middle - 1])


def _shown(token: Token) -> str:
    longest = 40
    if token.kind is TokenKind.END:
        return "the end"
    return repr(token.text if len(token.text) <= longest else token.text[:longest] + "...")


def _operator_hint(token: Token, before: Token) -> str:
    if token.kind is TokenKind.WORD:
        word = token.text.lower()
        if word in _MEANT_OPERATOR:
            return _MEANT_OPERATOR[word]
        if close := difflib.get_close_matches(word[:40], _OPERATORS, 1):
            return f"did you mean {close[0]}?"
    if token.kind is TokenKind.LITERAL and token.text.startswith("-"):
        return "to subtract write sub"
    if token.text == "-":
        return "to subtract write sub"
    if token.text == "(" and before.kind is TokenKind.WORD:
        return _function_hint(before.text.lower())
    if token.kind is TokenKind.LITERAL and token.text.startswith("'") and before.text.endswith("'"):
        return "a ' within a text is doubled: 'Rat''s Keller'"
    return "operators: eq ne gt ge lt le in and or add sub mul div mod"


def _value_hint(token: Token) -> str:
    if token.kind is TokenKind.WORD and token.text.lower() in _OPERATORS:
        return "an operator stands between two values: result gt 5"
    return ""


def _function_hint(function: str) -> str:
    last = function.rpartition("/")[2]
    if last in _MEANT_FUNCTION:
        return _MEANT_FUNCTION[last]
    close = difflib.get_close_matches(last[:40], FUNCTIONS, 1)
    return f"did you mean {close[0]}?" if close else f"functions: {', '.join(sorted(FUNCTIONS))}"
