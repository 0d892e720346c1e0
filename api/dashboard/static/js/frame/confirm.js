// The confirmation dialog: what will happen, why, and the error if it is refused. It copies the same call for curl.
//
// It can be closed while its call is under way. If the call is then refused, the dialog opens again and says so,
// unless it asks something else by then.
import { byId, copy, setText, showOrHide } from "../base/dom.js";
import { curl } from "../base/curl.js";
import { parseExact } from "../base/exact.js";
import { request } from "../base/http.js";
import { tidy } from "../base/words.js";

const field = byId("confirm-reason"), span = byId("confirm-for"), size = byId("confirm-typed"), value = byId("confirm-payload"), yes = byId("confirm-yes"), problem = byId("confirm-problem");

/** The JSON that was typed. Throws an Error if it is not valid. */
function payload() {
  try { return value.value.trim() ? parseExact(value.value) : null; } catch (error) { throw new Error(`This is not valid JSON: ${error.message}`); }
}

/** The question that was asked last. @type {object | null} */
let turn = null;
/** Whether the problem shown is that nothing answered. */
let isUnanswered = false;
addEventListener("reconnected", () => { if (isUnanswered) showOrHide(problem, ""); });

/** After how long a running job that was asked to stop is killed, by the configuration in force. @returns {Promise<string>} */
export async function killedAfter() {
  const { settings } = await request("/config").catch(() => ({ settings: [] }));
  const grace = settings.find((/** @type {any} */ { key }) => key === "jobs.cancel_grace");
  return grace ? tidy(grace.value) : "jobs.cancel_grace";
}

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string} text what will happen
 * @property {string} yes
 * @property {string} [no]
 * @property {boolean} [asksFor] it asks for how long, and a reason must be given
 * @property {boolean} [asksForPayload] it asks for JSON, and for no reason
 * @property {() => void} [closed] called when the dialog is closed
 * @property {string} path
 * @property {string} [method] POST if not given
 * @property {any} [body]
 * @property {string} [typed] what must be typed first, if much is changed
 * @property {(path: string, call: any) => Promise<any>} [send] makes the call instead of `request`
 * @property {(answer: any, wasClosed: boolean) => void} done called with the answer after the call succeeded, and whether the dialog was closed before
 */

/** Open the dialog; if confirmed, send `body` with the reason to `path`. The focus then returns to where it was. @param {Question} question */
export function confirm({ title, text, yes: label, no = "Go back", path, method = "POST", body, typed, asksFor = false, asksForPayload = false, send = request, closed = () => {}, done }) {
  const dialog = byId("confirm");
  const bodyNow = () => {
    if (asksForPayload) return { ...body, payload: payload() };
    const more = { ...asksFor ? { for: span.value } : {}, ...field.value.trim() ? { reason: field.value.trim() } : {} };
    return body || Object.keys(more).length ? { ...body, ...more } : undefined;
  };
  const mine = (turn = {});
  const isOpen = () => turn === mine && dialog.open;
  let isSending = false;
  const mayAct = () => !isSending && (!typed || size.value.trim() === typed) && (!asksFor || field.value.trim() !== "");
  const show = () => { yes.disabled = !mayAct(); };
  const act = async () => {
    isSending = yes.disabled = true;
    let answer;
    try {
      answer = await send(path, { method, body: bodyNow() });
    } catch (error) {
      isSending = false;
      if (turn !== mine) return;
      if (!dialog.open) dialog.showModal();
      isUnanswered = error.status === 0;
      showOrHide(problem, error.message);
      yes.disabled = !mayAct();
      return yes.focus(); // a disabled button loses the focus
    }
    const wasClosed = !isOpen();
    if (!wasClosed) dialog.close();
    done(answer, wasClosed); // if it throws, that is no refusal
  };
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(yes, label);
  setText(byId("confirm-no"), no);
  setText(byId("confirm-why"), asksFor ? "for your colleagues and the audit log" : "optional, for the audit log");
  byId("confirm-span").hidden = !asksFor;
  byId("confirm-curl").onclick = () => {
    try { copy(byId("confirm-curl"), curl(method, path, bodyNow())); } catch (error) { showOrHide(problem, error.message); }
  };
  field.value = size.value = value.value = "";
  byId("confirm-value").hidden = !asksForPayload;
  field.parentElement.hidden = asksForPayload;
  byId("confirm-size").hidden = !typed;
  setText(size.labels[0], typed ? `Type ${typed} to confirm` : "");
  showOrHide(problem, "");
  show();
  dialog.oninput = show;
  yes.onclick = act;
  // Ignore the key that opened the dialog, while it is still held.
  dialog.onkeydown = (event) => { if (event.target.matches("input") && event.key === "Enter" && !event.repeat && !event.isComposing && !yes.disabled) act(); };
  dialog.onclose = closed;
  dialog.showModal();
  if (!matchMedia("(pointer: fine)").matches) dialog.querySelector("[value=no]").focus(); // so that no on-screen keyboard covers it
}
