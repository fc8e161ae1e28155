"""Who else saw it, and what the public hears of it."""
