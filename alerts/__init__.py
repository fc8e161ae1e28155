"""From readings to events, from events to alerts, from alerts to people."""
