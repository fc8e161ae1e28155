"""Who was told what is lost between a release and its end."""

from residents import subscribe
from test_mass_mail import city, done, email_only, server, town

__all__ = ["server", "town"]


def test_what_still_stands_is_told_again_and_then_its_end(town, server):
    subscribe(town.subscriptions, ["anna@example.org"])
    town.start(email_only(server))
    town.happens(city(1, "release"))
    done(town, "w1.1.release")
    town.mass.stop()
    for file in town.folder.glob("mailings.db*"):
        file.unlink()
    town.start(email_only(server))
    done(town, "w1.1.release")
    town.happens(city(2, "all_clear"))
    done(town, "w1.2.all_clear")
    assert server.taken == {"anna@example.org": 3}
