// How a program is, why, and what can be done with it: what its row on the overview unfolds.
//
// The reason and the actions, which one comes for, are above the output. The exits are below it.
import { byId, hide } from "../base/dom.js";
import { request } from "../base/http.js";
import { draw, html, icon, nothing } from "../base/lit.js";
import { iconOf, isBad, lookOf } from "../base/slot-state.js";
import { bytes, duration, plural, spaced } from "../base/words.js";
import { retitle } from "../frame/chrome.js";
import { Slot } from "./slot.js";

const SECTIONS = ["slot-actions", "slot-why", "slot"];

export class ProgramState {
  /** @param {string} name @param {string | null} host null: there is one host only */
  constructor(name, host) {
    Object.assign(this, { name, host });
    this.slot = new Slot(() => this.draw());
    byId("slot").append(this.slot.exits.node);
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    const { items } = await request("/workers", { signal });
    this.program = items.find((/** @type {any} */ { slot, host }) => slot === this.name && (this.host === null || host === this.host));
    if (this.program) {
      const { host } = this.program;
      this.slot.take(this.program, items.some((/** @type {any} */ other) => other.slot === "supervisor" && other.host === host), items.some((/** @type {any} */ other) => other.host !== host));
      this.slot.exits.add(this.program.recent_exits ?? []);
    }
    this.draw();
  }

  /** Offer no action, as nothing can be done with the program. */
  hide() { for (const id of SECTIONS) hide(byId(id), true, byId("log")); }

  draw() {
    const { program } = this;
    if (!program) {
      draw(html`<b>not running</b>`, byId("status"));
      retitle(`not running: ${this.name} · Orpheus`, false);
      return this.hide();
    }
    const { state, degraded, pid, uptime_s: up, restarts, cpu_percent: cpu, rss_bytes: rss } = program, look = lookOf(program);
    const facts = [pid ? `pid ${pid}` : "no process", up !== null && `up ${duration(up)}`, plural(restarts, "restart"), cpu !== null && `CPU ${cpu.toFixed(1)} %`, rss !== null && bytes(rss)];
    draw(html`<span data-state=${look}><span class="mark">${icon(iconOf(look))}</span></span><b>${spaced(state)}${degraded ? ", degraded" : ""}</b><span class="hint">${facts.filter(Boolean).join(" · ")}</span>`, byId("status"));
    draw(this.slot.actions(), byId("slot-actions"));
    const meaning = this.slot.meaning();
    draw(meaning ? html`<p class="why">${meaning}</p>` : nothing, byId("slot-why"));
    for (const id of SECTIONS) byId(id).hidden = false;
    retitle(`${spaced(state)}: ${this.name} · Orpheus`, isBad(state));
  }
}
