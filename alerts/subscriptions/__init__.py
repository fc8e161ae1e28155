"""Residents who asked for messages: who they are, where, and how they are reached."""
