// At the top of the page of queues: the totals of those shown, and how many are in trouble, each a link that finds them.
import { arrange, byId, h, setText } from "../base/dom.js";
import { count, plural } from "../base/words.js";

const head = h("span", {});
/** Kinds of trouble; a search for `finds` finds the queues by the words of their rows. */
const TROUBLES = [
  { words: "paused", finds: "it is paused", has: (/** @type {any} */ { paused }) => paused },
  { words: "without a pool", finds: "no pool serves queue", has: ({ reason }) => reason?.code === "no_pool" },
  { words: "without a ready worker", finds: "no worker of pool", has: ({ reason }) => reason?.code === "no_worker" },
  { words: "with a quarantined type", finds: "is quarantined", has: ({ reason }) => reason?.code === "quarantined" },
].map((one) => {
  const link = h("a", { href: `?${new URLSearchParams({ q: one.finds })}`, onclick: (/** @type {MouseEvent} */ event) => find(event, one.finds) }), text = document.createTextNode("");
  return { ...one, link, text, node: h("span", {}, " · ", link, text) };
});

/** Search here, unless the link is to open elsewhere. @param {MouseEvent} event @param {string} text */
function find(event, text) {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  byId("search").value = text;
  byId("search").dispatchEvent(new Event("input"));
}

/** @param {any[]} queues those that are shown @param {number} all how many there are @param {string} sorted in words */
export function showTotals(queues, all, sorted) {
  const pending = (/** @type {any[]} */ some) => some.reduce((sum, { counts }) => sum + counts.pending, 0), waiting = pending(queues);
  setText(head, !all ? "\u00a0" : [
    `${queues.length < all ? `${count(queues.length)} of ` : ""}${plural(all, "queue")}${sorted}`,
    queues.length && (waiting ? `${plural(waiting, "job is", "jobs are")} pending` : "nothing is pending"),
  ].filter(Boolean).join(" · "));
  const told = TROUBLES.filter(({ words, has, link, text }) => {
    const some = queues.filter(has), held = pending(some);
    setText(link, `${count(some.length)} ${words}`);
    setText(text, held ? `, with ${plural(held, "pending job")}` : "");
    return some.length;
  });
  arrange(byId("summary"), [head, ...told.map(({ node }) => node)]);
}
