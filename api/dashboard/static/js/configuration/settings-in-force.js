// The configuration in force and since when, each setting, what set it, and why a newer file is not in force.
import { byId, h, setAttr, setText, showOrHide } from "../base/dom.js";
import { timeNode } from "../base/time.js";
import { plural } from "../base/words.js";

/** Notes for this page about the change that was last saved here. @type {string[]} */
let notes = [];

/** @param {any} configuration of GET /config @param {(key: string, table?: string) => boolean} goTo goes to the line of a setting in the text, or of one of several tables by its name, which may be another one than is in force; returns whether it is there */
export function showInForce({ path, text: shown, in_force: { file, version, since, text }, settings, rejected }, goTo) {
  const what = [file && file !== path && h("code", {}, file), version && `version ${version}`, since && h("span", {}, "since ", timeNode(since, "exact"))].filter(Boolean);
  const begin = file !== path && file || version ? "In force: " : "In force ";
  byId("in-force").replaceChildren(...what.flatMap((part, i) => [i ? ", " : begin, part]), what.length ? ". " : "", text);
  const isDefault = (/** @type {any} */ { origin, note }) => origin === "default" && !note;
  const defaults = settings.filter(isDefault);
  const find = (key, table, name) => showOrHide(byId("no-match"), goTo(key, table) ? "" : `The text above does not set ${name}.`);
  /** @param {string} key @param {string} origin @param {string} [table] of one of several, its name */
  const sourceOf = (key, origin, table) => {
    const name = table === undefined ? key : `${key}: ${table}`;
    return shown !== null && origin.startsWith(`${path}:`)
      ? h("button", { type: "button", id: `line-${name}`, title: `Go to ${name} in the text`, onclick: () => find(key, table, name) }, shortOrigin(origin)) : shortOrigin(origin);
  };
  const rows = (/** @type {any} */ one) => rowsOf(one, sourceOf);
  const focused = document.activeElement?.id;
  byId("settings").replaceChildren(...settings.filter((/** @type {any} */ one) => !isDefault(one)).flatMap(rows));
  byId("defaults").replaceChildren(...defaults.flatMap(rows));
  if (focused?.startsWith("line-")) byId(focused)?.focus({ preventScroll: true });
  showRejected(rejected);
  showWanted();
}

/** Let the settings be searched. During a search, those at the default are unfolded; afterwards they are as before. */
export function startSearch() {
  const field = byId("search"), fold = byId("defaults").closest("details");
  /** Whether it was open before the search. @type {boolean | null} */
  let wasOpen = null;
  field.addEventListener("input", () => {
    const isSearch = field.value.trim() !== "";
    if (isSearch) wasOpen ??= fold.open;
    fold.open = isSearch || (wasOpen ?? fold.open);
    if (!isSearch) wasOpen = null;
    showWanted();
    field.scrollIntoView({ block: "nearest" }); // with what it finds
  });
}

/** Show the settings whose key or value contains the text of the field, also those at the default. */
function showWanted() {
  const wanted = byId("search").value.trim().toLowerCase(), section = byId("search").closest("section");
  setAttr(section, "data-searched", wanted !== "");
  section.style.minHeight = wanted ? `${section.offsetHeight}px` : ""; // so that the field stays in its place
  /** @type {HTMLElement[]} */
  const rows = [...section.querySelectorAll("tbody tr")];
  for (const row of rows) row.hidden = !textOf(row).toLowerCase().includes(wanted);
  const shown = (/** @type {string} */ id) => [...byId(id).rows].filter((row) => !row.hidden).length;
  const found = shown("defaults"), all = byId("defaults").rows.length;
  byId("defaults").closest("details").hidden = wanted !== "" && !found;
  setText(byId("defaults-count"), wanted ? `${found} of ${plural(all, "setting")} at the default` : `${plural(all, "setting is", "settings are")} at the default`);
  byId("settings").closest("table").tHead.hidden = !shown("settings");
  showOrHide(byId("no-match"), wanted && rows.every((row) => row.hidden) ? "No setting contains this text." : "");
}

/** A key and its value, without what set it. @param {HTMLElement} row */
const textOf = (row) => [...row.querySelectorAll("th, code")].map((one) => one.textContent).join(" ");

/** The row of a setting; of a list of tables, as `[[schedules]]`, one for each of them. */
function rowsOf({ key, as_written: value, origin, origins, note }, sourceOf) {
  const row = (name, lines, from, table) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, ...lines.map((line) => h("code", {}, line)), note && h("small", {}, note)),
    (origin !== "default" || note) && h("td", { class: "own", title: from.includes("/") && from }, sourceOf(key, from, table)));
  if (!origins.length) return [row(key, [written(value)], origin)];
  return value.map((table, i) => row(`${key}: ${table.name ?? "?"}`,
    Object.entries(table).filter(([name, one]) => name !== "name" && !isEmpty(one)).map(([name, one]) => `${name} = ${written(one)}`), origins[i], table.name));
}

const isTable = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether a value of a table is empty, so that it need not be shown. */
const isEmpty = (value) => value === null || value === "" || (typeof value === "object" && (Array.isArray(value) ? value : Object.values(value)).every(isEmpty));

/** A value as it would stand in the file, or nearly; its line can break after a comma. @param {any} value @returns {string} */
function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (!isTable(value)) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  return entries.length ? `{ ${entries.map(([name, one]) => `${name} = ${written(one)}`).join(", ")} }` : "{}";
}

/** "/etc/orpheus/orpheus.toml:7" -> "orpheus.toml:7" @param {string} origin */
const shortOrigin = (origin) => origin.slice(origin.lastIndexOf("/") + 1);

/** @param {string | null} reason */
export function showRejected(reason) {
  showOrHide(byId("rejected"), reason && `The file was rejected. The previous configuration stays in force.\n${reason}`);
}

/**
 * Show whether the supervisor accepted a changed file: at the change if it was saved here, else in the head of the page.
 * Return whether the event says so.
 * @param {any} event the event, which says why not: an answer may be older @param {boolean} isOwn @param {boolean} isNewer the text was changed since it was saved
 */
export function showOutcome({ kind, config }, isOwn, isNewer) {
  if (kind !== "config.reloaded" && kind !== "config.rejected") return false;
  const isRejected = kind === "config.rejected";
  const found = isRejected ? "" : `${config.changed.length ? `Changed: ${config.changed.join(", ")}` : "No setting changed"}${config.restarts.length ? `; replaced: ${config.restarts.join(", ")}` : ""}.`;
  if (!isOwn) showResult("");
  else if (isRejected) showResult(`${isNewer ? "What you saved before was rejected." : "Rejected."} The previous configuration stays in force: ${config.reason}`, "bad");
  else showResult(`${isNewer ? "What you saved before is in force." : "In force."} ${[found, ...notes].join(" ")}`);
  showOrHide(byId("elsewhere"), isOwn || isRejected ? "" : `The file was changed elsewhere. ${found}`);
  return true;
}

/** Say that a change was saved here. @param {any} answer of PUT /config @param {string} said */
export function showSaved({ takes_effect: when, notes: more }, said) {
  notes = more;
  showResult([`${said} In force ${when}.`, ...notes].join(" "));
}

/** Say what became of the change that was saved here. @param {string} text @param {string} [state] "bad" */
export function showResult(text, state) {
  setText(byId("became"), text);
  if (state) byId("became").dataset.state = state;
  else delete byId("became").dataset.state;
}
