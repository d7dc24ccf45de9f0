// The verdicts that were given in this window, and those that were taken back.

import { addressOf } from "./captures.js";
import { entryOf, reviewOf } from "./objects.js";
import { ask } from "./words.js";

const UNDO_MAX = 100; // verdicts that can be undone after the page is loaded again

export class Verdicts {
  constructor(outbox, key) {
    this.outbox = outbox;
    this.key = `capture-agent given ${key}`;
    this.offset = 0; // milliseconds that the server's clock is ahead
    this.stamped = 0;
    this.given = this.before(); // reviews for undo; with their entries, if this page showed them
  }

  get count() {
    return this.given.length;
  }

  // What was given in this window before it was loaded again.
  before() {
    try {
      const found = JSON.parse(sessionStorage.getItem(this.key));
      return Array.isArray(found) ? found.map(({ line, before }) => ({ entry: null, line, before, earlier: null })) : [];
    } catch {
      return [];
    }
  }

  keep() {
    const lines = this.given.slice(-UNDO_MAX).map(({ line, before }) => ({ line, before }));
    try {
      sessionStorage.setItem(this.key, JSON.stringify(lines));
    } catch {
      // The browser stores nothing: undo ends with this page.
    }
  }

  setClock(now) {
    this.offset = Date.parse(now) - Date.now();
  }

  // The time of a review or an undo: the newest one counts, so each is later than those before.
  stamp(after = 0) {
    this.stamped = Math.max(Date.now() + this.offset, this.stamped + 1, after + 1);
    return new Date(this.stamped).toISOString();
  }

  give(entry, kind, by) {
    const at = this.stamp(Date.parse(entry.detail.review?.at || "") || 0);
    const line = { ...reviewOf(entry, kind), by, at };
    if (entry.note) line.note = entry.note;
    this.given.push({ entry, line, before: entry.detail.review, earlier: entry.line });
    this.keep();
    entry.line = line;
    entry.detail.review = shown(line);
    this.outbox.add(line);
    return line;
  }

  // Withdraw the last review; returns its line and what else is known of it, null if there is none.
  undo() {
    const last = this.given.pop();
    if (!last) return null;
    this.outbox.undo(last.line, this.stamp());
    this.keep();
    return last;
  }

  // Whether a review by another person on the same capture was known when a line was given.
  isKnown(line, other) {
    return this.given.find((each) => each.line === line)?.before?.at === other.at;
  }
}

// The entry of a review that was given before the page was loaded again, with its corrections.
export async function entryAgain(line) {
  const detail = await ask(addressOf(line.id));
  const entry = entryOf({ ...detail, review: shown(line) });
  entry.note = line.note || "";
  return entry;
}

function shown(line) {
  return { ...line, boxes: line.boxes || null, labels: line.labels || null };
}
