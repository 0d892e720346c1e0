// Calls of the HTTP API: JSON in and out; a refusal becomes an error with its reason.
import { base } from "./base.js";
import { parseExact, writeExact } from "./exact.js";
import { learnClock } from "./time.js";
import { endSession } from "./unsaved.js";

const DATE_TOLERANCE_MS = 5000; // the header has whole seconds, and may be a second old
/** How long a page waits for what it reads: the API gives up after 5 s, or with `wait=` that many seconds later. */
export const LONGEST_READ_MS = 20_000;
/** After how long without an answer a page says that it is disconnected. */
export const SILENCE_MS = 6000;

/** An error that the API answered (RFC 9457), or `status` 0 if nothing answered. */
class Problem extends Error {
  /** @param {number} status @param {string} detail @param {{pointer: string, detail: string}[]} [errors] */
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

/**
 * Call the API and return its answer. Throws Problem.
 * @param {string} path @param {{method?: string, body?: any, headers?: Record<string, string>, exact?: boolean, signal?: AbortSignal, within?: number}} [how]
 * `exact`: numbers that JavaScript would change are returned as Exact. `within`: how many ms an answer may take; a call that
 * changes something waits for ever without it, as nobody would know whether it was done.
 */
export async function request(path, { method = "GET", body, headers = {}, exact = false, signal, within = longest(path, method) } = {}) {
  let answer, text;
  const limit = new AbortController(), timer = within && setTimeout(() => limit.abort(), within);
  try {
    answer = await fetch(base + path, {
      method, cache: "no-store",
      signal: AbortSignal.any(signal ? [signal, limit.signal] : [limit.signal]),
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : writeExact(body),
    });
    learnClock(answer.headers.get("date") ?? "", DATE_TOLERANCE_MS);
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "Orpheus does not answer. Is it running?");
  } finally { clearTimeout(timer); }
  if (answer.status === 401) {
    endSession();
    throw new Problem(401, "The session has ended. Log in again in another tab.");
  }
  if (!answer.ok) {
    let problem = {};
    try { problem = JSON.parse(text); } catch { /* not a problem document: use the status */ }
    throw new Problem(answer.status, problem.detail || problem.title || `HTTP ${answer.status}`, problem.errors);
  }
  return text && (exact ? parseExact(text) : JSON.parse(text));
}

/** How many ms an answer may take; 0: any time. @param {string} path @param {string} method */
const longest = (path, method) => (method === "GET" ? LONGEST_READ_MS + 1000 * Number(/[?&]wait=(\d+)/.exec(path)?.[1] ?? 0) : 0);

/** Return the query that names a host in the URL of a call, if there are several. @param {string} host @param {boolean} several */
export function onHost(host, several) {
  return several ? `?host=${encodeURIComponent(host)}` : "";
}
