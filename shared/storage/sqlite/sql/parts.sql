-- part: listed-ids
-- The ids of a JSON list, as `value`; AS follows.
json_each(?)

-- part: listed-names
-- The texts of a JSON list, in the same way.
json_each(?)

-- part: error-column
-- The error of a job or an attempt, as a JSON list.
CASE WHEN error_type IS NOT NULL
        THEN json_array(error_type, coalesce(error_message, ''), error_traceback) END AS error

-- part: every-event
-- The table of all events.
events

-- part: matches
-- A text matches a pattern, in either case.
LIKE ? ESCAPE '\'

-- part: in-queue
-- The queue is the first value.
queue = ?1

-- part: event-body
-- What an event tells of a job: its row, without payload, result and traceback.
json_object(
    'id', id, 'type', type, 'status', status, 'queue', queue, 'priority', priority,
    'error', CASE WHEN error_type IS NOT NULL
        THEN json_object('type', error_type, 'message', error_message) END,
    'attempt', attempt, 'max_retries', max_retries, 'timeout_s', timeout_s,
    'progress', progress, 'message', message,
    'created_at_ms', created_at_ms, 'run_at_ms', run_at_ms,
    'freed_at_ms', freed_at_ms, 'started_at_ms', started_at_ms, 'finished_at_ms', finished_at_ms,
    'worker', worker, 'unique_key', unique_key, 'concurrency_key', concurrency_key,
    'depends_on', json(depends_on), 'tags', json(tags),
    'cancel_requested', json(iif(cancel_requested, 'true', 'false')))

-- part: listed-dependencies
-- What each job says that it waits for, as `value`; AS follows.
json_each(jobs.depends_on)

-- part: ran-until-column
-- When the last attempt ended: a cancel or a lost worker ends a job later.
CASE WHEN status IN ('failed', 'cancelled') THEN (
        SELECT ended.finished_at_ms FROM ended_attempts AS ended
        WHERE ended.job_id = jobs.id AND ended.number = jobs.attempt)
    ELSE finished_at_ms END AS ran_until_ms

-- part: running-here
-- How many jobs of the queue `name` are leased.
coalesce((SELECT n FROM job_counts WHERE queue = name AND status = 'in_progress'), 0)

-- part: equal-at-path
-- The JSON `payload` has at `path` the value of the JSON `wanted`: 1 and 1.0 are equal, 1 and true are not.
json_extract(payload, path) IS json_extract(wanted, '$')
    AND replace(json_type(payload, path), 'real', 'integer') = replace(json_type(wanted), 'real', 'integer')

-- part: in-scope
-- The queue of a job, and its type, each match a pattern of a JSON list; `type` alone would be json_each's.
EXISTS (SELECT 1 FROM json_each(?) AS glob WHERE jobs.queue GLOB glob.value)
    AND EXISTS (SELECT 1 FROM json_each(?) AS glob WHERE jobs.type GLOB glob.value)
