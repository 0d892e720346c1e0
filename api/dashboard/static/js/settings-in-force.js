// Which configuration is in force and since when, each of its settings, and why a newer file is not.
import { byId, h, setText, showOrHide } from "./dom.js";
import { timeNode } from "./time.js";

/** @param {any} configuration of GET /config */
export function showInForce({ in_force: { file, version, since, text }, settings, rejected }) {
  byId("in-force").replaceChildren(
    file && h("code", {}, file), file && (version ? `, version ${version}` : ""), since && ", since ", since && timeNode(since, "short"), file && ". ", text);
  const isDefault = (/** @type {any} */ { origin }) => origin === "default";
  const own = settings.filter((/** @type {any} */ one) => !isDefault(one));
  byId("settings").replaceChildren(...[...own, ...settings.filter(isDefault)].map(({ key, value, origin }) => h("tr", {},
    h("th", { scope: "row" }, key), h("td", {}, h("code", {}, JSON.stringify(value))),
    h("td", { class: origin === "default" ? "summary" : "own", title: origin.startsWith("/") && origin }, shortOrigin(origin)))));
  showRejected(rejected);
}

/** "/etc/orpheus/orpheus.toml:7" -> "orpheus.toml:7" @param {string} origin */
const shortOrigin = (origin) => (origin.startsWith("/") ? origin.slice(origin.lastIndexOf("/") + 1) : origin);

/** @param {string | null} reason */
export function showRejected(reason) {
  showOrHide(byId("rejected"), reason && `The file was rejected. The previous configuration stays in force.\n${reason}`);
}

/** Say what became of the last save. @param {string} text @param {string} [state] "bad" */
export function showResult(text, state) {
  setText(byId("became"), text);
  if (state) byId("became").dataset.state = state;
  else delete byId("became").dataset.state;
}
