"""The deployment files, checked with the programs that read them."""

import re
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest
import yaml
from paho.mqtt import client as mqtt
from servers import free_port, wait_for

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
NAMES = re.findall(r"^([A-Z0-9_]+)=", (ROOT / "deploy/env.example").read_text(), re.MULTILINE)


def program(name):
    return (
        shutil.which(name) or shutil.which(name, path="/usr/sbin") or pytest.skip(f"{name} is not installed")
    )


def compose(folder, *arguments, **environment):
    (folder / "empty.env").touch()
    return subprocess.run(
        [program("docker-compose"), "--env-file", folder / "empty.env", "-f", COMPOSE, *arguments],
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compose")
    done = compose(folder, "config", **dict.fromkeys(NAMES, "secret"))
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)["services"]


def test_compose_names_the_services_of_a_city(services):
    assert {"mosquitto", "influxdb", "stadtfunk", "caddy"} == {
        name for name, service in services.items() if "profiles" not in service
    }
    assert {"chirpstack", "gateway-bridge", "postgres", "redis"} == {
        name for name, service in services.items() if service.get("profiles") == ["chirpstack"]
    }


def test_compose_refuses_a_missing_secret_by_name(tmp_path):
    secrets = dict.fromkeys(NAMES, "secret")
    for name in ("STADTFUNK_MQTT_PASSWORD", "INFLUXDB_TOKEN", "STADTFUNK_TOKEN_SHA256", "STADTFUNK_HOST"):
        done = compose(tmp_path, "config", **{k: v for k, v in secrets.items() if k != name})
        assert done.returncode != 0
        assert name in done.stderr


def test_every_name_of_the_example_is_used(services):
    used = COMPOSE.read_text()
    for name in NAMES:
        assert f"${{{name}" in used, name


def test_the_app_can_write_only_to_its_journal(services):
    app = services["stadtfunk"]
    assert app["read_only"] is True
    assert app["cap_drop"] == ["ALL"]
    writable = [volume for volume in app["volumes"] if not volume.endswith(":ro")]
    assert writable == ["journal:/var/lib/stadtfunk:rw"]
    assert [entry.split(":")[0] for entry in app["tmpfs"]] == ["/tmp"]
    assert "ports" not in app


def test_only_caddy_and_the_gateways_are_reached_from_outside(services):
    assert "ports" not in services["mosquitto"]
    assert "ports" not in services["influxdb"]
    assert services["chirpstack"]["ports"] == ["127.0.0.1:8081:8080/tcp"]
    assert {port["published"] for port in services["caddy"]["ports"]} == {80, 443}


def test_everything_mounted_exists(services):
    for name, service in services.items():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("/"):
                assert Path(source).exists(), (name, volume)


def test_the_image_is_made_by_the_set_up_of_run():
    lines = (ROOT / "Dockerfile").read_text()
    assert "RUN ./run setup" in lines
    assert "pip install" not in lines
    assert re.search(r"^USER stadtfunk$", lines, re.MULTILINE)
    assert "/livez" in lines
    copied = set(re.findall(r"^COPY (\w+) \1$", lines, re.MULTILINE))
    assert copied == {"devices", "ingest", "alerts", "api", "stadtfunk"}
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    for name in re.findall(r"^COPY (run .*) \./$", lines, re.MULTILINE)[0].split():
        assert (ROOT / name).exists()
        assert any(f"!{name}" == rule or name.startswith(rule[1:].split("*")[0]) for rule in ignored[1:]), (
            name
        )


