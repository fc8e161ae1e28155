"""`stadtfunk serve` of a configuration of the test's own, as a process that can be killed and go on."""

import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

from servers import free_port, wait_for

from stadtfunk.tokens import new_token


class LiveService:
    """`text` is a city.toml without [api]."""

    def __init__(self, folder: Path, text: str):
        self.folder = folder
        self.port = free_port()
        self.token, digest = new_token()
        self.config = folder / "city.toml"
        self.config.write_text(
            f'{text}\n[api]\nport = {self.port}\n[[api.token]]\nname = "test"\nhash = "sha256:{digest}"\n'
        )
        self.log = folder / "service.log"
        self._process = None

    def start(self, **options):
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "stadtfunk", "serve", "--config", self.config],
                stdout=log,
                stderr=log,
                **options,
            )
        wait_for(self.ready, 180, f"the service, see {self.log}")

    @property
    def runs(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def stop(self, number=signal.SIGTERM):
        self._process.send_signal(number)
        return self._process.wait(60)

    def close(self):
        if self.runs:
            self._process.kill()
            self._process.wait()

    def get(self, path):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}")
        request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def ready(self):
        if self._process.poll() is not None:
            raise AssertionError(self.log.read_text()[-3000:])
        try:
            return all(part["ok"] for part in self.get("/readyz")["parts"].values())
        except (urllib.error.URLError, OSError):
            return False
