-- What machines measured and what they drew, on top of views.sql and series.sql.

-- One row per worker, as it described itself last.
CREATE OR REPLACE VIEW machines AS
WITH described AS (
    SELECT worker, arg_max(json_extract(payload, '$.inventory'), seq) AS inventory
    FROM facts WHERE fact = 'worker_described' GROUP BY worker
)
SELECT
    worker,
    CAST(json_extract(inventory, '$.slots') AS DOUBLE) AS slots,
    CAST(json_extract(inventory, '$.power.idle_w') AS DOUBLE) AS idle_w,
    CAST(json_extract(inventory, '$.power.busy_w') AS DOUBLE) AS busy_w,
    list_min(CAST(json_extract(inventory, '$.devices[*].throttle_c') AS DOUBLE[])) AS throttle_c,
    array_to_string(list_sort(list_distinct(CAST(json_extract_string(inventory, '$.devices[*].kind') AS VARCHAR[]))), ', ') AS hardware,
    coalesce(json_extract_string(inventory, '$.labels.simulated') = 'yes', false) AS is_simulated
FROM described;

-- What workers measured. A sample holds until the worker's next one, for 5 minutes at most.
CREATE OR REPLACE VIEW worker_samples AS
WITH told AS (
    SELECT
        seq, t, worker,
        json_extract(payload, ['$.load.temperature_c', '$.load.power_w', '$.load.speed']) AS said
    FROM facts
    WHERE fact = 'worker_sampled'
)
SELECT
    seq, worker, t AS from_s,
    least(t + 300.0, coalesce(lead(t) OVER (PARTITION BY worker ORDER BY seq), t + 300.0)) AS to_s,
    CAST(said[1] AS DOUBLE) AS celsius, CAST(said[2] AS DOUBLE) AS watts, CAST(said[3] AS DOUBLE) AS speed
FROM told;

-- The samples in the 120 pieces of the makespan that utilization_over_time has: mean watts over the time that is told, the
-- highest temperature, the lowest speed.
CREATE OR REPLACE VIEW samples_over_time AS
WITH piece AS (SELECT from_s, to_s, makespan_s / 120 AS width FROM span WHERE makespan_s > 0),
spread AS (
    SELECT
        worker, s.from_s, s.to_s, celsius, watts, speed,
        unnest(generate_series(
            greatest(0, CAST(floor((s.from_s - piece.from_s) / width) AS BIGINT)),
            least(119, CAST(floor((s.to_s - piece.from_s) / width) AS BIGINT))
        )) AS bucket
    FROM worker_samples AS s CROSS JOIN piece
),
clipped AS (
    SELECT
        worker, bucket, celsius, watts, speed,
        least(spread.to_s, piece.from_s + (bucket + 1) * width) - greatest(spread.from_s, piece.from_s + bucket * width) AS seconds
    FROM spread CROSS JOIN piece
)
SELECT
    worker, bucket,
    any_value(piece.from_s + bucket * width) AS from_s,
    any_value(piece.from_s + (bucket + 1) * width) AS to_s,
    max(celsius) AS celsius, min(speed) AS speed,
    sum(watts * seconds) / nullif(sum(seconds) FILTER (watts IS NOT NULL), 0) AS watts,
    sum(watts * seconds) AS joules
FROM clipped CROSS JOIN piece
WHERE seconds > 0
GROUP BY worker, bucket;

-- Joules of each worker within the makespan. Measured: the integral of the watts it told. Declared: idle_w for as long as it
-- was present, and busy_w - idle_w for the busy share of that time. What a simulated worker tells is a sample of what its
-- scenario declares, so the exact integral stands for it. NULL where nothing is known; never 0 for unknown.
CREATE OR REPLACE VIEW energy AS
WITH measured AS (
    SELECT worker, sum(joules) AS joules FROM samples_over_time GROUP BY worker
)
SELECT
    machines.worker,
    is_simulated,
    CASE
        WHEN measured.joules IS NOT NULL AND NOT is_simulated THEN 'measured'
        WHEN idle_w IS NOT NULL THEN 'declared'
    END AS basis,
    CASE
        WHEN measured.joules IS NOT NULL AND NOT is_simulated THEN measured.joules
        ELSE idle_w * workers.present_slot_s / machines.slots + (busy_w - idle_w) * workers.busy_slot_s / machines.slots
    END AS joules
FROM machines
LEFT JOIN measured USING (worker)
LEFT JOIN workers USING (worker);

-- Mean watts of each worker in the pieces of utilization_over_time, on the basis that `energy` has for it.
CREATE OR REPLACE VIEW power_over_time AS
SELECT
    machines.worker, busy.bucket, busy.from_s, busy.to_s,
    CASE energy.basis
        WHEN 'measured' THEN told.watts
        WHEN 'declared' THEN
            (idle_w * busy.present_slot_s + (busy_w - idle_w) * busy.busy_slot_s) / machines.slots / nullif(busy.to_s - busy.from_s, 0)
    END AS watts
FROM machines
JOIN energy USING (worker)
JOIN utilization_over_time AS busy USING (worker)
LEFT JOIN samples_over_time AS told ON told.worker = machines.worker AND told.bucket = busy.bucket
WHERE energy.basis IS NOT NULL;

-- How a worker's utilization is distributed over the pieces of the makespan in which it was present.
CREATE OR REPLACE VIEW utilization_quantiles AS
SELECT
    worker,
    quantile_cont(utilization, 0.05) AS p5, quantile_cont(utilization, 0.25) AS p25, quantile_cont(utilization, 0.5) AS p50,
    quantile_cont(utilization, 0.75) AS p75, quantile_cont(utilization, 0.95) AS p95
FROM utilization_over_time
WHERE worker IS NOT NULL AND utilization IS NOT NULL
GROUP BY worker;

-- Share of the fleet's present slot time that its workers spent at each level of utilization: 0 to 10 %, …, 90 to 100 %.
CREATE OR REPLACE VIEW utilization_levels AS
WITH levels AS (
    SELECT unnest(generate_series(0, 9)) AS level
),
spent AS (
    SELECT CAST(least(9, floor(utilization * 10 + 1e-9)) AS BIGINT) AS level, sum(present_slot_s) AS slot_s
    FROM utilization_over_time
    WHERE worker IS NOT NULL AND utilization IS NOT NULL
    GROUP BY ALL
)
SELECT level, coalesce(slot_s, 0) / nullif(sum(slot_s) OVER (), 0) AS share FROM levels LEFT JOIN spent USING (level);
