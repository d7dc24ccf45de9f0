// Which captures are wanted: the queue and the filters. The address of the page keeps them.

import { find, foreign, put } from "./elements.js";

const FILTERS = ["camera", "device", "label", "rule", "lane", "verdict", "by", "text"];
const NAMES = { value: "By value", random: "Random sample", auto: "Auto-labelled", reviewed: "Reviewed" };

export class Choice {
  // `on.queue()` and `on.filters()` are called when a person chose others.
  constructor(on) {
    this.on = on;
    this.queue = "value";
    this.filters = {};
    this.form = find("filters");
    this.buttons = document.querySelectorAll("[data-queue]");
    for (const button of this.buttons) {
      button.addEventListener("click", () => this.choose(button.dataset.queue));
    }
    this.form.addEventListener("change", () => this.read());
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("reset", () => setTimeout(() => this.read()));
    find("filters-open").addEventListener("click", () => this.toggle());
  }

  get title() {
    return NAMES[this.queue];
  }

  choose(name) {
    this.queue = name;
    for (const button of this.buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.queue === name));
    }
    this.remember();
    this.on.queue();
  }

  read() {
    const form = new FormData(this.form);
    this.filters = {};
    for (const name of FILTERS) if (form.get(name)) this.filters[name] = String(form.get(name));
    this.count();
    this.remember();
    this.on.filters();
  }

  count() {
    const { length } = Object.keys(this.filters);
    find("filters-open").firstChild.textContent = length ? `Filters (${length}) ` : "Filters ";
  }

  remember() {
    const hash = new URLSearchParams({ queue: this.queue, ...this.filters });
    history.replaceState(null, "", `#${hash}`);
  }

  // Choose what the address says.
  recall() {
    const hash = new URLSearchParams(location.hash.slice(1));
    for (const name of FILTERS) {
      const value = hash.get(name);
      if (!value) continue;
      this.filters[name] = value;
      const field = this.form.elements[name];
      if (field.tagName === "SELECT" && ![...field.options].some((option) => option.value === value)) field.append(new Option(foreign(value, 60), value));
      field.value = value;
    }
    this.count();
    if (Object.keys(this.filters).length) this.toggle(true);
    this.choose(Object.hasOwn(NAMES, hash.get("queue")) ? hash.get("queue") : "value");
  }

  toggle(open = this.form.hidden) {
    this.form.hidden = !open;
    find("filters-open").setAttribute("aria-expanded", String(open));
  }

  // By key: the first filter has the focus.
  enter() {
    this.toggle();
    if (!this.form.hidden) this.form.elements.camera.focus();
  }

  // What the captures have, to choose from.
  offer(facets) {
    for (const name of FILTERS) {
      const select = this.form.elements[name];
      if (select.tagName !== "SELECT" || name === "verdict") continue;
      const chosen = this.filters[name] || "";
      const values = [...new Set([chosen, ...facets[name]])].filter(Boolean);
      select.replaceChildren(new Option("all", ""), ...values.map((value) => new Option(foreign(value, 60), value)));
      select.value = chosen;
    }
  }

  // Say beside each queue how many captures it has.
  showCounts({ captures, reviewed, queues }) {
    for (const button of this.buttons) {
      const name = button.dataset.queue;
      const count = name === "reviewed" ? reviewed : queues[name].left;
      put(button.querySelector("b"), count.toLocaleString());
      if (name === "auto") button.hidden = !queues.auto.all;
      button.title = name === "reviewed" ? `${reviewed} of ${captures} captures`
        : `${queues[name].left} left, ${queues[name].reviewed} reviewed`;
    }
  }
}
