-- The figures, each defined once. Times are seconds since the run began; durations are seconds; shares are 0 to 1.
-- A figure that cannot be known yet is NULL. A task occupies `cores` slots while an attempt of it runs.

-- One row per attempt, as it was leased, started and stopped. Each fact's JSON is parsed once, however much is asked of it.
CREATE OR REPLACE VIEW attempts AS
WITH told AS (
    SELECT
        seq, t, fact, task, attempt, worker,
        CASE fact
            WHEN 'attempt_started' THEN json_extract_string(payload, ['$.hardware', '$.progress'])
            WHEN 'attempt_stopped' THEN json_extract_string(payload, ['$.reason', '$.failure', '$.message', '$.exit_code', '$.progress'])
        END AS said
    FROM facts
    WHERE fact IN ('attempt_leased', 'attempt_started', 'attempt_stopped')
)
SELECT
    task,
    attempt,
    attempt & 4294967295 AS ordinal,
    arg_min(worker, seq) AS worker,
    any_value(said[1]) FILTER (fact = 'attempt_started') AS hardware,
    min(t) FILTER (fact = 'attempt_leased') AS leased_s,
    min(t) FILTER (fact = 'attempt_started') AS started_s,
    min(t) FILTER (fact = 'attempt_stopped') AS stopped_s,
    any_value(said[1]) FILTER (fact = 'attempt_stopped') AS reason,
    any_value(said[2]) FILTER (fact = 'attempt_stopped') AS failure,
    any_value(said[3]) FILTER (fact = 'attempt_stopped') AS message,
    CAST(any_value(said[4]) FILTER (fact = 'attempt_stopped') AS INTEGER) AS exit_code,
    CAST(any_value(said[2]) FILTER (fact = 'attempt_started') AS DOUBLE) AS progress_from,
    CAST(any_value(said[5]) FILTER (fact = 'attempt_stopped') AS DOUBLE) AS progress_to
FROM told
GROUP BY task, attempt;

-- Why each attempt went where it went, in the words of the policy. It is apart because leases are most of what is recorded.
CREATE OR REPLACE VIEW leases AS
SELECT task, attempt, worker, t AS leased_s, json_extract_string(payload, '$.why') AS why FROM facts WHERE fact = 'attempt_leased';

-- One row per accepted task, with its verdict.
-- wait = first start of a process - submit. flow = verdict - submit, for tasks whose work came to an end (passed or failed).
CREATE OR REPLACE VIEW tasks AS
WITH told AS (
    SELECT
        task, t, fact, attempt,
        CASE fact
            WHEN 'task_queued' THEN json_extract_string(payload, ['$.spec.name', '$.spec.kind', '$.spec.owner', '$.cores', '$.spec.work.tests'])
            WHEN 'task_finished' THEN json_extract_string(payload, ['$.verdict', '$.failure'])
        END AS said
    FROM facts
    WHERE fact IN ('task_queued', 'task_requeued', 'task_finished')
),
outlined AS (
    SELECT
        task,
        min(t) FILTER (fact = 'task_queued') AS submitted_s,
        any_value(said) FILTER (fact = 'task_queued') AS spec,
        min(t) FILTER (fact = 'task_finished') AS finished_s,
        any_value(attempt) FILTER (fact = 'task_finished') AS decided_by,
        any_value(said) FILTER (fact = 'task_finished') AS finish,
        count(*) FILTER (fact = 'task_requeued') AS retries
    FROM told
    GROUP BY task
),
tried AS (
    SELECT
        task,
        min(started_s) AS started_s,
        count(started_s) AS attempts,
        count(*) FILTER (reason = 'migrated') AS migrations,
        arg_max(message, attempt) AS message
    FROM attempts
    GROUP BY task
)
SELECT
    outlined.task,
    submitted_s,
    spec[1] AS name,
    spec[2] AS kind,
    coalesce(spec[3], '') AS owner,
    CAST(coalesce(spec[4], '1') AS INTEGER) AS cores,
    spec[5] IS NOT NULL AS is_suite,
    tried.started_s,
    finished_s,
    finish[1] AS verdict,
    finish[2] AS failure,
    decided_by,
    coalesce(tried.attempts, 0) AS attempts,
    coalesce(tried.migrations, 0) AS migrations,
    retries,
    tried.message,
    tried.started_s - submitted_s AS wait_s,
    CASE WHEN finish[1] IN ('passed', 'failed') THEN finished_s - submitted_s END AS flow_s
FROM outlined
LEFT JOIN tried ON tried.task = outlined.task
WHERE submitted_s IS NOT NULL;

