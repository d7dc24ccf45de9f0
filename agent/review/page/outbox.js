// Verdicts on their way to the server. None is forgotten before the server has stored it: they are
// sent again until it has, and kept by the browser if the page is closed.

import { ask } from "./words.js";

const BATCH = 20;
const RETRY = [1000, 2000, 4000, 8000]; // milliseconds
const PREFIX = "capture-agent review ";

export class Outbox {
  // `told(results)` hears what became of reviews; `changed()` is called when anything changes.
  constructor(key, client, told, changed) {
    this.lines = [];
    this.refused = []; // what the server will never take, with the reason
    this.error = "";
    this.failures = 0;
    this.sending = 0; // lines of the present call
    this.timer = 0;
    this.prefix = `${PREFIX}${key} `;
    this.key = this.prefix + client;
    this.told = told;
    this.changed = changed;
    this.adopt();
  }

  get waiting() {
    return this.lines.length;
  }

  // Ids of the captures whose verdicts are not stored yet.
  get pending() {
    return new Set(this.lines.filter((line) => !line.undo).map((line) => line.id));
  }

  // Take over what pages left behind that are closed. Sent twice, a line counts once.
  adopt() {
    try {
      for (const key of Object.keys(localStorage).filter((each) => each.startsWith(this.prefix))) {
        const lines = JSON.parse(localStorage.getItem(key));
        if (Array.isArray(lines)) this.lines.push(...lines);
        if (key !== this.key) localStorage.removeItem(key);
      }
    } catch {
      // The browser stores nothing.
    }
    this.keep();
  }

  keep() {
    try {
      if (this.lines.length) localStorage.setItem(this.key, JSON.stringify(this.lines));
      else localStorage.removeItem(this.key);
    } catch {
      // It is full, or stores nothing: the page still has them.
    }
  }

  // Whether no other page took the lines over, which then sends them too.
  isKept() {
    try {
      return localStorage.getItem(this.key) !== null;
    } catch {
      return true;
    }
  }

  add(line) {
    this.lines.push(line);
    this.keep();
    this.changed();
    this.send();
  }

  // Withdraw a review: it never leaves, or an undo follows it.
  undo(line, at) {
    const place = this.lines.indexOf(line);
    if (place >= this.sending && this.isKept()) {
      this.lines.splice(place, 1);
      this.keep();
      this.changed();
      return;
    }
    const { id, by, verdict } = line;
    this.add({ id, by, verdict, at, undo: line.at });
  }

  async send() {
    clearTimeout(this.timer);
    if (this.sending || !this.lines.length) return;
    const batch = this.lines.slice(0, BATCH);
    this.sending = batch.length;
    try {
      const found = await ask("/v1/reviews", { reviews: batch });
      this.lines.splice(0, batch.length);
      this.failures = 0;
      this.error = "";
      found.results.forEach((result, at) => {
        if (result.error) this.refused.push({ line: batch[at], error: result.error });
      });
      this.told(found.results, batch, found.warning);
    } catch (error) {
      this.failures += 1;
      this.error = error.status ? error.message : "the server does not answer";
    } finally {
      this.sending = 0;
      this.keep();
      this.changed();
    }
    if (!this.lines.length) return;
    const wait = this.failures ? RETRY[Math.min(this.failures, RETRY.length) - 1] : 0;
    this.timer = setTimeout(() => this.send(), wait);
  }
}
