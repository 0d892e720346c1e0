// The audit log, a page at a time. New entries wait while somebody reads them.
import { base } from "../base/base.js";
import { Attention } from "../lists/rows.js";
import { arrange, byId, h, hide } from "../base/dom.js";
import { draw } from "../base/lit.js";
import { auditCells } from "./audit-row.js";
import { startChrome } from "../frame/chrome.js";
import { address, followLinks, readAddress } from "../lists/filter.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";

const AUDIT = `${base}/ui/audit`;
const body = byId("rows"), older = byId("older"), newest = byId("newest"), heading = document.querySelector("h1");
/** @type {Map<number, HTMLElement>} */
let rows = new Map();
/** The page that was read, and its address. @type {any} */
let page = null, pageOf = "";

const cursorAsked = () => readAddress([]).cursor;

startChrome();
const attention = new Attention(body, () => page && pageOf === location.search && !attention.isOn && show(page));
const refresh = followStream(read, (kind) => !kind.startsWith("job."));

/** @param {AbortSignal} signal */
async function read(signal) {
  const at = location.search;
  const answer = await request(address("/audit", {}, { cursor: cursorAsked() }), { signal });
  if (signal.aborted) return;
  if (at !== pageOf) rows = new Map();
  [page, pageOf] = [answer, at];
  if (!rows.size || !attention.isOn) show(page);
}

function show({ items, next_cursor: next }) {
  rows = new Map(items.map((entry) => [entry.id, rows.get(entry.id) ?? h("tr", { role: "row", id: `entry-${entry.id}` })]));
  for (const entry of items) draw(auditCells(entry), rows.get(entry.id));
  arrange(body, [...rows.values()]);
  hide(newest, cursorAsked() === null, heading);
  hide(older, !next, newest.hidden ? heading : newest);
  if (next) older.href = address(AUDIT, {}, { cursor: next });
  byId("none").hidden = items.length > 0;
}

addEventListener("popstate", () => refresh.now());

followLinks(AUDIT, body, (to) => {
  history.pushState(null, "", to);
  scrollTo(0, 0);
  refresh.now();
});
