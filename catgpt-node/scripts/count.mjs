/** A reporter that sums up in one line, as cargo does, for whoever counts. */
export default async function* count(events) {
  const sums = {};
  for await (const { type, data } of events) {
    const [, name, number] = (type === "test:diagnostic" && /^(pass|fail|cancelled|skipped|todo) (\d+)$/.exec(data.message)) || [];
    if (name) sums[name] = Number(number);
  }
  const { pass = 0, fail = 0, cancelled = 0, skipped = 0, todo = 0 } = sums;
  yield `test result: ${pass} passed; ${fail + cancelled} failed; ${skipped + todo} ignored\n`;
}
