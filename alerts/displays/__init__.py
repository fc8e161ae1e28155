"""Warnings for display columns on the local network."""
