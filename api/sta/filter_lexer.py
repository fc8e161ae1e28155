"""Words, literals and marks of a $filter or $orderby, each with its position."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import shapely

from api.sta.errors import BadRequestError
from api.sta.expression import (
    Boolean,
    Duration,
    Expression,
    Geometry,
    Instant,
    Interval,
    Null,
    Number,
    Text,
)
from api.sta.filter_names import OPERATORS
from api.sta.sql_geometry import FARTHEST
from api.sta.times import parse_duration, parse_interval, parse_time, parse_time_of_day

MAX_LENGTH = 8192
"""Characters of an option's text."""


class TokenKind(Enum):
    """`MARK` is one of ( ) , and the sign -; `WORD` a path, an operator or a function's name."""

    WORD = auto()
    LITERAL = auto()
    MARK = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `text` as written; `literal` for a LITERAL only. `at` counts from the option's start."""

    kind: TokenKind
    text: str
    at: int
    literal: Expression | None = None


_SURROGATE = re.compile("[\ud800-\udfff]")
_BLANKS = (" ", "\t", "\r", "\n")
_TIME = r"[0-9]{4}-[0-9A-Za-z:.+-]*(?: [0-9]{2}:[0-9:.]*[Zz]?)?(?: [0-9]{2}:[0-9]{2})?"
_SPAN = r"P[0-9T][0-9A-Za-z.]*"
_QUOTE = r"'[^']*(?:''[^']*)*'"
_QUOTED = re.compile(_QUOTE)
_TOKEN = re.compile(
    rf"(?P<interval>(?:{_TIME}|{_SPAN})/(?:{_TIME}|{_SPAN}))"
    rf"|(?P<instant>{_TIME})"
    r"|(?P<time_of_day>[0-9]{2}:[0-9:.]*)"
    r"|(?P<number>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
    rf"|(?P<quoted>{_QUOTE})"
    r"|(?P<word>[@$]?[^\W\d][\w.@:-]*(?:/[\w.@:$-]+)*)"
    r"|(?P<mark>[(),-])"
)
_REST_OF_WORD = re.compile(r"[\w.]*")
_SRID = re.compile(r"\s*SRID\s*=\s*([0-9]+)\s*;\s*", re.IGNORECASE)
_NO_PREFIXES = frozenset(OPERATORS) | {"not"}  # eq'x' is eq 'x'
_WGS84 = 4326
_INT64 = 2**63
_INT64_DIGITS = 20

_SYMBOLS = (
    ("==", "for equality write eq"),
    ("=", "for equality write eq"),
    ("!=", "for inequality write ne"),
    ("<>", "for inequality write ne"),
    ("<=", "write le"),
    ("<", "write lt"),
    (">=", "write ge"),
    (">", "write gt"),
    ("&&", "write and"),
    ("&", "write and"),
    ("||", "write or"),
    ("|", "write or"),
    ("!", "write not"),
    ("*", "write mul"),
    ("/", "to divide write div; the parts of a path have / between them and no blanks"),
    ("%", "for the remainder write mod; in an address % begins an encoded character, %25 is the % itself"),
    ("+", "write add; a + itself is %2B in an address"),
    ('"', "texts stand in single quotes: 'Pegel'"),
    ("`", "texts stand in single quotes: 'Pegel'"),
    ("\u2018", "texts stand in straight single quotes: 'Pegel'"),
    ("\u2019", "texts stand in straight single quotes: 'Pegel'"),
    ("\u201c", "texts stand in straight single quotes: 'Pegel'"),
    ("\u201d", "texts stand in straight single quotes: 'Pegel'"),
    ("\u201e", "texts stand in straight single quotes: 'Pegel'"),
    ("[", "an element of a list is a part of the path: properties/list/0"),
    ("{", "only parentheses group"),
    (";", "the options of $expand alone have ; between them"),
)


def tokenize(text: str, *, option: str, offset: int = 0) -> list[Token]:
    """Tokens of `text`, the last one END. `offset` is where `text` begins in the option.

    Raises BadRequestError.
    """
    return _Lexer(text, option, offset).tokens()


def check_text(text: str, name: str, *, option: str, offset: int = 0) -> None:
    """Raises BadRequestError for a text of `name` that is empty, too long or not storable as UTF-8."""
    if not text.strip():
        raise BadRequestError(f"{name} is empty", at=offset, option=option)
    if len(text) > MAX_LENGTH:
        raise BadRequestError(
            f"{name} is longer than {MAX_LENGTH} characters",
            "ask in several requests, or with in (...) instead of many or",
            at=offset + MAX_LENGTH,
            option=option,
        )
    if match := _SURROGATE.search(text):
        raise BadRequestError("this is no character", at=offset + match.start(), option=option)


