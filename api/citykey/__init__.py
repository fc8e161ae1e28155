"""The city's data in the shapes that the Citykey apps parse; see docs/citykey.md."""
