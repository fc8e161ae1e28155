"""`./run bench [name]`: each bench in a process of its own, then the goals that were missed."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = sorted(path.stem for path in HERE.glob("[a-z]*.py") if "run(measure)" in path.read_text("utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"one of {', '.join(NAMES)}; none: all")
    parser.add_argument("--scale", default="1", help="share of the full size, for a quick look")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder of the JSON files")
    arguments = parser.parse_args()
    unknown = sorted(set(arguments.names) - set(NAMES))
    if unknown:
        parser.error(f"no bench {', '.join(unknown)}; there are {', '.join(NAMES)}")
    failed, missed = [], []
    for name in arguments.names or NAMES:
        command = [sys.executable, HERE / f"{name}.py", "--scale", arguments.scale, "--out", arguments.out]
        done = subprocess.run(command, check=False)
        if done.returncode:
            failed.append(name)
        else:
            result = json.loads((arguments.out / f"{name}.json").read_text())
            missed += [f"{name}: {each}" for each in result["missed"]]
        print()
    print("\n".join(["goals missed:", *missed]) if missed else "no goal missed")
    if failed:
        print(f"did not run: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
