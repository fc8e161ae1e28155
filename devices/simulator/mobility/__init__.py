"""A simulated month of traffic and parking, with its truth.

`month` draws it: the calendar of the city (`days`), who drives and parks when (`demand`, `roads`, `parks`),
what the sensors of the `town` see of it (`sensors`) and what the network makes of that (`network`). It knows
nothing of whoever judges its readings.
"""
