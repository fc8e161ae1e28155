"""A folder laid out like TheThingsNetwork/lorawan-devices: makers' devices, codecs and their examples."""
