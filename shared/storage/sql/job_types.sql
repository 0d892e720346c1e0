-- part: held-builds
-- The builds that a host has, and those of workers that are still to be replaced.
SELECT build FROM orpheus.host_builds WHERE is_gone = 0
    UNION SELECT build FROM orpheus.processes WHERE build <> ''

-- part: type-columns
-- The first fields of TypeRow (shared/storage/data.py).
name, schema, max_retries, timeout_s, queue, description,
    backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter, retention_s,
    code, hide

-- part: rows
-- Each row of a type in a build that is held, how many builds that are, and whether it is the newest.
SELECT {type-columns}, (SELECT count(*) FROM ({held-builds}) AS held) AS builds
FROM orpheus.job_types WHERE build IN ({held-builds})

-- name: build-of-host
-- The build that a host described last.
SELECT build FROM orpheus.host_builds WHERE host = ?;

-- name: put-build
-- Note the build that a host has from now on.
INSERT INTO orpheus.host_builds (host, build, since_ms) VALUES (?, ?, ?)
ON CONFLICT (host) DO UPDATE SET build = excluded.build, since_ms = excluded.since_ms,
    looked_at_ms = NULL, silent_ms = 0, is_gone = 0;

-- name: forget-other-hosts
-- Only this host uses the database: the others are earlier names of it.
DELETE FROM orpheus.host_builds WHERE host <> ?;

-- name: insert-type
-- Insert one job type of a build, unless another host has done so.
INSERT INTO orpheus.job_types (build, version, code_since_ms, name, schema, max_retries, timeout_s,
    queue, description, backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter, retention_s, code,
    hide)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (build, name) DO NOTHING;

-- name: forget-builds
-- Delete the types of builds that nobody has, nor a host that may come back.
DELETE FROM orpheus.job_types WHERE build NOT IN (
    SELECT build FROM orpheus.host_builds UNION SELECT build FROM orpheus.processes);

-- name: mark-newest
-- Of each type, the row of the build to which a host has changed last is the one that is shown.
UPDATE orpheus.job_types SET is_newest = CASE WHEN build = (
    SELECT same.build FROM orpheus.job_types AS same
        LEFT JOIN orpheus.host_builds ON host_builds.build = same.build
    WHERE same.name = job_types.name
    ORDER BY coalesce(is_gone, 0), coalesce(since_ms, 0) DESC, same.build LIMIT 1) THEN 1 ELSE 0 END;

-- name: hosts
-- Every host that has described a build: when somebody last saw that it is silent, for how long it is,
-- whether it is gone, and whether a process of it is known.
SELECT host, looked_at_ms, silent_ms, is_gone, EXISTS (
    SELECT 1 FROM orpheus.processes WHERE processes.host = host_builds.host)
FROM orpheus.host_builds;

-- name: note-silent
-- Note when somebody saw that a host is silent (NULL: it is not), for how long it is, and whether it is gone.
UPDATE orpheus.host_builds SET looked_at_ms = ?, silent_ms = ?, is_gone = ? WHERE host = ?;

-- name: forget-host
-- Forget what a host has described.
DELETE FROM orpheus.host_builds WHERE host = ?;

-- name: any-unheld
-- Is there a build that nobody has?
SELECT 1 FROM orpheus.job_types WHERE build NOT IN (
    SELECT build FROM orpheus.host_builds UNION SELECT build FROM orpheus.processes) LIMIT 1;

-- name: get-type
-- Every row of one job type, the newest first.
{rows} AND name = ? ORDER BY is_newest DESC, build;

-- name: all-types
-- Every row of every job type, by name, the newest first.
{rows} ORDER BY name, is_newest DESC, build;

-- name: versions-of-build
-- The version of each type in a build.
SELECT name, version FROM orpheus.job_types WHERE build = ?;

-- name: backoff-of-job
-- What the type of a job says of its backoff.
SELECT backoff_base_s, backoff_factor, backoff_max_s, backoff_jitter
FROM orpheus.job_types
WHERE name = (SELECT type FROM orpheus.jobs WHERE id = ?) AND is_newest = 1;

-- name: codes
-- The digest of each type's code, and since when it is that.
SELECT name, code, min(code_since_ms) FROM orpheus.job_types GROUP BY name, code;

-- name: hidden-of-types
-- What each version of each type hides.
SELECT name, hide FROM orpheus.job_types;

-- name: hidden-fields
-- The hidden fields of each type that has any; of type '', those of all types.
SELECT type, hide FROM orpheus.hidden_fields;

-- name: type-of-job
-- The type of a job.
SELECT type FROM orpheus.jobs WHERE id = ?;

-- name: put-hidden
-- Note the hidden fields of a type.
INSERT INTO orpheus.hidden_fields (type, hide) VALUES (?, ?)
ON CONFLICT (type) DO UPDATE SET hide = excluded.hide;

-- name: forget-hidden
-- A type hides nothing any more.
DELETE FROM orpheus.hidden_fields WHERE type = ?;
