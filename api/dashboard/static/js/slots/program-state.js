// How a program is, why, and what can be done with it: the same as its row on the overview says.
//
// The reason and the actions, which one comes for, are above the output. The exits are below it.
import { retitle } from "../frame/chrome.js";
import { arrange, byId, h, hide, icon, setAttr, setText, showOrHide } from "../base/dom.js";
import { onHost, request } from "../base/http.js";
import { ProgramSettings } from "./program-settings.js";
import { SlotFold } from "./slot-fold.js";
import { byText, iconOf, isBad, lookOf } from "../base/slot-state.js";
import { bytes, count, duration, plural, spaced } from "../base/words.js";

const SECTIONS = ["slot-actions", "slot-why", "slot", "settings"];
const MOST_OTHERS = 10;

/** How much an instance needs somebody. */
const trouble = (/** @type {any} */ { state }) => (isBad(state) ? 2 : state === "ready" ? 0 : 1);

export class ProgramState {
  /** @param {string} slot @param {string | null} host null: there is one host only */
  constructor(slot, host) {
    this.slot = slot;
    this.program = slot.slice(0, slot.lastIndexOf("-"));
    this.host = host;
    this.sign = h("span", { class: "mark" });
    this.word = h("b", {});
    this.facts = h("span", { class: "hint" });
    /** The items of the other instances, each with a link. @type {Map<string, any>} */
    this.others = new Map();
    byId("status").replaceChildren(this.sign, this.word, this.facts);
  }

  /** @param {AbortSignal} signal */
  async read(signal) {
    const { items } = await request("/workers", { signal });
    const own = items.find(({ slot, host }) => slot === this.slot && (this.host === null || host === this.host));
    const several = new Set(items.map((one) => one.host)).size > 1;
    this.showOthers(items.filter((one) => one.role === "program" && one.pool === this.program && one !== own), several);
    if (own) return this.show(own, items, several);
    const configured = await request("/workers?samples=true", { signal }); // only this tells of pools and programs
    setText(this.word, "not running");
    setText(this.facts, this.absence(configured));
    this.sign.replaceChildren();
    setAttr(byId("status"), "data-state", null);
    retitle(`not running: ${this.slot} · Orpheus`, false);
    this.hide();
  }

  /** Offer no action, as nothing can be done with the program. */
  hide() { this.fold?.leave(); for (const id of SECTIONS) hide(byId(id), true, byId("log")); }

  /** Why it has no slot; empty if that is not known, as of another host. @param {any} configured as GET /workers?samples=true has it */
  absence({ pools = [], programs = [] }) {
    const isHere = ({ host }) => this.host === null || host === this.host;
    const program = programs.filter(isHere).find(({ name }) => name === this.program);
    if (!program) return [...pools, ...programs].some(isHere) ? "not in the configuration" : "";
    const { workers, wanted, scaled } = program, number = +this.slot.slice(this.program.length + 1);
    return byText(`scaled to ${count(wanted)}`, scaled) || (workers === null || number <= workers ? "" : `the configuration has ${plural(workers, "instance")}`);
  }

  /** @param {any} program @param {any[]} all @param {boolean} several */
  show(program, all, several) {
    const { host, state, degraded, pid, uptime_s: uptime, restarts, cpu_percent: cpu, rss_bytes: rss } = program;
    if (!this.fold) {
      this.fold = new SlotFold(program, several);
      byId("slot-actions").append(this.fold.bar);
      byId("slot-why").append(this.fold.why); // the problem line is for the stack, which a program does not have
      byId("slot").append(this.fold.exits.node);
      this.settings = new ProgramSettings(byId("settings"), program.pool);
    }
    for (const id of SECTIONS) byId(id).hidden = false;
    this.settings.show(several);
    const look = lookOf(program);
    if (byId("status").dataset.state !== look) this.sign.replaceChildren(icon(iconOf(look)));
    setAttr(byId("status"), "data-state", look);
    setText(this.word, spaced(state) + (degraded ? ", degraded" : ""));
    setText(this.facts, [pid ? `pid ${pid}` : "no process", uptime !== null && `up ${duration(uptime)}`, plural(restarts, "restart"),
      cpu !== null && `CPU ${cpu.toFixed(1)} %`, rss !== null && bytes(rss)].filter(Boolean).join(" · "));
    this.fold.show(program, all.find((one) => one.slot === "supervisor" && one.host === host), several);
    this.fold.exits.add(program.recent_exits ?? []);
    const shown = this.fold.exits.known.size; // one for each process that ended, unless there were more
    setText(byId("exits-order"), restarts > shown && shown ? `the latest ${shown}, newest first` : "newest first");
    retitle(`${spaced(state)}: ${this.slot} · Orpheus`, isBad(state));
  }

  /** The other instances of the program, each with its state; of many some, those in trouble first. @param {any[]} others @param {boolean} several */
  showOthers(others, several) {
    const shown = others.toSorted((one, other) => trouble(other) - trouble(one)).slice(0, MOST_OTHERS);
    this.others = new Map(shown.map(({ slot, host }) => [`${slot} ${host}`, this.others.get(`${slot} ${host}`) ?? h("li", {}, h("a", {}))]));
    arrange(byId("others"), [...this.others.values()]);
    for (const { slot, host, state } of shown) {
      const link = this.others.get(`${slot} ${host}`).firstChild;
      setAttr(link, "href", `/ui/programs/${encodeURIComponent(slot)}${onHost(host, several)}`);
      setText(link, `${slot}${several ? ` on ${host}` : ""} ${spaced(state)}`);
    }
    const more = others.length - shown.length;
    showOrHide(byId("more-others"), more ? `and ${count(more)} more` : "");
  }
}
