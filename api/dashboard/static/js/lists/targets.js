// The target of an audit entry as a link to what it names.
import { h } from "../base/dom.js";
import { JOBS } from "./filter.js";
import { idOfSlot } from "../base/verdict.js";

const PAGES = {
  job: (id) => `${JOBS}/${encodeURIComponent(id)}`,
  queue: (name) => `/ui/queues#queue-${encodeURIComponent(name)}`,
  schedule: (name) => `/ui/schedules#schedule-${encodeURIComponent(name)}`,
  type: (name) => `/ui/types#type-${encodeURIComponent(name)}`,
  slot: () => "/#workers",
  pool: () => "/#workers",
  program: () => "/#workers",
};

/** @param {string} target `job 7`, `queue mail`, `jobs with status=failed, type=mail, id<=900`, `jobs 7, 8` @param {string} [action] what was done to it @returns {Node} */
export function targetLink(target, action) {
  const [kind, name = ""] = target.split(/ (.*)/s);
  if (target === "configuration" || target.startsWith("configuration,")) return h("a", { href: "/ui/configuration" }, target);
  const href = action === "delete" ? undefined : PAGES[kind]?.(name); // of what was deleted, nothing is left
  return href ? h("a", { href }, target) : h("span", {}, target);
}

/** A worker, as a link to its row on the overview. @param {string} slot */
export const workerLink = (slot) => h("a", { href: `/#${idOfSlot(slot)}` }, slot);
