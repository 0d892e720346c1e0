// The page for an address where nothing is.
import { byId } from "../base/dom.js";
import { startChrome } from "./chrome.js";

byId("connection").hidden = true;
startChrome();
