"""Who notices when the service itself is silent."""
