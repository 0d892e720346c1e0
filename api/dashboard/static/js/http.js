// The HTTP API: JSON in and out, and its refusals as errors that say why.
import { parseExact, writeExact } from "./exact.js";

/** A refusal (RFC 9457), or `status` 0 where nothing answered. */
export class Problem extends Error {
  /** @param {number} status @param {string} detail @param {{pointer: string, detail: string}[]} [errors] */
  constructor(status, detail, errors = []) {
    super(detail);
    this.status = status;
    this.errors = errors;
  }
}

/**
 * Asks the API. Raises Problem.
 * @param {string} path @param {{method?: string, body?: any, headers?: Record<string, string>, exact?: boolean, signal?: AbortSignal}} [how]
 * `exact`: numbers that JavaScript cannot hold come as Exact.
 */
export async function ask(path, { method = "GET", body, headers = {}, exact = false, signal } = {}) {
  let answer, text;
  try {
    answer = await fetch(path, {
      method, signal, cache: "no-store",
      headers: body === undefined ? headers : { ...headers, "Content-Type": "application/json" },
      body: body === undefined ? undefined : writeExact(body),
    });
    text = await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, "Orpheus does not answer. Is it running?");
  }
  if (answer.status === 401) location.reload(); // the session is over: in place of the page comes the login
  if (!answer.ok) {
    let told = {};
    try { told = JSON.parse(text); } catch { /* no problem document: the status must do */ }
    throw new Problem(answer.status, told.detail || told.title || `HTTP ${answer.status}`, told.errors);
  }
  return text && (exact ? parseExact(text) : JSON.parse(text));
}
