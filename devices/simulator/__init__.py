"""A simulated city: fictitious devices whose uplinks look like a real network server's.

`simulator` draws the messages; `storm` and `creek` make the weather, `behaviour` what each device measures,
`network` the envelopes of ChirpStack v4 and The Things Stack v3, `faults` the uplinks nobody should send.
"""
