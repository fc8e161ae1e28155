"""The service without its byte cache: every answer is made anew. CONFIG."""

import sys
from pathlib import Path

from stadtfunk.serve import Server, bind, interruptible
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings


def serve(config: Path) -> None:
    """Until SIGTERM."""
    settings = load_settings(config)
    service = Service(settings)
    with bind(settings.api.host, settings.api.port) as listener, interruptible() as look:
        try:
            look()
            service.start()
            app = service.app(kept_s=0.0)
            Server(app, settings.api.host, settings.api.port).run(sockets=[listener])
        finally:
            service.stop()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
