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
            text = f"not ({format_expression(expression.operand)})"
        case Negative():
            text = f"-({format_expression(expression.operand)})"
        case Binary():
            text = f"{_operand(expression.left)} {expression.operator} {_operand(expression.right)}"
        case In():
            text = f"{_operand(expression.operand)} in ({_list(expression.options)})"
        case Call():
            text = f"{expression.function}({_list(expression.arguments)})"
        case Path():
            text = "/".join(expression.segments)
        case _:
            text = _literal(expression)
    return text


def _literal(literal: Null | Boolean | Number | Text | Instant | Interval | Duration | Geometry) -> str:
    match literal:
        case Null():
            text = "null"
        case Boolean():
            text = "true" if literal.value else "false"
        case Number():
            text = repr(literal.value)
        case Text():
            text = _quoted(literal.value)
        case Instant():
            text = format_us(literal.time_us)
        case Interval():
            text = f"{format_us(literal.begin_us)}/{format_us(literal.end_us)}"
        case Duration():
            text = f"duration'{format_duration(literal.length_us)}'"
        case Geometry():
            text = f"geography{_quoted(literal.wkt)}"
    return text


def _operand(expression: Expression) -> str:
    text = format_expression(expression)
    return f"({text})" if isinstance(expression, Not | Negative | Binary | In) else text


def _list(expressions: tuple[Expression, ...]) -> str:
    return ", ".join(format_expression(each) for each in expressions)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
