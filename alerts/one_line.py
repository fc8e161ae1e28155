"""Texts of others inside our own."""


def shortened(text: str, limit: int) -> str:
    """At most so many characters; what was cut ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def printable(text: str) -> str:
    """One line: a name from a table must not start a mail header or hide the rest of a text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def header(text: str) -> str:
    """One line for a mail header, never an encoded word (RFC 2047).

    The standard library would decode it and write out what is in it: line breaks and further headers, too.
    """
    return printable(text).replace("=?", "= ?")
