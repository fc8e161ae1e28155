"""What the world sees: readings, warnings, open-data views, the pages."""