-- The time that is looked at, from the first submit to the last verdict. Its length is the makespan.
CREATE OR REPLACE VIEW span AS
SELECT
    min(t) FILTER (fact = 'task_queued') AS from_s,
    max(t) FILTER (fact = 'task_finished') AS to_s,
    to_s - from_s AS makespan_s,
    max(t) AS last_s
FROM facts;

-- How much of each attempt that ran counted. The deciding attempt of a task that passed or failed counts whole. One that
-- was moved or preempted counts by the share of its progress from which the next attempt went on; before that one has
-- started, and while an attempt runs, it is not known yet (NULL). All others count for nothing.
CREATE OR REPLACE VIEW attempt_accounts AS
WITH gone_on AS (
    SELECT task, attempt, lead(progress_from) OVER (PARTITION BY task ORDER BY attempt) AS kept_to
    FROM attempts
    WHERE started_s IS NOT NULL AND task IN (SELECT task FROM attempts WHERE reason IN ('migrated', 'preempted'))
)
SELECT
    run.*,
    tasks.kind,
    tasks.cores,
    coalesce(run.stopped_s, span.last_s) - run.started_s AS seconds,
    CASE
        WHEN run.attempt = tasks.decided_by AND tasks.verdict IN ('passed', 'failed') THEN 1.0
        WHEN run.stopped_s IS NULL THEN NULL
        WHEN run.reason NOT IN ('migrated', 'preempted') THEN 0.0
        WHEN gone_on.kept_to IS NULL AND tasks.verdict IS NULL THEN NULL
        WHEN gone_on.kept_to IS NULL OR run.progress_to <= run.progress_from THEN 0.0
        ELSE greatest(0.0, least(1.0, (gone_on.kept_to - run.progress_from) / (run.progress_to - run.progress_from)))
    END AS counted
FROM attempts AS run
JOIN tasks ON tasks.task = run.task
LEFT JOIN gone_on ON gone_on.task = run.task AND gone_on.attempt = run.attempt
CROSS JOIN span
WHERE run.started_s IS NOT NULL;

-- Service time of a task: the seconds of its attempts that counted.
-- slowdown = flow / max(1 s, the shortest service time of any passed task of its kind). For real work the true optimum on
-- this fleet is unknown; the best that was seen stands for it, so the figure can only flatter a fleet that never ran well.
CREATE OR REPLACE VIEW slowdowns AS
WITH service AS (SELECT task, sum(seconds * counted) AS service_s FROM attempt_accounts GROUP BY task),
best AS (
    SELECT kind, min(service_s) AS best_s FROM tasks JOIN service USING (task) WHERE verdict = 'passed' GROUP BY kind
)
SELECT task, kind, owner, wait_s, flow_s, service_s, best_s, flow_s / greatest(1.0, best_s) AS slowdown
FROM tasks
LEFT JOIN service USING (task)
LEFT JOIN best USING (kind);

-- When each worker was present, and with how many slots. A lost connection is not an absence: its attempts still run.
CREATE OR REPLACE VIEW presence AS
WITH marks AS (
    SELECT
        seq, t, worker, fact,
        CASE WHEN fact = 'worker_described' THEN CAST(json_extract_string(payload, '$.inventory.slots') AS DOUBLE) END AS told
    FROM facts
    WHERE fact IN ('worker_joined', 'worker_described', 'worker_left')
),
known AS (
    SELECT
        *,
        last_value(told IGNORE NULLS) OVER (PARTITION BY worker ORDER BY seq) AS slots,
        lead(t) OVER (PARTITION BY worker ORDER BY seq) AS next_s
    FROM marks
)
SELECT seq, worker, t AS from_s, coalesce(next_s, span.last_s) AS to_s, slots
FROM known
CROSS JOIN span
WHERE fact <> 'worker_left' AND slots > 0;

