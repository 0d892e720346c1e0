// The question before a slot is started, restarted or drained: what that does, kept up to date while it is asked.
import { confirm } from "../frame/confirm.js";
import { LeftQueues } from "./left-queues.js";
import { awayText, limitText, runningOf, runsText } from "../base/slot-state.js";
import { secondsTo } from "../base/time.js";
import { duration, ticking } from "../base/words.js";

const STOPPED = new Set(["down", "backoff", "fatal"]);
const CAN_DRAIN = new Set(["ready", "starting", "backoff", "fatal"]);
const ENDS = "it is started, or Orpheus is restarted";

/** Whether restarting the slot only means starting it. @param {any} worker */
export const isStopped = ({ state }) => STOPPED.has(state);

/** @param {any} worker */
export const canDrain = ({ state }) => CAN_DRAIN.has(state);

export class SlotQuestion {
  /** @param {"restart" | "drain"} action @param {any} worker @param {string} path @param {(named: string) => void} done */
  constructor(action, worker, path, done) {
    this.action = action;
    this.asked = this.worker = worker;
    this.left = action === "drain" && worker.role !== "program" ? new LeftQueues(worker.pool, worker.host, () => this.update(this.worker)) : null;
    this.isStart = action === "restart" && isStopped(worker);
    const verb = this.isStart ? "start" : action, named = verb[0].toUpperCase() + verb.slice(1);
    this.say = confirm({ title: `${named} ${worker.slot}?`, text: this.consequence(worker), yes: `${named} it`, path, done: () => done(named) });
  }

  /** Say what it would do now. @param {any} worker */
  update(worker) {
    this.worker = worker;
    const { pid, state, incarnation } = worker, away = awayText(worker);
    if (away) return this.say(away, true);
    if (this.isStart && !isStopped(worker)) return this.say("It has been started meanwhile.", true);
    if (this.action === "drain" && !canDrain(worker)) return this.say(`Its state is ${state} by now.`, true);
    const isOther = pid && this.asked.pid && incarnation !== this.asked.incarnation;
    this.say(`${isOther ? `Its process has ended meanwhile, and another one runs (pid ${pid}). ` : ""}${this.consequence(worker)}`);
  }

  /** Say that the slot no longer exists. */
  leave() { this.say("It is gone meanwhile.", true); }

  /** @param {any} worker */
  consequence(worker) {
    return this.action === "restart" && isStopped(worker) ? "It starts now." : consequence(this.action, worker, this.left?.text(worker.others) ?? "");
  }
}

/** Say what a restart or a drain will do. @param {string} action @param {any} worker @param {string} nobody which queues nobody serves then */
function consequence(action, worker, nobody) {
  const { slot, role, job, pool, pid, until, finishes_within_s: within } = worker;
  const then = action === "drain" ? `stays down until ${ENDS}.` : "starts again.";
  if (!pid) return `It has no process, and will have none until ${ENDS}.${nobody}`;
  if (pool === null) return `The ${slot === "api" ? "API" : slot} is unavailable for a moment. This page reconnects automatically and misses nothing.`;
  if (role === "program") return `The program is asked to stop, and killed if it ${within ? `still runs after ${duration(within)}` : "does not"}. Then ${slot} ${then}`;
  const first = job ? `It runs ${runsText(worker)} and finishes ${runningOf(worker) > 1 ? "them" : "it"} first. It takes no other job.` : "It takes no other job. A job that it is running is finished first.";
  const limit = job && until ? ` If it still runs in ${ticking(secondsTo(until))}, it is released, and starts again.` : limitText(within);
  return `${first}${limit} Then ${slot} ${then}${nobody}`;
}
