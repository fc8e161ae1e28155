"""From the network server's MQTT message to durable, stored readings."""
