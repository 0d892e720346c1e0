// The words for what is done to many jobs at once.
import { plural } from "../base/words.js";

const LARGE = 100;
export const WORDS = {
  retry: { verb: "Retry", doing: "Retrying", did: "will run again", can: "has failed or was cancelled", text: "Each becomes due now, or waits for the jobs that it depends on, and can use all its attempts again." },
  cancel: { verb: "Cancel", doing: "Cancelling", did: "were cancelled or asked to stop", can: "waits or runs", text: "Those that wait will not run. Those that run are asked to stop, and stopped by force if they do not." },
  delete: { verb: "Delete", doing: "Deleting", did: "were deleted", can: "has ended", text: "They are gone then, with their attempts and logs. This cannot be undone." },
};

/** "1 job of resize was deleted" @param {string} action @param {number} n @param {string} [which] */
export function doneText(action, n, which = "") {
  const { did } = WORDS[action];
  return `${plural(n, "job")}${which} ${n === 1 ? did.replace("were", "was") : did}`;
}

/** The question before it, without what will happen. If there are many, their number must be typed. @param {string} action @param {number} n */
export function questionOf(action, n) {
  const order = `${WORDS[action].verb} ${plural(n, "job")}`;
  return { title: `${order}?`, yes: order, typed: n >= LARGE ? String(n) : undefined, path: "/jobs/bulk" };
}
