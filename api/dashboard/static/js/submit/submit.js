// The form for submitting a job of any type, the same call with curl, and the submitted jobs.
import { base } from "../base/base.js";
import { startChrome } from "../frame/chrome.js";
import { postCurl } from "../base/curl.js";
import { byId, copyOnClick, h, icon, narrowed, setAttr, setText, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { told } from "../base/linked.js";
import { draw, html } from "../base/lit.js";
import { JobOptions } from "./job-options.js";
import { Live } from "../frame/live.js";
import { Payload, withoutMasks } from "./payload.js";
import { readOrigin, showOrigin } from "../job/resubmit.js";
import { spaced } from "../base/words.js";

const form = byId("form"), select = byId("type");
const payload = new Payload(changed), options = new JobOptions();
/** @type {any[]} */
let types = [];
/** The jobs that were submitted here -> where their status stands. @type {Map<number, HTMLElement>} */
const sent = new Map();
/** Jobs of events that came while one was being submitted: they may be newer than the answer. @type {Map<number, any>} */
const early = new Map();

startChrome();
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
new Live("/ws", { events: (events) => events.forEach(({ job }) => {
  if (!job) return;
  if (sent.has(job.id)) showStatus(job);
  else if (isSending()) early.set(job.id, job);
}) });
select.addEventListener("change", () => {
  history.replaceState(null, "", `?type=${encodeURIComponent(select.value)}`);
  byId("origin")?.remove();
  choose();
});
form.addEventListener("input", () => changed());
form.addEventListener("keydown", submitOnEnter);
form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("example").addEventListener("click", () => { payload.fillExample(); changed(); });
start().finally(() => { form.inert = false; });

/** Fill the form. Until then it takes no click: without a schema, no example could be made. */
async function start() {
  try {
    types = (await request("/types", { exact: true })).items;
  } catch (error) { return showOrHide(byId("problem"), error.message); }
  if (!types.length) return showOrHide(byId("problem"), "No job types are known yet. Is a worker running?");
  select.replaceChildren(...types.map(({ name }) => h("option", {}, name)));
  let from = null, problem = "";
  try { from = await readOrigin(types); } catch (error) { problem = error.message; }
  const wanted = from?.body.type ?? new URLSearchParams(location.search).get("type");
  const isKnown = types.some(({ name }) => name === wanted);
  if (isKnown) select.value = wanted;
  else if (wanted) {
    problem ||= `There is ${from ? "no longer a" : "no"} job type called ${wanted}.`;
    select.prepend(h("option", { value: "" }, "choose a type")); // Enter must not submit a job of another type
    select.value = "";
  }
  choose();
  if (from && isKnown) fillFrom(from);
  if (problem) showOrHide(byId("problem"), problem);
  suggestQueues();
}

/** Fill the form with the request of another job. @param {{id: string, body: any}} job */
function fillFrom({ id, body: { type, payload: value, ...rest } }) {
  const { value: shown, hadMasks } = withoutMasks(value);
  payload.write(shown);
  options.write(rest);
  showOrigin(id, type, hadMasks ? " Its hidden values are not shown: give them again." : "");
  changed();
}

/** Offer the names of existing queues; the form also works without them. */
async function suggestQueues() {
  if (narrowed.includes("types")) return; // it may not read them
  try {
    const { items } = await request("/queues");
    byId("queue-names").replaceChildren(...items.map((/** @type {any} */ { name }) => h("option", { value: name })));
  } catch { /* any name can be typed */ }
}

function choose() {
  const type = types.find(({ name }) => name === select.value);
  setAttr(form, "data-untyped", !type);
  if (!type) return setText(byId("curl"), "# Choose a type first");
  select.querySelector("[value='']")?.remove();
  setText(byId("type-hint"), type.description || "\u00a0");
  payload.setSchema(type.schema);
  options.setDefaults(type.defaults);
  showOrHide(byId("problem"), type.quarantine && `${type.name} is quarantined ${type.quarantine.text}`);
  changed();
}

/** Return the request. Throws SyntaxError for invalid JSON, which is shown at its field. */
const body = () => ({ type: select.value, payload: payload.read(), ...options.read() });

function changed() {
  clearProblems();
  options.summarize();
  let text;
  try { text = postCurl("/jobs", body()); } catch (error) {
    clearProblems(); // while somebody fills it in, nothing is wrong yet: problems are shown when it is sent
    text = `# Not complete yet: ${error.message}`;
  }
  setText(byId("curl"), text);
}

function clearProblems() {
  payload.clearProblems();
  options.clearProblems();
}

/** Submit at Enter, even in a text of several lines (Shift and Enter begin a line there); in JSON, at Ctrl and Enter. @param {any} event */
function submitOnEnter(event) {
  const { target } = event;
  if (event.key !== "Enter" || event.isComposing || target.tagName !== "TEXTAREA") return;
  const isJson = target.classList.contains("json");
  if (isJson ? !(event.ctrlKey || event.metaKey) : event.shiftKey) return;
  event.preventDefault();
  form.requestSubmit(byId("send"));
}

const isSending = () => byId("send").ariaDisabled === "true";

async function send() {
  const button = byId("send");
  if (isSending() || !select.value) return;
  showOrHide(byId("problem"), "");
  clearProblems();
  let wanted;
  try { wanted = body(); } catch { return focusFirst(); }
  setAttr(button, "aria-disabled", "true"); // not disabled, which would take the focus
  try { showSent(await request("/jobs", { method: "POST", body: wanted })); } catch (error) { refuse(error); }
  setAttr(button, "aria-disabled", null);
}

/** @param {any} job */
function showSent(job) {
  byId("none-sent").hidden = true;
  if (!sent.has(job.id)) {
    sent.set(job.id, h("span", { class: "status" }));
    byId("sent").prepend(h("li", {}, h("a", { href: `${base}/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", sent.get(job.id)));
  }
  showStatus(early.get(job.id) ?? job);
  early.clear();
  showWhy(job.id).catch(() => {}); // the page of the job says it, too
}

/** Say why it waits, below it: no pool serves its queue, its type is quarantined. @param {number} id */
async function showWhy(id) {
  const { reasons } = await request(`/jobs/${id}/why`), waits = reasons.filter((/** @type {any} */ { code }) => code !== "ended");
  const hint = h("p", { class: "hint" });
  draw(waits.map((/** @type {any} */ reason) => html`${told(reason)} `), hint);
  if (waits.length) sent.get(id)?.after(hint);
}

/** @param {any} job */
function showStatus({ id, status, error }) {
  const state = /** @type {HTMLElement} */ (sent.get(id));
  state.dataset.status = status;
  state.replaceChildren(icon(status), spaced(status), error ? ` ${error.type}: ${error.message}` : "");
}

/** Show each problem at its field, and those of no field above the button. */
function refuse({ message, errors = [] }) {
  const others = errors.filter((/** @type {any} */ { pointer, detail }) => {
    const path = pointer.split("/").slice(1).map((/** @type {string} */ step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    if (path[0] !== "payload") return !options.showProblem(path, detail);
    payload.showProblem(path.slice(1), detail);
    return false;
  });
  showOrHide(byId("problem"), errors.length ? others.map((/** @type {any} */ { pointer, detail }) => (pointer ? `${pointer}: ${detail}` : detail)).join(" · ") : message);
  focusFirst();
}

/** Go to the first field with a problem. */
function focusFirst() {
  const problem = form.querySelector(".problem:not([hidden], #problem)");
  /** @type {any} */ (problem?.id && form.querySelector(`[aria-describedby~="${CSS.escape(problem.id)}"]`))?.focus();
}
