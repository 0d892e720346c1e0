// The form for submitting a job of any type, the same call with curl, and the submitted jobs.
import { startChrome } from "../frame/chrome.js";
import { postCurl } from "../base/curl.js";
import { byId, copyOnClick, h, isReadOnly, setAttr, setText, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { JobOptions } from "./job-options.js";
import { Live } from "../frame/live.js";
import { Payload } from "./payload.js";
import { readOrigin, showOrigin } from "../job/resubmit.js";
import { follow } from "./sent-jobs.js";
import { keepWhile } from "../base/unsaved.js";

const form = byId("form"), select = byId("type");
const payload = new Payload(changed), options = new JobOptions();
/** @type {any[]} */
let types = [];
/** The job that the form was filled from. @type {any} */
let origin = null;
/** How often somebody has changed the form, and how often that was when it was sent. */
let edits = 0, sentEdits = 0;

startChrome();
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
new Live("/ws");
select.addEventListener("change", () => {
  const isOrigin = select.value === origin?.body.type;
  history.replaceState(null, "", isOrigin ? `?from=${origin.id}` : `?type=${encodeURIComponent(select.value)}`);
  if (origin) byId("origin").hidden = !isOrigin;
  choose();
});
form.addEventListener("input", (event) => { edits += Number(event.target !== select); changed(); });
form.addEventListener("keydown", submitOnEnter);
form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("example").addEventListener("click", () => { payload.fillExample(); changed(); });
keepWhile(() => edits !== sentEdits);
if (!isReadOnly) start().finally(() => { form.inert = false; }); // else the form is hidden

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
    problem ||= `No job type is called ${wanted}${from ? " any more" : ""}.`;
    select.prepend(h("option", { value: "" }, "choose a type")); // Enter must not submit a job of another type
    select.value = "";
  }
  choose();
  if (from && isKnown) fillFrom(from);
  showOrHide(byId("problem"), problem);
  suggestQueues();
}

/** Fill the form with the request of another job. @param {{id: string, body: any}} job */
function fillFrom(job) {
  const { id, body: { type, payload: value, ...rest } } = job;
  origin = job;
  payload.write(value);
  options.write(rest);
  showOrigin(id, type);
  changed();
}

/** Offer the names of existing queues; the form also works without them. */
async function suggestQueues() {
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
  showOrHide(byId("problem"), "");
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

async function send() {
  if (byId("send").disabled || !select.value) return;
  showOrHide(byId("problem"), "");
  clearProblems();
  let wanted;
  try { wanted = body(); } catch { return focusFirst(); }
  const sent = edits;
  const button = byId("send"), hadFocus = document.activeElement === button;
  button.disabled = true; // which takes the focus from it
  try {
    let isNew = true;
    const job = await request("/jobs", { method: "POST", body: wanted, exact: true, answered: ({ status }) => { isNew = status === 201; } });
    follow(job, isNew);
    sentEdits = sent;
  } catch (error) { refuse(error); }
  button.disabled = false;
  if (hadFocus && [null, button, document.body].includes(document.activeElement)) button.focus();
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
  const described = problem?.id && form.querySelector(`[aria-describedby~="${CSS.escape(problem.id)}"]`);
  /** @type {any} */ (described || problem?.parentElement?.querySelector("input, select, textarea, button"))?.focus();
}