-- Busy and present slot-seconds of each worker within the makespan.
-- utilization = busy slot-seconds / present slot-seconds.
CREATE OR REPLACE VIEW workers AS
WITH present AS (
    SELECT
        worker,
        arg_max(slots, presence.seq) AS slots,
        coalesce(sum(slots * greatest(0.0, least(presence.to_s, span.to_s) - greatest(presence.from_s, span.from_s))), 0.0)
            AS present_slot_s
    FROM presence CROSS JOIN span
    GROUP BY worker
),
busy AS (
    SELECT
        worker,
        sum(cores * greatest(0.0, least(started_s + seconds, span.to_s) - greatest(started_s, span.from_s))) AS busy_slot_s,
        sum(cores * seconds * counted) AS counted_slot_s,
        sum(cores * seconds * (1 - counted)) AS waste_slot_s,
        count(*) AS attempts,
        count(*) FILTER (reason = 'finished' AND failure IS NULL) AS passed,
        count(*) FILTER (failure IS NOT NULL) AS failed,
        count(*) FILTER (reason = 'lost') AS lost,
        count(*) FILTER (reason = 'migrated') AS moved_away
    FROM attempt_accounts CROSS JOIN span
    GROUP BY worker
)
SELECT
    worker,
    slots,
    present_slot_s,
    coalesce(busy_slot_s, 0.0) AS busy_slot_s,
    CASE WHEN present_slot_s > 0 THEN coalesce(busy_slot_s, 0.0) / present_slot_s END AS utilization,
    coalesce(counted_slot_s, 0.0) AS counted_slot_s,
    coalesce(waste_slot_s, 0.0) AS waste_slot_s,
    coalesce(attempts, 0) AS attempts,
    coalesce(passed, 0) AS passed,
    coalesce(failed, 0) AS failed,
    coalesce(lost, 0) AS lost,
    coalesce(moved_away, 0) AS moved_away
FROM present
FULL JOIN busy USING (worker);

-- load_stddev = time average, over the makespan, of the (population) standard deviation of busy share over present workers.
-- Kept as running sums of shares and of their squares, so that it costs two sorts however many workers there are. Changes at
-- the same moment follow each other in some order; what is between them lasts no time.
CREATE OR REPLACE VIEW load_spread AS
WITH changes AS (
    SELECT worker, from_s AS t, slots AS d_slots, 0.0 AS d_busy FROM presence
    UNION ALL SELECT worker, to_s, -slots, 0.0 FROM presence
    UNION ALL SELECT worker, started_s, 0.0, cores FROM attempt_accounts
    UNION ALL SELECT worker, started_s + seconds, 0.0, -cores FROM attempt_accounts
),
levels AS (
    SELECT
        t, d_slots, d_busy,
        sum(d_slots) OVER so_far AS slots,
        sum(d_busy) OVER so_far AS busy
    FROM changes
    WINDOW so_far AS (PARTITION BY worker ORDER BY t ROWS UNBOUNDED PRECEDING)
),
steps AS (
    SELECT
        t,
        CASE WHEN slots > 0.5 THEN busy / slots END AS share,
        CASE WHEN slots - d_slots > 0.5 THEN (busy - d_busy) / (slots - d_slots) END AS before
    FROM levels
),
running AS (
    SELECT
        t,
        lead(t) OVER (ORDER BY t ROWS UNBOUNDED PRECEDING) AS next_t,
        sum(CAST(share IS NOT NULL AS INTEGER) - CAST(before IS NOT NULL AS INTEGER)) OVER so_far AS workers,
        sum(coalesce(share, 0.0) - coalesce(before, 0.0)) OVER so_far AS share,
        sum(coalesce(share * share, 0.0) - coalesce(before * before, 0.0)) OVER so_far AS square
    FROM steps
    WINDOW so_far AS (ORDER BY t ROWS UNBOUNDED PRECEDING)
)
SELECT
    sum(
        sqrt(greatest(0.0, square / workers - (share / workers) * (share / workers)))
        * greatest(0.0, least(coalesce(next_t, span.to_s), span.to_s) - greatest(t, span.from_s))
    ) / nullif(any_value(span.makespan_s), 0) AS load_stddev
FROM running CROSS JOIN span
WHERE workers > 0;

-- fairness = Jain's index (sum x)^2 / (n sum x^2) over owners, with x = 1 / mean slowdown: the speed at which an owner's
-- work came back, relative to having the fleet alone. 1 is perfectly even, 1/n is one owner served and the others not.
CREATE OR REPLACE VIEW owners AS
SELECT owner, count(*) AS tasks, avg(wait_s) AS mean_wait_s, avg(flow_s) AS mean_flow_s, avg(slowdown) AS mean_slowdown
FROM slowdowns
GROUP BY owner;

