// The configuration page: edit the file or go back to a version, check it while typing, show what will restart, save it.
import { diffLines, showEffects } from "./change-preview.js";
import { startChrome } from "../frame/chrome.js";
import { byId, hide, isReadOnly, setText, showOrHide } from "../base/dom.js";
import { showFile, untold, verdictOf } from "./file-shown.js";
import { request } from "../base/http.js";
import { Live } from "../frame/live.js";
import { LostSave } from "./lost-save.js";
import { showInForce, showOutcome, showRejected, showResult, showSaved, startSearch } from "./settings-in-force.js";
import { TomlEditor } from "./toml-editor.js";
import { keepWhile } from "../base/unsaved.js";
import { Versions } from "./versions.js";
import { plural } from "../base/words.js";

const CHECK_AFTER_MS = 350;
const READ_AGAIN_MS = 3000; // where the API could not answer
/** The file as it was last read. @type {{text: string | null, etag: string | null}} */
let file = { text: null, etag: null };
/** The version to go back to, until its text is edited. @type {any} */
let target = null;
/** The result of checking the current text; null until it arrives. @type {any} */
let checked = null;
let editable = false, saving = false, turn = 0, saved = 0; // saved: `editor.edits` at the last save
/** Whether the file was saved here, or may have been, and what became of it is still to be told. */
let isOwn = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

startChrome();
const editor = new TomlEditor(edited);
const versions = new Versions(goBackTo);
const lost = new LostSave(async () => { await keep(); showResult("Saved, though the answer was lost."); });
new Live("/ws", {
  live: () => { if (!checked && isChanged()) edited(); }, // check what could not be checked
  events: (events) => events.forEach(take),
  connected: () => { if (!isChanged()) load(); else lost.look(); },
});
byId("text").addEventListener("input", () => showResult("")); // it was about the text before
byId("undo").addEventListener("click", () => { undo(); editor.focus(); });
byId("load").addEventListener("click", () => load());
byId("keep").addEventListener("click", keep);
byId("change").addEventListener("submit", (event) => { event.preventDefault(); save(); });
startSearch();

const goTo = (/** @type {string} */ key, /** @type {string} */ table) => editor.goToSetting(key, table);
const isChanged = () => target !== null || (editable && !editor.holds(file.text ?? ""));
const isNewer = () => editor.edits !== saved && isChanged(); // newer than the last saved text
keepWhile(isChanged);

/** Read the file again and discard the edited text, except what somebody types meanwhile, after `edits`. */
async function load(edits = editor.edits) {
  const answer = await read();
  if (!answer) return;
  if (editor.edits !== edits && isChanged()) return edited();
  undo();
  const told = untold(answer);
  if (told.length && answer.problems.length) editor.showVerdict(plural(answer.problems.length, "problem"), "bad");
  editor.showProblems(told); // after the text is set, because they mark its lines
}

function undo() {
  target = null;
  byId("reason").value = ""; // it was that of the discarded change
  editor.put(file.text ?? "");
}

/** Show what is in force now; keep the edited text and the one that it is compared with. */
async function refresh() {
  let answer;
  try { answer = await request("/config"); } catch { return; }
  if (!isChanged()) return load();
  byId("changed-elsewhere").hidden = answer.etag === file.etag;
  if (answer.etag !== file.etag) edited(); // it cannot be saved now
  showInForce(answer, goTo);
  await versions.load(true);
}

/** Read the file again and keep the edited text. */
async function keep() {
  if (await read()) edited();
}

async function read() {
  let answer;
  try { answer = await request("/config"); } catch (error) {
    editor.showVerdict(error.message, "bad");
    if (error.status === 0 || error.status >= 500) setTimeout(() => { if (!isChanged()) load(); }, READ_AGAIN_MS);
    return null;
  }
  file = { text: answer.text, etag: answer.etag };
  editable = answer.text !== null && !answer.obstacle && !isReadOnly;
  editor.setEditable(editable);
  showFile(answer, isChanged());
  showInForce(answer, goTo);
  versions.load(!isReadOnly && answer.etag !== null); // not awaited: the settings and the text appear together, so what is below the editor does not move
  return answer;
}

/** Show what going back would do, as for an edit; it is done when it is saved. @param {any} version */
function goBackTo(version) {
  const isTyped = !target && isChanged();
  if (isTyped && !window.confirm(`Go back to version ${version.version}? The text that you have not saved would be lost.`)) return;
  target = null;
  if (isTyped) byId("reason").value = "";
  editor.put(version.text);
  editor.edits++;
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
  const bad = answer.problems.length > 0;
  editor.showVerdict(...verdictOf(answer));
  editor.showProblems([...answer.problems, ...answer.warnings]);
  showEffects(answer);
  byId("save").disabled = bad || saving;
}

/** Send the change, for the file as it was read. @param {string} query @param {any} more */
const send = (query, more) => request(`/config${query}`, {
  method: "PUT", headers: { "If-Match": `"${file.etag}"` },
  body: { ...(target ? { version: target.version } : { text: editor.text }), ...more },
});

async function save() {
  if (!checked || checked.problems.length || saving) return;
  const reason = byId("reason").value.trim();
  const { text, edits } = editor;
  saving = isOwn = true; saved = edits;
  lost.text = null;
  byId("save").disabled = true;
  showOrHide(byId("problem"), "");
  try {
    const answer = await send("", reason ? { reason } : {});
    showOrHide(byId("elsewhere"), "");
    showSaved(answer, isNewer() ? "Saved, without the newer change above." : "Saved.");
    if (byId("reason").value.trim() === reason) byId("reason").value = "";
    file = { text, etag: answer.etag };
    await load(edits);
    if (editor.edits === edits) editor.focus();
  } catch (error) { isOwn = lost.note(text, error) && isOwn; refuse(error); await lost.look(); }
  saving = false;
  byId("save").disabled = !checked || checked.problems.length > 0 || !byId("changed-elsewhere").hidden;
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
async function take(event) {
  if (lost.text !== null && event.config) isOwn = await lost.look();
  if (!showOutcome(event, isOwn, isNewer())) return;
  isOwn = false;
  await refresh();
  showRejected(event.config.reason);
  if (file.text === null && event.config.reason) { editor.showProblems([]); editor.showVerdict("", ""); } // the head of the page tells it
}
