"""Payload decoding: our declarative field tables beside decoders written by hand for one model."""

from collections.abc import Callable

from report import Report, best, cpu_us, run

from devices.catalogue import load_catalogue
from devices.measurement import Rejected

Decode = Callable[[int, bytes], object]


def decentlab_dl_tbrg(_port: int, payload: bytes) -> dict[str, float]:
    """The layout Decentlab publishes: version, id, flags, then words of 16 bits."""
    flags = int.from_bytes(payload[3:5], "big")
    words = [int.from_bytes(payload[i : i + 2], "big") for i in range(5, len(payload), 2)]
    values: dict[str, float] = {}
    if flags & 1:
        values["precipitation"] = words[0] * 0.1
        values["precipitation_interval"] = words[1]
        values["precipitation_total"] = (words[2] + words[3] * 65536) * 0.1
        words = words[4:]
    if flags & 2:
        values["battery_voltage"] = words[0] / 1000
    return values


def milesight_em320_th(_port: int, payload: bytes) -> dict[str, float]:
    """Milesight's channels: number, type, value."""
    values: dict[str, float] = {}
    i = 0
    while i < len(payload):
        channel, kind = payload[i], payload[i + 1]
        i += 2
        if (channel, kind) == (0x01, 0x75):
            values["battery_level"] = payload[i]
            i += 1
        elif (channel, kind) == (0x03, 0x67):
            values["air_temperature"] = int.from_bytes(payload[i : i + 2], "little", signed=True) / 10
            i += 2
        elif (channel, kind) == (0x04, 0x68):
            values["relative_humidity"] = payload[i] / 2
            i += 1
        else:
            raise ValueError(f"channel {channel} type {kind}")
    return values


def nwave_ncc405(_port: int, payload: bytes) -> dict[str, float]:
    """One counter of 16 bits."""
    return {"vehicle_count": int.from_bytes(payload, "big")}


CASES: tuple[tuple[str, int, str, Decode], ...] = (
    ("decentlab-dl-tbrg", 1, "0202f8000300040258409a00000c54", decentlab_dl_tbrg),
    ("milesight-em320-th", 85, "01755c03673401046865", milesight_em320_th),
    ("nwave-ncc405", 1, "06aa", nwave_ncc405),
)
TIMES_AS_SLOW = 10.0


def measure(scale: float) -> Report:
    """Decodes of one payload, best of five."""
    report = Report("decode", "payload to measurements, one payload at a time")
    catalogue = load_catalogue()
    count = max(1000, round(50_000 * scale))
    for id_, port, payload_hex, plain in CASES:
        decode, payload = catalogue[id_].decode, bytes.fromhex(payload_hex)
        decoded = decode(port, payload)
        assert not isinstance(decoded, Rejected), decoded
        by_hand = plain(port, payload)
        assert isinstance(by_hand, dict)
        ours = {each.property: each.value for each in decoded if each.property in by_hand}
        assert all(abs(ours[name] - value) < 1e-9 for name, value in by_hand.items() if name in ours), ours
        assert ours, by_hand
        table_us = best(5, lambda d=decode, p=port, b=payload: loop(d, p, b, count))
        plain_us = best(5, lambda d=plain, p=port, b=payload: loop(d, p, b, count))
        report.add(
            id_,
            table_us,
            "µs/payload",
            goal=TIMES_AS_SLOW * plain_us,
            baseline=("decoder by hand", plain_us),
        )
        report.add(f"{id_}, per second and core", 1e6 / table_us, "payloads/s", "more")
    report.notes.append(f"goal: at most {TIMES_AS_SLOW:.0f} times a decoder by hand, which checks nothing")
    return report


def loop(decode: Decode, port: int, payload: bytes, count: int) -> float:
    def task() -> None:
        for _ in range(count):
            decode(port, payload)

    return cpu_us(task, count)


if __name__ == "__main__":
    run(measure)
