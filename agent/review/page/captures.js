// The captures that the page loaded: those that it showed, the one that it shows, those that come.

import { entryOf } from "./objects.js";
import { ask } from "./words.js";

const AHEAD = 6; // captures that are fetched before they are needed
const IMAGES_AHEAD = 4;
const RETURNED_MAX = 40;
const TRAIL = 300; // captures to which one can go back

export const addressOf = (id) => `/v1/captures/${encodeURIComponent(id)}`;
export const imageOf = (entry) => `${addressOf(entry.detail.id)}/image.jpg`;

export class Captures {
  // `asked.page()` is what a call says of the page, `asked.queue()` the queue, `asked.pending()` the
  // ids of captures whose verdicts are on their way. `on.show(entry, quiet)` is called when another
  // capture, or none, is the current one; `on.answered()` and `on.failed(error)` after each call.
  constructor(asked, on) {
    this.asked = asked;
    this.on = on;
    this.source = null; // ids of a list that is gone through; null: the server hands out captures
    this.trail = []; // entries that were shown, and the one that is
    this.at = -1;
    this.upcoming = [];
    this.unseen = []; // ids of captures that were let go without a look
    this.isFilling = false;
    this.isEmpty = false; // the server had no more captures
    this.left = 0; // of the queue, as the server says
    this.turn = 0; // another one for each choice of captures
  }

  get current() {
    return this.trail[this.at] || null;
  }

  // Ids of the captures that this page shows, or will show next.
  get held() {
    return [...this.trail.slice(this.at, this.at + 1), ...this.upcoming].map((entry) => entry.detail.id);
  }

  find(id) {
    return this.trail.find((each) => each.detail.id === id);
  }

  show(place, { quiet = false } = {}) {
    this.at = place;
    const spare = this.trail.length - TRAIL;
    if (spare > 0) {
      this.trail.splice(0, spare);
      this.at -= spare;
    }
    this.on.show(this.current, quiet);
    this.preload();
  }

  preload() {
    for (const entry of this.upcoming.slice(0, IMAGES_AHEAD)) {
      if (entry.image) continue;
      entry.image = new Image();
      entry.image.src = imageOf(entry);
    }
  }

  async fill({ again = false } = {}) {
    if (this.isFilling || this.upcoming.length >= AHEAD || (this.isEmpty && !again)) return;
    this.isFilling = true;
    const mine = this.turn;
    const returned = this.source ? [] : this.unseen.slice(-RETURNED_MAX);
    try {
      const found = this.source ? await this.listed() : await ask("/v1/next", {
        ...this.asked.page(), queue: this.asked.queue(), count: AHEAD - this.upcoming.length, again, returned,
      });
      this.unseen = this.unseen.filter((id) => !returned.includes(id));
      if (mine === this.turn) {
        this.on.answered();
        this.take(found, again);
      } else if (found.left !== undefined) {
        this.unseen.push(...found.captures.map((detail) => detail.id));
      }
    } catch (error) {
      if (mine === this.turn) this.on.failed(error);
    } finally {
      this.isFilling = false;
    }
    if (mine !== this.turn) {
      this.fill();
      return;
    }
    if (!this.current && this.upcoming.length) this.next();
    else if (!this.current) this.on.show(null, true);
    this.preload();
  }

  take(found, again) {
    const had = again ? this.held : [...this.trail, ...this.upcoming].map((entry) => entry.detail.id);
    const known = new Set([...had, ...this.asked.pending()]);
    const fresh = found.captures.filter((detail) => !known.has(detail.id));
    this.isEmpty = !found.captures.length;
    if (found.left !== undefined) this.left = found.left;
    this.upcoming.push(...fresh.map(entryOf));
  }

  // The next captures of a list that was opened.
  async listed() {
    const { source } = this;
    const ids = source.ids.slice(source.next, source.next + AHEAD - this.upcoming.length);
    source.next += ids.length;
    const captures = [];
    for (const id of ids) captures.push(await ask(addressOf(id)));
    return { captures };
  }

  restart(source = null) {
    this.turn += 1;
    const loaded = [this.current, ...this.upcoming].filter((entry) => entry && !entry.line);
    this.unseen.push(...loaded.map((entry) => entry.detail.id));
    this.source = source;
    this.trail = [];
    this.upcoming = [];
    this.isEmpty = false;
    this.left = 0;
    this.show(-1, { quiet: true });
    this.fill();
  }

  next() {
    if (this.at < this.trail.length - 1) {
      this.show(this.at + 1);
    } else if (this.upcoming.length) {
      this.trail.push(this.upcoming.shift());
      this.show(this.trail.length - 1);
    } else if (this.current) {
      this.show(this.trail.length, { quiet: true }); // none: what comes is shown
    }
    this.fill();
  }

  // Whether there is one.
  previous() {
    if (this.at <= 0) return false;
    this.show(this.at - 1);
    return true;
  }

  // After a verdict: the next capture that has none, also of those that one went back over.
  goOn() {
    this.left = Math.max(0, this.left - 1);
    const later = this.trail.findIndex((each, place) => place > this.at && !each.line);
    if (later > this.at && !this.source) this.show(later);
    else this.next();
    this.fill();
  }

  // Show a capture whose verdict was withdrawn.
  goBack(entry) {
    this.left += 1;
    if (!this.trail.includes(entry)) this.trail.splice(Math.max(this.at, 0), 0, entry);
    this.show(this.trail.indexOf(entry));
  }

  // Forget captures that were not shown yet.
  drop(isUnwanted) {
    this.upcoming = this.upcoming.filter((entry) => !isUnwanted(entry));
  }

  // What the server says of the queue now.
  count(left) {
    this.left = left;
    if (left && !this.current) this.isEmpty = false;
  }
}

// What is wrong with the image of an entry that the browser could not show. Rejects if the server
// does not answer.
export async function whyNoImage(entry) {
  const response = await fetch(location.origin + imageOf(entry), { cache: "no-store" });
  if (response.ok) return "The image cannot be shown; unusable (u) leaves it out.";
  return `${(await response.json()).error}. Unusable (u) leaves it out.`;
}
