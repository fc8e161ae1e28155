"""Makers' codecs in JavaScript (TS013 and older shapes), run in a process of their own."""
