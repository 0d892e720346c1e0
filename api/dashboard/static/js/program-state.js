// How a program is, why, and what can be done with it: the same as its row on the overview says.
import { byId, h, hide, icon, setAttr, setText } from "./dom.js";
import { request } from "./http.js";
import { SlotFold } from "./slot-fold.js";
import { bytes, duration, plural, spaced } from "./words.js";

const SIGNS = { ready: "done", starting: "in_progress", backoff: "failed", fatal: "failed", stuck: "failed" };

export class ProgramState {
  /** @param {string} slot @param {string | null} host null: there is one host only */
  constructor(slot, host) {
    this.slot = slot;
    this.host = host;
    this.sign = h("span", {});
    this.word = h("b", {});
    this.facts = h("span", { class: "hint" });
    byId("status").replaceChildren(this.sign, this.word, this.facts);
  }

  async read() {
    const { items } = await request("/workers");
    const own = items.find(({ slot, host }) => slot === this.slot && (this.host === null || host === this.host));
    if (own) return this.show(own, items);
    setText(this.word, "not running");
    setText(this.facts, "");
    this.sign.replaceChildren();
    setAttr(byId("status"), "data-status", null);
    hide(byId("slot"), true, byId("log")); // nothing can be done with it
  }

  show(program, all) {
    const { host, state, degraded, pid, uptime_s: uptime, restarts, cpu_percent: cpu, rss_bytes: rss } = program;
    const several = new Set(all.map((one) => one.host)).size > 1;
    if (!this.fold) {
      this.fold = new SlotFold(program, several);
      this.fold.node.hidden = false;
      byId("slot").replaceChildren(this.fold.node);
    }
    byId("slot").hidden = false;
    const sign = SIGNS[state] ?? "blocked";
    if (byId("status").dataset.status !== sign) this.sign.replaceChildren(icon(sign));
    setAttr(byId("status"), "data-status", sign);
    setText(this.word, spaced(state) + (degraded ? ", degraded" : ""));
    setText(this.facts, [pid ? `pid ${pid}` : "no process", uptime !== null && `up ${duration(uptime)}`, plural(restarts, "restart"),
      cpu !== null && `CPU ${cpu.toFixed(1)} %`, rss !== null && bytes(rss)].filter(Boolean).join(" · "));
    this.fold.show(program, all.some((one) => one.slot === "supervisor" && one.host === host), several);
    this.fold.exits.add(program.recent_exits ?? []);
  }
}
