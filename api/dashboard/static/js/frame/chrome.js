// The parts that all pages share: theme, clock, connection status, keyboard, title and favicon.
import { base } from "../base/base.js";
import { byId, icon, setAttr, setText } from "../base/dom.js";
import { request } from "../base/http.js";
import { startClock } from "../base/time.js";
import { isSessionOver, resumeSession } from "../base/unsaved.js";
import { ticking } from "../base/words.js";

const PAGES = { q: "queues", s: "schedules", t: "types", e: "errors", h: "history", a: "audit", j: "jobs", n: "submit", c: "configuration" };
const THEMES = ["system", "light", "dark"];
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
let title = document.title;
let problemCount = 0;
let failing = false;
let lostSince = 0;
/** Whether the server said that it stops, before it was lost. */
let isStopped = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let bannerTimer;
let nextTry = 0;

/** Start the shared parts. `keys`: key -> action, in addition to the keys of every page. @param {Record<string, () => void>} [keys] */
export function startChrome(keys = {}) {
  startClock();
  startTheme();
  startKeyboard(keys);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("log-out")?.addEventListener("click", logOut);
}

/** End the session and reload, which shows the login page. */
async function logOut() {
  await request("/session", { method: "DELETE" }).catch(() => {});
  location.reload();
}

function startTheme() {
  const button = byId("theme");
  let theme = localStorage.getItem("orpheus.theme") ?? "system";
  const show = () => {
    setText(button, theme);
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    localStorage.setItem("orpheus.theme", theme);
    show();
  });
  show();
}

function startKeyboard(keys) {
  const go = {
    w: () => jump("workers"),
    ...Object.fromEntries(Object.entries(PAGES).map(([key, name]) => [key, () => location.assign(`${base}/ui/${name}`)])),
  };
  let afterG = -Infinity; // when G was pressed, even if the page learns of it late
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (event.key === "Escape" && target.matches("input, select, textarea")) leave(target, event);
    if (target.matches("input:not([type=checkbox], [type=radio]), select, textarea")) return; // the key is meant for the field
    const second = event.timeStamp - afterG < 1500;
    afterG = event.key === "g" ? event.timeStamp : -Infinity;
    const action = second ? go[event.key] : { "?": () => byId("help").showModal(), "/": search, ...keys }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** Leave a field. A search then ends; a filter, which is in a form, keeps its text. @param {any} field @param {Event} event */
function leave(field, event) {
  if (field.type === "search") {
    event.preventDefault(); // the browser would empty the field without an event, as it has lost the focus
    if (!field.form && field.value) {
      field.value = "";
      field.dispatchEvent(new Event("input"));
    }
  }
  field.blur();
}

function jump(id) {
  const target = byId(id);
  if (!target) return location.assign(`${base}/#${id}`);
  if (target.matches("details")) target.open = true;
  target.scrollIntoView({ block: "start" });
  (target.querySelector("summary") ?? target).focus({ preventScroll: true });
}

function search() {
  const fields = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll("input[type=search]")]);
  const field = fields.find((one) => one.checkVisibility()); // the field of an empty log is hidden
  if (field) field.select();
  else location.assign(`${base}/ui/jobs#search`);
}

/** Show the state of the stream, or of the calls that a page makes again and again. @param {"connecting" | "live" | "waiting"} state @param {number} nextTryMs */
export function showConnection(state, nextTryMs) {
  const shown = byId("connection");
  if (state === "live") { if (lostSince) dispatchEvent(new Event("reconnected")); lostSince = 0; isStopped = false; resumeSession(); }
  else if (!lostSince && state === "waiting") lostSince = Date.now();
  const word = lostSince ? "lost" : state;
  nextTry = nextTryMs;
  setAttr(shown, "data-state", word);
  setText(shown.lastElementChild, word === "lost" ? "offline" : word);
  shown.firstElementChild.replaceWith(icon(word === "live" ? "ready" : word === "lost" ? "failed" : "link"));
  clearTimeout(bannerTimer);
  bannerTimer = setTimeout(showBanner, 700); // a reconnect within 0.7 s is not shown
  showTab();
}

/** Learn that the server stops because it was told to. */
export const learnStop = () => { isStopped = true; };

/** Show that nothing answers. Return after how many ms to try again: later, the more often that has failed. @param {number} failures before */
export function showLost(failures) {
  const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** failures) * (0.5 + Math.random() / 2);
  showConnection("waiting", Date.now() + wait);
  return wait;
}

/** Call `retry` when "Try now" is pressed. @param {() => void} retry */
export const onTryNow = (retry) => byId("banner-now").addEventListener("click", retry);

function showBanner() {
  clearTimeout(bannerTimer);
  const banner = byId("banner");
  const shown = lostSince !== 0 && Date.now() - lostSince > 600, isOver = isSessionOver();
  setAttr(banner, "hidden", !shown);
  const { classList } = document.documentElement;
  if (classList.contains("lost") !== shown) {
    classList.toggle("lost", shown);
    if (shown) dispatchEvent(new CustomEvent("lost", { detail: isStopped }));
  }
  say(shown, isOver ? "The session has ended. Log in again in another tab." : "Disconnected. The page shows the last known state.");
  if (!shown) return;
  bannerTimer = setTimeout(showBanner, 1000);
  byId("banner-login").hidden = !isOver;
  setText(byId("banner-what"), isOver ? "The session has ended." : isStopped ? `Orpheus was stopped ${ticking((Date.now() - lostSince) / 1000)} ago.` : `Disconnected for ${ticking((Date.now() - lostSince) / 1000)}.`);
  const wait = (nextTry - Date.now()) / 1000;
  setText(byId("banner-next"), isOver ? "Your input here is kept: log in again in another tab." : wait > 0 ? `The page shows the last known state. Trying again in ${Math.ceil(wait)} s.` : "Trying again …");
}

/** Tell a screen reader of each change once, and not of each second that passes. @param {boolean} lost @param {string} text */
function say(lost, text) {
  const said = byId("connection-said");
  if (lost) setText(said, text);
  else if (said.textContent) setText(said, "Connected again.");
}

/** Show the number of problems in the title and the favicon. @param {number} problems */
export function showProblemCount(problems) {
  problemCount = problems;
  showTab();
}

/** Set the title of this page. `bad`: show the failing favicon. @param {string} text @param {boolean} bad */
export function retitle(text, bad) {
  title = text;
  failing = bad;
  showTab();
}

function showTab() {
  const kind = lostSince ? "lost" : problemCount || failing ? "failing" : "ok";
  document.title = (kind === "lost" ? "✕ " : problemCount ? `(${problemCount}) ` : "") + title;
  const href = `${document.documentElement.dataset.static}/favicon-${kind}.svg`;
  const link = document.querySelector("link[rel=icon]");
  if (link) setAttr(link, "href", href);
}
