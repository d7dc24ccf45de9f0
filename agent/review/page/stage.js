// The image with its objects: shows them, selects, moves and stretches them, zooms.

import { find, foreign } from "./elements.js";
import { area, inImage, isHint, reshape } from "./objects.js";
import { Pointers } from "./pointers.js";
import { caption, captionText, handles, polygon, pose, rectangle, shape } from "./shapes.js";

const ZOOM_MAX = 20;
const CROWD = 30; // objects above which only the selected one has its label

export class Stage {
  // `on.select()`, `on.change()` and `on.draw(box)` tell what a person does.
  constructor(on) {
    this.on = on;
    this.root = find("stage");
    this.canvas = find("canvas");
    this.image = find("image");
    this.svg = shape("svg", { id: "overlay", role: "group", "aria-label": "Objects" });
    this.canvas.append(this.svg);
    this.entry = null;
    this.items = []; // what can be selected: objects, then hints
    this.selected = null; // one of the items
    this.hidden = false;
    this.below = false; // whether detections below the threshold are shown
    this.view = { zoom: 1, x: 0, y: 0 };
    this.pointers = new Pointers(this, on);
    this.image.addEventListener("load", () => this.root.removeAttribute("data-loading"));
    this.image.addEventListener("dragstart", (event) => event.preventDefault());
    new ResizeObserver(() => this.place()).observe(this.root);
  }

  show(entry, url) {
    this.entry = entry;
    this.selected = null;
    this.pointers.forget();
    this.view = { zoom: 1, x: 0, y: 0 };
    find("image-error").hidden = true;
    this.canvas.hidden = !entry;
    this.image.hidden = !entry;
    if (!entry) {
      this.svg.replaceChildren();
      return;
    }
    if (this.image.getAttribute("src") !== url) {
      this.root.toggleAttribute("data-loading", true);
      this.image.src = url;
    }
    this.svg.setAttribute("viewBox", `0 0 ${entry.detail.width} ${entry.detail.height}`);
    this.place();
  }

  // Whether the person sees the image that belongs to the boxes.
  isShown() {
    return !this.root.hasAttribute("data-loading") && this.image.complete && this.image.naturalWidth > 0;
  }

  // Load the image again if that failed.
  retry() {
    const { image } = this;
    if (!this.entry || !image.complete || image.naturalWidth > 0) return;
    find("image-error").hidden = true;
    image.src = image.getAttribute("src");
  }

  // What is not an object yet, and may become one: suspects and weak detections.
  hints() {
    const { detail, objects } = this.entry;
    const near = (one, box) => one.every((side, at) => Math.abs(side - box[at]) < 1);
    const isTaken = (box) => objects.some((each) => near(each.box, box) || (each.first && near(each.first, box)));
    const found = [];
    for (const suspect of detail.suspects) {
      if (!suspect.box || isTaken(suspect.box)) continue;
      const weak = detail.detections.find((each) => near(each.box, suspect.box));
      found.push({ ...(weak || {}), label: suspect.label, box: suspect.box, state: "suspect", p: suspect.p });
    }
    if (!this.below) return found;
    for (const weak of detail.detections) {
      if (weak.sure || isTaken(weak.box) || found.some((each) => near(each.box, weak.box))) continue;
      found.push({ ...weak, state: "weak" });
    }
    return found;
  }

  suspicion(object) {
    const box = object.first || object.box;
    return this.entry.detail.suspects.find((each) => each.box
      && each.box.every((side, at) => Math.abs(side - box[at]) < 1));
  }

  select(item, { focus = false } = {}) {
    this.selected = item;
    this.render();
    if (focus) this.focusSelected();
    this.on.select();
  }

  focus() {
    this.root.focus({ preventScroll: true });
  }

  // Whether arrow keys move what is selected.
  get isMovable() {
    return Boolean(this.selected) && !isHint(this.selected) && this.selected.state !== "deleted";
  }

  focusSelected() {
    this.svg.querySelector('[aria-pressed="true"]')?.focus({ preventScroll: true });
  }

  // Size and place of the image on the page

  place() {
    if (!this.entry) return;
    const { width, height } = this.entry.detail;
    const room = { width: this.root.clientWidth, height: this.root.clientHeight };
    if (!room.width || !room.height) return; // the list is shown
    const scale = Math.min(room.width / width, room.height / height) * this.view.zoom;
    const size = { width: width * scale, height: height * scale };
    for (const [axis, side] of [["x", "width"], ["y", "height"]]) {
      const spare = room[side] - size[side];
      const least = Math.min(spare, 0);
      this.view[axis] = spare >= 0 ? spare / 2 : Math.min(Math.max(this.view[axis], least), 0);
    }
    Object.assign(this.canvas.style, {
      left: `${this.view.x}px`, top: `${this.view.y}px`, width: `${size.width}px`, height: `${size.height}px`,
    });
    this.unit = 1 / scale; // pixels of the image for a CSS pixel
    this.render();
  }

