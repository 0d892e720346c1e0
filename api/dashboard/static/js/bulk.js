// Cancel, retry or delete the selected jobs: counted, confirmed, and then changed in steps.
//
// Each step is a call of its own that changes some jobs and says where the next one begins. So the
// page can show how far it is, and stop: what it tells then is what the audit log has counted.
import { byId, setText } from "./dom.js";
import { confirm } from "./confirm.js";
import { fixed } from "./filter.js";
import { request } from "./http.js";
import { count, plural } from "./words.js";

const STEP = 100;
const LARGE = 100;
const AGAIN_MS = 1000;
const WORDS = {
  retry: { verb: "Retry", doing: "Retrying", did: "will run again", can: "has failed or was cancelled", text: "Each becomes due now and can use all its attempts again." },
  cancel: { verb: "Cancel", doing: "Cancelling", did: "were cancelled or asked to stop", can: "is still to run or is running", text: "Those that wait will not run. Those that run are asked to stop, and stopped by force if they do not." },
  delete: { verb: "Delete", doing: "Deleting", did: "were deleted", can: "has ended", text: "They are gone then, with their attempts and logs. This cannot be undone." },
};

export class Bulk {
  /** @param {import("./selection.js").Selection} selection @param {() => void} changed called after each step */
  constructor(selection, changed) {
    this.selection = selection;
    this.changed = changed;
    for (const button of document.querySelectorAll("[data-bulk]"))
      button.addEventListener("click", () => this.start(/** @type {HTMLElement} */ (button).dataset.bulk ?? ""));
    byId("stop")?.addEventListener("click", () => { this.stopped = true; byId("stop").disabled = true; });
  }

  /** Ask whether to act on the selected jobs, or on this one if none is. @param {string} action @param {number} [id] */
  async start(action, id) {
    const { all, ids, table } = this.selection;
    if (this.running || (!this.selection.size && id === undefined)) return;
    const filter = all ? fixed(table.filter) : { ids: ids.size ? [...ids] : [id] };
    const body = { action, filter };
    this.tell("counting …");
    try {
      const counted = await request("/jobs/bulk", { method: "POST", body: { ...body, dry_run: true, limit: 1 } });
      this.tell("");
      if (counted.changed) this.ask(action, body, counted, all ? null : filter.ids.length);
      else this.tell(`Nothing to do: no job that is selected ${WORDS[action].can}.`);
    } catch (error) {
      this.tell(error.message, true);
    }
  }

  ask(action, body, { changed: n, max_id: most }, selected) {
    const { verb, text } = WORDS[action];
    const others = selected && selected > n ? ` ${plural(selected - n, "other")} of the selection ${selected - n === 1 ? "stays as it is" : "stay as they are"}.` : "";
    const of = selected ? "" : `All that match the filter, up to job ${most}; none that is submitted later. `;
    confirm({
      title: `${verb} ${plural(n, "job")}?`,
      text: `${of}${text}${others} If the number has changed by then, nothing is done.`,
      yes: `${verb} ${plural(n, "job")}`,
      typed: n >= LARGE ? String(n) : undefined,
      path: "/jobs/bulk",
      body: { ...body, max_id: most, expected_count: n },
      send: (path, call) => request(path, { ...call, body: (this.body = { ...call.body, limit: STEP }) }),
      done: (answer) => this.go(action, answer, n),
    });
  }

  /** Go on from the first step, which the dialog has made. */
  async go(action, answer, n) {
    this.stopped = false;
    this.work(true);
    let changed = answer.so_far, cursor = answer.next_cursor;
    while (cursor && !this.stopped) {
      this.progress(`${WORDS[action].doing}: ${count(changed)} of ${count(n)}`, changed / n);
      this.changed();
      try {
        const step = await request("/jobs/bulk", { method: "POST", body: { ...this.body, cursor } });
        [changed, cursor] = [step.so_far, step.next_cursor];
      } catch (error) {
        if (error.status !== 0 && error.status !== 503) { this.end(`${error.message} ${plural(changed, "job")} ${WORDS[action].did}.`, true); return; }
        this.progress(`No answer; trying again. ${count(changed)} of ${count(n)}`, changed / n);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
    const did = `${plural(changed, "job")} ${changed === 1 ? WORDS[action].did.replace("were", "was") : WORDS[action].did}`;
    const rest = n - changed;
    if (cursor) this.end(`Stopped: ${did}, ${count(rest)} of ${count(n)} were left as they were.`);
    else this.end(`${did}.${rest > 0 ? ` ${plural(rest, "job")} could not be: ${rest === 1 ? "it" : "they"} had changed, or others stand in the way.` : ""}`);
  }

  end(text, isBad = false) {
    this.work(false);
    this.selection.clear();
    this.tell(text, isBad);
    this.changed();
  }

  work(isRunning) {
    this.running = this.selection.isBusy = isRunning;
    byId("working").hidden = !isRunning;
    byId("stop").disabled = false;
    this.tell("");
    this.selection.show();
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
