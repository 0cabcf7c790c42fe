-- What the balancer saw, foresaw and moved, on top of views.sql.

-- One row per look of the balancer at the fleet. `forecast` is the load it then expected `window_s` later; it lies between
-- `forecast_low` and `forecast_high` in four of five cases. `accuracy` is how good those that fell due were, 0 to 1.
CREATE OR REPLACE VIEW looks AS
WITH told AS (
    SELECT
        seq, t,
        json_extract(payload, [
            '$.load', '$.imbalance', '$.high', '$.low', '$.workers', '$.accuracy',
            '$.forecast.load', '$.forecast.low', '$.forecast.high', '$.forecast.confidence', '$.forecast.window_s'
        ]) AS said
    FROM facts
    WHERE fact = 'load_sampled'
)
SELECT
    seq, t,
    CAST(said[1] AS DOUBLE) AS load, CAST(said[2] AS DOUBLE) AS imbalance,
    CAST(said[3] AS DOUBLE) AS high, CAST(said[4] AS DOUBLE) AS low,
    CAST(said[5] AS BIGINT) AS workers, CAST(said[6] AS DOUBLE) AS accuracy,
    CAST(said[7] AS DOUBLE) AS forecast, CAST(said[8] AS DOUBLE) AS forecast_low, CAST(said[9] AS DOUBLE) AS forecast_high,
    CAST(said[10] AS DOUBLE) AS confidence, CAST(said[11] AS DOUBLE) AS window_s
FROM told;

-- Each forecast beside the load that came: that of the first look from a hundredth of the window before it fell due, NULL
-- where there was none within half a window. error = |forecast - load|.
CREATE OR REPLACE VIEW predictions AS
WITH made AS (
    SELECT seq, t AS made_s, t + window_s AS due_s, window_s, forecast, forecast_low, forecast_high, confidence
    FROM looks
    WHERE forecast IS NOT NULL
),
paired AS (
    SELECT
        made.*,
        CASE WHEN came.t <= made.due_s + made.window_s / 2 THEN came.load END AS load,
        CASE WHEN came.t <= made.due_s + made.window_s / 2 THEN came.accuracy END AS accuracy
    FROM (SELECT *, due_s - window_s / 100 AS from_s FROM made) AS made
    ASOF LEFT JOIN looks AS came ON made.from_s <= came.t
)
SELECT *, abs(forecast - load) AS error, load BETWEEN forecast_low AND forecast_high AS is_inside FROM paired;

-- One row per order to move a running task. It arrived when the attempt was stopped for it and the next one started on another
-- worker. What it brought is judged once per task, when it has its verdict, and stands at its last order that arrived.
CREATE OR REPLACE VIEW migrations AS
WITH told AS (
    SELECT
        seq, t AS ordered_s, task, attempt, worker AS from_worker,
        json_extract_string(payload, ['$.to', '$.hardware', '$.why', '$.predicted_gain_s', '$.cost_s']) AS said
    FROM facts
    WHERE fact = 'migration'
),
ended AS (
    SELECT seq, task, attempt, json_extract_string(payload, '$.end') AS how FROM facts WHERE fact = 'standstill_ended'
),
started AS (SELECT task, attempt, worker, started_s FROM attempts WHERE started_s IS NOT NULL),
judged AS (
    SELECT task, arg_max(CAST(json_extract(payload, '$.realised_gain_s') AS DOUBLE), seq) AS realised_gain_s
    FROM facts WHERE fact = 'migration_judged' GROUP BY task
),
followed AS (
    SELECT
        told.seq, told.task, told.attempt, ordered_s, from_worker, said[1] AS to_worker, said[2] AS hardware, said[3] AS why,
        CAST(said[4] AS DOUBLE) AS predicted_gain_s, CAST(said[5] AS DOUBLE) AS cost_s,
        ended.how, started.worker AS next_worker, started.started_s AS next_s
    FROM told
    ASOF LEFT JOIN ended ON told.task = ended.task AND told.attempt = ended.attempt AND told.seq <= ended.seq
    ASOF LEFT JOIN started ON told.task = started.task AND told.attempt < started.attempt
),
outcomes AS (
    SELECT
        followed.*,
        CASE
            WHEN how = 'followed' AND next_worker <> from_worker THEN 'arrived'
            WHEN how = 'followed' AND next_worker = from_worker THEN 'came back'
            WHEN how IN ('withdrawn', 'unable') THEN how
            WHEN tasks.verdict IS NOT NULL THEN 'overtaken'
            ELSE 'under way'
        END AS outcome
    FROM followed
    LEFT JOIN tasks USING (task)
)
SELECT
    outcomes.* EXCLUDE (how),
    CASE
        WHEN outcome = 'arrived' AND outcomes.seq = max(CASE WHEN outcome = 'arrived' THEN outcomes.seq END) OVER (PARTITION BY outcomes.task)
        THEN realised_gain_s
    END AS realised_gain_s
FROM outcomes
LEFT JOIN judged USING (task);

-- Orders to move in 30 equal pieces of the makespan, those without any too.
-- success_rate = those that arrived / those that are over.
CREATE OR REPLACE VIEW migrations_over_time AS
WITH piece AS (
    SELECT unnest(generate_series(0, 29)) AS bucket, from_s AS begin_s, makespan_s / 30 AS width FROM span WHERE makespan_s > 0
),
placed AS (
    SELECT least(29, CAST(floor((ordered_s - span.from_s) / (makespan_s / 30)) AS BIGINT)) AS bucket, outcome, predicted_gain_s, cost_s, realised_gain_s
    FROM migrations CROSS JOIN span
    WHERE makespan_s > 0
)
SELECT
    bucket, any_value(begin_s + bucket * width) AS from_s, any_value(begin_s + (bucket + 1) * width) AS to_s,
    count(outcome) AS ordered,
    count(*) FILTER (outcome = 'arrived') AS arrived,
    count(*) FILTER (outcome = 'under way') AS under_way,
    count(*) FILTER (outcome = 'arrived') / nullif(count(outcome) - count(*) FILTER (outcome = 'under way'), 0) AS success_rate
FROM piece
LEFT JOIN placed USING (bucket)
GROUP BY bucket;

-- What moving brought in all, in seconds; sums are over those that are known.
CREATE OR REPLACE VIEW migration_figures AS
SELECT
    count(*) AS ordered,
    count(*) FILTER (outcome = 'arrived') AS arrived,
    count(*) FILTER (outcome = 'under way') AS under_way,
    count(*) FILTER (outcome = 'arrived') / nullif(count(*) FILTER (outcome <> 'under way'), 0) AS success_rate,
    sum(cost_s) FILTER (outcome = 'arrived') AS cost_s,
    sum(predicted_gain_s) FILTER (realised_gain_s IS NOT NULL) AS predicted_gain_s,
    sum(realised_gain_s) AS realised_gain_s,
    avg(realised_gain_s) AS mean_realised_gain_s,
    count(realised_gain_s) AS judged
FROM migrations;
