"""Map, chart and API viewer: exactly the files we serve of the npm packages that set-up installs."""

from collections.abc import Mapping
from pathlib import Path

PAGES = Path(__file__).parent / "pages"
NODE_MODULES = PAGES / "node_modules"
FILES: Mapping[str, str] = {
    "leaflet.js": "leaflet/dist/leaflet.js",
    "leaflet.css": "leaflet/dist/leaflet.css",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "swagger-ui.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
}


def installed(folder: Path = NODE_MODULES) -> Mapping[str, Path]:
    """The files that are there, by the name they are served under."""
    found = {name: folder / path for name, path in FILES.items()}
    return {name: path for name, path in found.items() if path.is_file()}
