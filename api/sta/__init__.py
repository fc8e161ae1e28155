"""OGC SensorThings API 1.1: sensing, over the city's readings or over a scratch instance."""
