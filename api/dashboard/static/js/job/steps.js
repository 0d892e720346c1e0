// What a durable function has kept, as rows of the timeline: steps, sleeps, signals, children and cursors.
import { base } from "../base/base.js";
import { h } from "../base/dom.js";
import { writeExact } from "../base/exact.js";
import { request } from "../base/http.js";
import { html, icon, nothing } from "../base/lit.js";
import { preview } from "../base/preview.js";
import { now, timeOf } from "../base/time.js";
import { tree } from "../base/tree.js";
import { TERMINAL, count, duration, plural, spaced } from "../base/words.js";
import { Refresh } from "../frame/refresh.js";

const RUNNING_MS = 2000; // the stream does not tell of steps
const MOST_LINKS = 30;
const SHORT = 40;

export class Steps {
  /** In the order of keeping. @type {any[]} */
  items = [];

  /** @param {string} id @param {() => void} changed called after they were read */
  constructor(id, changed) {
    this.id = id;
    this.changed = changed;
    this.refresh = new Refresh((signal) => this.read(signal), { told: () => {} }); // of a deleted job, the last ones stay
    /** The results that are open, and what they show, by the name of the step. @type {Map<string, {text: string, node: Node}>} */
    this.opened = new Map();
  }

  /** Keep up with a job that was read. One without steps costs no request. @param {any} job */
  follow(job) {
    const has = job.has_steps || this.items.length > 0;
    this.refresh.every = has && job.status === "in_progress" ? RUNNING_MS : Infinity;
    if (has) this.refresh.soon();
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    const { items } = await request(`/jobs/${this.id}/steps`, { exact: true, signal });
    this.items = items.map((step) => ({ ...step, text: step.is_cut ? step.result : writeExact(step.result) }));
    this.changed();
  }

  /** The signal for which a job waits, as a step. @param {any} job */
  awaited(job) { return job.status === "blocked" ? this.items.findLast(({ kind, state }) => kind === "signal" && state === "waiting") : undefined; }

  /** The sleep of a job that sleeps. @param {any} job */
  sleep(job) { return job.status === "pending" ? this.items.findLast(({ kind, until }) => kind === "sleep" && Date.parse(until) > now()) : undefined; }

  /** What a snoozed attempt ended for: a sleep, a signal or children; undefined if its function does not wait. @param {number} attempt */
  waitOf(attempt) {
    const of = (/** @type {number} */ n, /** @type {string[]} */ kinds) => this.items.findLast((step) => kinds.includes(step.kind) && +step.attempt === n);
    return of(attempt, ["sleep", "signal", "gather"]) ?? of(attempt + 1, ["gather"]); // failed children are kept by the next attempt
  }

  /** @param {any} step @param {any} job @param {any[]} nodes of the graph, for the statuses of children @param {() => void} draw @param {(step: any) => void} retry */
  row(step, job, nodes, draw, retry) {
    const { kind, name, at } = step, facts = [...factsOf(step, job, nodes), ...(kind === "step" || kind === "cursor" ? [`attempt ${step.attempt}`] : [])];
    const mayRetry = TERMINAL.has(job.status) && job.status !== "done";
    return html`<div class="mark-row step-row" data-kind=${kind} data-state=${step.state}>${timeOf(at, "exact")}<div><p>${icon(`kind-${kind}`)} <b>${name}</b> <span class="step-facts">${
      facts.map((fact, i) => html`${i ? " · " : nothing}${fact}`)}</span> ${mayRetry ? html`<button type="button" class="quiet" data-needs="operator" aria-label="Retry from ${name}" @click=${() => retry(step)}>retry from here …</button>` : nothing}</p>${
      kind === "gather" ? childrenOf(step, nodes) : kind === "step" || kind === "signal" ? this.resultOf(step, draw) : nothing}</div></div>`;
  }

  /** A short result, or the beginning of a longer one, which unfolds. */
  resultOf({ name, result, text, is_cut: isCut }, draw) {
    if (result === null) return nothing;
    if (!isCut && text.length <= SHORT) return html`<code class="kept">${text}</code>`;
    const node = () => (isCut ? h("div", {}, h("p", { class: "hint" }, "It is too long to be shown whole."), h("pre", { class: "code rest", tabindex: 0, "aria-label": `Result of ${name}` }, text)) : h("div", { class: "tree" }, tree(result)));
    const isOpen = this.opened.has(name);
    if (isOpen && this.opened.get(name)?.text !== text) this.opened.set(name, { text, node: node() });
    const toggle = ({ target }) => {
      if (target.open === this.opened.has(name)) return;
      if (target.open) this.opened.set(name, { text, node: node() }); else this.opened.delete(name);
      draw();
    };
    return html`<details class="kept" .open=${isOpen} @toggle=${toggle}><summary>${preview(text)}</summary>${isOpen ? this.opened.get(name)?.node : nothing}</details>`;
  }
}

/** @returns {any[]} */
function factsOf({ kind, state, result, took_s: took, until, signal, key, children }, job, nodes) {
  const time = until && html`${timeOf(until, "short")} (${timeOf(until, "relative")})`;
  switch (kind) {
    case "sleep": return [html`${Date.parse(until) > now() ? "sleeps" : "slept"} until ${time}`];
    case "signal": {
      const which = `the signal ${signal} of key ${key}`;
      if (state === "kept") return [`${which} came`];
      if (state === "timed_out") return [html`${which} did not come until ${time}`];
      return [html`${job.status === "blocked" ? "waits" : "waited"} for ${which}${until ? html` until ${time}` : nothing}`];
    }
    case "gather": return [leftOf(children, nodes)];
    case "cursor": return [`${plural(+result.done, "item")} done`];
  }
  return [`took ${duration(+took)}`];
}

/** "3 of 40 left", "40 children ended, 1 failed". Without their statuses, "40 children". */
function leftOf(children, nodes) {
  const found = nodes.filter(({ id }) => children.includes(id)), of = (status) => found.filter((node) => node.status === status).length;
  const left = found.filter(({ status }) => !TERMINAL.has(status)).length, all = plural(children.length, "child", "children");
  if (!found.length) return all;
  return [left ? `${count(left)} of ${count(children.length)} left` : `${all} ended`, ...["failed", "cancelled"].filter(of).map((status) => `${count(of(status))} ${status}`)].join(", ");
}

function childrenOf({ children }, nodes) {
  const statuses = new Map(nodes.map(({ id, status }) => [id, status]));
  const link = (id) => html`<span data-status=${statuses.get(id) ?? nothing} title=${spaced(statuses.get(id) ?? "")}>${statuses.has(id) ? icon(statuses.get(id)) : nothing}<a href="${base}/ui/jobs/${id}">${id}</a></span> `;
  return html`<p class="ids">${children.slice(0, MOST_LINKS).map(link)}${children.length > MOST_LINKS ? `and ${count(children.length - MOST_LINKS)} more` : nothing}</p>`;
}

/** What an attempt ended for: "waited for the signal approval of key 42". @param {any} step */
export const waitedFor = ({ kind, name, signal, key, children }) =>
  kind === "sleep" ? `slept (${name})` : `waited for ${kind === "signal" ? `the signal ${signal} of key ${key}` : plural(children.length, "child", "children")}`;
