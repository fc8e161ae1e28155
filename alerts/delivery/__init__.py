"""The durable way from an event to the channels."""
