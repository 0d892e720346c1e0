// The overview: health and figures, workers, and jobs, all from one stream.
import { byId, copyOnClick, h, showOrHide } from "./dom.js";
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { FIELDS, address, readAddress } from "./filter.js";
import { Alerts } from "./alerts.js";
import { Figures } from "./figures.js";
import { JobsTable } from "./jobs-table.js";
import { Live } from "./live.js";
import { keepPlace } from "./place.js";
import { Slots } from "./slots.js";
import { postCurl } from "./curl.js";

const TYPING_MS = 300;
const form = byId("filters");
const table = new JobsTable();

startChrome({ p: () => byId("pause").click(), n: () => byId("new").click() });
const figures = new Figures();
const alerts = new Alerts();
let hasStatus, hasJobs;
const firstStatus = new Promise((resolve) => { hasStatus = resolve; });
const firstJobs = new Promise((resolve) => { hasJobs = resolve; }); // a first read may be given up for another
const slots = new Slots();
const live = new Live("/ws?mode=summary", {
  connected: ({ types }) => { showTypes(types); load(); slots.begin(); },
  events: (events) => table.take(events),
  summary: (summary) => table.catchUp.take(summary),
  status: (message) => { figures.showStatus(message); slots.show(message.workers); hasStatus(); },
  state: showConnection,
});
onTryNow(() => live.retryNow());
showForm();
showFirstCommands();
load();
keepPlace(Promise.all([firstJobs, figures.first, alerts.first, firstStatus]));
if (location.hash === "#search") form.elements.q.focus();

async function load() {
  const { filter, cursor } = readAddress();
  const problem = byId("filter-problem");
  showOrHide(problem, "");
  try {
    await table.load(filter, cursor);
    hasJobs();
  } catch (error) {
    if (error.name === "AbortError" || error.status === 0) return; // the banner shows it
    showOrHide(problem, error.message);
  }
}

/** Change the address and load the jobs. @param {string} to @param {boolean} [keep] replace the entry in the history */
function go(to, keep = false) {
  if (keep) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  showForm();
  load();
}

function showForm() {
  const { filter } = readAddress();
  for (const name of FIELDS) {
    const field = form.elements[name];
    if (field !== document.activeElement) field.value = filter[name] ?? "";
  }
  byId("clear").hidden = Object.keys(filter).length === 0;
  for (const item of byId("counts").children) item.classList.toggle("chosen", item.dataset.status === filter.status);
}

function filterOfForm() {
  const entries = FIELDS.map((name) => [name, form.elements[name].value.trim()]);
  return Object.fromEntries(entries.filter(([, value]) => value));
}

let typing;
form.addEventListener("input", (event) => {
  clearTimeout(typing);
  const wait = event.target.name === "status" ? 0 : TYPING_MS;
  typing = setTimeout(() => go(address("/", filterOfForm()), wait > 0), wait);
});
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("popstate", () => { showForm(); load(); });

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='/?'], a[href='/'], a[href='/#jobs']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  document.activeElement.blur?.();
  go(link.getAttribute("href"));
  if (link.hash) byId("jobs").scrollIntoView({ block: "nearest" });
});

/** @param {string[] | {name: string}[]} types */
function showTypes(types) {
  const names = types.map((type) => type.name ?? type);
  byId("type-names").replaceChildren(...names.map((name) => h("option", { value: name })));
}

function showFirstCommands() {
  const jobs = [
    ["a sum, done at once", { type: "sum_range", payload: { n: 100000 } }],
    ["a job of five seconds, with a progress bar", { type: "sleep", payload: { seconds: 5 } }],
    ["a job that fails twice and then succeeds", { type: "flaky", payload: { failures: 2 } }],
  ];
  byId("first-commands").replaceChildren(...jobs.map(([words, body]) => {
    const text = postCurl("/jobs", body).replace(" \\\n  ", " ");
    const button = h("button", { type: "button", class: "quiet" }, "copy");
    copyOnClick(button, () => text);
    return h("li", {}, h("p", {}, words), h("div", { class: "command" }, h("code", {}, text), button));
  }));
}
