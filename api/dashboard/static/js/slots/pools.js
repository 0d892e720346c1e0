// The number of workers of each pool, and a form to change it.
import { arrange, byId, h, setText } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { onHost } from "../base/http.js";
import { LeftQueues } from "./left-queues.js";
import { wrappable } from "../lists/rows.js";
import { scaleText, scaling } from "./scaling.js";
import { isReplaced } from "../base/slot-state.js";
import { ago } from "../base/time.js";
import { plural } from "../base/words.js";

/** @typedef {{by: string, reason: string | null, at: string} | null} Scaled */

export class Pools {
  /** @param {() => void} readAnew asks for what is configured and who scaled what */
  constructor(readAnew) {
    this.readAnew = readAnew;
    /** @type {Map<string, PoolForm>} */
    this.forms = new Map();
    /** All configured ones, even without a slot; null: not known yet. @type {Record<"pools" | "programs", {host: string, name: string, workers: number | null, finishes_within_s?: number | null, scaled: Scaled}[]> | null} */
    this.configured = null;
    /** @type {{workers: any[], supervised: Map<string, any>} | null} */
    this.seen = null;
    this.known = new Promise((resolve) => { this.hasBecomeKnown = resolve; });
  }

  /** Learn what is configured. Without an answer, only pools that have slots are known. @param {any} [configured] */
  learn(configured = this.configured ?? { pools: [], programs: [] }) {
    this.configured = configured;
    if (this.seen) this.show(this.seen.workers, this.seen.supervised);
    this.hasBecomeKnown();
  }

  /** Show all forms at once: one that came later would push the others away from under the pointer. @param {any[]} workers @param {Map<string, any>} supervised the hosts with a supervisor */
  show(workers, supervised) {
    this.seen = { workers, supervised };
    if (!this.configured) return;
    const members = workers.filter(({ host, pool, slot }) => supervised.has(host) && pool !== null && !slot.includes("@"));
    const pools = Map.groupBy(members, ({ host, pool }) => `${host} ${pool}`);
    const { pools: configured, programs } = this.configured;
    const known = new Map([...configured, ...programs].map((one) => [`${one.host} ${one.name}`, one]));
    for (const { host, name } of [...configured, ...programs]) if (supervised.has(host) && !pools.has(`${host} ${name}`)) pools.set(`${host} ${name}`, []);
    // A form stays while its host does: whoever has scaled to 0 wants to scale back. The form of a pool that is not
    // configured any more goes with its last slot. The configuration of other hosts is not known.
    const answering = new Set([...configured, ...programs].map(({ host }) => host));
    for (const [key, { host }] of this.forms) {
      const isGone = answering.has(host) && !known.has(key) && !pools.has(key);
      if (isGone || !supervised.has(host)) this.forms.delete(key);
      else if (!pools.has(key)) pools.set(key, []);
    }
    for (const [key, ofPool] of pools) {
      const host = key.slice(0, key.lastIndexOf(" ")), name = key.slice(host.length + 1);
      const form = this.forms.get(key) ?? new PoolForm(host, name, programs.some((one) => one.host === host && one.name === name) || ofPool[0]?.role === "program");
      this.forms.set(key, form);
      form.show(ofPool, workers, supervised.size > 1, known.get(key));
    }
    this.noteSizes(pools);
    arrange(byId("pools"), [...this.forms.values()].sort(byKind).map(({ node }) => node));
  }

  /** After how long a worker that is to end releases its jobs, or a program is killed, if that is known. @param {any} worker */
  limitOf({ host, pool }) {
    const { pools, programs } = this.configured ?? { pools: [], programs: [] };
    return [...pools, ...programs].find((one) => one.host === host && one.name === pool)?.finishes_within_s;
  }

  /** Read anew if a number has changed, as somebody has scaled. @param {Map<string, any[]>} pools */
  noteSizes(pools) {
    const sizes = JSON.stringify([...pools].map(([key, ofPool]) => [key, staying(ofPool).length]).sort());
    if (this.sizes !== undefined && this.sizes !== sizes) this.readAnew();
    this.sizes = sizes;
  }
}

/** The slots that are wanted: one that is scaled away only finishes its job. @param {any[]} members */
const staying = (members) => members.filter(({ leaves }) => !leaves);

/** How many of the wanted slots are drained. @param {any[]} members @param {number} leaving how many others still end */
function drainedText(members, leaving) {
  const drained = members.filter((one) => !isReplaced(one)).length;
  if (!drained) return "";
  if (drained < members.length || leaving) return `, ${drained} drained`;
  return drained > 1 ? ", all drained" : ", drained";
}

