// The verdicts that were given in this window, and those that were taken back.

import { addressOf } from "./captures.js";
import { entryOf, reviewOf } from "./objects.js";
import { ask } from "./words.js";

const LISTED = 60; // reviews that are looked through for one to undo

export class Verdicts {
  constructor(outbox) {
    this.outbox = outbox;
    this.offset = 0; // milliseconds that the server's clock is ahead
    this.stamped = 0;
    this.given = []; // reviews of this window, for undo
  }

  get count() {
    return this.given.length;
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
    entry.line = line;
    entry.detail.review = shown(line);
    this.outbox.add(line);
    return line;
  }

  // Withdraw the last review by a person: of this window, else one that waits to be sent, else of
  // those that are stored. `known(id)` is the entry of a capture, if the page has it.
  //
  // Resolves to the line and the entry, without one if the capture cannot be shown; to null if
  // there is no review. Rejects if the server does not answer: nothing is withdrawn then.
  async undo(by, known) {
    const last = this.given.pop() || this.unsent(by) || await this.stored(by);
    if (!last) return null;
    const { line, before = null, earlier = null, isOld = false } = last;
    this.outbox.undo(line, this.stamp(Date.parse(line.at)));
    const entry = last.entry || known(line.id) || await entryAgain(line).catch(() => null);
    if (entry) {
      entry.line = earlier;
      entry.detail.review = before;
    }
    return { line, entry, isOld };
  }

  // As of a page that was closed while the server did not answer.
  unsent(by) {
    const undone = new Set(this.outbox.lines.map((line) => line.undo).filter(Boolean));
    const line = this.outbox.lines.findLast((each) => !each.undo && each.by === by && !undone.has(each.at));
    return line && { line };
  }

  async stored(by) {
    if (!by) return null;
    const query = new URLSearchParams({ queue: "reviewed", by, limit: LISTED });
    const { captures } = await ask(`/v1/captures?${query}`);
    const waits = new Set(this.outbox.lines.map((line) => line.id));
    const row = captures.find((each) => !waits.has(each.id));
    if (!row) return null;
    const { review } = await ask(addressOf(row.id));
    if (review?.by !== by) return null; // somebody else was quicker
    return { line: { ...review, id: row.id }, isOld: true };
  }

  // Whether a review by another person on the same capture was known when a line was given.
  isKnown(line, other) {
    return this.given.find((each) => each.line === line)?.before?.at === other.at;
  }
}

// The entry of a review that this page did not show, with its corrections.
async function entryAgain(line) {
  const detail = await ask(addressOf(line.id));
  const entry = entryOf({ ...detail, review: shown(line) });
  entry.note = line.note || "";
  return entry;
}

function shown(line) {
  return { ...line, boxes: line.boxes || null, labels: line.labels || null };
}
