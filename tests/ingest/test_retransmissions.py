"""Frame counters through the whole intake: what is the same uplink again, and what is another one."""

import pytest
from uplink_messages import EUI, NOW_US, RAIN, chirpstack, message

from devices.catalogue import load_catalogue
from devices.registry import RegistryFile
from ingest.dedup import HOUR_US
from ingest.network_servers import PARSERS
from ingest.pipeline import Intake, Taken

CATALOGUE = load_catalogue()
DRIER = bytes.fromhex("0202f8000300000258409a00000c54")


@pytest.fixture
def intake(journal):
    device = {"dev_eui": EUI, "type": "decentlab-dl-tbrg", "station": "s", "lat": 51.0, "lon": 7.0}
    registry = RegistryFile(None, [device], catalogue=CATALOGUE)
    return Intake(
        journal, registry, CATALOGUE, {"stadtwerke": PARSERS["chirpstack-v4"].parse}, lambda: NOW_US
    )


def take(intake, f_cnt, payload=RAIN, arrived_us=NOW_US, **more):
    """Every message has a deduplication id of its own."""
    return intake.take([message(chirpstack(f_cnt=f_cnt, payload=payload, **more), arrived_us=arrived_us)])


def test_a_confirmed_uplink_that_is_sent_again_counts_once(intake):
    assert take(intake, 7, confirmed=True) == Taken(accepted=1)
    assert take(intake, 7, confirmed=True, dr=3) == Taken(duplicates=1)
    assert take(intake, 7, confirmed=True, arrived_us=NOW_US + 47 * HOUR_US) == Taken(duplicates=1)
    assert take(intake, 7, confirmed=True, arrived_us=NOW_US + 50 * HOUR_US) == Taken(duplicates=1)
    # the window has passed: now it is another one
    assert take(intake, 8, arrived_us=NOW_US + 51 * HOUR_US) == Taken(accepted=1)
    assert take(intake, 7, arrived_us=NOW_US + 51 * HOUR_US) == Taken(accepted=1)


def test_counters_start_again(intake):
    """A 16-bit counter that wraps and an ABP device that was reset: the same number, another payload."""
    assert take(intake, 65_535) == Taken(accepted=1)
    assert take(intake, 0) == Taken(accepted=1)
    assert take(intake, 65_535, DRIER) == Taken(accepted=1)
    assert take(intake, 0, DRIER) == Taken(accepted=1)


def test_a_new_session_starts_at_zero_with_the_same_payload(intake):
    assert take(intake, 0, devAddr="01087309") == Taken(accepted=1)
    assert take(intake, 0, devAddr="01087310") == Taken(accepted=1)
    assert take(intake, 0, devAddr="01087309") == Taken(duplicates=1)
