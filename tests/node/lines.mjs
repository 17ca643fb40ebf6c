// JSON lines over the standard streams, as tests/python/listener.py speaks them: {"id": 1, "do": "join", …} comes in,
// {"event": "reply", "id": 1, "value": …} or {…, "error": …} goes out, and events of other kinds between.

import readline from "node:readline";

export function tell(event, fields = {}) {
  process.stdout.write(`${JSON.stringify({ event, at: Date.now() / 1000, ...fields })}\n`);
}

/// Serves commands until the input ends. `describe` makes of an error what the other side is told.
export async function serve(commands, describe = (error) => String(error)) {
  tell("ready");
  const pending = new Set();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const { id, do: name, ...rest } = JSON.parse(line);
    // One that takes long, as dialling does, holds up no other.
    const answer = (async () => commands[name](rest))()
      .then((value) => tell("reply", { id, value: value ?? null }))
      .catch((error) => tell("reply", { id, error: describe(error) }))
      .finally(() => pending.delete(answer));
    pending.add(answer);
  }
  await Promise.race([Promise.all(pending), new Promise((done) => setTimeout(done, 1000))]);
}
