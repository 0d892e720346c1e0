// The overview: health and figures, workers, and jobs, all from one stream.
import { byId } from "../base/dom.js";
import { Alerts } from "./alerts.js";
import { startChrome } from "../frame/chrome.js";
import { JOBS } from "../lists/filter.js";
import { showFirstCommands } from "../jobs/first-commands.js";
import { Figures } from "./figures.js";
import { Heartbeats } from "../slots/heartbeats.js";
import { JobsTable } from "../jobs/jobs-table.js";
import { Live } from "../frame/live.js";
import { keepScrollPosition } from "../frame/scroll-position.js";
import { Slots } from "../slots/slots.js";

const ALERTS_MS = 14500; // asked with heartbeats
const isOfSystem = ({ kind }) => !kind.startsWith("job.") && kind !== "schedule.fired";

let hasStatus, hasJobs;
const firstStatus = new Promise((resolve) => { hasStatus = resolve; });
const firstJobs = new Promise((resolve) => { hasJobs = resolve; });
const table = new JobsTable({ path: JOBS, page: 10, isShort: true, loaded: () => { hasJobs(); showFirstCommands(); } });

startChrome({ p: () => byId("pause").click(), n: () => byId("new").click() });
const slots = new Slots();
const heartbeats = new Heartbeats(
  ({ counts, workers }) => { slots.keep(workers); return figures.keep(counts); },
  (message, isAtRest) => {
    slots.show(message.workers);
    figures.showStatus(message, isAtRest);
    alerts.reading.ifOlder(ALERTS_MS);
  },
);
const figures = new Figures();
const alerts = new Alerts();
new Live("/ws?mode=summary", {
  connected: () => table.load(),
  events: (events) => { table.take(events); if (events.some(isOfSystem)) readAnew(events); },
  summary: (summary) => table.catchUp.take(summary),
  status: (message) => { heartbeats.take(message); hasStatus(); showFirstCommands(); },
  live: () => { table.reader.retryNow(); slots.begin(); },
});
table.load();
keepScrollPosition(Promise.all([firstJobs, figures.first, alerts.first, firstStatus, slots.pools.known]));

/** If queues, workers or the configuration have changed, read anew what depends on them: the verdict, alerts and pools. */
function readAnew(events) {
  if (events.some(({ kind }) => kind === "config.reloaded")) slots.begin();
  for (const { reading } of [figures, alerts]) reading.outdate();
  heartbeats.stir();
}
