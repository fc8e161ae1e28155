-- Observations of a scratch instance. `result` holds a number or a text, `result_json` any other JSON value.

CREATE TABLE observations(
    id INTEGER PRIMARY KEY,
    phenomenon_begin INTEGER NOT NULL, phenomenon_end INTEGER,
    result, result_json TEXT,
    result_time INTEGER, result_quality TEXT, valid_begin INTEGER, valid_end INTEGER, parameters TEXT,
    datastream_id INTEGER NOT NULL REFERENCES datastreams ON DELETE CASCADE,
    feature_id INTEGER NOT NULL REFERENCES features ON DELETE CASCADE);
CREATE INDEX observations_of_datastream ON observations(datastream_id, phenomenon_begin);
CREATE INDEX observations_of_datastream_by_end
    ON observations(datastream_id, coalesce(phenomenon_end, phenomenon_begin));
CREATE INDEX observations_of_datastream_by_result_time ON observations(datastream_id, result_time);
CREATE INDEX observations_of_datastream_by_id ON observations(datastream_id);
CREATE INDEX observations_of_feature ON observations(feature_id);
