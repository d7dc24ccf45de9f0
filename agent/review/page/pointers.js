// What a mouse, a pen or fingers do on the stage: select, draw, move, stretch, zoom and pan.

import { area, contains, inImage, isHint } from "./objects.js";
import { HANDLES } from "./shapes.js";

const CLICK = 5; // CSS pixels that a pointer may move and still click
const SMALLEST = 4; // CSS pixels of the sides of a new box

export class Pointers {
  // `on.change()` is called after a box was moved or stretched, `on.draw(box)` after one was drawn.
  constructor(stage, on) {
    this.stage = stage;
    this.on = on;
    this.down = new Map(); // where each pointer is
    this.drag = null;
    this.box = null; // that is drawn now
    this.space = false; // whether the key is held: a drag moves the image
    this.touch = matchMedia("(pointer: coarse)").matches;
    this.listen(stage.root);
  }

  listen(root) {
    root.addEventListener("pointerdown", (event) => this.begin(event));
    root.addEventListener("pointermove", (event) => this.move(event));
    root.addEventListener("pointerup", (event) => this.end(event));
    root.addEventListener("pointercancel", (event) => this.cancel(event));
    root.addEventListener("wheel", (event) => {
      if (!this.stage.entry) return;
      event.preventDefault();
      this.stage.zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), { x: event.clientX, y: event.clientY });
    }, { passive: false });
  }

  // Another capture is shown.
  forget() {
    this.drag = null;
    this.box = null;
  }

  begin(event) {
    const { stage } = this;
    if (!stage.entry || event.target.closest("button") || event.button === 2) return;
    this.down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    stage.root.setPointerCapture(event.pointerId);
    this.touch = event.pointerType === "touch";
    const start = stage.point(event);
    const begin = { id: event.pointerId, start, x: event.clientX, y: event.clientY, isMoved: false };
    const box = stage.selected && [...stage.selected.box];
    if (this.down.size > 1) {
      this.box = null;
      this.drag = { kind: "pinch" };
      stage.render();
    } else if (event.button === 1 || this.space) {
      this.drag = { ...begin, kind: "pan" };
    } else if (event.target.classList?.contains("handle")) {
      this.drag = { ...begin, kind: "stretch", handle: HANDLES[event.target.dataset.at], box };
    } else if (stage.isMovable && contains(box, start)) {
      this.drag = { ...begin, kind: "move", box };
    } else {
      this.drag = { ...begin, kind: "draw" };
    }
  }

  move(event) {
    const before = this.down.get(event.pointerId);
    const { drag, stage } = this;
    if (!before || !drag) return;
    const now = { x: event.clientX, y: event.clientY };
    if (drag.kind === "pinch") this.pinch(event.pointerId, before, now);
    this.down.set(event.pointerId, now);
    if (drag.kind === "pinch" || drag.id !== event.pointerId) return;
    if (!drag.isMoved && Math.hypot(now.x - drag.x, now.y - drag.y) < CLICK) return;
    drag.isMoved = true;
    const point = stage.point(event);
    if (drag.kind === "pan") {
      stage.pan(now.x - before.x, now.y - before.y);
    } else if (drag.kind === "draw") {
      this.box = inImage([...drag.start, ...point], stage.entry.detail);
      stage.render();
    } else if (drag.kind === "move") {
      stage.shift(drag.box, point[0] - drag.start[0], point[1] - drag.start[1]);
    } else if (drag.kind === "stretch") {
      stage.stretch(drag.box, drag.handle, point);
    }
  }

  pinch(id, before, now) {
    const other = [...this.down].find(([each]) => each !== id)?.[1];
    if (!other) return;
    const far = (point) => Math.hypot(point.x - other.x, point.y - other.y);
    const middle = { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 };
    this.stage.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
    this.stage.zoom(far(now) / Math.max(far(before), 1), middle);
  }

  end(event) {
    const { drag, stage } = this;
    if (!this.down.delete(event.pointerId) || !drag) return;
    if (this.down.size) return; // the other finger of a pinch
    this.drag = null;
    if (drag.kind === "pinch" || drag.kind === "pan") return;
    if (!drag.isMoved) {
      if (drag.kind !== "stretch") this.click(drag.start);
      return;
    }
    if (drag.kind !== "draw") {
      this.on.change();
      return;
    }
    const { box } = this;
    this.box = null;
    const least = SMALLEST * stage.unit;
    if (box && box[2] - box[0] >= least && box[3] - box[1] >= least) this.on.draw(box);
    else stage.render();
  }

  cancel(event) {
    this.down.delete(event.pointerId);
    this.forget();
    this.stage.render();
  }

  // The smallest box at a point; a further click at the same place takes the next larger one.
  click(point) {
    const { stage } = this;
    const slack = (this.touch ? 10 : 3) * stage.unit;
    const found = stage.hidden ? [] : stage.items.filter((each) => contains(each.box, point, slack))
      .sort((one, other) => area(one.box) - area(other.box));
    const at = found.indexOf(stage.selected);
    stage.focus();
    stage.select(found.length ? found[(at + 1) % found.length] : null, { focus: found.length > 0 });
  }
}
