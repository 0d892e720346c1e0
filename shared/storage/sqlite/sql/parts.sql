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
