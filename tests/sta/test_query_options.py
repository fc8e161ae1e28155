from urllib.parse import quote, quote_plus

import pytest

from api.sta.errors import BadRequestError, UnsupportedError
from api.sta.expression import Binary, Number, Path, Text
from api.sta.options import Expansion, Options, Order, ResultFormat
from api.sta.query_options import LARGEST, parse_options

MAX_INT = 2147483647


def equal(name, at, value, value_at):
    literal = Number(value, value_at) if isinstance(value, int) else Text(value, value_at)
    return Binary("eq", Path((name,), at), literal, at + len(name) + 1)


@pytest.mark.parametrize(
    ("query", "options"),
    [
        ("", Options()),
        ("&&", Options()),
        ("$filter=result+eq+5", Options(filter=equal("result", 0, 5, 10))),
        ("%24filter=result%20eq%205", Options(filter=equal("result", 0, 5, 10))),
        ("$FILTER=result eq 5", Options(filter=equal("result", 0, 5, 10))),
        (b"$filter=name eq 'Stra%C3%9Fe'", Options(filter=equal("name", 0, "Straße", 8))),
        ("$filter=name eq 'Straße'".encode(), Options(filter=equal("name", 0, "Straße", 8))),
        ("$filter=name eq 'Straße'", Options(filter=equal("name", 0, "Straße", 8))),
        ("$filter=name eq 'a%26b%3Dc%2Bd'", Options(filter=equal("name", 0, "a&b=c+d", 8))),
        ("$filter=name eq 'a=b;c'", Options(filter=equal("name", 0, "a=b;c", 8))),
        ([("$filter", "name eq 'a+b&c'")], Options(filter=equal("name", 0, "a+b&c", 8))),
        ("$top=5&$skip=10&$count=true", Options(top=5, skip=10, count=True)),
        ("$top=0&$skip=0&$count=FALSE", Options(top=0, count=False)),
        ("$top=+5+", Options(top=5)),
        (f"$top={MAX_INT}", Options(top=MAX_INT)),
        (f"$top={10**30}&$skip={'9' * 5000}", Options(top=LARGEST, skip=LARGEST)),
        (f"$top={'0' * 100}7", Options(top=7)),
        ("$select=name,properties/a, id", Options(select=(("name",), ("properties", "a"), ("@iot.id",)))),
        (
            "$select=@iot.id,Datastreams,name,name",
            Options(select=(("@iot.id",), ("Datastreams",), ("name",))),
        ),
        ("$select=*", Options()),
        ("$orderby=result", Options(orderby=(Order(Path(("result",))),))),
        (
            "$orderby=result desc,id",
            Options(orderby=(Order(Path(("result",)), descending=True), Order(Path(("@iot.id",), 12)))),
        ),
        ("$resultFormat=dataArray", Options(result_format=ResultFormat.DATA_ARRAY)),
        ("$resultformat=DATAARRAY", Options(result_format=ResultFormat.DATA_ARRAY)),
        ("$resultFormat=csv", Options(result_format=ResultFormat.CSV)),
        ("$resultFormat=GEOJSON", Options(result_format=ResultFormat.GEOJSON)),
        ("$resultFormat=json", Options()),
        ("$skiptoken=MTIz", Options(skip_token="MTIz")),
        ("$skipToken=MTIz", Options(skip_token="MTIz")),
        ("key=1&key=2&top=5&_=1234&\ufffd=%ff", Options()),
    ],
)
def test_options(query, options):
    assert parse_options(query) == options


def test_plus_and_percent_mean_the_same():
    text = "name eq 'Äußerer Ring & Bahnhof; 50 % + 5'"
    assert (
        parse_options("$filter=" + quote_plus(text))
        == parse_options("$filter=" + quote(text))
        == parse_options([("$filter", text)])
    )


def test_expansions():
    assert parse_options("$expand=Datastreams,Locations").expand == (
        Expansion("Datastreams", at=0),
        Expansion("Locations", at=12),
    )
    text = (
        "Datastreams( $filter = name eq 'a);(,b''' ; $expand=Observations($top=1;$orderby=id desc),Sensor ) ,"
        " Locations()"
    )
    orders = (Order(Path(("@iot.id",), text.index("id desc")), descending=True),)
    below = (
        Expansion("Observations", Options(top=1, orderby=orders), text.index("Observations")),
        Expansion("Sensor", at=text.index("Sensor")),
    )
    assert parse_options([("$expand", text)]).expand == (
        Expansion("Datastreams", Options(filter=equal("name", 23, "a);(,b'", 31), expand=below), 0),
        Expansion("Locations", at=text.index("Locations")),
    )


