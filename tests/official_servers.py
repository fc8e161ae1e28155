"""A real HTTP server that answers as the official sources do; the shapes are theirs, the values invented."""

import io
import json
import threading
import time
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

UUID = "a6ee8177-107b-47dd-bcfd-30960ccc6e9c"
NRW_NO = "2736900000100"
CELL, DISTRICT = "805378004", "105378000"
MEZ = timezone(timedelta(hours=1))


@dataclass
class Page:
    """What one address answers. `seconds`: how long it takes between pieces of the body."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    seconds: float = 0.0


class OfficialServer:
    """Serves `pages` by path, with ETags; remembers who asked for what."""

    def __init__(self):
        self.pages: dict[str, Page] = {}
        self.asked: Counter = Counter()
        self.not_modified: Counter = Counter()
        self.headers: list = []
        self.targets: list = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                outer.asked[path] += 1
                outer.headers.append(dict(self.headers))
                outer.targets.append(self.path)
                page = outer.pages.get(path, Page(b"nothing here", 404))
                etag = f'"{hash(page.body) & 0xFFFFFFFF:x}"'
                if page.status == 200 and self.headers.get("If-None-Match") == etag:
                    outer.not_modified[path] += 1
                    self.send_response(304)
                    self.send_header("ETag", etag)
                    self.end_headers()
                    return
                self.send_response(page.status)
                for name, value in {"ETag": etag, **page.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page.body)))
                self.end_headers()
                try:
                    step = max(len(page.body) // 50, 1) if page.seconds else max(len(page.body), 1)
                    for start in range(0, len(page.body), step):
                        self.wfile.write(page.body[start : start + step])
                        time.sleep(page.seconds)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def iso(time_us, zone=UTC):
    return datetime.fromtimestamp(time_us / 1e6, zone).isoformat(timespec="seconds")


def pegel_station(  # noqa: PLR0913 - what a gauge can be like
    time_us, value, *, state="normal", comment=None, uuid=UUID, unit="cm", **changes
):
    """One element of PEGELONLINE's stations.json."""
    series = {
        "shortname": "W",
        "longname": "WASSERSTAND ROHDATEN",
        "unit": unit,
        "equidistance": 15,
        "currentMeasurement": {
            "timestamp": iso(time_us, timezone(timedelta(hours=2))),
            "value": value,
            "stateMnwMhw": state,
            "stateNswHsw": "unknown",
        },
        "gaugeZero": {"unit": "m. ü. NHN", "value": 34.98, "validFrom": "2019-11-01"},
        "characteristicValues": [
            {"shortname": "MNW", "longname": "MNW", "unit": "cm", "value": 150.0},
            {"shortname": "MHW", "longname": "MHW", "unit": "cm", "value": 720.0},
            {"shortname": "M_I", "longname": "MARKE I", "unit": "cm", "value": 620.0},
            {"shortname": "M_II", "longname": "MARKE II", "unit": "cm", "value": 830.0},
        ],
    }
    if comment:
        series["comment"] = {"shortDescription": comment, "longDescription": f"{comment} (lang)"}
    station = {
        "uuid": uuid,
        "number": "2730010",
        "shortname": "KÖLN",
        "longname": "KÖLN",
        "km": 688.0,
        "agency": "WSA RHEIN",
        "longitude": 6.9633,
        "latitude": 50.9369,
        "water": {"shortname": "RHEIN", "longname": "RHEIN"},
        "timeseries": [series],
    }
    return station | changes


def pegel_stations(*stations):
    return json.dumps(list(stations)).encode()


def pegel_history(*rows):
    return json.dumps([{"timestamp": iso(time_us), "value": value} for time_us, value in rows]).encode()


