// Cancel, retry or delete the selected jobs: counted, confirmed, and then changed in steps.
//
// Each step is a call of its own that changes some jobs and says where the next one begins. So the
// page can show how far it is, and stop: what it tells then is what the audit log has counted.
import { byId, onPress, setOff, setText } from "../base/dom.js";
import { LONGEST_READ_MS, request } from "../base/http.js";
import { count, plural } from "../base/words.js";
import { confirm } from "../frame/confirm.js";
import { fixed } from "../lists/filter.js";
import { write } from "../lists/query.js";

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

const STEP = 100;
const AGAIN_MS = 1000;
/** Steps time out late: the API may wait for the database, and would run a repeated step beside the first. */
const LONGEST_STEP_MS = 300_000;
const MAY_PASS = new Set([0, 401, 503]); // no answer, no session, busy

/** Name all that match. @param {import("../lists/filter.js").Filter} filter */
function allOf(filter) {
  const words = write(filter), ended = filter.sort === "ended";
  if (words) return `All that match “${words}”${ended ? " and have ended" : ""}`;
  return ended ? "All jobs that have ended" : "All jobs, as no filter is set";
}

export class Bulk {
  /** @param {import("./selection.js").Selection} selection @param {() => void} changed called after each step */
  constructor(selection, changed) {
    this.selection = selection;
    this.changed = changed;
    this.isBusy = false; // while it counts, asks the first step or goes on
    selection.isBusy = () => this.isBusy;
    if (!byId("stop")) return; // read-only
    for (const button of document.querySelectorAll("[data-bulk]")) onPress(button, () => this.start(/** @type {HTMLElement} */ (button).dataset.bulk ?? ""));
    onPress(byId("stop"), () => { this.stopped = true; setOff(byId("stop"), true); });
  }

  /** Ask whether to act on the selected jobs, or on this one if none is. @param {string} action @param {number} [id] */
  async start(action, id) {
    const { all, ids, table } = this.selection;
    if (this.isBusy || (!this.selection.size && id === undefined)) return;
    const filter = all ? fixed(table.filter) : { ids: ids.size ? [...ids] : [id] };
    const body = { action, filter }, words = allOf(table.filter);
    this.tell("counting …");
    let counted;
    try { counted = await this.busy(request("/jobs/bulk", { method: "POST", body: { ...body, dry_run: true, limit: 1 }, within: LONGEST_READ_MS })); } catch (error) { return this.tell(error.message, true); }
    this.tell("");
    if (document.querySelector("dialog[open]")) return;
    if (counted.changed) this.ask(action, body, counted, all ? null : filter.ids.length, words);
    else this.tell(`Nothing to do: none of these jobs ${WORDS[action].can}.`);
  }

  /** Tell no more how the last action ended: another list is shown. */
  forget() { if (byId("result") && !this.isBusy) this.tell(""); }

  /** Return an answer; until it comes, no other action begins. @param {Promise<any>} answer */
  async busy(answer) {
    this.isBusy = true;
    this.selection.show();
    try { return await answer; } finally {
      this.isBusy = false;
      this.selection.show();
    }
  }

  ask(action, body, { changed: n, max_id: most }, selected, words) {
    const { text } = WORDS[action], question = questionOf(action, n);
    const others = selected && selected > n ? ` ${plural(selected - n, "other")} of the selection ${selected - n === 1 ? "stays as it is" : "stay as they are"}.` : "";
    const of = selected ? "" : `${words}, up to job ${most}; none that is submitted later. `;
    const one = selected === 1 ? `Job ${body.filter.ids[0]}. ` : "";
    confirm({
      ...question,
      text: `${of}${one}${text}${others} ${n > 1 ? "If fewer match by then, it is done with those; if more do, nothing is done." : "If it has changed by then, nothing is done."}`,
      body: { ...body, max_id: most, expected_count: n, or_fewer: true },
      send: (path, call) => this.busy(request(path, { ...call, body: (this.body = { ...call.body, limit: STEP }) })),
      done: (answer, wasClosed) => { if (!wasClosed) this.selection.clear(); this.go(action, answer, n, wasClosed); },
    });
  }

  /** Go on from the first step, unless somebody has closed the dialog meanwhile. */
  async go(action, answer, n, isStopped) {
    this.stopped = isStopped;
    if (answer.next_cursor && !isStopped) this.work(true);
    let changed = answer.so_far, cursor = answer.next_cursor, isAgain = false;
    while (cursor && !this.stopped) {
      if (!isAgain) { // else the problem stays until an answer comes
        this.progress(`${WORDS[action].doing}: ${count(changed)} of ${count(n)}`, changed / n);
        this.changed();
      }
      try {
        const step = await request("/jobs/bulk", { method: "POST", body: { ...this.body, cursor }, within: LONGEST_STEP_MS }); // a step that was made counts, and is not repeated
        [changed, cursor, isAgain] = [step.so_far, step.next_cursor, false];
      } catch (error) {
        if (!MAY_PASS.has(error.status)) { this.end(`${error.message} ${doneText(action, changed)}.`, true); return; }
        isAgain = true;
        this.progress(`${error.message} Another try follows. ${count(changed)} of ${count(n)}`, changed / n);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    const did = doneText(action, changed), rest = n - changed;
    if (cursor) this.end(`Stopped: ${did}, ${count(rest)} of ${count(n)} were left as they were.`);
    else this.end(`${did}.${rest > 0 ? ` ${plural(rest, "job")} could not be: ${rest === 1 ? "it" : "they"} had changed, or others stand in the way.` : ""}`);
  }

  end(text, isBad = false) {
    this.work(false);
    this.tell(text, isBad);
    this.changed();
  }

  work(isRunning) {
    const held = /** @type {HTMLElement} */ (document.activeElement), stop = byId("stop");
    this.isBusy = isRunning;
    byId("working").hidden = !isRunning;
    setOff(stop, false);
    this.tell("");
    this.selection.show();
    if (isRunning && held.matches("[data-bulk]")) { this.pressed = held; stop.focus(); } // the button with the focus is hidden now
    else if (!isRunning && held === stop) this.pressed?.focus();
  }

  progress(words, part) {
    setText(byId("done-words"), words);
    byId("done-part").value = part;
  }

  tell(text, isBad = false) {
    setText(byId("result"), text);
    byId("result").classList.toggle("bad", isBad);
  }
}
