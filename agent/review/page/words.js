// Times, counts and calls as this page has them.

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
