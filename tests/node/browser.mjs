// A participant in a browser: LiveKit's own JavaScript client in headless Chromium, driven by JSON lines as
// tests/python/listener.py is. The page is tests/node/page.html; it comes from a server of its own, as an app's would.

import { readFileSync } from "node:fs";
import http from "node:http";
import { fileURLToPath } from "node:url";

import { AccessToken } from "livekit-server-sdk";
import { chromium } from "playwright-core";

import { serve, tell } from "./lines.mjs";

const [url, key, secret, program] = process.argv.slice(2);

const file = (name) => fileURLToPath(new URL(name, import.meta.url));
const pages = {
  "/": ["text/html", readFileSync(file("page.html"))],
  "/client.js": ["text/javascript", readFileSync(file("node_modules/livekit-client/dist/livekit-client.umd.js"))],
};
const server = http.createServer((request, response) => {
  const [kind, body] = pages[request.url] ?? ["text/plain", null];
  response.writeHead(body ? 200 : 404, { "Content-Type": kind }).end(body ?? "not found");
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const browser = await chromium.launch({
  executablePath: program,
  args: [
    "--autoplay-policy=no-user-gesture-required",
    // Everybody is on loopback here, where a browser looks for nobody unless told to.
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    // Without room for it in /dev/shm, as in containers, a page crashes.
    "--disable-dev-shm-usage",
    // Chromium's own sandbox needs what root, and a container, does not give it; the page is ours.
    ...(process.getuid() === 0 ? ["--no-sandbox"] : []),
  ],
});
const page = await browser.newPage();
page.on("console", (message) => console.error(message.text()));
page.on("pageerror", (error) => console.error(error));
await page.exposeFunction("tell", tell);
await page.goto(`http://127.0.0.1:${server.address().port}/`);

const inPage = (name) => (value) => page.evaluate(([command, given]) => window.commands[command](given), [name, value]);
await serve({
  join: async ({ room, identity = "browser", tone, dbfs }) => {
    const token = new AccessToken(key, secret, { identity, name: "Browser" });
    token.addGrant({ roomJoin: true, room });
    return inPage("join")({ url, token: await token.toJwt(), tone, dbfs });
  },
  tone: inPage("tone"),
  leave: inPage("leave"),
});
await browser.close();
server.close();
process.exit(0);
