// Calls of the API that a page makes again and again while it is visible.
import { byId, showOrHide } from "../base/dom.js";
import { onTryNow, showConnection, showLost } from "./chrome.js";
import { SILENCE_MS, request } from "../base/http.js";

const EVERY_MS = 3000;
const QUIET_MS = 4500;
const QUIET_LOST_MS = 1500;

export class Poll {
  /** @param {(signal: AbortSignal) => Promise<any>} read reads and shows until it is given up; a refusal that it throws is shown in `#problem` @param {number} [every] ms */
  constructor(read, every = EVERY_MS) {
    this.read = read;
    this.every = every;
    this.failures = 0;
    showConnection("connecting", 0);
    onTryNow(() => this.anew());
    addEventListener("online", () => this.anew());
    document.addEventListener("visibilitychange", () => this.now());
    this.now();
  }

  /** Read now, and go on from here. If a read is under way, read once more afterwards. */
  async now() {
    clearTimeout(this.timer);
    if (document.hidden) return;
    if (!this.silence) this.watch();
    this.again = this.reading;
    if (this.reading) return;
    this.reading = true;
    const wait = await this.turn();
    this.reading = false;
    if (this.again) this.now();
    else this.timer = setTimeout(() => this.now(), wait);
  }

  /** Read now, and do not wait for a read that may hang. */
  anew() {
    this.limit?.abort();
    this.now();
  }

  /** Read once; return after how many ms to read again. */
  async turn() {
    let status = 200, text = "";
    const began = performance.now();
    const { signal } = this.limit = new AbortController();
    try { await this.read(signal); } catch (error) {
      status = error.status ?? 200; // an error of the page itself is no lost connection
      text = error.message;
    }
    this.hung = undefined;
    if (signal.aborted) return 0;
    if (status === 0) return this.lost();
    this.failures = 0;
    this.watch();
    showConnection("live", 0);
    showOrHide(byId("problem"), text);
    return Math.max(this.every, (performance.now() - began) * 10); // ask a slow server less often
  }

  /** Ask whether the API is there if no answer has come for a while: a read may take long, or come seldom. */
  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.ask(), this.hung ? QUIET_LOST_MS : QUIET_MS);
  }

  async ask() {
    const { silence } = this;
    const isThere = await request("/healthz", { within: SILENCE_MS - QUIET_MS }).then(() => true, ({ status }) => status !== 0);
    if (silence !== this.silence) return; // an answer has come meanwhile
    this.silence = undefined;
    showConnection(isThere ? "live" : "waiting", 0);
    if (isThere) this.hung?.abort(); // an API that is back may never answer an earlier call
    this.hung = isThere ? undefined : this.limit;
    if (isThere) return document.hidden || this.watch();
    this.now(); // if a read is under way, it asks again
    this.hung = this.reading ? this.limit : undefined; // this read, if it is a new one
  }

  lost() {
    this.silence = clearTimeout(this.silence);
    return showLost(this.failures++);
  }
}
