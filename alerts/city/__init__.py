"""Warnings of the city: what a person releases, edits, declines and calls off."""
