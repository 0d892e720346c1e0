// The target of an audit entry as a link to what it names.
import { base } from "../base/base.js";
import { narrowed } from "../base/dom.js";
import { html } from "../base/lit.js";
import { JOBS } from "./filter.js";
import { idOfSlot } from "../base/verdict.js";

const PAGES = {
  job: (id) => `${JOBS}/${encodeURIComponent(id)}`,
  queue: (name) => `${base}/ui/queues#queue-${encodeURIComponent(name)}`,
  schedule: (name) => `${base}/ui/schedules#schedule-${encodeURIComponent(name)}`,
  type: (name) => `${base}/ui/types#type-${encodeURIComponent(name)}`,
  slot: () => `${base}/#workers`,
  pool: () => `${base}/#workers`,
  program: () => `${base}/#workers`,
};

/** @param {string} target `job 7`, `queue mail`, `jobs with status=failed, type=mail, id<=900`, `jobs 7, 8` @param {string} [action] what was done to it */
export function targetLink(target, action) {
  const [kind, name = ""] = target.split(/ (.*)/s);
  if (target === "configuration" || target.startsWith("configuration,")) return html`<a href="${base}/ui/configuration">${target}</a>`;
  const href = action === "delete" ? undefined : PAGES[kind]?.(name); // of what was deleted, nothing is left
  return href ? html`<a href=${href}>${target}</a>` : target;
}

/** A worker, as a link to its row on the overview, which who sees only some jobs does not have. @param {string} slot */
export const workerLink = (slot) => narrowed ? slot : html`<a href="${base}/#${idOfSlot(slot)}">${slot}</a>`;
