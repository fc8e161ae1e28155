from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.sta.errors import BadRequestError, NotFoundError
from api.sta.model import ENTITY_SETS
from api.sta.options import ResourcePath, Step, Tail
from api.sta.url_path import MAX_LENGTH, MAX_STEPS, parse_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("", ResourcePath()),
        ("/", ResourcePath()),
        ("/Things", ResourcePath((Step("Things"),))),
        ("Things/", ResourcePath((Step("Things"),))),
        ("/Things(5)", ResourcePath((Step("Things", 5),))),
        ("/Things%285%29", ResourcePath((Step("Things", 5),))),
        ("Things(9223372036854775807)", ResourcePath((Step("Things", 2**63 - 1),))),
        ("Things(5)/Datastreams", ResourcePath((Step("Things", 5), Step("Datastreams")))),
        ("Things(5)/Datastreams(7)", ResourcePath((Step("Things", 5), Step("Datastreams", 7)))),
        (
            "Datastreams(3)/Thing/Locations(2)/name",
            ResourcePath((Step("Datastreams", 3), Step("Thing"), Step("Locations", 2)), ("name",)),
        ),
        (
            "Things(1)/Datastreams(2)/Observations(3)/FeatureOfInterest/Observations(4)/Datastream/Sensor/name",
            ResourcePath(
                (
                    Step("Things", 1),
                    Step("Datastreams", 2),
                    Step("Observations", 3),
                    Step("FeatureOfInterest"),
                    Step("Observations", 4),
                    Step("Datastream"),
                    Step("Sensor"),
                ),
                ("name",),
            ),
        ),
        ("Things(5)/name/$value", ResourcePath((Step("Things", 5),), ("name",), Tail.VALUE)),
        ("Things(5)/%24ref", ResourcePath((Step("Things", 5),), (), Tail.REF)),
        ("Things/$ref", ResourcePath((Step("Things"),), (), Tail.REF)),
        (
            "Things(5)/Datastreams/$ref",
            ResourcePath((Step("Things", 5), Step("Datastreams")), (), Tail.REF),
        ),
        (
            "Datastreams(5)/Thing/$ref",
            ResourcePath((Step("Datastreams", 5), Step("Thing")), (), Tail.REF),
        ),
        ("Things(5)/properties/a/b", ResourcePath((Step("Things", 5),), ("properties", "a", "b"))),
        ("Things(5)/properties/Stra%C3%9Fe", ResourcePath((Step("Things", 5),), ("properties", "Straße"))),
        ("Things(5)/properties/a%2Fb", ResourcePath((Step("Things", 5),), ("properties", "a/b"))),
        ("Things(5)/properties/a(1)", ResourcePath((Step("Things", 5),), ("properties", "a(1)"))),
        ("Things(5)/properties/id", ResourcePath((Step("Things", 5),), ("properties", "id"))),
        (
            "Things(5)/properties/Datastreams/$value",
            ResourcePath((Step("Things", 5),), ("properties", "Datastreams"), Tail.VALUE),
        ),
        ("Observations(5)/result/a/0", ResourcePath((Step("Observations", 5),), ("result", "a", "0"))),
        ("Locations(5)/location/type", ResourcePath((Step("Locations", 5),), ("location", "type"))),
        (
            "Datastreams(5)/unitOfMeasurement/symbol",
            ResourcePath((Step("Datastreams", 5),), ("unitOfMeasurement", "symbol")),
        ),
        ("Things(5)/id", ResourcePath((Step("Things", 5),), ("@iot.id",))),
        ("Things(5)/@iot.id/$value", ResourcePath((Step("Things", 5),), ("@iot.id",), Tail.VALUE)),
        ("Things(5)/@iot.selfLink", ResourcePath((Step("Things", 5),), ("@iot.selfLink",))),
    ],
)
def test_paths(path, found):
    assert parse_path(path) == found


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("things", "no entity set 'things'", "Things"),
        ("Thing(1)", "no entity set 'Thing'", "Things"),
        ("Sensor", "no entity set", "Sensors"),
        ("xyz", "no entity set", "there are Things, Locations"),
        ("$ref", "no entity set", ""),
        ("Things('x')", "no entity", "whole numbers"),
        ("Things('5')", "no entity", "whole numbers"),
        ("Things(-5)", "no entity", "whole numbers"),
        ("Things()", "no entity", "whole numbers"),
        ("Things(5.0)", "no entity", "whole numbers"),
        ("Things(٣)", "no entity", "whole numbers"),
        ("Things(1)(2)", "", ""),
        ("Things(9223372036854775808)", "no entity", "whole numbers"),
        (f"Things({'9' * 5000})", "no entity", "whole numbers"),
        ("Things(1", "no entity set", ""),
        ("Things(1)x", "no entity set", ""),
        ("Things(1)/nam", "Thing has no 'nam'", "name"),
        ("Things(1)/datastreams", "Thing has no 'datastreams'", "Datastreams"),
        ("Things(1)/Sensor", "Thing has no 'Sensor'", ""),
        ("Things(1)/Datastreams/Sensor", "needs one entity", "Datastreams(1)"),
        ("Things/name", "needs one entity", "Things(1)"),
        ("Things/$count", "no resource", "$count=true"),
        ("Things/$value", "only a property", "name/$value"),
        ("Things(1)/$value", "only a property", "name/$value"),
        ("Things(1)/name/$ref", "only entities", "$value"),
        ("Things/$ref/$ref", "", "leave out"),
        ("Things(1)/name/x", "no parts", ""),
        ("Things(1)/name(1)", "", ""),
        ("Things(1)/id/x", "no parts", ""),
        ("Observations(1)/phenomenonTime/x", "no parts", ""),
        ("Datastreams(1)/Thing(5)", "without an id", "leave out (5)"),
        ("Things(1)//name", "has no ''", ""),
        ("Things(1)/properties//a", "empty", "double /"),
        ("///", "", ""),
    ],
)
def test_what_is_not_there_is_not_found(path, message, hint):
    with pytest.raises(NotFoundError) as caught:
        parse_path(path)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("Things(1)/properties/%ff", "UTF-8"),
        ("Things(1)/properties/\ud800", "UTF-8"),
        ("Things(1)/" + "Datastreams(1)/Thing/" * (MAX_STEPS // 2), "more than 50"),
        ("Things(1)/properties/" + "x" * MAX_LENGTH, "longer than"),
    ],
)
def test_paths_that_nobody_means_are_refused(path, message):
    with pytest.raises(BadRequestError, match=message):
        parse_path(path)


