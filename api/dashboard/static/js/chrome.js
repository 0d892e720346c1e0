// What every page has around its content: theme, clock, connection, keyboard, title and favicon.
import { byId, icon, say, set } from "./dom.js";
import { ask } from "./http.js";
import { startClock } from "./time.js";
import { ticking } from "./words.js";

const THEMES = ["system", "light", "dark"];
let title = document.title;
let trouble = 0;
let failing = false;
let lostSince = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let bannerTimer;
let nextTry = 0;

/** Starts it. `keys`: what single keys do here, beside the common ones. @param {Record<string, () => void>} [keys] */
export function startChrome(keys = {}) {
  startClock();
  startTheme();
  startKeyboard(keys);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("log-out")?.addEventListener("click", logOut);
  setInterval(showBanner, 1000);
}

/** In place of this page comes the login page: from the server, as nothing is left here to show. */
async function logOut() {
  await ask("/session", { method: "DELETE" }).catch(() => {});
  location.reload();
}

function startTheme() {
  const button = byId("theme");
  let theme = localStorage.getItem("orpheus.theme") ?? "system";
  const show = () => {
    say(button, theme);
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
    j: () => jump("jobs"),
    w: () => jump("workers"),
    s: () => location.assign("/ui/submit"),
    c: () => location.assign("/ui/configuration"),
  };
  let afterG = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (/** @type {Element} */ (event.target).closest("input, select, textarea")) {
      if (event.key === "Escape") /** @type {HTMLElement} */ (event.target).blur();
      return;
    }
    const second = Date.now() - afterG < 1000;
    afterG = event.key === "g" ? Date.now() : 0;
    const action = second ? go[event.key] : { "?": () => byId("help").showModal(), "/": search, ...keys }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

function jump(id) {
  const target = byId(id);
  if (!target) return location.assign(`/#${id}`);
  if (target.matches("details")) target.open = true;
  target.scrollIntoView({ block: "start" });
  (target.querySelector("summary") ?? target).focus({ preventScroll: true });
}

function search() {
  const field = document.querySelector("input[type=search]");
  if (field) /** @type {HTMLInputElement} */ (field).select();
  else location.assign("/?#search");
}

/** Shows how the stream is; a listener of Live. @param {"connecting" | "live" | "waiting"} state @param {number} nextTryMs */
export function showConnection(state, nextTryMs) {
  const shown = byId("connection");
  if (state === "live") lostSince = 0;
  else if (!lostSince && state === "waiting") lostSince = Date.now();
  const word = lostSince ? "lost" : state;
  nextTry = nextTryMs;
  set(shown, "data-state", word);
  say(shown.lastElementChild, word);
  shown.firstElementChild.replaceWith(icon(word === "live" ? "ready" : word === "lost" ? "failed" : "link"));
  clearTimeout(bannerTimer);
  bannerTimer = setTimeout(showBanner, 700); // a reconnect that takes no time is no news
  showTab();
}

/** The button that tries at once. @param {() => void} hurry */
export const onTryNow = (hurry) => byId("banner-now").addEventListener("click", hurry);

function showBanner() {
  const banner = byId("banner");
  const shown = lostSince !== 0 && Date.now() - lostSince > 600;
  banner.hidden = !shown;
  document.documentElement.classList.toggle("lost", shown);
  if (!shown) return;
  say(byId("banner-what"), `Disconnected for ${ticking((Date.now() - lostSince) / 1000)}.`);
  const wait = (nextTry - Date.now()) / 1000;
  say(byId("banner-next"), wait > 0 ? `What you see is from then. Trying again in ${Math.ceil(wait)} s.` : "Trying again …");
}

/** How many things need a person: shown in title and favicon. @param {number} things */
export function showTrouble(things) {
  trouble = things;
  showTab();
}

/** The title of this page, where it tells more than its name; `bad`: the favicon says so. @param {string} text @param {boolean} bad */
export function retitle(text, bad) {
  title = text;
  failing = bad;
  showTab();
}

function showTab() {
  const kind = lostSince ? "lost" : trouble || failing ? "failing" : "ok";
  document.title = (kind === "lost" ? "✕ " : trouble ? `(${trouble}) ` : "") + title;
  const href = `${document.documentElement.dataset.static}/favicon-${kind}.svg`;
  const link = document.querySelector("link[rel=icon]");
  if (link) set(link, "href", href);
}
