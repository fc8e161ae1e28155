"""DATEX II version 3 as JSON, for the national access point Mobilithek."""
