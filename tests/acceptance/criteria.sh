#!/usr/bin/env bash
# The seven acceptance criteria, by curl, against a running Orpheus. Needs curl and python3.
#   tests/acceptance/criteria.sh [http://127.0.0.1:8000]
# The requests are those that the README prints; a test holds that.
set -euo pipefail
cd "$(dirname "$0")/../.."
ORPHEUS=${1:-http://127.0.0.1:8000}

# read_field 'job["status"]' < JSON: prints the value of a Python expression over the JSON.
read_field() { python3 -c 'import json, sys; job = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

# expect NAME WANTED GOT
expect() {
    [ "$2" = "$3" ] || { printf 'FAILED  %s: expected %s, got %s\n' "$1" "$2" "$3" >&2; exit 1; }
    printf 'ok      %s: %s\n' "$1" "$3"
}

# submit JSON: prints the new job's id.
submit() { curl -fsS --json "$1" "$ORPHEUS/jobs" | read_field 'job["id"]'; }

# when_ended ID: prints the job when it has ended, or after 30 s.
when_ended() { curl -fsS "$ORPHEUS/jobs/$1?wait=30"; }

criterion_1() {
    expect "healthz answers" 200 "$(curl -s -o /dev/null -w '%{http_code}' "$ORPHEUS/healthz")"
    for _ in $(seq 150); do
        code=$(curl -s -o /dev/null -w '%{http_code}' "$ORPHEUS/readyz")
        [ "$code" = 200 ] && break
        sleep 0.1
    done
    expect "readyz within 15 s" 200 "$code"
}

criterion_2() {
    sum_id=$(submit '{"type": "sum_range", "payload": {"n": 100000}}')
    job=$(when_ended "$sum_id")
    expect "sum_range" done "$(read_field 'job["status"]' <<<"$job")"
    expect "its sum" 5000050000 "$(read_field 'job["result"]["sum"]' <<<"$job")"
}

criterion_3() {
    count_id=$(submit '{"type": "wordcount", "payload": {"text": "no job is ever lost"}}')
    job=$(when_ended "$count_id")
    expect "wordcount" done "$(read_field 'job["status"]' <<<"$job")"
    expect "its count" 5 "$(read_field 'job["result"]["count"]' <<<"$job")"
}

criterion_4() {
    ids='" ".join(str(one["id"]) for one in job["items"])'
    expect "the list, newest first" "$count_id $sum_id" \
        "$(curl -fsS "$ORPHEUS/jobs?limit=2" | read_field "$ids")"
    expect "the list by type" "$sum_id" \
        "$(curl -fsS "$ORPHEUS/jobs?type=sum_range&limit=1" | read_field "$ids")"
    expect "the list by status" "$count_id $sum_id" \
        "$(curl -fsS "$ORPHEUS/jobs?status=done&limit=2" | read_field "$ids")"
    expect "an unknown id" "404 application/problem+json" \
        "$(curl -s -o /dev/null -w '%{http_code} %{content_type}' "$ORPHEUS/jobs/999999999")"
}

criterion_5() {
    flaky_id=$(submit '{"type": "flaky", "payload": {"failures": 2}}')
    broken_id=$(submit '{"type": "flaky", "payload": {"failures": 9}}')
    hopeless_id=$(submit '{"type": "flaky", "payload": {"failures": 9, "permanent": true}}')
    job=$(when_ended "$flaky_id")
    expect "two failures, then" "done 3" \
        "$(read_field 'job["status"] + " " + str(job["attempt"])' <<<"$job")"
    expect "each wait is longer" True "$(read_field '(lambda at: at[1] - at[0] < at[2] - at[1])(
        [__import__("datetime").datetime.fromisoformat(one["started_at"]) for one in job["attempts"]])' <<<"$job")"
    expect "nine failures" "failed 4" \
        "$(when_ended "$broken_id" | read_field 'job["status"] + " " + str(len(job["attempts"]))')"
    expect "nine permanent ones" "failed 1" \
        "$(when_ended "$hopeless_id" | read_field 'job["status"] + " " + str(len(job["attempts"]))')"
}

criterion_6() {
    expect "a client on /ws sees" "job.enqueued job.started job.done" \
        "$("${PYTHON:-.venv/bin/python}" tests/acceptance/watch.py "$ORPHEUS" 2>&1)"
}

criterion_7() {
    sleep_id=$(submit '{"type": "sleep", "payload": {"seconds": 8}}')
    for _ in $(seq 100); do
        worker=$(curl -fsS "$ORPHEUS/jobs/$sleep_id" | read_field 'job["worker"]')
        [ "$worker" != None ] && break
        sleep 0.1
    done
    slot="next(one for one in job['items'] if one['slot'] == '$worker')"
    pid=$(curl -fsS "$ORPHEUS/workers" | read_field "$slot['pid']")
    kill -9 "$pid"
    for _ in $(seq 50); do
        state=$(curl -fsS "$ORPHEUS/workers" | read_field "$slot['state'] if $slot['pid'] != $pid else 'dead'")
        [ "$state" = ready ] && break
        sleep 0.1
    done
    expect "the slot of the killed worker, within 5 s" ready "$state"
    job=$(when_ended "$sleep_id")
    expect "its job" "done crashed succeeded" \
        "$(read_field '" ".join([job["status"]] + [one["outcome"] for one in job["attempts"]])' <<<"$job")"
    expect "its attempts do not overlap" True \
        "$(read_field 'job["attempts"][0]["finished_at"] <= job["attempts"][1]["started_at"]' <<<"$job")"
}

for number in 1 2 3 4 5 6 7; do
    printf -- '-- criterion %s\n' "$number"
    "criterion_$number"
done
echo "all seven criteria hold"
