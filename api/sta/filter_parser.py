"""$filter and $orderby to expressions: the grammar of OData 4 as far as SensorThings 1.1 takes it.

Precedence, tightest first: `-` | mul div mod | add sub | gt ge lt le in | eq ne | not | and | or. So
`not result lt 1` is not(result lt 1), as servers of the standard read it. Operators, functions, null, true
and false may be written in any case. `$it/result` is `result`. OGC 18-088, section 9.3.3.5.
"""

from api.sta.errors import BadRequestError
from api.sta.expression import Binary, Call, Expression, In, Negative, Not, Path
from api.sta.filter_lexer import Token, TokenKind, check_text, tokenize
from api.sta.filter_names import FUNCTIONS, OPERATORS, function_hint, operator_hint, path_segments
from api.sta.options import Order
from api.sta.trees import operands

MAX_NESTING = 50
"""Parentheses, calls, not and - within one another; brackets of $expand."""
MAX_HEIGHT = 100
"""Levels of an expression's tree: whoever walks it may recurse."""
MAX_KEYS = 32
"""Keys of an $orderby."""

_NOT = (OPERATORS["and"] + OPERATORS["eq"]) / 2


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
        if len(orders) == MAX_KEYS:
            raise parser.too_many_keys()
        orders.append(parser.order())
    parser.end(order=True)
    return tuple(orders)


def _parser(text: str, option: str, offset: int) -> "_Parser":
    check_text(text, option, option=option, offset=offset)
    return _Parser(tokenize(text, option=option, offset=offset), option)


class _Parser:
    def __init__(self, tokens: list[Token], option: str) -> None:
        self._tokens = tokens
        self._option = option
        self._index = 0

    def expression(self) -> Expression:
        found = self._expression(0)
        self._check_height(found)
        return found

    def order(self) -> Order:
        key = self.expression()
        word = self._word()
        if word in ("asc", "desc"):
            self._index += 1
        return Order(key, descending=word == "desc")

    def comma(self) -> bool:
        return self._take(",") is not None

    def too_many_keys(self) -> BadRequestError:
        return self._error(f"$orderby has more than {MAX_KEYS} keys", self._next)

    def end(self, *, order: bool = False) -> None:
        token = self._next
        if token.kind is TokenKind.END:
            return
        if token.text == ")":
            raise self._error("this ) has no (", token)
        if order:
            raise self._error(f"expected asc, desc, a comma or the end, not {_shown(token)}", token)
        raise self._error(
            f"expected an operator or the end, not {_shown(token)}",
            token,
            _operator_hint(token, self._before),
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

    def _word(self) -> str:
        return self._next.text.lower() if self._next.kind is TokenKind.WORD else ""

    def _expression(self, depth: int) -> Expression:
        """Operators wait in `stack` until a looser one comes: recursion happens for brackets only."""
        stack = _Stack()
        while True:
            while self._word() == "not":
                stack.push(_NOT, self._next)
                self._index += 1
            stack.operands.append(self._operand(depth + stack.nots))
            while self._word() == "in":
                stack.reduce(OPERATORS["in"])
                token = self._next
                self._index += 1
                options = self._list(token, depth + stack.nots)
                stack.operands.append(In(stack.operands.pop(), options, token.at))
            power = OPERATORS.get(self._word())
            if power is None:
                return stack.result()
            stack.reduce(power)
            stack.push(power, self._next)
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
            inner = self._expression(depth + 1)
            self._close(token)
            return inner
        if token.kind is TokenKind.WORD:
            word = token.text.lower()
            if self._next.kind is TokenKind.MARK and self._next.text == "(" and word not in OPERATORS:
                return self._call(token, depth)
            if word not in OPERATORS and word != "$it":
                return Path(path_segments(token.text), token.at)
        raise self._error(
            f"expected a value, a property or a function, not {_shown(token)}", token, _value_hint(token)
        )

    def _call(self, name: Token, depth: int) -> Call:
        function = name.text.lower()
        counts = FUNCTIONS.get(function)
        if counts is None:
            raise self._error(f"there is no function {name.text}", name, function_hint(function))
        opening = self._next
        self._index += 1
        arguments: list[Expression] = []
        if not self._take(")"):
            arguments.extend(self._arguments(opening, depth))
        if len(arguments) not in counts:
            wanted = " or ".join(str(each) for each in sorted(counts))
            raise self._error(
                f"{function} takes {wanted} argument{'' if counts == {1} else 's'}, not {len(arguments)}",
                name,
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
        found = [self._expression(depth + 1)]
        while self._take(","):
            found.append(self._expression(depth + 1))
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
            level = [below for each in level for below in operands(each)]
            if not level:
                return
        raise BadRequestError(
            "too many operators hang on one another", "shorten it", at=level[0].at, option=self._option
        )

    def _too_deep(self, token: Token) -> BadRequestError:
        return self._error(f"nested deeper than {MAX_NESTING} levels", token, "take out parentheses")

    def _error(self, message: str, token: Token, hint: str = "") -> BadRequestError:
        return BadRequestError(message, hint, at=token.at, option=self._option)


class _Stack:
    """Operands, and the operators between and before them that wait for a looser one."""

    def __init__(self) -> None:
        self.operands: list[Expression] = []
        self.nots = 0
        self._waiting: list[tuple[float, Token]] = []

    def push(self, power: float, token: Token) -> None:
        self._waiting.append((power, token))
        self.nots += power == _NOT

    def reduce(self, power: float) -> None:
        """Applies what binds as tightly as `power` or tighter; a chain of and, of or, is applied as one."""
        while self._waiting and (top := self._waiting[-1][0]) >= power:
            if top == power and power <= OPERATORS["and"]:
                return
            self._apply()

    def result(self) -> Expression:
        while self._waiting:
            self._apply()
        return self.operands[0]

    def _apply(self) -> None:
        power, token = self._waiting.pop()
        if power == _NOT:
            self.nots -= 1
            self.operands.append(Not(self.operands.pop(), token.at))
            return
        positions = [token.at]
        while power <= OPERATORS["and"] and self._waiting and self._waiting[-1][0] == power:
            positions.append(self._waiting.pop()[1].at)
        operands = self.operands[-len(positions) - 1 :]
        del self.operands[-len(positions) - 1 :]
        self.operands.append(_balanced(token.text.lower(), operands, positions[::-1]))


def _balanced(operator: str, operands: list[Expression], positions: list[int]) -> Expression:
    """`a or b or c ...` as a tree as low as can be: hundreds of them are no deep one."""
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


def _value_hint(token: Token) -> str:
    if token.kind is TokenKind.WORD and token.text.lower() in OPERATORS:
        return "an operator stands between two values: result gt 5"
    return ""


def _operator_hint(token: Token, before: Token) -> str:
    if token.text.startswith("-"):
        return "to subtract write sub"
    if token.text == "(" and before.kind is TokenKind.WORD:
        return function_hint(before.text)
    if token.text.startswith("'") and before.text.endswith("'"):
        return "a ' within a text is doubled: 'Rat''s Keller'"
    return operator_hint(token.text)