-- One row with the figures of everything that is here.
-- goodput = slot-seconds that counted / present slot-seconds. waste = slot-seconds of attempts that did not count.
-- imbalance = the largest utilization of a worker less the smallest.
CREATE OR REPLACE VIEW summary AS
WITH task_figures AS (
    SELECT
        count(*) AS tasks,
        count(*) FILTER (verdict = 'passed') AS passed,
        count(*) FILTER (verdict = 'failed') AS failed,
        count(*) FILTER (verdict = 'error') AS error,
        count(*) FILTER (verdict = 'cancelled') AS cancelled,
        count(*) FILTER (verdict = 'expired') AS expired,
        count(*) FILTER (verdict = 'quarantined') AS quarantined,
        count(*) FILTER (verdict IS NULL) AS unfinished,
        coalesce(sum(attempts), 0) AS attempts,
        coalesce(sum(retries), 0) AS retries,
        coalesce(sum(migrations), 0) AS migrations,
        avg(wait_s) AS mean_wait_s, quantile_cont(wait_s, [0.5, 0.95]) AS wait_quantiles,
        avg(flow_s) AS mean_flow_s, quantile_cont(flow_s, [0.5, 0.95, 0.99]) AS flow_quantiles
    FROM tasks
),
slowdown_figures AS (
    SELECT avg(slowdown) AS mean_slowdown, quantile_cont(slowdown, 0.99) AS p99_slowdown FROM slowdowns
),
worker_figures AS (
    SELECT
        count(*) AS workers,
        sum(busy_slot_s) AS busy_slot_s,
        sum(present_slot_s) AS present_slot_s,
        sum(counted_slot_s) AS counted_slot_s,
        coalesce(sum(waste_slot_s), 0.0) AS waste_s,
        max(utilization) - min(utilization) AS imbalance
    FROM workers
)
SELECT
    task_figures.* EXCLUDE (wait_quantiles, flow_quantiles),
    wait_quantiles[1] AS p50_wait_s, wait_quantiles[2] AS p95_wait_s,
    flow_quantiles[1] AS p50_flow_s, flow_quantiles[2] AS p95_flow_s, flow_quantiles[3] AS p99_flow_s,
    worker_figures.workers,
    worker_figures.waste_s,
    span.from_s, span.to_s, span.makespan_s,
    CASE WHEN present_slot_s > 0 THEN busy_slot_s / present_slot_s END AS utilization,
    CASE WHEN present_slot_s > 0 THEN counted_slot_s / present_slot_s END AS goodput,
    (SELECT load_stddev FROM load_spread) AS load_stddev,
    worker_figures.imbalance,
    slowdown_figures.mean_slowdown,
    slowdown_figures.p99_slowdown,
    (SELECT sum(1 / mean_slowdown) ** 2 / (count(mean_slowdown) * sum((1 / mean_slowdown) ** 2))
     FROM owners WHERE mean_slowdown > 0) AS fairness
FROM task_figures CROSS JOIN worker_figures CROSS JOIN slowdown_figures CROSS JOIN span;

-- The devices of each worker as it last told, by their place in its inventory.
CREATE OR REPLACE VIEW devices AS
WITH told AS (
    SELECT worker, arg_max(json_extract(payload, '$.inventory.devices[*]'), seq) AS list
    FROM facts
    WHERE fact = 'worker_described'
    GROUP BY worker
),
one AS (SELECT worker, unnest(list) AS device, generate_subscripts(list, 1) - 1 AS place FROM told)
SELECT
    worker,
    place,
    json_extract_string(device, '$.kind') AS kind,
    json_extract_string(device, '$.probe') AS probe,
    json_extract_string(device, '$.name') AS name,
    json_extract_string(device, '$.address') AS address
FROM one;

