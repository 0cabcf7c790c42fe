-- Runs, tests, and figures over time, on top of views.sql.

-- A run is a stretch in which some task has no verdict: it begins when a task is accepted while none waits or runs.
CREATE OR REPLACE VIEW task_runs AS
WITH steps AS (
    SELECT seq, task, CASE fact WHEN 'task_queued' THEN 1 ELSE -1 END AS step
    FROM facts
    WHERE fact IN ('task_queued', 'task_finished')
),
open AS (SELECT *, sum(step) OVER (ORDER BY seq) - step AS before FROM steps)
SELECT task, step, sum(CASE WHEN before <= 0 AND step = 1 THEN 1 ELSE 0 END) OVER (ORDER BY seq) AS run FROM open;

-- One row per run.
CREATE OR REPLACE VIEW runs AS
WITH marked AS (SELECT tasks.*, CAST(task_runs.run AS BIGINT) AS run FROM tasks JOIN task_runs USING (task) WHERE task_runs.step = 1),
stretch AS (
    SELECT
        run, min(submitted_s) AS from_s, max(finished_s) AS to_s, count(*) AS tasks,
        count(*) FILTER (verdict = 'passed') AS passed,
        count(*) FILTER (verdict IS NOT NULL AND verdict <> 'passed') AS not_passed,
        count(*) FILTER (verdict IS NULL) AS unfinished,
        avg(wait_s) AS mean_wait_s, avg(flow_s) AS mean_flow_s
    FROM marked
    GROUP BY run
),
present AS (
    SELECT run, sum(slots * greatest(0.0, least(presence.to_s, stretch.to_s) - greatest(presence.from_s, stretch.from_s))) AS slot_s
    FROM stretch JOIN presence ON presence.from_s < stretch.to_s AND presence.to_s > stretch.from_s
    GROUP BY run
),
busy AS (
    SELECT
        stretch.run,
        sum(accounts.cores * greatest(0.0,
            least(accounts.started_s + accounts.seconds, stretch.to_s) - greatest(accounts.started_s, stretch.from_s))) AS slot_s
    FROM attempt_accounts AS accounts
    JOIN marked ON marked.task = accounts.task
    JOIN stretch ON stretch.run = marked.run
    GROUP BY stretch.run
)
SELECT stretch.*, stretch.to_s - stretch.from_s AS makespan_s, coalesce(busy.slot_s, 0) / nullif(present.slot_s, 0) AS utilization
FROM stretch
LEFT JOIN present USING (run)
LEFT JOIN busy USING (run);

-- One row per test of a chunk: the newest attempt that reported it decides.
CREATE OR REPLACE VIEW tests AS
WITH reported AS (
    SELECT
        task, attempt, seq, t,
        CAST(json_extract_string(payload, '$.index') AS BIGINT) AS index,
        json_extract_string(payload, '$.test') AS test,
        json_extract_string(payload, '$.outcome') AS outcome,
        CAST(json_extract_string(payload, '$.seconds') AS DOUBLE) AS seconds,
        json_extract_string(payload, '$.message') AS message
    FROM facts
    WHERE fact = 'test_finished'
),
newest AS (SELECT *, row_number() OVER (PARTITION BY task, index ORDER BY attempt DESC, seq DESC) AS age FROM reported),
counts AS (
    SELECT
        task, index,
        count(*) AS reports,
        count(*) FILTER (outcome IN ('failed', 'error')) AS red,
        count(*) FILTER (outcome IN ('passed', 'xpassed')) AS green,
        arg_max(message, seq) FILTER (outcome IN ('failed', 'error')) AS red_message
    FROM reported
    GROUP BY task, index
)
SELECT newest.* EXCLUDE (age, seq), attempts.worker, counts.reports, counts.red, counts.green, counts.red_message
FROM newest
JOIN counts USING (task, index)
LEFT JOIN attempts USING (task, attempt)
WHERE newest.age = 1;

-- One row per thing that has a result of its own: each test of a suite, and each task that is not part of
-- one. A chunk that did not pass although no test of it failed stands for itself: something went wrong outside its tests.
CREATE OR REPLACE VIEW results AS
SELECT
    'test' AS what, task, test AS name, outcome, seconds, worker, message,
    red > 0 AND green > 0 AS is_flaky, outcome IN ('failed', 'error') AS is_red, red, green, red_message
