"""Walks over expressions that are as deep as they like."""

import dataclasses
from collections.abc import Iterator

from api.sta.expression import Binary, Call, Expression, In, Negative, Not, Path


def operands(expression: Expression) -> tuple[Expression, ...]:
    """What an expression is made of, in its order."""
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


def chained(expression: Expression) -> tuple[Expression, ...]:
    """All of `a and b and c ...` (or `or`), in their order; anything else alone."""
    if not isinstance(expression, Binary) or expression.operator not in {"and", "or"}:
        return (expression,)
    found: list[Expression] = []
    waiting: list[Expression] = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Binary) and each.operator == expression.operator:
            waiting += [each.right, each.left]
        else:
            found.append(each)
    return tuple(found)


def joined(operator: str, parts: tuple[Expression, ...]) -> Expression:
    """The opposite of `chained`, of one part or more."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return Binary(operator, joined(operator, parts[:middle]), joined(operator, parts[middle:]), parts[0].at)


def height(expression: Expression) -> int:
    """Levels of an expression; a chain of and, or of or, is one."""
    level, levels = [expression], 0
    while level:
        levels += 1
        level = [
            below for each in level for below in (chained(each) if len(chained(each)) > 1 else operands(each))
        ]
    return levels


def paths(expression: Expression) -> Iterator[Path]:
    """Every path in an expression."""
    waiting = [expression]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Path):
            yield each
        waiting += operands(each)


def without_first(expression: Expression, count: int) -> Expression:  # noqa: PLR0911 - one for each node
    """The expression with the first segments of every path taken off."""
    match expression:
        case Path():
            passed = sum(len(each) + 1 for each in expression.segments[:count])
            return Path(expression.segments[count:], expression.at + passed)
        case Not() | Negative():
            return dataclasses.replace(expression, operand=without_first(expression.operand, count))
        case Binary("and" | "or"):
            return joined(
                expression.operator, tuple(without_first(each, count) for each in chained(expression))
            )
        case Binary():
            return dataclasses.replace(
                expression,
                left=without_first(expression.left, count),
                right=without_first(expression.right, count),
            )
        case In():
            return dataclasses.replace(
                expression,
                operand=without_first(expression.operand, count),
                options=tuple(without_first(each, count) for each in expression.options),
            )
        case Call():
            arguments = tuple(without_first(each, count) for each in expression.arguments)
            return dataclasses.replace(expression, arguments=arguments)
    return expression
