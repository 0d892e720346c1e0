// Pages of GET /audit. If the API ends a page early, because the search takes long, it is read on for a while.
import { request } from "./http.js";
import { ago } from "./time.js";
import { count } from "./words.js";

const LOOK_MS = 2500;
const PAGE = 50;

/** @param {string} path @param {Record<string, string>} filter @param {string | null} cursor */
export function address(path, filter, cursor) {
  const search = new URLSearchParams(filter);
  if (cursor !== null) search.set("cursor", cursor);
  return search.size ? `${path}?${search}` : path;
}

/** Read one part of a page. @param {Record<string, string>} filter @param {string | null} cursor @param {AbortSignal} signal @returns {Promise<any>} */
export const readPart = (filter, cursor, signal) => request(address("/audit", filter, cursor), { signal });

/**
 * Read a page, and go on while it is not full.
 * @param {Record<string, string>} filter @param {string | null} cursor @param {AbortSignal} signal
 * @param {(words: string) => boolean} tell called while it takes long; false: nobody wants the page any more
 * @returns {Promise<any>} with `looked`: how many entries were looked at
 */
export async function readPage(filter, cursor, signal, tell) {
  const began = performance.now();
  let page = await readPart(filter, cursor, signal);
  let looked = page.searched?.entries ?? 0;
  while (page.searched && page.items.length < PAGE && performance.now() - began < LOOK_MS) {
    if (!tell(`looking … ${farthest({ ...page, looked })}`)) break;
    const { items } = page;
    page = await readPart(filter, page.next_cursor, signal);
    looked += page.searched?.entries ?? 0;
    page = { ...page, items: [...items, ...page.items] };
  }
  return { ...page, looked };
}

/** How far a page has looked. */
export const farthest = ({ searched, looked }) =>
  `looked at ${count(looked)} entries${searched?.back_to ? `, back to ${ago(searched.back_to)}` : ""}`;

/** Return a page that was read before, updated by its newest part. @param {any} page @param {any} newest */
export function renewed(page, newest) {
  if (!newest.searched) return newest;
  const items = new Map([...page.items, ...newest.items].map((entry) => [entry.id, entry]));
  return { ...page, items: [...items.values()].sort((a, b) => b.id - a.id) };
}
