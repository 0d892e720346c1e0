// The pools with their workers, the programs, and what runs them: a quiet row each, drawn again with every heartbeat.
import { byId, setText } from "../base/dom.js";
import { onHost, request } from "../base/http.js";
import { breakable, draw, html, nothing } from "../base/lit.js";
import { isReplaced } from "../base/slot-state.js";
import { plural } from "../base/words.js";
import { confirm } from "../frame/confirm.js";
import { Slot } from "./slot.js";

/** @typedef {{host: string, name: string, kind: "pool" | "program" | "system", configured: number | null, members: any[]}} Group */

const RANKS = ["pool", "program", "system"];

export class Slots {
  constructor() {
    /** @type {Map<string, Slot>} */
    this.slots = new Map();
    /** What is configured, even without a slot. @type {Group[]} */
    this.configured = [];
    /** The numbers that are typed, and what became of them, by group. @type {Map<string, {typed?: string, result?: string}>} */
    this.forms = new Map();
    addEventListener("hashchange", () => this.openTarget());
  }

  /** Read the pools and programs. */
  async begin() {
    try {
      const { pools, programs } = await request("/workers?pools=true");
      const of = (/** @type {any[]} */ all, /** @type {any} */ kind) => (all ?? []).map(({ host, name, workers }) => ({ host, name, kind, configured: workers, members: [] }));
      this.configured = [...of(pools, "pool"), ...of(programs, "program")];
      this.draw();
    } catch { /* the slots are shown all the same */ }
  }

  /** @param {any[]} workers */
  show(workers) {
    this.workers = workers;
    this.several = new Set(workers.map(({ host }) => host)).size > 1;
    this.supervised = new Set(workers.filter(({ slot }) => slot === "supervisor").map(({ host }) => host));
    const known = this.slots;
    this.slots = new Map(workers.map((worker) => [keyOf(worker), known.get(keyOf(worker)) ?? new Slot(() => this.draw())]));
    for (const worker of workers) this.slots.get(keyOf(worker))?.take(worker, this.supervised.has(worker.host), this.several);
    this.draw();
  }

  draw() {
    if (!this.workers || document.hidden || document.documentElement.classList.contains("lost")) return;
    draw(this.groups().map((group) => this.group(group)), byId("slots"));
    setText(byId("workers-summary"), this.summary(this.workers));
    if (!this.isShown) this.openTarget();
    this.isShown = true;
  }

  /** Show the slot that the address names, with its details. */
  openTarget() {
    const slot = [...this.slots.values()].find(({ id }) => location.hash === `#${id}`);
    if (slot && !slot.isOpen) slot.toggle();
    if (slot) byId(slot.id)?.scrollIntoView({ block: "center" });
  }

  /** @returns {Group[]} */
  groups() {
    /** @type {Map<string, Group>} */
    const groups = new Map();
    const add = (/** @type {Group} */ group) => groups.get(keyOfGroup(group)) ?? (groups.set(keyOfGroup(group), group), group);
    for (const group of this.configured) if (this.supervised.has(group.host)) add({ ...group, members: [] });
    for (const worker of this.workers) {
      const { host, pool, role } = worker, kind = pool === null ? "system" : role === "program" ? "program" : "pool";
      add({ host, name: pool ?? "Orpheus", kind, configured: null, members: [] }).members.push(worker);
    }
    for (const { members } of groups.values()) members.sort((a, b) => a.slot.localeCompare(b.slot, "en", { numeric: true }));
    return [...groups.values()].sort((a, b) => a.host.localeCompare(b.host) || RANKS.indexOf(a.kind) - RANKS.indexOf(b.kind) || a.name.localeCompare(b.name));
  }

  /** @param {Group} group */
  group(group) {
    const { host, name, kind, configured, members } = group, key = keyOfGroup(group);
    const own = members.filter(({ slot }) => !slot.includes("@")), wanted = own.filter(({ leaves }) => !leaves).length;
    const many = (/** @type {number} */ n) => plural(n, kind === "program" ? "instance" : "worker");
    const form = this.forms.get(key) ?? {};
    this.forms.set(key, form);
    if (form.typed === undefined || +form.typed === wanted) Object.assign(form, { typed: undefined, result: form.result === `${many(wanted)} requested` ? "" : form.result });
    const drained = own.filter((worker) => !worker.leaves && !isReplaced(worker)).length, ending = own.length - wanted;
    const about = [many(wanted), ending && `${ending} still ending`, drained && `${drained} drained`, configured !== null && configured !== wanted && `${configured} configured`];
    const ask = (/** @type {number} */ next) => confirm({
      title: `Scale ${kind} ${name} to ${many(next)}?`,
      text: `It has ${many(wanted)} now. ${next < wanted ? kind === "program" ? "The surplus instances are asked to stop. " : "The surplus workers finish their jobs first. " : ""}This lasts until the number in the configuration changes or the supervisor restarts.`,
      yes: `Scale ${kind}`, path: `/pools/${name}/scale${onHost(host, this.several)}`, body: { workers: next },
      closed: () => { form.typed = undefined; this.draw(); },
      done: () => { form.result = `${many(next)} requested`; this.draw(); },
    });
    const scale = kind === "system" || !this.supervised.has(host) ? nothing : html`
      <input type="number" data-needs="admin" name="workers" min="0" max="1000" required aria-label=${kind === "program" ? `Instances of program ${name}` : `Workers of pool ${name}`}
        .value=${form.typed ?? String(wanted)} @input=${(/** @type {any} */ { target }) => { form.typed = target.value; }}>
      <button class="quiet" data-needs="admin" aria-label="Scale ${kind} ${name}">Scale …</button>`;
    return html`<section class="pool" id=${kind === "pool" && !this.several ? `pool-${name}` : nothing} data-pool=${name} aria-label="${kind === "system" ? name : `${kind} ${name}`}${this.several ? ` on ${host}` : ""}">
      <form @submit=${(/** @type {Event} */ event) => { event.preventDefault(); ask(+(form.typed ?? wanted)); }}>
        <h3>${breakable(name)}${this.several ? html` <small>on ${host}</small>` : nothing}</h3>
        <span class="hint">${kind === "system" ? nothing : about.filter(Boolean).join(", ")}</span><span class="hint" role="status">${form.result}</span>${scale}</form>
      <div class="rows">${members.map((worker) => this.slots.get(keyOf(worker))?.row())}</div></section>`;
  }

  /** "2 idle · 1 starting · 1 of 1 program ready" @param {any[]} workers */
  summary(workers) {
    const programs = workers.filter(({ role, ended }) => role === "program" && !ended), own = workers.filter(({ pool, role }) => pool !== null && role !== "program");
    const states = Map.groupBy(own, (worker) => (worker.state !== "ready" ? worker.state : worker.silent ? "silent" : this.slots.get(keyOf(worker))?.isBusy ? "working" : "idle"));
    return [...[...states].map(([word, { length }]) => `${length} ${word}`),
      programs.length && `${programs.filter(({ state }) => state === "ready").length} of ${plural(programs.length, "program")} ready`].filter(Boolean).join(" · ") || "none";
  }
}

/** A name of the slot that no other host has. @param {{host: string, slot: string}} worker */
const keyOf = ({ host, slot }) => `${host} ${slot}`;

/** @param {Group} group */
const keyOfGroup = ({ host, kind, name }) => `${kind} ${host} ${name}`;
