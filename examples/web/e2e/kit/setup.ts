/** Before all files: the page is built, and one browser runs for all. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import type { TestProject } from "vitest/node";
import { DIST } from "./apps.ts";

declare module "vitest" {
  interface ProvidedContext {
    browser: string;
  }
}

export const LAUNCH = {
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!existsSync(join(DIST, "index.html"))) throw new Error(`${DIST} has no page: npm run build`);
  const server = await chromium.launchServer({ ...LAUNCH, headless: true });
  project.provide("browser", server.wsEndpoint());
  return () => server.close();
}
