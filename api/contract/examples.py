"""An example of each call, for /openapi.json: what goes in, and what comes out by status.

Tests hold each of them to its schema, and the requests to what the models accept.
"""

from http import HTTPStatus
from typing import Any

_AT = "2026-01-31T12:00:00.000Z"
_LATER = "2026-01-31T12:00:00.250Z"
_PENDING: dict[str, Any] = {
    "id": 7,
    "type": "sum_range",
    "payload": {"n": 100000},
    "status": "pending",
    "queue": "default",
    "priority": 0,
    "result": None,
    "error": None,
    "attempt": 0,
    "max_retries": 3,
    "timeout": 900.0,
    "progress": None,
    "message": None,
    "created_at": _AT,
    "run_at": _AT,
    "started_at": None,
    "finished_at": None,
    "worker": None,
    "unique_key": None,
    "depends_on": [],
    "tags": ["nightly"],
    "cancel_requested": False,
}
_RUNNING = _PENDING | {
    "status": "in_progress",
    "attempt": 1,
    "started_at": _AT,
    "worker": "default-1",
    "cancel_requested": True,
}
_CANCELLED = _PENDING | {"status": "cancelled", "finished_at": _LATER}
_DONE = _PENDING | {
    "status": "done",
    "result": {"sum": 5000050000},
    "attempt": 1,
    "started_at": _AT,
    "finished_at": _LATER,
    "worker": "default-1",
}
_ATTEMPT = {
    "number": 1,
    "outcome": "succeeded",
    "worker": "default-1",
    "pid": 4711,
    "started_at": _AT,
    "finished_at": _LATER,
    "error": None,
}
_EXIT = {
    "at": _AT,
    "reason": "crashed",
    "signal": "SIGKILL",
    "code": None,
    "evidence": None,
    "uptime_s": 812.5,
    "out_of_memory": False,
}
_DOING = {
    "id": 7,
    "type": "sum_range",
    "progress": 0.5,
    "message": "half way",
    "started_at": _AT,
}
_WORKER = {
    "slot": "default-1",
    "pool": "default",
    "state": "ready",
    "degraded": False,
    "reason": "",
    "pid": 4711,
    "incarnation": "9f86d081884c7d65",
    "job": _DOING,
    "heartbeat_age_s": 0.8,
    "cpu_percent": 12.5,
    "rss_bytes": 41943040,
    "uptime_s": 93.1,
    "jobs_done": 120,
    "restarts": 1,
    "last_exit": _EXIT,
    "recent_exits": [_EXIT],
}
_COUNTS = {
    "blocked": 0,
    "pending": 2,
    "in_progress": 1,
    "done": 120,
    "failed": 3,
    "cancelled": 0,
}
_QUEUE = {
    "name": "mail",
    "paused": False,
    "max_running": 0,
    "rate": "10/s",
    "counts": _COUNTS,
    "oldest_pending_s": 1.5,
    "done_per_minute": 12.0,
}
_SCHEDULE = {
    "name": "nightly",
    "type": "sum_range",
    "cron": "0 3 * * *",
    "every": None,
    "timezone": "Europe/Berlin",
    "paused": False,
    "last_run": _AT,
    "last_job": 7,
    "next_runs": ["2026-02-01T02:00:00.000Z"],
}
_FINISHED = {"done": 120, "failed": 3, "cancelled": 0}
_WHY = {"reason": "the mail server is down"}
_CHANGE = {
    "written": True,
    "etag": "5f2c8e0d9a7b4c6f8e1d2a3b4c5d6e7f",
    "problems": [],
    "warnings": [],
    "refused": [],
    "text": "[pools.default]\nworkers = 4\n",
    "changed": ["pools.default.workers"],
    "restarts": [],
    "starts": ["default-3", "default-4"],
    "stops": [],
    "takes_effect": "within 2 seconds: the supervisor watches the file",
}

