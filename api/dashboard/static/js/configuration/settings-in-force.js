// The configuration in force and since when, each setting, what set it, and why a newer file is not in force.
import { byId, h, setText, showOrHide } from "../base/dom.js";
import { timeNode } from "../base/time.js";
import { plural } from "../base/words.js";

/** @param {any} configuration of GET /config @param {(line: number) => void} goTo goes to a line of the text */
export function showInForce({ path, text: shown, in_force: { file, version, since, text }, settings, rejected }, goTo) {
  const what = [file && file !== path && h("code", {}, file), version && `version ${version}`, since && h("span", {}, "since ", timeNode(since, "exact"))].filter(Boolean);
  const begin = file !== path && file || version ? "In force: " : "In force ";
  byId("in-force").replaceChildren(...what.flatMap((part, i) => [i ? ", " : begin, part]), what.length ? ". " : "", text);
  const isDefault = (/** @type {any} */ { origin }) => origin === "default";
  const sourceOf = (/** @type {string} */ origin) => {
    const [, place, line] = /^(.*):(\d+)$/.exec(origin) ?? [], short = origin.slice(origin.lastIndexOf("/") + 1);
    return shown !== null && place === path ? h("button", { type: "button", title: "Go to this line of the text", onclick: () => goTo(Number(line)) }, short) : short;
  };
  byId("settings").replaceChildren(...settings.filter((/** @type {any} */ one) => !isDefault(one)).flatMap((/** @type {any} */ one) => rowsOf(one, sourceOf)));
  byId("defaults").replaceChildren(...settings.filter(isDefault).flatMap((/** @type {any} */ one) => rowsOf(one, sourceOf)));
  showRejected(rejected);
  showWanted();
}

/** Let the settings be searched, those at the default too. */
export function startSearch() {
  byId("search").addEventListener("input", () => {
    byId("defaults").closest("details").open = byId("search").value.trim() !== "";
    showWanted();
  });
}

/** Show the settings whose key or value contains the text of the field. */
function showWanted() {
  const wanted = byId("search").value.trim().toLowerCase(), section = byId("search").closest("section");
  /** @type {HTMLElement[]} */
  const rows = [...section.querySelectorAll("tbody tr")];
  for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  const found = [...byId("defaults").rows].filter((row) => !row.hidden).length;
  setText(byId("defaults-count"), wanted ? `${found} of ${plural(byId("defaults").rows.length, "setting")} at the default` : `${plural(found, "setting is", "settings are")} at the default`);
  showOrHide(byId("no-match"), wanted && rows.every((row) => row.hidden) ? "No setting contains this text." : "");
}

/** The row of a setting; of a list of tables, as `[[schedules]]`, one for each of them. */
function rowsOf({ key, value, origin, origins }, sourceOf) {
  const row = (name, lines, from) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, ...lines.map((line) => h("code", {}, line))),
    origin !== "default" && h("td", { class: "own", title: from.includes("/") && from }, sourceOf(from)));
  if (!origins.length) return [row(key, [written(value)], origin)];
  return value.map((table, i) => row(`${key}: ${table.name ?? "?"}`,
    Object.entries(table).filter(([name, one]) => name !== "name" && !isEmpty(one)).map(([name, one]) => `${name} = ${written(one)}`), origins[i]));
}

/** Whether a value of a table is empty, so that it need not be shown. */
const isEmpty = (value) => value === null || value === "" || (typeof value === "object" && (Array.isArray(value) ? value : Object.values(value)).every(isEmpty));

/** A value as it would stand in the file, or nearly; its line can break after a comma. @param {any} value @returns {string} */
function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, one]) => one !== null);
  return entries.length ? `{ ${entries.map(([name, one]) => `${name} = ${written(one)}`).join(", ")} }` : "{}";
}

/** @param {string | null} reason */
export function showRejected(reason) {
  showOrHide(byId("rejected"), reason && `The file was rejected. The previous configuration stays in force.\n${reason}`);
}
