// A page that shows no data: theme, clock and keyboard only.
import { byId } from "./dom.js";
import { startChrome } from "./chrome.js";

byId("connection").hidden = true;
startChrome();
