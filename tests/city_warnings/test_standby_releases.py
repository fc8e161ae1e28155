"""A stand-by does not release what somebody declined at the first instance, of which it cannot hear."""

from city_hall import Hall

from alerts.city.release import ReleaseRule, Releases
from alerts.rules import Rules
from stadtfunk.settings import City, Settings, StandbyTable
from stadtfunk.standby import releases_of

RULE = ReleaseRule(id="early", severity=("Moderate",), auto_after="10 min")


def test_a_stand_by_releases_nothing_by_a_rule(tmp_path):
    rules = Rules("rules.toml", (), releases=Releases((RULE,)))
    city = Settings(source=tmp_path / "city.toml", city=City(name="Teststadt"))
    standby = city.model_copy(update={"standby": StandbyTable(of="first", watch=("https://first/readyz",))})
    ends = {}
    for name, settings in (("first", city), ("standby", standby)):
        (tmp_path / name).mkdir()
        hall = Hall(tmp_path / name, releases_of(settings, rules))
        try:
            hall.notice("raise", 2)
            hall.later(11)
            ends[name] = hall.one.status
        finally:
            hall.close()
    assert ends == {"first": "in_force", "standby": "proposed"}
