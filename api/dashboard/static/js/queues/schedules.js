// The page of all schedules.
import { byId, setText } from "../base/dom.js";
import { startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { Rows } from "../lists/rows.js";
import { ScheduleRow } from "./schedule-row.js";
import { count, plural } from "../base/words.js";

startChrome();
const rows = new Rows(byId("rows"), ({ name }) => name, (schedule) => new ScheduleRow(schedule, () => refresh.now()),
  ({ name, type, in_words: words }) => `${name} ${type} ${words}`);
const refresh = followStream(async (signal) => {
  const { items } = await request("/schedules", { signal });
  rows.show(items);
  setText(byId("summary"), summary(items));
}, (kind) => kind === "schedule.fired");

function summary(schedules) {
  if (!schedules.length) return "\u00a0";
  const number = (test) => schedules.filter(test).length;
  const paused = number((one) => one.paused), missed = number((one) => one.missed);
  const failed = number(({ last_result: last }) => last?.status === "failed");
  return [plural(schedules.length, "schedule"), paused && `${count(paused)} paused`, missed && `${count(missed)} late`,
    failed && `the last run of ${count(failed)} failed`].filter(Boolean).join(" · ");
}
