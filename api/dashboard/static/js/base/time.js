// Times by the server's clock: relative, absolute on hover, in local time or UTC.
import { byId, h, selectedIn, setAttr, setText } from "./dom.js";
import { html, nothing } from "./lit.js";
import { ticking, ago as words } from "./words.js";

let offsetMs = 0;
let utc = localStorage.getItem("orpheus.zone") === "utc";
/** @type {Set<() => void>} */
const tickers = new Set();

/** The server's time in ms, so that durations are right even if this computer's clock is wrong. */
export const now = () => Date.now() + offsetMs;

/** Learn the server's clock from a message just received. @param {string} at @param {number} [toleranceMs] how far off it may be */
export function learnClock(at, toleranceMs = 1500) {
  const seen = Date.parse(at) - Date.now();
  // Small differences come from the network. Following them would make all ages jump.
  if (Number.isFinite(seen) && Math.abs(seen - offsetMs) > toleranceMs) offsetMs = seen;
}

/** Seconds from `from` to `to` (or to now), never negative. @param {string} from @param {string | null} [to] */
export const between = (from, to) => Math.max(0, ((to ? Date.parse(to) : now()) - Date.parse(from)) / 1000);

/**
 * Since when a job that may run waits for a worker: since it was due and free to run.
 * @param {{run_at: string, freed_at?: string | null}} job
 */
export const waitsSince = ({ run_at: due, freed_at: freed }) => (freed && Date.parse(freed) > Date.parse(due) ? freed : due);

const ageS = (/** @type {string} */ at) => (now() - Date.parse(at)) / 1000;

/** Seconds until a time, never negative; 0 for none. @param {string | null | undefined} at */
export const secondsTo = (at) => (at ? Math.max(0, -ageS(at)) : 0);

/**
 * How long ago something happened: "8 s ago", "15 s ago", "3 min ago". It is rounded, as a page full of times that
 * change each second is costly. The known time of the server may be some seconds behind, so nothing is "in 3 s".
 * @param {string} at
 */
export const ago = (at) => words(ageS(at));

/** The same for a time that may be still to come: "in 3 s". @param {string} at */
export const relative = (at) => (ageS(at) < -1 ? `in ${ticking(-ageS(at))}` : ago(at));

const ZONE = new Intl.DateTimeFormat("en", { timeZoneName: "short" }); // making one takes longer than using it

/** Date and time in the chosen zone. @param {string} at */
function absolute(at) {
  const time = new Date(at);
  if (utc) return time.toISOString().replace("T", " ").replace("Z", " UTC");
  const shifted = new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString();
  const zone = ZONE.formatToParts(time).find((p) => p.type === "timeZoneName");
  return `${shifted.replace("T", " ").replace("Z", "")} ${zone?.value ?? ""}`;
}

/** The time of day. @param {string} at */
const clock = (at) => absolute(at).slice(11, 23);

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** @type {Map<string, Intl.DateTimeFormat | null>} */
const ZONES = new Map();

/** How to write times of this zone: "2026-11-28 03:00:00"; null if the browser does not know it. @param {string} zone */
function formatOf(zone) {
  if (!ZONES.has(zone)) {
    let format = null;
    try { format = new Intl.DateTimeFormat("sv", { timeZone: zone, dateStyle: "short", timeStyle: "medium" }); } catch { /* null */ }
    ZONES.set(zone, format);
  }
  return ZONES.get(zone) ?? null;
}

/** Return whether times can be shown in this zone. @param {string} zone */
export const isZone = (zone) => formatOf(zone) !== null;

/** The time of day, with the day if that is another one: "03:00:00", "28 Nov 03:00:00". @param {string} at @param {string} [zone] in place of the chosen one */
function exact(at, zone) {
  const format = zone ? formatOf(zone) : null;
  const write = (/** @type {string} */ one) => format?.format(new Date(one)) ?? absolute(one);
  const text = write(at), today = write(new Date(now()).toISOString());
  const time = text.slice(11, 19);
  return text.slice(0, 10) === today.slice(0, 10) ? time : `${+text.slice(8, 10)} ${MONTHS[+text.slice(5, 7) - 1]} ${time}`;
}

