// The configuration file: edited, checked as it is written, saved with what will restart in view.
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { lineDiff, nearChanges } from "./diff.js";
import { byId, h, say, set } from "./dom.js";
import { ask } from "./http.js";
import { Live } from "./live.js";
import { some } from "./words.js";

const CHECK_AFTER_MS = 350;
const AROUND = 2; // lines shown beside a changed one
const area = byId("text"), gutter = byId("gutter");
/** The file as it was read last. @type {{text: string | null, etag: string | null}} */
let file = { text: null, etag: null };
/** What the last check of the present text said; null while there is none. @type {any} */
let checked = null;
let editable = false;
let saving = false;
let lines = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;
let turn = 0;

startChrome();
const live = new Live("/ws", {
  state: showConnection,
  events: (events) => events.forEach(hear),
  fresh: () => { if (!isChanged()) load(); },
});
onTryNow(() => live.hurry());
area.addEventListener("input", edited);
area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
byId("undo").addEventListener("click", () => { put(file.text ?? ""); area.focus(); });
byId("load").addEventListener("click", () => load());
byId("keep").addEventListener("click", keep);
byId("change").addEventListener("submit", (event) => { event.preventDefault(); save(); });
addEventListener("beforeunload", (event) => { if (isChanged()) event.preventDefault(); });

const isChanged = () => editable && area.value !== (file.text ?? "");

/** Reads everything anew; what was written is lost. */
async function load() {
  const told = await read();
  if (!told) return;
  put(file.text ?? "");
  showProblems([...told.problems, ...told.warnings]);  // after the text, whose lines they mark
  if (told.problems.length) verdict(some(told.problems.length, "problem"), "bad");
}

/** Reads the file anew, under what was written. */
async function keep() {
  if (await read()) edited();
}

async function read() {
  let told;
  try { told = await ask("/config"); } catch (error) { verdict(error.message, "bad"); return null; }
  file = { text: told.text, etag: told.etag };
  editable = told.text !== null && !told.obstacle && !("readOnly" in document.documentElement.dataset);
  area.readOnly = !editable;
  byId("change").hidden = byId("undo").hidden = !editable;
  byId("changed-elsewhere").hidden = true;
  say(byId("path"), told.path ?? "");
  say(byId("obstacle"), told.obstacle ?? "");
  byId("obstacle").hidden = !told.obstacle;
  showRejected(told.rejected);
  showSettings(told.settings);
  return told;
}

function put(text) {
  area.value = text;
  edited();
}

/** The text is another: check it soon, and until then offer nothing. */
function edited() {
  checked = null;
  turn++;
  clearTimeout(timer);
  number();
  const changed = isChanged();
  byId("undo").disabled = !changed;
  byId("no-change").hidden = changed;
  byId("planned").hidden = !changed;
  byId("save").disabled = true;
  complain("");
  if (!changed) return verdict("", "");
  showDiff();
  verdict("Checking …", "");
  timer = setTimeout(check, CHECK_AFTER_MS);
}

async function check() {
  const mine = turn;
  let told;
  try {
    told = await send("?check=true", { text: area.value });
  } catch (error) {
    if (mine === turn) refuse(error);
    return;
  }
  if (mine !== turn) return;
  checked = told;
  const bad = told.problems.length > 0;
  verdict(bad ? some(told.problems.length, "problem") : "It checks.", bad ? "bad" : "good");
  showProblems([...told.problems, ...told.warnings]);
  showEffects(told);
  byId("save").disabled = bad || saving;
}

const send = (query, body) => ask(`/config${query}`, { method: "PUT", body, headers: { "If-Match": `"${file.etag}"` } });

async function save() {
  if (!checked || checked.problems.length || saving) return;
  const reason = byId("reason").value.trim();
  saving = true;
  byId("save").disabled = true;
  complain("");
  try {
    const told = await send("", { text: area.value, ...(reason ? { reason } : {}) });
    became(`Saved. In force ${told.takes_effect}.`, "");
    file = { text: area.value, etag: told.etag };
    byId("reason").value = "";
    edited();
    area.focus();
  } catch (error) { refuse(error); }
  saving = false;
}

