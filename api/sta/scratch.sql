-- What only a scratch instance has. An id is given once, also when its entity has gone.

CREATE TABLE last_ids(name TEXT PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;

-- The FeatureOfInterest that was made from a Location, for as long as both are as they were then.
CREATE TABLE features_of_locations(
    location_id INTEGER PRIMARY KEY REFERENCES locations ON DELETE CASCADE,
    feature_id INTEGER NOT NULL REFERENCES features ON DELETE CASCADE);
CREATE INDEX locations_of_feature ON features_of_locations(feature_id);
