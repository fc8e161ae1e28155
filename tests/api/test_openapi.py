"""Every route says in both languages what it is for, shows an answer, and what its errors look like."""

import itertools
import json
import tomllib
from http import HTTPStatus
from pathlib import Path

import pytest
from pydantic import TypeAdapter

import api.routes
from api.app import _application, openapi

FOLDER = Path(api.routes.__file__).parent
DOCUMENT = openapi()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}
GERMAN = tomllib.loads((FOLDER / "german.toml").read_text(encoding="utf-8"))
BINARY = "application/vnd.apache.parquet"


def answers(status_begins):
    return [
        pytest.param(int(status), response, id=f"{name} {status}")
        for name, operation in OPERATIONS.items()
        for status, response in operation["responses"].items()
        if status[0] in status_begins
    ]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_route_says_in_english_and_german_what_it_is_for(name):
    operation = OPERATIONS[name]
    assert operation["summary"]
    english, found, german = operation["description"].partition("Deutsch: ")
    assert found
    assert german.endswith(".")
    assert german[:-1] not in {english.strip(), operation["summary"]}
    assert bool(english.strip()) == (len(GERMAN[name]) == 2), "described in one language, not in the other"


@pytest.mark.parametrize(("status", "response"), answers("2"))
def test_every_answer_is_shown(status, response):
    if status == HTTPStatus.NO_CONTENT:
        assert "content" not in response
        return
    assert response["content"]
    for media_type, described in response["content"].items():
        assert media_type == BINARY or described.get("example"), media_type


@pytest.mark.parametrize(("status", "response"), answers("45"))
def test_every_error_has_its_shape_and_is_shown(status, response):
    assert response["description"]
    [(media_type, described)] = response["content"].items()
    assert described["schema"]
    example = described["example"]
    if media_type == "application/problem+json":
        assert example["status"] == status
        assert example["title"] == HTTPStatus(status).phrase
        assert example["detail"]
        assert example["hint"]
    else:
        assert example["errors"][0].keys() == {"errorCode", "userMsg"}
    assert ("Retry-After" in response.get("headers", {})) == (status in {429, 503})


def test_no_text_and_no_example_is_of_a_route_that_is_gone():
    examples = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
    assert GERMAN.keys() == OPERATIONS.keys()
    assert examples.keys() <= OPERATIONS.keys()
    for name, shown in examples.items():
        described = next(each for status, each in OPERATIONS[name]["responses"].items() if status[0] == "2")
        assert shown.keys() <= described["content"].keys(), name


def routed(routes):
    for route in routes:
        if hasattr(route, "original_router"):
            yield from routed(route.original_router.routes)
        elif hasattr(route, "responses"):
            yield route


MODELS = sorted(
    (f"{method} {route.path_format}", status, described["model"])
    for route in routed(_application().routes)
    for method, (status, described) in itertools.product(route.methods, route.responses.items())
    if "model" in described and str(status).startswith("2")
)  # fmt: skip


@pytest.mark.parametrize(("name", "status", "model"), MODELS, ids=[each[0] for each in MODELS])
def test_an_example_has_the_shape_that_is_described(name, status, model):
    example = OPERATIONS[name]["responses"][str(status)]["content"]["application/json"]["example"]
    adapter = TypeAdapter(model)
    said = adapter.dump_python(
        adapter.validate_python(example), mode="json", by_alias=True, exclude_unset=True
    )
    assert shape(said) == shape(example)


def test_the_models_are_found():
    assert len(MODELS) > 40


def shape(value):
    if isinstance(value, dict):
        return {key: shape(each) for key, each in value.items()}
    return [shape(each) for each in value] if isinstance(value, list) else None
