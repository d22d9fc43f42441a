import { BaseSequencer, type TestSpecification } from "vitest/node";
import { defineConfig } from "vitest/config";
import { DEADLINE_MS } from "./kit/wait.ts";

/** What mostly waits begins first, beside what works. */
class PatientFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const patient = (file: TestSpecification) => Number(/silence|guests|replicas/.test(file.moduleId));
    return (await super.sort(files)).sort((a, b) => patient(b) - patient(a));
  }
}

/** Browser tests: a file is an application, and files run side by side on one browser. */
export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ["*.test.ts"],
    globalSetup: "kit/setup.ts",
    pool: "forks",
    maxWorkers: Number(process.env["E2E_WORKERS"] ?? 4),
    // Only what hangs comes to this: each wait has a shorter deadline of its own.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: DEADLINE_MS, interval: 40 } },
    // In a file tests share an application, so they follow each other.
    sequence: { concurrent: false, sequencer: PatientFirst },
  },
});