-- What an attempt ran on and under which conditions: the model of its device, and, of the samples its worker told while it
-- ran, the hottest temperature, the lowest clock and whether anything slowed the device or the processor down; the mean use
-- of the device and the most memory in use on it, by all that ran there. NULL where the worker told nothing of it: that is
-- not the same as nothing having happened.
CREATE OR REPLACE VIEW conditions AS
WITH ran AS (
    SELECT attempts.task, attempts.attempt, worker, hardware, started_s, stopped_s, placed.device
    FROM attempts
    LEFT JOIN (
        SELECT task, attempt, CAST(json_extract_string(payload, '$.device') AS INTEGER) AS device
        FROM facts
        WHERE fact = 'attempt_leased'
    ) AS placed USING (task, attempt)
    WHERE started_s IS NOT NULL
),
model AS (
    SELECT ran.task, ran.attempt, arg_min(devices.name, devices.place) AS model
    FROM ran
    JOIN devices ON devices.worker = ran.worker AND devices.place = coalesce(ran.device, devices.place) AND devices.kind = ran.hardware
    GROUP BY ran.task, ran.attempt
),
sampled AS (
    SELECT
        worker,
        t,
        CAST(json_extract_string(payload, '$.load.temperature_c') AS DOUBLE) AS temperature_c,
        CAST(json_extract_string(payload, '$.load.clock_mhz') AS INTEGER) AS clock_mhz,
        json_extract_string(payload, '$.load.throttle') AS throttle,
        json_extract(payload, '$.load.devices[*]') AS told
    FROM facts
    WHERE fact = 'worker_sampled'
),
during AS (
    SELECT
        ran.task,
        ran.attempt,
        temperature_c,
        clock_mhz,
        throttle,
        list_filter(told, lambda one: CAST(json_extract_string(one, '$.device') AS INTEGER) = ran.device)[1] AS own,
        json_extract_string(own, '$.throttle') AS device_throttle
    FROM ran
    JOIN sampled ON sampled.worker = ran.worker AND sampled.t BETWEEN ran.started_s AND coalesce(ran.stopped_s, 1e300)
),
seen AS (
    SELECT
        task,
        attempt,
        max(temperature_c) AS temperature_c,
        min(clock_mhz) AS clock_mhz,
        avg(CAST(json_extract_string(own, '$.utilization') AS DOUBLE)) AS device_utilization,
        max(CAST(json_extract_string(own, '$.memory_used_bytes') AS BIGINT)) AS device_memory_bytes,
        -- One that is not told is left out: what the other says stands alone.
        bool_or(coalesce(throttle IN ('heat', 'power'), FALSE) OR coalesce(device_throttle IN ('heat', 'power'), FALSE))
            FILTER (throttle IS NOT NULL OR device_throttle IS NOT NULL) AS is_throttled
    FROM during
    GROUP BY task, attempt
)
SELECT
    ran.task, ran.attempt, ran.worker, ran.hardware, ran.device, model, temperature_c, clock_mhz, is_throttled,
    device_utilization, device_memory_bytes
FROM ran
LEFT JOIN model USING (task, attempt)
LEFT JOIN seen USING (task, attempt);

-- What the processes of an attempt used: processors on average, the most memory of any one of them, and the joules of the
-- processor they are answerable for, with their error. NULL where the system does not tell.
CREATE OR REPLACE VIEW attempt_usage AS
SELECT
    task,
    attempt,
    CAST(json_extract_string(payload, '$.usage.user_s') AS DOUBLE) + CAST(json_extract_string(payload, '$.usage.system_s') AS DOUBLE) AS cpu_s,
    cpu_s / nullif(CAST(json_extract_string(payload, '$.run_s') AS DOUBLE), 0) AS mean_cores,
    CAST(json_extract_string(payload, '$.usage.memory_peak_bytes') AS BIGINT) AS memory_peak_bytes,
    CAST(json_extract_string(payload, '$.usage.energy_j') AS DOUBLE) AS energy_j,
    CAST(json_extract_string(payload, '$.usage.energy_error_j') AS DOUBLE) AS energy_error_j
FROM facts
WHERE fact = 'attempt_stopped';

-- Two results of tasks of the same name, side by side. The ratio is there only where it says something about the work: both
-- ran on the same model and neither was slowed down. Elsewhere it is NULL, and `why_not` says why.
CREATE OR REPLACE VIEW comparisons AS
WITH result AS (
    SELECT
        tasks.name, tasks.task, conditions.worker, conditions.hardware, model, is_throttled,
        attempts.stopped_s - attempts.started_s AS seconds
    FROM tasks
    JOIN attempts ON attempts.task = tasks.task AND attempts.attempt = tasks.decided_by
    JOIN conditions ON conditions.task = attempts.task AND conditions.attempt = attempts.attempt
    WHERE tasks.verdict = 'passed'
),
pair AS (
    SELECT
        one.name, one.task AS task, other.task AS other_task, one.worker AS worker, other.worker AS other_worker,
        one.seconds AS seconds, other.seconds AS other_seconds,
        CASE
            WHEN one.hardware <> other.hardware THEN 'different hardware: ' || one.hardware || ' and ' || other.hardware
            WHEN one.model IS NULL OR other.model IS NULL THEN 'the model of a device is not known'
            WHEN one.model <> other.model THEN 'different models: ' || one.model || ' and ' || other.model
            WHEN one.is_throttled OR other.is_throttled THEN 'a device was slowed down by heat or power'
        END AS why_not,
        one.is_throttled IS NULL OR other.is_throttled IS NULL AS is_throttling_unknown
    FROM result AS one
    JOIN result AS other ON one.name = other.name AND one.task < other.task
)
SELECT *, CASE WHEN why_not IS NULL THEN seconds / nullif(other_seconds, 0) END AS ratio
FROM pair;
