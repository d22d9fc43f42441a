/** Starts the application, and ends it without losing an answer. */
import { parseArgs } from "node:util";
import { makeApp } from "./app.js";
import { loadEnv, makeEngine, settings } from "./settings.js";

loadEnv();
const { port } = parseArgs({ options: { port: { type: "string" } } }).values;
const config = settings(port ? { ...process.env, PORT: port } : process.env);
const engine = makeEngine(config);
await engine.open();
const server = makeApp(engine, config).listen(config.port, config.host, (error) => {
  if (error) throw error;
  console.log(`http://${config.host}:${server.address().port}`);
});
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.once(signal, async () => {
    server.close();
    server.keepAliveTimeout = 1; // A connection goes with the answer that it carries.
    await engine.close({ deadlineMs: config.shutdownSeconds * 1000 });
  });
}
