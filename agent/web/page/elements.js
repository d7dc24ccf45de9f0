// Elements and their texts. All text from outside is set as text, never as HTML.

export const find = (id) => document.getElementById(id);

// Control characters, and marks that turn the direction of writing of what stands around them.
const HIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/gu;
const ISOLATES = "\u2068\u2069";
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

// What is shown for a mark that nobody can see, such as \u202e.
function escaped(mark) {
  const code = mark.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
}

// A text of others inside of a sentence, cut; what it has of another direction ends with it.
export function foreign(text, most = 200) {
  const part = cut(String(text).replace(HIDDEN, escaped), most);
  return RIGHT_TO_LEFT.test(part) ? ISOLATES[0] + part + ISOLATES[1] : part;
}

const shown = (text) => String(text).replace(HIDDEN, (mark) => (ISOLATES.includes(mark) ? mark : escaped(mark)));

// Set a text; `level` colours it.
export function put(element, text, level) {
  const now = shown(text);
  if (element.textContent !== now) element.textContent = now;
  if (level !== undefined) element.dataset.level = level;
}

export function made(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = shown(text);
  if (name) element.className = name;
  return element;
}

export function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