def test_a_path_may_be_as_deep_as_the_limit():
    path = "/".join(["Things(1)", *["Datastreams(1)", "Thing"] * ((MAX_STEPS - 1) // 2)])
    assert len(parse_path(path).steps) == MAX_STEPS - 1


@pytest.mark.parametrize("entity_set", ENTITY_SETS.values(), ids=lambda each: each.name)
def test_every_property_and_link_of_the_model_has_a_path(entity_set):
    step = Step(entity_set.name, 3)
    for name in entity_set.properties:
        assert parse_path(f"{entity_set.name}(3)/{name}") == ResourcePath((step,), (name,))
    for name in entity_set.links:
        assert parse_path(f"{entity_set.name}(3)/{name}") == ResourcePath((step, Step(name)))


@given(st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=8))
def test_keys_of_properties_may_be_any_text(keys):
    found = parse_path("Things(1)/properties/" + "/".join(quote(each, safe="") for each in keys) + "/$value")
    assert found.property == ("properties", *keys)


@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [*ENTITY_SETS, "Thing", "name", "properties", "(1)", "/", "/", "$ref", "%", "%2", "("]
        )
    ).map("".join)
)
def test_any_text_is_a_path_or_a_wrong_one(text):
    with suppress(BadRequestError, NotFoundError):
        found = parse_path(text)
        assert len(found.steps) + len(found.property) <= MAX_STEPS
