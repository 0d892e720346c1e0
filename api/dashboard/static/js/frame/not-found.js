// The page for an address where nothing is. It names the page with a similar address, and has a field to find a job.
import { byId, showOrHide } from "../base/dom.js";
import { startChrome } from "./chrome.js";
import { JOBS } from "../lists/filter.js";
import { startFind } from "./find.js";

/** The pages by their names. @type {Record<string, string>} */
const PAGES = { overview: "/", workers: "/#workers", programs: "/#workers" };
for (const link of document.querySelectorAll(".sections a:not([href='/'])")) PAGES[link.textContent.toLowerCase()] = link.getAttribute("href");

/** The paths of the API that begin like the name of a page. */
const OF_THE_API = /^\/(audit|config|errors|jobs|programs\/[^/]+\/logs|queues|schedules|types|workers)(\/|$)/;

/** The page of an address that is nearly one, as "/ui/job/7", "/ui/config" or "/Queues". A path of the API has none. @param {string} path */
function nearlyPage(path) {
  const [, word = "", rest] = /^\/(?:ui\/)?([a-z]{3,})[^/]*\/?(.*?)\/?$/.exec(path.toLowerCase()) ?? [];
  const name = word && Object.keys(PAGES).find((one) => one.startsWith(word) || word.startsWith(one));
  if (!name || OF_THE_API.test(path)) return null;
  return name === "jobs" && /^\d+$/.test(rest) ? `${JOBS}/${rest}` : PAGES[name];
}

const page = nearlyPage(location.pathname);
showOrHide(byId("meant-page"), page);
if (page) byId("meant-page").href = page;
byId("meant").hidden = !page;
byId("connection").hidden = true;
startChrome();
startFind();
