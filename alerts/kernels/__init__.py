"""What judges readings: pure numpy, `step(state, batch) -> (state, events)`, time an argument, no I/O."""
