// The number of workers of each pool, and a form to change it.
import { arrange, byId, h, setText } from "./dom.js";
import { confirm } from "./confirm.js";
import { onHost } from "./http.js";
import { plural } from "./words.js";

const MOST_NAMED = 5;

export class Pools {
  constructor() {
    /** @type {Map<string, PoolForm>} */
    this.forms = new Map();
  }

  /** @param {any[]} workers @param {Set<string>} supervised the hosts with a supervisor */
  show(workers, supervised) {
    const members = workers.filter(({ host, pool, role, slot }) => supervised.has(host) && pool !== null && role !== "program" && !slot.includes("@"));
    const pools = Map.groupBy(members, ({ host, pool }) => `${host} ${pool}`);
    for (const key of this.forms.keys()) if (!pools.has(key)) this.forms.delete(key);
    for (const [key, ofPool] of pools) {
      const [{ host, pool }] = ofPool;
      const form = this.forms.get(key) ?? new PoolForm(host, pool);
      this.forms.set(key, form);
      form.show(ofPool, supervised.size > 1);
    }
    arrange(byId("pools"), [...this.forms.values()].map(({ node }) => node));
  }
}

class PoolForm {
  /** @param {string} host @param {string} name */
  constructor(host, name) {
    this.host = host;
    this.name = name;
    this.now = h("span", { class: "hint" });
    // At least 1: a pool without workers would have no row, and no form to bring it back.
    this.input = h("input", { type: "number", name: "workers", min: 1, max: 1000, required: true, "aria-label": `Workers of pool ${name}`, oninput: () => { this.edited = true; } });
    this.result = h("span", { class: "hint", role: "status" });
    this.node = h("form", { class: "pool", "data-pool": name, onsubmit: (event) => { event.preventDefault(); this.confirmScale(); } },
      h("b", {}, name), this.now, this.input, h("button", { "aria-label": `Scale pool ${name}` }, "Scale …"), this.result);
  }

  /** @param {any[]} members @param {boolean} several whether there are other hosts */
  show(members, several) {
    this.members = members;
    this.several = several;
    setText(this.now, `${plural(members.length, "worker")}${several ? ` on ${this.host}` : ""}`);
    if (+this.input.value === members.length) { this.edited = false; setText(this.result, ""); }
    if (!this.edited) this.input.value = members.length;
  }

  confirmScale() {
    const workers = +this.input.value;
    confirm({
      title: `Scale pool ${this.name} to ${plural(workers, "worker")}?`,
      text: `${this.consequence(workers)} This lasts until the number in the configuration changes or the supervisor restarts.`,
      yes: "Scale it",
      path: `/pools/${this.name}/scale${onHost(this.host, this.several)}`,
      body: { workers },
      done: () => setText(this.result, `${plural(workers, "worker")} requested`),
    });
  }

  consequence(workers) {
    const more = workers - this.members.length;
    if (more >= 0) return more ? `${plural(more, "worker")} more will start.` : "The pool has this number of workers already.";
    const leaving = this.members.filter(({ slot }) => +slot.slice(this.name.length + 1) > workers);
    const busy = leaving.filter(({ job }) => job);
    const named = busy.slice(0, MOST_NAMED).map(({ slot, job }) => `${slot} runs ${job.type} ${job.id}`).join(", ");
    const rest = busy.length > MOST_NAMED ? ` and ${busy.length - MOST_NAMED} more run a job` : "";
    return `${plural(-more, "worker")} will end, the highest numbers first. Each finishes its job first${named && `: ${named}${rest}`}.`;
  }
}
