// The queues whose jobs nobody runs without some workers: read while a question is asked about these workers.
// `orpheus scale` and `drain` say the same (shared/domain/scaling.py).
import { request } from "../base/http.js";
import { Reading } from "../frame/reading.js";
import { isReplaced } from "../base/slot-state.js";
import { listed, plural } from "../base/words.js";

const MOST_NAMED = 5;
const EVERY_MS = 2000;

/** Whether a worker is to run jobs. @param {any} worker */
const runsJobs = (worker) => worker.pool !== null && worker.role !== "program" && worker.state !== "down" && isReplaced(worker);

export class LeftQueues {
  /** @param {string} pool whose workers go @param {string} host @param {() => void} known called whenever its queues have been read */
  constructor(pool, host, known) {
    this.pool = pool;
    this.host = host;
    /** @type {any[]} */
    this.served = [];
    this.reading = new Reading(async () => {
      const { items } = await request("/queues"); // without an answer they are not named, or stay as they were
      this.served = items.filter(({ pools }) => pools.some(({ name }) => name === pool));
      known();
    });
    this.reading.now();
  }

  /** Say which queues nobody serves without them, and how many jobs wait there; empty if each is served. @param {any[]} workers that stay, of all hosts */
  text(workers) {
    this.reading.ifOlder(EVERY_MS); // the number of jobs changes while the question is open
    const running = workers.filter(runsJobs), pools = new Set(running.map(({ pool }) => pool));
    if (pools.has(this.pool)) return "";
    if (!this.served.length) return " Then nobody runs the jobs of its queues, unless another pool serves them.";
    const left = this.served.filter((queue) => !queue.pools.some(({ name }) => pools.has(name)));
    if (!left.length) return "";
    const waiting = left.reduce((sum, { counts }) => sum + counts.pending, 0);
    const names = listed(left.map(({ name }) => name), MOST_NAMED), wait = waiting ? `: ${plural(waiting, "job waits", "jobs wait")} there` : "";
    const unless = running.some(({ host }) => host !== this.host) ? ", unless another host does" : ""; // what its pools serve is not known here
    return ` Then nobody runs the jobs of ${left.length > 1 ? "queues" : "queue"} ${names}${unless}${wait}.`;
  }
}
