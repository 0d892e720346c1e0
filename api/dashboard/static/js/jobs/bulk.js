// Cancel, retry or delete the selected jobs: counted, confirmed, and then changed by one call.
import { byId, onPress, setText } from "../base/dom.js";
import { LONGEST_READ_MS, request } from "../base/http.js";
import { count, plural } from "../base/words.js";
import { confirm, killedAfter } from "../frame/confirm.js";
import { fixed } from "../lists/filter.js";
import { write } from "../lists/query.js";

const LARGE = 100;
export const WORDS = {
  retry: { verb: "Retry", did: "will run again", can: "has failed or was cancelled", text: "Each becomes due now, or waits for its dependencies, and can use all its attempts again." },
  cancel: { verb: "Cancel", did: "were cancelled or asked to stop", can: "is waiting or running", text: "Waiting jobs will not run." },
  delete: { verb: "Delete", did: "were deleted", can: "has ended", text: "Their attempts and logs are deleted too. This cannot be undone." },
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

/** The call times out late: it may change very many jobs. */
const LONGEST_CALL_MS = 300_000;

/** Name all matching jobs. @param {import("../lists/filter.js").Filter} filter */
function allOf(filter) {
  const words = write(filter), ended = filter.sort === "ended";
  return `${words ? `All jobs that match “${words}”` : "All jobs"}${ended ? `${words ? " and" : " that"} have ended` : ""}`;
}

export class Bulk {
  /** @param {import("./selection.js").Selection} selection @param {() => void} changed called when it has ended */
  constructor(selection, changed) {
    this.selection = selection;
    this.changed = changed;
    this.isBusy = false; // while it counts or changes jobs
    selection.isBusy = () => this.isBusy;
    for (const button of document.querySelectorAll("[data-bulk]")) onPress(button, () => this.start(/** @type {HTMLElement} */ (button).dataset.bulk ?? ""));
  }

  /** Ask whether to act on the selected jobs, or on this one if none is. @param {string} action @param {number} [id] */
  async start(action, id) {
    const { all, ids, table } = this.selection;
    if (this.isBusy || (!this.selection.size && id === undefined)) return;
    const filter = all ? fixed(table.filter) : { ids: ids.size ? [...ids] : [id] }, words = allOf(table.filter);
    this.tell("counting …");
    let counted, grace;
    try { [counted, grace] = await this.busy(Promise.all([this.count({ action, filter }), action === "cancel" && killedAfter()])); } catch (error) { return this.tell(error.message, true); }
    this.tell("");
    if (document.querySelector("dialog[open]")) return;
    if (counted.changed) this.ask(action, counted.body, counted.changed, all ? null : filter.ids, words, grace);
    else this.tell(`Nothing to do: none of these jobs ${WORDS[action].can}.`);
  }

  /** Clear how the last action ended: another list is shown. */
  forget() { if (byId("result") && !this.isBusy) this.tell(""); }

  /** Return an answer; until it comes, no other action begins. @param {Promise<any>} answer */
  async busy(answer) {
    this.isBusy = true;
    this.selection.showBar();
    try { return await answer; } finally {
      this.isBusy = false;
      this.selection.showBar();
    }
  }

  /** Return how many jobs it would change, and what to send: no job that is submitted later. */
  async count(body) {
    const [newest] = (await request("/jobs?limit=1&preview=true")).items;
    const bound = newest ? { ...body, max_id: newest.id } : body;
    const { changed } = await request("/jobs/bulk", { method: "POST", body: { ...bound, dry_run: true }, within: LONGEST_READ_MS });
    return { changed, body: bound };
  }

  ask(action, body, n, ids, words, grace) {
    const others = (ids?.length ?? 0) - n, which = !ids ? `${words}, up to job ${count(body.max_id)}. ` : ids.length === 1 ? `Job ${ids[0]}. ` : "";
    const stay = others > 0 ? ` ${plural(others, "other selected job")} will not change.` : "";
    confirm({
      ...questionOf(action, n),
      text: `${which}${WORDS[action].text}${grace ? ` Running jobs will be asked to stop, then killed after ${grace}.` : ""}${stay} Nothing happens if the count ${n > 1 ? "grows" : "changes"} first.`,
      body: { ...body, expected_count: n, or_fewer: true },
      send: (path, call) => this.busy(request(path, { ...call, within: LONGEST_CALL_MS })),
      done: ({ changed }, wasClosed) => {
        if (!wasClosed) this.selection.clear();
        const rest = n - changed;
        this.tell(`${doneText(action, changed)}.${rest > 0 ? ` ${plural(rest, "job")} had changed in the meantime or could not be changed.` : ""}`);
        this.changed();
      },
    });
  }

  tell(text, isBad = false) {
    setText(byId("result"), text);
    byId("result").classList.toggle("bad", isBad);
  }
}
