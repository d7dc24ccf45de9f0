// Chooses a label from the classes of the dataset, or a new one.

import { find, foreign, made } from "./elements.js";

const SHOWN = 60;
const dialog = find("picker");
const input = find("picker-input");
const list = find("picker-list");

let classes = [];
let recent = [];
let options = [];
let active = 0;
let chosen = null; // called with the label, or with null
let first = "";

export function offer(labels) {
  classes = labels;
}

export function isOpen() {
  return dialog.open;
}

// Resolves to the label; to null if the person leaves.
export function pick(title, current) {
  find("picker-title").textContent = title;
  first = current || "";
  input.value = "";
  render();
  dialog.showModal();
  input.focus();
  return new Promise((resolve) => { chosen = resolve; });
}

function render() {
  const text = input.value.trim();
  const wanted = text.toLowerCase();
  const known = [...new Set([first, ...recent, ...classes].filter(Boolean))];
  const rank = (label) => (label.toLowerCase() === wanted ? 0 : label.toLowerCase().startsWith(wanted) ? 1 : 2);
  const found = known.filter((label) => label.toLowerCase().includes(wanted));
  if (wanted) found.sort((one, other) => rank(one) - rank(other));
  options = found.slice(0, SHOWN).map((label) => ({ label, isNew: false }));
  if (text && !known.includes(text)) options.push({ label: text, isNew: true });
  active = 0;
  list.replaceChildren(...options.map((option, at) => {
    const element = made("li", option.isNew ? `New class: ${foreign(option.label)}` : option.label);
    element.id = `option-${at}`;
    element.setAttribute("role", "option");
    element.addEventListener("click", () => done(option.label));
    return element;
  }));
  if (!options.length) list.append(made("li", "Type the name of a class", "soft"));
  mark();
}

function mark() {
  [...list.children].forEach((element, at) => {
    if (element.getAttribute("role") !== "option") return;
    element.setAttribute("aria-selected", String(at === active));
    if (at === active) element.scrollIntoView({ block: "nearest" });
  });
  if (options.length) input.setAttribute("aria-activedescendant", `option-${active}`);
  else input.removeAttribute("aria-activedescendant");
}

function done(label) {
  const answer = chosen;
  chosen = null;
  if (label !== null) recent = [label, ...recent.filter((each) => each !== label)].slice(0, 5);
  dialog.close();
  answer?.(label);
}

input.addEventListener("input", render);
input.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && options.length) {
    event.preventDefault();
    active = (active + step + options.length) % options.length;
    mark();
  } else if (event.key === "Enter") {
    event.preventDefault();
    if (options[active]) done(options[active].label);
  }
});
dialog.addEventListener("close", () => done(null));
find("picker-cancel").addEventListener("click", () => done(null));
