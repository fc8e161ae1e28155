"""The service without its byte cache: every answer is made anew. CONFIG."""

import sys
from pathlib import Path

from stadtfunk.serve import Server, bind
from stadtfunk.service import Service
from stadtfunk.settings_file import load_settings
from stadtfunk.signals import stop_asked


def serve(config: Path) -> None:
    """Until SIGTERM."""
    settings = load_settings(config)
    service = Service(settings)
    with bind(settings.api.host, settings.api.port) as listener, stop_asked() as asked:
        try:
            service.start()
            app = service.app(kept_s=0.0)
            Server(app, settings.api.host, settings.api.port, asked=asked).run(sockets=[listener])
        finally:
            service.stop()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
