"""Readings summed up over intervals of a clock or a calendar, streamed."""
