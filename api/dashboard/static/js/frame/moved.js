// The new address of the page, after a change of the configuration has let the API listen elsewhere.
import { request } from "../base/http.js";

const TOLD = "orpheus.moved";
const ANY_HOST = ["", "0.0.0.0", "::"];
let address = "";

/** The new address of this page; empty: it has not moved. */
export const movedTo = () => address;

/** Note that the API answers here, even if it has moved before. */
export function forgetMove() { address = ""; }

/** Find out where the page will be, while the API still answers here. @param {any} event */
export async function noteMove({ kind, config }) {
  if (kind !== "config.reloaded" || !["api.port", "api.host"].some((key) => config.changed.includes(key))) return;
  const port = location.port || (location.protocol === "https:" ? "443" : "80");
  if (port !== document.documentElement.dataset.port) return; // a proxy in between stays where it is
  let settings;
  try { ({ settings } = await request("/config")); } catch { return; } // it is gone already
  const valueOf = (/** @type {string} */ key) => settings.find((/** @type {any} */ one) => one.key === key)?.value;
  const host = valueOf("api.host");
  const url = new URL(location.href);
  if (!valueOf("api.enabled") || !valueOf("api.port")) return;
  url.port = valueOf("api.port");
  if (config.changed.includes("api.host") && !ANY_HOST.includes(host)) url.hostname = host.includes(":") ? `[${host}]` : host;
  address = url.href;
  localStorage.setItem(TOLD, url.origin); // for the pages in other tabs that hear of no event
  localStorage.removeItem(TOLD);
}

addEventListener("storage", ({ key, newValue }) => {
  if (key === TOLD && newValue) address = newValue + location.pathname + location.search + location.hash;
});
