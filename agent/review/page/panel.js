// What stands beside the image: why it was captured, its objects, what was said, and its facts.

import { foreign, made } from "./elements.js";
import { bestClass, isClassified, left } from "./objects.js";
import { moment } from "./words.js";

const LISTED = 100; // objects in the list

export function seen(entry) {
  if (isClassified(entry)) {
    const classes = entry.labels || [bestClass(entry)].filter(Boolean);
    return classes.length ? classes.map((label) => foreign(label)).join(", ") : "no class at or above its threshold";
  }
  const objects = left(entry);
  if (!objects.length) return "no objects";
  const counts = new Map();
  for (const { label } of objects) counts.set(label, (counts.get(label) || 0) + 1);
  return [...counts].slice(0, 8).map(([label, count]) => (count > 1 ? `${count} × ${foreign(label, 40)}` : foreign(label, 40))).join(", ");
}

export function why(entry) {
  return entry.detail.rules.length ? entry.detail.rules[0].words : entry.detail.lane_words;
}

export function reasons(detail) {
  const items = detail.rules.map((rule) => item(rule.words, `${rule.name} ${rule.score.toFixed(2)}`));
  const named = new Set(detail.rules.map((rule) => rule.name));
  for (const suspect of detail.suspects.filter((each) => !each.box && !named.has(each.rule))) {
    items.push(item(`${suspect.words}: ${foreign(suspect.label || "the whole image")}`, `p ${suspect.p.toFixed(2)}`));
  }
  if (detail.value > 0) items.push(item(`${detail.value.toFixed(2)} expected new failures`, "value"));
  return items.length ? items : [item("No rule: this frame was not chosen for what the model said.", "")];
}

function item(text, aside) {
  const element = made("li", text);
  if (aside) element.append(made("span", aside, "soft"));
  return element;
}

export function facts(detail) {
  const rows = {
    Camera: detail.camera, Device: detail.device, Time: moment(detail.captured_at), Model: detail.model,
    Image: `${detail.width} × ${detail.height}`, Note: detail.note, Id: detail.id,
  };
  return Object.entries(rows).filter(([, value]) => value).map(([name, value]) => {
    const row = made("div");
    row.append(made("dt", name), made("dd", value));
    return row;
  });
}

export function said(line, where) {
  const element = made("li");
  const who = made("b", `${line.verdict}${line.by ? ` by ${foreign(line.by)}` : ""}`);
  element.append(who, made("span", `${where}, ${moment(line.at)}`, "soft"));
  if (line.note) element.append(made("p", line.note));
  return element;
}

export function objectItems(entry, stage) {
  const shown = stage.items.slice(0, LISTED);
  const items = shown.map((object) => {
    const element = made("li");
    const button = made("button", undefined, "object");
    button.type = "button";
    button.dataset.state = object.state;
    button.setAttribute("aria-pressed", String(object === stage.selected));
    button.append(made("span", object.label || "no label", "label"), made("span", aside(object, stage), "soft"));
    button.addEventListener("click", () => stage.select(object, { focus: true }));
    element.append(button);
    return element;
  });
  if (stage.items.length > LISTED) items.push(made("li", `${stage.items.length - LISTED} more`, "soft"));
  return items.length ? items : [made("li", entry.detail.detections.length ? "None at or above the threshold." : "None.", "soft")];
}

function aside(object, stage) {
  if (object.state === "suspect") return `suspect, p ${object.p.toFixed(2)}`;
  if (object.state === "weak") return `${object.confidence.toFixed(2)}, below the threshold`;
  if (object.state === "deleted") return "not an object";
  if (object.state === "changed" || object.state === "added") return object.state;
  const suspect = stage.suspicion(object);
  const doubt = suspect ? `, suspect p ${suspect.p.toFixed(2)}` : "";
  return (object.confidence === undefined ? "" : object.confidence.toFixed(2)) + doubt;
}

export function classItems(entry, choose) {
  return entry.detail.classes.slice(0, 10).map((each) => {
    const element = made("li");
    const button = made("button", undefined, "object");
    button.type = "button";
    const isTrue = entry.labels ? entry.labels.includes(each.label) : each.label === bestClass(entry);
    button.setAttribute("aria-pressed", String(isTrue));
    button.append(made("span", each.label, "label"), made("span", each.confidence.toFixed(2), "soft"));
    button.addEventListener("click", () => choose(each.label));
    element.append(button);
    return element;
  });
}
