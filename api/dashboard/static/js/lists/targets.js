// The target of an audit entry as links to what it names.
import { h } from "../base/dom.js";
import { FIELDS, JOBS, address } from "./filter.js";
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
const FIELD = /([a-z]+)=("(?:[^"\\]|\\.)*"|.*?)(?=, [a-z]+(?:=|<=)|$)/gs;
/** The parts of a filter that a retry or a cancel makes untrue: afterwards they no longer tell which jobs were meant. */
const PASSING = ["status", "since", "until", "error", "where"];

/**
 * @param {string} target `job 7`, `queue mail`, `jobs with status=failed, type=mail, id<=900`, `jobs 7, 8`
 * @param {string} [action] what was done to it @param {string} [at] when
 * @returns {Node}
 */
export function targetLink(target, action, at) {
  const [kind, name = ""] = target.split(/ (.*)/s);
  if (action === "delete" && kind !== "jobs" && target !== "all jobs") return h("span", {}, target); // nothing is left to link to
  if (target === "configuration" || target.startsWith("configuration,")) return h("a", { href: "/ui/configuration" }, target);
  if (kind === "jobs" && /^\d/.test(name)) return chosenJobs(name, action);
  if (kind === "jobs" || target === "all jobs") return manyJobs(target, name, action, at);
  const href = PAGES[kind]?.(name);
  return href ? h("a", { href }, target) : h("span", {}, target);
}

/** A worker, as a link to its row on the overview. @param {string} slot */
export const workerLink = (slot) => h("a", { href: `/#${idOfSlot(slot)}` }, slot);

/** Jobs that were chosen one by one: `7, 8, 9 and 12 more (digest …)`. @param {string} name @param {string} [action] */
function chosenJobs(name, action) {
  const [, ids, rest] = /^((?:\d+(?:, )?)+)(.*)$/s.exec(name) ?? ["", "", name];
  const links = ids.split(", ").filter(Boolean).flatMap((id, i) => [i ? ", " : "", action === "delete" ? id : h("a", { href: PAGES.job(id) }, id)]);
  return h("span", { class: "chosen" }, "jobs ", ...links, rest);
}

/** A link to the list of jobs with the same filter, as it finds the jobs now that they are changed. */
function manyJobs(target, words, action, at) {
  if (action === "delete") return h("span", {}, target);
  const given = [...words.replace(/^with /, "").matchAll(FIELD)].map(([, name, value]) => [name, value.startsWith('"') ? JSON.parse(value) : value]);
  const filter = Object.fromEntries(given.filter(([name, value]) => FIELDS.includes(name) && value));
  if (action === "cancel" || action === "retry") for (const name of PASSING) delete filter[name];
  if (action === "cancel" && at) Object.assign(filter, { status: "cancelled", since: at });
  const title = action === "cancel" ? "the jobs of this filter that were cancelled since" : "the jobs of this filter, whatever their status is now";
  return h("a", { href: address(JOBS, filter), title: action ? title : false }, target);
}
