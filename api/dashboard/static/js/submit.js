// The form for submitting a job of any type, the same call with curl, and the submitted jobs.
import { byId, copyOnClick, h, icon, setText, showOrHide } from "./dom.js";
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { postCurl } from "./curl.js";
import { writeExact } from "./exact.js";
import { request } from "./http.js";
import { Live } from "./live.js";
import { readOrigin, showOrigin } from "./resubmit.js";
import { Field, fieldsOf } from "./schema-form.js";
import { TERMINAL, spaced } from "./words.js";

const WHOLE_PAYLOAD = { name: "payload", schema: { type: "object" }, required: false };
const form = byId("form"), select = byId("type");
/** @type {any[]} */
let types = [];
/** @type {Field[]} */
let payload = [];
/** @type {Field[]} */
let options = [];
let whole = false;

startChrome();
copyOnClick(byId("copy-curl"), () => byId("curl").textContent);
const live = new Live("/ws", { state: showConnection });
onTryNow(() => live.retryNow());
select.addEventListener("change", () => { history.replaceState(null, "", `?type=${encodeURIComponent(select.value)}`); choose(); });
form.addEventListener("input", showCurl);
form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("example").addEventListener("click", () => { payload.forEach((field) => { if (field.required || whole) field.fill(); }); showCurl(); });
start();

async function start() {
  try {
    types = (await request("/types", { exact: true })).items;
  } catch (error) { return showOrHide(byId("problem"), error.message); }
  if (!types.length) return showOrHide(byId("problem"), "No job types are known yet. Is a worker running?");
  select.replaceChildren(...types.map(({ name }) => h("option", {}, name)));
  let origin = null;
  try { origin = await readOrigin(types); } catch (error) { showOrHide(byId("problem"), error.message); }
  const wanted = origin?.body.type ?? new URLSearchParams(location.search).get("type");
  const isKnown = types.some(({ name }) => name === wanted);
  if (isKnown) select.value = wanted;
  const problem = byId("problem").textContent;
  choose();
  showOrHide(byId("problem"), origin && !isKnown ? `No job type is called ${wanted} any more.` : problem);
  if (origin && isKnown) fillFrom(origin);
}

/** Fill the form with the request of another job. @param {{id: string, body: any}} origin */
function fillFrom({ id, body: { type, payload: values, ...rest } }) {
  const given = whole ? { payload: values } : values;
  for (const field of payload) if (given[field.name] !== undefined) field.set(given[field.name]);
  for (const field of options) if (rest[field.name] !== undefined) field.set(rest[field.name]);
  byId("options").open = true;
  const unknown = Object.keys(given).filter((name) => !payload.some((field) => field.name === name));
  showOrigin(id, type, unknown);
  showCurl();
}

function choose() {
  const type = types.find(({ name }) => name === select.value);
  setText(byId("type-hint"), type.description || "\u00a0");
  const fields = fieldsOf(type.schema);
  whole = fields === null;
  payload = (fields ?? [WHOLE_PAYLOAD]).map((field) => new Field(field, "payload"));
  byId("payload-fields").replaceChildren(...(payload.length ? payload.map(({ node }) => node) : [h("p", { class: "hint" }, "This type takes no payload.")]));
  options = optionsOf(type.defaults).map((field) => new Field(field, "option"));
  byId("option-fields").replaceChildren(...options.map(({ node }) => node));
  showOrHide(byId("problem"), "");
  showCurl();
}

function optionsOf({ queue, max_retries, timeout }) {
  const text = { type: "string", short: true };
  return [
    ["queue", { ...text, default: queue, hint: "" }],
    ["priority", { type: "integer", minimum: -1000, maximum: 1000, default: 0, hint: "higher runs first" }],
    ["delay", { ...text, hint: "seconds, or 500ms, 30s, 15m, 2h, 7d" }],
    ["run_at", { ...text, hint: "a time such as 2026-12-31T12:00:00Z, instead of a delay" }],
    ["max_retries", { type: "integer", minimum: 0, maximum: 100, default: max_retries }],
    ["timeout", { ...text, default: `${+timeout}s`, hint: "of one attempt" }],
    ["unique_key", { ...text, hint: "only one job with this key can wait or run" }],
    ["concurrency_key", { ...text, hint: "shares the queue's limits per key" }],
    ["tags", { type: "list" }],
    ["depends_on", { type: "list", of: "integer", hint: "ids of jobs that must be done before, separated by commas" }],
    ["on_dependency_failure", { enum: ["cancel", "run", "fail"], hint: "what becomes of it when one of them does not end done; cancel if not given" }],
  ].map(([name, schema]) => ({ name, schema, required: false }));
}

/** Return the request. Throws SyntaxError, which is shown at its field. */
function body() {
  const read = (fields) => Object.fromEntries(fields.map((field) => [field.name, readOne(field)]).filter(([, value]) => value !== undefined));
  const values = read(payload);
  return { type: select.value, payload: whole ? values.payload ?? {} : values, ...read(options) };
}

function readOne(field) {
  try { return field.read(); } catch (error) {
    field.showProblem(`is not valid JSON: ${error.message}`);
    throw error;
  }
}

function showCurl() {
  [...payload, ...options].forEach((field) => field.showProblem(""));
  try { setText(byId("curl"), postCurl("/jobs", body())); } catch { /* shown at its field */ }
}

async function send() {
  showOrHide(byId("problem"), "");
  let wanted;
  try { wanted = body(); } catch { return; }
  byId("send").disabled = true;
  try {
    const job = await request("/jobs", { method: "POST", body: wanted, exact: true });
    follow(job);
  } catch (error) { refuse(error); }
  byId("send").disabled = false;
}

/** Show each problem at its field, and those of no field above the button. */
function refuse({ message, errors = [] }) {
  const others = errors.filter(({ pointer, detail }) => {
    const [, first, second, ...rest] = pointer.split("/");
    const field = first === "payload" ? payload.find(({ name }) => name === (whole ? "payload" : second)) : options.find(({ name }) => name === first);
    field?.showProblem([first === "payload" ? rest.join("/") : second, detail].filter(Boolean).join(": "));
    return !field;
  });
  showOrHide(byId("problem"), errors.length ? others.map(({ pointer, detail }) => `${pointer}: ${detail}`).join(" · ") : message);
  const bad = [...payload, ...options].find(({ problem }) => !problem.hidden);
  if (options.includes(bad)) byId("options").open = true;
  bad?.input.focus();
}

/** Show a submitted job until it ends. */
async function follow(job) {
  byId("none-sent").hidden = true;
  const state = h("span", { class: "status" });
  const line = h("li", {}, h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", state);
  byId("sent").prepend(line);
  for (let failures = 0; failures < 5;) {
    state.dataset.status = job.status;
    state.replaceChildren(icon(job.status), spaced(job.status), job.status === "done" ? h("code", {}, ` ${writeExact(job.result).slice(0, 200)}`) : job.error ? ` ${job.error.type}: ${job.error.message}` : "");
    if (TERMINAL.has(job.status)) return;
    try { job = await request(`/jobs/${job.id}?wait=30`, { exact: true }); } catch { failures++; await new Promise((later) => setTimeout(later, 2000)); }
  }
}
