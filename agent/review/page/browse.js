// The list of captures: a page of thumbnails at a time.

import { find, foreign, made, put } from "./elements.js";
import { ask, counted, moment } from "./words.js";

const PAGE = 60;

export class Browse {
  // `open(rows, at)` is called with the captures of the page and the one that was chosen.
  constructor(open) {
    this.open = open;
    this.offset = 0;
    this.total = 0;
    this.turn = 0;
    for (const button of document.querySelectorAll("[data-page]")) {
      button.addEventListener("click", () => this.load(this.offset + PAGE * Number(button.dataset.page)));
    }
  }

  get isOpen() {
    return !find("browse").hidden;
  }

  // Take the place of the capture.
  start(title, query) {
    this.toggle(true);
    put(find("browse-title"), title);
    this.query = query;
    return this.load(0);
  }

  close() {
    this.toggle(false);
  }

  toggle(isOpen) {
    find("browse").hidden = !isOpen;
    find("review").hidden = isOpen;
    document.querySelector(".side").hidden = isOpen;
    find("browse-open").setAttribute("aria-pressed", String(isOpen));
  }

  async load(offset) {
    this.turn += 1;
    const { turn } = this;
    const query = new URLSearchParams(this.query);
    query.set("offset", Math.max(0, offset));
    query.set("limit", PAGE);
    let found;
    try {
      found = await ask(`/v1/captures?${query}`);
    } catch (error) {
      if (turn === this.turn) put(find("browse-count"), error.message);
      return;
    }
    if (turn !== this.turn) return; // another page is asked for
    this.offset = Math.max(0, offset);
    this.total = found.total;
    this.render(found.captures);
  }

  render(rows) {
    const last = Math.min(this.offset + PAGE, this.total);
    const part = this.total > PAGE ? `, ${this.offset + 1} to ${last}` : "";
    put(find("browse-count"), this.total ? counted(this.total, "capture") + part : "No captures here.");
    for (const button of document.querySelectorAll("[data-page]")) {
      const next = this.offset + PAGE * Number(button.dataset.page);
      button.disabled = next < 0 || next >= this.total;
      button.hidden = this.total <= PAGE;
    }
    find("tiles").replaceChildren(...rows.map((row, at) => {
      const item = made("li");
      const button = made("button", undefined, "tile");
      button.type = "button";
      const image = made("img");
      image.alt = "";
      image.loading = "lazy";
      image.decoding = "async";
      image.addEventListener("error", () => frame.replaceChildren(made("span", "no image", "soft")));
      image.src = `/v1/captures/${encodeURIComponent(row.id)}/thumbnail.jpg`;
      const frame = made("span", undefined, "frame");
      frame.append(image);
      const name = made("span", row.camera || "no camera", "name");
      const facts = made("span", moment(row.captured_at), "soft");
      button.append(frame, name, facts);
      if (row.verdict) {
        const state = made("span", row.by ? `${row.verdict}, ${foreign(row.by)}` : row.verdict, "state");
        state.dataset.level = row.verdict;
        button.append(state);
      } else {
        button.append(made("span", row.lane === "random" ? "random" : `value ${row.value.toFixed(2)}`, "soft"));
      }
      button.addEventListener("click", () => this.open(rows, at));
      item.append(button);
      return item;
    }));
  }
}
