// How many workers each pool has, and a form to change that.
import { arrange, byId, h, say } from "./dom.js";
import { confirm } from "./confirm.js";
import { some } from "./words.js";

const MOST_NAMED = 5;

export class Pools {
  constructor() {
    /** @type {Map<string, PoolForm>} */
    this.forms = new Map();
  }

  /** @param {any[]} workers @param {boolean} supervised */
  show(workers, supervised) {
    const pools = Map.groupBy(supervised ? workers.filter(({ pool, slot }) => pool !== null && !slot.includes("@")) : [], ({ pool }) => pool);
    for (const name of this.forms.keys()) if (!pools.has(name)) this.forms.delete(name);
    for (const [name, members] of pools) {
      const form = this.forms.get(name) ?? new PoolForm(name);
      this.forms.set(name, form);
      form.show(members);
    }
    arrange(byId("pools"), [...this.forms.values()].map(({ node }) => node));
  }
}

class PoolForm {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.now = h("span", { class: "hint" });
    // A pool without workers has no row and so no form to bring it back: one is the least.
    this.input = h("input", { type: "number", name: "workers", min: 1, max: 1000, required: true, "aria-label": `Workers of pool ${name}`, oninput: () => { this.edited = true; } });
    this.said = h("span", { class: "hint", role: "status" });
    this.node = h("form", { class: "pool", "data-pool": name, onsubmit: (event) => { event.preventDefault(); this.ask(); } },
      h("b", {}, name), this.now, this.input, h("button", { "aria-label": `Scale pool ${name}` }, "Scale …"), this.said);
  }

  /** @param {any[]} members */
  show(members) {
    this.members = members;
    say(this.now, some(members.length, "worker"));
    if (+this.input.value === members.length) { this.edited = false; say(this.said, ""); }
    if (!this.edited) this.input.value = members.length;
  }

  ask() {
    const workers = +this.input.value;
    confirm({
      title: `Scale pool ${this.name} to ${some(workers, "worker")}?`,
      text: `${this.consequence(workers)} It lasts until the configuration's number changes or the supervisor restarts.`,
      yes: "Scale it",
      path: `/pools/${this.name}/scale`,
      body: { workers },
      done: () => say(this.said, `asked for ${workers}`),
    });
  }

  consequence(workers) {
    const more = workers - this.members.length;
    if (more >= 0) return more ? `${some(more, "worker")} more will start.` : "It has so many now.";
    const leaving = this.members.filter(({ slot }) => +slot.slice(this.name.length + 1) > workers);
    const busy = leaving.filter(({ job }) => job);
    const named = busy.slice(0, MOST_NAMED).map(({ slot, job }) => `${slot} runs ${job.type} ${job.id}`).join(", ");
    const rest = busy.length > MOST_NAMED ? ` and ${busy.length - MOST_NAMED} more run a job` : "";
    return `${some(-more, "worker ends", "workers end")}, the highest numbers first; each finishes its job before${named && `: ${named}${rest}`}.`;
  }
}
