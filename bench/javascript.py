"""Codecs in JavaScript in their sandbox, beside the same decoder written in Python."""

import resource
import statistics
import time

from decode import milesight_em320_th
from report import Report, best, run

from devices.decoded import Frame
from devices.javascript.sandbox import Limits, Sandbox, Source

PORT, PAYLOAD = 85, bytes.fromhex("01755c03673401046865")
NAMES = {"battery_level": "battery", "air_temperature": "temperature", "relative_humidity": "humidity"}
CODEC = """
function decodeUplink(input) {
  var bytes = input.bytes, data = {}, i = 0;
  while (i < bytes.length) {
    var channel = bytes[i++], kind = bytes[i++];
    if (channel === 0x01 && kind === 0x75) data.battery = bytes[i++];
    else if (channel === 0x03 && kind === 0x67) {
      var raw = bytes[i] | (bytes[i + 1] << 8);
      data.temperature = (raw > 0x7fff ? raw - 0x10000 : raw) / 10;
      i += 2;
    } else if (channel === 0x04 && kind === 0x68) data.humidity = bytes[i++] / 2;
    else return { errors: ["channel " + channel + " type " + kind] };
  }
  return { data: data };
}
"""
LOOP = "function decodeUplink(input) { 'a'.repeat(3e6).indexOf('a'.repeat(1e6) + 'b'); }"
BATCHES = (1, 50)
PER_SECOND_IN_BATCHES = 10_000.0
LIMIT_S = 0.5
RESPAWN_S = 1.0


def measure(scale: float) -> Report:
    """Wall clock, the worker's part included: it runs beside us, on another core where there is one."""
    report = Report("javascript", "payload to data by a codec in the sandbox, with the way to it and back")
    source, frame = Source.of(CODEC), Frame(PORT, PAYLOAD, 1_796_000_000_000_000)
    by_hand = milesight_em320_th(PORT, PAYLOAD)
    count = max(500, round(10_000 * scale))
    plain_us = best(5, lambda: plain(count))
    with Sandbox() as sandbox:
        [outcome] = sandbox.run(source, [frame])
        assert outcome.data == {NAMES[name]: value for name, value in by_hand.items()}, outcome
        for batch in BATCHES:
            frames = [frame] * batch
            box_us = best(5, lambda f=frames: boxed(sandbox, source, f, count))
            report.add(f"batches of {batch}", box_us, "µs/payload", baseline=("decoder by hand", plain_us))
            goal = PER_SECOND_IN_BATCHES if batch > 1 else None
            report.add(f"batches of {batch}, per second", 1e6 / box_us, "payloads/s", "more", goal=goal)
        fresh = round(count / 20)
        fresh_us = best(3, lambda: boxed(sandbox, source, [frame] * 50, fresh, fresh=True))
        report.add("a new context for every payload", fresh_us, "µs/payload", baseline=("warm", box_us))
    killed_ms, again_ms, peak_mib = kills()
    report.add("a native loop, killed after", killed_ms, "ms", goal=(LIMIT_S + 0.1) * 1000)
    report.add("the next payload of another codec, with a new worker", again_ms, "ms", goal=RESPAWN_S * 1000)
    report.add("greatest worker", peak_mib, "MiB", goal=256)
    report.notes.append(
        "the decoder by hand makes three numbers and checks nothing; wall clock, best of five"
    )
    return report


def plain(count: int) -> float:
    begun = time.perf_counter()
    for _ in range(count):
        milesight_em320_th(PORT, PAYLOAD)
    return (time.perf_counter() - begun) / count * 1e6


def boxed(sandbox: Sandbox, source: Source, frames: list[Frame], count: int, *, fresh: bool = False) -> float:
    times = max(1, count // len(frames))
    begun = time.perf_counter()
    for _ in range(times):
        outcomes = sandbox.run(source, frames, fresh=fresh)
    taken = time.perf_counter() - begun
    assert all(each.data for each in outcomes)
    return taken / times / len(frames) * 1e6


def kills() -> tuple[float, float, float]:
    """Medians of five: ms to the kill, ms from there to another codec's answer; MiB of the largest worker."""
    killed, again = [], []
    with Sandbox(Limits(call_s=LIMIT_S)) as sandbox:
        for number in range(5):
            sandbox.start()
            begun = time.perf_counter()
            [outcome] = sandbox.run(Source.of(LOOP), [Frame(1, bytes([number]))])
            ended = time.perf_counter()
            assert outcome.killed == "timeout", outcome
            [good] = sandbox.run(Source.of(CODEC), [Frame(PORT, PAYLOAD)])
            assert good.data, good
            killed.append((ended - begun) * 1000)
            again.append((time.perf_counter() - ended) * 1000)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return statistics.median(killed), statistics.median(again), peak


if __name__ == "__main__":
    run(measure)
