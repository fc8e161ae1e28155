"""Logging: one line per event on standard error, key=value."""

import logging
import sys
from contextlib import suppress

import structlog


class _Lines(structlog.PrintLogger):
    """Writes lines; a full disk or a closed terminal costs the line, never the thread that wrote it."""

    def msg(self, message: str) -> None:
        """Write one line, if that is possible."""
        with suppress(OSError, ValueError):
            super().msg(message)

    log = debug = info = warning = error = critical = exception = failure = fatal = err = warn = msg


def configure(level: str) -> None:
    """Send structlog and the libraries' logging to standard error from `level` on."""
    number = getattr(logging, level.upper())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            *processors,
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                # where rich is installed, the default prints the variables of every frame: passwords, too
                exception_formatter=structlog.dev.plain_traceback,
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: _Lines(sys.stderr),
    )
    logging.basicConfig(level=max(number, logging.WARNING), stream=sys.stderr)