  zoom(factor, at) {
    const box = this.root.getBoundingClientRect();
    const point = at ? { x: at.x - box.left, y: at.y - box.top } : { x: box.width / 2, y: box.height / 2 };
    const before = this.view.zoom;
    this.view.zoom = factor === 0 ? 1 : Math.min(Math.max(before * factor, 1), ZOOM_MAX);
    const grown = this.view.zoom / before;
    this.view.x = point.x - (point.x - this.view.x) * grown;
    this.view.y = point.y - (point.y - this.view.y) * grown;
    this.place();
  }

  pan(x, y) {
    this.view.x += x;
    this.view.y += y;
    this.place();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * this.unit, (event.clientY - box.top) * this.unit];
  }

  // Drawing

  render() {
    if (!this.entry) return;
    const hadFocus = this.svg.contains(document.activeElement);
    this.items = [...this.entry.objects, ...this.hints()];
    if (this.selected && !this.items.includes(this.selected)) {
      const same = this.items.find((each) => each.state === this.selected.state
        && each.box.every((side, at) => side === this.selected.box[at]));
      this.selected = same || null;
    }
    const parts = [];
    if (!this.hidden) {
      // The largest first: small ones stay visible, and Tab goes from large to small.
      const order = [...this.items].sort((one, other) => area(other.box) - area(one.box));
      const isCrowd = this.items.length > CROWD;
      const taken = []; // by captions; the selected and the small ones choose first
      const groups = new Map();
      const first = [...order].reverse().sort((one, other) => (other === this.selected) - (one === this.selected));
      for (const item of first) groups.set(item, this.drawn(item, isCrowd, taken));
      parts.push(...order.map((item) => groups.get(item)));
      if (this.isMovable) parts.push(handles(this.selected.box, this.pointers.touch ? "touch" : "mouse", this.unit));
    }
    if (this.pointers.box) parts.push(rectangle(this.pointers.box, "drawing"));
    this.svg.replaceChildren(...parts);
    if (hadFocus) this.focusSelected();
  }

  drawn(item, isCrowd, taken) {
    const { detail } = this.entry;
    const isSelected = item === this.selected;
    const suspect = isHint(item) ? null : this.suspicion(item);
    const group = shape("g", {
      class: "object", tabindex: "0", role: "button", "aria-pressed": String(isSelected),
      "aria-label": this.words(item), "data-state": item.state,
    });
    if (suspect && item.state === "model") group.dataset.suspect = "";
    group.item = item;
    if (item.polygon) group.append(polygon(item.polygon, "outline"));
    if (item.corners) group.append(polygon(item.corners, "corners"));
    group.append(rectangle(item.box, "halo"), rectangle(item.box, item.corners ? "line thin" : "line"));
    if (item.keypoints) group.append(...pose(item.keypoints, detail.skeleton, this.unit));
    if (!isCrowd || isSelected) {
      const { width, height } = detail;
      const place = { width, height, unit: this.unit, taken, must: isSelected };
      const text = caption(item.box, captionText(item, suspect), place);
      if (text) group.append(text);
    }
    group.addEventListener("focus", () => { if (this.selected !== item && !this.pointers.drag) this.select(item, { focus: true }); });
    return group;
  }

  words(item) {
    const number = this.entry.objects.indexOf(item) + 1;
    const place = number ? `object ${number} of ${this.entry.objects.length}` : "not an object yet";
    const state = { suspect: "suspect", weak: "below the threshold", changed: "changed", added: "added", deleted: "not an object" }[item.state];
    const confidence = item.confidence === undefined || item.state === "changed" ? "" : `, ${item.confidence.toFixed(2)}`;
    return `${foreign(item.label || "no label")}${confidence}, ${place}${state ? `, ${state}` : ""}`;
  }

  // Move and stretch, by pointer or key; lengths in pixels of the image

  shift(box, x, y) {
    const { width, height } = this.entry.detail;
    const limit = (by, low, high, most) => Math.min(Math.max(by, Math.min(-low, 0)), Math.max(most - high, 0));
    const right = limit(x, box[0], box[2], width);
    const down = limit(y, box[1], box[3], height);
    this.reshape([box[0] + right, box[1] + down, box[2] + right, box[3] + down]);
  }

  stretch(from, [x, y], point) {
    const box = [...from];
    if (x === 0) box[0] = point[0];
    if (x === 1) box[2] = point[0];
    if (y === 0) box[1] = point[1];
    if (y === 1) box[3] = point[1];
    this.reshape(this.notFlat(inImage(box, this.entry.detail)));
  }

  grow(x, y) {
    const { box } = this.selected;
    this.reshape(this.notFlat(inImage([box[0], box[1], Math.max(box[2] + x, box[0]), Math.max(box[3] + y, box[1])], this.entry.detail)));
  }

  notFlat([left, top, right, bottom]) {
    const { width, height } = this.entry.detail;
    const [x, y] = [Math.min(left, width - 1), Math.min(top, height - 1)];
    return [x, y, Math.max(right, x + 1), Math.max(bottom, y + 1)];
  }

  reshape(box) {
    const object = this.selected;
    object.first ??= [...object.box];
    reshape(object, box);
    this.render();
  }
}
