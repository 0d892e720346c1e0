// Pages of GET /jobs. If the API ends a page early, because the search takes long, it is read on for a while.
import { address } from "./filter.js";
import { request } from "./http.js";
import { ago } from "./time.js";
import { count } from "./words.js";

const LOOK_MS = 2500;

/**
 * @param {Record<string, string>} filter @param {string | null} cursor @param {number} limit
 * @param {AbortSignal} signal @param {(text: string) => void} tell called while it takes long
 * @returns {Promise<any>} with `looked`: how many jobs were looked at
 */
export async function readPage(filter, cursor, limit, signal, tell) {
  const began = performance.now();
  const next = (at) => request(address("/jobs", filter, { limit, cursor: at, preview: true }), { signal });
  let page = await next(cursor);
  let looked = page.searched?.jobs ?? 0;
  while (page.searched && page.items.length < limit && performance.now() - began < LOOK_MS && !signal.aborted) {
    tell(`looking … ${farthest({ ...page, looked })}`);
    const { items } = page;
    page = await next(page.next_cursor);
    looked += page.searched?.jobs ?? 0;
    page = { ...page, items: [...items, ...page.items] };
    if (cursor === null && page.next_cursor === null) page.total = { value: page.items.length, relation: "eq" };
  }
  return { ...page, looked };
}

/** How far a page has looked. */
export const farthest = ({ searched, looked }) =>
  `looked at ${count(looked)} jobs${searched?.back_to ? `, back to ${ago(searched.back_to)}` : ""}`;
