// A Chromium that does as it is told: a command a line on standard input, its answer a line on standard output. It goes
// when the input ends, whatever it is doing.
//
// A command names the page it happens in by its origin; `null` is a sandboxed frame in a page of another site.
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { executable, profile, rules, pin } = JSON.parse(process.argv[2]);

// A cookie of another site is sent or not by its own attributes: distributions differ in what they block beside that.
mkdirSync(`${profile}/Default`, { recursive: true });
const settings = { profile: { cookie_controls_mode: 0, block_third_party_cookies: false } };
writeFileSync(`${profile}/Default/Preferences`, JSON.stringify(settings));

const context = await chromium.launchPersistentContext(profile, {
  executablePath: executable,
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-default-apps",
    `--host-resolver-rules=${rules}`,
    // The certificate is then as good as any, so that what came over it is cached and remembered.
    `--ignore-certificate-errors-spki-list=${pin}`,
  ],
});

const places = new Map();

async function open(url) {
  const page = await context.newPage();
  const said = [];
  page.on("console", (message) => message.type() === "error" && said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  await page.goto(url);
  return { page, said };
}

async function place(origin) {
  if (!places.has(origin)) places.set(origin, origin === "null" ? await sandboxed() : (await open(`${origin}/page`)).page);
  return places.get(origin);
}

async function sandboxed() {
  const { page } = await open("https://evil.example.net/page");
  await page.evaluate(() => new Promise((loaded) => {
    const frame = document.createElement("iframe");
    frame.sandbox = "allow-scripts";
    frame.srcdoc = "<p>alone</p>";
    frame.onload = loaded;
    document.body.append(frame);
  }));
  return page.frames()[1];
}

const commands = {
  // Sends each request, as many at once as told. What script may read of each answer, or the error's name.
  fetch: async ({ at, requests, atOnce }) => (await place(at)).evaluate(async ({ requests, atOnce }) => {
    const answers = [];
    const send = async ({ url, init }) => {
      try {
        const response = await fetch(url, init);
        const { status, type, redirected } = response;
        return { status, type, redirected, headers: Object.fromEntries(response.headers), body: await response.text() };
      } catch (error) {
        return { error: error.name };
      }
    };
    let next = 0;
    const sender = async () => {
      while (next < requests.length) {
        const index = next++;
        answers[index] = await send(requests[index]);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, sender));
    return answers;
  }, { requests, atOnce }),

  cookies: async ({ cookies }) => context.addCookies(cookies),

  // Whether an element of that kind takes what is at the address; of a script, whether it ran.
  embed: async ({ at, kind, url }) => (await place(at)).evaluate(({ kind, url }) => new Promise((told) => {
    const element = document.createElement(kind);
    window.ran = false;
    element.onload = () => told(kind !== "script" || window.ran);
    element.onerror = () => told(false);
    element.src = url;
    document.body.append(element);
  }), { kind, url }),

  // Where a frame of that address ends up: a page that is kept out of it gives way to an error page of the browser's own.
  frame: async ({ at, url }) => {
    const frame = await (await place(at)).evaluateHandle((url) => new Promise((loaded) => {
      const frame = document.createElement("iframe");
      frame.onload = () => loaded(frame);
      frame.src = url;
      document.body.append(frame);
    }), url);
    return (await frame.asElement().contentFrame()).evaluate(() => location.href);
  },

  // Whether a window opened at the address can reach the page that opened it.
  popup: async ({ at, url }) => {
    const page = await place(at);
    const [popup] = await Promise.all([
      page.waitForEvent("popup"),
      page.evaluate((url) => { window.open(url); }, url),
    ]);
    await popup.waitForURL(url);
    const reaches = await popup.evaluate(() => window.opener !== null);
    await popup.close();
    return reaches;
  },

  // Goes to the address as a user would; then the value of an expression there.
  visit: async ({ url, expression }) => {
    const { page, said } = await open(url);
    const value = await page.evaluate(expression);
    const ended = page.url();
    await page.close();
    return { url: ended, value, said };
  },

  // Sends the form of the page at the address; the text of the page it leads to.
  submit: async ({ url, ends }) => {
    const { page } = await open(url);
    await page.evaluate(() => document.forms[0].submit());
    await page.waitForURL(ends);
    const text = await page.evaluate(() => document.body.innerText);
    await page.close();
    return text;
  },
};

const answer = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const input = createInterface({ input: process.stdin });
input.on("close", async () => {
  await context.close().catch(() => {});
  process.exit(0);
});
let last = Promise.resolve();
input.on("line", (line) => {
  const { command, ...told } = JSON.parse(line);
  last = last.then(() => commands[command](told)).then(
    (value) => answer({ value: value ?? null }),
    (error) => answer({ failure: String(error.stack) }),
  );
});
answer({ value: context.browser()?.version() ?? null });
