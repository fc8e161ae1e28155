-- Tables of SensorThings entities. Times are microseconds since the epoch, UTC; JSON is text.
-- A scratch instance keeps all of them. A city fills all but the observations, which stay in its store.

CREATE TABLE things(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, properties TEXT);

CREATE TABLE locations(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, encoding_type TEXT NOT NULL,
    location TEXT NOT NULL, properties TEXT);

CREATE TABLE things_locations(
    thing_id INTEGER NOT NULL REFERENCES things ON DELETE CASCADE,
    location_id INTEGER NOT NULL REFERENCES locations ON DELETE CASCADE,
    PRIMARY KEY(thing_id, location_id)) WITHOUT ROWID;
CREATE INDEX things_of_location ON things_locations(location_id, thing_id);

CREATE TABLE historical_locations(
    id INTEGER PRIMARY KEY, time INTEGER NOT NULL,
    thing_id INTEGER NOT NULL REFERENCES things ON DELETE CASCADE);
CREATE INDEX historical_locations_of_thing ON historical_locations(thing_id, time);

CREATE TABLE locations_historical_locations(
    location_id INTEGER NOT NULL REFERENCES locations ON DELETE CASCADE,
    historical_location_id INTEGER NOT NULL REFERENCES historical_locations ON DELETE CASCADE,
    PRIMARY KEY(location_id, historical_location_id)) WITHOUT ROWID;
CREATE INDEX locations_of_historical_location
    ON locations_historical_locations(historical_location_id, location_id);

CREATE TABLE sensors(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, encoding_type TEXT NOT NULL,
    metadata TEXT NOT NULL, properties TEXT);

CREATE TABLE observed_properties(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, definition TEXT NOT NULL, description TEXT NOT NULL,
    properties TEXT);

CREATE TABLE datastreams(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL,
    observation_type TEXT NOT NULL, unit_of_measurement TEXT NOT NULL, observed_area TEXT, properties TEXT,
    thing_id INTEGER NOT NULL REFERENCES things ON DELETE CASCADE,
    sensor_id INTEGER NOT NULL REFERENCES sensors ON DELETE CASCADE,
    observed_property_id INTEGER NOT NULL REFERENCES observed_properties ON DELETE CASCADE);
CREATE INDEX datastreams_of_thing ON datastreams(thing_id);
CREATE INDEX datastreams_of_sensor ON datastreams(sensor_id);
CREATE INDEX datastreams_of_observed_property ON datastreams(observed_property_id);

CREATE TABLE features(
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, encoding_type TEXT NOT NULL,
    feature TEXT NOT NULL, properties TEXT);
