"""KOSTRA-DWD tables: how rare an amount of rain is at a place."""
