BEGIN TRANSACTION;
CREATE TABLE checkpoints (
	run INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	step BIGINT NOT NULL, 
	metric INTEGER NOT NULL, 
	value FLOAT, 
	time FLOAT NOT NULL, 
	PRIMARY KEY (run, attempt, step, metric), 
	FOREIGN KEY(run) REFERENCES runs (id), 
	FOREIGN KEY(metric) REFERENCES metric_names (id)
)
 WITHOUT ROWID

;
INSERT INTO "checkpoints" VALUES(1,1,1,1,0.1,4.5);
INSERT INTO "checkpoints" VALUES(1,1,1,2,NULL,4.5);
INSERT INTO "checkpoints" VALUES(1,1,2,1,0.2,4.6);
INSERT INTO "checkpoints" VALUES(3,1,1,1,0.3,5.0);
INSERT INTO "checkpoints" VALUES(3,2,1,1,0.4,7.5);
CREATE TABLE events (
	seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	"key" TEXT NOT NULL, 
	digest TEXT NOT NULL, 
	time FLOAT NOT NULL, 
	kind TEXT NOT NULL, 
	experiment INTEGER, 
	run INTEGER, 
	body TEXT NOT NULL, 
	reply TEXT NOT NULL, 
	UNIQUE ("key")
);
INSERT INTO "events" VALUES(1,'key-1','065dcde08ad2be899fc4882c918e4ad6',100.0,'CreateExperiment',1,NULL,'{"name":"first","project":"old"}','{"experiment":1}');
INSERT INTO "events" VALUES(2,'key-2','8069a40b721f71419f28222adfdcc336',101.0,'OpenSession',1,NULL,'{"epoch":1,"owner":"driver"}','{"experiment":1,"epoch":1}');
INSERT INTO "events" VALUES(3,'key-3','21c77b528e7ccd4d64b9221fc724cb8e',102.0,'CreateRun',1,1,'{"number":1,"state":"active"}','{"experiment":1,"run":1,"number":1,"attempt":1}');
INSERT INTO "events" VALUES(4,'key-4','97f1db37486f05bfacf5e280b7ca9284',103.0,'StartRun',1,1,'{"number":1,"state":"active"}','{"experiment":1,"run":1,"attempt":1}');
INSERT INTO "events" VALUES(5,'key-5','fff03af8b318dab45768e3bb6cca970b',104.0,'LogCheckpoints',1,1,'{"number":1,"state":"active","attempt":1,"step":2}','{"experiment":1,"run":1,"attempt":1}');
INSERT INTO "events" VALUES(6,'key-6','22880e00fa1e2217aaa58a7810d46498',105.0,'FinishRun',1,1,'{"number":1,"state":"completed","reason":"finished"}','{"experiment":1,"run":1,"attempt":1}');
INSERT INTO "events" VALUES(7,'key-7','d0fd7cdb8e32b3233a4058d1af6142bd',106.0,'CreateRun',1,2,'{"number":2,"state":"active"}','{"experiment":1,"run":2,"number":2,"attempt":1}');
INSERT INTO "events" VALUES(8,'key-8','955df9137fda3ef90bd9b24d6d3fba13',107.0,'FinishRun',1,2,'{"number":2,"state":"failed","reason":"raised"}','{"experiment":1,"run":2,"attempt":1}');
INSERT INTO "events" VALUES(9,'key-9','76c8af9d7421fe71977e846ea1a93b9f',108.0,'CreateRun',1,3,'{"number":3,"state":"active"}','{"experiment":1,"run":3,"number":3,"attempt":1}');
INSERT INTO "events" VALUES(10,'key-10','c0ca94b88c4aad79bdb167927aae0f53',109.0,'LogCheckpoints',1,3,'{"number":3,"state":"active","attempt":1,"step":1}','{"experiment":1,"run":3,"attempt":1}');
INSERT INTO "events" VALUES(11,'key-11','bfc64212e1a47fdf04fc42a6a9846dda',110.0,'FinishRun',1,3,'{"number":3,"state":"lost","reason":"node"}','{"experiment":1,"run":3,"attempt":1}');
INSERT INTO "events" VALUES(12,'key-12','6264955485a07b7f6be11b54c5966acf',111.0,'RetryRun',1,3,'{"number":3,"state":"active","attempt":2,"reason":"node died"}','{"experiment":1,"run":3,"attempt":2}');
INSERT INTO "events" VALUES(13,'key-13','5a78b4652127ce63ca6e4996ae94e3a3',112.0,'LogCheckpoints',1,3,'{"number":3,"state":"active","attempt":2,"step":1}','{"experiment":1,"run":3,"attempt":2}');
INSERT INTO "events" VALUES(14,'key-14','327e2f28ee6db4cda567bc7139c6602f',113.0,'CreateRun',NULL,4,'{"number":0,"state":"active"}','{"run":4,"number":0,"attempt":1}');
INSERT INTO "events" VALUES(15,'key-15','67b5f7dfeb3ec7f56ac5a87ed5dd7983',114.0,'UpdateRun',NULL,4,'{"number":0,"state":"active"}','{"run":4,"attempt":1}');
CREATE TABLE experiments (
	id INTEGER NOT NULL, 
	project TEXT NOT NULL, 
	name TEXT NOT NULL, 
	spec TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	epoch INTEGER NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(project) REFERENCES projects (name)
);
INSERT INTO "experiments" VALUES(1,'old','first','{"name":"first","project":"old","parameters":[{"name":"x","type":"double","bounds":{"min":0.0,"max":1.0}}],"metrics":[{"name":"accuracy","objective":"maximize","strategy":"optimize"}],"budget":20,"searcher":"bayesian","seed":0}',1.0,1);
CREATE TABLE meta (
	"key" TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "meta" VALUES('heliostat.schema','1');
CREATE TABLE metric_names (
	id INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
INSERT INTO "metric_names" VALUES(1,'accuracy');
INSERT INTO "metric_names" VALUES(2,'loss');
CREATE TABLE projects (
	name TEXT NOT NULL, 
	created FLOAT NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "projects" VALUES('old',1.0);
INSERT INTO "projects" VALUES('mine',8.0);
CREATE TABLE runs (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	experiment INTEGER, 
	project TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	assignments TEXT NOT NULL, 
	state TEXT NOT NULL, 
	"values" TEXT NOT NULL, 
	task TEXT, 
	origin TEXT NOT NULL, 
	searcher TEXT NOT NULL, 
	why TEXT NOT NULL, 
	predicted TEXT NOT NULL, 
	end_reason TEXT NOT NULL, 
	failure TEXT, 
	attempt INTEGER NOT NULL, 
	created FLOAT NOT NULL, 
	started FLOAT, 
	ended FLOAT, 
	metadata TEXT NOT NULL, 
	UNIQUE (experiment, number), 
	FOREIGN KEY(experiment) REFERENCES experiments (id), 
	FOREIGN KEY(project) REFERENCES projects (name)
);
INSERT INTO "runs" VALUES(1,1,'old',1,'done','{"x":0.5}','completed','{"accuracy":{"value":0.9,"stddev":0.01}}',NULL,'heliostat','sobol','space','{"accuracy":{"mean":0.5,"stddev":0.1}}','finished',NULL,1,3.0,4.0,9.0,'{"host":"n1","nan":{"$float":"NaN"}}');
INSERT INTO "runs" VALUES(2,1,'old',2,'failed','{"x":0.5}','failed','{}',NULL,'heliostat','','','{}','raised','{"kind":"user_error","message":"boom \ud83e\udd89","traceback":"Traceback"}',1,3.0,NULL,6.0,'{}');
INSERT INTO "runs" VALUES(3,1,'old',3,'retried','{"x":0.5}','active','{}',NULL,'heliostat','','','{}','',NULL,2,3.0,NULL,NULL,'{}');
INSERT INTO "runs" VALUES(4,NULL,'mine',0,'loose','{"lr":0.001,"kind":"adam"}','active','{"loss":{"value":"Infinity"}}',NULL,'optuna','','','{}','',NULL,1,8.0,NULL,NULL,'{"a":[1,2]}');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',15);
INSERT INTO "sqlite_sequence" VALUES('runs',4);
COMMIT;
