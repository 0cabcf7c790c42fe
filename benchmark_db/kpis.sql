-- The published key figures (F181 to F187) and trends, on top of the other views.

-- One row. Where a figure has a definition of its own elsewhere, it is taken from there under its published name.
CREATE OR REPLACE VIEW kpis AS
WITH agents AS (
    SELECT
        count(*) AS agents,
        sum(finished) AS tasks,
        var_pop(finished) AS count_variance,
        var_pop(utilization) AS utilization_variance
    FROM (
        SELECT worker, utilization, coalesce(finished, 0) AS finished
        FROM workers
        LEFT JOIN (
            SELECT attempts.worker, count(*) AS finished
            FROM tasks JOIN attempts ON attempts.task = tasks.task AND attempts.attempt = tasks.decided_by
            WHERE tasks.verdict IN ('passed', 'failed')
            GROUP BY attempts.worker
        ) USING (worker)
    )
)
SELECT
    -- F181: tasks that passed or failed per second of the makespan, and their mean flow time.
    (summary.passed + summary.failed) / nullif(summary.makespan_s, 0) AS throughput_per_s,
    summary.mean_flow_s AS average_latency_s,
    -- F182: 1 / (1 + variance) of the number of tasks each worker brought to an end, around the ideal tasks / workers. On unlike
    -- machines equal numbers are not the aim; it is published so.
    agents.tasks / nullif(agents.agents, 0) AS ideal_tasks_per_worker,
    1.0 / (1.0 + agents.count_variance) AS load_balance_efficiency,
    -- F183: the (population) variance of the workers' utilization, 0 to 0.25.
    agents.utilization_variance AS load_distribution_variance,
    -- F184: moves that arrived per task that started.
    (SELECT arrived FROM migration_figures) / nullif((SELECT count(started_s) FROM tasks), 0) AS task_migration_rate,
    -- F185: seconds from submit to the first start of a process.
    summary.mean_wait_s AS mean_queue_latency_s,
    summary.p95_wait_s AS p95_queue_latency_s,
    -- F186: slot-seconds whose result counted / slot-seconds that were present.
    summary.goodput AS utilization_efficiency,
    -- F187: Jain's index over owners.
    summary.fairness AS fairness_index,
    -- Joules of the whole fleet per task that passed; only where every worker's energy is known.
    (SELECT CASE WHEN count(*) = count(joules) THEN sum(joules) END FROM energy) / nullif(summary.passed, 0) AS joules_per_passed_task
FROM summary CROSS JOIN agents;

-- How figures went from run to run: the slope of least squares per run, its R², the mean, and the number of runs.
CREATE OR REPLACE VIEW trends AS
WITH figures AS (
    SELECT run, 'mean wait' AS figure, 's' AS unit, mean_wait_s AS value FROM runs
    UNION ALL SELECT run, 'makespan per task', 's', makespan_s / nullif(tasks, 0) FROM runs
    UNION ALL SELECT run, 'utilization', 'share', utilization FROM runs
    UNION ALL SELECT run, 'tasks that did not pass', 'share', not_passed / nullif(tasks - unfinished, 0) FROM runs
)
SELECT figure, unit, count(value) AS runs, avg(value) AS mean, regr_slope(value, run) AS slope_per_run, regr_r2(value, run) AS r2
FROM figures
WHERE value IS NOT NULL
GROUP BY figure, unit;
