// Above the list of one queue's jobs: why none of them starts, with a link to the queue. It is shown if any of the list
// may wait to start.
import { base } from "../base/base.js";
import { byId, hide, narrowed } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { WAITING } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";
import { isByEnd } from "../lists/filter.js";
import { pausedWords } from "../queues/paused.js";

/** @type {string | undefined} */
let name;
const refresh = new Refresh(async (signal) => {
  const [queue] = name ? (await request(`/queues?${new URLSearchParams({ name })}`, { signal })).items : [];
  const { paused, reason } = queue ?? {}, node = byId("none-starts");
  draw(paused || reason ? html`${icon("blocked")} Queue <a href="${base}/ui/queues#queue-${name}">${name}</a>${paused ? html` is ${pausedWords(paused)}` : `: ${reason.text}`}` : nothing, node);
  hide(node, !paused && !reason, byId("query"));
}, { every: 3000, told: () => {} });

/** From now on, tell of the queue of this filter, if it has one. @param {import("../lists/filter.js").Filter} filter */
export function tellOf(filter) {
  const next = narrowed.includes("types") || isByEnd(filter) || (filter.status && !WAITING.has(filter.status)) ? undefined : filter.queue;
  if (next === name) return;
  name = next;
  refresh.now();
}
