// Calls of the agent.

// Not relative to the page's own address: `fetch` refuses one that has a password in it.
export function ask(path, options) {
  return fetch(location.origin + path, { cache: "no-store", ...options });
}

// Why the agent refuses.
export async function refusal(response) {
  try {
    return String((await response.json()).error);
  } catch {
    return `The agent answered with status ${response.status}.`;
  }
}

export async function post(path, body) {
  const response = await ask(path, {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await refusal(response));
  return response.json();
}
