"""Codecs in JavaScript as makers write them, written for these tests, with field maps.

A level sensor whose payload is channel, type, value: `01 75 NN` battery in %, `03 82 LLHH` distance in mm. A
maker changed what it gives for the same bytes from metres to millimetres. And a weather station of which one
version of the codec does not know the channel of the rain.
"""

import hashlib

LEVEL_PAYLOAD = bytes.fromhex("01756403821E00")
WEATHER_PAYLOAD = bytes.fromhex("01756403671001046871058400010673aa270792920108EC8D13000025")

_WALK = """
function decodeUplink(input) {
  var b = input.bytes, data = {}, warnings = [], i = 0;
  while (i + 1 < b.length) {
    var tag = b[i] << 8 | b[i + 1];
    i += 2;
    %s
    else { warnings.push('unknown channel ' + tag.toString(16)); break; }
  }
  return {data: data, warnings: warnings};
}
"""
_LEVEL = """if (tag === 0x0175) { data.battery = b[i]; i += 1; }
    else if (tag === 0x0382) { data.distance = (b[i] | b[i + 1] << 8)%s; i += 2; }"""
IN_METRES = _WALK % (_LEVEL % " / 1000")
IN_MILLIMETRES = _WALK % (_LEVEL % "")

_WEATHER = """if (tag === 0x0175) { data.battery = b[i]; i += 1; }
    else if (tag === 0x0367) { data.temperature = (b[i] | b[i + 1] << 8) / 10; i += 2; }
    else if (tag === 0x0468) { data.humidity = b[i] / 2; i += 1; }
    else if (tag === 0x0584) { data.wind_direction = (b[i] | b[i + 1] << 8) / 10; i += 2; }
    else if (tag === 0x0673) { data.pressure = (b[i] | b[i + 1] << 8) / 10; i += 2; }
    else if (tag === 0x0792) { data.wind_speed = (b[i] | b[i + 1] << 8) / 10; i += 2; }
    else if (tag === 0x08ec) { %s i += 5; }"""
WITH_RAIN = _WALK % (
    _WEATHER
    % "data.rainfall_total = (b[i] | b[i + 1] << 8 | b[i + 2] << 16) / 100; data.rainfall_counter = b[i + 4];"
)
WITHOUT_RAIN = _WALK % (_WEATHER % "")


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def level_map(codec, unit="m", more=""):
    return f"""
maker = "Acme"
model = "L1"
names = {{ de = "Pegelsonde", en = "Level sensor" }}
theme = "level"
interval_s = 600
codec_sha256 = "{sha256(codec)}"
{more}

[[field]]
path = "distance"
property = "water_distance"
unit = "{unit}"
required = true

[[field]]
path = "battery"
property = "battery_level"
unit = "%"
"""


def weather_map(codec):
    return f"""
maker = "Acme"
model = "W1"
names = {{ de = "Wetterstation", en = "Weather station" }}
interval_s = 600
codec_sha256 = "{sha256(codec)}"

[[field]]
path = "rainfall_total"
property = "precipitation_total"
unit = "mm"
kind = "counter"
wrap = 167772.16
required = true

[[field]]
path = "temperature"
property = "air_temperature"
unit = "Cel"
"""


def write_type(folder, name, codec, map_):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.js").write_bytes(codec.encode())
    (folder / f"{name}.toml").write_bytes(map_.encode())
