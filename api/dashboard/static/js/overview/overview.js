// The overview: the verdict, its problems, figures, workers and the newest jobs, all from one stream.
import { byId, showOrHide } from "../base/dom.js";
import { request } from "../base/http.js";
import { showAlerts } from "./alerts.js";
import { Figures } from "./figures.js";
import { Verdict } from "./verdict.js";
import { startChrome } from "../frame/chrome.js";
import { Live } from "../frame/live.js";
import { Refresh } from "../frame/refresh.js";
import { showFirstCommands } from "../jobs/first-commands.js";
import { JobsTable } from "../jobs/jobs-table.js";
import { JOBS } from "../lists/filter.js";
import { Slots } from "../slots/slots.js";

const table = new JobsTable({ path: JOBS, size: 6, isShort: true, shown: showFirstCommands });

startChrome({ p: () => byId("pause").click(), n: () => byId("new").click() });
const stats = new Refresh(readStats, {
  every: 5000, whileHidden: true, told: (error) => {
    showOrHide(byId("stale"), error?.status && `These figures are out of date: ${error.message}`);
    byId("main").classList.add("read"); // all below the problems is shown once their room is known, so that it never moves
  },
});
const alerts = new Refresh(async () => showAlerts((await request("/alerts")).items), { every: 15_000, told: () => {} });
const figures = new Figures(), verdict = new Verdict(() => stats.now()), slots = new Slots();
/** @type {string | undefined} */
let states;

async function readStats() {
  const read = await request("/stats");
  figures.showStats(read);
  verdict.show(read);
}

new Live("/ws", {
  hello: () => { table.load(); stats.now(); alerts.now(); slots.begin(); figures.history.now(); },
  events: (events) => { table.take(events); if (events.some(isOfSystem)) readAnew(events); },
  status: ({ workers, counts }) => {
    slots.show(workers);
    figures.showCounts(counts);
    verdict.learn(workers);
    const now = JSON.stringify(workers.map((/** @type {any} */ { host, slot, state, degraded, silent, reason }) => [host, slot, state, degraded, silent, reason]));
    if (states && now !== states) stats.soon(); // the verdict may be another
    states = now;
  },
});

/** Whether an event is about queues, workers or the configuration. @param {{kind: string}} event */
function isOfSystem({ kind }) { return !kind.startsWith("job.") && kind !== "schedule.fired"; }

/** Read anew what depends on them. @param {{kind: string}[]} events */
function readAnew(events) {
  if (events.some(({ kind }) => kind === "config.reloaded")) slots.begin();
  stats.soon();
  alerts.soon();
}
