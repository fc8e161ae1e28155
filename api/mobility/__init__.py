"""Traffic and car parks as the public may see them, and in the shapes that other systems read."""
