"""Real servers, started by the tests on free loopback ports in temporary folders."""

import itertools
import os
import random
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import paho.mqtt.publish
import pytest


def _ports():
    """A range for each process of the test run, below the ports that the kernel gives to connections.

    One of those could be taken by any connection before the server starts or while it is away: on loopback
    even by one that asks for this very port, and is then connected to itself.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, count = 12_000 + worker % 10 * 2_000, 2_000
    return (first + number % count for number in itertools.count(random.randrange(count)))


_PORTS = _ports()


def free_port() -> int:
    """One that nobody listens on, and that no other test is given."""
    for port in itertools.islice(_PORTS, 2_000):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def program(name: str) -> str:
    """Path of a program; without it the test is skipped (and fails on CI, see conftest.py)."""
    path = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        pytest.skip(f"{name} is not installed: apt-get install {name}")
    return path


def wait_for(condition, timeout_s=120.0, what=""):
    """Poll until the condition gives something true, and return that."""
    end = time.monotonic() + timeout_s
    while True:
        if result := condition():
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what or condition}")
        time.sleep(0.01)


class Mosquitto:
    """A mosquitto of our own. `users`: name -> password, none: anybody may; `lines` for its configuration.

    It keeps sessions over a restart unless `persistent` is False, and any number of messages for those away.
    """

    def __init__(self, folder: Path, *, users=None, lines=(), persistent=True):
        self.port = free_port()
        self.users = dict(users or {})
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        program("mosquitto")
        config = [
            f"listener {self.port} 127.0.0.1",
            "user root",
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            f"allow_anonymous {'false' if users else 'true'}",
            f"persistence {'true' if persistent else 'false'}",
            f"persistence_location {folder}/",
            *lines,
        ]
        if users:
            passwords = folder / "passwords"
            passwords.touch(mode=0o600)
            for name, password in self.users.items():
                subprocess.run(
                    [program("mosquitto_passwd"), "-b", passwords, name, password],
                    check=True,
                    capture_output=True,
                )
            config.append(f"password_file {passwords}")
        (folder / "mosquitto.conf").write_text("\n".join(config) + "\n")
        self._process = None
        self.start()

    @property
    def url(self) -> str:
        user = next(iter(self.users.items()), None)
        return f"mqtt://{f'{user[0]}:{user[1]}@' if user else ''}127.0.0.1:{self.port}"

    def start(self):
        log = (self._folder / "mosquitto.log").open("ab")
        self._process = subprocess.Popen(
            [program("mosquitto"), "-c", self._folder / "mosquitto.conf"], stdout=log, stderr=log
        )
        log.close()
        wait_for(self._answers, what=f"mosquitto, see {self._folder}/mosquitto.log")

    def stop(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)
            self._process = None

    def restart(self):
        self.stop()
        self.start()

    def publish(self, topic, *payloads, qos=1, retain=False):
        user = next(iter(self.users.items()), None)
        paho.mqtt.publish.multiple(
            [{"topic": topic, "payload": payload, "qos": qos, "retain": retain} for payload in payloads],
            hostname="127.0.0.1",
            port=self.port,
            auth={"username": user[0], "password": user[1]} if user else None,
        )

    def _answers(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False


class Wire:
    """A TCP proxy before a server: it can cut every connection, as a router that dies does."""

    def __init__(self, to_port: int):
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut(self):
        for each in self._sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._sockets = []

    def close(self):
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(60)

    def _accept(self):
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                near.close()
                continue
            self._sockets += [near, far]
            closing = threading.Barrier(2)
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pump, args=(source, target, closing), daemon=True)
                self._threads.append(thread)
                thread.start()

    @staticmethod
    def _pump(source, target, closing):
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with suppress(threading.BrokenBarrierError):
            closing.wait(5)
        source.close()


_INFLUXD = """
reporting-enabled = false
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
query-log-enabled = false
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:{port}"
log-enabled = false
"""


class HttpServer:
    """A real server of this test run, that can be stopped and started again on the same port and files."""

    def __init__(self, command, port, alive, log):
        self.command = command
        self.port = port
        self._alive = f"http://127.0.0.1:{port}{alive}"
        self._log = log
        self._process = None

    def start(self):
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log)
        end = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(self._alive, timeout=1).close()
            except (urllib.error.URLError, OSError):
                if self._process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(self._log.read_text()[-2000:]) from None
                time.sleep(0.05)
            else:
                return

    def stop(self):
        self._process.terminate()
        self._process.wait(60)


def influxd(folder: Path) -> HttpServer:
    """InfluxDB 1.x as Debian ships it, not started yet."""
    binary = program("influxd")
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(_INFLUXD.format(rpc=free_port(), port=port, folder=folder))
    return HttpServer([binary, "-config", str(config)], port, "/ping", folder / "log")
