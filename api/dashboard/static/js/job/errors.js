// The errors of a job's attempts, newest first, each with a line that says what happened and a short
// trace; the rest of the trace, or the dump of a crashed worker, is a button away.
import { byId, copyButton, h, setText } from "../base/dom.js";
import { readDump } from "../base/crash.js";
import { timeNode } from "../base/time.js";
import { plural } from "../base/words.js";

const SHORT_LINES = 5;
const NEWEST = 5;
const MOST_OF_NAME = 200; // this much of an error's name is enough to find its jobs
/** What Python writes between the traceback of a cause and that of what it caused. */
const CAUSE = /^(The above exception was the direct cause|During handling of the above exception)/m;
let shown = "";

/** @param {any[]} attempts @param {string} type that of the job */
export function showErrors(attempts, type) {
  const failed = attempts.filter(({ error }) => error).reverse();
  const key = failed.map(({ number }) => number).join();
  if (key === shown) return; // unchanged: what is open or selected stays so
  shown = key;
  byId("errors-section").hidden = !failed.length;
  byId("errors").replaceChildren(...failed.slice(0, NEWEST).map((attempt, i) => errorNode(attempt, type, i === 0)), olderNode(failed.slice(NEWEST), type));
}

/** The older errors, which are drawn when somebody opens them: a job may have a hundred. */
function olderNode(older, type) {
  if (!older.length) return "";
  const errors = h("div", {});
  const open = () => errors.children.length || errors.append(...older.map((attempt) => errorNode(attempt, type, false)));
  return h("details", { class: "attempts", ontoggle: open }, h("summary", {}, plural(older.length, "older error")), errors);
}

function errorNode({ number, error, finished_at: at }, type, isOpen) {
  const { short, all, label } = partsOf(error);
  const trace = h("pre", { class: "code", tabindex: "0", "aria-label": `Traceback of attempt ${number}` }, short);
  const full = h("button", { type: "button", class: "quiet", "aria-pressed": "false", onclick: () => {
    const whole = full.getAttribute("aria-pressed") !== "true";
    full.setAttribute("aria-pressed", String(whole));
    setText(full, whole ? "short" : label);
    setText(trace, whole ? all : short);
  } }, label);
  const copy = copyButton(() => [`${error.type}: ${error.message}`, error.traceback].filter(Boolean).join("\n\n"));
  const same = new URLSearchParams({ type, status: "failed", error: error.type.slice(0, MOST_OF_NAME), sort: "ended" });
  const [line, rest] = firstLine(error.message);
  return h("details", { class: "error", open: isOpen },
    h("summary", {}, h("b", {}, error.type), " ", h("span", { class: "message" }, line)),
    h("p", { class: "bar" }, h("span", { class: "summary" }, `attempt ${number}`, at && ", ", at && timeNode(at)), all !== short && full, copy, h("a", { href: `/ui/jobs?${same}` }, "failed jobs with this error")),
    rest && h("pre", { class: "code rest", tabindex: "0", "aria-label": `The rest of the message of attempt ${number}` }, rest),
    all && trace);
}

/** Return the part of a trace that is shown at once, the whole, and the name of the button for it. */
function partsOf({ traceback }) {
  const all = (traceback ?? "").trimEnd();
  const lines = all.split("\n");
  const dump = readDump(all);
  if (dump) return { short: dump.own.join("\n"), all, label: `all ${plural(dump.threads, "thread")} of the worker` };
  const short = lines.slice(-SHORT_LINES).join("\n").replace(/^\n+/, "");
  const label = CAUSE.test(all) && !CAUSE.test(short) ? `all ${lines.length} lines, with the cause` : `all ${lines.length} lines`;
  return { short, all, label };
}

/** The first line of a message, and the others. @param {string} message @returns {[string, string]} */
function firstLine(message) {
  const end = message.search(/[\r\n]/);
  return end < 0 ? [message, ""] : [message.slice(0, end), message.slice(end).replace(/^[\r\n]+/, "")];
}
