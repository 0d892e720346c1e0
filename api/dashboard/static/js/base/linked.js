// Sentences of the server, with links to the jobs, queues and quarantined types that they name.
import { base } from "./base.js";
import { html, nothing } from "./lit.js";
import { secondsTo, timeOf } from "./time.js";

const LINKED = /job (\d+)|queue ([A-Za-z0-9][A-Za-z0-9_.-]*)|([A-Za-z0-9][A-Za-z0-9_.-]*)(?= is quarantined)/g;

/** A text with its links; its first letter becomes a capital, unless a name begins it. @param {string} text @returns {any[]} */
export function linked(text) {
  const parts = [], whole = /^(?:after|\S+ is quarantined)/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  let end = 0;
  for (const match of whole.matchAll(new RegExp(LINKED, "gi"))) {
    const [all, job, queue, type] = match;
    parts.push(whole.slice(end, match.index), job ? html`<a href="${base}/ui/jobs/${job}">${all}</a>`
      : queue ? html`${all.slice(0, 6)}<a href="${base}/ui/queues#queue-${queue}">${queue}</a>` : html`<a href="${base}/ui/types#type-${type}">${type}</a>`);
    end = match.index + all.length;
  }
  return [...parts, whole.slice(end)];
}

/** A reason with its links, and until when it holds. @param {{text: string, until?: string | null}} reason */
export const told = ({ text, until }) => html`${linked(text)}${until && secondsTo(until) ? html`<span class="until"> until ${timeOf(until, "short")} (${timeOf(until, "relative")})</span>` : nothing}`;
