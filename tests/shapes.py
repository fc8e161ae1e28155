"""Our own SHACL shapes, one for each line of what a DCAT-AP.de catalogue must have."""

from pathlib import Path

from pyshacl import validate
from rdflib import Graph

FOLDER = Path(__file__).parent / "dcat" / "shapes"
SHAPES = sorted(file.stem for file in FOLDER.glob("*.ttl"))


def problems(catalogue, *names):
    """What the shapes (of these names, or all) have against a catalogue; "" for nothing."""
    shapes = Graph()
    for name in names or SHAPES:
        shapes.parse(FOLDER / f"{name}.ttl", format="turtle")
    conforms, _, text = validate(catalogue, shacl_graph=shapes, inference="rdfs", advanced=True)
    return "" if conforms else text