def test_every_nested_option():
    query = (
        "$expand=Observations($filter=result eq 1;$expand=FeatureOfInterest;$select=@iot.id;"
        "$orderby=id;$skip=5;$top=10;$count=true)"
    )
    (expansion,) = parse_options(query).expand
    assert expansion.options == Options(
        filter=equal("result", 21, 1, 31),
        expand=(Expansion("FeatureOfInterest", at=41),),
        select=(("@iot.id",),),
        orderby=(Order(Path(("@iot.id",), 84)),),
        top=10,
        skip=5,
        count=True,
    )


@pytest.mark.parametrize(
    ("text", "same_as"),
    [
        ("Datastreams/Observations", "Datastreams($expand=Observations)"),
        ("Datastreams/Observations($top=1)", "Datastreams($expand=Observations($top=1))"),
        ("Datastreams/Thing,Datastreams/Sensor", "Datastreams($expand=Thing,Sensor)"),
        ("Datastreams,Datastreams", "Datastreams"),
        ("Datastreams/Thing,Datastreams($top=1)", "Datastreams($top=1;$expand=Thing)"),
        ("Datastreams($top=1;$expand=Thing),Datastreams/Sensor", "Datastreams($top=1;$expand=Thing,Sensor)"),
        (
            "Datastreams/Thing/Locations,Locations,Datastreams/Thing/HistoricalLocations($top=1)",
            "Datastreams($expand=Thing($expand=Locations,HistoricalLocations($top=1))),Locations",
        ),
    ],
)
def test_paths_in_expand_are_expansions_within_one_another(text, same_as):
    assert shape(parse_options([("$expand", text)])) == shape(parse_options([("$expand", same_as)]))


def shape(options):
    return options.top, [(each.link, shape(each.options)) for each in options.expand]


@pytest.mark.parametrize("name", ["$search", "$apply", "$compute", "$format", "$levels", "$Search", "$index"])
def test_options_of_odata_that_are_not_served_say_so(name):
    for query in (f"{name}=x", f"$expand=Thing({name}=x)"):
        with pytest.raises(UnsupportedError, match="is not served"):
            parse_options(query)


@pytest.mark.parametrize("expand", ["*", "Datastreams/$ref", "Datastreams/$count"])
def test_forms_of_expand_that_are_not_served_say_so(expand):
    with pytest.raises(UnsupportedError) as caught:
        parse_options(f"$expand={expand}")
    assert caught.value.option == "$expand"