function refuse({ status, message, errors = [] }) {
  if (status === 412) {
    byId("changed-elsewhere").hidden = false;
    return verdict("Not checked: the file has changed.", "bad");
  }
  verdict("Not checked.", "bad");
  complain(errors.length ? errors.map(({ detail }) => detail).join("\n") : message);
}

/** What the supervisor made of a changed file. */
function hear({ kind, config }) {
  if (kind === "config.reloaded") {
    const changed = config.changed.length ? `changed: ${config.changed.join(", ")}` : "nothing differs";
    became(`In force. ${changed}${config.restarts.length ? `; replaced: ${config.restarts.join(", ")}` : ""}.`, "");
  } else if (kind === "config.rejected") became(`Rejected, so the earlier configuration goes on: ${config.reason}`, "bad");
  else return;
  if (!isChanged()) load();
  else showRejected(kind === "config.rejected" ? config.reason : "");
}

function number() {
  const count = area.value.split("\n").length;
  if (count === lines) return;
  lines = count;
  gutter.replaceChildren(...Array.from({ length: count }, (_, i) => h("span", {}, i + 1)));
  gutter.scrollTop = area.scrollTop;
}

function showProblems(problems) {
  number();
  gutter.querySelectorAll(".wrong").forEach((mark) => mark.classList.remove("wrong"));
  for (const { line } of problems) gutter.children[line - 1]?.classList.add("wrong");
  byId("problems").replaceChildren(...problems.map(({ key, detail, line, place }) => h("li", {},
    line ? h("button", { type: "button", class: "quiet", onclick: () => goTo(line) }, `line ${line}`) : h("span", { class: "summary" }, place ?? "the text"),
    h("span", {}, key && h("code", {}, key), key && ": ", detail))));
}

/** Selects a line and brings it into view. */
function goTo(line) {
  const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const end = area.value.indexOf("\n", before);
  area.focus();
  area.setSelectionRange(before, end < 0 ? area.value.length : end);
  area.scrollTop = Math.max(0, area.scrollHeight * ((line - 4) / lines));
}

function showDiff() {
  const shown = nearChanges(lineDiff(file.text ?? "", area.value), AROUND);
  byId("diff").replaceChildren(...shown.map((line) => line === null ? h("span", { class: "gap" }, "⋯")
    : h("span", { class: { "+": "added", "-": "removed" }[line.kind] ?? false }, `${line.kind} ${line.text}`)));
}

function showEffects({ changed, restarts, starts, stops, takes_effect: when, problems }) {
  const row = (label, names) => names?.length && h("li", {}, `${label} `, h("b", {}, names.join(", ")));
  byId("effects").replaceChildren(...[
    changed && !changed.length && h("li", {}, "No setting gets another value."),
    row("changes", changed), row("replaces", restarts), row("starts", starts), row("ends", stops),
    !problems.length && h("li", { class: "hint" }, `In force ${when}.`),
  ].filter((item) => item));
}

function showSettings(settings) {
  byId("no-settings").hidden = settings.length > 0;
  byId("settings").replaceChildren(...settings.map(({ key, value, origin }) => h("tr", {},
    h("th", { scope: "row" }, key), h("td", {}, h("code", {}, JSON.stringify(value))),
    h("td", { class: origin === "default" ? "summary" : "own" }, origin))));
}

function showRejected(reason) {
  say(byId("rejected"), reason ? `The file was rejected, so the earlier configuration goes on.\n${reason}` : "");
  byId("rejected").hidden = !reason;
}

function verdict(text, state) {
  say(byId("verdict"), text || "\u00a0");
  set(byId("verdict"), "data-state", state || false);
  set(area, "aria-invalid", state === "bad" ? "true" : false);
  if (!text) showProblems([]);
}

function became(text, state) {
  say(byId("became"), text);
  set(byId("became"), "data-state", state || false);
}

function complain(text) {
  say(byId("problem"), text);
  byId("problem").hidden = !text;
}
