"""What happens in one catchment at one time, and what people decide about it."""
