// One read that keeps what a page shows up to date.
//
// It reads when something has changed (`soon`), after a reconnect or an action (`now`), and, where ages and rates
// change by themselves, every few seconds. It never reads twice within a second, asks a slow server less often, and
// reads nothing in a hidden tab.
import { byId, showOrHide } from "../base/dom.js";
import { Live } from "./live.js";

const LEAST_MS = 1000;
const AFTER_FAILURE_MS = 4500;

export class Refresh {
  /**
   * @param {(signal: AbortSignal) => Promise<any>} read
   * @param {{every?: number, whileHidden?: boolean, told?: (error: any) => void}} [how]
   * `every`: ms after which it reads again by itself; `whileHidden`: in a hidden tab, too; `told` gets the error of a read, or null
   */
  constructor(read, { every = Infinity, whileHidden = false, told = (error) => showOrHide(byId("problem"), error?.message) } = {}) {
    Object.assign(this, { read, every, whileHidden, told });
    this.isReading = this.isWanted = false;
    this.earliest = this.endedAt = 0;
    document.addEventListener("visibilitychange", () => { if (!document.hidden && Number.isFinite(every)) this.isWanted = true; this.schedule(); });
  }

  /** Read within a second. */
  soon() {
    this.isWanted = true;
    this.schedule();
  }

  /** Read now, and give up a read that is under way. */
  now() {
    this.limit?.abort();
    this.isReading = false;
    this.earliest = 0;
    this.soon();
  }

  /** Read nothing until it is wanted again. */
  stop() {
    this.limit?.abort();
    this.isReading = this.isWanted = false;
    clearTimeout(this.timer);
  }

  schedule() {
    clearTimeout(this.timer);
    if (this.isReading || (document.hidden && !this.whileHidden)) return;
    const at = this.isWanted ? this.earliest : this.endedAt + this.every;
    if (at < Infinity) this.timer = setTimeout(() => this.turn(), Math.max(0, at - performance.now()));
  }

  async turn() {
    const { signal } = (this.limit = new AbortController()), began = performance.now();
    this.isReading = true;
    this.isWanted = false;
    let problem = null;
    try { await this.read(signal); } catch (error) { problem = error; }
    if (signal.aborted) return;
    if (problem && !("status" in problem)) reportError(problem); // an error of the page itself
    this.isReading = false;
    this.endedAt = performance.now();
    this.earliest = this.endedAt + Math.max(LEAST_MS, (this.endedAt - began) * 9);
    this.told(problem);
    if (problem && mayPass(problem)) {
      this.isWanted = true;
      this.earliest = this.endedAt + AFTER_FAILURE_MS;
    }
    this.schedule();
  }
}

/** Whether a refused read may succeed later. @param {any} error */
const mayPass = ({ status }) => !(status >= 400 && status < 500);

/** Keep a list up to date: read it now, after a reconnect, after an event that `matters`, and every few seconds. @param {(signal: AbortSignal) => Promise<any>} read @param {(kind: string) => boolean} [matters] @param {number} [every] ms */
export function followStream(read, matters = () => false, every = 3000) {
  const refresh = new Refresh(read, { every });
  new Live("/ws", { hello: () => refresh.now(), events: (events) => events.some(({ kind }) => matters(kind)) && refresh.soon() });
  return refresh;
}
