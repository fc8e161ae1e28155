"""Shapes of the answers, for the OpenAPI document; the routes write the bytes themselves."""
