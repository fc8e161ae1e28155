"""Log lines: readable, one event a line, and nothing in them that is nobody's business."""

import structlog

from stadtfunk import logs


def test_a_traceback_shows_no_variables(capsys):
    logs.configure("debug")
    try:
        address = "mqtt://user:hunter2@broker"
        try:
            raise ValueError(len(address))
        except ValueError:
            structlog.get_logger("test").exception("failed")
        said = capsys.readouterr().err
    finally:
        structlog.reset_defaults()
    assert "Traceback" in said
    assert "hunter2" not in said
