// What a scale of a pool or a program does to each of its slots. `orpheus scale` says the same
// (shared/domain/scaling.py): slots have the numbers from 1 on, and those above the new one go.
import { limitText, runningOf, runsText } from "../base/slot-state.js";
import { bytes, listed, plural } from "../base/words.js";

const MOST_NAMED = 5;
const MUCH = { times: 10, more: 20 };

/** @param {any[]} slots all of its slots on a host, even those that are scaled away @param {number} wanted */
export function scaling(slots, wanted) {
  const numberOf = ({ slot, pool }) => +slot.slice(pool.length + 1);
  const kept = slots.filter((one) => numberOf(one) <= wanted);
  const going = slots.filter((one) => numberOf(one) > wanted && !one.leaves);
  return {
    starting: wanted - kept.length,
    /** Slots whose processes still end, after which others start in them. */
    returning: kept.filter(({ leaves }) => leaves),
    ending: going.filter(({ pid }) => pid),
    empty: going.filter(({ pid }) => !pid),
  };
}

/** Say what a scale to `wanted` would do now. @param {any[]} slots @param {number} wanted @param {boolean} isProgram @param {number | null | undefined} within after so many seconds a worker that ends releases its jobs */
export function scaleText(slots, wanted, isProgram, within) {
  const { starting, returning, ending, empty } = scaling(slots, wanted), noun = isProgram ? "instance" : "worker";
  const several = returning.length > 1, job = runningOf(returning[0] ?? {}) > 1 ? "jobs" : "job";
  const still = isProgram ? several ? "end" : "ends" : several ? "finish their jobs" : `finishes its ${job}`;
  return [
    starting && `${plural(starting, noun)} more will start.${muchText(slots, wanted, starting)}`,
    returning.length && `${namesOf(returning)} still ${still}, and ${several ? "start" : "starts"} again after ${several || job === "jobs" ? "them" : "it"}.`,
    ending.length && `${plural(ending.length, noun)} will end: ${namesOf(ending)}.${isProgram ? "" : finishText(ending, within)}`,
    empty.length && `${namesOf(empty)} ${empty.length > 1 ? "have no process, and go" : "has no process, and goes"} at once.`,
  ].filter(Boolean).join(" ");
}

const namesOf = (slots) => listed(slots.map(({ slot }) => slot), MOST_NAMED);

/** @param {any[]} ending @param {number | null | undefined} within */
function finishText(ending, within) {
  const busy = ending.filter(runsText);
  const named = busy.slice(0, MOST_NAMED).map((one) => `${one.slot} runs ${runsText(one)}`).join(", ");
  const rest = busy.length > MOST_NAMED ? ` and ${busy.length - MOST_NAMED} more run jobs` : "";
  return ` Each finishes its job first${named && `: ${named}${rest}`}.${limitText(within)}`;
}

/** Say what the added processes take, if the number may be a slip. @param {any[]} slots @param {number} wanted @param {number} starting */
function muchText(slots, wanted, starting) {
  const now = slots.filter(({ leaves }) => !leaves).length;
  if (starting < MUCH.more || wanted < MUCH.times * now) return "";
  const taken = slots.map(({ rss_bytes: rss }) => rss).filter(Boolean), each = taken.reduce((sum, one) => sum + one, 0) / taken.length;
  const memory = taken.length ? `, which take ${bytes(starting * each)} more if each takes what one takes now, ${bytes(each)}` : "";
  return ` That is ${now ? `${Math.floor(wanted / now)} times as many as now: ` : ""}${plural(starting, "process", "processes")} more${memory}.`;
}
