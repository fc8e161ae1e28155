"""What can be measured, and with what: device types, codecs, installed devices, the simulated city."""
