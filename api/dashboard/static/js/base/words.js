// Figures and states as text.

const NUMBER = new Intl.NumberFormat("en");
/** The statuses, in the order in which they are shown. */
export const LIVE = ["pending", "blocked", "in_progress"];
const ENDED = ["done", "failed", "cancelled"];
export const STATUSES = [...LIVE, ...ENDED];
export const TERMINAL = new Set(ENDED);
/** Statuses of jobs that may still have the start of an earlier attempt. */
export const WAITING = new Set(["blocked", "pending"]);

/** 10268 -> "10,268" @param {number} n */
export const count = (n) => NUMBER.format(n);

/** A rate: one decimal below 10, none above. @param {number} n */
export const rate = (n) => (n === 0 ? "0" : n < 0.1 ? "<0.1" : n < 10 ? String(+n.toFixed(1)) : count(Math.round(n)));

/** @param {number} n @param {string} one @param {string} [many] */
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** "a", "a and b", or "a, b and 4 more" @param {string[]} names @param {number} most so many are named */
export function listed(names, most) {
  const parts = names.length > most ? [...names.slice(0, most), `${count(names.length - most)} more`] : names;
  return [parts.slice(0, -1).join(", "), ...parts.slice(-1)].filter(Boolean).join(" and ");
}

/** "in_progress" -> "in progress" @param {string} state */
export const spaced = (state) => state.replaceAll("_", " ");

const COLOUR = new RegExp(`${String.fromCharCode(27)}\\[[0-9;:]*m`, "g");

/** Text without the sequences that colour it on a terminal. @param {string} text */
export const withoutColours = (text) => text.replace(COLOUR, "");

/** A share in percent. Never rounds up to 100 % or down to 0 %. @param {number} part */
export function percent(part) {
  if (part > 0 && part < 0.001) return "<0.1 %";
  if (part < 1 && part > 0.999) return ">99.9 %";
  return part === 0 || part === 1 ? `${part * 100} %` : `${(part * 100).toFixed(1)} %`;
}

/** @param {number} n */
export function bytes(n) {
  if (n < 1024) return `${n} B`;
  const power = Math.min(4, Math.floor(Math.log2(n) / 10));
  const value = n / 1024 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}`;
}

/** Whether a job ended because of one that it depended on. A job that somebody cancelled may still have that error from an earlier end. @param {any} job */
export const endedWithAnother = (job) => job.error?.type === "DependencyFailed" && !(job.status === "cancelled" && job.cancel_requested);

/** A duration in at most three digits, never negative. @param {number} seconds */
export function duration(seconds) {
  const s = Math.max(0, seconds);
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 59.95) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  return coarse(s);
}

/** The same for one that somebody has chosen: "15 min", not "15 min 00 s". @param {number} seconds */
export const tidy = (seconds) => duration(seconds).replace(/\.0 s$/, " s").replace(/ 0?0 \S+$/, "");

/** A duration in whole seconds, for values that are updated every second. @param {number} seconds */
export const ticking = (seconds) => (seconds < 60 ? `${Math.floor(Math.max(0, seconds))} s` : coarse(seconds));

/** The same, coarser with age: in steps of five seconds after ten, of minutes after one. @param {number} seconds */
export const aged = (seconds) => (seconds < 10 || seconds >= 60 ? rounded(seconds) : `${Math.floor(seconds / 5) * 5} s`);

/** The same, but without seconds from a minute on. @param {number} seconds */
export const rounded = (seconds) => (seconds < 60 || seconds >= 3600 ? ticking(seconds) : `${Math.floor(seconds / 60)} min`);

const AHEAD_S = 5; // the clocks of two hosts, or of this page and its server, may differ so much

/** How long ago something was: "just now", "15 s ago", "in 2 h 05 min" by a clock that was set back. The rule of `words.py`. @param {number} seconds */
export const ago = (seconds) =>
  seconds < -AHEAD_S ? `in ${aged(-seconds)}` : seconds < 1 ? "just now" : `${aged(seconds)} ago`;

/** The same for a large figure, where there is less room: "9 min 59 s", but "14 min", "23 h". @param {number} seconds */
export const brief = (seconds) => duration(seconds).replace(/^(\d\d+ (?:min|h|d)) .*/, "$1");

function coarse(s) {
  const two = (n) => String(Math.floor(n)).padStart(2, "0");
  if (s < 3600) return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two((s / 60) % 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s / 3600) % 24)} h`;
}
