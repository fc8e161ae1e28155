"""Makers' own codecs in JavaScript, in a process that may die."""