FROM tests
UNION ALL
SELECT
    'task', tasks.task, tasks.name, tasks.verdict, service.seconds, service.worker, tasks.message,
    tasks.verdict = 'passed' AND service.red > 0, tasks.verdict NOT IN ('passed', 'cancelled'),
    service.red, CAST(tasks.verdict = 'passed' AS BIGINT), service.red_message
FROM tasks
LEFT JOIN (
    SELECT
        task, sum(seconds * counted) AS seconds, arg_max(worker, attempt) AS worker,
        count(*) FILTER (failure IN ('test', 'oom', 'timeout_run', 'timeout_silence')) AS red,
        arg_max(message, attempt) FILTER (failure IS NOT NULL) AS red_message
    FROM attempt_accounts GROUP BY task
) AS service USING (task)
WHERE tasks.verdict IS NOT NULL
  AND NOT (tasks.is_suite AND tasks.task IN (SELECT task FROM tests WHERE tasks.verdict = 'passed' OR outcome IN ('failed', 'error')));

-- Seconds by name over all results that ran, slowest mean first.
CREATE OR REPLACE VIEW slowest_tests AS
SELECT name, count(*) AS times, avg(seconds) AS mean_s, max(seconds) AS max_s, arg_max(worker, seconds) AS slowest_on
FROM results
WHERE seconds IS NOT NULL AND outcome <> 'skipped'
GROUP BY name
ORDER BY mean_s DESC, name;

-- Flaky: in one task, so with the same code, it failed at least once and passed at least once.
CREATE OR REPLACE VIEW flaky_tests AS
SELECT name, count(*) AS times, sum(red) AS red, sum(green) AS green, arg_max(red_message, task) AS message
FROM results
WHERE is_flaky
GROUP BY name
ORDER BY red DESC, name;

-- The makespan in 120 equal pieces; per worker, and for the fleet under the name NULL: busy and present slot-seconds.
CREATE OR REPLACE VIEW utilization_over_time AS
WITH piece AS (SELECT from_s, makespan_s / 120 AS width FROM span WHERE makespan_s > 0),
stretches AS (
    SELECT worker, from_s, to_s, slots AS present, 0.0 AS busy FROM presence
    UNION ALL SELECT worker, started_s, started_s + seconds, 0.0, cores FROM attempt_accounts
),
spread AS (
    SELECT
        worker, s.from_s, s.to_s, present, busy,
        unnest(generate_series(
            greatest(0, CAST(floor((s.from_s - piece.from_s) / width) AS BIGINT)),
            least(119, CAST(floor((s.to_s - piece.from_s) / width) AS BIGINT))
        )) AS bucket
    FROM stretches AS s CROSS JOIN piece
),
sums AS (
    SELECT
        worker, bucket,
        sum(busy * greatest(0.0, least(spread.to_s, piece.from_s + (bucket + 1) * width)
            - greatest(spread.from_s, piece.from_s + bucket * width))) AS busy_slot_s,
        sum(present * greatest(0.0, least(spread.to_s, piece.from_s + (bucket + 1) * width)
            - greatest(spread.from_s, piece.from_s + bucket * width))) AS present_slot_s
    FROM spread CROSS JOIN piece
    GROUP BY GROUPING SETS ((worker, bucket), (bucket))
)
SELECT
    worker, bucket,
    piece.from_s + bucket * width AS from_s,
    piece.from_s + (bucket + 1) * width AS to_s,
    busy_slot_s, present_slot_s,
    busy_slot_s / nullif(present_slot_s, 0) AS utilization
FROM sums CROSS JOIN piece;

-- Verdicts in each minute since the first submit, the empty minutes too.
CREATE OR REPLACE VIEW throughput_per_minute AS
WITH minutes AS (
    SELECT unnest(generate_series(0, CAST(floor(makespan_s / 60) AS BIGINT))) AS minute FROM span WHERE makespan_s IS NOT NULL
)
SELECT minute, count(tasks.task) AS finished
FROM minutes CROSS JOIN span
LEFT JOIN tasks ON CAST(floor((tasks.finished_s - span.from_s) / 60) AS BIGINT) = minute
GROUP BY minute;