/** The same without the seconds if they are 0, as in most schedules. @param {string} at @param {string} [zone] */
const short = (at, zone) => exact(at, zone).replace(/:00$/, "");

/** The same to the minute, without the day: of what is at most some hours old. @param {string} at */
export const minute = (at) => absolute(at).slice(11, 16);

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DAYS_AGO = { today: 0, yesterday: 1 };

/** A time that somebody wrote, in ms: "15m" ago, "14:02" (the last one), "yesterday", "2026-12-01", in the chosen zone; NaN: it is none. @param {string} text */
export function momentOf(text) {
  const [, length, unit] = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|)$/.exec(text) ?? [];
  if (length) return now() - Number(length) * UNITS_MS[unit || "s"];
  const day = (/** @type {number} */ n) => absolute(new Date(now() - n * UNITS_MS.d).toISOString()).slice(0, 10);
  const at = (/** @type {string} */ date, time = "00:00") => Date.parse(`${date}T${time}${utc ? "Z" : ""}`);
  if (Object.hasOwn(DAYS_AGO, text)) return at(day(DAYS_AGO[text]));
  if (/^\d\d:\d\d(:\d\d)?$/.test(text)) return at(day(0), text) > now() ? at(day(1), text) : at(day(0), text);
  const [, date, time] = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$/.exec(text) ?? [];
  return date ? at(date, time) : /^\d{4}-/.test(text) ? Date.parse(text) : NaN;
}

const FORMS = { clock, minute, short, exact, relative, ago, aged: ago };

/** Create a `<time>`. `form`: "ago" is for the past, "relative" for any time; both are updated every second. "aged" is like "ago", but its owner updates it. @param {string} at @param {"ago" | "relative" | "aged" | "clock" | "short" | "exact"} [form] */
export function timeNode(at, form = "ago") {
  const node = h("time", { "data-form": form, "aria-live": "off" }); // a screen reader need not tell what only time changes
  setTime(node, at);
  return node;
}

/** Change the time of a `<time>`. @param {HTMLElement} node @param {string} at */
function setTime(node, at) {
  setAttr(node, "datetime", at);
  refresh(node);
}

/** A `<time>` in a template; `form` as in `timeNode`. `zone`: in place of the chosen one. @param {string} at @param {keyof typeof FORMS} [form] @param {string} [zone] */
export const timeOf = (at, form = "ago", zone = undefined) => html`<time data-form=${form} data-zone=${zone ?? nothing} datetime=${at} title=${absolute(at)} aria-live="off" .textContent=${FORMS[form](at, zone)}></time>`;

function refresh(node) {
  refreshText(node);
  setAttr(node, "title", absolute(node.dateTime));
}

function refreshText(node) {
  if (!selectedIn(node)) setText(node, FORMS[node.dataset.form](node.dateTime, node.dataset.zone));
}

/** Call `turn` every second while the page is visible. @param {() => void} turn */
export function everySecond(turn) { tickers.add(turn); }

let turn = () => {};
/** @type {ReturnType<typeof setInterval> | undefined} */
let turning;

/** Let a second pass now. Called with a heartbeat, so that the page is drawn once for both. */
export function tick() {
  clearInterval(turning);
  turning = setInterval(turn, 1100);
  turn();
}

/** Start the page's clock and the switch between local time and UTC. */
export function startClock() {
  const button = byId("zone");
  const show = () => { setText(button, utc ? "UTC" : "local"); document.querySelectorAll("time[datetime]").forEach(refresh); };
  button.addEventListener("click", () => {
    utc = !utc;
    localStorage.setItem("orpheus.zone", utc ? "utc" : "local");
    show();
  });
  show();
  turn = () => {
    if (document.hidden) return;
    document.querySelectorAll("time[datetime]:is([data-form=ago], [data-form=relative])").forEach(refreshText);
    tickers.forEach((ticker) => ticker());
  };
  document.addEventListener("visibilitychange", turn);
  tick();
}
