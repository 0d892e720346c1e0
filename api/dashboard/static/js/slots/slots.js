// The worker panel: one row for each slot, updated in place with every heartbeat.
import { arrange, byId, h, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { Pools } from "./pools.js";
import { SlotRow } from "./slot-row.js";
import { everySecond } from "../base/time.js";
import { plural } from "../base/words.js";

/** With more slots than this, each takes one line. */
const MANY = 16;

export class Slots {
  constructor() {
    /** @type {Map<string, SlotRow>} */
    this.rows = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.heads = new Map();
    this.pools = new Pools(() => this.begin());
    const panel = byId("workers");
    if (localStorage.getItem("orpheus.workers") === "folded") panel.open = false;
    panel.addEventListener("toggle", () => localStorage.setItem("orpheus.workers", panel.open ? "open" : "folded"));
    everySecond(() => this.rows.forEach((row) => row.tick()));
  }

  /** Fill the charts with the last minute, which the API keeps; also read the pools and programs without a slot. */
  async begin() {
    try {
      const { items, pools, programs } = await request("/workers?samples=true");
      for (const worker of items) this.rows.get(keyOf(worker))?.begin(worker.samples);
      this.pools.learn({ pools, programs });
    } catch { this.pools.learn(); } // the charts fill as time passes
  }

  /** Take the measures of a heartbeat, whether it is drawn or not. @param {any[]} workers as GET /workers gives them */
  keep(workers) {
    for (const worker of workers) this.rows.get(keyOf(worker))?.keep(worker);
  }

  /** @param {any[]} workers */
  show(workers) {
    const hosts = Map.groupBy(workers, ({ host }) => host), { pools } = this;
    const several = hosts.size > 1;
    byId("slots").classList.toggle("compact", workers.length > MANY);
    const supervisors = new Map(workers.filter(({ slot }) => slot === "supervisor").map((one) => [one.host, one]));
    const nodes = [...hosts].flatMap(([host, members]) => [
      ...several ? [this.headOf(host, members)] : [],
      ...members.sort(byRole).flatMap((worker) => {
        const row = this.rows.get(keyOf(worker)) ?? this.newRow(worker, several);
        row.show({ ...worker, get others() { return workers.filter((one) => one !== worker); }, get finishes_within_s() { return pools.limitOf(worker); } }, supervisors.get(host), several);
        return [row.node, row.fold.node];
      }),
    ]);
    const body = byId("slots");
    const nextFocus = this.nextFocus(body, nodes);
    const present = new Set(workers.map(keyOf));
    for (const key of this.rows.keys()) if (!present.has(key)) { this.rows.get(key)?.fold.leave(); this.rows.delete(key); }
    for (const host of this.heads.keys()) if (!hosts.has(host)) this.heads.delete(host);
    arrange(body, nodes);
    nextFocus?.focus({ preventScroll: true });
    this.pools.show(workers, supervisors);
    setText(byId("workers-summary"), this.summary(workers));
  }

  /** @param {any} worker @param {boolean} several */
  newRow(worker, several) {
    const row = new SlotRow(worker, several);
    this.rows.set(keyOf(worker), row);
    row.keep(worker);
    return row;
  }

  /** Return the header row of a host, the same at each heartbeat. @param {string} host @param {any[]} members */
  headOf(host, members) {
    const head = this.heads.get(host) ?? h("div", { role: "row", class: "host" }, h("h3", { role: "cell" }, host), h("small", { role: "cell" }));
    this.heads.set(host, head);
    setText(head.lastElementChild, this.summary(members));
    return head;
  }

  /** Return what gets the focus if its row disappears: the nearest row that stays. */
  nextFocus(body, nodes) {
    const rows = [...body.children];
    const focused = rows.findIndex((row) => row.contains(document.activeElement));
    if (focused < 0 || nodes.includes(rows[focused])) return null;
    const near = [...rows.slice(focused), ...rows.slice(0, focused).reverse()].find((row) => nodes.includes(row));
    return near?.querySelector(".more button") ?? byId("workers").querySelector("summary");
  }

  /** @param {any[]} workers */
  summary(workers) {
    /** @type {Record<string, number>} */
    const states = {}, programs = workers.filter(({ role }) => role === "program");
    for (const worker of workers) {
      const { pool, role, state } = worker;
      if (pool === null || role === "program") continue;
      const word = state !== "ready" ? state : worker.silent ? "silent" : this.rows.get(keyOf(worker))?.busy ? "working" : "idle";
      states[word] = (states[word] ?? 0) + 1;
    }
    const up = programs.filter(({ state }) => state === "ready").length, ended = programs.filter((one) => one.ended).length, meant = programs.length - ended;
    const others = [meant && `${up} of ${plural(meant, "program")} ready`, ended && `${plural(ended, "program")} ended as meant`];
    return [...Object.entries(states).map(([word, n]) => `${n} ${word}`), ...others].filter(Boolean).join(" · ") || "none";
  }
}

/** Return a name of the slot that no other host has. @param {{host: string, slot: string}} worker */
function keyOf({ host, slot }) {
  return `${host} ${slot}`;
}

function byRole(a, b) {
  return rankOf(a) - rankOf(b) || a.slot.localeCompare(b.slot, "en", { numeric: true });
}

/** Return the rank of a slot: workers first, then programs, then what runs them. */
function rankOf({ pool, role }) {
  return pool === null ? 2 : Number(role === "program");
}
