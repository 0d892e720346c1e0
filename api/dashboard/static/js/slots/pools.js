// The number of workers of each pool, and of instances of each program, with a form to change it.
import { arrange, byId, h, setText, wrappable } from "../base/dom.js";
import { confirm } from "../frame/confirm.js";
import { onHost } from "../base/http.js";
import { isReplaced } from "../base/slot-state.js";
import { plural } from "../base/words.js";

/** @typedef {{host: string, name: string, workers: number | null}} Configured */

export class Pools {
  /** @param {() => void} readAnew asks for what is configured */
  constructor(readAnew) {
    this.readAnew = readAnew;
    /** @type {Map<string, PoolForm>} */
    this.forms = new Map();
    /** All that are configured, even without a slot; null: not known yet. @type {{pools: Configured[], programs: Configured[]} | null} */
    this.configured = null;
  }

  /** @param {any[]} workers @param {Map<string, any>} supervised the hosts with a supervisor */
  show(workers, supervised) {
    if (!this.configured) return; // all forms at once: one that came later would push the others away from under the pointer
    const known = [...this.configured.pools, ...this.configured.programs.map((one) => ({ ...one, isProgram: true }))];
    const members = workers.filter(({ pool, slot }) => pool !== null && !slot.includes("@")).map(({ host, pool, role }) => ({ host, name: pool, isProgram: role === "program" }));
    const forms = new Map();
    for (const { host, name, isProgram = false } of [...known, ...members]) {
      const key = `${host} ${name}`;
      if (supervised.has(host) && !forms.has(key)) forms.set(key, this.forms.get(key) ?? new PoolForm(host, name, isProgram));
    }
    this.forms = forms;
    for (const form of forms.values()) {
      const slots = workers.filter(({ host, pool, slot }) => host === form.host && pool === form.name && !slot.includes("@"));
      form.show(slots, supervised.size > 1, known.find(({ host, name }) => host === form.host && name === form.name));
    }
    arrange(byId("pools"), [...forms.values()].sort(byKind).map(({ node }) => node));
    const sizes = JSON.stringify([...forms].map(([key, { wanted }]) => [key, wanted]));
    if (this.sizes !== undefined && this.sizes !== sizes) this.readAnew(); // somebody has scaled
    this.sizes = sizes;
  }
}

/** Pools first, then programs. @param {PoolForm} a @param {PoolForm} b */
const byKind = (a, b) => Number(a.isProgram) - Number(b.isProgram) || a.host.localeCompare(b.host) || a.name.localeCompare(b.name);

class PoolForm {
  /** @param {string} host @param {string} name @param {boolean} isProgram */
  constructor(host, name, isProgram) {
    Object.assign(this, { host, name, isProgram });
    const what = isProgram ? `Instances of program ${name}` : `Workers of pool ${name}`;
    this.now = h("span", { class: "hint" });
    this.input = h("input", { type: "number", name: "workers", min: 0, max: 1000, required: true, "aria-label": what, oninput: () => { this.edited = true; } });
    this.result = h("span", { class: "hint", role: "status" });
    this.node = h("form", { class: "pool", id: !isProgram && !byId(`pool-${name}`) && `pool-${name}`, "data-pool": name, onsubmit: (event) => { event.preventDefault(); this.confirmScale(); } },
      h("b", {}, ...wrappable(name)), this.now, this.input, h("button", { "aria-label": `Scale ${isProgram ? "program" : "pool"} ${name}` }, "Scale …"), this.result);
  }

  /** @param {any[]} slots @param {boolean} several whether there are other hosts @param {Configured} [known] as it is configured */
  show(slots, several, known) {
    this.several = several;
    this.wanted = slots.filter(({ leaves }) => !leaves).length;
    const ending = slots.length - this.wanted, drained = slots.filter((one) => !one.leaves && !isReplaced(one)).length;
    const { workers: configured = null } = known ?? {};
    const isOther = configured !== null && configured !== this.wanted;
    setText(this.now, [
      `${this.many(this.wanted)}${several ? ` on ${this.host}` : ""}`, ending && `${ending} still ending`, drained && `${drained} drained`,
      isOther && `the configuration says ${configured}`,
    ].filter(Boolean).join(", "));
    if (+this.input.value === this.wanted) { this.edited = false; setText(this.result, ""); }
    if (!this.edited) this.input.value = String(this.wanted);
  }

  many(n) { return plural(n, this.isProgram ? "instance" : "worker"); }

  confirmScale() {
    const workers = +this.input.value, fewer = workers < this.wanted;
    const ends = this.isProgram ? "Those that go are asked to stop." : "Workers that go finish their jobs first.";
    byId("confirm").addEventListener("close", () => { this.edited = false; }, { once: true });
    confirm({
      title: `Scale ${this.isProgram ? "program" : "pool"} ${this.name} to ${this.many(workers)}?`,
      text: `It has ${this.many(this.wanted)} now. ${fewer ? `${ends} ` : ""}This lasts until the number in the configuration changes or the supervisor restarts.`,
      yes: "Scale it",
      path: `/pools/${this.name}/scale${onHost(this.host, this.several)}`,
      body: { workers },
      done: () => setText(this.result, `${this.many(workers)} requested`),
    });
  }
}
