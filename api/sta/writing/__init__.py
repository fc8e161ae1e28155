"""Writing SensorThings entities: OGC 18-088, sections 10 and 13.2."""
