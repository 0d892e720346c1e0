// A form for any job type, the equal curl beside it, and what became of what was sent.
import { byId, copies, h, icon, say } from "./dom.js";
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { postCurl } from "./curl.js";
import { writeExact } from "./exact.js";
import { ask } from "./http.js";
import { Live } from "./live.js";
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
copies(byId("copy-curl"), () => byId("curl").textContent);
const live = new Live("/ws", { state: showConnection });
onTryNow(() => live.hurry());
select.addEventListener("change", () => { history.replaceState(null, "", `?type=${encodeURIComponent(select.value)}`); choose(); });
form.addEventListener("input", showCurl);
form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
byId("example").addEventListener("click", () => { payload.forEach((field) => { if (field.required || whole) field.fill(); }); showCurl(); });
start();

async function start() {
  try {
    types = (await ask("/types", { exact: true })).items;
  } catch (error) { return complain(error.message); }
  if (!types.length) return complain("No worker has told its job types yet. Is one running?");
  select.replaceChildren(...types.map(({ name }) => h("option", {}, name)));
  const wanted = new URLSearchParams(location.search).get("type");
  if (types.some(({ name }) => name === wanted)) select.value = wanted;
  choose();
}

function choose() {
  const type = types.find(({ name }) => name === select.value);
  say(byId("type-hint"), type.description || "\u00a0");
  const asks = fieldsOf(type.schema);
  whole = asks === null;
  payload = (asks ?? [WHOLE_PAYLOAD]).map((field) => new Field(field, "payload"));
  byId("payload-fields").replaceChildren(...(payload.length ? payload.map(({ node }) => node) : [h("p", { class: "hint" }, "This type takes no payload.")]));
  options = optionsOf(type.defaults).map((field) => new Field(field, "option"));
  byId("option-fields").replaceChildren(...options.map(({ node }) => node));
  complain("");
  showCurl();
}

function optionsOf({ queue, max_retries, timeout }) {
  const text = { type: "string", short: true };
  return [
    ["queue", { ...text, default: queue, hint: "" }],
    ["priority", { type: "integer", minimum: -1000, maximum: 1000, default: 0, hint: "the higher runs first" }],
    ["delay", { ...text, hint: "seconds, or 500ms, 30s, 15m, 2h, 7d" }],
    ["max_retries", { type: "integer", minimum: 0, maximum: 100, default: max_retries }],
    ["timeout", { ...text, default: `${+timeout}s`, hint: "of one attempt" }],
    ["unique_key", { ...text, hint: "while such a job lives, no second is made" }],
    ["tags", { type: "list" }],
  ].map(([name, schema]) => ({ name, schema, required: false }));
}

/** The request. Raises SyntaxError, told at its field. */
function body() {
  const read = (fields) => Object.fromEntries(fields.map((field) => [field.name, readOne(field)]).filter(([, value]) => value !== undefined));
  const values = read(payload);
  return { type: select.value, payload: whole ? values.payload ?? {} : values, ...read(options) };
}

function readOne(field) {
  try { return field.read(); } catch (error) {
    field.complain(`is no JSON: ${error.message}`);
    throw error;
  }
}

function showCurl() {
  [...payload, ...options].forEach((field) => field.complain(""));
  try { say(byId("curl"), postCurl("/jobs", body())); } catch { /* told at its field */ }
}

async function send() {
  complain("");
  let request;
  try { request = body(); } catch { return; }
  byId("send").disabled = true;
  try {
    const job = await ask("/jobs", { method: "POST", body: request, exact: true });
    follow(job);
  } catch (error) { refuse(error); }
  byId("send").disabled = false;
}

/** Each problem at its field; what belongs to none above the button. */
function refuse({ message, errors = [] }) {
  const strays = errors.filter(({ pointer, detail }) => {
    const [, first, second, ...rest] = pointer.split("/");
    const field = first === "payload" ? payload.find(({ name }) => name === (whole ? "payload" : second)) : options.find(({ name }) => name === first);
    field?.complain([first === "payload" ? rest.join("/") : second, detail].filter(Boolean).join(": "));
    return !field;
  });
  complain(errors.length ? strays.map(({ pointer, detail }) => `${pointer}: ${detail}`).join(" · ") : message);
  const bad = [...payload, ...options].find(({ trouble }) => !trouble.hidden);
  if (options.includes(bad)) byId("options").open = true;
  bad?.input.focus();
}

function complain(text) {
  say(byId("problem"), text);
  byId("problem").hidden = !text;
}

/** Shows a job that was accepted until it ends. */
async function follow(job) {
  byId("none-sent").hidden = true;
  const state = h("span", { class: "status" });
  const line = h("li", {}, h("a", { href: `/ui/jobs/${job.id}` }, `${job.type} ${job.id}`), " ", state);
  byId("sent").prepend(line);
  for (let failures = 0; failures < 5;) {
    state.dataset.status = job.status;
    state.replaceChildren(icon(job.status), spaced(job.status), job.status === "done" ? h("code", {}, ` ${writeExact(job.result).slice(0, 200)}`) : job.error ? ` ${job.error.type}: ${job.error.message}` : "");
    if (TERMINAL.has(job.status)) return;
    try { job = await ask(`/jobs/${job.id}?wait=30`, { exact: true }); } catch { failures++; await new Promise((later) => setTimeout(later, 2000)); }
  }
}
