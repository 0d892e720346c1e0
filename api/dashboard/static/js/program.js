// The page of one program: what it prints, the newest part first read, then as it comes.
import { byId, h, setText, showOrHide } from "./dom.js";
import { onTryNow, showConnection, startChrome } from "./chrome.js";
import { request } from "./http.js";
import { ProgramState } from "./program-state.js";
import { timeNode } from "./time.js";
import { plural } from "./words.js";

const MOST_LINES = 3000;
const EVERY_MS = 1000;
const slot = byId("program").dataset.slot;
const host = new URLSearchParams(location.search).get("host");
const node = byId("log"), follow = byId("log-follow"), stream = byId("log-stream");
const state = new ProgramState(slot, host);
let last = null, lines = 0, timer;

startChrome();
onTryNow(() => { clearTimeout(timer); read(); });
stream.addEventListener("change", () => { node.dataset.only = stream.value; scrollToEnd(); });
follow.addEventListener("change", scrollToEnd);
for (const kind of ["wheel", "touchmove"]) node.addEventListener(kind, updateFollow, { passive: true });
node.addEventListener("keydown", updateFollow);
read();

/** Read what follows the last line shown, and look again a moment later. */
async function read() {
  try {
    const query = new URLSearchParams({ ...last === null ? {} : { after: last }, ...host ? { host } : {} });
    const { items } = await request(`/programs/${encodeURIComponent(slot)}/logs?${query}`);
    showConnection("live");
    showOrHide(byId("missing"), "");
    append(items);
    await state.read();
  } catch (error) {
    if (error.status) { showConnection("live"); showOrHide(byId("missing"), error.message); }
    else showConnection("waiting", Date.now() + EVERY_MS);
  }
  timer = setTimeout(read, EVERY_MS);
}

/** @param {{id: number, at: string, stream: string, line: string}[]} items */
function append(items) {
  if (!items.length) { if (last === null) setText(byId("log-summary"), "no lines"); return; }
  node.append(...items.map(({ at, stream, line }) => h("div", { class: "line", "data-stream": stream, "data-level": stream === "stderr" ? 2 : stream === "orpheus" ? 0 : 1 },
    timeNode(at, "clock"), h("span", { class: "level" }, stream), h("span", { class: "text" }, line))));
  last = items[items.length - 1].id;
  lines += items.length;
  while (node.childElementCount > MOST_LINES) node.firstElementChild.remove();
  setText(byId("log-summary"), plural(Math.min(lines, MOST_LINES), "newest line"));
  scrollToEnd();
}

function scrollToEnd() { if (follow.checked) node.scrollTop = node.scrollHeight; }

/** Stop following when the reader scrolls up, and follow again at the end. */
function updateFollow() {
  requestAnimationFrame(() => { follow.checked = node.scrollTop + node.clientHeight >= node.scrollHeight - 4; });
}
