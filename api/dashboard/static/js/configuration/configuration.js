// The configuration page: edit the file or go back to a version, check it while typing, show what will restart, save it.
import { diffLines, showEffects } from "./change-preview.js";
import { startChrome } from "../frame/chrome.js";
import { byId, hide, isAdmin, setText, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { Live } from "../frame/live.js";
import { showInForce, showRejected, startSearch } from "./settings-in-force.js";
import { TomlEditor } from "./toml-editor.js";
import { keepWhile } from "../base/unsaved.js";
import { Versions } from "./versions.js";
import { plural } from "../base/words.js";

const CHECK_AFTER_MS = 350;
/** The file as it was last read. @type {{text: string | null, etag: string | null}} */
let file = { text: null, etag: null };
/** The version to go back to, until its text is edited. @type {any} */
let target = null;
/** The result of checking the current text; null until it arrives. @type {any} */
let checked = null;
/** Whether the file was saved here, and what became of it is still to come. */
let isOwn = false;
let editable = false, saving = false, turn = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

startChrome();
const editor = new TomlEditor(edited), versions = new Versions(goBackTo);
byId("text").addEventListener("input", () => showResult("")); // it was about the text before
byId("undo").addEventListener("click", () => { undo(); editor.focus(); });
byId("load").addEventListener("click", () => load());
byId("keep").addEventListener("click", async () => { if (await read()) edited(); });
byId("change").addEventListener("submit", (event) => { event.preventDefault(); save(); });
startSearch();
new Live("/ws", { hello: refresh, events: (events) => events.forEach(take) });

function isChanged() { return target !== null || (editable && !editor.holds(file.text ?? "")); }
keepWhile(isChanged);

/** Read the file again and discard the edited text. */
async function load() {
  const answer = await read();
  if (!answer) return;
  undo();
  const told = answer.text === null && answer.rejected ? [] : answer.problems; // else the head of the page tells them
  if (told.length) editor.showVerdict(plural(answer.problems.length, "problem"), "bad");
  editor.showProblems(told); // after the text is set, because they mark its lines
}

function undo() {
  target = null;
  byId("reason").value = ""; // it was that of the discarded change
  editor.put(file.text ?? "");
}

/** Show what is in force now; an edited text stays, and cannot be saved over a newer file. */
async function refresh() {
  if (saving) return;
  if (!isChanged()) return load();
  let answer;
  try { answer = await request("/config"); } catch { return; } // the banner says that nothing answers
  byId("changed-elsewhere").hidden = answer.etag === file.etag;
  if (answer.etag !== file.etag || !checked) edited();
  showInForce(answer, (line) => editor.goTo(line));
  await versions.load(true);
}

async function read() {
  let answer;
  try { answer = await request("/config"); } catch (error) {
    editor.showVerdict(error.message, "bad");
    return null;
  }
  const { path, text, etag, obstacle } = answer, canChange = isAdmin && etag !== null;
  file = { text, etag };
  editable = text !== null && !obstacle && isAdmin;
  editor.setEditable(editable);
  for (const id of ["change", "undo", "change-title"]) byId(id).hidden = !canChange;
  byId("changed-elsewhere").hidden = true;
  byId("with-file").hidden = path === null; // there is nothing to edit
  setText(byId("path"), path ?? "");
  byId("no-change").hidden = !canChange || isChanged();
  showOrHide(byId("obstacle"), obstacle);
  showInForce(answer, (line) => editor.goTo(line));
  versions.load(editable); // not awaited: the settings and the text appear together
  return answer;
}

/** Show what going back would do, as for an edit; it is done when it is saved. @param {any} version */
function goBackTo(version) {
  if (!target && isChanged() && !window.confirm(`Go back to version ${version.version}? The text that you have not saved would be lost.`)) return;
  target = null;
  editor.put(version.text);
  showResult("");
  target = version;
  edited();
  byId("reason").focus();
  byId("change").scrollIntoView({ block: "nearest" });
}

/** The text has changed: check it soon. Until then it cannot be saved. */
function edited() {
  if (target && !editor.holds(target.text)) target = null; // it is an edit of that version now
  checked = null;
  turn++;
  clearTimeout(timer);
  const changed = isChanged();
  byId("undo").disabled = !changed;
  byId("no-change").hidden = changed || byId("change").hidden;
  byId("planned").hidden = !changed;
  hide(byId("file"), file.text === null && !target, byId("main"));
  byId("save").disabled = true;
  setText(byId("file-title"), target ? `Version ${target.version} of the file` : "The file");
  setText(byId("save"), target ? `Go back to version ${target.version}` : "Save the file");
  showOrHide(byId("problem"), "");
  if (!changed) return editor.showVerdict("", "");
  const isOutdated = !byId("changed-elsewhere").hidden;
  byId("diff").hidden = isOutdated || file.text === null; // there is nothing to compare with
  if (isOutdated) return editor.showVerdict("Not checked, because the file has changed.", "bad");
  byId("diff").replaceChildren(...diffLines(file.text ?? "", editor.text));
  editor.showVerdict("Checking …", "");
  timer = setTimeout(check, CHECK_AFTER_MS);
}

async function check() {
  const mine = turn;
  let answer;
  try { answer = await send("?check=true", {}); } catch (error) {
    if (mine === turn) refuse(error);
    return;
  }
  if (mine !== turn) return;
  checked = answer;
  const { problems } = answer;
  if (problems.length) editor.showVerdict(plural(problems.length, "problem"), "bad");
  else editor.showVerdict("The configuration is valid.", "good");
  editor.showProblems(problems);
  showEffects(answer);
  byId("save").disabled = problems.length > 0 || saving;
}

/** Send the change, for the file as it was read. @param {string} query @param {any} more */
const send = (query, more) => request(`/config${query}`, {
  method: "PUT", headers: { "If-Match": `"${file.etag}"` },
  body: { ...(target ? { version: target.version } : { text: editor.text }), ...more },
});

async function save() {
  if (!checked || checked.problems.length || saving) return;
  const reason = byId("reason").value.trim(), { text } = editor;
  saving = isOwn = byId("save").disabled = true;
  showOrHide(byId("problem"), "");
  try {
    const { etag, takes_effect: when } = await send("", reason ? { reason } : {});
    file = { text, etag };
    showOrHide(byId("elsewhere"), "");
    showResult(`Saved. In force ${when}.`);
    if (target || editor.text === text) { await load(); editor.focus(); } else edited(); // what was typed meanwhile stays
  } catch (error) { isOwn = false; refuse(error); }
  saving = false;
}

function refuse({ status, message, errors = [] }) {
  if (status === 412) {
    byId("changed-elsewhere").hidden = false;
    return edited();
  }
  editor.showVerdict("Not checked.", "bad");
  showOrHide(byId("problem"), errors.length ? errors.map((/** @type {any} */ { detail }) => detail).join("\n") : message);
}

/** Show whether the supervisor accepted a changed file. @param {any} event */
async function take({ kind, config }) {
  if (kind !== "config.reloaded" && kind !== "config.rejected") return;
  const isRejected = kind === "config.rejected";
  const found = isRejected ? "" : `${config.changed.length ? `Changed: ${config.changed.join(", ")}` : "No setting changed"}${config.restarts.length ? `; replaced: ${config.restarts.join(", ")}` : ""}.`;
  if (!isOwn) showResult("");
  else if (isRejected) showResult(`Rejected. The previous configuration stays in force: ${config.reason}`, "bad");
  else showResult(`In force. ${found}`);
  showOrHide(byId("elsewhere"), isOwn || isRejected ? "" : `The file was changed elsewhere. ${found}`);
  isOwn = false;
  await refresh();
  showRejected(config.reason); // an answer may be older
}

/** Say what became of the change that was saved here. @param {string} text @param {string} [state] "bad" */
function showResult(text, state = "") {
  setText(byId("became"), text);
  byId("became").dataset.state = state;
}
