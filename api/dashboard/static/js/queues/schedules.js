// The page of all schedules.
import { byId, setText } from "../base/dom.js";
import { startChrome } from "../frame/chrome.js";
import { request } from "../base/http.js";
import { followStream } from "../frame/refresh.js";
import { Rows } from "../lists/rows.js";
import { scheduleCells } from "./schedule-row.js";
import { count, plural } from "../base/words.js";

startChrome();
const rows = new Rows(byId("rows"), {
  key: ({ name }) => name,
  cells: (schedule) => scheduleCells(schedule, () => refresh.now()),
  attributes: ({ name, paused }) => ({ id: `schedule-${name}`, "data-paused": paused }),
  text: ({ name, type, in_words: words }) => `${name} ${type} ${words}`,
});
const refresh = followStream(async (signal) => {
  const { items } = await request("/schedules", { signal });
  rows.show(items);
  setText(byId("summary"), summary(items));
}, (kind) => kind === "schedule.fired");

/** @param {any[]} schedules */
function summary(schedules) {
  if (!schedules.length) return "\u00a0";
  const number = (/** @type {(schedule: any) => any} */ test) => schedules.filter(test).length;
  const paused = number((schedule) => schedule.paused), missed = number((schedule) => schedule.missed);
  const failed = number(({ last_result: last }) => last?.status === "failed");
  return [plural(schedules.length, "schedule"), paused && `${count(paused)} paused`, missed && `${count(missed)} missed`,
    failed && `${count(failed)} failed last time`].filter(Boolean).join(" · ");
}
