-- part: listed-ids
-- The ids of a JSON list, as `value`; AS follows.
(SELECT value::bigint FROM json_array_elements_text(?::json))

-- part: listed-names
-- The texts of a JSON list, in the same way.
json_array_elements_text(?::json)

-- part: error-column
-- The error of a job or an attempt, as a JSON list.
CASE WHEN error_type IS NOT NULL
        THEN json_build_array(error_type, coalesce(error_message, ''), error_traceback) END AS error

-- part: every-event
-- The table of all events, also of those that have no number yet.
all_events

-- part: matches
-- A text matches a pattern, in either case.
ILIKE ?

-- part: in-queue
-- The queue is the first value: with the queue in ORDER BY, its index is the only one (`late-jobs`).
queue = ANY (ARRAY[?1])

-- part: event-fields
-- What an event tells of a job: its row, without payload, result and traceback.
id, type, status, queue, priority,
    CASE WHEN error_type IS NOT NULL THEN (
        SELECT row_to_json(error)
        FROM (SELECT error_type AS type, error_message AS message) AS error) END AS error,
    attempt, max_retries, timeout_s, progress, message,
    created_at_ms, run_at_ms, freed_at_ms, started_at_ms, finished_at_ms,
    worker, unique_key, concurrency_key,
    depends_on::json AS depends_on, tags::json AS tags,
    cancel_requested = 1 AS cancel_requested

-- part: listed-dependencies
-- What each job says that it waits for, as `value`; AS follows.
LATERAL (SELECT value::bigint FROM json_array_elements_text(jobs.depends_on::json))

-- part: ran-until-column
-- When the last attempt ended: a cancel or a lost worker ends a job later.
CASE WHEN status IN ('failed', 'cancelled') THEN (
        SELECT ended.finished_at_ms FROM orpheus.ended_attempts AS ended
        WHERE ended.job_id = jobs.id AND ended.number = jobs.attempt)
    ELSE finished_at_ms END AS ran_until_ms

-- part: running-here
-- How many jobs of the queue `name` are leased.
(SELECT count(*) FROM orpheus.jobs WHERE status = 'in_progress' AND queue = name)

-- part: equal-at-path
-- The JSON `payload` has at `path` the value of the JSON `wanted`: 1 and 1.0 are equal, 1 and true are not.
jsonb_path_query_first(payload::jsonb, ('strict ' || path)::jsonpath, '{}', true) = wanted::jsonb

-- part: in-scope
-- The queue of a job, and its type, each match a pattern of a JSON list.
EXISTS (SELECT 1 FROM json_array_elements_text(?::json) AS glob
        WHERE jobs.queue LIKE replace(replace(glob, '_', '\_'), '*', '%'))
    AND EXISTS (SELECT 1 FROM json_array_elements_text(?::json) AS glob
        WHERE jobs.type LIKE replace(replace(glob, '_', '\_'), '*', '%'))