@pytest.mark.parametrize(
    ("query", "option", "at", "message", "hint"),
    [
        ("$top=-1", "$top", 0, "whole number from 0", ""),
        ("$top=five", "$top", 0, "whole number from 0", ""),
        ("$top=1.5", "$top", 0, "whole number from 0", ""),
        ("$top=٣", "$top", 0, "whole number from 0", ""),
        ("$top=", "$top", 0, "empty", ""),
        ("$top", "$top", 0, "empty", ""),
        ("$skip=-1", "$skip", 0, "whole number from 0", ""),
        ("$count=1", "$count", 0, "true or false", ""),
        ("$resultFormat=xml", "$resultFormat", 0, "no format 'xml'", "dataArray, CSV, GeoJSON"),
        ("$top=1&$top=1", "$top", 0, "twice", ""),
        ("$top=1&$TOP=1", "$top", 0, "twice", ""),
        ("$selct=name", "$selct", 0, "no option '$selct'", "$select"),
        ("$=1", "$", 0, "no option", ""),
        ("$filter=", "$filter", 0, "empty", ""),
        ("$filter=a eq %ff", "$filter", None, "UTF-8", ""),
        ("$filter=a eq '\ud800'", "$filter", None, "UTF-8", ""),
        ([("$filter", "a eq '\ud800'")], "$filter", 6, "no character", ""),
        ("$filter=name eq 'a & b'", "$filter", 8, "never ends", "%26"),
        ("$orderby=name up", "$orderby", 5, "asc, desc", ""),
        ("$select=name,,id", "$select", 5, "empty", ""),
        ("$select=name eq 1", "$select", 0, "expected a property", ""),
        ("$select=properties/", "$select", 0, "expected a property", ""),
        ("$select=id,'x'", "$select", 3, "expected a property", ""),
        ("$expand=", "$expand", 0, "empty", ""),
        ("$expand=Thing,", "$expand", 6, "empty", ""),
        ("$expand=Thing,Datastrems", "$expand", 6, "no link 'Datastrems'", "Datastreams"),
        ("$expand=Thing/", "$expand", 0, "expected a link", ""),
        ("$expand=Thing/name", "$expand", 0, "no link 'name'", ""),
        ("$expand=Thing(", "$expand", 5, "never closed", ""),
        ("$expand=Thing)", "$expand", 5, "has no (", ""),
        ("$expand=Thing($top=1)Sensor", "$expand", 0, "comma", ""),
        ("$expand=Thing($top=1)($top=2)", "$expand", 12, "has no (", ""),
        ("$expand=Thing(top=1)", "$expand", 6, "expected an option", "$top"),
        ("$expand=Thing($top)", "$expand", 6, "expected =", ""),
        ("$expand=Thing($top=1;;$skip=1)", "$expand", 13, "empty", ""),
        ("$expand=Thing($top=1;$top=1)", "$expand", 18, "twice", ""),
        ("$expand=Thing($top=-1)", "$expand", 11, "$top is a whole number", ""),
        ("$expand=Thing($resultFormat=csv)", "$expand", 20, "whole request", "&"),
        ("$expand=Thing($skiptoken=a)", "$expand", 17, "whole request", "&"),
        ("$expand=Thing($filter=name = 'x')", "$expand", 19, "'='", "eq"),
        ("$expand=Thing($filter=name eq 'x)", "$expand", 22, "never ends", ""),
        ("$expand=Thing($expand=Locations($orderby=name up))", "$expand", 38, "asc, desc", ""),
        ("$expand=Thing($expand=Locatons)", "$expand", 14, "no link", "Locations"),
        ("$expand=Thing($top=1),Thing($top=1)", "$expand", 14, "twice", "one pair"),
        ("$expand=" + "Thing/Datastreams/" * 25 + "Thing", "$expand", 0, "deeper than 50", ""),
        ("$expand=" + "Thing($expand=" * 51 + "Thing" + ")" * 51, "$expand", 14 * 50, "deeper than 50", ""),
        ("$expand=" + "(" * 8000, "$expand", 7999, "never closed", ""),
        ("$expand=" + "Thing($expand=" * 5000, "$expand", 8192, "longer than 8192", ""),
        ("$skiptoken=" + "x" * 9000, "$skiptoken", 8192, "longer than 8192", ""),
    ],
)
def test_errors_say_where_what_and_how(query, option, at, message, hint):
    with pytest.raises(BadRequestError) as caught:
        parse_options(query)
    assert (caught.value.option, caught.value.at) == (option, at)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_expand_as_deep_as_the_limit():
    (expansion,) = parse_options("$expand=" + "Thing($expand=" * 49 + "Thing" + ")" * 49).expand
    depth = 1
    while expansion.options.expand:
        (expansion,) = expansion.options.expand
        depth += 1
    assert depth == 50


def test_many_paths_in_expand_are_merged():
    text = ",".join(["Datastreams/Thing", "Datastreams/Sensor"] * 220)
    assert shape(parse_options([("$expand", text)])) == (
        None,
        [("Datastreams", (None, [("Thing", (None, [])), ("Sensor", (None, []))]))],
    )


@pytest.mark.parametrize(
    "query",
    [
        "$top=2147483647&$count=true&$expand=Locations($select=location),Datastreams($select=id,name;$top=100)",
        (
            "$filter=(geo.intersects(Locations/location,geography'Polygon ((7 50, 8 50, 8 51, 7 50))'))"
            " and (name ne 'x')"
        ),
        (
            "$filter=Datastreams/properties/serviceName%20eq%20%27GL_STA_Pegel%27&$expand=Locations,Datastreams"
            "($filter=properties/layerName eq 'Wasserstand_15-Min';$expand=Observations"
            "($top=1;$orderby=phenomenonTime%20desc),ObservedProperty)"
        ),
        (
            "$filter=phenomenonTime gt 2026-07-14T10:00:00.000Z and phenomenonTime lt 2026-07-14T12:00:00Z"
            "&$select=phenomenonTime,result&$orderby=phenomenonTime+desc&$resultFormat=dataArray&$top=1000"
        ),
        "$filter=during(phenomenonTime,2026-07-14T12:00:00Z/P1D) and not (result eq null)",
        (
            "$filter=day(phenomenonTime) eq 14 and date(phenomenonTime) ge 2026-07-14"
            " and time(resultTime) lt 18:30:00"
        ),
        "$filter=phenomenonTime gt now() sub duration'PT15M'",
        (
            "$filter=substringof('Pegel',name) or indexof(tolower(name),'sülz') ge 0"
            "&$orderby=geo.distance(Locations/location,geography'POINT (7.13 50.99)')"
        ),
        "$filter=st_relate(feature,geography'POLYGON ((7 50, 8 50, 8 51, 7 50))','T********')",
        "$resultFormat=GeoJSON&$expand=Datastreams/Observations($top=1;$orderby=phenomenonTime desc)",
    ],
)
def test_what_clients_and_portals_ask_is_read(query):
    """Forms seen from QGIS, portals after Hamburg's example, dashboards and client libraries."""
    assert parse_options(query) != Options()
