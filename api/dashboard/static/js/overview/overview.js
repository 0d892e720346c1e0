// The overview: health and figures, workers, and jobs, all from one stream.
import { byId } from "../base/dom.js";
import { Alerts } from "./alerts.js";
import { startChrome } from "../frame/chrome.js";
import { JOBS } from "../lists/filter.js";
import { showFirstCommands } from "../jobs/first-commands.js";
import { Figures } from "./figures.js";
import { JobsTable } from "../jobs/jobs-table.js";
import { Live } from "../frame/live.js";
import { Slots } from "../slots/slots.js";

const table = new JobsTable({ path: JOBS, size: 10, isShort: true, shown: showFirstCommands });

startChrome({ p: () => byId("pause").click(), n: () => byId("new").click() });
const slots = new Slots(), figures = new Figures(), alerts = new Alerts();
new Live("/ws", {
  hello: () => { table.load(); figures.refresh.now(); alerts.refresh.now(); slots.begin(); },
  events: (events) => { table.take(events); if (events.some(isOfSystem)) readAnew(events); },
  status: (message) => { slots.show(message.workers); figures.showStatus(message); },
});

/** Whether an event is about queues, workers or the configuration. @param {{kind: string}} event */
function isOfSystem({ kind }) { return !kind.startsWith("job.") && kind !== "schedule.fired"; }

/** Read anew what depends on them: the verdict, alerts and pools. @param {{kind: string}[]} events */
function readAnew(events) {
  if (events.some(({ kind }) => kind === "config.reloaded")) slots.begin();
  figures.refresh.soon();
  alerts.refresh.soon();
}
