"""What falls silent: sensors, gateways, catchments."""
