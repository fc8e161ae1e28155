from residents import city

from alerts.delivery.mass_mail import steps


def told(*actions):
    made, _ = steps([city(number, action) for number, action in enumerate(actions, 1)], {})
    return [each.kind for each in made]


def test_an_update_that_is_only_proposed_or_declined_is_no_mailing():
    assert told("propose", "release", "propose") == ["release"]
    assert told("propose", "release", "propose", "decline") == ["release"]
    assert told("release", "propose", "update", "all_clear") == ["release", "update", "all_clear"]
