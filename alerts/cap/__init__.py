"""CAP 1.2: documents of warnings, their archive and feed, and the hand-over to the control centre."""
