BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE artifacts (
	id INTEGER NOT NULL, 
	zone VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	pipeline VARCHAR NOT NULL, 
	operator VARCHAR NOT NULL, 
	operator_version INTEGER NOT NULL, 
	fingerprint VARCHAR NOT NULL, 
	checksum VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	media_type VARCHAR NOT NULL, 
	coordinates JSON NOT NULL, 
	facts JSON NOT NULL, 
	run_id VARCHAR NOT NULL, 
	made_at VARCHAR NOT NULL, 
	current BOOLEAN NOT NULL, 
	CONSTRAINT pk_artifacts PRIMARY KEY (id), 
	CONSTRAINT uq_artifacts_zone_key UNIQUE (zone, "key"), 
	CONSTRAINT ck_artifacts_fingerprint CHECK (length(fingerprint) = 64), 
	CONSTRAINT ck_artifacts_checksum CHECK (length(checksum) = 64)
);
INSERT INTO "artifacts" VALUES(1,'silver','stack/a.00000000.tif','stack','flood','stack',1,'0000000000000000000000000000000000000000000000000000000000000061','1600000000000000000000000000000000000000000000000000000000000000',12,'image/tiff','{"tile":"a","year":"2050"}','{"bands":[{"description":"1in5"}]}','run-1','2026-01-02T03:04:05Z',0);
INSERT INTO "artifacts" VALUES(2,'silver','stack/a.00000001.tif','stack','flood','stack',1,'0000000100000000000000000000000000000000000000000000000000000061','1600000000000000000000000000000000000000000000000000000010000000',13,'image/tiff','{"tile":"a","year":"2050"}','{"bands":[{"description":"1in5"}]}','run-1','2026-01-02T03:04:05Z',1);
INSERT INTO "artifacts" VALUES(3,'silver','stack/b.00000000.tif','stack','flood','stack',1,'0000000000000000000000000000000000000000000000000000000000000062','2600000000000000000000000000000000000000000000000000000000000000',12,'image/tiff','{"tile":"b","year":"2050"}','{"bands":[{"description":"1in5"}]}','run-1','2026-01-02T03:04:05Z',1);
CREATE TABLE collections (
	id VARCHAR NOT NULL, 
	document JSON NOT NULL, 
	CONSTRAINT pk_collections PRIMARY KEY (id)
);
INSERT INTO "collections" VALUES('flood','{"id":"flood","type":"Collection"}');
CREATE TABLE inputs (
	artifact_id INTEGER NOT NULL, 
	position INTEGER NOT NULL, 
	zone VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	identity VARCHAR NOT NULL, 
	CONSTRAINT pk_inputs PRIMARY KEY (artifact_id, position), 
	CONSTRAINT fk_inputs_artifacts FOREIGN KEY(artifact_id) REFERENCES artifacts (id) ON DELETE CASCADE
);
INSERT INTO "inputs" VALUES(1,0,'bronze','a/1in5.tif','etag-0');
INSERT INTO "inputs" VALUES(1,1,'bronze','a/1in10.tif','etag-0');
INSERT INTO "inputs" VALUES(2,0,'bronze','a/1in5.tif','etag-1');
INSERT INTO "inputs" VALUES(2,1,'bronze','a/1in10.tif','etag-1');
INSERT INTO "inputs" VALUES(3,0,'bronze','b/1in5.tif','etag-0');
INSERT INTO "inputs" VALUES(3,1,'bronze','b/1in10.tif','etag-0');
CREATE TABLE items (
	collection_id VARCHAR NOT NULL, 
	id VARCHAR NOT NULL, 
	artifact_id INTEGER NOT NULL, 
	document JSON NOT NULL, 
	CONSTRAINT pk_items PRIMARY KEY (collection_id, id), 
	CONSTRAINT fk_items_collections FOREIGN KEY(collection_id) REFERENCES collections (id), 
	CONSTRAINT fk_items_artifacts FOREIGN KEY(artifact_id) REFERENCES artifacts (id)
);
INSERT INTO "items" VALUES('flood','a',2,'{"collection":"flood","id":"a","type":"Feature","version":1}');
INSERT INTO "items" VALUES('flood','b',3,'{"collection":"flood","id":"b","type":"Feature","version":0}');
CREATE TABLE sources (
	pipeline VARCHAR NOT NULL, 
	zone VARCHAR NOT NULL, 
	"key" VARCHAR NOT NULL, 
	etag VARCHAR NOT NULL, 
	size BIGINT NOT NULL, 
	coordinates JSON, 
	status VARCHAR NOT NULL, 
	facts JSON NOT NULL, 
	problem JSON, 
	CONSTRAINT pk_sources PRIMARY KEY (pipeline, zone, "key"), 
	CONSTRAINT ck_sources_status CHECK (status IN ('ok', 'rejected'))
);
INSERT INTO "sources" VALUES('flood','bronze','a/1in5.tif','etag-1',12,'{"tile":"a","year":"2050"}','ok','{"grid":{}}',NULL);
INSERT INTO "sources" VALUES('flood','bronze','b.tif','etag-2',3,NULL,'rejected','{}','{"code":"UnmatchedName","hint":"","message":"no pattern","transient":false,"where":"b.tif"}');
CREATE INDEX ix_artifacts_fingerprint ON artifacts (fingerprint);
CREATE INDEX ix_artifacts_pipeline_kind_coordinates ON artifacts (pipeline, kind, coordinates);
CREATE UNIQUE INDEX uq_artifacts_current ON artifacts (pipeline, kind, coordinates) WHERE current = 1;
CREATE INDEX ix_inputs_zone_key ON inputs (zone, "key");
CREATE INDEX ix_items_artifact_id ON items (artifact_id);
COMMIT;
