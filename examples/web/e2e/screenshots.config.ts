import { defineConfig } from "vitest/config";
import tests from "./vitest.config.ts";

/** Pictures are made as tests are run, and looked at by people. */
export default defineConfig({ ...tests, test: { ...tests.test, include: ["screenshots.ts"], testTimeout: 120_000 } });
