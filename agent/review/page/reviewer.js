// Who sits before the page.

import { find, put } from "./elements.js";

const KEY = "capture-agent reviewer";

export class Reviewer {
  // `name`: as the server knows it; empty: as this browser does. `left()` is called after a question.
  constructor(name, left) {
    this.name = name || stored();
    this.left = left;
    put(find("by-open"), this.name || "Your name");
  }

  // Ask for the name; resolves to it, to an empty one if the person gives none.
  ask() {
    const dialog = find("who");
    if (dialog.open) return Promise.resolve("");
    find("who-input").value = this.name;
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        const name = find("who-input").value.trim();
        if (name) this.keep(name);
        this.left();
        resolve(this.name);
      }, { once: true });
    });
  }

  keep(name) {
    this.name = name;
    put(find("by-open"), name);
    try {
      localStorage.setItem(KEY, name);
    } catch {
      // It is asked again next time.
    }
  }
}

function stored() {
  try {
    return localStorage.getItem(KEY) || "";
  } catch {
    return "";
  }
}
