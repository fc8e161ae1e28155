"""The kernels over a history, and what its events would have meant."""
