// The stream of events: one WebSocket that reconnects by itself and misses no event.
//
// After a reconnect it asks for the events after the last seq that it saw, of the same epoch. If the
// server no longer has them, or has another database, it sends `reset`, and the page reads everything
// again (`connected`). A connection without a message for several heartbeats is treated as closed.
import { onTryNow, showConnection, showLost } from "./chrome.js";
import { SILENCE_MS, request } from "../base/http.js";
import { learnWorkers } from "../base/leaving.js";
import { noteMove } from "./moved.js";
import { learnClock, tick } from "../base/time.js";

/**
 * @typedef {object} Listeners
 * @property {(hello: any) => void} [connected] connected, and everything must be read again
 * @property {(events: any[]) => void} [events]
 * @property {(summary: any) => void} [summary] with `mode=summary`: many events, told together; `events` follows with the newest
 * @property {(message: any) => void} [status] counts and workers, in hello and each heartbeat
 * @property {(lines: any[]) => void} [log]
 * @property {() => Record<string, any>} [query] more for the query of the address, asked at each connection
 * @property {(text: string) => any} [parse]
 * @property {() => void} [live] connected, for the first time or again
 */

export class Live {
  /** @param {string} path @param {Listeners} [on] */
  constructor(path, on = {}) {
    this.path = path;
    this.on = on;
    this.seq = null;
    this.epoch = "";
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
    const url = new URL(this.path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.seq !== null) {
      url.searchParams.set("after", this.seq);
      url.searchParams.set("epoch", this.epoch);
    }
    for (const [name, value] of Object.entries(this.on.query?.() ?? {})) url.searchParams.set(name, value);
    const socket = new WebSocket(url);
    this.watch(socket);
    socket.onmessage = ({ data }) => { this.watch(socket); this.take((this.on.parse ?? JSON.parse)(data), socket); };
    socket.onclose = () => this.lost(socket);
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

  take(message, socket) {
    if (socket !== this.socket) return;
    if (message.at) learnClock(message.at);
    if (message.workers) learnWorkers(message.workers);
    switch (message.type) {
      case "hello": {
        const resumed = this.seq !== null;
        this.failures = 0;
        // In another epoch a reset follows, and only what comes then counts.
        if (!resumed) [this.seq, this.epoch] = [message.seq, message.epoch];
        showConnection("live", 0);
        this.on.live?.();
        this.on.status?.(message);
        if (!resumed) this.on.connected?.(message);
        break;
      }
      case "events":
        message.events.forEach(noteMove);
        this.on.events?.(message.events);
        for (const { seq } of message.events) if (seq) this.seq = seq;
        break;
      case "summary":
        message.events.forEach(noteMove);
        this.on.summary?.(message);
        this.on.events?.(message.events);
        this.seq = message.seq;
        break;
      case "heartbeat": this.on.status?.(message); tick(); break;
      case "log": this.on.log?.(message.lines); break;
      case "reset": this.reset(socket); break;
    }
  }

  /** Treat the next hello as the first one, because events were missed. */
  reset(socket) {
    this.seq = null;
    setTimeout(() => { if (this.seq === null && socket === this.socket) socket.close(); }, 1000);
  }
}
