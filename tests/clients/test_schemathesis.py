"""schemathesis asks what the OpenAPI document allows, and some of what it does not: no answer is a 500."""

import pytest
from outside import outside

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.mark.parametrize("who", ["public", "operator"])
def test_no_request_makes_the_service_fail(another_demo, tmp_path, who):
    demo = another_demo
    told = outside("fuzz.py", demo.base, tmp_path, *([demo.token] if who == "operator" else []))
    assert told["code"] == 0, told["said"]
    paths = demo.json("/openapi.json")["paths"]
    operations = sum(len(METHODS & set(each)) for path, each in paths.items() if path != "/api/v1/stream")
    assert told["asked"] == operations
    assert demo.get("/livez").ok