def test_caddy_accepts_its_file(tmp_path):
    done = subprocess.run(
        [
            program("caddy"),
            "adapt",
            "--validate",
            "--config",
            ROOT / "deploy/Caddyfile",
            "--adapter",
            "caddyfile",
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "STADTFUNK_HOST": "city.example.org"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "city.example.org" in done.stdout
    assert "stadtfunk:8080" in done.stdout


class Broker:
    """mosquitto with our configuration and ACL, and a port and a folder of its own."""

    def __init__(self, folder):
        self.port = free_port()
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        for user in ("stadtfunk", "chirpstack", "gateway"):
            subprocess.run(
                [program("mosquitto_passwd"), "-b", passwords, user, f"{user}-secret"],
                check=True,
                capture_output=True,
            )
        acl = folder / "acl"
        shutil.copy(ROOT / "deploy/mosquitto/acl", acl)
        acl.chmod(0o600)
        text = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()
        for ours, theirs in {
            "listener 1883\n": f"listener {self.port} 127.0.0.1\n",
            "/mosquitto/data/passwords": str(passwords),
            "/mosquitto/config/acl": str(acl),
            "/mosquitto/data/": f"{folder}/",
        }.items():
            assert ours in text
            text = text.replace(ours, theirs)
        (folder / "mosquitto.conf").write_text(f"{text}user root\n")
        self.process = subprocess.Popen(
            [program("mosquitto"), "-c", folder / "mosquitto.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
        wait_for(self.listens, what="mosquitto")

    def listens(self):
        with socket.socket() as knock:
            return knock.connect_ex(("127.0.0.1", self.port)) == 0

    def command(self, name, user, password, *arguments):
        login = ["-u", user, "-P", password] if user else []
        return [program(name), "-h", "127.0.0.1", "-p", str(self.port), *login, *arguments]

    def publish(self, user, topic, password=None):
        return subprocess.run(
            self.command(
                "mosquitto_pub", user, password or f"{user}-secret", "-q", "1", "-t", topic, "-m", "x"
            ),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    broker = Broker(tmp_path_factory.mktemp("mosquitto"))
    yield broker
    broker.stop()


@pytest.mark.parametrize(("user", "password"), [(None, None), ("stadtfunk", "wrong"), ("somebody", "secret")])
def test_the_broker_refuses_a_stranger(broker, user, password):
    done = broker.publish(user, "application/1/device/2/event/up", password)
    assert done.returncode != 0
    assert "ot authori" in done.stderr


@pytest.mark.parametrize(
    ("sender", "topic", "reader", "arrives"),
    [
        ("chirpstack", "application/1/device/2/event/up", "stadtfunk", True),
        ("chirpstack", "application/1/device/2/event/status", "stadtfunk", True),
        ("stadtfunk", "application/1/device/2/event/up", "stadtfunk", False),
        ("stadtfunk", "application/1/device/2/command/down", "chirpstack", False),
        ("gateway", "application/1/device/2/event/up", "stadtfunk", False),
        ("gateway", "eu868/gateway/3/event/up", "chirpstack", True),
        ("gateway", "eu868/gateway/3/event/up", "stadtfunk", False),
    ],
)
def test_the_acl_gives_each_user_its_own_topics(broker, sender, topic, reader, arrives):
    """The reader asks for every topic; a second message, on a topic it may read, ends the wait."""
    ends = "eu868/gateway/9/event/end" if reader == "chirpstack" else "application/9/device/9/event/end"
    subscribed, ended, heard = threading.Event(), threading.Event(), []
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.username_pw_set(reader, f"{reader}-secret")
    client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
    client.on_subscribe = lambda *_: subscribed.set()

    def on_message(_client, _userdata, message):
        heard.append(message.topic)
        if message.topic == ends:
            ended.set()

    client.on_message = on_message
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    try:
        assert subscribed.wait(60)
        assert broker.publish(sender, topic).returncode == 0
        assert broker.publish("chirpstack", ends).returncode == 0
        assert ended.wait(60)
    finally:
        client.disconnect()
        client.loop_stop()
    assert heard == ([topic, ends] if arrives else [ends])


def test_the_systemd_unit_is_one(tmp_path):
    unit = tmp_path / "stadtfunk.service"
    text = (
        (ROOT / "deploy" / "stadtfunk.service")
        .read_text()
        .replace("/opt/stadtfunk/.venv/bin/stadtfunk", "/bin/true")
    )
    unit.write_text(text)
    answer = subprocess.run(
        [program("systemd-analyze"), "verify", unit], capture_output=True, text=True, check=False
    )
    assert "stadtfunk.service" not in answer.stderr
