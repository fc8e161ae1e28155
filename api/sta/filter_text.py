"""Expressions back to the text of a $filter."""

from api.rfc3339 import format_us
from api.sta.expression import (
    Binary,
    Boolean,
    Call,
    Duration,
    Expression,
    Geometry,
    In,
    Instant,
    Interval,
    Negative,
    Not,
    Null,
    Number,
    Path,
    Text,
)
from api.sta.times import format_duration


def format_expression(expression: Expression) -> str:
    """Text that parse_filter reads as the same expression, apart from positions; not percent-encoded."""
    match expression:
        case Not():
            return f"not ({format_expression(expression.operand)})"
        case Negative():
            return f"-({format_expression(expression.operand)})"
        case Binary():
            return f"{_operand(expression.left)} {expression.operator} {_operand(expression.right)}"
        case In():
            return f"{_operand(expression.operand)} in ({_list(expression.options)})"
        case Call():
            return f"{expression.function}({_list(expression.arguments)})"
        case Path():
            return "/".join(expression.segments)
    return _literal(expression)


def _literal(literal: Null | Boolean | Number | Text | Instant | Interval | Duration | Geometry) -> str:
    match literal:
        case Boolean():
            return "true" if literal.value else "false"
        case Number():
            return repr(literal.value)
        case Text():
            return _quoted(literal.value)
        case Instant():
            return format_us(literal.time_us)
        case Interval():
            return f"{format_us(literal.begin_us)}/{format_us(literal.end_us)}"
        case Duration():
            return f"duration'{format_duration(literal.length_us)}'"
        case Geometry():
            return f"geography{_quoted(literal.wkt)}"
    return "null"


def _operand(expression: Expression) -> str:
    text = format_expression(expression)
    return f"({text})" if isinstance(expression, Not | Negative | Binary | In) else text


def _list(expressions: tuple[Expression, ...]) -> str:
    return ", ".join(format_expression(each) for each in expressions)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
