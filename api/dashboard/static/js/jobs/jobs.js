// The page of jobs: the filter, the facets, the list, what is selected, and what is done with it.
import { byId, h, hide, narrowed, setAttr, setText, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { LIVE, count, spaced } from "../base/words.js";
import { startChrome } from "../frame/chrome.js";
import { Live } from "../frame/live.js";
import { JOBS, address, followLinks, isByEnd, readAddress } from "../lists/filter.js";
import { completions, jobNumber, parse, write } from "../lists/query.js";
import { Bulk } from "./bulk.js";
import { JobsTable } from "./jobs-table.js";
import { tellOf } from "./none-starts.js";
import { rowKeys, Selection } from "./selection.js";

const TYPING_MS = 350;
const FACETS = ["failed", "in_progress", "pending", "blocked", "done", "cancelled"];
const field = byId("query"), ended = byId("ended"), sort = byId("sort"), problem = byId("filter-problem");
const table = new JobsTable({
  path: JOBS, isSelectable: Boolean(byId("pick-page")), isChosen: (id) => selection.has(id), shown: () => { selection.showBar(); showFacets(); }, gone: (id) => selection.drop(id),
  told: (error) => showOrHide(problem, error?.errors?.map(({ pointer, detail }) => `${pointer.slice(1)} ${detail}.`).join(" ") || error?.message),
});
const selection = new Selection(table);
const bulk = new Bulk(selection, () => table.refresh.soon());
/** @type {Record<string, string[]>} */
const known = {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let typing;
/** The address without what comes after `#`. */
let at = location.pathname + location.search;

startChrome({ p: () => byId("pause").click(), n: () => byId("new").click(), ...rowKeys(table.body, selection, bulk) });
byId("filters").inert = false; // before this, what is typed would be lost
field.value = write(readAddress().filter);
showForm();
const late = setTimeout(load, 500); // else the list is read once the stream has begun, so that it need not be read twice
if (location.hash === "#search") field.focus();
new Live("/ws", {
  hello: ({ types }) => { known.type = types.map((type) => type.name ?? type); clearTimeout(late); if (table.page) table.refresh.now(); else load(); },
  events: (events) => table.take(events),
});
if (!narrowed.includes("types")) request("/queues").then(({ items }) => { known.queue = items.map(({ name }) => name); }).catch(() => {});

/** Read the jobs of the address, unless the filter in the field is refused. */
function load() {
  const { filter, cursor } = readAddress(), { problems } = parse(field.value);
  showOrHide(problem, problems.join(" "));
  if (problems.length) table.refuse(); else table.load(filter, cursor);
}

/** Change the address and load the jobs. @param {string} to @param {{keep?: boolean, isTyped?: boolean}} [how] `keep`: replace the entry in the history; `isTyped`: the field has it already */
function go(to, { keep = false, isTyped = false } = {}) {
  if (keep) history.replaceState(null, "", to);
  else { history.pushState(null, "", to); scrollTo(0, 0); }
  arrive(isTyped);
}

function arrive(isTyped = false) {
  at = location.pathname + location.search;
  const { filter } = readAddress();
  if (!isTyped) { clearTimeout(typing); field.value = write(filter); }
  if (JSON.stringify(filter) !== JSON.stringify(table.wanted.filter)) { selection.clear(); bulk.forget(); } // a job that is not seen must not stay selected
  showForm();
  load();
}

addEventListener("popstate", () => { if (at !== location.pathname + location.search) arrive(); }); // else only what comes after `#` has changed

/** How many jobs of each status the search finds. Each is a link that adds its status to the filter, or takes it out again. */
function showFacets() {
  const { filter: { status: chosen, sort: order, ...rest } } = readAddress();
  draw(FACETS.map((status) => {
    const { value = null, relation } = table.page?.by_status?.[status] ?? {}, isChosen = status === chosen, isMore = relation === "gte";
    const to = address(JOBS, { ...(isChosen ? {} : { status }), ...rest, ...(order && !LIVE.includes(status) ? { sort: order } : {}) });
    return html`<li data-status=${status} class=${value ? "" : "none"}><a href=${value || isMore || isChosen ? to : nothing} aria-current=${isChosen ? "true" : nothing} title=${isChosen ? "Show all statuses" : nothing}>${
      icon(status)}<b>${value === null || (isMore && !value) ? "–" : `${count(value)}${isMore ? "+" : ""}`}</b> ${spaced(status)}</a></li>`;
  }), byId("by-status"));
}

function showForm() {
  const { filter } = readAddress();
  showFacets();
  tellOf(filter);
  offerNumber();
  if (filter.since && ![...ended.options].some(({ value }) => value === filter.since)) ended.selectedIndex = -1;
  else ended.value = filter.until ? "" : filter.since ?? "";
  sort.value = isByEnd(filter) ? "ended" : "newest";
  hide(byId("clear"), Object.keys(filter).length === 0, field);
}

/** Offer to open the job whose number is in the field; the number may also be meant as a text. */
function offerNumber() {
  const id = jobNumber(field.value);
  hide(byId("numbered"), !id, field);
  if (!id) return;
  setText(byId("open-numbered"), `Open job ${id}`);
  setAttr(byId("open-numbered"), "href", `${JOBS}/${id}`);
}

/** Take the filter of the field, with changes. @param {Record<string, string>} [changes] @param {boolean} [keep] */
function apply(changes = {}, keep = false) {
  clearTimeout(typing);
  const chosen = readAddress().filter.sort, wanted = { ...parse(field.value).filter, ...(chosen ? { sort: chosen } : {}), ...changes };
  if (wanted.sort === "newest" ? !wanted.since && !wanted.until : LIVE.includes(wanted.status)) delete wanted.sort;
  if (Object.keys(changes).length) field.value = write(wanted);
  go(address(JOBS, Object.fromEntries(Object.entries(wanted).filter(([, value]) => value))), { keep, isTyped: true });
}

field.addEventListener("input", () => {
  clearTimeout(typing);
  offerNumber();
  byId("completions").replaceChildren(...completions(field.value, known).map((value) => h("option", { value })));
  typing = setTimeout(() => apply({}, true), TYPING_MS);
});
ended.addEventListener("change", () => apply({ since: ended.value, until: "" }));
sort.addEventListener("change", () => apply({ sort: sort.value }));
byId("more-filters").addEventListener("click", () => {
  const isOpen = byId("filters").classList.toggle("unfolded");
  setAttr(byId("more-filters"), "aria-expanded", String(isOpen));
  setText(byId("more-filters"), isOpen ? "fewer filters" : "more filters");
});
byId("filters").addEventListener("submit", (event) => { event.preventDefault(); apply(); });

followLinks(JOBS, table.body, go);
