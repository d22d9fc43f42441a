/** What the page does whatever its back end is, on one of them; and limits, on one of each kind that has them. */

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { beforeAll, describe } from "vitest";
import { python } from "./kit/apps.ts";
import { stage } from "./kit/stage.ts";
import { limits } from "./suites/limits.ts";
import { long, longChat } from "./suites/long.ts";
import { people } from "./suites/people.ts";

describe("the page", () => people(stage("catgpt-fastapi")));

describe("long chats", () => {
  const it = stage("mychatgpt");
  beforeAll(async () => {
    const file = join(it.app.folder, "long.jsonl");
    await writeFile(file, longChat());
    await promisify(execFile)(python(), ["-c", IMPORT, join(it.app.folder, "chat.db"), file]);
  });
  long(it);
});

/** Another process on the same store, as a job of the application's owner would be. */
const IMPORT = `
import sys
from catgpt.sync import Engine
with Engine(model="offline", memory="sqlite:" + sys.argv[1]) as engine:
    report = engine.user("default").import_(sys.argv[2])
    assert report.imported == 1, report
`;

describe("limits by address", () => limits(stage("catgpt-fastapi", { env: { RATE_LIMIT: "2/minute" } })));
describe("limits by guest", () => limits(stage("codhechat", { env: { TURNS_PER_MINUTE: "2" } })));
