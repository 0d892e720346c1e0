// The configuration page: edit the file, check it while typing, show what will restart, save it.
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { lineDiff, nearChanges } from "./diff.js";
import { byId, h, setAttr, setText, showOrHide } from "./dom.js";
import { request } from "./http.js";
import { Live } from "./live.js";
import { plural } from "./words.js";

const CHECK_AFTER_MS = 350;
const CONTEXT_LINES = 2; // unchanged lines shown around a change
const area = byId("text"), gutter = byId("gutter");
/** The file as it was last read. @type {{text: string | null, etag: string | null}} */
let file = { text: null, etag: null };
/** The result of checking the current text; null until it arrives. @type {any} */
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
  events: (events) => events.forEach(showOutcome),
  connected: () => { if (!isChanged()) load(); },
});
onTryNow(() => live.retryNow());
area.addEventListener("input", edited);
area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
byId("undo").addEventListener("click", () => { put(file.text ?? ""); area.focus(); });
byId("load").addEventListener("click", () => load());
byId("keep").addEventListener("click", keep);
byId("change").addEventListener("submit", (event) => { event.preventDefault(); save(); });
addEventListener("beforeunload", (event) => { if (isChanged()) event.preventDefault(); });

const isChanged = () => editable && area.value !== (file.text ?? "");

/** Read the file again and discard the edited text. */
async function load() {
  const answer = await read();
  if (!answer) return;
  put(file.text ?? "");
  showProblems([...answer.problems, ...answer.warnings]); // after the text is set, because they mark its lines
  if (answer.problems.length) showCheckResult(plural(answer.problems.length, "problem"), "bad");
}

/** Read the file again and keep the edited text. */
async function keep() {
  if (await read()) edited();
}

async function read() {
  let answer;
  try { answer = await request("/config"); } catch (error) { showCheckResult(error.message, "bad"); return null; }
  file = { text: answer.text, etag: answer.etag };
  editable = answer.text !== null && !answer.obstacle && !("readOnly" in document.documentElement.dataset);
  area.readOnly = !editable;
  byId("change").hidden = byId("undo").hidden = !editable;
  byId("changed-elsewhere").hidden = true;
  setText(byId("path"), answer.path ?? "");
  showOrHide(byId("obstacle"), answer.obstacle);
  showRejected(answer.rejected);
  showSettings(answer.settings);
  return answer;
}

function put(text) {
  area.value = text;
  edited();
}

/** The text has changed: check it soon. Until then it cannot be saved. */
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
  showOrHide(byId("problem"), "");
  if (!changed) return showCheckResult("", "");
  showDiff();
  showCheckResult("Checking …", "");
  timer = setTimeout(check, CHECK_AFTER_MS);
}

async function check() {
  const mine = turn;
  let answer;
  try {
    answer = await send("?check=true", { text: area.value });
  } catch (error) {
    if (mine === turn) refuse(error);
    return;
  }
  if (mine !== turn) return;
  checked = answer;
  const bad = answer.problems.length > 0;
  showCheckResult(bad ? plural(answer.problems.length, "problem") : "The configuration is valid.", bad ? "bad" : "good");
  showProblems([...answer.problems, ...answer.warnings]);
  showEffects(answer);
  byId("save").disabled = bad || saving;
}

const send = (query, body) => request(`/config${query}`, { method: "PUT", body, headers: { "If-Match": `"${file.etag}"` } });

async function save() {
  if (!checked || checked.problems.length || saving) return;
  const reason = byId("reason").value.trim();
  saving = true;
  byId("save").disabled = true;
  showOrHide(byId("problem"), "");
  try {
    const answer = await send("", { text: area.value, ...(reason ? { reason } : {}) });
    showResult(`Saved. In force ${answer.takes_effect}.`, "");
    file = { text: area.value, etag: answer.etag };
    byId("reason").value = "";
    edited();
    area.focus();
  } catch (error) { refuse(error); }
  saving = false;
}

function refuse({ status, message, errors = [] }) {
  if (status === 412) {
    byId("changed-elsewhere").hidden = false;
    return showCheckResult("Not checked, because the file has changed.", "bad");
  }
  showCheckResult("Not checked.", "bad");
  showOrHide(byId("problem"), errors.length ? errors.map(({ detail }) => detail).join("\n") : message);
}

/** Show whether the supervisor accepted a changed file. The event says why not: what is read may be older. */
async function showOutcome({ kind, config }) {
  if (kind === "config.reloaded") {
    const changed = config.changed.length ? `changed: ${config.changed.join(", ")}` : "no setting changed";
    showResult(`In force. ${changed}${config.restarts.length ? `; replaced: ${config.restarts.join(", ")}` : ""}.`, "");
  } else if (kind === "config.rejected") showResult(`Rejected. The previous configuration stays in force: ${config.reason}`, "bad");
  else return;
  if (!isChanged()) await load();
  showRejected(kind === "config.rejected" ? config.reason : "");
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

/** Select a line and scroll to it. */
function goTo(line) {
  const before = area.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  const end = area.value.indexOf("\n", before);
  area.focus();
  area.setSelectionRange(before, end < 0 ? area.value.length : end);
  area.scrollTop = Math.max(0, area.scrollHeight * ((line - 4) / lines));
}

function showDiff() {
  const shown = nearChanges(lineDiff(file.text ?? "", area.value), CONTEXT_LINES);
  byId("diff").replaceChildren(...shown.map((line) => line === null ? h("span", { class: "gap" }, "⋯")
    : h("span", { class: { "+": "added", "-": "removed" }[line.kind] ?? false }, `${line.kind} ${line.text}`)));
}

function showEffects({ changed, restarts, starts, stops, takes_effect: when, problems }) {
  const row = (label, names) => names?.length && h("li", {}, `${label} `, h("b", {}, names.join(", ")));
  byId("effects").replaceChildren(...[
    changed && !changed.length && h("li", {}, "No setting changes its value."),
    row("changes", changed), row("replaces", restarts), row("starts", starts), row("stops", stops),
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
  showOrHide(byId("rejected"), reason && `The file was rejected. The previous configuration stays in force.\n${reason}`);
}

function showCheckResult(text, state) {
  setText(byId("verdict"), text || "\u00a0");
  setAttr(byId("verdict"), "data-state", state || false);
  setAttr(area, "aria-invalid", state === "bad" ? "true" : false);
  if (!text) showProblems([]);
}

function showResult(text, state) {
  setText(byId("became"), text);
  setAttr(byId("became"), "data-state", state || false);
}
