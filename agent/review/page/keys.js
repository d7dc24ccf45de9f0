// What keys do. Each names an action, or an arrow.

const KEYS = {
  r: "right", w: "wrong", m: "missing", u: "unusable", s: "skip", z: "undo", n: "next", p: "previous",
  l: "label", x: "delete", a: "add", h: "hide", t: "below", g: "browse", f: "filters", i: "note", "?": "help",
  "+": "zoom-in", "=": "zoom-in", "-": "zoom-out", 0: "fit", Delete: "delete", Backspace: "delete", Escape: "deselect",
};
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const IN_LIST = new Set(["browse", "filters", "help", "undo"]);
const REPEATED = new Set(["zoom-in", "zoom-out", "next", "previous"]);

// `actions` are functions by name; `isListed()` says whether the list of captures is shown, and
// `move(event, x, y)` moves or stretches the selected box.
export function listen(stage, actions, { isListed, move }) {
  function arrow(event, direction) {
    const { target } = event;
    if (stage.isMovable && stage.root.contains(target)) {
      event.preventDefault();
      move(event, ...direction);
    } else if (stage.view.zoom > 1 && target === stage.root) {
      event.preventDefault();
      stage.pan(-80 * direction[0], -80 * direction[1]);
    } else if (!event.altKey && direction[0] && !/^(BUTTON|A)$/.test(target.tagName)) {
      actions[direction[0] > 0 ? "next" : "previous"]();
    }
  }

  function named(event) {
    if (event.altKey) return;
    const { target } = event;
    if (event.key === " " && target === stage.root) {
      event.preventDefault();
      stage.pointers.space = true;
      return;
    }
    if ((event.key === "Enter" || event.key === " ") && stage.svg.contains(target)) {
      event.preventDefault();
      actions.label();
      return;
    }
    const name = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!name || (isListed() && !IN_LIST.has(name))) return;
    if (event.repeat && !REPEATED.has(name)) return;
    event.preventDefault();
    actions[name]();
  }

  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
      if (event.key === "Escape") stage.focus();
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() !== "z") return;
      event.preventDefault();
      actions.undo();
      return;
    }
    if (ARROWS[event.key] && !isListed()) arrow(event, ARROWS[event.key]);
    else named(event);
  });
  document.addEventListener("keyup", (event) => { if (event.key === " ") stage.pointers.space = false; });
  window.addEventListener("blur", () => { stage.pointers.space = false; });
}
