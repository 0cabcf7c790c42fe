-- What is kept. Facts are copied from the coordinator's log, which is the truth; everything else here is derived from them.

CREATE TABLE meta (
    schema_version INTEGER NOT NULL,
    cluster VARCHAR,                -- the cluster whose facts these are; NULL until one said so
    last_seq UBIGINT NOT NULL,      -- the newest fact that is here; appending goes on after it
    wall_offset_us BIGINT           -- wall clock less run time, in microseconds, of the newest coordinator life; NULL when unknown
);

CREATE TABLE facts (
    seq UBIGINT NOT NULL,           -- position in the log, from 1
    t DOUBLE NOT NULL,              -- seconds since the run began
    fact VARCHAR NOT NULL,
    task UBIGINT,
    attempt UBIGINT,                -- the fence: epoch in the high 32 bits, the ordinal people read in the low 32
    worker VARCHAR,
    payload JSON NOT NULL           -- the fact itself; `task_queued` also tells `cores`, the slots its requirement reserves
);

CREATE SEQUENCE load_balancer_metrics_id;

-- A predecessor's table stayed empty because its primary key had no default.
CREATE TABLE load_balancer_metrics (
    id INTEGER PRIMARY KEY DEFAULT nextval('load_balancer_metrics_id'),
    timestamp TIMESTAMP,
    system_load FLOAT,
    threshold_high FLOAT,
    threshold_low FLOAT,
    imbalance_score FLOAT,
    migrations_initiated INTEGER,   -- since the row before
    migrations_successful INTEGER,  -- since the row before
    prediction_accuracy FLOAT,      -- NULL until a prediction is due
    metrics JSON
);

CREATE TABLE request_metrics (
    node_id VARCHAR,
    function_name VARCHAR,
    execution_time DOUBLE,          -- seconds
    success BOOLEAN,
    timestamp TIMESTAMP
);
