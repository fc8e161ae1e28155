"""The composition root: settings, command line, wiring."""