class _Lexer:
    def __init__(self, text: str, option: str, offset: int) -> None:
        self._text = text
        self._option = option
        self._offset = offset

    def tokens(self) -> list[Token]:
        readers = {
            "interval": self._interval,
            "instant": self._instant,
            "time_of_day": self._time_of_day,
            "number": self._number,
            "quoted": self._quoted,
            "word": self._word_or_prefix,
            "mark": self._mark,
        }
        found: list[Token] = []
        position = self._behind_blanks(0)
        while position < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None or match.lastgroup is None:
                raise self._unexpected(position)
            token, position = readers[match.lastgroup](match)
            found.append(token)
            position = self._behind_blanks(position)
        found.append(Token(TokenKind.END, "", self._offset + len(self._text)))
        return found

    def _behind_blanks(self, position: int) -> int:
        while self._text.startswith(_BLANKS, position):
            position += 1
        return position

    def _interval(self, match: re.Match[str]) -> tuple[Token, int]:
        return self._time(match, lambda text, at: Interval(*parse_interval(text), at=at))

    def _instant(self, match: re.Match[str]) -> tuple[Token, int]:
        return self._time(match, lambda text, at: Instant(parse_time(text), at))

    def _time_of_day(self, match: re.Match[str]) -> tuple[Token, int]:
        return self._time(match, lambda text, at: Duration(parse_time_of_day(text), at))

    def _quoted(self, match: re.Match[str]) -> tuple[Token, int]:
        at = self._offset + match.start()
        return Token(TokenKind.LITERAL, match[0], at, Text(_unquote(match[0]), at)), match.end()

    def _mark(self, match: re.Match[str]) -> tuple[Token, int]:
        return Token(TokenKind.MARK, match[0], self._offset + match.start()), match.end()

    def _word_or_prefix(self, match: re.Match[str]) -> tuple[Token, int]:
        if self._text.startswith("'", match.end()) and match[0].lower() not in _NO_PREFIXES:
            return self._prefixed(match[0], match.start())
        return self._word(match[0], match.start()), match.end()

    def _word(self, word: str, at: int) -> Token:
        at += self._offset
        match word.lower():
            case "null":
                return Token(TokenKind.LITERAL, word, at, Null(at))
            case "true" | "false" as value:
                return Token(TokenKind.LITERAL, word, at, Boolean(value == "true", at))
        return Token(TokenKind.WORD, word, at)

    def _number(self, match: re.Match[str]) -> tuple[Token, int]:
        digits, at = match[0], match.start()
        if (rest := _REST_OF_WORD.match(self._text, match.end())) and rest[0]:
            raise self._error(
                f"{digits + rest[0]!r} is neither a number nor a name",
                at,
                "put a blank behind a number, quotes around a text; a name begins with a letter",
            )
        whole = not set(digits) & set(".eE")
        value: int | float = int(digits) if whole and len(digits) <= _INT64_DIGITS else float(digits)
        if isinstance(value, int) and not -_INT64 <= value < _INT64:
            value = float(value)
        if math.isinf(value):
            raise self._error("the number is too large", at, "no number exceeds 1.7e308")
        where = self._offset + at
        return Token(TokenKind.LITERAL, digits, where, Number(value, where)), match.end()

    def _time(self, match: re.Match[str], read: Callable[[str, int], Expression]) -> tuple[Token, int]:
        where = self._offset + match.start()
        try:
            literal = read(match[0], where)
        except ValueError as error:
            raise self._error(f"{match[0]!r} is no time", match.start(), str(error)) from error
        return Token(TokenKind.LITERAL, match[0], where, literal), match.end()

    def _prefixed(self, prefix: str, at: int) -> tuple[Token, int]:
        start = at + len(prefix)
        match = _QUOTED.match(self._text, start)
        if match is None:
            raise self._unexpected(start)
        inner = _unquote(match[0])
        where = self._offset + at
        literal: Expression
        match prefix.lower():
            case "geography" | "geometry":
                literal = Geometry(self._wkt(inner, start + 1), where)
            case "duration":
                try:
                    literal = Duration(parse_duration(inner), where)
                except ValueError as error:
                    raise self._error(f"{inner!r} is no duration", start + 1, str(error)) from error
            case "datetime" | "datetimeoffset" | "date" | "time":
                raise self._error(
                    f"a time has no {prefix!r} and no quotes", at, "such as 2026-07-14T18:30:00Z"
                )
            case _:
                raise self._error(
                    f"there are no texts of the kind {prefix!r}",
                    at,
                    "before a quote stands geography, geometry or duration, or a blank",
                )
        return Token(TokenKind.LITERAL, self._text[at : match.end()], where, literal), match.end()

    def _wkt(self, text: str, at: int) -> str:
        if match := _SRID.match(text):
            if int(match[1][:9]) != _WGS84:
                raise self._error(
                    f"geometries in SRID {match[1][:9]} are not served",
                    at,
                    "write WGS 84: longitude latitude",
                )
            text = text[match.end() :]
        try:
            geometry = shapely.from_wkt(text)
        except (shapely.GEOSException, ValueError) as error:
            raise self._error(
                "this is no geometry in WKT", at, "such as POINT (7.13 50.99), longitude before latitude"
            ) from error
        if not geometry.is_empty and not all(abs(each) <= FARTHEST for each in geometry.bounds):
            raise self._error("a coordinate is no number of degrees", at, "WGS 84: longitude latitude")
        return text

    def _unexpected(self, at: int) -> BadRequestError:
        if self._text[at] == "'":
            return self._error(
                "the text that begins here never ends",
                at,
                "close it with '; a ' within a text is doubled ('Rat''s Keller'), a & is %26 in an address",
            )
        for symbol, hint in _SYMBOLS:
            if self._text.startswith(symbol, at):
                return self._error(f"{symbol!r} is no operator here", at, hint)
        return self._error(
            f"{self._text[at]!r} cannot stand here", at, "texts stand in single quotes: 'Pegel'"
        )

    def _error(self, message: str, at: int, hint: str = "") -> BadRequestError:
        return BadRequestError(message, hint, at=self._offset + at, option=self._option)


def _unquote(quoted: str) -> str:
    return quoted[1:-1].replace("''", "'")
