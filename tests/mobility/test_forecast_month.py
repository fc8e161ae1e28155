"""Forecasts of car parks against both baselines, on weeks of the simulated town that were held out.

The town knows nothing of the forecast, and the forecast nothing of the town: it has market days,
a Good Friday and an Easter Monday among the held-out days.
"""

import pytest
from forecast_judged import ALWAYS, BY_DAY, simulated

from alerts.mobility.forecast_days import AHEAD, AS_LAST_WEEK, AS_NOW, LEARNED


@pytest.fixture(scope="module")
def held_out():
    return simulated()


@pytest.mark.parametrize("quarters", [2, 4])
def test_both_baselines_are_beaten_half_an_hour_and_an_hour_ahead(held_out, quarters):
    ahead = AHEAD.index(quarters)
    for station, judged in held_out.items():
        ours = judged.mae(LEARNED, ahead)
        assert ours < judged.mae(AS_NOW, ahead), station
        assert ours < judged.mae(AS_LAST_WEEK, ahead), station


def test_a_quarter_of_an_hour_ahead_it_is_hardly_worse_than_as_now(held_out):
    for station, judged in held_out.items():
        assert judged.mae(LEARNED, 0) < 1.05 * judged.mae(AS_NOW, 0), station
        assert judged.mae(LEARNED, 0) < judged.mae(AS_LAST_WEEK, 0), station


@pytest.mark.parametrize("hours", [ALWAYS, BY_DAY], ids=["always", "by day"])
def test_the_interval_holds_about_what_it_says(held_out, hours):
    for station, judged in held_out.items():
        for ahead in range(len(AHEAD)):
            assert 0.7 < judged.coverage(ahead, hours) < 0.9, (station, ahead)


def test_every_moment_of_the_held_out_weeks_has_a_forecast(held_out):
    for judged in held_out.values():
        # but for the last hour, of which nobody knows what came
        assert judged.issued[:-1].all()
        assert judged.issued[-1, :-4].all()