/** @param {Scaled} scaled */
const scaledText = (scaled) => (scaled ? `: scaled by ${scaled.by} ${ago(scaled.at)}${scaled.reason ? ` (${scaled.reason})` : ""}` : "");

/** Pools first, then programs. @param {PoolForm} a @param {PoolForm} b */
const byKind = (a, b) => Number(a.isProgram) - Number(b.isProgram) || a.host.localeCompare(b.host) || a.name.localeCompare(b.name);

class PoolForm {
  /** @param {string} host @param {string} name @param {boolean} isProgram */
  constructor(host, name, isProgram) {
    this.host = host;
    this.name = name;
    this.isProgram = isProgram;
    const what = isProgram ? `Instances of program ${name}` : `Workers of pool ${name}`;
    this.now = h("span", { class: "hint" });
    this.input = h("input", { type: "number", name: "workers", min: 0, max: 1000, required: true, "aria-label": what, oninput: () => { this.edited = true; } });
    this.result = h("span", { class: "hint", role: "status" });
    this.node = h("form", { class: "pool", id: !isProgram && !byId(`pool-${name}`) && `pool-${name}`, "data-pool": name, onsubmit: (event) => { event.preventDefault(); this.confirmScale(); } },
      h("b", {}, ...wrappable(name)), this.now, this.input, h("button", { "aria-label": `Scale ${isProgram ? "program" : "pool"} ${name}` }, "Scale …"), this.result);
  }

  /** @param {any[]} slots @param {any[]} all the workers of all pools and hosts @param {boolean} several whether there are other hosts @param {{workers: number | null, finishes_within_s?: number | null, scaled: Scaled}} [known] as it is configured */
  show(slots, all, several, known) {
    this.slots = slots;
    this.all = all;
    this.members = staying(slots);
    this.several = several;
    this.within = known?.finishes_within_s;
    const wanted = this.members.length, leaving = slots.length - wanted, configured = known?.workers ?? null;
    this.scaled = configured === wanted ? "" : scaledText(known?.scaled ?? null);
    const ends = this.isProgram ? "end" : "finish", still = leaving ? ` wanted, ${leaving} still ${leaving > 1 ? ends : this.isProgram ? "ends" : "finishes"}` : "";
    const other = configured === null || configured === wanted ? "" : `, the configuration says ${configured}${this.scaled}`;
    setText(this.now, `${this.many(wanted)}${several ? ` on ${this.host}` : ""}${still}${drainedText(this.members, leaving)}${other}`);
    if (+this.input.value === wanted && !this.question) { this.edited = false; setText(this.result, ""); }
    if (!this.edited) this.input.value = String(wanted);
    this.question?.();
  }

  many(n) { return plural(n, this.isProgram ? "instance" : "worker"); }

  confirmScale() {
    const workers = +this.input.value, before = this.members.length;
    let isAsked = false;
    this.left = this.isProgram ? null : new LeftQueues(this.name, this.host, () => this.question?.());
    byId("confirm").addEventListener("close", () => { this.question = null; if (!isAsked) this.edited = false, this.input.value = String(this.members.length); }, { once: true });
    const say = confirm({
      title: `Scale ${this.isProgram ? "program" : "pool"} ${this.name} to ${this.many(workers)}?`,
      text: this.consequence(workers),
      yes: "Scale it",
      path: `/pools/${this.name}/scale${onHost(this.host, this.several)}`,
      body: { workers },
      done: () => { isAsked = true; setText(this.result, `${this.many(workers)} requested`); },
    });
    this.question = () => {
      const now = this.members.length, other = now === before ? "" : `It has ${this.many(now)} by now${this.scaled}. `;
      say(`${other}${this.consequence(workers)}`, now === workers);
    };
  }

  /** Say what a scale to this number would do now. @param {number} workers */
  consequence(workers) {
    if (workers === this.members.length) return "This is its number already.";
    const { starting, returning, ending, empty } = scaling(this.slots, workers), going = new Set([...ending, ...empty]);
    const none = starting || returning.length ? "" : this.left?.text(this.all.filter((one) => !going.has(one))) ?? "";
    return `${scaleText(this.slots, workers, this.isProgram, this.within)}${none} This lasts until the number in the configuration changes or the supervisor restarts.`;
  }
}
