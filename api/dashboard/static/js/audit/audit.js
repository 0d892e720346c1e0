// The audit log: the filter, and the entries that match, a page at a time. New entries wait while somebody reads them.
import { Attention } from "../lists/rows.js";
import { arrange, byId, h, hide, setText, showOrHide } from "../base/dom.js";
import { FIELDS, completions, fieldOf, parse, write } from "./audit-query.js";
import { noFields } from "../lists/query.js";
import { rowOf } from "./audit-row.js";
import { startChrome } from "../frame/chrome.js";
import { address, followLinks, readAddress } from "../lists/filter.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { farthest, readWhole } from "../lists/whole-page.js";
import { count } from "../base/words.js";

const AUDIT = "/ui/audit";
const TYPING_MS = 350;
const PAGE = 50;
const body = byId("rows"), older = byId("older"), newest = byId("newest"), field = byId("query"), heading = document.querySelector("h1");
/** @type {Map<number, {node: HTMLElement, show: (entry: any) => void}>} */
let rows = new Map();
/** The page that was read, and its address. @type {any} */
let page = null, pageOf = "";
/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;

const asked = () => readAddress(FIELDS);

startChrome();
const attention = new Attention(body, () => page && pageOf === location.search && !attention.isOn && show(page));
showForm();
const refresh = followStream((signal) => read(signal).catch((error) => {
  if (error.errors) {
    showNothing();
    error.message = [...error.errors.map((one) => `${fieldOf(one.pointer.slice(1))} ${one.detail}.`), ...noFields(asked().filter)].join(" ");
  }
  throw error;
}), (kind) => !kind.startsWith("job."));

/** @param {AbortSignal} signal */
async function read(signal) {
  const at = location.search, { filter, cursor } = asked();
  if (page?.searched && at === pageOf) return; // a search costs too much to repeat it
  const part = (from) => request(address("/audit", filter, { cursor: from }), { signal });
  const answer = await readWhole(part, cursor, { most: PAGE, noun: "entries", isWanted: () => !signal.aborted, tell: (words) => setText(byId("summary"), words) });
  if (signal.aborted) return;
  if (at !== pageOf) rows = new Map();
  [page, pageOf] = [answer, at];
  if (!rows.size || !attention.isOn) show(page);
}

function show({ items, next_cursor: next, searched, looked }) {
  const { filter, cursor } = asked(), isFiltered = Object.keys(filter).length > 0;
  const like = (more) => address(AUDIT, { ...filter, ...more });
  rows = new Map(items.map((entry) => [entry.id, rows.get(entry.id) ?? rowOf(entry, like)]));
  for (const entry of items) rows.get(entry.id)?.show(entry);
  arrange(body, [...rows.values()].map(({ node }) => node));
  hide(newest, cursor === null, heading);
  hide(older, !next, newest.hidden ? heading : newest);
  setText(older, searched ? "look further →" : "older →");
  if (next) older.href = address(AUDIT, filter, { cursor: next });
  newest.href = address(AUDIT, filter);
  setText(byId("summary"), searched ? `found ${count(items.length)}; ${farthest({ searched, looked }, "entries")}` : "");
  byId("none").hidden = items.length > 0 || isFiltered || cursor !== null;
  const nothing = searched ? "Nothing found so far." : cursor === null ? "Nothing that was done matches the filter." : "There is nothing older.";
  showOrHide(byId("no-match"), items.length || !(isFiltered || cursor !== null) ? "" : [nothing, ...noFields(filter)].join(" "));
}

/** Show no entries, and not that there are none: a refused filter was not searched for. */
function showNothing() {
  [page, pageOf, rows] = [null, "", new Map()];
  arrange(body, []);
  for (const link of [newest, older]) hide(link, true, heading);
  for (const id of ["none", "no-match"]) byId(id).hidden = true;
  setText(byId("summary"), "");
}

// The filter

function showForm() {
  const { filter } = asked();
  if (document.activeElement !== field) field.value = write(filter);
  choose(byId("action"), filter.action ?? "");
  choose(byId("since"), filter.until ? "typed" : filter.since ?? "");
  hide(byId("clear"), !Object.keys(filter).length, field);
}

/** Choose a value; one that is not offered is "as typed". @param {any} select @param {string} value */
function choose(select, value) {
  select.value = value;
  if (select.selectedIndex < 0) select.value = "typed";
}

/** Change the address, and read. @param {string} to @param {boolean} [keep] replace the entry in the history */
function go(to, keep = false) {
  if (keep) history.replaceState(null, "", to);
  else { history.pushState(null, "", to); scrollTo(0, 0); }
  follow();
}

/** Show what the address says now. */
function follow() {
  showOrHide(byId("filter-problem"), ""); // it was about the filter before
  showForm();
  refresh.now();
}

/** Take the filter of the field, with changes. @param {Record<string, string>} [changes] @param {boolean} [keep] */
function apply(changes = {}, keep = false) {
  clearTimeout(typing);
  const { filter, problems } = parse(field.value);
  const wanted = Object.fromEntries(Object.entries({ ...filter, ...changes }).filter(([, value]) => value));
  if (Object.keys(changes).length) field.value = write(wanted);
  showOrHide(byId("filter-problem"), problems.join(" "));
  if (!problems.length) go(address(AUDIT, wanted), keep);
}

field.addEventListener("input", () => {
  clearTimeout(typing);
  byId("completions").replaceChildren(...completions(field.value).map((value) => h("option", { value })));
  typing = setTimeout(() => apply({}, true), TYPING_MS);
});
byId("action").addEventListener("change", () => apply({ action: byId("action").value }));
byId("since").addEventListener("change", () => apply({ since: byId("since").value, until: "" }));
byId("filters").inert = false; // before this, what is typed would be lost
byId("filters").addEventListener("submit", (event) => { event.preventDefault(); apply(); });
addEventListener("popstate", () => { clearTimeout(typing); field.value = write(asked().filter); follow(); });

followLinks(AUDIT, body, (to) => {
  clearTimeout(typing);
  field.blur();
  go(to);
});
