// Pages of GET /jobs.
import { address } from "../lists/filter.js";
import { request } from "../base/http.js";
import { readWhole } from "../lists/whole-page.js";

/**
 * @param {Record<string, string>} filter @param {string | null} cursor @param {number} limit
 * @param {AbortSignal} signal @param {(text: string) => void} tell called while it takes long
 */
export async function readPage(filter, cursor, limit, signal, tell) {
  const read = (at) => request(address("/jobs", filter, { limit, cursor: at, preview: true }), { signal });
  const page = await readWhole(read, cursor, { most: limit, noun: "jobs", isWanted: () => !signal.aborted, tell });
  if (cursor === null && page.next_cursor === null) page.total = { value: page.items.length, relation: "eq" };
  return page;
}
