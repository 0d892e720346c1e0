// Calls of the HTTP API: JSON in and out; a refusal becomes an error with its reason.
import { parseExact, writeExact } from "./exact.js";
import { learnClock } from "./time.js";

const DATE_TOLERANCE_MS = 5000; // the header has whole seconds, and may be a second old

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
 * @param {string} path @param {{method?: string, body?: any, headers?: Record<string, string>, exact?: boolean, signal?: AbortSignal, answered?: (answer: Response) => void}} [how]
 * `exact`: numbers that JavaScript would change are returned as Exact. `answered` sees the answer before it is returned.
 */
export async function request(path, { method = "GET", body, headers = {}, exact = false, signal, answered } = {}) {
  let answer, text;
  try {
    answer = await fetch(path, {
      method, signal, cache: "no-store",
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : writeExact(body),
    });
    learnClock(answer.headers.get("date") ?? "", DATE_TOLERANCE_MS);
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "Orpheus does not answer. Is it running?");
  }
  if (answer.status === 401) location.reload(); // the session has ended: the reload shows the login page
  if (!answer.ok) {
    let problem = {};
    try { problem = JSON.parse(text); } catch { /* not a problem document: use the status */ }
    throw new Problem(answer.status, problem.detail || problem.title || `HTTP ${answer.status}`, problem.errors);
  }
  answered?.(answer);
  return text && (exact ? parseExact(text) : JSON.parse(text));
}

/** Return what names a host in the URL of a call, where it is not the only one. @param {string} host @param {boolean} several */
export function onHost(host, several) {
  return several ? `?host=${encodeURIComponent(host)}` : "";
}
