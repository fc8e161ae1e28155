"""Log lines: readable, one event a line, and nothing in them that is nobody's business."""

import structlog

from stadtfunk import logs

ADDRESS = "mqtt://user:hunter2@broker"


def connect(address):
    raise ValueError(len(address))


def test_a_traceback_shows_no_variables(capsys):
    logs.configure("debug")
    try:
        try:
            connect(ADDRESS)
        except ValueError:
            structlog.get_logger("test").exception("failed")
        said = capsys.readouterr().err
    finally:
        structlog.reset_defaults()
    assert "Traceback" in said
    assert "hunter2" not in said
