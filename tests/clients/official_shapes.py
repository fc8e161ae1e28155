"""pyshacl judges a catalogue: `official_shapes.py ADDRESS SHAPES`; prints the verdict and the report."""

import json
import sys
import urllib.request
from pathlib import Path

import pyshacl
import rdflib


def main():
    address, shapes = sys.argv[1:]
    with urllib.request.urlopen(address, timeout=60) as answer:
        data = rdflib.Graph().parse(data=answer.read(), format="turtle")
    rules = rdflib.Graph()
    files = sorted(Path(shapes).glob("*.ttl"))
    for file in files:
        rules.parse(file, format="turtle")
    conforms, _, text = pyshacl.validate(data, shacl_graph=rules, inference="rdfs")
    told = {"conforms": conforms, "triples": len(data), "shapes": len(files), "text": text[:4000]}
    json.dump(told, sys.stdout)


main()
