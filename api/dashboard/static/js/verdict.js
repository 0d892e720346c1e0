// The health of the system in one sentence, and the list of problems that need attention.
import { count, duration, percent, plural } from "./words.js";

const ALARMING = { fatal: "failed too often (fatal)", stuck: "cannot be killed (stuck)", killing: "is being killed", backoff: "waits to be started again (backoff)" };
const REJECTED = "configuration rejected: ";
const LONG_WAIT_S = 60;
export const ALARMING_SHARE = 0.1;
const ALARMING_WAL_BYTES = 512 * 1024 * 1024;

/**
 * @param {{workers: any[], counts: Record<string, number>, stats: any}} seen
 * @returns {{headline: string, concerns: {text: string, href?: string}[]}}
 */
export function healthOf({ workers, counts, stats }) {
  const slots = workers.filter(({ pool, role }) => pool !== null && role !== "program");
  const ready = slots.filter(({ state }) => state === "ready").length;
  const rejected = rejection(workers) === null ? [] : [{ text: "The configuration was rejected.", href: "#rejected" }];
  const concerns = [...rejected, ...ofSlots(workers), ...ofJobs(counts, stats, ready)];
  if (!ready && counts.pending) concerns.unshift({ text: `No worker is ready, and ${plural(counts.pending, "job waits", "jobs wait")}.`, href: "#workers" });
  return { headline: headline(slots.length, ready, concerns.length, counts), concerns };
}

function headline(slots, ready, concerns, counts) {
  if (concerns) return concerns === 1 ? "One problem needs your attention." : `${concerns} problems need your attention.`;
  if (slots === 0) return "No worker is running.";
  if (ready < slots) return ready ? "Not every worker is ready." : "Starting up.";
  return Object.values(counts).some((n) => n) ? "All is well." : "Ready for the first job.";
}

/** Return why the supervisor rejected the configuration; null if it did not. @param {any[]} workers */
export function rejection(workers) {
  const rejecting = workers.find(({ slot, degraded, reason }) => slot === "supervisor" && degraded && reason.startsWith(REJECTED));
  return rejecting ? rejecting.reason.slice(REJECTED.length) : null;
}

/** Return one problem for all slots that are in the same state for the same reason. */
function ofSlots(workers) {
  /** @type {Map<string, {names: string[], what: string}>} */
  const groups = new Map();
  const several = new Set(workers.map(({ host }) => host)).size > 1;
  for (const { host, slot, state, degraded, reason } of workers) {
    if (!degraded && !ALARMING[state]) continue;
    if (reason.startsWith(REJECTED)) continue;
    const what = `${ALARMING[state] ?? "is degraded"}${reason ? `: ${reason}` : ""}`;
    const group = groups.get(what) ?? { names: [], what };
    groups.set(what, { ...group, names: [...group.names, several ? `${slot} on ${host}` : slot] });
  }
  return [...groups.values()].map(({ names, what }) => ({
    text: `${names.length > 4 ? `${names.slice(0, 3).join(", ")} and ${names.length - 3} more: each` : names.join(", ")}${names.length > 1 && names.length <= 4 ? ": each" : ""} ${what}`,
    href: "#workers",
  }));
}

function ofJobs(counts, stats, ready) {
  const concerns = [];
  const lately = stats?.throughput.last_5_min;
  const share = lately ? lately.failed / (lately.done + lately.failed || 1) : 0;
  if (lately?.failed >= 3 && share >= ALARMING_SHARE) concerns.push({
    text: `${percent(share)} of the jobs that ended in the last 5 minutes failed: ${count(lately.failed)}.`, href: "/?status=failed#jobs",
  });
  if (ready && stats?.oldest_pending_s >= LONG_WAIT_S) concerns.push({
    text: `A job has been due for ${duration(stats.oldest_pending_s)}: the workers are too slow for ${plural(counts.pending, "pending job")}.`, href: "/?status=pending#jobs",
  });
  if (stats?.wal_bytes > ALARMING_WAL_BYTES) concerns.push({ text: "The write-ahead log is large, because a program keeps a read transaction open." });
  return concerns;
}
