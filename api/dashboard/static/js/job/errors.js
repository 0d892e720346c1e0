// The errors of a job's attempts, newest first, each with a line that says what happened and a short
// trace; the rest of the trace, or the dump of a crashed worker, is a button away.
import { readDump } from "../base/crash.js";
import { byId, copy } from "../base/dom.js";
import { draw, html, jobsWith, nothing } from "../base/lit.js";
import { timeOf } from "../base/time.js";
import { plural } from "../base/words.js";

const SHORT_LINES = 5;
const NEWEST = 5;
const MOST_OF_NAME = 200; // this much of an error's name is enough to find its jobs
/** What Python writes between the traceback of a cause and that of what it caused. */
const CAUSE = /^(The above exception was the direct cause|During handling of the above exception)/m;
/** The attempts whose whole trace is shown. @type {Set<number>} */
const whole = new Set();
let areOlderOpen = false;

/** @param {any[]} attempts @param {string} type that of the job */
export function showErrors(attempts, type) {
  const failed = attempts.filter(({ error }) => error).reverse(), older = failed.slice(NEWEST);
  const again = () => showErrors(attempts, type);
  byId("errors-section").hidden = !failed.length;
  // The older errors are drawn when somebody opens them: a job may have a hundred.
  draw(html`${failed.slice(0, NEWEST).map((attempt, i) => errorOf(attempt, type, i === 0, again))}${older.length ? html`<details class="attempts" @toggle=${(event) => { areOlderOpen = event.target.open; again(); }}><summary>${
    plural(older.length, "older error")}</summary>${areOlderOpen ? html`<div>${older.map((attempt) => errorOf(attempt, type, false, again))}</div>` : nothing}</details>` : nothing}`, byId("errors"));
}

function errorOf({ number, error, finished_at: at }, type, isOpen, again) {
  const { short, all, label } = partsOf(error), isWhole = whole.has(number), [line, ...rest] = error.message.split(/\r\n?|\n/);
  const text = [`${error.type}: ${error.message}`, error.traceback].filter(Boolean).join("\n\n");
  const toggle = () => { whole[isWhole ? "delete" : "add"](number); again(); };
  return html`<details class="error" ?open=${isOpen}>
    <summary><b>${error.type}</b> <span class="message">${line}</span></summary>
    <p class="bar"><span class="summary">attempt ${number}${at ? html`, ${timeOf(at, "exact")} (${timeOf(at)})` : nothing}</span>${all === short ? nothing : html`<button type="button" class="quiet" aria-pressed=${String(isWhole)} @click=${toggle}>${isWhole ? "short" : label}</button>`}
      <button type="button" class="quiet" @click=${({ target }) => copy(target, text)}>copy</button><a href=${jobsWith({ type, status: "failed", error: error.type.slice(0, MOST_OF_NAME), sort: "ended" })}>failed jobs with this error</a></p>
    ${rest.length ? html`<pre class="code rest" tabindex="0" aria-label="The rest of the message of attempt ${number}">${rest.join("\n")}</pre>` : nothing}
    ${all ? html`<pre class="code" tabindex="0" aria-label="Traceback of attempt ${number}">${isWhole ? all : short}</pre>` : nothing}</details>`;
}

/** Return the part of a trace that is shown at once, the whole, and the name of the button for it. */
function partsOf({ traceback }) {
  const all = (traceback ?? "").trimEnd(), lines = all.split("\n"), dump = readDump(all);
  if (dump) return { short: dump.own.join("\n"), all, label: `all ${plural(dump.threads, "thread")} of the worker` };
  const short = lines.slice(-SHORT_LINES).join("\n").replace(/^\n+/, "");
  return { short, all, label: `all ${lines.length} lines${CAUSE.test(all) && !CAUSE.test(short) ? ", with the cause" : ""}` };
}
