// Asks the server every few seconds what is new, and tells people when it does not answer.

import { find, put } from "./elements.js";
import { ask, counted } from "./words.js";

const POLL = 3000; // milliseconds
const SOON = 300;

export class Connection {
  // `page()` is what a call says of the page; `on.state(state)` hears the answer, `on.lost()` that
  // there is none, `on.back()` that there is one again.
  constructor(outbox, page, on) {
    this.outbox = outbox;
    this.page = page;
    this.on = on;
    this.lost = ""; // why the server does not answer
    this.timer = 0; // of the next call
  }

  answered() {
    const isBack = this.lost !== "";
    this.lost = "";
    this.show();
    if (isBack) this.on.back();
  }

  failed(error) {
    this.lost = error.status ? error.message : "The server does not answer";
    this.show();
  }

  show() {
    const { outbox } = this;
    const parts = [];
    if (outbox.error && outbox.waiting) {
      parts.push(`${counted(outbox.waiting, "verdict")} not stored yet: ${outbox.error}. The page sends them again; leave it open.`);
    } else if (this.lost) {
      parts.push(`${this.lost}. The page tries again; go on as far as captures are loaded.`);
    }
    for (const { line, error } of outbox.refused.slice(-3)) parts.push(`The verdict ${line.verdict} on ${line.id} was refused: ${error}`);
    const text = parts.join(" ");
    put(find("connection"), text);
    find("connection").hidden = !text;
  }

  async poll() {
    try {
      const state = await ask("/v1/state", this.page());
      this.answered();
      this.on.state(state);
      if (this.outbox.failures) this.outbox.send();
    } catch (error) {
      this.failed(error);
      this.on.lost();
    }
    this.next(POLL);
  }

  // Call soon: something changed.
  soon() {
    this.next(SOON);
  }

  next(wait) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.poll(), wait);
  }
}
