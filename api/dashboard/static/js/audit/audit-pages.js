// Pages of GET /audit.
import { address } from "../lists/filter.js";
import { request } from "../base/http.js";
import { readWhole } from "../lists/whole-page.js";

const PAGE = 50;

/** Read one part of a page. @param {Record<string, string>} filter @param {string | null} cursor @param {AbortSignal} signal @returns {Promise<any>} */
export const readPart = (filter, cursor, signal) => request(address("/audit", filter, { cursor }), { signal });

/**
 * @param {Record<string, string>} filter @param {string | null} cursor @param {AbortSignal} signal
 * @param {() => boolean} isWanted @param {(text: string) => void} tell called while it takes long
 */
export const readPage = (filter, cursor, signal, isWanted, tell) =>
  readWhole((at) => readPart(filter, at, signal), cursor, { most: PAGE, noun: "entries", isWanted, tell });

/** Return a page that was read before, updated by its newest part. @param {any} page @param {any} newest */
export function renewed(page, newest) {
  if (!newest.searched) return newest;
  const items = new Map([...page.items, ...newest.items].map((entry) => [entry.id, entry]));
  return { ...page, items: [...items.values()].sort((a, b) => b.id - a.id) };
}
