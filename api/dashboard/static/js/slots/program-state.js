// How a program is, why, and what can be done with it: the same as its row on the overview says.
//
// The reason and the actions, which one comes for, are above the output. The exits are below it.
import { retitle } from "../frame/chrome.js";
import { byId, h, hide, icon, setAttr, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { SlotFold } from "./slot-fold.js";
import { iconOf, isBad, lookOf } from "../base/slot-state.js";
import { bytes, duration, plural, spaced } from "../base/words.js";

const SECTIONS = ["slot-actions", "slot-why", "slot"];

export class ProgramState {
  /** @param {string} slot @param {string | null} host null: there is one host only */
  constructor(slot, host) {
    this.slot = slot;
    this.host = host;
    this.sign = h("span", { class: "mark" });
    this.word = h("b", {});
    this.facts = h("span", { class: "hint" });
    byId("status").replaceChildren(this.sign, this.word, this.facts);
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    const { items } = await request("/workers", { signal });
    const own = items.find(({ slot, host }) => slot === this.slot && (this.host === null || host === this.host));
    if (own) return this.show(own, items, new Set(items.map((one) => one.host)).size > 1);
    setText(this.word, "not running");
    setText(this.facts, "");
    this.sign.replaceChildren();
    setAttr(byId("status"), "data-state", null);
    retitle(`not running: ${this.slot} · Orpheus`, false);
    this.hide();
  }

  /** Offer no action, as nothing can be done with the program. */
  hide() { for (const id of SECTIONS) hide(byId(id), true, byId("log")); }

  /** @param {any} program @param {any[]} all @param {boolean} several */
  show(program, all, several) {
    const { host, state, degraded, pid, uptime_s: uptime, restarts, cpu_percent: cpu, rss_bytes: rss } = program;
    if (!this.fold) {
      this.fold = new SlotFold(program, several);
      byId("slot-actions").append(this.fold.bar);
      byId("slot-why").append(this.fold.why); // the problem line is for the stack, which a program does not have
      byId("slot").append(this.fold.exits.node);
    }
    for (const id of SECTIONS) byId(id).hidden = false;
    const look = lookOf(program);
    if (byId("status").dataset.state !== look) this.sign.replaceChildren(icon(iconOf(look)));
    setAttr(byId("status"), "data-state", look);
    setText(this.word, spaced(state) + (degraded ? ", degraded" : ""));
    setText(this.facts, [pid ? `pid ${pid}` : "no process", uptime !== null && `up ${duration(uptime)}`, plural(restarts, "restart"),
      cpu !== null && `CPU ${cpu.toFixed(1)} %`, rss !== null && bytes(rss)].filter(Boolean).join(" · "));
    this.fold.show(program, all.find((one) => one.slot === "supervisor" && one.host === host), several);
    this.fold.exits.add(program.recent_exits ?? []);
    retitle(`${spaced(state)}: ${this.slot} · Orpheus`, isBad(state));
  }
}
