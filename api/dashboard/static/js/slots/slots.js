// The worker panel: one row for each slot, updated in place with every heartbeat.
import { arrange, byId, h, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { Pools } from "./pools.js";
import { SlotRow } from "./slot-row.js";
import { everySecond } from "../base/time.js";
import { plural } from "../base/words.js";

export class Slots {
  constructor() {
    /** @type {Map<string, SlotRow>} */
    this.rows = new Map();
    /** @type {Map<string, HTMLElement>} */
    this.heads = new Map();
    this.pools = new Pools(() => this.begin());
    everySecond(() => this.rows.forEach((row) => row.tick()));
  }

  /** Read the pools and programs, also those without a slot. */
  async begin() {
    try {
      const { pools, programs } = await request("/workers?pools=true");
      this.pools.configured = { pools: pools ?? [], programs: programs ?? [] };
    } catch { this.pools.configured ??= { pools: [], programs: [] }; }
  }

  /** @param {any[]} workers */
  show(workers) {
    const hosts = Map.groupBy(workers, ({ host }) => host), several = hosts.size > 1;
    for (const worker of workers) this.rowOf(worker, several).keep(worker);
    if (document.hidden) return; // no chart misses a second
    const supervisors = new Map(workers.filter(({ slot }) => slot === "supervisor").map((one) => [one.host, one]));
    const nodes = [...hosts].flatMap(([host, members]) => [
      ...several ? [this.headOf(host, members)] : [],
      ...members.sort(byRole).flatMap((worker) => {
        const row = this.rowOf(worker, several);
        row.show(worker, supervisors.get(host), several);
        return [row.node, row.fold.node];
      }),
    ]);
    const present = new Set(workers.map(keyOf));
    for (const key of this.rows.keys()) if (!present.has(key)) this.rows.delete(key);
    for (const host of this.heads.keys()) if (!hosts.has(host)) this.heads.delete(host);
    arrange(byId("slots"), nodes);
    this.pools.show(workers, supervisors);
    setText(byId("workers-summary"), this.summary(workers));
  }

  /** @param {any} worker @param {boolean} several */
  rowOf(worker, several) {
    const row = this.rows.get(keyOf(worker)) ?? new SlotRow(worker, several);
    this.rows.set(keyOf(worker), row);
    return row;
  }

  /** Return the header row of a host, the same at each heartbeat. @param {string} host @param {any[]} members */
  headOf(host, members) {
    const head = this.heads.get(host) ?? h("div", { role: "row", class: "host" }, h("h3", { role: "cell" }, host), h("small", { role: "cell" }));
    this.heads.set(host, head);
    setText(head.lastElementChild, this.summary(members));
    return head;
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
const keyOf = ({ host, slot }) => `${host} ${slot}`;

const byRole = (a, b) => rankOf(a) - rankOf(b) || a.slot.localeCompare(b.slot, "en", { numeric: true });

/** Return the rank of a slot: workers first, then programs, then what runs them. */
const rankOf = ({ pool, role }) => (pool === null ? 2 : Number(role === "program"));