EXAMPLES: dict[str, dict[str, Any]] = {
    "POST /jobs": {
        "request": {"type": "sum_range", "payload": {"n": 100000}, "tags": ["nightly"]},
        "responses": {"201": _PENDING, "200": _PENDING | {"unique_key": "sum-of-today"}},
    },
    "GET /jobs": {
        "responses": {
            "200": {
                "items": [_DONE],
                "next_cursor": None,
                "total": {"value": 1, "relation": "eq"},
            }
        }
    },
    "POST /jobs/batch": {
        "request": {
            "jobs": [
                {"type": "sleep", "payload": {"seconds": 1}, "ref": "first"},
                {"type": "wordcount", "payload": {"text": "then this"}, "depends_on": ["first"]},
            ]
        },
        "responses": {"201": {"ids": [7, 8]}},
    },
    "GET /jobs/{job_id}": {"responses": {"200": _DONE | {"attempts": [_ATTEMPT]}}},
    "DELETE /jobs/{job_id}": {"request": _WHY},
    "GET /jobs/{job_id}/logs": {
        "responses": {
            "200": {
                "items": [
                    {
                        "id": 1,
                        "attempt": 1,
                        "at": _AT,
                        "level": "info",
                        "line": "resizing",
                        "fields": {"path": "a.png"},
                    }
                ]
            }
        }
    },
    "GET /jobs/{job_id}/events": {
        "responses": {"200": {"items": [{"seq": 21, "at": _AT, "kind": "job.done", "job": _DONE}]}}
    },
    "POST /jobs/{job_id}/cancel": {
        "request": _WHY,
        "responses": {"200": _CANCELLED, "202": _RUNNING},
    },
    "POST /jobs/{job_id}/retry": {"request": _WHY, "responses": {"200": _PENDING}},
    "POST /jobs/{job_id}/run": {"request": _WHY, "responses": {"200": _PENDING}},
    "POST /jobs/bulk": {
        "request": {
            "action": "retry",
            "filter": {"status": "failed", "queue": "mail"},
            "expected_count": 12,
            **_WHY,
        },
        "responses": {"200": {"changed": 12}},
    },
    "GET /audit": {
        "responses": {
            "200": {
                "items": [
                    {
                        "id": 3,
                        "at": _AT,
                        "action": "cancel",
                        "target": "job 7",
                        "by": "api:127.0.0.1",
                        "reason": "not needed any more",
                        "count": 1,
                    }
                ],
                "next_cursor": None,
            }
        }
    },
    "GET /queues": {"responses": {"200": {"items": [_QUEUE]}}},
    "POST /queues/{name}/pause": {
        "request": _WHY,
        "responses": {"200": _QUEUE | {"paused": True}},
    },
    "POST /queues/{name}/resume": {"request": _WHY, "responses": {"200": _QUEUE}},
    "GET /schedules": {"responses": {"200": {"items": [_SCHEDULE]}}},
    "POST /schedules/{name}/run": {"request": _WHY, "responses": {"201": _PENDING}},
    "POST /schedules/{name}/pause": {
        "request": _WHY,
        "responses": {"200": _SCHEDULE | {"paused": True, "next_runs": []}},
    },
    "POST /schedules/{name}/resume": {"request": _WHY, "responses": {"200": _SCHEDULE}},
    "GET /workers": {"responses": {"200": {"items": [_WORKER]}}},
    "POST /workers/{slot}/restart": {"request": _WHY, "responses": {"202": _WORKER}},
    "POST /workers/{slot}/drain": {"request": _WHY, "responses": {"202": _WORKER}},
    "GET /workers/{slot}/stack": {
        "responses": {
            "200": {
                "slot": "default-1",
                "pid": 4711,
                "incarnation": "9f86d081884c7d65",
                "job": _DOING,
                "at": _AT,
                "stack": 'Current thread 0x00007f (most recent call first):\n  File "jobs.py"',
            }
        }
    },
    "POST /pools/{name}/scale": {
        "request": {"workers": 4, **_WHY},
        "responses": {"202": {"pool": "default", "workers": 4}},
    },
    "GET /types": {
        "responses": {
            "200": {
                "items": [
                    {
                        "name": "sum_range",
                        "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
                        "defaults": {"queue": "default", "max_retries": 3, "timeout": 900.0},
                        "description": "The sum of 1 to n.",
                    }
                ]
            }
        }
    },
    "GET /stats": {
        "responses": {
            "200": {
                "counts": _COUNTS,
                "throughput": {
                    "last_5_min": _FINISHED,
                    "last_hour": _FINISHED,
                    "by_minute": [{"at": _AT, **_FINISHED}],
                },
                "wait_s": {"p50": 0.01, "p95": 0.2},
                "run_s": {"p50": 0.05, "p95": 1.5},
                "oldest_pending_s": 1.5,
                "database_bytes": 1048576,
                "wal_bytes": 65536,
            }
        }
    },
    "GET /config": {
        "responses": {
            "200": {
                "path": "config/orpheus.toml",
                "text": "[pools.default]\nworkers = 2\n",
                "etag": "9a7b4c6f8e1d2a3b4c5d6e7f5f2c8e0d",
                "masked": 0,
                "obstacle": None,
                "settings": [
                    {
                        "key": "pools.default.workers",
                        "value": 2,
                        "origin": "config/orpheus.toml:2",
                    }
                ],
                "problems": [],
                "warnings": [],
                "rejected": None,
            }
        }
    },
    "PUT /config": {
        "request": {"set": {"pools.default.workers": 4}, "reason": "a busy week"},
        "responses": {"200": _CHANGE},
    },
    "GET /healthz": {"responses": {"200": {"status": "ok"}}, "open": True},
    "GET /readyz": {
        "responses": {
            "200": {
                "status": "ready",
                "checks": {
                    "database": {"status": "ok", "detail": "writable"},
                    "workers": {"status": "ok", "detail": "2 of 2 ready"},
                    "started": {"status": "ok", "detail": "every slot has been ready"},
                },
            },
            "503": {
                "status": "not_ready",
                "checks": {"workers": {"status": "failed", "detail": "0 of 2 ready"}},
            },
        },
        "open": True,
    },
    "GET /session": {"responses": {"200": {"read_only": False, "ends_at": None}}},
    "POST /session": {
        "request": {"token": "what api.token_file holds: 32"},
        "open": True,
    },
}
"""`open`: anyone may call it, where others need a token."""

_DETAILS: dict[int, str] = {
    400: "The body is not valid JSON: Expecting value: line 1 column 1 (char 0).",
    401: "Send the token: Authorization: Bearer …",
    403: "This API is read-only (api.read_only): it changes nothing.",
    404: "there is no job 7",
    409: "job 7 is done and cannot be cancelled",
    412: "config/orpheus.toml has changed since it was read",
    413: "The body is larger than 1048576 bytes.",
    415: "The content type is text/plain; application/json is expected.",
    422: "/type: is required",
    428: "A whole text replaces what others may have changed: send the ETag as If-Match.",
    503: "the database is busy",
    507: "The disk is full.",
}


def problem_example(status: int) -> dict[str, Any]:
    """What a refusal with this status looks like."""
    told = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": _DETAILS[status],
    }
    if status == 422:
        told["errors"] = [{"pointer": "/type", "detail": "is required"}]
    return told
