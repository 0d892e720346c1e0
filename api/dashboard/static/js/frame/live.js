// The stream of events: one WebSocket that reconnects by itself.
//
// After each hello the page reads anew what it shows, so it need not resume where it was. A connection without a
// message for several heartbeats counts as closed.
import { base } from "../base/base.js";
import { learnStop, onTryNow, showConnection, showLost } from "./chrome.js";
import { byId } from "../base/dom.js";
import { SILENCE_MS, request } from "../base/http.js";
import { learnWorkers } from "../base/slot-state.js";
import { learnClock, tick } from "../base/time.js";

/** The code with which a server that stops closes its sockets. */
const STOPPED = 1012;

/**
 * @typedef {object} Listeners
 * @property {(hello: any) => void} [hello] connected, for the first time or again: what is shown may be old
 * @property {(events: any[]) => void} [events]
 * @property {(message: any) => void} [status] counts and workers, in hello and each heartbeat
 * @property {(lines: any[]) => void} [log]
 * @property {() => Record<string, any>} [query] more for the query of the address, asked at each connection
 * @property {(text: string) => any} [parse]
 */

export class Live {
  /** @param {string} path @param {Listeners} [on] */
  constructor(path, on = {}) {
    this.path = path;
    this.on = on;
    this.failures = 0;
    onTryNow(() => this.retryNow());
    addEventListener("online", () => this.retryNow());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    this.connect();
  }

  /** Close the stream. */
  stop() {
    const socket = this.socket;
    this.socket = null;
    clearTimeout(this.silence);
    socket?.close();
  }

  /** Reconnect now instead of after the wait. */
  retryNow() { if (this.timer) this.connect(); }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    showConnection("connecting", 0);
    const url = new URL(base + this.path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    for (const [name, value] of Object.entries(this.on.query?.() ?? {})) url.searchParams.set(name, value);
    const socket = new WebSocket(url);
    this.watch(socket);
    socket.onmessage = ({ data }) => { if (socket === this.socket) { this.watch(socket); this.take((this.on.parse ?? JSON.parse)(data)); } };
    socket.onclose = ({ code }) => { if (socket === this.socket && code === STOPPED) learnStop(); this.lost(socket); };
    this.socket = socket;
  }

  /** Restart the timer that closes a silent connection. */
  watch(socket) {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => { socket.close(); this.lost(socket); }, SILENCE_MS);
  }

  lost(socket) {
    if (socket !== this.socket) return;
    this.socket = null;
    clearTimeout(this.silence);
    this.timer = setTimeout(() => this.connect(), showLost(this.failures++));
    // A script cannot see why a handshake was refused. If the session has ended, this call finds out.
    if (this.failures > 1) request("/session").catch(() => {});
  }

  take(message) {
    if (message.at) learnClock(message.at);
    if (message.workers) {
      learnWorkers(message.workers);
      byId("to-programs").hidden = !message.workers.some((/** @type {any} */ { role }) => role === "program");
    }
    switch (message.type) { // after a `reset` comes another hello
      case "hello":
        this.failures = 0;
        showConnection("live", 0);
        this.on.status?.(message);
        this.on.hello?.(message);
        break;
      case "events": this.on.events?.(message.events); break;
      case "heartbeat": this.on.status?.(message); tick(); break;
      case "log": this.on.log?.(message.lines); break;
    }
  }
}
