/** Platforms as napi names them, with what npm and Rust call them. */
export const PLATFORMS = {
  "linux-x64-gnu": { target: "x86_64-unknown-linux-gnu", os: "linux", cpu: "x64", libc: "glibc" },
  "linux-arm64-gnu": { target: "aarch64-unknown-linux-gnu", os: "linux", cpu: "arm64", libc: "glibc" },
  "linux-x64-musl": { target: "x86_64-unknown-linux-musl", os: "linux", cpu: "x64", libc: "musl" },
  "linux-arm64-musl": { target: "aarch64-unknown-linux-musl", os: "linux", cpu: "arm64", libc: "musl" },
  "darwin-x64": { target: "x86_64-apple-darwin", os: "darwin", cpu: "x64" },
  "darwin-arm64": { target: "aarch64-apple-darwin", os: "darwin", cpu: "arm64" },
  "win32-x64-msvc": { target: "x86_64-pc-windows-msvc", os: "win32", cpu: "x64" },
  "win32-arm64-msvc": { target: "aarch64-pc-windows-msvc", os: "win32", cpu: "arm64" },
};

/** The platform with this Rust target; a glibc after it (`….2.17`, as zig writes it) is no part of the name. */
export function named(target) {
  const found = Object.entries(PLATFORMS).find(([, platform]) => platform.target === target.replace(/(\.\d+)+$/, ""));
  if (!found) throw new Error(`no package is planned for ${target}; add it to scripts/platform.mjs`);
  return found[0];
}
