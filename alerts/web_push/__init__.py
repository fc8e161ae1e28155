"""Messages to browsers (RFC 8030), encrypted for them (RFC 8291), signed by the city (VAPID, RFC 8292)."""
