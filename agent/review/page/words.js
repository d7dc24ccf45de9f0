// Words and elements. All text from outside is set as text, never as HTML.

export const find = (id) => document.getElementById(id);

export function put(element, text, level) {
  if (element.textContent !== text) element.textContent = text;
  if (level !== undefined) element.dataset.level = level;
}

export function made(tag, text, name) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (name) element.className = name;
  return element;
}

export function moment(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at || "";
  return date.toLocaleString([], {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit",
    second: "2-digit", hourCycle: "h23",
  });
}

export function counted(count, word) {
  return `${count.toLocaleString()} ${word}${count === 1 ? "" : "s"}`;
}

export function cut(text, most) {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

// Not relative to the page's own address: `fetch` refuses one that has a password in it.
export async function ask(path, body) {
  const options = { cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const response = await fetch(location.origin + path, options);
  const text = await response.text();
  let found = null;
  try {
    found = JSON.parse(text);
  } catch {
    // A proxy's page, for example.
  }
  if (!response.ok || found === null) {
    const error = new Error(found?.error || `the server answers with the status ${response.status}`);
    error.status = response.status;
    throw error;
  }
  return found;
}
