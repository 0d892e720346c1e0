// The target of an audit entry as a link to what it names.
import { h } from "./dom.js";
import { FIELDS, JOBS, address } from "./filter.js";

const PAGES = {
  job: (id) => `/ui/jobs/${encodeURIComponent(id)}`,
  queue: (name) => `/ui/queues#queue-${encodeURIComponent(name)}`,
  schedule: (name) => `/ui/schedules#schedule-${encodeURIComponent(name)}`,
  type: (name) => `/ui/types#type-${encodeURIComponent(name)}`,
  slot: () => "/#workers",
  pool: () => "/#workers",
  configuration: () => "/ui/configuration",
};

/** @param {string} target `job 7`, `queue mail`, `jobs with status=failed, type=mail, id<=900` @returns {Node} */
export function targetLink(target) {
  const [kind, name] = target.split(/ (.*)/s);
  const href = kind === "jobs" || target === "all jobs" ? jobsWith(name ?? "") : PAGES[kind]?.(name ?? "");
  return href ? h("a", { href }, target) : h("span", {}, target);
}

/** The jobs table with the same filter, as far as it has the fields. */
function jobsWith(words) {
  const parts = words.replace(/^with /, "").split(", ").map((part) => part.split(/=(.*)/s));
  return address(JOBS, Object.fromEntries(parts.filter(([name, value]) => FIELDS.includes(name) && value)));
}
