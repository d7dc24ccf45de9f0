// Corrections of the capture on the stage: labels, boxes that are no objects, and new ones.

import { bestClass, inImage, isClassified, isHint, left, relabel } from "./objects.js";
import * as picker from "./picker.js";

export class Corrections {
  // `on.change()` is called after each correction, `on.say(text)` with what to do next, and
  // `on.classify(label)` when the class of the image was chosen.
  constructor(stage, on) {
    this.stage = stage;
    this.on = on;
  }

  async label() {
    const { stage } = this;
    const { entry, selected: object } = stage;
    if (!entry) return;
    if (isClassified(entry)) {
      await this.classify();
      return;
    }
    if (!object) return;
    const label = await picker.pick(isHint(object) ? "Label of the object" : "Label of the box", object.label);
    if (stage.entry !== entry) return;
    if (label !== null) {
      if (isHint(object)) this.accept(object, label);
      else relabel(object, label);
    }
    this.on.change();
    stage.focusSelected();
  }

  // A suspect or weak detection becomes an object.
  accept(hint, label = hint.label) {
    const { entry } = this.stage;
    const { box, polygon, keypoints, corners } = hint;
    const object = structuredClone({ label, box, polygon, keypoints, corners });
    for (const name of Object.keys(object)) if (object[name] === undefined) delete object[name];
    object.box = inImage(object.box, entry.detail);
    if (label === hint.label && Number.isInteger(hint.class_id)) object.class_id = hint.class_id;
    object.state = "added";
    entry.objects.push(object);
    this.stage.selected = object;
  }

  // The selected box is not an object; again: it is.
  remove() {
    const { stage } = this;
    const object = stage.selected;
    if (!object || isHint(object)) return;
    if (object.state === "added") {
      forget(stage.entry, object);
      stage.selected = null;
      stage.focus();
    } else if (object.state === "deleted") {
      object.state = object.was;
    } else {
      object.was = object.state;
      object.state = "deleted";
    }
    this.on.change();
  }

  async drawn(box) {
    const { stage } = this;
    const { entry } = stage;
    if (isClassified(entry)) {
      stage.render();
      return;
    }
    const object = { label: "", box, state: "added" };
    entry.objects.push(object);
    stage.select(object);
    await this.name(entry, object);
  }

  // Ask for the label of a new box; without one it is no object.
  async name(entry, object) {
    const { stage } = this;
    const label = await picker.pick("What is missing?", "");
    if (label === null) {
      forget(entry, object);
      if (stage.selected === object) stage.selected = null;
    } else {
      object.label = label;
    }
    if (stage.entry !== entry) return;
    this.on.change();
    if (label !== null) stage.focusSelected();
    else stage.focus();
  }

  add() {
    const { stage } = this;
    const { entry, selected } = stage;
    if (!entry || isClassified(entry)) return;
    if (selected && isHint(selected)) {
      if (selected.label) {
        this.accept(selected);
        this.on.change();
        stage.focusSelected();
      } else {
        this.label();
      }
      return;
    }
    const { width, height } = entry.detail;
    const object = { label: "", box: [0.4 * width, 0.4 * height, 0.6 * width, 0.6 * height], state: "added" };
    entry.objects.push(object);
    stage.select(object, { focus: true });
    this.on.say("Arrow keys move the new box, Shift and arrows stretch it, Enter gives it a label.");
  }

  async classify() {
    const { entry } = this.stage;
    const label = await picker.pick("Class of the image", entry.labels?.[0] || bestClass(entry));
    if (label !== null && this.stage.entry === entry) this.on.classify(label);
  }

  // Move the selected box by a step of the keyboard, or stretch it.
  arrow(event, x, y) {
    const { stage } = this;
    const { width, height } = stage.entry.detail;
    const step = event.altKey ? 1 : Math.max(width, height) / 100;
    if (event.shiftKey) stage.grow(x * step, y * step);
    else stage.shift([...stage.selected.box], x * step, y * step);
    this.on.change();
  }

  // A box without a label cannot be stored: ask for it. Whether there was one.
  async nameless(entry) {
    const object = left(entry).find((each) => !each.label);
    if (!object) return false;
    this.stage.select(object);
    await this.name(entry, object);
    return true;
  }
}

function forget(entry, object) {
  entry.objects.splice(entry.objects.indexOf(object), 1);
}