def zipped(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def nrw_time(time_us):
    return datetime.fromtimestamp(time_us / 1e6, MEZ).isoformat(timespec="milliseconds")


def nrw_values(*rows):
    """messwerte.zip: rows (station_no, µs or None, value); a block ends with empty fields."""
    lines = ["station_no;time;value(cm)"]
    lines += [f"{no};{'' if at is None else nrw_time(at)};{value}" for no, at, value in rows]
    return zipped({"messwerte.txt": "\r\n".join(lines) + "\r\n"})


def nrw_station(no=NRW_NO, **changes):
    """One element of layers/10/index.json."""
    station = {
        "ts_id": 88499010,
        "timestamp": "2026-06-09T20:45:00.000+01:00",
        "ts_value": "32.00",
        "station_latitude": 50.9912,
        "station_longitude": 7.1301,
        "ts_name": "Wasserstand.Internet.15",
        "ts_shortname": "15m.Cmd.Internet",
        "station_id": "28723",
        "station_no": no,
        "site_no": "100",
        "station_name": "Bergisch_Gladbach",
        "ts_unitsymbol": "cm",
        "stationparameter_no": "S",
        "catchment_name": "Rheingraben-Nord",
        "WTO_OBJECT": "Strunde",
        "WEB_STATYPE": "Infopegel",
        "LANUV_MHW": "60.0",
        "LANUV_Info_1": "80.0",
        "LANUV_Info_2": "110.0",
        "LANUV_Info_3": "140.0",
    }
    return {key: value for key, value in (station | changes).items() if value is not None}


def cap(  # noqa: PLR0913 - what a message can be like
    number, onset_us, expires_us, *, code=62, severity="Severe", urgency="Immediate", **how
):
    """One DWD message. `references`: identifiers; `cells`; `message`: msgType; `status`; `response`."""
    identifier = identifier_of(number)
    references = how.get("references", ())
    expires = "" if expires_us is None else f"<expires>{iso(expires_us, MEZ)}</expires>"
    areas = "".join(
        f"""<area><areaDesc>Stadt {cell}</areaDesc>
        <geocode><valueName>WARNCELLID</valueName><value>{cell}</value></geocode>
        <altitude>0.0</altitude><ceiling>{how.get("ceiling", "9842.5197")}</ceiling></area>"""
        for cell in how.get("cells", (CELL,))
    )
    referred = f"<references>opendata@dwd.de,{' '.join(references)},{iso(onset_us)}</references>"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>{identifier}</identifier>
  <sender>opendata@dwd.de</sender>
  <sent>{iso(how.get("sent_us", onset_us), MEZ)}</sent>
  <status>{how.get("status", "Actual")}</status>
  <msgType>{how.get("message", "Alert")}</msgType>
  <source>PVW</source>
  <scope>Public</scope>
  {referred if references else ""}
  <info>
    <language>de-DE</language>
    <category>Met</category>
    <event>HEFTIGER STARKREGEN</event>
    <responseType>{how.get("response", "Prepare")}</responseType>
    <urgency>{urgency}</urgency>
    <severity>{severity}</severity>
    <certainty>Likely</certainty>
    <eventCode><valueName>PROFILE_VERSION</valueName><value>2.1.13</value></eventCode>
    <eventCode><valueName>II</valueName><value>{code}</value></eventCode>
    <eventCode><valueName>GROUP</valueName><value>RAIN</value></eventCode>
    <eventCode><valueName>AREA_COLOR</valueName><value>229 57 53</value></eventCode>
    <effective>{iso(how.get("sent_us", onset_us), MEZ)}</effective>
    <onset>{iso(onset_us, MEZ)}</onset>
    {expires}
    <senderName>Deutscher Wetterdienst</senderName>
    <headline>Amtliche UNWETTERWARNUNG vor HEFTIGEM STARKREGEN {number}</headline>
    <description>Es tritt heftiger Starkregen auf &amp; mehr.</description>
    <instruction>Keller &lt;räumen&gt;.</instruction>
    <web>https://www.wettergefahren.de</web>
    {areas}
  </info>
</alert>"""


def identifier_of(number):
    return f"2.49.0.0.276.0.DWD.PVW.178600164{number:04d}.dbb327c5-0000-4a5c-8f3e-000000000000.DEU"


def caps(*messages):
    return zipped({f"{number}.xml": message for number, message in enumerate(messages)})
