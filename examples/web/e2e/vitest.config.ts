import { defineConfig } from "vitest/config";

/** Browser tests: a file is an application, and files run side by side on one browser. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: "kit/setup.ts",
    pool: "forks",
    maxWorkers: Number(process.env["E2E_WORKERS"] ?? 3),
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // In a file tests share an application, so they follow each other.
    sequence: { concurrent: false },
  },
});
