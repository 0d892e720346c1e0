// Pages of a list. If the API ends a page early, because the search takes long, it is read on for a while.
import { ago } from "../base/time.js";
import { count } from "../base/words.js";

const LOOK_MS = 2500;

/**
 * Read a page, and go on while it is not full.
 * @param {(cursor: string | null) => Promise<any>} read reads a part @param {string | null} cursor
 * @param {{most: number, noun: string, isWanted: () => boolean, tell: (text: string) => void}} how
 *   `noun`: what is looked at; `tell`: called while it takes long
 * @returns {Promise<any>} with `looked`: how many were looked at
 */
export async function readWhole(read, cursor, { most, noun, isWanted, tell }) {
  const began = performance.now();
  let page = await read(cursor);
  let looked = page.searched?.[noun] ?? 0;
  while (page.searched && page.items.length < most && performance.now() - began < LOOK_MS && isWanted()) {
    tell(`looking … ${farthest({ ...page, looked }, noun)}`);
    const { items, by_status } = page;
    page = await read(page.next_cursor);
    looked += page.searched?.[noun] ?? 0;
    page = { ...page, by_status, items: [...items, ...page.items] };
  }
  return { ...page, looked };
}

/** How far a page has looked. @param {any} page @param {string} noun */
export const farthest = ({ searched, looked }, noun) =>
  `looked at ${count(looked)} ${noun}${searched?.back_to ? `, back to ${ago(searched.back_to)}` : ""}`;
