// The audit log, a page at a time. New entries wait behind a button while somebody reads the first page.
import { arrange, byId, h, selectedIn, setText } from "./dom.js";
import { startChrome } from "./chrome.js";
import { request } from "./http.js";
import { Poll } from "./poll.js";
import { cell } from "./rows.js";
import { targetLink } from "./targets.js";
import { timeNode } from "./time.js";
import { count } from "./words.js";

const cursor = new URLSearchParams(location.search).get("cursor");
const body = byId("rows"), button = byId("new"), older = byId("older");
/** @type {Map<number, HTMLElement>} */
let rows = new Map();
/** @type {any} */
let page = null;
let pointed = false, following = true;

startChrome();
const table = body.closest("table");
table.addEventListener("pointerenter", (event) => { pointed = event.pointerType === "mouse"; });
table.addEventListener("pointerleave", () => { pointed = false; });
button.hidden = byId("newest").hidden = false;
button.hidden = cursor !== null;
byId("newest").hidden = cursor === null;
button.addEventListener("click", () => show(page.items));
new Poll(async () => {
  page = await request(`/audit?${new URLSearchParams(cursor === null ? {} : { cursor })}`);
  const fresh = page.items.filter(({ id }) => !rows.has(id)).length;
  if (!rows.size || mayMove()) show(page.items);
  else showFresh(fresh);
  byId("none").hidden = page.items.length > 0;
});

const mayMove = () => !pointed && scrollY === 0 && !selectedIn(body) && !body.contains(document.activeElement);

function show(items) {
  rows = new Map(items.map((entry) => [entry.id, rows.get(entry.id) ?? rowOf(entry)]));
  for (const { id, count: changed } of items) setText(rows.get(id)?.querySelector(".count"), count(changed));
  arrange(body, [...rows.values()]);
  older.hidden = page.next_cursor === null;
  if (page.next_cursor) older.href = `/ui/audit?${new URLSearchParams({ cursor: page.next_cursor })}`;
  showFresh(0);
}

function showFresh(n) {
  button.disabled = n === 0;
  setText(button, `${count(n)} new`);
}

function rowOf({ at, by, action, target, reason, count: changed }) {
  return h("tr", { role: "row" },
    cell("at", "", timeNode(at)), cell("by", "who", by), cell("what", "what", action),
    cell("on", "target", targetLink(target)), cell("count num", "changed", count(changed)),
    cell("why", "why", reason ?? h("span", { class: "hint" }, "–")));
}
