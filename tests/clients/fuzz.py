"""schemathesis over the operations of the OpenAPI document: `fuzz.py BASE FOLDER [TOKEN]`; prints the end."""

import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = 10
SEED = 1
LEFT_OUT = "/api/v1/stream$"
"""Answers without end."""


def main():
    base, folder, *token = sys.argv[1:]
    report = Path(folder) / "events.ndjson"
    command = [
        *(sys.executable, "-I", "-m", "schemathesis.cli", "run", f"{base}/openapi.json"),
        *("--checks", "not_a_server_error", "--phases", "fuzzing", "--max-examples", str(EXAMPLES)),
        *("--seed", str(SEED), "--no-shrink", "--continue-on-failure", "--request-timeout", "60"),
        *(
            "--workers",
            "1",
        ),  # with two, CPython 3.11 fails in ast.parse: its depth is shared by threads (gh-106905)
        *("--suppress-health-check", "all", "--generation-database", "none", "--warnings", "off"),
        *("--exclude-path-regex", LEFT_OUT, "--report", "ndjson", "--report-ndjson-path", str(report)),
    ]
    if token:
        command += ["--header", f"Authorization: Bearer {token[0]}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    asked = sum("ScenarioFinished" in json.loads(line) for line in report.read_text().splitlines())
    told = {"code": done.returncode, "asked": asked, "said": done.stdout[-6000:] + done.stderr[-2000:]}
    json.dump(told, sys.stdout)


main()
